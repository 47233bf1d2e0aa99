package servercases

import (
	"fmt"
	"slices"
	"strings"
)

// RFC 8555, Sections 7.1.2 to 7.1.4, 8, 9.7.1 to 9.7.8: the objects.

var (
	accountFields       = []string{"status", "contact", "termsOfServiceAgreed", "externalAccountBinding", "orders"}
	orderFields         = []string{"status", "expires", "identifiers", "notBefore", "notAfter", "error", "authorizations", "finalize", "certificate", "auto-renewal", "star-certificate", "allow-certificate-get", "replaces", "profile", "delegation"}
	authorizationFields = []string{"identifier", "status", "expires", "challenges", "wildcard", "subdomainAuthAllowed"}
	challengeTypes      = []string{"http-01", "dns-01", "tls-alpn-01", "email-reply-00", "tkauth-01", "onion-csr-01", "bp-nodeid-00", "dns-account-01", "dns-persist-01", "device-attest-01", "sns-01"}
	identifierTypes     = []string{"dns", "ip", "email", "TNAuthList", "bundleEID", "permanent-identifier", "hardware-module"}
)

func objectCases() []spec {
	look := func(name, title string, requirements []string, expects string, run func(*scene, *tour)) spec {
		return spec{id: "rfc8555/" + name, title: title, requirements: requirements, does: "Obtains a certificate and looks at the objects on the way.",
			expects: expects, needs: []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) { run(s, s.toured()) }}
	}
	return []spec{
		look("7.1.2/account", "Account objects have the right form",
			[]string{"RFC8555-7.1.2-01", "RFC8555-7.1.2-02", "RFC8555-7.1.2-03", "RFC8555-7.1.2-04", "RFC8555-9.7.1-01"},
			"status, contact, termsOfServiceAgreed and orders of the right types, nothing that is not registered.", accountObject),
		look("7.1.3/order", "Order objects have the right form",
			[]string{"RFC8555-7.1.3-01", "RFC8555-7.1.3-02", "RFC8555-7.1.3-03", "RFC8555-7.1.3-04", "RFC8555-7.1.3-07", "RFC8555-7.1.3-08", "RFC8555-7.1.3-09", "RFC8555-9.7.2-02"},
			"Members of the right types in each state.", orderObjects),
		look("7.1.3/constant", "Identifiers and authorizations of an order never change",
			[]string{"RFC8555-7.1.3-14"}, "The same in each state.", func(s *scene, t *tour) {
				urls := func(o object) string {
					all, _ := o.texts("authorizations")
					slices.Sort(all)
					return strings.Join(all, " ")
				}
				for _, o := range t.orders[1:] {
					s.atObject(o)
					s.must("RFC8555-7.1.3-14", slices.Equal(o.identifiers(), t.orders[0].identifiers()), fmt.Sprintf("identifiers stay %q", t.orders[0].identifiers()), "%q when %s", o.identifiers(), o.status())
					s.must("RFC8555-7.1.3-14", urls(o) == urls(t.orders[0]), "authorizations stay "+urls(t.orders[0]), "%s when %s", urls(o), o.status())
				}
			}),
		look("7.1.4/authorization", "Authorization objects have the right form",
			[]string{"RFC8555-7.1.4-01", "RFC8555-7.1.4-02", "RFC8555-7.1.4-03", "RFC8555-7.1.4-04", "RFC8555-7.1.4-05", "RFC8555-7.1.4-07", "RFC8555-7.1.4-09", "RFC8555-7.1.4-12", "RFC8555-7.5.1-08", "RFC8555-9.7.3-01", "RFC8555-9.7.7-01"},
			"Members of the right types, in each state.", authorizationObjects),
		look("8/challenge", "Challenge objects have the right form",
			[]string{"RFC8555-8-01", "RFC8555-8-02", "RFC8555-8-03", "RFC8555-8-04", "RFC8555-8-05", "RFC8555-9.7.8-01"},
			"type, url and status, a time of validation when valid, error only when due.", challengeObjects),
		{
			id: "rfc8555/7.1.2.1/orders", title: "The account lists its orders",
			requirements: []string{"RFC8555-7.1.2.1-01", "RFC8555-7.1.2.1-02", "RFC8555-7.1.2.1-04"},
			does:         "Creates two orders and reads the account's list, with all pages.",
			expects:      "An object with the array orders, in which both are.",
			cost:         cost{own: 1, orders: 2},
			run: func(s *scene) {
				a := s.ownAccount()
				first, second := s.order(a, s.name()), s.order(a, s.name())
				listed := s.listOrders(a)
				for _, o := range []*order{first, second} {
					s.should("RFC8555-7.1.2.1-02", slices.Contains(listed, o.url), "the pending order "+o.url+" is listed", "%q", listed)
				}
				for _, url := range listed {
					r := s.post(a, url, nil)
					s.must("RFC8555-7.1.2.1-01", r.Status == 200, "each order that is listed can be read", "%s: %s", url, r.Excerpt())
				}
			},
		},
		{
			id: "rfc8555/7.1.2.1/invalid-not-listed", title: "Invalid orders are not listed",
			requirements: []string{"RFC8555-7.1.2.1-03"},
			does:         "Lets an order fail and reads the list.",
			expects:      "It is not there.",
			needs:        []need{needsFailures}, cost: cost{own: 1, orders: 1, failures: 1},
			run: func(s *scene) {
				a := s.ownAccount()
				o, _ := s.failing(a, s.name())
				if o.status() != "invalid" {
					s.inconclusive("the order became %s instead of invalid", o.status())
				}
				s.should("RFC8555-7.1.2.1-03", !slices.Contains(s.listOrders(a), o.url), "the invalid order is not listed", "it is")
			},
		},
	}
}

