package servercases

import (
	"slices"
	"strings"
)

// RFC 8555, Section 8.4, and the drafts of dns-account-01 and dns-persist-01:
// challenges in DNS.

// answerDNS validates a new name by a DNS challenge and returns the final
// authorization. prepare publishes the records.
func (s *scene) answerDNS(kind string, wildcard bool, prepare func(a *account, z *authorization, challenge object)) *authorization {
	a, name := s.account(), s.name()
	names := []string{name}
	if wildcard {
		names = []string{"*." + name}
	}
	z := s.authorizations(a, s.wildcardOrder(a, names...))[0]
	challenge := s.offered(z, kind)
	prepare(a, z, challenge)
	if r := s.respond(a, challenge); r.Status != 200 {
		s.inconclusive("the challenge could not be answered: %s", r.Excerpt())
	}
	return s.settle(a, z)
}

func dns01Cases() []spec {
	type publish = func(s *scene, a *account, z *authorization, right string)
	var cases []spec
	for _, each := range []struct {
		name, what, requirement string
		should, valid           bool
		publish                 publish
	}{
		{"right", "one right record", "RFC8555-8.4-05", false, true, func(s *scene, _ *account, z *authorization, right string) {
			s.serveTXT("_acme-challenge."+z.name(), right)
		}},
		{"among-others", "a right record among wrong ones", "RFC8555-8.4-06", false, true, func(s *scene, _ *account, z *authorization, right string) {
			s.serveTXT("_acme-challenge."+z.name(), "wrong", right, s.newKey().Thumbprint())
		}},
		{"none", "no record", "RFC8555-8.4-07", false, false, func(*scene, *account, *authorization, string) {}},
		{"wrong", "a wrong record", "RFC8555-8.4-07", false, false, func(s *scene, _ *account, z *authorization, _ string) {
			s.serveTXT("_acme-challenge."+z.name(), s.newKey().Thumbprint())
		}},
		{"at-the-name", "a right record at the name itself", "RFC8555-8.4-05", false, false, func(s *scene, _ *account, z *authorization, right string) {
			s.serveTXT(z.name(), right)
		}},
		{"nxdomain", "a name that does not exist", "RFC8555-8.4-07", false, false, func(s *scene, _ *account, z *authorization, _ string) {
			s.env.Responder.SetNXDomain("_acme-challenge." + z.name())
			s.cleanup(func() { s.env.Responder.ClearDNS("_acme-challenge." + z.name()) })
		}},
		{"cname", "an alias to a right record", "RFC8555-8.4-08", true, true, func(s *scene, _ *account, z *authorization, right string) {
			target := "elsewhere." + s.name()
			s.serveTXT(target, right)
			s.env.Responder.SetCNAME("_acme-challenge."+z.name(), target)
			s.cleanup(func() { s.env.Responder.ClearDNS("_acme-challenge." + z.name()) })
		}},
	} {
		expected, failures := "invalid", 1
		if each.valid {
			expected, failures = "valid", 0
		}
		cases = append(cases, spec{
			id: "rfc8555/8.4/" + each.name, title: "dns-01 with " + each.what + " is " + expected,
			requirements: []string{each.requirement}, does: "Validates by dns-01 with " + each.what + ".", expects: "The authorization becomes " + expected + ".",
			needs: []need{needsDNS}, cost: cost{accounts: 1, orders: 1, failures: failures},
			run: func(s *scene) {
				z := s.answerDNS(dns01, false, func(a *account, z *authorization, challenge object) {
					each.publish(s, a, z, a.key.DNSValue(challenge.text("token")))
				})
				check := s.must
				if each.should {
					check = s.should
				}
				check(each.requirement, z.status() == expected, "the authorization becomes "+expected, "%s: %s", z.status(), explain(z))
			},
		})
	}
	return append(cases, spec{
		id: "rfc8555/8.4/transport", title: "DNS is asked over TCP",
		requirements: []string{"RFC8555-11.2-01", "RFC8555-8.4-05"}, does: "Validates by dns-01 and looks at the questions.",
		expects: "TXT of _acme-challenge, over TCP.",
		needs:   []need{needsDNS}, cost: cost{accounts: 1, orders: 1},
		run: func(s *scene) {
			var name string
			s.answerDNS(dns01, false, func(a *account, z *authorization, challenge object) {
				name = "_acme-challenge." + z.name()
				s.serveTXT(name, a.key.DNSValue(challenge.text("token")))
			})
			asked, stream := false, false
			for _, question := range s.env.Responder.DNSSeen(name) {
				asked = asked || question.Type == "TXT"
				stream = stream || question.Network == "tcp"
			}
			s.must("RFC8555-8.4-05", asked, "a question for TXT of "+name, "none")
			s.should("RFC8555-11.2-01", stream, "questions over TCP", "all over UDP")
		},
	})
}

