package clientcases

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 6.1 and 6.4: where a client may go.

func transportScenarios() []Scenario {
	return append(untrustedScenarios(),
		Scenario{
			ID: "rfc8555/6.1/https-only", Title: "Signed requests go over HTTPS only",
			Requirements: []string{"RFC8555-6.1-02"},
			Does:         "The directory has an http:// URL for newOrder.", Expects: "no connection there, and a failure",
			Faults: []string{"directory-http"},
			Play: func(t *Trial) {
				trap := t.trap()
				t.CA.Inject(rewrite("directory-http", func(m map[string]any) { m["newOrder"] = "http://" + trap.addr() + "/new-order" }), at(mockca.Directory))
				r := t.run(Issue)
				t.Must(!trap.sprung(), t.main(), "no request in the clear", "the client connected to the http:// URL")
				t.lacks(r, t.main(), "newOrder is not to be had over HTTPS")
			},
		},
		Scenario{
			ID: "rfc8555/6.1/redirect-to-http", Title: "Redirects to http:// are not followed",
			Requirements: []string{"RFC8555-6.1-02"},
			Does:         "The directory answers 302 to an http:// URL.", Expects: "no connection there, and a failure",
			Faults: []string{"redirect-http"},
			Play: func(t *Trial) {
				trap := t.trap()
				t.CA.Inject(redirect(http.StatusFound, "http://"+trap.addr()+"/directory"), at(mockca.Directory))
				r := t.run(Issue)
				t.Must(!trap.sprung(), t.main(), "no request in the clear", "the client followed the redirect to http://")
				t.lacks(r, t.main(), "the directory is not to be had over HTTPS")
			},
		},
		Scenario{
			ID: "rfc8555/6.1/redirect-loop", Title: "Redirects are followed a bounded number of times",
			Requirements: []string{"RFC8555-6.7-07"},
			Does:         "The directory answers 302 to itself, for ever.", Expects: "an end, after 40 requests at most",
			Faults: []string{"redirect-loop"},
			Stage:  func(s *Stage) { s.inject(0, redirect(http.StatusFound, "/directory"), at(mockca.Directory)) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "there is no directory")
				t.bounded(r.Exchanges, 40, t.main(), "requests")
			},
		},
		Scenario{
			ID: "rfc8555/6.4/signed-redirect", Title: "A signed request goes nowhere but to its url",
			Requirements: []string{"RFC8555-6.4-03"},
			Does:         "newOrder answers 307 to another URL.", Expects: "no request there whose JWS has another url",
			Faults: []string{"redirect-post"},
			Stage:  func(s *Stage) { s.inject(0, redirect(http.StatusTemporaryRedirect, "/elsewhere"), at(mockca.NewOrder)) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(signed(r.Exchanges), t.main(), "url as it is in the JWS", func(r *request) string {
					return unless(r.header("url") == r.URL, "it was sent to %s, its url is %s", r.URL, r.header("url"))
				})
				t.lacks(r, t.main(), "no order can be made")
			},
		},
		Scenario{
			ID: "rfc8555/6.4/url-exact", Title: "URLs are taken from the server, byte for byte",
			Requirements: []string{"RFC8555-6.4-03", "RFC8555-6.4-06", "RFC8555-7.1-05"},
			Does:         "Uses odd paths: with escapes, upper case and dots, others than anywhere else.", Expects: "url and request as the server wrote them",
			Stage: func(s *Stage) {
				s.CA.Paths = mockca.Paths{}
				for e := range mockca.DefaultPaths() {
					if e != mockca.Directory {
						s.CA.Paths[e] = fmt.Sprintf("/ACME-%d/%s/%s", time.Now().UnixNano()%1e6, "v2.0~x", e)
					}
				}
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(signed(r.Exchanges), t.main(), "the server's spelling of the URL", func(r *request) string {
					return unless(r.header("url") == r.URL && r.Endpoint != mockca.Unknown, "url is %s, asked is %s", r.header("url"), r.URL)
				})
				t.has(r)
			},
		},
	)
}

// untrustedScenarios: RFC 8555, Section 6.1.
func untrustedScenarios() (all []Scenario) {
	hour := time.Hour
	for _, c := range []struct {
		name, does  string
		trusted     bool
		from, until time.Duration
		hosts       []string
	}{
		{"tls-untrusted", "by a root that the client does not trust", false, -hour, 24 * hour, nil},
		{"tls-wrong-name", "for another host", true, -hour, 24 * hour, []string{"elsewhere.test"}},
		{"tls-expired", "that has expired", true, -48 * hour, -24 * hour, nil},
	} {
		all = append(all, Scenario{
			ID: "rfc8555/6.1/" + c.name, Title: "Talks to no server with a certificate " + c.does,
			Requirements: []string{"RFC8555-6.1-03"},
			Does:         "The CA's API has a certificate " + c.does + ".", Expects: "no request at all, and a failure",
			Faults: []string{c.name},
			Stage: func(s *Stage) {
				s.inject(0, mockca.Fault{Name: c.name, Doc: "a certificate " + c.does, Duty: "fail",
					Handshake: func(h *mockca.Handshake) error {
						cert, err := h.Certificate(c.trusted, time.Now().Add(c.from), time.Now().Add(c.until), c.hosts...)
						h.Config.Certificates, h.Config.GetCertificate = []tls.Certificate{cert}, nil
						return err
					}})
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				if len(r.Exchanges) > 0 {
					t.at(r.Exchanges[0]).Must(false, t.main(), "no request", "%d", len(r.Exchanges))
				}
				t.lacks(r, t.main(), "the server can't be trusted")
			},
		})
	}
	return all
}
