package servercases

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Section 6.2: request authentication.

// badJWS is a newOrder, or newAccount, with something wrong in its JWS.
type badJWS struct {
	id, title    string
	requirements []string
	does         string
	types        []string // the problem types that are right; any when empty
	newAccount   bool     // sent to newAccount, by a fresh key
	message      func(s *scene, a *account, m *wire.Message)
}

func (b badJWS) spec(section string) spec {
	return spec{
		id: section + b.id, title: b.title, requirements: b.requirements, does: b.does,
		expects: "The request is refused.", cost: cost{accounts: 1, own: 1, orders: 1},
		run: func(s *scene) {
			a, url := s.account(), s.url("newOrder")
			m := wire.Message{Key: a.key, KID: a.url, Payload: encodePayload(map[string]any{"identifiers": dnsIDs([]string{s.name()})})}
			if b.newAccount {
				key := s.newKey()
				url = s.url("newAccount")
				m = wire.Message{Key: key, Payload: encodePayload(s.accountPayload(key))}
			}
			b.message(s, a, &m)
			r := s.send(url, m)
			for _, requirement := range b.requirements {
				s.refuses(requirement, r, b.does, b.types...)
			}
		},
	}
}

func jwsCases() []spec {
	malformed := []string{"malformed"}
	bad := []badJWS{
		{id: "bad-signature", title: "The signature is verified", requirements: []string{"RFC8555-6.2-03"}, does: "newOrder with one bit of the signature flipped",
			message: func(_ *scene, _ *account, m *wire.Message) {
				m.Signature = func(signature []byte) []byte { signature[len(signature)-1] ^= 1; return signature }
			}},
		{id: "foreign-signature", title: "The signature is verified with the account's key", requirements: []string{"RFC8555-6.2-04"}, does: "newOrder with the kid of an account, signed by another key",
			message: func(s *scene, _ *account, m *wire.Message) { m.Key = s.newKey() }},
		{id: "altered-payload", title: "The signature covers the payload", requirements: []string{"RFC8555-6.2-03"}, does: "newOrder whose payload was replaced after it was signed",
			message: func(s *scene, _ *account, m *wire.Message) {
				other := encodePayload(map[string]any{"identifiers": dnsIDs([]string{s.name()})})
				m.Envelope = func(p wire.Parts) any { p.Payload = wire.Encode(other); return p.Flattened() }
			}},
		{id: "compact", title: "Compact serialization is refused", requirements: []string{"RFC8555-6.2-06"}, does: "newOrder in JWS compact serialization", types: malformed,
			message: func(_ *scene, _ *account, m *wire.Message) {
				m.Envelope = func(p wire.Parts) any { return p.Protected + "." + p.Payload + "." + p.Signature }
			}},
		{id: "general", title: "General serialization is refused", requirements: []string{"RFC8555-6.2-06"}, does: "newOrder in JWS general JSON serialization", types: malformed,
			message: func(_ *scene, _ *account, m *wire.Message) {
				m.Envelope = func(p wire.Parts) any {
					return map[string]any{"payload": p.Payload, "signatures": []any{map[string]any{"protected": p.Protected, "signature": p.Signature}}}
				}
			}},
		{id: "two-signatures", title: "Several signatures are refused", requirements: []string{"RFC8555-6.2-08"}, does: "newOrder with two signatures", types: malformed,
			message: func(_ *scene, _ *account, m *wire.Message) {
				m.Envelope = func(p wire.Parts) any {
					one := map[string]any{"protected": p.Protected, "signature": p.Signature}
					return map[string]any{"payload": p.Payload, "signatures": []any{one, one}}
				}
			}},
		{id: "unencoded-payload", title: "The unencoded payload option is refused", requirements: []string{"RFC8555-6.2-10"}, does: "newOrder with b64 false",
			message: func(_ *scene, a *account, m *wire.Message) {
				m.Edit = func(h *wire.Header) { h.Set("b64", false); h.Set("crit", []string{"b64"}) }
				payload := string(m.Payload)
				m.Envelope = func(p wire.Parts) any {
					signature, err := a.key.SignJWS([]byte(p.Protected + "." + payload))
					if err != nil {
						return err.Error()
					}
					return map[string]any{"protected": p.Protected, "payload": payload, "signature": wire.Encode(signature)}
				}
			}},
		{id: "unprotected-header", title: "Unprotected headers are refused", requirements: []string{"RFC8555-6.2-12"}, does: "newOrder with a member header", types: malformed,
			message: func(_ *scene, a *account, m *wire.Message) {
				m.Envelope = func(p wire.Parts) any {
					body := p.Flattened()
					body["header"] = map[string]any{"kid": a.url}
					return body
				}
			}},
		{id: "no-payload", title: "A JWS without payload is refused", requirements: []string{"RFC8555-6.2-14"}, does: "a JWS that has no member payload", types: malformed,
			message: func(_ *scene, _ *account, m *wire.Message) {
				m.Envelope = func(p wire.Parts) any {
					return map[string]any{"protected": p.Protected, "signature": p.Signature}
				}
			}},
		{id: "alg-none", title: "alg none is refused", requirements: []string{"RFC8555-6.2-17"}, does: "newOrder with alg none and no signature", types: []string{"badSignatureAlgorithm", "malformed"},
			message: func(_ *scene, _ *account, m *wire.Message) {
				m.Edit = func(h *wire.Header) { h.Set("alg", "none") }
				m.Sign = func([]byte) []byte { return nil }
			}},
		{id: "alg-mac", title: "A MAC is refused", requirements: []string{"RFC8555-6.2-17"}, does: "newOrder with alg HS256, keyed with the account's public key", types: []string{"badSignatureAlgorithm", "malformed"},
			message: func(_ *scene, a *account, m *wire.Message) {
				m.Edit = func(h *wire.Header) { h.Set("alg", "HS256") }
				m.Sign = wire.MAC(a.key.JWK())
			}},
		{id: "no-url", title: "A JWS without url is refused", requirements: []string{"RFC8555-6.2-20"}, does: "newOrder without url in its protected header",
			types: []string{"malformed", "unauthorized"}, message: func(_ *scene, _ *account, m *wire.Message) { m.NoURL = true }},
		{id: "neither-key", title: "A JWS without jwk and kid is refused", requirements: []string{"RFC8555-6.2-22"}, does: "newOrder with neither jwk nor kid", types: malformed,
			message: func(_ *scene, _ *account, m *wire.Message) { m.Edit = func(h *wire.Header) { h.Remove("kid") } }},
		{id: "both-keys", title: "A JWS with jwk and kid is refused", requirements: []string{"RFC8555-6.2-25"}, does: "newOrder with both jwk and kid", types: malformed,
			message: func(_ *scene, a *account, m *wire.Message) {
				m.Edit = func(h *wire.Header) { h.Add("jwk", a.key.JWK()) }
			}},
		{id: "new-account-bad-signature", title: "newAccount's signature is verified with its jwk", requirements: []string{"RFC8555-6.2-29"}, does: "newAccount with the jwk of one key and the signature of another", newAccount: true,
			message: func(s *scene, _ *account, m *wire.Message) {
				other := s.newKey()
				m.Payload = encodePayload(s.accountPayload(other))
				jwk := other.JWK()
				m.Edit = func(h *wire.Header) { h.Set("jwk", jwk) }
			}},
		{id: "new-account-kid", title: "newAccount takes no kid", requirements: []string{"RFC8555-6.2-32"}, does: "newAccount signed by an account's key with its kid", newAccount: true, types: malformed,
			message: func(_ *scene, a *account, m *wire.Message) { m.Key, m.KID = a.key, a.url }},
		{id: "new-order-jwk", title: "newOrder takes no jwk", requirements: []string{"RFC8555-6.2-33"}, does: "newOrder with the jwk of an account instead of its kid", types: malformed,
			message: func(_ *scene, _ *account, m *wire.Message) { m.KID = "" }},
		{id: "off-curve", title: "A point that is not on its curve is refused", requirements: []string{"RFC8555-6.2-39"}, does: "newAccount with a jwk whose point is not on P-256", newAccount: true, types: []string{"badPublicKey"},
			message: func(_ *scene, _ *account, m *wire.Message) {
				jwk := editJWK(m.Key, func(members map[string]any) { members["y"] = members["x"] })
				m.Edit = func(h *wire.Header) { h.Set("jwk", jwk) }
			}},
		{id: "other-curve", title: "ES256 with a key of another curve is refused", requirements: []string{"RFC8555-6.2-39"}, does: "newAccount with alg ES256 and a jwk of P-384", newAccount: true, types: []string{"badPublicKey"},
			message: func(s *scene, _ *account, m *wire.Message) {
				jwk := s.newKey(wire.P384).JWK()
				m.Edit = func(h *wire.Header) { h.Set("jwk", jwk) }
			}},
		{id: "unknown-kid", title: "A kid of no account is refused", requirements: []string{"RFC8555-6.2-44"}, does: "newOrder with a kid that names no account", types: []string{"accountDoesNotExist"},
			message: func(_ *scene, a *account, m *wire.Message) { m.KID = a.url + "0" }},
	}
	cases := []spec{algorithmCase(), weakKeyCase(), contentTypeCase("other", "application/json", "RFC8555-6.2-42"), contentTypeCase("none", "-", "RFC8555-6.2-43"),
		keyTypeCase("es256", wire.P256, "RFC8555-6.2-23", true), keyTypeCase("ed25519", wire.Ed25519, "RFC8555-6.2-24", false)}
	for _, each := range bad {
		cases = append(cases, each.spec("rfc8555/6.2/"))
	}
	return cases
}

