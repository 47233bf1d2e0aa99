package clientcases

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 9773, Sections 4.2 and 4.3: when to ask and when to renew, for clients
// that keep a certificate renewed by a clock that is moved.

func scheduleScenarios() []Scenario {
	all := []Scenario{
		{
			ID: "rfc9773/4.2/in-window", Title: "Renews within the window that the CA suggests",
			Requirements: []string{"RFC9773-4.2-08", "RFC9773-4.2-05"},
			Does:         "Suggests half a day, five days after the issuance of a certificate of 90 days.", Expects: "an order within the window",
			Stage: func(s *Stage) { standing(s); suggest(s, 5*day, 12*time.Hour, 12*time.Hour) },
			Play: func(t *Trial) {
				t.renewal(t.keep(6*day), 5*day, 12*time.Hour)
			},
		},
		{
			ID: "rfc9773/4.2/random", Title: "Chooses its time in the window at random",
			Requirements: []string{"RFC9773-4.2-06"},
			Does:         "Suggests the same window of a day for each of five certificates.", Expects: "orders that lie apart, and not all in the first tenth",
			Stage: func(s *Stage) { standing(s); suggest(s, 2*day, day, 20*time.Hour) },
			Play: func(t *Trial) {
				var offsets []time.Duration
				for i := range 5 {
					begin := t.CA.Clock().Now()
					k := t.keep(3*day+time.Hour, func(e *Env) {
						e.AccountDir, e.Domains = filepath.Join(e.Dir, fmt.Sprintf("account%d", i)), []string{fmt.Sprintf("n%d.conformance.test", i)}
						e.CertFile, e.KeyFile = filepath.Join(e.Dir, fmt.Sprintf("out%d", i), "cert.pem"), filepath.Join(e.Dir, fmt.Sprintf("out%d", i), "key.pem")
					})
					if at := t.renewal(k, 2*day, day); !at.IsZero() {
						offsets = append(offsets, at.Sub(begin)-2*day)
					}
				}
				same, early := 0, 0
				for i, o := range offsets {
					if i > 0 && (o-offsets[0]).Abs() < time.Minute {
						same++
					}
					if o < day/10 {
						early++
					}
				}
				t.Should(len(offsets) == 5 && same < 3 && early < 5, t.main(), "five times spread over the window", "%v after its start", offsets)
			},
		},
		{
			ID: "rfc9773/4.2/backoff", Title: "Backs off while renewals fail",
			Requirements: []string{"RFC9773-4.2-11"},
			Does:         "Suggests a window two days away, from when on orders fail with 500; after two more days they succeed.", Expects: "at most 20 orders an hour in that time, and a renewal soon after",
			Faults: []string{"ca-down-for-days"},
			Stage: func(s *Stage) {
				standing(s)
				suggest(s, 2*day, time.Hour, 6*time.Hour)
				begin := s.CA.Clock.Now()
				s.inject(0, refuse("status-500", mockca.Problem{Type: mockca.TypeServerInternal, Status: 500, Detail: "not now"}),
					mockca.When{Endpoint: mockca.NewOrder, Match: func(x *mockca.Exchange) bool {
						passed := x.Time().Sub(begin)
						return passed > day && passed < 4*day
					}})
			},
			Play: func(t *Trial) {
				k := t.keep(5*day + 2*time.Hour)
				failed := 0
				for _, x := range k.to(mockca.NewOrder) {
					if x.Status >= 400 {
						failed++
					}
				}
				t.Must(failed > 0 && failed <= 960, t.main(), "1 to 960 orders in two days of failure", "%d", failed)
				t.Should(len(t.CA.Certificates()) == 2, t.main(), "a renewal within a day after the CA is well again", "%d certificates in all", len(t.CA.Certificates()))
			},
		},
		{
			ID: "rfc9773/4.3.2/retry-after", Title: "Asks for renewal information again when Retry-After is over",
			Requirements: []string{"RFC9773-4.3.2-01", "RFC9773-4.2-10"},
			Does:         "Sends renewal information with Retry-After: 3 hours, for a day.", Expects: "requests every three hours",
			Stage: func(s *Stage) { standing(s); suggest(s, 60*day, day, 3*time.Hour) },
			Play: func(t *Trial) {
				t.asksEvery(t.keep(day), 3*time.Hour-time.Minute, 3*time.Hour+30*time.Minute)
			},
		},
		{
			ID: "rfc9773/4.3.2/lower-limit", Title: "Does not hammer when Retry-After is next to nothing",
			Requirements: []string{"RFC9773-4.3.2-02"},
			Does:         "Sends renewal information with Retry-After: 1, for twenty minutes.", Expects: "no more than two requests a minute",
			Faults: []string{"ari-retry-after-0"},
			Stage:  func(s *Stage) { standing(s); suggest(s, 60*day, day, time.Second) },
			Play: func(t *Trial) {
				asked := t.keep(20 * time.Minute).to(mockca.RenewalInfo)
				t.Must(len(asked) <= 42, t.main(), "at most two requests a minute", "%d in twenty minutes", len(asked))
			},
		},
		{
			ID: "rfc9773/4.3.2/upper-limit", Title: "Asks again in time when Retry-After is ten years",
			Requirements: []string{"RFC9773-4.3.2-02"},
			Does:         "Sends renewal information with Retry-After: 10 years, for four days.", Expects: "a request a day at least",
			Faults: []string{"ari-retry-after-huge"},
			Stage:  func(s *Stage) { standing(s); suggest(s, 60*day, day, 3650*day) },
			Play: func(t *Trial) {
				t.asksEvery(t.keep(4*day), time.Minute, 30*time.Hour)
			},
		},
		{
			ID: "rfc9773/4.3.3/temporary", Title: "Tries again a few times, with growing pauses, then waits for hours",
			Requirements: []string{"RFC9773-4.3.3-01", "RFC9773-4.3.3-02", "RFC9773-4.3.3-03"},
			Does:         "Answers 503 to each request for renewal information, for two days.", Expects: "bursts of at most 15 requests, about six hours apart",
			Faults: []string{"ari-500"},
			Stage: func(s *Stage) {
				standing(s)
				s.inject(0, mockca.Status503(0), at(mockca.RenewalInfo))
			},
			Play: func(t *Trial) {
				asked := t.keep(2 * day).to(mockca.RenewalInfo)
				if len(asked) == 0 {
					t.asksARI()
				}
				burst, long := 1, 0
				var pauses []time.Duration
				for i, gap := range gaps(asked) {
					if gap >= 2*time.Hour {
						t.at(asked[i+1]).Must(gap <= 13*time.Hour, "RFC9773-4.3.3-03", "the next request about six hours after the last attempt", "%s later", gap)
						long++
						growing(t, pauses)
						burst, pauses = 1, nil
						continue
					}
					burst++
					pauses = append(pauses, gap)
					if burst > 15 {
						t.at(asked[i+1]).Must(false, "RFC9773-4.3.3-02", "no more than 15 attempts at a time", "more, the last pause was %s", gap)
						return
					}
				}
				t.Must(long >= 2, "RFC9773-4.3.3-03", "a request every six hours or so", "%d requests in two days, with %d long pauses", len(asked), long)
			},
		},
	}
	all = append(all, longTermScenarios()...)
	for i := range all {
		all[i].Needs, all[i].Timeout = []Feature{Daemon}, 4*time.Minute
	}
	return all
}

