package clientcases

import (
	"fmt"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 6.5 and 7.2: nonces.

func nonceScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/6.5/bad-nonce", Title: "A request whose nonce was refused is sent again, newly signed",
			Requirements: []string{"RFC8555-6.5-12", "RFC8555-6.5-13", "RFC8555-6.5-14"},
			Does:         "Refuses the nonce of newOrder once.", Expects: "the same request, signed anew with the nonce of the refusal",
			Faults: []string{"bad-nonce"},
			Stage:  func(s *Stage) { s.inject(1, mockca.BadNonce(), at(mockca.NewOrder)) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				orders := r.to(mockca.NewOrder)
				if len(orders) < 2 {
					t.Should(len(orders) == 0, "RFC8555-6.5-12", "newOrder again after badNonce", "the client gave up; %s", r.story())
					return
				}
				first, again := parse(orders[0]), parse(orders[1])
				fresh := first.ResponseHeader.Get("Replay-Nonce")
				t.at(again.Exchange).Must(again.header("nonce") == fresh, "RFC8555-6.5-13", fmt.Sprintf("the nonce %s of the refusal", fresh), "nonce is %s", again.header("nonce"))
				t.Must(again.member("signature") != first.member("signature"), "RFC8555-6.5-14", "a new signature", "the same one")
				t.has(r)
			},
		},
		{
			ID: "rfc8555/6.5/bad-nonce-forever", Title: "Tries badNonce again a bounded number of times",
			Requirements: []string{"RFC8555-6.5-12"},
			Does:         "Refuses every nonce of newOrder.", Expects: "an end, after 50 requests at most",
			Faults: []string{"bad-nonce-forever"},
			Stage:  func(s *Stage) { s.inject(0, mockca.BadNonce(), at(mockca.NewOrder)) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.bounded(r.to(mockca.NewOrder), 50, t.main(), "attempts at newOrder")
				t.lacks(r, t.main(), "no order can be made")
			},
		},
		{
			ID: "rfc8555/6.5/used-once", Title: "No nonce is used twice, and none that did not come from the server",
			Requirements: []string{"RFC8555-6.5-15"},
			Does:         "Issues for two names.", Expects: "for each request a nonce of its own out of earlier answers",
			Stage: func(s *Stage) { s.Env.Domains = []string{"a.conformance.test", "b.conformance.test"} },
			Play: func(t *Trial) {
				r := t.run(Issue)
				given, used := map[string]bool{}, map[string]bool{}
				for _, x := range r.Exchanges {
					given[x.ResponseHeader.Get("Replay-Nonce")] = true
				}
				t.each(signed(r.Exchanges), t.main(), "a fresh nonce", func(r *request) string {
					nonce := r.header("nonce")
					twice := used[nonce]
					used[nonce] = true
					return unless(given[nonce] && !twice, "%s, from the server: %t, used before: %t", nonce, given[nonce], twice)
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/6.5.1/invalid-replay-nonce", Title: "A nonce that is not base64url is ignored",
			Requirements: []string{"RFC8555-6.5.1-04"},
			Does:         "newAccount answers with a Replay-Nonce that has characters it must not have.", Expects: "another nonce in the next request",
			Faults: []string{"nonce-invalid-chars"},
			Stage: func(s *Stage) {
				s.inject(1, knobs("nonce-invalid-chars", func(k *mockca.Knobs) { k.Nonce = func(string) string { return invalidNonce } }), at(mockca.NewAccount))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				if !t.each(signed(r.Exchanges), t.main(), "a nonce in base64url", func(r *request) string {
					return unless(r.header("nonce") != invalidNonce, "nonce is %q", invalidNonce)
				}) {
					return
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.2/fetch", Title: "Without a nonce at hand the client asks newNonce",
			Requirements: []string{"RFC8555-7.2-01"},
			Does:         "No answer to a POST has a Replay-Nonce.", Expects: "newNonce before each POST",
			Faults: []string{"no-nonce"},
			Stage:  func(s *Stage) { s.inject(0, withoutNonce(), mockca.When{Method: "POST"}) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				if len(r.to(mockca.NewOrder)) == 0 { // the CA is wrong, too: RFC 8555, Section 6.5
					t.Should(false, t.main(), "a nonce from newNonce", "the client gave up; %s", r.story())
					return
				}
				t.Must(len(r.to(mockca.NewNonce)) > 0, t.main(), "requests to newNonce", "none")
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.2/no-content", Title: "newNonce may answer 204 to HEAD",
			Requirements: []string{"RFC8555-7.2-07"},
			Does:         "newNonce answers 204.", Expects: "a certificate",
			Stage: func(s *Stage) {
				s.inject(0, alter("new-nonce-204", func(_ *mockca.Exchange, r *mockca.Response) { r.Status, r.Body = 204, nil }), at(mockca.NewNonce))
			},
			Play: func(t *Trial) { t.obtains() },
		},
	}
}

const invalidNonce = "not!a*nonce+/="

func withoutNonce() mockca.Fault {
	return knobs("no-nonce", func(k *mockca.Knobs) { k.NoNonce = true })
}
