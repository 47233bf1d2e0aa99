package servercases

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
)

// RFC 8737: tls-alpn-01.

// answerALPN validates a new name by tls-alpn-01 and returns the final
// authorization. edit changes the certificate, tune the handshake.
func (s *scene) answerALPN(edit func(*responder.TLSCertificate, *authorization), tune func(*tls.Config)) *authorization {
	a := s.account()
	z := s.authorizations(a, s.order(a, s.name()))[0]
	challenge := s.offered(z, tlsalpn01)
	certificate := responder.TLSCertificate{DNS: []string{z.name()}, KeyAuthorization: a.key.KeyAuthorization(challenge.text("token"))}
	if edit != nil {
		edit(&certificate, z)
	}
	config, err := certificate.Config()
	if err != nil {
		s.inconclusive("%v", err)
	}
	if tune != nil {
		tune(config)
	}
	s.answerTLS(z, func(*tls.ClientHelloInfo) (*tls.Config, error) { return config, nil })
	if r := s.respond(a, challenge); r.Status != 200 {
		s.inconclusive("the challenge could not be answered: %s", r.Excerpt())
	}
	return s.settle(a, z)
}

func tlsALPNCases() []spec {
	cases := []spec{
		{
			id: "rfc8737/3/connection", title: "The server connects as tls-alpn-01 says",
			requirements: []string{"RFC8737-3-16", "RFC8737-3-17", "RFC8737-6.2-01", "RFC8737-4-04", "RFC8737-4-05", "RFC8737-4-08", "RFC8737-4-09", "RFC8737-3-13", "RFC8737-3-14", "RFC8737-3-15"},
			does:         "Lets the server validate tls-alpn-01, with a self-signed certificate, and watches.",
			expects:      "ALPN with acme-tls/1 alone, SNI with the name, TLS 1.2 or later, nothing after the handshake but its end, and a valid authorization.",
			needs:        []need{needsTLS}, cost: cost{accounts: 1, orders: 1},
			run: alpnConnection,
		},
		{
			id: "rfc8737/4/bad-signature", title: "The signature of a validation certificate need not be checked",
			requirements: []string{"RFC8737-4-07"}, does: "Validates with a certificate whose signature is broken.", expects: "valid or invalid.",
			needs: []need{needsTLS}, cost: cost{accounts: 1, orders: 1, failures: 1},
			run: func(s *scene) {
				z := s.answerALPN(func(c *responder.TLSCertificate, _ *authorization) { c.BadSignature = true }, nil)
				s.may("RFC8737-4-07", "%s", z.status())
				s.must("RFC8737-4-07", z.status() == "valid" || z.status() == "invalid", "valid or invalid", "%s", z.status())
			},
		},
	}
	for _, each := range []struct {
		name, what, requirement string
		valid                   bool
		edit                    func(*responder.TLSCertificate, *authorization)
		tune                    func(*tls.Config)
	}{
		{"upper-case", "the name in capitals", "RFC8737-3-21", true, func(c *responder.TLSCertificate, z *authorization) { c.DNS = []string{strings.ToUpper(z.name())} }, nil},
		{"no-alpn", "a handshake without ALPN", "RFC8737-3-18", false, nil, func(c *tls.Config) { c.NextProtos = nil }},
		{"extra-name", "a certificate with a second name", "RFC8737-3-19", false, func(c *responder.TLSCertificate, _ *authorization) { c.DNS = append(c.DNS, "other.example") }, nil},
		{"other-name", "a certificate with another name", "RFC8737-3-19", false, func(c *responder.TLSCertificate, _ *authorization) { c.DNS = []string{"other.example"} }, nil},
		{"no-name", "a certificate without names", "RFC8737-3-19", false, func(c *responder.TLSCertificate, _ *authorization) { c.DNS = nil }, nil},
		{"no-extension", "a certificate without acmeIdentifier", "RFC8737-3-20", false, func(c *responder.TLSCertificate, _ *authorization) { c.NoExtension = true }, nil},
		{"not-critical", "acmeIdentifier that is not critical", "RFC8737-3-20", false, func(c *responder.TLSCertificate, _ *authorization) { c.NotCritical = true }, nil},
		{"raw-digest", "acmeIdentifier without its OCTET STRING", "RFC8737-3-20", false, func(c *responder.TLSCertificate, _ *authorization) { c.RawDigest = true }, nil},
		{"wrong-digest", "acmeIdentifier of another key authorization", "RFC8737-3-13", false, func(c *responder.TLSCertificate, _ *authorization) { c.KeyAuthorization = "x" + c.KeyAuthorization }, nil},
		{"old-tls", "TLS 1.1", "RFC8737-4-09", false, nil, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }},
	} {
		expected, failures, requirements := "invalid", 1, []string{each.requirement, "RFC8737-3-23"}
		if each.valid {
			expected, failures, requirements = "valid", 0, requirements[:1]
		}
		cases = append(cases, spec{
			id: "rfc8737/3/" + each.name, title: "tls-alpn-01 with " + each.what + " is " + expected, requirements: requirements,
			does: "Validates by tls-alpn-01 with " + each.what + ".", expects: "The authorization becomes " + expected + ".",
			needs: []need{needsTLS}, cost: cost{accounts: 1, orders: 1, failures: failures},
			run: func(s *scene) {
				z := s.answerALPN(each.edit, each.tune)
				s.must(each.requirement, z.status() == expected, "the authorization becomes "+expected, "%s: %s", z.status(), explain(z))
				if !each.valid {
					c := z.challenge(tlsalpn01)
					s.must("RFC8737-3-23", c.status() == "invalid" && c.member("error") != nil, "the challenge is invalid, with an error", "%s", c.status())
				}
			},
		})
	}
	return cases
}

func alpnConnection(s *scene) {
	z := s.answerALPN(nil, nil)
	s.must("RFC8737-4-08", z.status() == "valid", "a self-signed certificate is enough", "%s: %s", z.status(), explain(z))
	s.must("RFC8737-3-13", z.status() == "valid", "the digest of the current key's key authorization is right", "%s: %s", z.status(), explain(z))
	seen := s.env.Responder.TLSSeen(z.name())
	for deadline := time.Now().Add(3 * time.Second); len(seen) == 0 && time.Now().Before(deadline); seen = s.env.Responder.TLSSeen(z.name()) {
		s.pause(10 * time.Millisecond)
	}
	s.demand("RFC8737-3-17", len(seen) > 0, "a connection with SNI "+z.name(), "none that was closed within 3 s")
	s.may("RFC8737-3-14", "%d connections", len(seen))
	s.may("RFC8737-3-15", "connected to %s", seen[0].LocalAddr)
	for _, each := range seen {
		for _, requirement := range []string{"RFC8737-3-16", "RFC8737-6.2-01"} {
			s.must(requirement, slices.Equal(each.Protocols, []string{responder.ALPN}), "ALPN with acme-tls/1 alone", "%q", each.Protocols)
		}
		s.must("RFC8737-3-17", strings.EqualFold(each.SNI, z.name()), "SNI "+z.name(), "%q", each.SNI)
		s.must("RFC8737-4-04", each.Data == 0, "no application data", "%d bytes", each.Data)
		s.must("RFC8737-4-05", each.Closed && each.ClosedIn < 2*time.Second, "the connection is closed at once", "after %v", each.ClosedIn)
		old := slices.ContainsFunc(each.Versions, func(version uint16) bool { return version < tls.VersionTLS12 && version > 0x0300 })
		s.must("RFC8737-4-09", !old, "TLS 1.2 and later offered", "%s", fmt.Sprintf("%#04x", each.Versions))
	}
}