// dnsAccountName is where dns-account-01 looks: a label made of the account's
// URL below _acme-challenge.
func dnsAccountName(accountURL, name string) string {
	return "_" + accountLabel(accountURL) + "._acme-challenge." + name
}

func dnsAccountCases() []spec {
	group := func(name, what string, requirements []string, valid bool, publish func(s *scene, a *account, z *authorization, right string)) spec {
		expected, failures := "invalid", 1
		if valid {
			expected, failures = "valid", 0
		}
		return spec{
			id: "dns-account-01/" + name, title: "dns-account-01 with " + what + " is " + expected, requirements: requirements,
			does: "Validates by dns-account-01 with " + what + ".", expects: "The authorization becomes " + expected + ".",
			needs: []need{needsDNS}, cost: cost{accounts: 1, orders: 1, failures: failures},
			run: func(s *scene) {
				var owner string
				z := s.answerDNS(dnsAccount01, false, func(a *account, z *authorization, challenge object) {
					owner = a.url
					publish(s, a, z, a.key.DNSValue(challenge.text("token")))
				})
				for _, requirement := range requirements {
					if requirement != "DNSACCOUNT-3.4-01" {
						s.must(requirement, z.status() == expected, "the authorization becomes "+expected, "%s: %s", z.status(), explain(z))
					}
				}
				if slices.Contains(requirements, "DNSACCOUNT-3.4-01") {
					s.should("DNSACCOUNT-3.4-01", strings.Contains(explain(z), owner), "an error that names "+owner, "%s", explain(z))
				}
			},
		}
	}
	return []spec{
		group("right", "a right record", []string{"DNSACCOUNT-3.3-01", "DNSACCOUNT-3.5-02", "DNSACCOUNT-3.3-02"}, true, func(s *scene, a *account, z *authorization, right string) {
			s.serveTXT(dnsAccountName(a.url, z.name()), "wrong", right)
		}),
		group("upper-case", "a right record whose label was made in capitals", []string{"DNSACCOUNT-3.2-04"}, true, func(s *scene, a *account, z *authorization, right string) {
			s.serveTXT(strings.ToUpper(dnsAccountName(a.url, z.name())), right)
		}),
		group("cname", "an alias to a right record", []string{"DNSACCOUNT-3.3-03"}, true, func(s *scene, a *account, z *authorization, right string) {
			target := "elsewhere." + s.name()
			s.serveTXT(target, right)
			name := dnsAccountName(a.url, z.name())
			s.env.Responder.SetCNAME(name, target)
			s.cleanup(func() { s.env.Responder.ClearDNS(name) })
		}),
		group("wrong", "a wrong record", []string{"DNSACCOUNT-3.3-04"}, false, func(s *scene, a *account, z *authorization, _ string) {
			s.serveTXT(dnsAccountName(a.url, z.name()), s.newKey().Thumbprint())
		}),
		group("plain", "a right record at the place of dns-01", []string{"DNSACCOUNT-3.3-04", "DNSACCOUNT-3.4-01"}, false, func(s *scene, _ *account, z *authorization, right string) {
			s.serveTXT("_acme-challenge."+z.name(), right)
		}),
	}
}
