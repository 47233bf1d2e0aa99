package servercases

import (
	"bytes"
	"encoding/pem"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Sections 7.4.2 and 9.1: downloading the certificate.

func certificateCases() []spec {
	look := func(name, title string, requirements []string, expects string, run func(*scene, *tour)) spec {
		return spec{id: "rfc8555/" + name, title: title, requirements: requirements, does: "Downloads a certificate.", expects: expects,
			needs: []need{needsValidation}, cost: cost{tour: true, orders: 1},
			run: func(s *scene) {
				t := s.toured()
				s.at(t.issued.pem)
				run(s, t)
			}}
	}
	return []spec{
		look("7.4.2/media-type", "Certificates come as a PEM chain", []string{"RFC8555-7.4.2-02", "RFC8555-7.4.2-08"}, "application/pem-certificate-chain without being asked.", func(s *scene, t *tour) {
			r := t.issued.pem
			s.must("RFC8555-7.4.2-02", r.MediaType() == "application/pem-certificate-chain", "application/pem-certificate-chain", "%q", r.Header.Get("Content-Type"))
			s.may("RFC8555-7.4.2-08", "Cache-Control %q, Expires %q", r.Header.Values("Cache-Control"), r.Header.Get("Expires"))
		}),
		look("7.4.2/alternates", "Alternates are chains for the same certificate", []string{"RFC8555-7.4.2-03", "RFC8555-7.4.2-04"}, "Each link with relation alternate leads to a chain that begins with the same certificate.", func(s *scene, t *tour) {
			links := t.issued.pem.Links("alternate")
			s.may("RFC8555-7.4.2-03", "%d alternates", len(links))
			for _, link := range links {
				r := s.post(t.a, link, nil)
				chain, err := parseChain(r.Body)
				if !s.should("RFC8555-7.4.2-04", r.Status == 200 && err == nil, link+" is a chain", "%s", r.Excerpt()) {
					continue
				}
				s.should("RFC8555-7.4.2-04", bytes.Equal(chain[0].Raw, t.issued.leaf().Raw), link+" begins with the same certificate", "with that of serial number %x", chain[0].SerialNumber)
			}
		}),
		look("7.4.2/constant", "A certificate's URL always has the same certificate", []string{"RFC8555-7.4.2-07"}, "The same bytes again, after another certificate for the names was issued.", func(s *scene, t *tour) {
			s.issue(t.a, t.names...)
			again := s.post(t.a, t.issued.url, nil)
			chain, err := parseChain(again.Body)
			s.must("RFC8555-7.4.2-07", err == nil && bytes.Equal(chain[0].Raw, t.issued.leaf().Raw), "the same certificate", "%s", again.Excerpt())
		}),
		look("7.4.2/formats", "Other formats are optional", []string{"RFC8555-7.4.2-10", "RFC8555-7.4.2-11"}, "DER with a link up to the issuer, a refusal, or PEM.", func(s *scene, t *tour) {
			r := s.send(t.issued.url, wire.Message{Key: t.a.key, KID: t.a.url, Headers: map[string]string{"Accept": "application/pkix-cert"}})
			s.must("RFC8555-7.4.2-10", r.Status == 406 || r.Status == 415 || r.Status == 200, "200, or 406", "%s", r.Excerpt())
			if r.Status == 200 && r.MediaType() == "application/pkix-cert" {
				s.must("RFC8555-7.4.2-10", bytes.Equal(r.Body, t.issued.leaf().Raw), "the certificate in DER", "%d other bytes", len(r.Body))
				s.should("RFC8555-7.4.2-11", len(r.Links("up")) > 0, "a link with relation up", "Link: %q", r.Header.Values("Link"))
			}
		}),
		look("9.1/strict-pem", "The chain is in strict PEM", []string{"RFC8555-9.1-01", "RFC8555-9.1-02"}, "Lines of 64 characters between the labels, and nothing else.", func(s *scene, t *tour) {
			strictPEM(s, t.issued.pem.Body)
		}),
		look("9.1/chain", "Each certificate certifies the one before", []string{"RFC8555-9.1-03", "RFC8555-9.1-04", "RFC8555-9.1-05"}, "The end-entity certificate first, its issuers after it.", func(s *scene, t *tour) {
			leaf, chain := t.issued.leaf(), t.issued.chain
			s.must("RFC8555-9.1-03", !leaf.IsCA && samePublicKey(leaf, t.issued.key), "the end-entity certificate is first", "subject %s", leaf.Subject)
			for i := 1; i < len(chain); i++ {
				err := chain[i-1].CheckSignatureFrom(chain[i])
				s.should("RFC8555-9.1-04", err == nil, "each certificate certifies the one before", "number %d: %v", i+1, err)
			}
			last := chain[len(chain)-1]
			s.may("RFC8555-9.1-05", "the trust anchor is in the chain: %v", bytes.Equal(last.RawSubject, last.RawIssuer))
		}),
		look("7.4/contents", "The certificate is what was asked for", []string{"RFC8555-7.4-03"}, "The order's names and the CSR's key.", func(s *scene, t *tour) {
			s.matches("RFC8555-7.4-03", t.issued)
		}),
	}
}

// strictPEM checks the strict grammar of RFC 7468, Section 3.
func strictPEM(s *scene, text []byte) {
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	inside, short := false, false
	for i, line := range lines {
		switch {
		case line == "-----BEGIN CERTIFICATE-----" && !inside:
			inside, short = true, false
		case line == "-----END CERTIFICATE-----" && inside:
			inside = false
		case inside:
			s.must("RFC8555-9.1-01", !short && len(line) > 0 && len(line) <= 64, "lines of 64 characters, but for the last", "line %d: %q", i+1, line)
			short = len(line) < 64
		default:
			s.must("RFC8555-9.1-02", line == "", "nothing between the certificates", "line %d: %q", i+1, line)
		}
	}
	s.must("RFC8555-9.1-01", !inside, "an end of each certificate", "none")
	block, _ := pem.Decode(text)
	s.must("RFC8555-9.1-01", block != nil && len(block.Headers) == 0, "no headers", "some")
}
