package servercases

import (
	"encoding/json"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Section 7.3.4: external account binding.

func bindingCases() []spec {
	cases := []spec{
		{
			id: "rfc8555/7.3.4/required", title: "A binding that is required is asked for",
			requirements: []string{"RFC8555-7.3.4-01", "RFC8555-7.3.4-10", "RFC8555-7.3.4-11"},
			does:         "Sends newAccount without a binding.",
			expects:      "externalAccountRequired just when the directory says so.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				required := s.directory().Meta("externalAccountRequired") == true
				s.may("RFC8555-7.3.4-01", "externalAccountRequired: %v", required)
				r := s.post(&account{key: s.newKey()}, s.url("newAccount"), map[string]any{"termsOfServiceAgreed": true, "contact": s.env.Contact})
				asked := shortType(r) == "externalAccountRequired"
				s.must("RFC8555-7.3.4-10", required || !asked, "a server that requires a binding says so in its directory", "%s", r.Excerpt())
				if required {
					s.should("RFC8555-7.3.4-11", asked, "newAccount without a binding is refused as externalAccountRequired", "%s", r.Excerpt())
				}
			},
		},
		{
			id: "rfc8555/7.3.4/not-echoed", title: "A binding that was not verified is not shown",
			requirements: []string{"RFC8555-7.3.4-12"},
			does:         "Sends newAccount with a binding of a key that the server can't know.",
			expects:      "It is refused, or the account lacks the binding.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				a := &account{key: s.newKey()}
				body, err := wire.Message{Payload: a.key.JWK(), URL: s.url("newAccount"), NoNonce: true, Sign: wire.MAC([]byte("nobody knows this secret")),
					Edit: func(h *wire.Header) { h.Set("alg", "HS256"); h.Set("kid", "nobody") }}.Body()
				if err != nil {
					s.inconclusive("%v", err)
				}
				payload := map[string]any{"termsOfServiceAgreed": true, "externalAccountBinding": json.RawMessage(body)}
				r := s.post(&account{key: a.key}, s.url("newAccount"), payload)
				s.must("RFC8555-7.3.4-12", r.Status >= 400 || !objectOf(r).has("externalAccountBinding"), "no binding in the account", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.3.4/echoed", title: "A verified binding is shown",
			requirements: []string{"RFC8555-7.3.4-18"},
			does:         "Creates an account with the external account that was given.",
			expects:      "201 with the same externalAccountBinding.",
			needs:        []need{needsBinding}, cost: cost{own: 1},
			run: func(s *scene) {
				key := s.newKey()
				payload := s.accountPayload(key)
				r := s.post(&account{key: key}, s.url("newAccount"), payload)
				if r.Status != 201 {
					s.inconclusive("no account could be had: %s", r.Excerpt())
				}
				var sent map[string]any
				_ = json.Unmarshal(payload["externalAccountBinding"].(json.RawMessage), &sent) // it was encoded a moment ago
				shown := objectOf(r).member("externalAccountBinding")
				same := shown != nil && shown["protected"] == sent["protected"] && shown["payload"] == sent["payload"] && shown["signature"] == sent["signature"]
				s.must("RFC8555-7.3.4-18", same, "the binding as it was sent", "%s", r.Excerpt())
			},
		},
	}
	header := func(edit func(*wire.Header)) func(*scene, *wire.Key) any {
		return func(s *scene, key *wire.Key) any { return s.binding(key, bindingEdit{edit: edit}) }
	}
	for _, bad := range []struct {
		name, requirement, what string
		make                    func(*scene, *wire.Key) any
	}{
		{"no-jws", "RFC8555-7.3.4-13", "a binding that is a string", func(*scene, *wire.Key) any { return "binding" }},
		{"no-signature", "RFC8555-7.3.4-13", "a binding without signature", func(s *scene, key *wire.Key) any {
			var members map[string]any
			_ = json.Unmarshal(s.binding(key, bindingEdit{}), &members) // it was encoded a moment ago
			delete(members, "signature")
			return members
		}},
		{"other-url", "RFC8555-7.3.4-14", "a binding for another url", header(func(h *wire.Header) { h.Set("url", "https://other.example/new-account") })},
		{"nonce", "RFC8555-7.3.4-14", "a binding with a nonce", header(func(h *wire.Header) { h.Set("nonce", "AAAAAAAAAAAAAAAAAAAAAA") })},
		{"signature-alg", "RFC8555-7.3.4-14", "a binding with alg ES256", header(func(h *wire.Header) { h.Set("alg", "ES256") })},
		{"unknown-kid", "RFC8555-7.3.4-15", "a binding of an unknown kid", header(func(h *wire.Header) { h.Set("kid", "nobody-has-this-kid") })},
		{"other-secret", "RFC8555-7.3.4-16", "a binding with another MAC key", func(s *scene, key *wire.Key) any {
			return s.binding(key, bindingEdit{secret: []byte("another secret than that of the kid")})
		}},
		{"other-key", "RFC8555-7.3.4-17", "a binding of another account key", func(s *scene, key *wire.Key) any { return s.binding(key, bindingEdit{payload: s.newKey()}) }},
	} {
		cases = append(cases, spec{
			id: "rfc8555/7.3.4/" + bad.name, title: "No account with " + bad.what,
			requirements: []string{bad.requirement, "RFC8555-7.3.4-19"},
			does:         "Sends newAccount with " + bad.what + ", then looks the key up.",
			expects:      "It is refused, and no account was made.",
			needs:        []need{needsBinding}, cost: cost{own: 1},
			run: func(s *scene) {
				key := s.newKey()
				payload := s.accountPayload(key)
				payload["externalAccountBinding"] = bad.make(s, key)
				s.refuses(bad.requirement, s.post(&account{key: key}, s.url("newAccount"), payload), bad.what)
				r := s.post(&account{key: key}, s.url("newAccount"), map[string]any{"onlyReturnExisting": true})
				s.refuses("RFC8555-7.3.4-19", r, "a lookup of the key afterwards", "accountDoesNotExist")
			},
		})
	}
	return cases
}
