package clientcases

import (
	"bytes"
	"encoding/pem"
	"os"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 7.4.2, 9.1 and 11.4; RFC 8288: certificates as they come.

func certificateScenarios() []Scenario {
	return append([]Scenario{
		{
			ID: "rfc8555/7.4.2/download", Title: "Downloads the certificate by POST-as-GET, in a format that it names",
			Requirements: []string{"RFC8555-7.4.2-01", "RFC8555-7.4.2-09"},
			Does:         "Issues a certificate.", Expects: "a POST-as-GET of the certificate's URL",
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.Certificate), t.main(), "POST-as-GET", func(r *request) string {
					return unless(r.Method == "POST" && len(r.payload) == 0, "it is %s with the payload %q", r.Method, r.payload)
				})
				for _, x := range r.to(mockca.Certificate) {
					t.at(x).Note("RFC8555-7.4.2-09", "Accept is %q", x.RequestHeader.Get("Accept"))
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/9.1/line-ends", Title: "Takes PEM with any line ends, and without the last one",
			Requirements: []string{"RFC8555-9.1-07"},
			Does:         "Sends the chain with CRLF, and no line end at its end.", Expects: "a certificate",
			Faults: []string{"pem-crlf", "pem-no-final-newline"},
			Stage: func(s *Stage) {
				s.inject(0, body("pem-crlf", func(pem []byte) []byte {
					return bytes.ReplaceAll(bytes.TrimRight(pem, "\n"), []byte("\n"), []byte("\r\n"))
				}), at(mockca.Certificate))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/9.1/long-chain", Title: "Takes chains of any length",
			Requirements: []string{"RFC8555-9.1-06"},
			Does:         "Issues under three intermediates.", Expects: "all of the chain in its place",
			Stage: func(s *Stage) { s.CA.Hierarchy.Depth = 3 },
			Play: func(t *Trial) {
				r := t.obtains()
				p := t.has(r)
				t.Should(len(p.chain) >= 4, t.main(), "the leaf and three intermediates", "%d certificates", len(p.chain))
			},
		},
		{
			ID: "rfc8555/9.1/single", Title: "Takes a chain of one certificate",
			Requirements: []string{"RFC8555-9.1-06"},
			Does:         "Issues by its root.", Expects: "a certificate",
			Faults: []string{"chain-single"},
			Stage:  func(s *Stage) { s.CA.Hierarchy.Depth = -1 },
			Play:   func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/11.4/other-blocks", Title: "Refuses a chain with anything but certificates in it",
			Requirements: []string{"RFC8555-11.4-02", "RFC8555-11.4-01"},
			Does:         "Sends a private key at the end of the chain.", Expects: "a failure, and nothing of it on disk",
			Faults: []string{"pem-private-key"},
			Stage: func(s *Stage) {
				s.inject(0, body("pem-private-key", func(chain []byte) []byte {
					return append(chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("not a key, but who would know")})...)
				}), at(mockca.Certificate))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				cert, _ := t.files(t.Env)
				data, _ := os.ReadFile(cert)
				t.Must(!strings.Contains(string(data), "PRIVATE KEY"), t.main(), "no foreign block in "+t.inside(cert), "there is one")
				t.Must(r.Err != nil || len(data) > 0, t.main(), "a failure", "the client said that it succeeded")
				t.Should(r.Err != nil, "RFC8555-11.4-01", "a failure", "the client said that it succeeded")
			},
		},
		{
			ID: "rfc8555/7.4.2/alternate", Title: "Finds the chain that the user prefers",
			Requirements: []string{"RFC8555-7.4.2-05", "RFC8288-3-01", "RFC8288-3-02", "RFC8288-3-03"}, Needs: []Feature{ChooseChain},
			Does: "Offers two chains, with all links in one field, relative, and with several relations; the user wants the second.", Expects: "the second chain in its place",
			Stage: func(s *Stage) {
				s.CA.Hierarchy.Roots = 2
				s.inject(0, alter("links", func(x *mockca.Exchange, r *mockca.Response) {
					var links []string
					for _, l := range r.Header.Values("Link") {
						l = strings.Replace(l, x.Base(), "", 1)
						links = append(links, strings.Replace(l, `rel="alternate"`, `rel="other Alternate"`, 1))
					}
					r.Header.Set("Link", strings.Join(links, ", "))
				}), at(mockca.Certificate))
			},
			Play: func(t *Trial) {
				want := t.CA.IssuingRoots()[1].Subject.CommonName
				r := t.run(Issue, func(e *Env) { e.Chain = want })
				p := t.has(r)
				t.Must(p.chain[len(p.chain)-1].Issuer.CommonName == want, t.main(), "the chain to "+want, "the one to %s", p.chain[len(p.chain)-1].Issuer.CommonName)
			},
		},
		{
			ID: "rfc8555/7.4.2/alternates-fail", Title: "Chains that can't be had do not spoil the one that can",
			Requirements: []string{"RFC8555-7.4.2-06"},
			Does:         "Offers an alternate chain, and answers 404 for it.", Expects: "the first chain in its place",
			Faults: []string{"alternate-404"},
			Stage: func(s *Stage) {
				s.CA.Hierarchy.Roots = 2
				s.inject(0, refuse("alternate-404", mockca.Problem{Type: mockca.TypeMalformed, Status: 404, Detail: "no such chain"}),
					mockca.When{Endpoint: mockca.Certificate, Match: func(x *mockca.Exchange) bool { return strings.HasSuffix(x.URL, "/1") }})
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/7.4.2/download-fails-once", Title: "Tries a failed download again",
			Requirements: []string{"RFC8555-7.4-37"},
			Does:         "Answers the first download with 500.", Expects: "the certificate of this order in its place",
			Faults: []string{"cert-500-then-ok"},
			Stage: func(s *Stage) {
				s.inject(1, refuse("cert-500-then-ok", mockca.Problem{Type: mockca.TypeServerInternal, Status: 500, Detail: "not now"}), at(mockca.Certificate))
			},
			Play: func(t *Trial) {
				t.recovers()
				t.Should(len(t.CA.Orders()) == 1, t.main(), "one order", "%d: the first one's certificate is lost", len(t.CA.Orders()))
			},
		},
		{
			ID: "rfc8555/7.4.2/download-cut-off", Title: "Installs no half of a chain",
			Requirements: []string{"RFC8555-7.4-37"},
			Does:         "Closes the connection in the middle of the first download.", Expects: "another attempt, or a failure; never half a file",
			Faults: []string{"close-mid-body"},
			Stage: func(s *Stage) {
				s.inject(1, alter("close-mid-body", func(_ *mockca.Exchange, r *mockca.Response) { r.Wire.Cut, r.Wire.CutAfter = true, len(r.Body)*2/3 }), at(mockca.Certificate))
			},
			Play: func(t *Trial) {
				r := t.recovers()
				p := t.has(r)
				t.Must(len(p.chain) >= 2, t.main(), "the whole chain", "%d certificates", len(p.chain))
			},
		},
	}, refusedScenarios()...)
}

