package clientcases

import (
	"context"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Section 8.4: dns-01.

func dns01Scenarios() []Scenario {
	byDNS := func(s *Stage) { s.Env.Challenge = "dns-01" }
	return []Scenario{
		{
			ID: "rfc8555/8.4/record", Title: "Publishes the digest of the key authorization at _acme-challenge",
			Requirements: []string{"RFC8555-8.4-03", "RFC8555-8.4-04"}, Needs: []Feature{DNS01},
			Does: "Looks for the record the moment the challenge is answered.", Expects: "the value, where it belongs",
			Stage: byDNS,
			Play:  func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/8.4/removed", Title: "Removes its record, and no other",
			Requirements: []string{"RFC8555-8.4-10", "RFC8555-8.4-11"}, Needs: []Feature{DNS01},
			Does: "Has a foreign value at the same name all along.", Expects: "that value alone after the run",
			Stage: byDNS,
			Play: func(t *Trial) {
				t.DNS.AddTXT("_acme-challenge.www.conformance.test", "somebody else's")
				t.obtains()
				left := t.txt("_acme-challenge.www.conformance.test")
				t.Should(len(left) <= 1, "RFC8555-8.4-10", "the client's value gone", "there are %q", left)
				t.Should(slices.Contains(left, "somebody else's"), "RFC8555-8.4-11", "the foreign value untouched", "there are %q", left)
			},
		},
		{
			ID: "rfc8555/8.4/wildcard-and-base", Title: "Has both values at once for a name and its wildcard",
			Requirements: []string{"RFC8555-8.4-09", "RFC8555-8.4-04", "RFC8555-7.1.3-10"}, Needs: []Feature{DNS01},
			Does: "Issues for a name and its wildcard, and looks for both values when the first challenge is answered, and when the second is.", Expects: "a certificate for both",
			Stage: func(s *Stage) {
				byDNS(s)
				s.Env.Domains = []string{"*.wild.conformance.test", "wild.conformance.test"}
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.NewOrder), "RFC8555-7.1.3-10", "the wildcard among the identifiers", func(r *request) string {
					return unless(strings.Contains(string(r.payload), `"*.wild.conformance.test"`), "the payload is %s", excerpt(string(r.payload)))
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/8.4/failed", Title: "Removes its record when validation fails, too",
			Requirements: []string{"RFC8555-8.4-10", "RFC8555-7.5.1-07"}, Needs: []Feature{DNS01},
			Does: "Says that the record is wrong.", Expects: "a failure, and no record after the run",
			Stage: func(s *Stage) {
				byDNS(s)
				s.CA.Validation.Script = func(context.Context, mockca.ValidationRequest) *mockca.Problem {
					return &mockca.Problem{Type: mockca.TypeUnauthorized, Detail: "found something else"}
				}
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "validation failed")
				left := t.txt("_acme-challenge.www.conformance.test")
				t.Should(len(left) == 0, t.main(), "no record", "there are %q", left)
			},
		},
	}
}

// txt are the values at a name.
func (t *Trial) txt(name string) (values []string) {
	for _, record := range t.DNS.Records() {
		fields := strings.SplitN(record, "\t", 5)
		if len(fields) == 5 && fields[3] == "TXT" && strings.TrimSuffix(strings.ToLower(fields[0]), ".") == name {
			values = append(values, strings.Trim(fields[4], `"`))
		}
	}
	return values
}
