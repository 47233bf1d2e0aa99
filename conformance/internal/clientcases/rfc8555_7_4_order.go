package clientcases

import (
	"slices"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 7.1.3, 7.1.6 and 7.4: orders in all their states.

var twoNames = []string{"a.conformance.test", "b.conformance.test"}

func orderScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/7.4/processing", Title: "Polls an order in processing as often as Retry-After says",
			Requirements: []string{"RFC8555-7.4-36", "RFC8555-7.4-35", "RFC8555-7.1.6-20", "RFC9110-10.2.3-01"},
			Does:         "The order stays in processing for 3 seconds, with Retry-After: 2.", Expects: "a poll every two seconds, and one finalization",
			Faults: []string{"order-processing"},
			Stage: func(s *Stage) {
				s.Policy.AsyncFinalize, s.Policy.FinalizeDelay, s.Policy.PollRetryAfter = true, 3*time.Second, 2*time.Second
			},
			Play: processing,
		},
		{
			ID: "rfc8555/7.4/processing-date", Title: "Polls an order by a Retry-After that is a date",
			Requirements: []string{"RFC8555-7.4-36", "RFC9110-10.2.3-01"},
			Does:         "The order stays in processing for a second, with Retry-After as a date 3 seconds away.", Expects: "no poll before that",
			Faults: []string{"retry-after-date"},
			Stage: func(s *Stage) {
				s.Policy.AsyncFinalize, s.Policy.FinalizeDelay = true, time.Second
				s.inject(0, retryDate(3*time.Second, "processing"), at(mockca.Finalize, mockca.OrderURL))
			},
			Play: processing,
		},
		{
			ID: "rfc8555/7.4/order-not-ready", Title: "On orderNotReady the client looks at the order",
			Requirements: []string{"RFC8555-7.4-29"},
			Does:         "Refuses the first finalization with orderNotReady, though the order is ready.", Expects: "the order read, and finalized again",
			Faults: []string{"order-not-ready"},
			Stage: func(s *Stage) {
				s.inject(1, refuse("order-not-ready", mockca.Problem{Type: mockca.TypeOrderNotReady, Status: 403, Detail: "not yet"}), at(mockca.Finalize))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				tries := r.to(mockca.Finalize)
				if len(tries) == 0 {
					t.has(r)
				}
				after := slices.DeleteFunc(r.to(mockca.OrderURL), func(x *mockca.Exchange) bool { return len(tries) > 0 && x.ID < tries[0].ID })
				t.at(tries[0]).Should(len(after) > 0, t.main(), "the order read after the refusal", "it was not; %s", r.story())
				t.Should(r.Err == nil && len(tries) == 2, t.main(), "one more finalization", "%d in all; %s", len(tries), r.story())
			},
		},
		{
			ID: "rfc8555/7.4/finalize-without-location", Title: "Polls the order at its own URL, whatever finalize answers",
			Requirements: []string{"RFC8555-7.4-31"},
			Does:         "finalize answers without Location, and the order stays in processing for half a second.", Expects: "polls of the order, and a certificate",
			Faults: []string{"order-url-changed"},
			Stage: func(s *Stage) {
				s.Policy.AsyncFinalize, s.Policy.FinalizeDelay = true, halfASecond
				s.inject(0, alter("order-url-changed", func(_ *mockca.Exchange, r *mockca.Response) { r.Header.Del("Location") }), at(mockca.Finalize, mockca.OrderURL))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/7.4/order-invalid", Title: "Gives up an order that became invalid, and says why",
			Requirements: []string{"RFC8555-7.4-32", "RFC8555-6.7-05"},
			Does:         "The order becomes invalid after finalize, with an explanation.", Expects: "a failure; no finalization and no download after that",
			Faults: []string{"order-invalid"},
			Stage: func(s *Stage) {
				s.inject(0, knobs("order-invalid", func(k *mockca.Knobs) {
					k.FinalizeProblem = &mockca.Problem{Type: mockca.TypeCAA, Detail: "the CAA record 4711 forbids it"}
				}), at(mockca.Finalize))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "the order is invalid")
				t.bounded(r.to(mockca.Finalize), len(t.CA.Orders()), t.main(), "finalizations of the orders made")
				t.bounded(r.to(mockca.NewOrder), 3, t.main(), "orders")
				t.Should(r.says("4711"), "RFC8555-6.7-05", "the order's error in what the client says", "it said: %s", excerpt(r.Output))
			},
		},
		{
			ID: "rfc8555/7.4/order-vanishes", Title: "An order that is gone does not stand in the way",
			Requirements: []string{"RFC8555-7.4-32"},
			Does:         "After finalize the order is unknown; in the next run all is well.", Expects: "a failure, then a certificate by a new order",
			Faults: []string{"order-expired"},
			Stage: func(s *Stage) {
				s.Policy.AsyncFinalize, s.Policy.FinalizeDelay = true, time.Hour
				s.inject(0, refuse("order-expired", mockca.Problem{Type: mockca.TypeMalformed, Status: 404, Detail: "no such order"}), mockca.When{Endpoint: mockca.OrderURL, Skip: 0, Match: finalized})
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "the order is gone")
				t.CA.ClearRules()
				t.CA.ChangePolicy(func(p *mockca.Policy) { p.AsyncFinalize, p.FinalizeDelay = false, 0 })
				for _, o := range t.CA.Orders() {
					_ = t.CA.ForgetOrder(o.URL)
				}
				t.obtains()
			},
		},
		{
			ID: "rfc8555/7.4/ready-late", Title: "Finalizes when the order is ready, not before",
			Requirements: []string{"RFC8555-7.4-34", "RFC8555-7.1.6-20"},
			Does:         "The order stays pending for a second and a half after its authorizations are valid.", Expects: "no finalization before it is ready",
			Faults: []string{"order-ready-late"},
			Stage: func(s *Stage) {
				s.inject(0, knobs("order-ready-late", func(k *mockca.Knobs) { k.ReadyDelay = 1500 * time.Millisecond }), at(mockca.NewOrder))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.Finalize), t.main(), "finalize once the order is ready", func(r *request) string {
					return unless(r.Problem != mockca.TypeOrderNotReady, "the order was pending")
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.4/all-authorizations", Title: "Completes every pending authorization before it finalizes",
			Requirements: []string{"RFC8555-7.4-33"},
			Does:         "Issues for two names.", Expects: "both challenges answered, then finalize",
			Stage: func(s *Stage) { s.Env.Domains = twoNames },
			Play: func(t *Trial) {
				r := t.run(Issue)
				answered := 0
				for _, x := range r.to(mockca.ChallengeURL, mockca.Finalize) {
					if x.Endpoint == mockca.ChallengeURL {
						answered++
						continue
					}
					t.at(x).Must(answered >= 2, t.main(), "two challenges answered before finalize", "%d", answered)
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.4/shuffled", Title: "Expects identifiers and authorizations in no order",
			Requirements: []string{"RFC8555-7.4-12", "RFC8555-7.1.3-20"},
			Does:         "Lists both backwards, in every answer.", Expects: "a certificate for both names",
			Faults: []string{"order-identifiers-reordered"},
			Stage: func(s *Stage) {
				s.Env.Domains = twoNames
				s.inject(0, rewrite("order-identifiers-reordered", func(m map[string]any) {
					ids, _ := m["identifiers"].([]any)
					slices.Reverse(ids)
				}), at(mockca.NewOrder, mockca.OrderURL, mockca.Finalize))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/7.1.3/authorization-twice", Title: "Expects no authorization for each name",
			Requirements: []string{"RFC8555-7.1.3-20"},
			Does:         "Lists the order's authorization twice.", Expects: "a certificate",
			Faults: []string{"order-authz-duplicate"},
			Stage: func(s *Stage) {
				s.inject(0, rewrite("order-authz-duplicate", func(m map[string]any) {
					if list, ok := m["authorizations"].([]any); ok && len(list) == 1 {
						m["authorizations"] = append(list, list[0])
					}
				}), at(mockca.NewOrder, mockca.OrderURL, mockca.Finalize))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/7.1.3/ready-at-once", Title: "Goes by the order's status: what is ready is finalized",
			Requirements: []string{"RFC8555-7.1.3-18", "RFC8555-7.1.3-19", "RFC8555-7.4-34"},
			Does:         "Issues twice for one name; the second order is ready at once, as the authorization is still valid.", Expects: "no challenge answered for the second",
			Faults: []string{"authz-valid"},
			Play: func(t *Trial) {
				t.obtains()
				r := t.obtains()
				t.Should(len(r.to(mockca.NewOrder)) > 0, t.main(), "a second order", "none: %s", r.story())
				t.Must(len(r.to(mockca.ChallengeURL)) == 0, "RFC8555-7.1.3-19", "no challenge answered", "%d", len(r.to(mockca.ChallengeURL)))
			},
		},
		{
			ID: "rfc8555/7.1.3/partly-valid", Title: "Answers challenges of pending authorizations only",
			Requirements: []string{"RFC8555-7.1.3-19"},
			Does:         "Issues for one name, then for it and another.", Expects: "one challenge answered for the second certificate",
			Faults: []string{"authz-valid"},
			Stage:  func(s *Stage) { s.Env.Domains = twoNames },
			Play: func(t *Trial) {
				t.obtains(func(e *Env) { e.Domains = twoNames[:1] })
				r := t.obtains()
				answered := r.to(mockca.ChallengeURL)
				t.Must(len(answered) == 1, t.main(), "one challenge answered", "%d", len(answered))
			},
		},
		{
			ID: "rfc8555/7.1.3/changed", Title: "Does not trust an order that changed",
			Requirements: []string{"RFC8555-7.1.3-15"},
			Does:         "From finalize on the order is for another name.", Expects: "a failure",
			Faults: []string{"order-identifiers-changed"},
			Stage: func(s *Stage) {
				s.Policy.AsyncFinalize, s.Policy.FinalizeDelay = true, halfASecond
				s.inject(0, rewrite("order-identifiers-changed", func(m map[string]any) {
					m["identifiers"] = []any{map[string]any{"type": "dns", "value": "evil.conformance.test"}}
				}), at(mockca.Finalize))
				s.inject(0, rewrite("order-identifiers-changed", func(m map[string]any) {
					if m["status"] == "valid" || m["status"] == "processing" {
						m["identifiers"] = []any{map[string]any{"type": "dns", "value": "evil.conformance.test"}}
					}
				}), at(mockca.OrderURL))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.Should(r.Err != nil, t.main(), "a failure, as the order is for other names now", "the client said that it succeeded")
			},
		},
		{
			ID: "rfc8555/7.4/new-order-lost", Title: "An order whose creation was not answered is no reason to fail",
			Requirements: []string{"RFC8555-7.4-01"},
			Does:         "Makes the order and resets the connection in place of an answer.", Expects: "a certificate, by this order or one more",
			Faults: []string{"new-order-lost", "reset-after"},
			Stage:  func(s *Stage) { s.inject(1, mockca.ResetAfter(), at(mockca.NewOrder)) },
			Play: func(t *Trial) {
				r := t.recovers()
				t.bounded(r.to(mockca.NewOrder), 3, t.main(), "orders")
			},
		},
		{
			ID: "rfc8555/7.4/finalize-lost", Title: "A finalization that was not answered is asked about",
			Requirements: []string{"RFC8555-7.4-35"},
			Does:         "Issues, and resets the connection in place of finalize's answer.", Expects: "the order polled, and its certificate fetched: no second order",
			Faults: []string{"finalize-lost", "reset-after"},
			Stage:  func(s *Stage) { s.inject(1, mockca.ResetAfter(), at(mockca.Finalize)) },
			Play: func(t *Trial) {
				t.recovers()
				t.Should(len(t.CA.Orders()) == 1, t.main(), "one order", "%d: the first one's certificate is lost", len(t.CA.Orders()))
			},
		},
	}
}

// finalized picks what comes after the first finalization.
func finalized(x *mockca.Exchange) bool { return x.CA().Transcript().Count(mockca.Finalize) > 0 }

// processing judges the polls of an order that stays in processing.
func processing(t *Trial) {
	r := t.run(Issue)
	finalizations := r.to(mockca.Finalize)
	if len(finalizations) > 1 {
		t.at(finalizations[1]).Must(false, "RFC8555-7.4-36", "one finalization", "%d", len(finalizations))
		return
	}
	wait := 2 * time.Second
	polls := slices.DeleteFunc(r.to(mockca.Finalize, mockca.OrderURL), func(x *mockca.Exchange) bool {
		return len(finalizations) > 0 && x.ID < finalizations[0].ID
	})
	for i, x := range polls[:max(0, len(polls)-1)] {
		if x.ResponseHeader.Get("Retry-After") != "" && !t.notBefore(x, polls[i+1:i+2], wait, "RFC8555-7.4-36") {
			return
		}
	}
	t.has(r)
}

// recovers has the client issue in spite of one mishap: best in one run, else in
// the next.
func (t *Trial) recovers() *Run {
	r := t.run(Issue)
	if r.Err != nil {
		t.Should(false, t.main(), "the client recovers by itself", "it gave up; %s", r.story())
		r = t.run(Issue)
	}
	t.has(r)
	return r
}