func editJWK(key *wire.Key, edit func(map[string]any)) map[string]any {
	var members map[string]any
	if err := json.Unmarshal(key.JWK(), &members); err != nil {
		panic(err) // a JWK is an object
	}
	edit(members)
	return members
}

func algorithmCase() spec {
	return spec{
		id: "rfc8555/6.2/unsupported-alg", title: "An unsupported algorithm is named as the error",
		requirements: []string{"RFC8555-6.2-34", "RFC8555-6.2-35", "RFC8555-6.2-36"},
		does:         "Sends newOrder with an algorithm that nobody has.",
		expects:      "400 badSignatureAlgorithm with the array algorithms, in which ES256 is.",
		cost:         cost{own: 1},
		run: func(s *scene) {
			a := s.account()
			r := s.send(s.url("newOrder"), wire.Message{Key: a.key, KID: a.url, Payload: encodePayload(map[string]any{"identifiers": dnsIDs([]string{s.name()})}),
				Edit: func(h *wire.Header) { h.Set("alg", "XS999") }})
			s.succeeds("RFC8555-6.2-34", r, "an unsupported alg", 400)
			s.must("RFC8555-6.2-35", shortType(r) == "badSignatureAlgorithm", "type badSignatureAlgorithm", "%s", r.Excerpt())
			problem, err := r.Problem()
			s.must("RFC8555-6.2-36", err == nil && slices.Contains(problem.Algorithms, "ES256"), "an array algorithms with ES256 in it", "%s", r.Excerpt())
		},
	}
}