// refusedScenarios are certificates that must not be installed. No standard says
// so in as many words, so they are warnings.
func refusedScenarios() (all []Scenario) {
	for _, c := range []struct {
		name, fault, title, does string
		spoil                    func(*Trial)
	}{
		{"wrong-key", "cert-wrong-key", "Refuses a certificate for another key", "Certifies another key than the CSR's.", func(t *Trial) { t.CA.Inject(mockca.CertWrongKey()) }},
		{"wrong-names", "cert-wrong-names", "Refuses a certificate for other names", "Certifies other names than those ordered.", func(t *Trial) { t.CA.Inject(catalogued("cert-wrong-names")) }},
		{"expired", "cert-expired", "Refuses a certificate that has expired", "Issues a certificate that expired an hour ago.", func(t *Trial) {
			t.CA.ChangePolicy(func(p *mockca.Policy) {
				p.Profiles = map[string]mockca.Profile{"classic": {Lifetime: time.Hour, Backdate: 2 * time.Hour}}
			})
		}},
		{"broken-chain", "chain-unrelated", "Refuses a chain that does not belong to the certificate", "Sends the authority of somebody else after the leaf.", func(t *Trial) {
			foreign := t.secondCA().ca.IssuingRootsPEM()
			t.CA.Inject(body("chain-unrelated", func(chain []byte) []byte {
				leaf, _ := pem.Decode(chain)
				return append(pem.EncodeToMemory(leaf), foreign...)
			}), at(mockca.Certificate))
		}},
		{"junk", "pem-garbage", "Refuses what is no certificate at all", "Sends a page in place of the chain.", func(t *Trial) {
			t.CA.Inject(body("pem-garbage", func([]byte) []byte { return []byte("<html><body>Your certificate is ready!</body></html>\n") }), at(mockca.Certificate))
		}},
	} {
		all = append(all, Scenario{
			ID: "rfc8555/7.4.2/" + c.name, Title: c.title, Requirements: []string{"RFC8555-7.4-37"},
			Does: c.does + " Before that all was well.", Expects: "a failure, and the old pair in its place",
			Faults: []string{c.fault},
			Play: func(t *Trial) {
				before := t.has(t.obtains())
				c.spoil(t)
				r := t.run(Issue)
				after, err := t.pair(t.Env)
				if err == nil {
					err = after.serves(t.Env.Domains)
				}
				t.at(nil).Should(err == nil && bytes.Equal(after.leaf().Raw, before.leaf().Raw), t.main(), "the old certificate with its key", "%s; %s", replaced(err), r.story())
				t.Should(r.Err != nil, t.main(), "a failure", "the client said that it succeeded")
			},
		})
	}
	return all
}

func replaced(err error) string {
	if err != nil {
		return err.Error()
	}
	return "it was replaced"
}

// body changes what is downloaded.
func body(name string, change func([]byte) []byte) mockca.Fault {
	return alter(name, func(_ *mockca.Exchange, r *mockca.Response) {
		if r.Status == 200 {
			r.Body = change(r.Body)
		}
	})
}
