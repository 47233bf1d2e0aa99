package servercases

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Sections 8.1 and 8.3: key authorizations and http-01.

// http01Answer says how an http-01 request is answered; the zero value is
// right.
type http01Answer struct {
	key     *wire.Key // of the account; a new P-256 key when nil
	body    func(keyAuthorization string) string
	handler func(body string) http.HandlerFunc
	prepare func(s *scene, z *authorization)
}

// answerHTTP validates a new name by http-01 and returns the final
// authorization.
func (s *scene) answerHTTP(answer http01Answer) *authorization {
	a := s.account()
	if answer.key != nil {
		a = &account{key: answer.key}
		if s.register(a); a.url == "" {
			s.skip("the server does not take accounts of this type, as it may (RFC 8555, Section 6.2, wants ES256 alone): %s", a.created.Excerpt())
		}
	}
	z := s.authorizations(a, s.order(a, s.name()))[0]
	challenge := s.offered(z, http01)
	body := a.key.KeyAuthorization(challenge.text("token"))
	if answer.body != nil {
		body = answer.body(body)
	}
	handler := responder.Text(body)
	if answer.handler != nil {
		handler = answer.handler(body)
	}
	s.serveHTTP(challenge.text("token"), handler)
	if answer.prepare != nil {
		answer.prepare(s, z)
	}
	if r := s.respond(a, challenge); r.Status != 200 {
		s.inconclusive("the challenge could not be answered: %s", r.Excerpt())
	}
	return s.settle(a, z)
}

func contains(o object, text string) bool {
	encoded, err := json.Marshal(o)
	return err == nil && strings.Contains(string(encoded), text)
}

func http01Cases() []spec {
	cases := []spec{{
		id: "rfc8555/8.3/request", title: "The server asks where http-01 says",
		requirements: []string{"RFC8555-8.3-07", "RFC8555-8.3-08", "RFC8555-10.2-01", "RFC8555-8.1-01", "RFC7638-3-02", "RFC7638-3-03", "RFC7638-3-04"},
		does:         "Lets the server validate http-01 and looks at its requests.",
		expects:      "GET of the well-known path with the token, with the name as Host; the right key authorization is accepted.",
		needs:        []need{needsHTTP}, cost: cost{accounts: 1, orders: 1},
		run: http01Request,
	}}
	for _, each := range []struct {
		name, what, requirement string
		should, valid           bool
		needs                   need
		answer                  func(s *scene) http01Answer
	}{
		{"wrong-token", "a key authorization of another token", "RFC8555-8.3-09", false, false, needsHTTP, func(*scene) http01Answer {
			return http01Answer{body: func(right string) string { return "x" + right }}
		}},
		{"wrong-thumbprint", "a key authorization of another key", "RFC8555-8.3-09", false, false, needsHTTP, func(s *scene) http01Answer {
			other := s.newKey().Thumbprint()
			return http01Answer{body: func(right string) string { token, _, _ := strings.Cut(right, "."); return token + "." + other }}
		}},
		{"empty", "an empty body", "RFC8555-8.3-09", false, false, needsHTTP, func(*scene) http01Answer {
			return http01Answer{body: func(string) string { return "" }}
		}},
		{"suffix", "a key authorization with something after it", "RFC8555-8.3-09", false, false, needsHTTP, func(*scene) http01Answer {
			return http01Answer{body: func(right string) string { return right + "x" }}
		}},
		{"white-space", "a key authorization with white space after it", "RFC8555-8.3-10", true, true, needsHTTP, func(*scene) http01Answer {
			return http01Answer{body: func(right string) string { return right + " \r\n\t \n" }}
		}},
		{"not-found", "a right body with status 404", "RFC8555-8.3-12", false, false, needsHTTP, func(*scene) http01Answer { return withStatus(404) }},
		{"server-error", "a right body with status 500", "RFC8555-8.3-12", false, false, needsHTTP, func(*scene) http01Answer { return withStatus(500) }},
		{"html", "a right body of type text/html", "RFC8555-8.3-15", true, true, needsHTTP, func(*scene) http01Answer { return withType("text/html") }},
		{"no-type", "a right body without Content-Type", "RFC8555-8.3-15", true, true, needsHTTP, func(*scene) http01Answer { return withType("") }},
		{"redirect-301", "a redirect with 301 to another path", "RFC8555-8.3-11", true, true, needsHTTP, redirected(301)},
		{"redirect-302", "a redirect with 302 to another path", "RFC8555-8.3-11", true, true, needsHTTP, redirected(302)},
		{"redirect-307", "a redirect with 307 to another path", "RFC8555-8.3-11", true, true, needsHTTP, redirected(307)},
		{"redirect-308", "a redirect with 308 to another path", "RFC8555-8.3-11", true, true, needsHTTP, redirected(308)},
		{"ipv4-only", "a right answer at a name with an A record alone", "RFC8555-8.3-14", false, true, needsDNS, func(*scene) http01Answer {
			return http01Answer{prepare: func(s *scene, z *authorization) { s.serveAddrs(z.name(), netip.AddrFrom4([4]byte{127, 0, 0, 1})) }}
		}},
		{"no-address", "a name without addresses", "RFC8555-8.3-12", false, false, needsDNS, func(*scene) http01Answer {
			return http01Answer{prepare: func(s *scene, z *authorization) { s.serveAddrs(z.name()) }}
		}},
		{"thumbprint-p384", "a right answer of an account with a P-384 key", "RFC7638-3.2-01", false, true, needsHTTP, ofKey(wire.P384)},
		{"thumbprint-rsa", "a right answer of an account with an RSA key", "RFC7638-3.2-02", false, true, needsHTTP, ofKey(wire.RSA2048)},
		{"thumbprint-rsa-high-bit", "a right answer of an account with an RSA key, whose modulus has its highest bit set", "RFC8555-8.1-03", false, true, needsHTTP, ofKey(wire.RSA2048)},
		{"thumbprint-ed25519", "a right answer of an account with an Ed25519 key", "RFC7638-3.2-03", false, true, needsHTTP, ofKey(wire.Ed25519)},
		{"thumbprint-leading-zero", "a right answer of an account whose key has a coordinate with a leading zero", "RFC7518-6.2.1.2-02", false, true, needsHTTP, func(s *scene) http01Answer {
			return http01Answer{key: s.leadingZeroKey()}
		}},
	} {
		cases = append(cases, http01Spec(each.name, each.what, each.requirement, each.should, each.valid, each.needs, each.answer))
	}
	return cases
}

