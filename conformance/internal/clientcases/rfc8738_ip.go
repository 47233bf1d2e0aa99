package clientcases

import (
	"context"
	"net/netip"
	"slices"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8738: identifiers of type ip; and names as they are ordered (RFC 8555,
// Section 7.1.4).

func identifierScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/7.1.4/internationalized", Title: "Orders names with letters beyond ASCII by their A-labels",
			Requirements: []string{"RFC8555-5-04", "RFC8555-7.1.4-08"}, Needs: []Feature{Internationalized},
			Does: "The user wants a certificate for bücher.conformance.test.", Expects: "xn--bcher-kva.conformance.test in newOrder and CSR",
			Stage: func(s *Stage) { s.Env.Domains = []string{"bücher.conformance.test"} },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.NewOrder), t.main(), "xn--bcher-kva.conformance.test", orders("dns", "xn--bcher-kva.conformance.test"))
				t.has(r)
			},
		},
		{
			ID: "rfc8738/3/address", Title: "Orders addresses as type ip, and proves them by http-01",
			Requirements: []string{"RFC8738-3-02", "RFC8738-4-05", "RFC8738-4-01", "RFC8738-5-03", "RFC8738-7-02"}, Needs: []Feature{AddressIdentifiers},
			Does: "The user wants a certificate for 127.0.0.1; asks with the address as Host.", Expects: "type ip in newOrder, iPAddress in the CSR, no dns-01",
			Stage: func(s *Stage) {
				s.Env.Domains = []string{"127.0.0.1"}
				port := s.Env.HTTPPort
				s.CA.Validation.Script = func(_ context.Context, v mockca.ValidationRequest) *mockca.Problem {
					if v.Type != "http-01" {
						return &mockca.Problem{Type: mockca.TypeMalformed, Detail: v.Type + " proves no address here"}
					}
					return fetchProblem(port, v)
				}
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.NewOrder), t.main(), `{"type":"ip","value":"127.0.0.1"}`, orders("ip", "127.0.0.1"))
				t.each(r.to(mockca.Finalize), "RFC8738-4-05", "the address as iPAddress in the CSR", func(r *request) string {
					csr, problem := readCSR(r)
					if problem != "" {
						return problem
					}
					return unless(len(csr.IPAddresses) == 1 && len(csr.DNSNames) == 0, "the CSR names %v %v", csr.DNSNames, csr.IPAddresses)
				})
				for _, z := range t.CA.Authorizations() {
					for _, c := range z.Challenges {
						t.Must(c.Type != "dns-01" || c.Status == "pending", "RFC8738-7-02", "dns-01 not used", "it was answered")
					}
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8738/3/canonical", Title: "Writes addresses in their canonical form",
			Requirements: []string{"RFC8738-3-04"}, Needs: []Feature{AddressIdentifiers},
			Does: "The user writes 0:0:0:0:0:0:0:1.", Expects: "::1 in newOrder",
			Stage: func(s *Stage) {
				s.Env.Domains = []string{"0:0:0:0:0:0:0:1"}
				s.CA.Validation.Script = func(context.Context, mockca.ValidationRequest) *mockca.Problem { return nil }
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.NewOrder), t.main(), `{"type":"ip","value":"::1"}`, orders("ip", "::1"))
				t.has(r)
			},
		},
		byALPN(Scenario{
			ID: "rfc8738/6/reverse-name", Title: "Proves addresses by tls-alpn-01 under their reverse name",
			Requirements: []string{"RFC8738-6-05", "RFC8738-6-01", "RFC8738-4-02"}, Needs: []Feature{AddressIdentifiers},
			Does: "The user wants a certificate for 127.0.0.1; SNI is 1.0.0.127.in-addr.arpa.", Expects: "the certificate, with the address as its only name",
		}, func(s *Stage, _ *memory) { s.Env.Domains = []string{"127.0.0.1"} }, func(t *Trial, m *memory) {
			r := t.run(Issue)
			m.report(t)
			t.has(r)
		}),
	}
}

// orders wants one identifier in newOrder.
func orders(kind, value string) func(*request) string {
	return func(r *request) string {
		list, _ := r.object()["identifiers"].([]any)
		if len(list) == 1 {
			id, _ := list[0].(map[string]any)
			if id["type"] == kind && id["value"] == value {
				return ""
			}
		}
		return "the payload is " + excerpt(string(r.payload))
	}
}

// canonical are names with addresses in their canonical form.
func canonical(names []string) []string {
	out := slices.Clone(names)
	for i, name := range out {
		if a, err := netip.ParseAddr(name); err == nil {
			out[i] = a.String()
		}
	}
	return out
}
