package servercases

import (
	"net/url"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Section 6.4: request URL integrity.

func urlCases() []spec {
	cases := []spec{
		{
			id: "rfc8555/6.4/other-url", title: "The url header is compared with the request's",
			requirements: []string{"RFC8555-6.4-01", "RFC8555-6.4-02"},
			does:         "Posts to newOrder a JWS that was signed for newAccount, and one signed for another server.",
			expects:      "Both are refused as unauthorized.",
			cost:         cost{accounts: 1, orders: 2},
			run: func(s *scene) {
				a := s.account()
				for _, signed := range []string{s.url("newAccount"), "https://other.example/new-order"} {
					r := s.orderSignedFor(a, signed)
					if s.refuses("RFC8555-6.4-01", r, "a JWS with url "+signed) {
						s.must("RFC8555-6.4-02", shortType(r) == "unauthorized", "it is refused as unauthorized", "%s", r.Excerpt())
					}
				}
			},
		},
		{
			id: "rfc8555/6.4/equality", title: "The url header is compared as a string",
			requirements: []string{"RFC8555-6.4-04", "RFC8555-6.4-05"},
			does:         "Posts to newOrder with url headers that mean the same URL, but are not the same string.",
			expects:      "Each is refused as unauthorized.",
			cost:         cost{accounts: 1, orders: 4},
			run: func(s *scene) {
				a := s.account()
				for what, signed := range variants(s.url("newOrder")) {
					r := s.orderSignedFor(a, signed)
					if s.should("RFC8555-6.4-04", r.Status >= 400, "a url header with "+what+" is refused", "%s", r.Excerpt()) {
						s.must("RFC8555-6.4-05", shortType(r) == "unauthorized", "a url header with "+what+" is refused as unauthorized", "%s", r.Excerpt())
					}
				}
			},
		},
	}
	for what, value := range map[string]any{"number": 1, "array": []string{"https://ca.example/"}} {
		cases = append(cases, badJWS{
			id: "url-" + what, title: "A url header of type " + what + " is refused", requirements: []string{"RFC8555-6.4.1-03"},
			does: "newOrder whose url header is of type " + what, types: []string{"malformed", "unauthorized"},
			message: func(_ *scene, _ *account, m *wire.Message) { m.Edit = func(h *wire.Header) { h.Set("url", value) } },
		}.spec("rfc8555/6.4.1/"))
	}
	return cases
}

func (s *scene) orderSignedFor(a *account, signed string) *wire.Response {
	return s.send(s.url("newOrder"), wire.Message{Key: a.key, KID: a.url, URL: signed,
		Payload: encodePayload(map[string]any{"identifiers": dnsIDs([]string{s.name()})})})
}

// variants are other spellings of a URL.
func variants(original string) map[string]string {
	u, err := url.Parse(original)
	if err != nil || u.Path == "" {
		return nil
	}
	result := map[string]string{}
	last := original[len(original)-1]
	result["a percent-encoded character"] = original[:len(original)-1] + "%" + strings.ToUpper(hexByte(last))
	result["a scheme in capitals"] = strings.Replace(original, u.Scheme, strings.ToUpper(u.Scheme), 1)
	result["an empty query"] = original + "?"
	return result
}

func hexByte(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}