// listOrders reads the list of an account's orders, all pages.
func (s *scene) listOrders(a *account) []string {
	url := s.read(a, a.url).text("orders")
	if url == "" {
		s.skip("the account has no list of orders; rfc8555/7.1.2/account judges that")
	}
	var all []string
	for range 100 {
		r := s.post(a, url, nil)
		urls, ok := objectOf(r).texts("orders")
		s.demand("RFC8555-7.1.2.1-01", r.Status == 200 && ok, "200 with an array of URLs", "%s", r.Excerpt())
		all = append(all, urls...)
		next := r.Links("next")
		if len(next) == 0 {
			return all
		}
		s.may("RFC8555-7.1.2.1-04", "the list has pages")
		url = next[0]
	}
	s.must("RFC8555-7.1.2.1-04", false, "a list that ends", "more than 100 pages")
	return all
}

func accountObject(s *scene, t *tour) {
	s.at(t.account)
	o := objectOf(t.account)
	s.demand("RFC8555-7.1.2-01", o != nil && slices.Contains([]string{"valid", "deactivated", "revoked"}, o.status()), "status is one of valid, deactivated, revoked", "%s", t.account.Excerpt())
	if o.has("contact") && o["contact"] != nil {
		contacts, ok := o.texts("contact")
		ok = ok && !slices.ContainsFunc(contacts, func(c string) bool { return !strings.Contains(c, ":") })
		s.must("RFC8555-7.1.2-02", ok, "contact is an array of URLs", "%v", o["contact"])
	}
	if o.has("termsOfServiceAgreed") {
		_, ok := o["termsOfServiceAgreed"].(bool)
		s.must("RFC8555-7.1.2-03", ok, "termsOfServiceAgreed is a boolean", "%v", o["termsOfServiceAgreed"])
	}
	s.must("RFC8555-7.1.2-04", isURL(o.text("orders")), "orders is a URL", "%v", o["orders"])
	s.should("RFC8555-9.7.1-01", len(o.unknown(accountFields...)) == 0, "registered members only", "%q", o.unknown(accountFields...))
}

