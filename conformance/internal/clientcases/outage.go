package clientcases

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// What networks, proxies and hostile servers do (RFC 8555, Sections 6.7 and 10).

func outageScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/6.7/overloaded", Title: "Comes back when an overloaded CA says so",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "newOrder answers 503 with Retry-After: 2, once.", Expects: "no request to newOrder before that; then a certificate, now or in the next run",
			Faults: []string{"status-503"},
			Stage:  func(s *Stage) { s.inject(1, mockca.Status503(2*time.Second), at(mockca.NewOrder)) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				orders := r.to(mockca.NewOrder)
				if len(orders) > 1 {
					if gap := orders[1].Start.Sub(orders[0].Start); gap < 1900*time.Millisecond {
						t.at(orders[1]).Should(false, t.main(), "the next order not before the 2 s of Retry-After", "it came after %.2f s", gap.Seconds())
					}
					t.has(r)
					return
				}
				t.Should(r.Err == nil, t.main(), "the client comes back by itself", "it gave up; %s", r.story())
				t.obtains()
			},
		},
		{
			ID: "rfc8555/6.7/outage", Title: "Ends with a failure when the CA is down, and does not hammer it",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "Answers 503 to everything.", Expects: "a failure after no more than 40 requests",
			Faults: []string{"ca-gone", "status-503"},
			Stage:  func(s *Stage) { s.inject(0, mockca.Status503(0)) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.bounded(r.Exchanges, 40, t.main(), "requests")
				t.lacks(r, t.main(), "the CA is down")
			},
		},
		{
			ID: "rfc8555/6.7/connection-reset", Title: "A connection that is reset is no reason to fail",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "Resets the connection once instead of answering a read of the authorization.", Expects: "a certificate",
			Faults: []string{"reset-before"},
			Stage:  func(s *Stage) { s.inject(1, mockca.ResetBefore(), at(mockca.Authz)) },
			Play:   func(t *Trial) { t.recovers() },
		},
		{
			ID: "rfc8555/6.7/slow", Title: "Has the patience for a slow CA",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "Answers each request half a second late.", Expects: "a certificate",
			Faults: []string{"latency"},
			Stage: func(s *Stage) {
				s.inject(0, alter("latency", func(_ *mockca.Exchange, r *mockca.Response) { r.Wire.Delay, r.Wire.RealTime = halfASecond, true }))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/6.7/stalled", Title: "Does not wait for ever for an answer",
			Requirements: []string{"RFC8555-6.7-07"}, Timeout: 3 * time.Minute,
			Does: "Never answers the first newOrder.", Expects: "an end within 75 seconds: better with a certificate than without",
			Faults: []string{"stall"},
			Stage: func(s *Stage) {
				s.inject(1, alter("stall", func(_ *mockca.Exchange, r *mockca.Response) { r.Wire.Stall = true }), at(mockca.NewOrder))
			},
			Play: func(t *Trial) {
				t.patience = max(t.patience, 75*time.Second)
				t.recovers()
			},
		},
		{
			ID: "rfc8555/6.7/captive-portal", Title: "A page where the directory should be is a clear failure",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "Answers the directory with a portal's page, as 200.", Expects: "a failure",
			Faults: []string{"html-200"},
			Stage: func(s *Stage) {
				s.inject(0, mockca.Fault{Name: "html-200", Doc: "a portal's page", Duty: "fail", Request: func(*mockca.Exchange) *mockca.Response {
					return mockca.NewResponse(http.StatusOK, "text/html", "<html><body>Welcome to the hotel's network</body></html>\n")
				}}, at(mockca.Directory))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "there is no directory")
				t.bounded(r.Exchanges, 20, t.main(), "requests")
			},
		},
		{
			ID: "rfc8555/6.7/truncated", Title: "Half an object is no object",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "Ends the first answer to newOrder in the middle of the JSON.", Expects: "another attempt, or a failure after which the next run succeeds",
			Faults: []string{"json-truncated"},
			Stage:  func(s *Stage) { s.inject(1, mockca.JSONTruncated(), at(mockca.NewOrder)) },
			Play:   func(t *Trial) { t.recovers() },
		},
		{
			ID: "rfc8555/6.7/endless-body", Title: "Does not read an answer without end",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "Answers the directory with a JSON string that does not end.", Expects: "an end before 64 MB, and a failure",
			Faults: []string{"huge-body"},
			Play: func(t *Trial) {
				var sent atomic.Int64
				t.CA.Inject(alter("huge-body", func(_ *mockca.Exchange, r *mockca.Response) { r.Wire.Write = endless(&sent) }), at(mockca.Directory))
				r := t.run(Issue)
				t.Should(sent.Load() < hugeLimit, t.main(), "an end before 64 MB", "the client read all of the %d MB that were sent", sent.Load()>>20)
				t.lacks(r, t.main(), "there is no directory")
			},
		},
		{
			ID: "rfc8555/6.1/private-address", Title: "A CA can't send its client to other services in the clear",
			Requirements: []string{"RFC8555-6.1-02"},
			Does:         "The order's certificate is at an http:// URL of another service.", Expects: "no connection there, and a failure",
			Faults: []string{"redirect-http"},
			Play: func(t *Trial) {
				trap := t.trap()
				t.CA.Inject(rewrite("private-address", func(m map[string]any) {
					if m["certificate"] != nil {
						m["certificate"] = fmt.Sprintf("http://%s/latest/meta-data", trap.addr())
					}
				}), at(mockca.Finalize, mockca.OrderURL))
				r := t.run(Issue)
				t.Must(!trap.sprung(), t.main(), "no request in the clear", "the client went there")
				t.lacks(r, t.main(), "the certificate is not to be had over HTTPS")
			},
		},
	}
}

const hugeLimit = 64 << 20

// endless sends until the client has had enough, or hugeLimit.
func endless(sent *atomic.Int64) func(http.ResponseWriter, *http.Request, *mockca.Response) {
	return func(w http.ResponseWriter, r *http.Request, _ *mockca.Response) {
		w.Header().Set("Content-Type", "application/json")
		n, _ := w.Write([]byte(`{"newNonce":"`))
		chunk := make([]byte, 64<<10)
		for i := range chunk {
			chunk[i] = 'x'
		}
		for err := error(nil); err == nil && sent.Add(int64(n)) < hugeLimit && r.Context().Err() == nil; {
			n, err = w.Write(chunk)
		}
	}
}
