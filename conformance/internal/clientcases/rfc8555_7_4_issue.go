package clientcases

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Section 7.4: orders, CSRs and certificates, without any fault.

func issueScenarios() []Scenario {
	return []Scenario{
		{
			ID: Baseline, Title: "Gets a certificate from a CA without fault",
			Requirements: []string{"RFC8555-7.4-37", "RFC8555-7.4-34", "RFC8555-7.1.6-19", "RFC8555-7.4.2-06"},
			Does:         "Everything right.", Expects: "one order, one finalization, one certificate, in its place with its key",
			Play: func(t *Trial) {
				r := t.obtains()
				t.bounded(r.to(mockca.NewOrder), 1, "RFC8555-7.4-37", "orders")
				t.bounded(r.to(mockca.Finalize), 1, "RFC8555-7.4-34", "finalizations")
				t.Must(len(r.to(mockca.Certificate)) > 0, "RFC8555-7.4-37", "the certificate is downloaded", "it is not")
			},
		},
		{
			ID: "rfc8555/7.4/new-order", Title: "newOrder lists identifiers with type and value",
			Requirements: []string{"RFC8555-7.4-01"},
			Does:         "Issues for two names.", Expects: "the two names, each as type dns and value",
			Stage: func(s *Stage) { s.Env.Domains = []string{"a.conformance.test", "b.conformance.test"} },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.NewOrder), "RFC8555-7.4-01", `identifiers of {"type":"dns","value":...}`, func(r *request) string {
					list, _ := r.object()["identifiers"].([]any)
					var names []string
					for _, each := range list {
						id, _ := each.(map[string]any)
						value, _ := id["value"].(string)
						if id["type"] == "dns" && len(id) == 2 {
							names = append(names, value)
						}
					}
					slices.Sort(names)
					return unless(slices.Equal(names, t.Env.Domains), "the payload is %s", excerpt(string(r.payload)))
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.4/csr", Title: "finalize carries the CSR in DER, base64url, for the order's names",
			Requirements: []string{"RFC8555-7.4-13", "RFC8555-7.4-14", "RFC8555-7.4-17", "RFC8555-7.4-18"},
			Does:         "Issues for two names.", Expects: "a CSR that names exactly the two",
			Stage: func(s *Stage) { s.Env.Domains = []string{"a.conformance.test", "b.conformance.test"} },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.Finalize), "RFC8555-7.4-13", "csr, in DER and base64url, for the two names", func(r *request) string {
					csr, problem := readCSR(r)
					if problem != "" {
						return problem
					}
					names := append(csr.DNSNames, csr.Subject.CommonName)
					slices.Sort(names)
					names = slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
					return unless(slices.Equal(names, t.Env.Domains) && csr.CheckSignature() == nil, "the CSR names %s", strings.Join(names, ", "))
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/11.1/csr-key", Title: "The account's key is in no certificate",
			Requirements: []string{"RFC8555-11.1-02"},
			Does:         "Issues a certificate.", Expects: "a CSR with another key than the account's",
			Stage: func(s *Stage) { s.CA.Disabled = []mockca.Check{mockca.CheckCSRAccountKey} },
			Play: func(t *Trial) {
				r := t.run(Issue)
				accounts := map[string]bool{}
				for _, a := range t.CA.Accounts() {
					if der, err := x509.MarshalPKIXPublicKey(a.Key.Key); err == nil {
						accounts[string(der)] = true
					}
				}
				t.each(r.to(mockca.Finalize), "RFC8555-11.1-02", "a key of its own", func(r *request) string {
					csr, problem := readCSR(r)
					if problem != "" {
						return problem
					}
					return unless(!accounts[string(csr.RawSubjectPublicKeyInfo)], "it is the account's")
				})
				t.has(r)
			},
		},
	}
}

// readCSR reads the CSR of a finalization, or says what is wrong with it.
func readCSR(r *request) (*x509.CertificateRequest, string) {
	text, _ := r.object()["csr"].(string)
	der, err := base64.RawURLEncoding.DecodeString(text)
	if text == "" || err != nil {
		return nil, "csr is not base64url: " + excerpt(text)
	}
	var raw asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &raw); err != nil || len(rest) > 0 {
		return nil, "csr is not DER"
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, "csr can't be read: " + err.Error()
	}
	return csr, ""
}
