package servercases

import (
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
)

// RFC 8659 and RFC 8657: CAA records, and RFC 8555, Section 7.1.1, of
// caaIdentities.

// caaCase publishes records at the name, or above it, and says whether a
// certificate may be issued.
type caaCase struct {
	name, what, requirement string
	allowed, wildcard       bool
	method                  string // of validation; any when empty
	place                   func(s *scene, name, ca, account string)
}

func caaRecords(records func(ca, account string) []responder.CAA) func(*scene, string, string, string) {
	return func(s *scene, name, ca, account string) { s.serveCAA(name, records(ca, account)...) }
}

func one(tag string, value func(ca, account string) string) func(*scene, string, string, string) {
	return caaRecords(func(ca, account string) []responder.CAA {
		return []responder.CAA{{Tag: tag, Value: value(ca, account)}}
	})
}

func (s *scene) serveCAA(name string, records ...responder.CAA) {
	s.env.Responder.SetCAA(name, records...)
	s.cleanup(func() { s.env.Responder.ClearDNS(name) })
}

func fixed(value string) func(string, string) string {
	return func(string, string) string { return value }
}

func caaCases() []spec {
	all := []caaCase{
		{"own", "the CA's own domain name", "RFC8555-7.1.1-12", true, false, "", one("issue", func(ca, _ string) string { return ca })},
		{"other", "another CA's domain name", "RFC8659-3-02", false, false, "", one("issue", fixed("other-ca.example"))},
		{"not-advertised", "a domain name that is not in caaIdentities", "RFC8555-7.1.1-12", false, false, "", one("issue", fixed("not-advertised.example"))},
		{"none", "no records", "RFC8659-3-04", true, false, "", func(*scene, string, string, string) {}},
		{"forbidden", `issue ";"`, "RFC8659-4.2-01", false, false, "", one("issue", fixed(";"))},
		{"parent", `issue ";" at the parent`, "RFC8659-3-01", false, false, "", func(s *scene, name, _, _ string) {
			_, parent, _ := strings.Cut(name, ".")
			s.serveCAA(parent, responder.CAA{Tag: "issue", Value: ";"})
		}},
		{"tag-case", "a tag in mixed case", "RFC8659-4.1-01", false, false, "", one("IsSuE", fixed("other-ca.example"))},
		{"servfail", "SERVFAIL", "RFC8659-3-03", false, false, "", func(s *scene, name, _, _ string) {
			_, parent, _ := strings.Cut(name, ".")
			s.env.Responder.SetServFail(parent)
			s.cleanup(func() { s.env.Responder.ClearDNS(parent) })
		}},
		{"issuewild", `issuewild ";" for a plain name`, "RFC8659-4.3-01", true, false, "", one("issuewild", fixed(";"))},
		{"wildcard", `issuewild ";" beside a permission to issue, for a wildcard`, "RFC8659-4.3-02", false, true, dns01, caaRecords(func(ca, _ string) []responder.CAA {
			return []responder.CAA{{Tag: "issue", Value: ca}, {Tag: "issuewild", Value: ";"}}
		})},
		{"critical", "a critical property that nobody knows", "RFC8659-4.5-01", false, false, "", caaRecords(func(ca, _ string) []responder.CAA {
			return []responder.CAA{{Tag: "issue", Value: ca}, {Flag: 128, Tag: "unknown", Value: "x"}}
		})},
		{"account", "accounturi of the account", "RFC8657-3.1-02", true, false, "", one("issue", func(ca, account string) string { return ca + "; accounturi=" + account })},
		{"account-form", "an account URL as accounturi", "RFC8657-3.1-01", true, false, "", one("issue", func(ca, account string) string { return ca + "; accounturi=" + account })},
		{"other-account", "accounturi of another account", "RFC8657-3-01", false, false, "", one("issue", func(ca, account string) string { return ca + "; accounturi=" + account + "0" })},
		{"any-account", "no accounturi", "RFC8657-3-02", true, false, "", one("issue", func(ca, _ string) string { return ca })},
		{"bad-account", "accounturi that is none", "RFC8657-3-03", false, false, "", one("issue", func(ca, _ string) string { return ca + "; accounturi=nonsense" })},
		{"two-accounts", "accounturi twice", "RFC8657-3-04", false, false, "", one("issue", func(ca, account string) string { return ca + "; accounturi=" + account + "; accounturi=" + account })},
		{"other-issuer-account", "accounturi of the account with another CA", "RFC8657-3-05", false, false, "", one("issue", func(_, account string) string { return "other-ca.example; accounturi=" + account })},
		{"method", "validationmethods with the method", "RFC8657-4-01", true, false, http01, one("issue", func(ca, _ string) string { return ca + "; validationmethods=dns-01,http-01" })},
		{"other-method", "validationmethods without the method", "RFC8657-4-01", false, false, http01, one("issue", func(ca, _ string) string { return ca + "; validationmethods=dns-01" })},
		{"no-method", "validationmethods that is empty", "RFC8657-4-02", false, false, http01, one("issue", func(ca, _ string) string { return ca + "; validationmethods=" })},
		{"bad-method", "validationmethods that is not in its grammar", "RFC8657-4-03", false, false, http01, one("issue", func(ca, _ string) string { return ca + "; validationmethods=http-01,bad_label" })},
	}
	var cases []spec
	for _, each := range all {
		cases = append(cases, each.spec())
	}
	return append(cases, spec{
		id: "rfc8657/5.4/uri", title: "Account URIs say whose they are", requirements: []string{"RFC8657-5.4-02"},
		does: "Creates an account.", expects: "An absolute https URL.", cost: cost{accounts: 1},
		run: func(s *scene) {
			a := s.account()
			s.should("RFC8657-5.4-02", isHTTPS(a.url), "an absolute https URL", "%q", a.url)
		},
	})
}

