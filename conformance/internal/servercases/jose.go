package servercases

import (
	"encoding/json"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 7515, RFC 7518 and RFC 7638, as far as a server shows.

func joseCases() []spec {
	cases := []spec{
		{
			id: "rfc7638/3/extra-members", title: "Further members of a jwk are not in its thumbprint",
			requirements: []string{"RFC7638-3-01"},
			does:         "Sends newAccount with a jwk that has use and alg, and again without.",
			expects:      "The same account.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				key := s.newKey()
				jwk := editJWK(key, func(members map[string]any) { members["use"], members["alg"] = "sig", "ES256" })
				r := s.send(s.url("newAccount"), wire.Message{Key: key, Payload: encodePayload(s.accountPayload(key)), Edit: func(h *wire.Header) { h.Set("jwk", jwk) }})
				if r.Status != 201 {
					s.inconclusive("no account could be had: %s", r.Excerpt())
				}
				again := s.post(&account{key: key}, s.url("newAccount"), s.accountPayload(key))
				s.must("RFC7638-3-01", again.Location() == r.Location(), "the same account", "%q and %q", r.Location(), again.Location())
			},
		},
	}
	for _, each := range []badJWS{
		{id: "rfc7515/4/duplicate-url", title: "Duplicate header parameters are refused, or the last one counts", requirements: []string{"RFC7515-4-01"},
			does: "newOrder with two members url, of which the last is wrong", message: func(_ *scene, _ *account, m *wire.Message) {
				m.Edit = func(h *wire.Header) { h.Add("url", "https://other.example/new-order") }
			}},
		{id: "rfc7515/4.1.11/crit", title: "Critical parameters that are not understood are refused", requirements: []string{"RFC7515-4.1.11-01"},
			does: "newOrder with a critical header parameter that nobody knows", message: func(_ *scene, _ *account, m *wire.Message) {
				m.Edit = func(h *wire.Header) { h.Set("crit", []string{"x-unknown"}); h.Set("x-unknown", 1) }
			}},
		{id: "rfc7515/5.2/reserialized", title: "The signature is over the bytes that were sent", requirements: []string{"RFC7515-5.2-01"},
			does: "newOrder whose payload was written anew with other white space after it was signed", message: func(_ *scene, _ *account, m *wire.Message) {
				payload := append(json.RawMessage(" "), m.Payload...)
				m.Envelope = func(p wire.Parts) any { p.Payload = wire.Encode(payload); return p.Flattened() }
			}},
		{id: "rfc7518/3.4/der", title: "ECDSA signatures in DER are refused", requirements: []string{"RFC7518-3.4-02"},
			does: "newOrder with its signature in DER", message: func(s *scene, a *account, m *wire.Message) {
				m.Sign = func(input []byte) []byte {
					signature, err := a.key.SignDER(input)
					s.noted(err)
					return signature
				}
			}},
	} {
		cases = append(cases, each.spec(""))
	}
	return cases
}
