package servercases

import (
	"strings"

	"github.com/miekg/dns"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that violate RFC 8659 and RFC 8657: CAA.

func caaMutants() []mutant {
	// records rewrites CAA records, and drops those for which it returns false.
	records := func(edit func(*dns.CAA) bool) func(*stage) {
		return resolving(func(_ func(string) *dns.Msg, q dns.Question, m *dns.Msg) {
			if q.Qtype != dns.TypeCAA {
				return
			}
			var kept []dns.RR
			for _, each := range m.Answer {
				if c, ok := each.(*dns.CAA); !ok || edit(c) {
					kept = append(kept, each)
				}
			}
			m.Answer = kept
		})
	}
	parameters := func(name string) func(*stage) {
		return records(func(c *dns.CAA) bool {
			if head, rest, found := strings.Cut(c.Value, "; "+name); found {
				_, tail, more := strings.Cut(rest, ";")
				c.Value = head
				if more {
					c.Value += ";" + tail
				}
			}
			if head, _, found := strings.Cut(c.Value, "; "+name); found {
				c.Value = head
			}
			return true
		})
	}
	return []mutant{
		{"caa-ignored", "does not look at CAA", off(mockca.CheckCAA), map[string]string{
			"rfc8657/caa-bad-account":          "RFC8657-3-03",
			"rfc8657/caa-bad-method":           "RFC8657-4-03",
			"rfc8657/caa-no-method":            "RFC8657-4-02",
			"rfc8657/caa-other-account":        "RFC8657-3-01",
			"rfc8657/caa-other-issuer-account": "RFC8657-3-05",
			"rfc8657/caa-other-method":         "RFC8657-4-01",
			"rfc8657/caa-two-accounts":         "RFC8657-3-04",
			"rfc8659/caa-critical":             "RFC8659-4.5-01",
			"rfc8659/caa-forbidden":            "RFC8659-4.2-01",
			"rfc8659/caa-not-advertised":       "RFC8555-7.1.1-12",
			"rfc8659/caa-other":                "RFC8659-3-02",
			"rfc8659/caa-parent":               "RFC8659-3-01",
			"rfc8659/caa-servfail":             "RFC8659-3-03",
			"rfc8659/caa-tag-case":             "RFC8659-4.1-01",
			"rfc8659/caa-wildcard":             "RFC8659-4.3-02",
		}},
		wide(mutant{"caa-forbids", "issues nothing where there is CAA", resolving(func(_ func(string) *dns.Msg, q dns.Question, m *dns.Msg) {
			if q.Qtype == dns.TypeCAA {
				m.Rcode = dns.RcodeServerFailure
			}
		}), map[string]string{
			"rfc8555/8.4/among-others": "RFC8555-8.4-06",
			"rfc8555/8.4/cname":        "RFC8555-8.4-08",
			"rfc8555/8.4/right":        "RFC8555-8.4-05",
			"rfc8659/caa-none":         "RFC8659-3-04",
		}}),
		{"caa-unnamed", "refuses the name that it says is its own", both(with(func(p *mockca.Policy) { p.CAAIdentities = []string{"other.mockca.test"} }),
			objects(inMeta(set("caaIdentities", []any{"mockca.test"})), mockca.Directory)), map[string]string{
			"rfc8657/caa-account":      "RFC8657-3.1-02",
			"rfc8657/caa-account-form": "RFC8657-3.1-01",
			"rfc8657/caa-any-account":  "RFC8657-3-02",
			"rfc8657/caa-method":       "RFC8657-4-01",
			"rfc8659/caa-own":          "RFC8555-7.1.1-12",
		}},
		{"caa-not-advertised", "honours a name that it does not advertise", records(func(c *dns.CAA) bool {
			c.Value = strings.Replace(c.Value, "not-advertised.example", "mockca.test", 1)
			return true
		}), map[string]string{
			"rfc8659/caa-not-advertised": "RFC8555-7.1.1-12",
		}},
		{"caa-of-all", "honours names of other CAs", records(func(c *dns.CAA) bool {
			c.Value = strings.Replace(c.Value, "other-ca.example", "mockca.test", 1)
			return true
		}), map[string]string{
			"rfc8657/caa-other-issuer-account": "RFC8657-3-05",
		}},
		{"caa-here", "does not climb up to parents", resolving(func(_ func(string) *dns.Msg, q dns.Question, m *dns.Msg) {
			if q.Qtype == dns.TypeCAA && !strings.HasPrefix(q.Name, "sub.") {
				m.Answer, m.Rcode = nil, dns.RcodeSuccess
			}
		}), map[string]string{
			"rfc8659/caa-parent":   "RFC8659-3-01",
			"rfc8659/caa-servfail": "RFC8659-3-03",
		}},
		{"caa-tag-case", "minds the case of tags", records(func(c *dns.CAA) bool { return c.Tag == strings.ToLower(c.Tag) }), map[string]string{
			"rfc8659/caa-tag-case": "RFC8659-4.1-01",
		}},
		{"caa-servfail", "takes SERVFAIL for no records", resolving(func(_ func(string) *dns.Msg, q dns.Question, m *dns.Msg) {
			if q.Qtype == dns.TypeCAA && m.Rcode == dns.RcodeServerFailure {
				m.Rcode = dns.RcodeSuccess
			}
		}), map[string]string{
			"rfc8659/caa-servfail": "RFC8659-3-03",
		}},
		{"caa-wild-for-all", "applies issuewild to plain names", records(func(c *dns.CAA) bool {
			if c.Tag == "issuewild" {
				c.Tag = "issue"
			}
			return true
		}), map[string]string{
			"rfc8659/caa-issuewild": "RFC8659-4.3-01",
			"rfc8659/caa-wildcard":  "RFC8659-4.3-02",
		}},
		{"caa-wild-ignored", "ignores issuewild", records(func(c *dns.CAA) bool { return c.Tag != "issuewild" }), map[string]string{
			"rfc8659/caa-wildcard": "RFC8659-4.3-02",
		}},
		{"caa-critical-ignored", "ignores critical properties", records(func(c *dns.CAA) bool { c.Flag = 0; return true }), map[string]string{
			"rfc8659/caa-critical": "RFC8659-4.5-01",
		}},
		{"caa-account-ignored", "ignores accounturi", parameters("accounturi"), map[string]string{
			"rfc8657/caa-bad-account":   "RFC8657-3-03",
			"rfc8657/caa-other-account": "RFC8657-3-01",
			"rfc8657/caa-two-accounts":  "RFC8657-3-04",
		}},
		{"caa-account-required", "honours no accounturi", records(func(c *dns.CAA) bool {
			c.Value = strings.Replace(c.Value, "accounturi=", "accounturi=x", 1)
			return true
		}), map[string]string{
			"rfc8657/caa-account":      "RFC8657-3.1-02",
			"rfc8657/caa-account-form": "RFC8657-3.1-01",
		}},
		{"caa-method-ignored", "ignores validationmethods", parameters("validationmethods"), map[string]string{
			"rfc8657/caa-bad-method":   "RFC8657-4-03",
			"rfc8657/caa-no-method":    "RFC8657-4-02",
			"rfc8657/caa-other-method": "RFC8657-4-01",
		}},
		{"caa-method-required", "honours no validationmethods", records(func(c *dns.CAA) bool {
			c.Value = strings.Replace(c.Value, "http-01", "x-http-01", 1)
			return true
		}), map[string]string{
			"rfc8657/caa-method": "RFC8657-4-01",
		}},
		{"caa-error", "calls errors of CAA serverInternal", objects(func(m map[string]any) {
			for _, kind := range []string{"caa", "dns"} {
				eachError(m, kind, func(e map[string]any) { e["type"] = errorPrefix + "serverInternal" })
			}
		}, mockca.Authz), map[string]string{
			"rfc8657/caa-bad-account":          "RFC8555-6.7-12",
			"rfc8657/caa-bad-method":           "RFC8555-6.7-12",
			"rfc8657/caa-no-method":            "RFC8555-6.7-12",
			"rfc8657/caa-other-account":        "RFC8555-6.7-12",
			"rfc8657/caa-other-issuer-account": "RFC8555-6.7-12",
			"rfc8657/caa-other-method":         "RFC8555-6.7-12",
			"rfc8657/caa-two-accounts":         "RFC8555-6.7-12",
			"rfc8659/caa-critical":             "RFC8555-6.7-12",
			"rfc8659/caa-forbidden":            "RFC8555-6.7-12",
			"rfc8659/caa-not-advertised":       "RFC8555-6.7-12",
			"rfc8659/caa-other":                "RFC8555-6.7-12",
			"rfc8659/caa-parent":               "RFC8555-6.7-12",
			"rfc8659/caa-servfail":             "RFC8555-6.7-12",
			"rfc8659/caa-tag-case":             "RFC8555-6.7-12",
			"rfc8659/caa-wildcard":             "RFC8555-6.7-12",
		}},
		{"account-url-http", "gives accounts URLs of plain HTTP", headers("Location", func(url string) string { return strings.Replace(url, "https:", "http:", 1) }, mockca.NewAccount), map[string]string{
			"rfc8555/7.3/create":               "RFC8555-7.3-21",
			"rfc8657/5.4/uri":                  "RFC8657-5.4-02",
			"rfc8657/caa-account":              "RFC8657-3.1-02",
			"rfc8657/caa-account-form":         "RFC8657-3.1-01",
			"rfc8657/caa-any-account":          "RFC8657-3-02",
			"rfc8657/caa-bad-account":          "RFC8555-6.7-12",
			"rfc8657/caa-bad-method":           "RFC8555-6.7-12",
			"rfc8657/caa-method":               "RFC8657-4-01",
			"rfc8657/caa-no-method":            "RFC8555-6.7-12",
			"rfc8657/caa-other-account":        "RFC8555-6.7-12",
			"rfc8657/caa-other-issuer-account": "RFC8555-6.7-12",
			"rfc8657/caa-other-method":         "RFC8555-6.7-12",
			"rfc8657/caa-two-accounts":         "RFC8555-6.7-12",
			"rfc8659/caa-critical":             "RFC8555-6.7-12",
			"rfc8659/caa-issuewild":            "RFC8659-4.3-01",
			"rfc8659/caa-parent":               "RFC8555-6.7-12",
			"rfc8659/caa-servfail":             "RFC8555-6.7-12",
			"rfc8659/caa-tag-case":             "RFC8555-6.7-12",
			"rfc8659/caa-wildcard":             "RFC8555-6.7-12",
		}},
	}
}