func (c caaCase) spec() spec {
	verb, requirements, failures := "is allowed to issue", []string{c.requirement}, 0
	if !c.allowed {
		verb, failures = "issues nothing", 1
		requirements = append(requirements, "RFC8555-6.7-12")
	}
	section := "rfc8659/"
	if strings.HasPrefix(c.requirement, "RFC8657") {
		section = "rfc8657/"
	}
	return spec{
		id: section + "caa-" + c.name, title: "With CAA of " + c.what + " the server " + verb, requirements: requirements,
		does: "Publishes " + c.what + ", validates and finalizes.", expects: "The server " + verb + ".",
		needs: []need{needsDNS}, cost: cost{accounts: 1, orders: 1, failures: failures},
		run: func(s *scene) {
			ca := s.caaIdentity()
			a := s.account()
			name := "sub." + s.name()
			ordered := name
			if c.wildcard {
				ordered = "*." + name
			}
			c.place(s, name, ca, a.url)
			got, why, kind := s.tryToIssue(a, ordered, c.method)
			s.must(c.requirement, got == c.allowed, "the server "+verb, "%s", why)
			if !c.allowed && !got {
				s.should("RFC8555-6.7-12", slices.Contains([]string{"caa", "dns", "compound"}, kind), "an error of type caa", "%s", why)
			}
		},
	}
}

// caaIdentity is a name that the server honours; the case is skipped when it
// says of none.
func (s *scene) caaIdentity() string {
	names, _ := object(s.directory().Members).member("meta").texts("caaIdentities")
	if len(names) == 0 {
		s.skip("the server advertises no caaIdentities, which are optional (RFC 8555, Section 7.1.1)")
	}
	return names[0]
}

// tryToIssue goes as far as the server lets it, and says how far that is.
func (s *scene) tryToIssue(a *account, name, method string) (got bool, why, kind string) {
	r := s.newOrder(a, dnsIDs([]string{name}), nil)
	if r.Status != 201 {
		return false, "newOrder: " + r.Excerpt(), shortType(r)
	}
	o := &order{object: objectOf(r), url: r.Location(), created: r}
	z := s.authorizations(a, o)[0]
	challenge := s.pick(z)
	if method != "" {
		challenge = s.offered(z, method)
	}
	s.publish(a, z, challenge)
	s.respond(a, challenge)
	if z = s.settle(a, z); z.status() != "valid" {
		problem := z.challenge(challenge.text("type")).member("error")
		return false, "validation: " + explain(z), strings.TrimPrefix(problem.text("type"), "urn:ietf:params:acme:error:")
	}
	o = &order{s.poll(a, o.url, func(status string) bool { return status != "pending" }), o.url, r}
	if r = s.finalize(a, o, s.csrFor(o, s.newKey())); r.Status != 200 {
		return false, "finalize: " + r.Excerpt(), shortType(r)
	}
	final := s.poll(a, o.url, func(status string) bool { return status != "processing" && status != "ready" })
	problem := final.member("error")
	return final.status() == "valid", "the order became " + final.status() + " " + problem.text("detail"), strings.TrimPrefix(problem.text("type"), "urn:ietf:params:acme:error:")
}
