package servercases

import (
	"encoding/json"
	"slices"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Section 7.3.5: account key rollover.

// rollover is a keyChange request with room for what may be wrong with it.
type rollover struct {
	a        *account
	newKey   *wire.Key
	account  string    // in the payload; the account's when empty
	oldKey   any       // in the payload; the account's key when nil, none when omit
	innerURL string    // the resource's when empty
	signer   *wire.Key // of the inner JWS; newKey when nil
	edit     func(*wire.Header)
	payload  any // of the outer JWS, instead of the inner one
}

type omit struct{}

func (s *scene) changeKey(c rollover) *wire.Response {
	url := s.url("keyChange")
	inner := map[string]any{"account": c.a.url, "oldKey": c.a.key.JWK()}
	if c.account != "" {
		inner["account"] = c.account
	}
	switch c.oldKey.(type) {
	case nil:
	case omit:
		delete(inner, "oldKey")
	default:
		inner["oldKey"] = c.oldKey
	}
	signer := c.newKey
	if c.signer != nil {
		signer = c.signer
	}
	innerURL := url
	if c.innerURL != "" {
		innerURL = c.innerURL
	}
	jwk := c.newKey.JWK()
	body, err := wire.Message{Key: signer, URL: innerURL, Payload: encodePayload(inner), NoNonce: true, Edit: func(h *wire.Header) {
		h.Set("jwk", jwk)
		if c.edit != nil {
			c.edit(h)
		}
	}}.Body()
	if err != nil {
		s.inconclusive("%v", err)
	}
	if c.payload != nil {
		return s.post(c.a, url, c.payload)
	}
	return s.post(c.a, url, json.RawMessage(body))
}

func keyChangeCases() []spec {
	cases := []spec{
		{
			id: "rfc8555/7.3.5/success", title: "A key can be replaced",
			requirements: []string{"RFC8555-7.3.5-18", "RFC8555-7.3.5-19", "RFC8555-7.3.5-23", "DNSACCOUNT-3.5-01"},
			does:         "Changes the key of an account, then reads the account with the new and the old one.",
			expects:      "200; the new key works, the old does not, and the account is as it was.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				a := s.ownAccount()
				before := s.read(a, a.url)
				key := s.newKey()
				r := s.changeKey(rollover{a: a, newKey: key})
				if !s.succeeds("RFC8555-7.3.5-18", r, "keyChange", 200) {
					return
				}
				read := s.post(&account{key: key, url: a.url}, a.url, nil)
				s.must("RFC8555-7.3.5-19", read.Status == 200, "the new key works with the same kid", "%s", read.Excerpt())
				s.refuses("RFC8555-7.3.5-19", s.post(a, a.url, nil), "a request signed by the old key")
				after := objectOf(read)
				old, _ := before.texts("contact")
				now, _ := after.texts("contact")
				s.should("RFC8555-7.3.5-23", after.status() == before.status() && slices.Equal(old, now) && after.text("orders") == before.text("orders"),
					"nothing else is changed", "%s", read.Excerpt())
				found := s.post(&account{key: key}, s.url("newAccount"), map[string]any{"onlyReturnExisting": true})
				s.should("DNSACCOUNT-3.5-01", found.Location() == a.url, "the account's URL stays the same", "%s, Location %q", found.Excerpt(), found.Location())
			},
		},
		{
			id: "rfc8555/7.3.5/pending-order", title: "A pending order survives a new key",
			requirements: []string{"RFC8555-7.3.5-24", "RFC8555-8.3-13"},
			does:         "Creates an order, changes the key, and completes the order with the new key.",
			expects:      "A certificate.",
			needs:        []need{needsValidation}, cost: cost{own: 1, orders: 1},
			run: func(s *scene) {
				a := s.ownAccount()
				o := s.order(a, s.name())
				key := s.newKey()
				if r := s.changeKey(rollover{a: a, newKey: key}); r.Status != 200 {
					s.inconclusive("the key could not be changed: %s", r.Excerpt())
				}
				a = &account{key: key, url: a.url}
				r := s.post(a, o.url, nil)
				s.demand("RFC8555-7.3.5-24", r.Status == 200 && objectOf(r).status() == "pending", "the order is still pending", "%s", r.Excerpt())
				z := s.authorizations(a, o)[0]
				challenge := s.pick(z)
				s.publish(a, z, challenge)
				s.respond(a, challenge)
				z = s.settle(a, z)
				s.must("RFC8555-8.3-13", z.status() == "valid", "the key at the time of the answer counts", "%s: %s", z.status(), explain(z))
				s.must("RFC8555-7.3.5-24", z.status() == "valid", "the order can be completed", "%s: %s", z.status(), explain(z))
			},
		},
		{
			id: "rfc8555/7.3.5/conflict", title: "A key of another account is in conflict",
			requirements: []string{"RFC8555-7.3.5-16", "RFC8555-7.3.5-20", "RFC8555-7.3.5-21", "RFC8555-7.3.5-22", "RFC8555-11.1-08"},
			does:         "Changes the key to that of another account.",
			expects:      "409 with the other account's URL in Location, and a problem document.",
			cost:         cost{own: 2},
			run: func(s *scene) {
				a, other := s.ownAccount(), s.ownAccount()
				r := s.changeKey(rollover{a: a, newKey: other.key})
				s.refuses("RFC8555-7.3.5-16", r, "a key of another account")
				s.should("RFC8555-7.3.5-21", r.Status == 409, "409", "%s", r.Excerpt())
				s.should("RFC8555-7.3.5-22", r.Location() == other.url, "Location is "+other.url, "%q", r.Location())
				_, err := r.Problem()
				s.must("RFC8555-7.3.5-20", err == nil, "a problem document", "%s", r.Excerpt())
				found := s.post(&account{key: other.key}, s.url("newAccount"), map[string]any{"onlyReturnExisting": true})
				s.must("RFC8555-11.1-08", found.Location() == other.url, "the key is still the other account's", "%s", found.Excerpt())
			},
		},
		{
			id: "rfc8555/7.3.5/deactivated", title: "A deactivated account can't change its key",
			requirements: []string{"RFC8555-7.3.5-08"},
			does:         "Deactivates an account and changes its key.",
			expects:      "It is refused.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				a := s.deactivated()
				s.refuses("RFC8555-7.3.5-08", s.changeKey(rollover{a: a, newKey: s.newKey()}), "keyChange of a deactivated account", "unauthorized")
			},
		},
	}
	for _, bad := range []struct {
		name, requirement, what string
		unwise                  bool // rather than wrong, to take it
		edit                    func(*scene, *rollover)
	}{
		{"no-jws", "RFC8555-7.3.5-09", "a payload that is no JWS", false, func(_ *scene, c *rollover) { c.payload = map[string]any{} }},
		{"no-jwk", "RFC8555-7.3.5-10", "an inner JWS without jwk", false, func(_ *scene, c *rollover) {
			c.edit = func(h *wire.Header) { h.Remove("jwk"); h.Set("kid", c.a.url) }
		}},
		{"inner-signature", "RFC8555-7.3.5-11", "an inner JWS signed by another key", false, func(s *scene, c *rollover) { c.signer = s.newKey() }},
		{"no-old-key", "RFC8555-7.3.5-12", "an inner payload without oldKey", false, func(_ *scene, c *rollover) { c.oldKey = omit{} }},
		{"inner-url", "RFC8555-7.3.5-13", "an inner JWS for another url", false, func(_ *scene, c *rollover) { c.innerURL = "https://other.example/key-change" }},
		{"other-account", "RFC8555-7.3.5-14", "an inner payload of another account", false, func(s *scene, c *rollover) { c.account = s.ownAccount().url }},
		{"other-old-key", "RFC8555-7.3.5-15", "an inner payload with another oldKey", false, func(s *scene, c *rollover) { c.oldKey = s.newKey().JWK() }},
		{"inner-nonce", "RFC8555-7.3.5-17", "an inner JWS with a nonce", true, func(s *scene, c *rollover) {
			nonce := s.freshNonce()
			c.edit = func(h *wire.Header) { h.Set("nonce", nonce) }
		}},
	} {
		cases = append(cases, spec{
			id: "rfc8555/7.3.5/" + bad.name, title: "No new key by " + bad.what,
			requirements: []string{bad.requirement, "RFC8555-7.3.5-20"},
			does:         "Sends keyChange with " + bad.what + ", then reads the account with the old key.",
			expects:      "It is refused with a problem document, and the old key still works.",
			cost:         cost{own: 2},
			run: func(s *scene) {
				c := rollover{a: s.ownAccount(), newKey: s.newKey()}
				bad.edit(s, &c)
				r := s.changeKey(c)
				if bad.unwise {
					s.should(bad.requirement, r.Status >= 400, "keyChange with "+bad.what+" is refused", "%s", r.Excerpt())
				} else {
					s.refuses(bad.requirement, r, "keyChange with "+bad.what)
				}
				if r.Status >= 400 {
					_, err := r.Problem()
					s.must("RFC8555-7.3.5-20", err == nil && r.MediaType() == "application/problem+json", "a problem document", "%s", r.Excerpt())
					read := s.post(c.a, c.a.url, nil)
					s.must(bad.requirement, read.Status == 200, "the old key still works", "%s", read.Excerpt())
				}
			},
		})
	}
	return cases
}