func orderObjects(s *scene, t *tour) {
	for _, o := range t.orders {
		s.atObject(o)
		status := o.status()
		s.must("RFC8555-7.1.3-01", slices.Contains([]string{"pending", "ready", "processing", "valid", "invalid"}, status), "a status of an order", "%q", status)
		if status == "pending" || status == "valid" {
			s.must("RFC8555-7.1.3-02", o.has("expires"), "expires, when "+status, "none")
		}
		for _, name := range []string{"expires", "notBefore", "notAfter"} {
			if o.has(name) {
				_, ok := o.time(name)
				s.must("RFC8555-7.1.3-03", ok, name+" in RFC 3339", "%v", o[name])
			}
		}
		ids, ok := o.objects("identifiers")
		ok = ok && len(ids) > 0 && !slices.ContainsFunc(ids, func(i object) bool { return i.text("type") == "" || i.text("value") == "" })
		s.must("RFC8555-7.1.3-04", ok, "identifiers with type and value", "%v", o["identifiers"])
		urls, ok := o.texts("authorizations")
		s.must("RFC8555-7.1.3-07", ok && len(urls) > 0, "authorizations is an array of URLs", "%v", o["authorizations"])
		s.must("RFC8555-7.1.3-08", isURL(o.text("finalize")), "finalize is a URL", "%v", o["finalize"])
		if status == "valid" {
			s.must("RFC8555-7.1.3-09", isURL(o.text("certificate")), "certificate is a URL once the order is valid", "%v", o["certificate"])
		}
		s.should("RFC8555-9.7.2-02", len(o.unknown(orderFields...)) == 0, "registered members only", "%q", o.unknown(orderFields...))
	}
	urls, _ := t.orders[0].texts("authorizations")
	for _, url := range urls {
		r := s.post(t.a, url, nil)
		s.must("RFC8555-7.1.3-07", r.Status == 200 && objectOf(r) != nil, "each authorization can be read", "%s", r.Excerpt())
	}
}

func authorizationObjects(s *scene, t *tour) {
	for _, z := range t.authorizations {
		s.atObject(z)
		identifier, status := z.member("identifier"), z.status()
		s.must("RFC8555-7.1.4-01", identifier.text("type") != "" && identifier.text("value") != "", "identifier with type and value", "%v", z["identifier"])
		s.must("RFC8555-7.1.4-02", slices.Contains([]string{"pending", "valid", "invalid", "deactivated", "expired", "revoked"}, status), "a status of an authorization", "%q", status)
		if status == "valid" {
			s.must("RFC8555-7.1.4-03", z.has("expires"), "expires, when valid", "none")
			s.must("RFC8555-7.5.1-08", z.has("expires"), "expires, when valid", "none")
		}
		if z.has("expires") {
			_, ok := z.time("expires")
			s.must("RFC8555-7.1.4-04", ok, "expires in RFC 3339", "%v", z["expires"])
		}
		challenges, ok := z.objects("challenges")
		s.must("RFC8555-7.1.4-05", ok && len(challenges) > 0, "challenges is an array of objects, and not empty", "%v", z["challenges"])
		if status == "valid" {
			s.must("RFC8555-7.1.4-05", slices.ContainsFunc(challenges, func(c object) bool { return c.status() == "valid" }), "the challenge that was validated is there", "%v", z["challenges"])
		}
		s.must("RFC8555-7.1.4-07", !z.has("wildcard") || z["wildcard"] == false, "wildcard is absent or false", "%v", z["wildcard"])
		s.must("RFC8555-7.1.4-09", hostname.MatchString(identifier.text("value")), "a name in the form of a certificate", "%q", identifier.text("value"))
		s.must("RFC8555-7.1.4-12", !strings.HasPrefix(identifier.text("value"), "*"), "no wildcard name", "%q", identifier.text("value"))
		s.should("RFC8555-9.7.3-01", len(z.unknown(authorizationFields...)) == 0, "registered members only", "%q", z.unknown(authorizationFields...))
		s.should("RFC8555-9.7.7-01", slices.Contains(identifierTypes, identifier.text("type")), "a registered identifier type", "%q", identifier.text("type"))
	}
}

func challengeObjects(s *scene, t *tour) {
	for _, c := range t.challenges {
		s.atObject(c)
		kind, status := c.text("type"), c.status()
		s.must("RFC8555-8-01", kind != "" && isURL(c.text("url")) && status != "", "type, url and status", "%v", map[string]any(c))
		s.must("RFC8555-8-02", slices.Contains([]string{"pending", "processing", "valid", "invalid"}, status), "a status of a challenge", "%q", status)
		if status == "valid" && s.must("RFC8555-8-03", c.has("validated"), "validated, when valid", "none") {
			_, ok := c.time("validated")
			s.must("RFC8555-8-04", ok, "validated in RFC 3339", "%v", c["validated"])
		}
		if c.has("error") && c["error"] != nil {
			s.must("RFC8555-8-05", status == "processing" || status == "invalid", "no error when "+status, "%v", c["error"])
		}
		s.should("RFC8555-9.7.8-01", slices.Contains(challengeTypes, kind), "a registered challenge type", "%q", kind)
	}
}
