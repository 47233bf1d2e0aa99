package clientcases

import (
	"net/http"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 6.6 and 6.7; RFC 9457: errors.

const halfASecond = 500 * time.Millisecond

func errorScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/6.6/rate-limited", Title: "A rate-limited request is not repeated before Retry-After",
			Requirements: []string{"RFC8555-6.6-05", "RFC9110-10.2.3-01"},
			Does:         "newOrder answers 429 rateLimited, with Retry-After: 2.", Expects: "nothing before that; giving up is fine",
			Faults: []string{"rate-limited"},
			Stage: func(s *Stage) {
				s.inject(1, refuse("rate-limited", mockca.Problem{Type: mockca.TypeRateLimited, Detail: "too many orders", RetryAfter: 2 * time.Second}), at(mockca.NewOrder))
			},
			Play: rateLimited,
		},
		{
			ID: "rfc8555/6.6/rate-limited-date", Title: "Retry-After may be a date",
			Requirements: []string{"RFC8555-6.6-05", "RFC9110-10.2.3-01"},
			Does:         "newOrder answers 429 rateLimited, with Retry-After as a date 3 seconds from now.", Expects: "nothing before that; giving up is fine",
			Faults: []string{"retry-after-date"},
			Stage: func(s *Stage) {
				s.inject(1, mockca.Fault{Name: "retry-after-date", Doc: "429 with a date", Duty: "wait", Request: func(x *mockca.Exchange) *mockca.Response {
					r := mockca.ProblemResponse(&mockca.Problem{Type: mockca.TypeRateLimited, Detail: "too many orders"})
					r.Header.Set("Retry-After", x.Time().Add(3*time.Second).UTC().Format(http.TimeFormat))
					return r
				}}, at(mockca.NewOrder))
			},
			Play: rateLimited,
		},
		{
			ID: "rfc8555/6.7/detail", Title: "Users see what the CA says",
			Requirements: []string{"RFC8555-6.7-05"},
			Does:         "Refuses the order with an explanation.", Expects: "a failure that shows it, without trying over and over",
			Faults: []string{"rejected-identifier"},
			Stage: func(s *Stage) {
				s.inject(0, refuse("rejected-identifier", mockca.Problem{Type: mockca.TypeRejectedIdentifier, Detail: "policy 4711 forbids this name"}), at(mockca.NewOrder))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "the order was refused")
				t.Should(r.says("policy 4711 forbids this name"), t.main(), "the CA's explanation in what the client says", "it said: %s", excerpt(r.Output))
				t.bounded(r.to(mockca.NewOrder), 5, t.main(), "orders")
			},
		},
		{
			ID: "rfc8555/6.7/unknown-type", Title: "Fails well on an error of a type that it does not know",
			Requirements: []string{"RFC8555-6.7-06"},
			Does:         "Refuses the order with an error type from the future.", Expects: "a failure that shows type or detail",
			Faults: []string{"unknown-problem"},
			Stage: func(s *Stage) {
				s.inject(0, refuse("unknown-problem", mockca.Problem{Type: "urn:ietf:params:acme:error:fromTheFuture", Status: 400, Detail: "nobody knows this yet"}), at(mockca.NewOrder))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "the order was refused")
				t.Must(r.says("fromTheFuture") || r.says("nobody knows this yet"), t.main(), "the error's type or detail", "it said: %s", excerpt(r.Output))
				t.bounded(r.to(mockca.NewOrder), 10, t.main(), "orders")
			},
		},
		{
			ID: "rfc8555/6.7/not-a-problem", Title: "Copes with errors that are no problem documents",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "newOrder answers once 502 with a proxy's page.", Expects: "another attempt, or a failure after which the next run succeeds",
			Faults: []string{"status-502"},
			Stage: func(s *Stage) {
				s.inject(1, mockca.Fault{Name: "status-502", Doc: "a proxy's page", Duty: "try again", Request: func(*mockca.Exchange) *mockca.Response {
					return mockca.NewResponse(http.StatusBadGateway, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>\n")
				}}, at(mockca.NewOrder))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				if r.Err != nil {
					t.lacks(r, t.main(), "it said so")
					r = t.run(Issue)
				}
				t.has(r)
			},
		},
		{
			ID: "rfc9457/3.1/odd-members", Title: "Members of problems that are unknown, or of the wrong type, do no harm",
			Requirements: []string{"RFC9457-3.1-01", "RFC9457-3.2-01", "RFC9457-3.1.1-01", "RFC9457-3.1.4-01", "RFC9110-8.3-01"},
			Does:         "Refuses the nonce of newOrder once, in a problem document with such members and an upper-case media type.", Expects: "the request again, as for every badNonce",
			Stage: func(s *Stage) {
				s.inject(1, mockca.Fault{Name: "odd-problem", Doc: "badNonce with odd members", Duty: "try again", Request: func(*mockca.Exchange) *mockca.Response {
					r := mockca.ProblemResponse(&mockca.Problem{Type: mockca.TypeBadNonce, Detail: "odd"})
					r.Edit(func(m map[string]any) {
						m["status"], m["detail"], m["title"], m["instance"] = "400", 5, nil, []any{1}
						m["x-list"], m["x-object"] = []any{nil}, map[string]any{"type": 1}
					})
					r.Header.Set("Content-Type", "Application/Problem+JSON; charset=utf-8")
					return r
				}}, at(mockca.NewOrder))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc9457/3.1.1/no-type", Title: "A problem without a type is an error all the same",
			Requirements: []string{"RFC9457-3.1.1-02", "RFC9457-3.1.2-02"},
			Does:         "Refuses the order with 403 and a problem document without type, whose status says 503.", Expects: "a failure, as for any 403",
			Faults: []string{"status-mismatch"},
			Stage: func(s *Stage) {
				s.inject(0, mockca.Fault{Name: "status-mismatch", Doc: "no type, and another status inside", Duty: "fail", Request: func(*mockca.Exchange) *mockca.Response {
					r := mockca.ProblemResponse(&mockca.Problem{Type: mockca.TypeUnauthorized, Detail: "go away"})
					r.Edit(func(m map[string]any) { delete(m, "type"); m["status"] = 503 })
					return r
				}}, at(mockca.NewOrder))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "the order was refused")
				t.bounded(r.to(mockca.NewOrder), 3, "RFC9457-3.1.2-02", "orders, as 403 is final")
			},
		},
		{
			ID: "rfc8555/6.7.1/subproblems", Title: "Takes subproblems of several types, and shows them",
			Requirements: []string{"RFC8555-6.7.1-05", "RFC8555-6.7.1-06"},
			Does:         "Refuses an order for three names with two subproblems of different types.", Expects: "a failure that shows each, or an order for the remaining name",
			Faults: []string{"rejected-identifier"},
			Stage: func(s *Stage) {
				s.Env.Domains = []string{"a.conformance.test", "b.conformance.test", "c.conformance.test"}
				s.inject(0, refuse("compound", mockca.Problem{Type: mockca.TypeMalformed, Detail: "some names can't be", Subproblems: []*mockca.Problem{
					{Type: mockca.TypeRejectedIdentifier, Detail: "reason one of two", Identifier: &mockca.Identifier{Type: "dns", Value: "a.conformance.test"}},
					{Type: mockca.TypeCAA, Detail: "reason two of two", Identifier: &mockca.Identifier{Type: "dns", Value: "b.conformance.test"}},
				}}), mockca.When{Endpoint: mockca.NewOrder, Identifier: "a.conformance.test"})
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				for _, x := range r.to(mockca.NewOrder) {
					if !strings.Contains(string(x.Payload()), "a.conformance.test") {
						t.at(x).Note("RFC8555-6.7.1-06", "the client orders again, without the names that were refused")
						return
					}
				}
				t.lacks(r, t.main(), "the order was refused")
				t.Should(r.says("reason one of two") && r.says("reason two of two"), t.main(), "both subproblems in what the client says", "it said: %s", excerpt(r.Output))
			},
		},
	}
}

func rateLimited(t *Trial) {
	r := t.run(Issue)
	orders := r.to(mockca.NewOrder)
	if len(orders) == 0 {
		t.Must(false, t.main(), "an order", "none; %s", r.story())
		return
	}
	wait := 2 * time.Second // a date has no fraction: up to a second of the three is lost
	if !t.notBefore(orders[0], orders, wait, t.main()) {
		return
	}
	if len(orders) > 1 {
		t.has(r)
		return
	}
	t.lacks(r, t.main(), "the order was refused")
}