// growing wants the pauses of a burst to grow on the whole.
func growing(t *Trial, pauses []time.Duration) {
	if len(pauses) >= 3 {
		t.Should(slices.Max(pauses[1:]) > pauses[0]*3/2, "RFC9773-4.3.3-01", "pauses that grow", "%v", pauses)
	}
}

// longTermScenarios: RFC 9773, Section 4.3.3.
func longTermScenarios() (all []Scenario) {
	answer := func(status int, text string, header ...string) mockca.Fault {
		return mockca.Fault{Name: "renewal-info", Doc: "no renewal information", Duty: "ask again in six hours", Request: func(*mockca.Exchange) *mockca.Response {
			r := mockca.NewResponse(status, "application/json", text)
			for i := 0; i+1 < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			return r
		}}
	}
	window := fmt.Sprintf(`{"suggestedWindow":{"start":"%d-01-01T00:00:00Z","end":"%d-01-02T00:00:00Z"}}`, time.Now().Year()+3, time.Now().Year()+3)
	for _, c := range []struct {
		name, requirement, does string
		fault                   mockca.Fault
	}{
		{"no-retry-after", "RFC9773-4.3.3-04", "no Retry-After", answer(200, window)},
		{"retry-after-garbage", "RFC9773-4.3.3-04", "a Retry-After that is no number and no date", answer(200, window, "Retry-After", "soon")},
		{"invalid-object", "RFC9773-4.3.3-05", "times that are none", answer(200, `{"suggestedWindow":{"start":"tomorrow","end":"later"}}`, "Retry-After", "60")},
		{"client-error", "RFC9773-4.3.3-07", "status 404", answer(404, "{}")},
	} {
		all = append(all, Scenario{
			ID: "rfc9773/4.3.3/" + c.name, Title: "Asks again after about six hours when there is " + c.does,
			Requirements: []string{c.requirement, "RFC9773-4.3.3-03"},
			Does:         "Answers renewal information with " + c.does + ", for two days.", Expects: "requests about six hours apart",
			Stage: func(s *Stage) { standing(s); s.inject(0, c.fault, at(mockca.RenewalInfo)) },
			Play: func(t *Trial) {
				t.asksEvery(t.keep(2*day), 5*time.Hour, 13*time.Hour)
			},
		})
	}
	return append(all, Scenario{
		ID: "rfc9773/4.3.3/connection-refused", Title: "Asks again after about six hours when the connection was refused",
		Requirements: []string{"RFC9773-4.3.3-06", "RFC9773-4.3.3-03"},
		Does:         "renewalInfo is at a port that closes every connection, for two days.", Expects: "attempts about six hours apart",
		Stage: standing,
		Play: func(t *Trial) {
			calls := t.calls()
			t.CA.Inject(rewrite("refuse", func(m map[string]any) { m["renewalInfo"] = "https://" + calls.addr + "/renewal-info" }), at(mockca.Directory))
			t.keep(2 * day)
			times := calls.all()
			if len(times) == 0 {
				t.NotApplicable("the client never asks for renewal information")
			}
			long := 0
			for i := 1; i < len(times); i++ {
				if gap := times[i].Sub(times[i-1]); gap > 2*time.Hour {
					t.Must(gap <= 13*time.Hour, "RFC9773-4.3.3-03", "the next attempt after about six hours", "%s later", gap)
					long++
				}
			}
			t.Must(long >= 2 && len(times) <= 12*(long+1), t.main(), "attempts about six hours apart", "%d in two days, with %d long pauses", len(times), long)
		},
	})
}