func weakKeyCase() spec {
	return spec{
		id: "rfc8555/6.2/weak-key", title: "A weak key is named as the error",
		requirements: []string{"RFC8555-6.2-37", "RFC8555-6.2-38", "RFC8555-6.2-40"},
		does:         "Sends newAccount with a key of RSA with 1024 bits.",
		expects:      "400 badPublicKey with a detail that says why; to take the key is unwise.",
		cost:         cost{own: 1},
		run: func(s *scene) {
			key := s.newKey(wire.RSA1024)
			r := s.send(s.url("newAccount"), wire.Message{Key: key, Payload: encodePayload(s.accountPayload(key))})
			if r.Status == 201 { // which keys it rejects is the server's choice
				s.should("RFC8555-6.2-37", false, "a key of less than 2048 bits (RFC 7518, Section 3.3) is rejected", "%s", r.Excerpt())
				return
			}
			s.succeeds("RFC8555-6.2-37", r, "newAccount with a key of RSA with 1024 bits", 400)
			s.must("RFC8555-6.2-38", shortType(r) == "badPublicKey", "type badPublicKey", "%s", r.Excerpt())
			problem, err := r.Problem()
			s.should("RFC8555-6.2-40", err == nil && problem.Detail != "", "a detail that says what is wrong with the key", "%s", r.Excerpt())
		},
	}
}

func contentTypeCase(name, media, requirement string) spec {
	what := "a POST with Content-Type " + media
	if media == "-" {
		what = "a POST without Content-Type"
	}
	return spec{
		id: "rfc8555/6.2/content-type-" + name, title: "Only application/jose+json is taken: " + name,
		requirements: []string{requirement},
		does:         "Sends newOrder as " + what + ".",
		expects:      "415.",
		cost:         cost{accounts: 1, orders: 1},
		run: func(s *scene) {
			a := s.account()
			r := s.send(s.url("newOrder"), wire.Message{Key: a.key, KID: a.url, ContentType: media,
				Payload: encodePayload(map[string]any{"identifiers": dnsIDs([]string{s.name()})})})
			s.succeeds(requirement, r, what, 415)
		},
	}
}

func keyTypeCase(name string, kind wire.KeyType, requirement string, must bool) spec {
	return spec{
		id: "rfc8555/6.2/" + name, title: "Accounts may have keys of type " + string(kind),
		requirements: []string{requirement},
		does:         "Creates an account with a key of type " + string(kind) + ".",
		expects:      "201.",
		cost:         cost{own: 1},
		run: func(s *scene) {
			a := &account{key: s.newKey(kind)}
			s.register(a)
			check := s.should
			if must {
				check = s.must
			}
			check(requirement, a.created.Status == 201, "newAccount with a key of type "+string(kind)+" is answered with 201", "%s", a.created.Excerpt())
		},
	}
}

// leadingZeroKey is a P-256 key whose x begins with a zero octet, which some
// drop (RFC 7518, Section 6.2.1.2).
func (s *scene) leadingZeroKey() *wire.Key {
	for {
		key := s.newKey()
		var jwk struct{ X string }
		if err := json.Unmarshal(key.JWK(), &jwk); err != nil {
			s.inconclusive("%v", err)
		}
		x, err := base64.RawURLEncoding.DecodeString(jwk.X)
		if err == nil && len(x) == 32 && x[0] == 0 {
			return key
		}
	}
}
