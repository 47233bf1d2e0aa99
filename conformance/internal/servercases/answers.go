package servercases

import (
	"net/http"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
)

// serveHTTP answers http-01 requests for token until the case ends.
func (s *scene) serveHTTP(token string, answer http.HandlerFunc) {
	s.servePath(responder.WellKnown+token, answer)
}

func (s *scene) servePath(path string, answer http.HandlerFunc) {
	s.env.Responder.SetHTTP(path, answer)
	s.cleanup(func() { s.env.Responder.ClearHTTP(path) })
}

// failing makes an order for name whose validation fails, and returns it with
// its authorization as they are afterwards.
func (s *scene) failing(a *account, name string) (*order, *authorization) {
	o := s.order(a, name)
	z := s.authorizations(a, o)[0]
	challenge := s.breakAnswer(a, z)
	if r := s.respond(a, challenge); r.Status != 200 {
		s.inconclusive("the challenge could not be answered: %s", r.Excerpt())
	}
	z = s.settle(a, z)
	return &order{s.poll(a, o.url, func(status string) bool { return status != "pending" }), o.url, o.created}, z
}

// breakAnswer serves a wrong answer to the first challenge that the responder
// itself can answer.
func (s *scene) breakAnswer(a *account, z *authorization) object {
	own := s.env.Responder
	for _, kind := range []string{http01, tlsalpn01, dns01} {
		challenge := z.challenge(kind)
		if challenge == nil {
			continue
		}
		wrong := s.newKey()
		token := challenge.text("token")
		switch {
		case kind == http01 && own.HTTPPort() != 0:
			s.serveHTTP(token, responder.Text(wrong.KeyAuthorization(token)))
		case kind == tlsalpn01 && own.TLSPort() != 0:
			s.serveTLS(z, responder.TLSCertificate{KeyAuthorization: wrong.KeyAuthorization(token)})
		case kind == dns01 && s.env.ResolvesHere:
			s.serveTXT("_acme-challenge."+z.name(), wrong.DNSValue(token))
		default:
			continue
		}
		return challenge
	}
	s.skip("none of the challenges offered can be answered wrongly in this run; which types there are is the server's choice (RFC 8555, Section 7.1.4)")
	return nil
}