func http01Spec(name, what, requirement string, should, valid bool, n need, answer func(*scene) http01Answer) spec {
	expected, uses := "invalid", cost{accounts: 1, orders: 1, failures: 1}
	if valid {
		expected, uses.failures = "valid", 0
	}
	if strings.HasPrefix(name, "thumbprint-") {
		uses.own = 1
	}
	return spec{
		id: "rfc8555/8.3/" + name, title: "http-01 with " + what + " is " + expected,
		requirements: []string{requirement}, does: "Validates by http-01 with " + what + ".", expects: "The authorization becomes " + expected + ".",
		needs: []need{needsHTTP, n}, cost: uses,
		run: func(s *scene) {
			z := s.answerHTTP(answer(s))
			check := s.must
			if should {
				check = s.should
			}
			check(requirement, z.status() == expected, "the authorization becomes "+expected, "%s: %s", z.status(), explain(z))
		},
	}
}

func withStatus(status int) http01Answer {
	return http01Answer{handler: func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}}
}

func withType(media string) http01Answer {
	return http01Answer{handler: func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			if media != "" {
				w.Header().Set("Content-Type", media)
			}
			fmt.Fprint(w, body)
		}
	}}
}

func redirected(status int) func(*scene) http01Answer {
	return func(s *scene) http01Answer {
		path := "/elsewhere/" + s.newKey().Thumbprint()
		return http01Answer{handler: func(body string) http.HandlerFunc {
			s.servePath(path, responder.Text(body))
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, path, status) }
		}}
	}
}

func ofKey(kind wire.KeyType) func(*scene) http01Answer {
	return func(s *scene) http01Answer { return http01Answer{key: s.newKey(kind)} }
}

func (s *scene) serveAddrs(name string, addrs ...netip.Addr) {
	s.env.Responder.SetAddrs(name, addrs...)
	s.cleanup(func() { s.env.Responder.ClearDNS(name) })
}

func http01Request(s *scene) {
	a := s.account()
	z := s.authorizations(a, s.order(a, s.name()))[0]
	challenge := s.offered(z, http01)
	s.serveHTTP(challenge.text("token"), responder.Text(a.key.KeyAuthorization(challenge.text("token"))))
	s.respond(a, challenge)
	final := s.settle(a, z)
	for _, requirement := range []string{"RFC8555-8.1-01", "RFC7638-3-02", "RFC7638-3-03", "RFC7638-3-04"} {
		s.must(requirement, final.status() == "valid", "the key authorization of token and thumbprint is right", "%s: %s", final.status(), explain(final))
	}
	path := responder.WellKnown + challenge.text("token")
	seen := s.env.Responder.HTTPSeen(path)
	s.demand("RFC8555-8.3-07", len(seen) > 0, "a request for "+path, "none")
	places := map[string]bool{}
	for _, each := range seen {
		host, _, _ := strings.Cut(each.Host, ":")
		s.must("RFC8555-8.3-07", strings.EqualFold(host, z.name()), "Host: "+z.name(), "%q", each.Host)
		s.must("RFC8555-8.3-08", each.Method == "GET", "GET", "%s", each.Method)
		place, _, _ := strings.Cut(each.Remote, ":")
		places[place] = true
	}
	s.may("RFC8555-10.2-01", "%d requests from %d addresses", len(seen), len(places))
}