// suggest answers renewal information with a window that lies some time after
// the certificate was issued.
func suggest(s *Stage, after, width, retryAfter time.Duration) {
	s.inject(0, mockca.Fault{Name: "suggested-window", Doc: "a window of the scenario's", Duty: "renew within it", Response: func(x *mockca.Exchange, r *mockca.Response) {
		c, ok := x.Certificate()
		if !ok || r.Status != 200 {
			return
		}
		start := c.Issued.Add(after).UTC()
		r.SetJSON(map[string]any{"suggestedWindow": map[string]any{"start": start.Format(time.RFC3339), "end": start.Add(width).Format(time.RFC3339)}})
		r.Header.Set("Retry-After", fmt.Sprint(int(retryAfter/time.Second)))
	}}, at(mockca.RenewalInfo))
}

// renewal wants the second order within a window after the first certificate,
// and returns its time.
func (t *Trial) renewal(k *kept, after, width time.Duration) time.Time {
	orders := k.to(mockca.NewOrder)
	if len(k.to(mockca.RenewalInfo)) == 0 {
		t.NotApplicable("the client never asks for renewal information")
	}
	if len(orders) < 2 {
		t.Should(false, t.main(), "a renewal in the window", "%d orders; %s", len(orders), k.story())
		return time.Time{}
	}
	at, begin := orders[1].Start, orders[0].Start
	passed := at.Sub(begin)
	t.at(orders[1]).Should(passed >= after-time.Minute && passed <= after+width+time.Hour, t.main(), fmt.Sprintf("the renewal between %s and %s after the issuance", after, after+width), "%s after it", passed.Round(time.Minute))
	return at
}

// asksEvery wants requests for renewal information at such intervals. The first
// few may follow each other at once, as after an issuance.
func (t *Trial) asksEvery(k *kept, least, most time.Duration) {
	asked := k.to(mockca.RenewalInfo)
	if len(asked) == 0 {
		t.NotApplicable("the client never asks for renewal information")
	}
	intervals := 0
	for i, gap := range gaps(asked) {
		if gap < time.Minute && i < 2 {
			continue
		}
		intervals++
		if !t.at(asked[i+1]).Must(gap >= least && gap <= most, t.main(), fmt.Sprintf("the next request %s to %s after the last", least, most), "%s after it", gap.Round(time.Second)) {
			return
		}
	}
	t.at(nil).Must(intervals >= 2, t.main(), "more than one further request", "%d requests in all", len(asked))
}

// caller notes when somebody connects, by the CA's clock, and hangs up.
type caller struct {
	addr  string
	mu    sync.Mutex
	times []time.Time
}

func (t *Trial) calls() *caller {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Inconclusive("no port: %v", err)
	}
	t.closers = append(t.closers, func() { _ = l.Close() })
	c := &caller{addr: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
			c.mu.Lock()
			c.times = append(c.times, t.CA.Clock().Now())
			c.mu.Unlock()
		}
	}()
	return c
}

func (c *caller) all() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Time(nil), c.times...)
}
