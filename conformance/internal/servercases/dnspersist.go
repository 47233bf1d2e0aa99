package servercases

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// draft-ietf-acme-dns-persist: a record that stays.

// accountLabel is the first ten octets of the URL's SHA-256 in base32.
func accountLabel(accountURL string) string {
	sum := sha256.Sum256([]byte(accountURL))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10]))
}

var issuerName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// issuers offered in a dns-persist-01 challenge, in the spelling of any draft.
func issuers(challenge object) ([]string, bool) {
	for _, name := range []string{"issuer-domain-names", "issuerDomainNames"} {
		if challenge.has(name) {
			return challenge.texts(name)
		}
	}
	return nil, false
}

func persistCases() []spec {
	cases := []spec{{
		id: "dns-persist-01/challenge", title: "dns-persist-01 challenges have the right form",
		requirements: []string{"DNSPERSIST-3.1-01", "DNSPERSIST-3.1-02", "DNSPERSIST-3.1-03", "DNSPERSIST-3.1-04", "DNSPERSIST-3.1-05", "DNSPERSIST-4.2-02"},
		does:         "Orders a name and looks at the challenge.",
		expects:      "One to ten issuer names in lower case, and a pending authorization.",
		cost:         cost{accounts: 1, orders: 1},
		run: func(s *scene) {
			a := s.account()
			z := s.authorizations(a, s.order(a, s.name()))[0]
			c := s.offered(z, dnsPersist01)
			s.must("DNSPERSIST-4.2-02", z.status() == "pending", "a pending authorization", "%s", z.status())
			names, ok := issuers(c)
			s.must("DNSPERSIST-3.1-01", isURL(c.text("url")) && c.status() != "" && ok, "url, status and issuer names", "%v", map[string]any(c))
			s.must("DNSPERSIST-3.1-02", len(names) > 0, "an issuer name at least", "none")
			s.must("DNSPERSIST-3.1-03", len(names) <= 10, "ten issuer names at most", "%d", len(names))
			for _, name := range names {
				s.must("DNSPERSIST-3.1-04", issuerName.MatchString(name), "a name in lower case without a dot at the end", "%q", name)
				s.must("DNSPERSIST-3.1-05", len(name) <= 253, "253 octets at most", "%d", len(name))
			}
		},
	}}
	for _, each := range []struct {
		name, what, requirement string
		wildcard, valid         bool
		records                 func(issuer, account string) []string
	}{
		{"unknown-tag", "a right record with a parameter that nobody knows", "DNSPERSIST-4-03", false, true, func(issuer, account string) []string {
			return []string{issuer + "; accounturi=" + account + "; x-unknown=value"}
		}},
		{"no-account", "a record without accounturi", "DNSPERSIST-4-05", false, false, func(issuer, _ string) []string { return []string{issuer} }},
		{"other-account", "a record of another account", "DNSPERSIST-4-05", false, false, func(issuer, account string) []string {
			return []string{issuer + "; accounturi=" + account + "0"}
		}},
		{"policy-case", "a wildcard policy in mixed case", "DNSPERSIST-4-06", true, true, func(issuer, account string) []string {
			return []string{issuer + "; accounturi=" + account + "; POLICY=WildCard"}
		}},
		{"no-policy", "a wildcard, but no policy for it", "DNSPERSIST-4-07", true, false, func(issuer, account string) []string {
			return []string{issuer + "; accounturi=" + account}
		}},
		{"expired", "a record whose time is over", "DNSPERSIST-4-10", false, false, func(issuer, account string) []string {
			return []string{issuer + "; accounturi=" + account + "; persistUntil=" + fmt.Sprint(time.Now().Add(-time.Hour).Unix())}
		}},
		{"other-issuer", "a record of another issuer", "DNSPERSIST-4-11", false, false, func(_, account string) []string {
			return []string{"other-ca.example; accounturi=" + account}
		}},
		{"among-others", "a right record beside one of another issuer", "DNSPERSIST-4.1.2-01", false, true, func(issuer, account string) []string {
			return []string{"other-ca.example; accounturi=https://other-ca.example/1", issuer + "; accounturi=" + account}
		}},
		{"only-others", "records of other issuers", "DNSPERSIST-4.1.2-02", false, false, func(string, string) []string {
			return []string{"other-ca.example; accounturi=https://other-ca.example/1"}
		}},
		{"removed", "a record that was removed", "DNSPERSIST-7.10-01", false, false, func(string, string) []string { return nil }},
	} {
		expected, failures := "invalid", 1
		if each.valid {
			expected, failures = "valid", 0
		}
		cases = append(cases, spec{
			id: "dns-persist-01/" + each.name, title: "dns-persist-01 with " + each.what + " is " + expected, requirements: []string{each.requirement},
			does: "Validates by dns-persist-01 with " + each.what + ".", expects: "The authorization becomes " + expected + ".",
			needs: []need{needsDNS}, cost: cost{accounts: 1, orders: 1, failures: failures},
			run: func(s *scene) {
				z := s.answerDNS(dnsPersist01, each.wildcard, func(a *account, z *authorization, challenge object) {
					names, _ := issuers(challenge)
					if len(names) == 0 {
						s.inconclusive("the challenge names no issuer")
					}
					s.serveTXT("_validation-persist."+z.name(), each.records(names[0], a.url)...)
				})
				s.must(each.requirement, z.status() == expected, "the authorization becomes "+expected, "%s: %s", z.status(), explain(z))
			},
		})
	}
	return cases
}
