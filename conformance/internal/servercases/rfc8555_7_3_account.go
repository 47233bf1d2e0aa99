package servercases

import (
	"maps"
	"slices"
)

// RFC 8555, Sections 7.3 to 7.3.3: accounts.

func accountCases() []spec {
	cases := []spec{
		{
			id: "rfc8555/7.3/create", title: "newAccount creates an account",
			requirements: []string{"RFC8555-7.3-18", "RFC8555-7.3-19", "RFC8555-7.3-20", "RFC8555-7.3-21"},
			does:         "Creates an account and uses its key, and another key with its kid.",
			expects:      "201, Location and the account as application/json; the key works, the other does not.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				a := &account{key: s.newKey()}
				s.register(a)
				s.succeeds("RFC8555-7.3-18", a.created, "newAccount", 201)
				s.demand("RFC8555-7.3-19", isURL(a.created.Header.Get("Location")), "Location is an absolute URL", "%q", a.created.Header.Get("Location"))
				s.must("RFC8555-7.3-20", a.created.MediaType() == "application/json" && objectOf(a.created).status() != "", "the account as application/json", "%s", a.created.Excerpt())
				r := s.post(a, a.url, nil)
				s.must("RFC8555-7.3-21", r.Status == 200, "the key of the account is good for requests", "%s", r.Excerpt())
				s.refuses("RFC8555-7.3-21", s.post(&account{key: s.newKey(), url: a.url}, a.url, nil), "another key with the account's kid")
			},
		},
		{
			id: "rfc8555/7.3/ignored-members", title: "newAccount ignores what clients may not set",
			requirements: []string{"RFC8555-7.3-02", "RFC8555-7.3-03", "RFC8555-7.3-05"},
			does:         "Creates an account with orders, onlyReturnExisting false and an unknown member.",
			expects:      "201, without any of them in the account.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				key := s.newKey()
				payload := s.accountPayload(key)
				payload["orders"], payload["xUnknown"], payload["onlyReturnExisting"] = "https://other.example/orders", "value", false
				r := s.post(&account{key: key}, s.url("newAccount"), payload)
				if !s.must("RFC8555-7.3-03", r.Status == 201, "an unknown member is ignored", "%s", r.Excerpt()) {
					return
				}
				o := objectOf(r)
				s.must("RFC8555-7.3-02", o.text("orders") != "https://other.example/orders", "orders is the server's", "%v", o["orders"])
				s.must("RFC8555-7.3-05", !o.has("xUnknown") && !o.has("onlyReturnExisting"), "neither unknown members nor onlyReturnExisting in the account", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.3/terms-required", title: "Terms have to be agreed to",
			requirements: []string{"RFC8555-7.3-14", "RFC8555-7.3-15"},
			does:         "Sends newAccount without termsOfServiceAgreed, with false, and with a string.",
			expects:      "If the server has terms that it requires, each is refused, and the directory names the terms.",
			cost:         cost{own: 3},
			run:          termsRequired,
		},
		{
			id: "rfc8555/7.3.1/found", title: "newAccount finds the account of a key",
			requirements: []string{"RFC8555-7.3.1-01", "RFC8555-7.3.1-02", "RFC8555-7.3.1-03", "RFC8555-7.3.1-04", "RFC8555-7.3.1-05", "RFC8555-11.1-08", "DNSACCOUNT-3.5-01"},
			does:         "Sends newAccount again for a key that has an account, with another contact, and with an empty object.",
			expects:      "200 with the same Location and the account as it is stored.",
			cost:         cost{own: 1},
			run:          foundAccount,
		},
		{
			id: "rfc8555/7.3.1/unknown-key", title: "A lookup creates nothing",
			requirements: []string{"RFC8555-7.3-01", "RFC8555-7.3.1-07", "RFC8555-7.3.1-08"},
			does:         "Sends newAccount with onlyReturnExisting twice for a key that has no account.",
			expects:      "400 accountDoesNotExist both times.",
			run: func(s *scene) {
				key := s.newKey()
				payload := s.accountPayload(key)
				payload["onlyReturnExisting"] = true
				for range 2 {
					r := s.post(&account{key: key}, s.url("newAccount"), payload)
					s.must("RFC8555-7.3-01", r.Status >= 400, "no account is made", "%s", r.Excerpt())
					s.succeeds("RFC8555-7.3.1-07", r, "a lookup of a key without an account", 400)
					s.must("RFC8555-7.3.1-08", shortType(r) == "accountDoesNotExist", "type accountDoesNotExist", "%s", r.Excerpt())
				}
			},
		},
		{
			id: "rfc8555/7.3.2/update", title: "The contact can be changed",
			requirements: []string{"RFC8555-7.3.2-05"},
			does:         "Posts another contact to the account.",
			expects:      "200 and the account with that contact.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				a := s.ownAccount()
				wanted := "mailto:other@" + s.env.Domain
				r := s.post(a, a.url, map[string]any{"contact": []string{wanted}})
				s.succeeds("RFC8555-7.3.2-05", r, "an update of the contact", 200)
				contacts, _ := objectOf(r).texts("contact")
				if len(contacts) == 0 && r.Status == 200 && len(s.env.Contact) == 0 && !objectOf(a.created).has("contact") {
					s.skip("the server keeps no contacts, which are optional (RFC 8555, Section 7.1.2)")
				}
				s.must("RFC8555-7.3.2-05", slices.Equal(contacts, []string{wanted}), "contact is "+wanted, "%s", r.Excerpt())
			},
		},
		ignoredUpdate("orders", "RFC8555-7.3.2-01", map[string]any{"orders": "https://other.example/orders"}, false),
		ignoredUpdate("terms", "RFC8555-7.3.2-02", map[string]any{"termsOfServiceAgreed": false}, false),
		ignoredUpdate("status", "RFC8555-7.3.2-03", map[string]any{"status": "revoked"}, true),
		ignoredUpdate("unknown", "RFC8555-7.3.2-04", map[string]any{"xUnknown": "value"}, false),
		{
			id: "rfc8555/7.3.3/new-terms", title: "New terms are asked for",
			requirements: []string{"RFC8555-7.3.3-01", "RFC8555-7.3.3-02", "RFC8555-7.3.3-03", "RFC8555-7.3.3-04"},
			does:         "Changes the terms, and sends newOrder.",
			expects:      "403 userActionRequired with a link to the terms and an instance.",
			needs:        []need{needsTerms}, cost: cost{own: 1}, alone: true,
			run: func(s *scene) {
				a := s.ownAccount()
				s.env.Terms()
				r := s.newOrder(a, dnsIDs([]string{s.name()}), nil)
				s.succeeds("RFC8555-7.3.3-01", r, "a request of an account that has not agreed to new terms", 403)
				s.must("RFC8555-7.3.3-02", shortType(r) == "userActionRequired", "userActionRequired", "%s", r.Excerpt())
				s.must("RFC8555-7.3.3-03", len(r.Links("terms-of-service")) > 0, "a link with relation terms-of-service", "Link: %q", r.Header.Values("Link"))
				problem, err := r.Problem()
				s.must("RFC8555-7.3.3-04", err == nil && isURL(problem.Instance), "instance is a URL", "%s", r.Excerpt())
			},
		},
	}
	return append(cases, contactCases()...)
}

func contactCases() []spec {
	contact := func(name, title string, requirements []string, value string, check func(*scene, *account)) spec {
		return spec{
			id: "rfc8555/7.3/contact-" + name, title: title, requirements: requirements,
			does: "Creates an account with the contact " + value + ".", expects: "See the title.", cost: cost{own: 1},
			run: func(s *scene) {
				a := &account{key: s.newKey()}
				payload := s.accountPayload(a.key)
				payload["contact"] = []string{value}
				a.created = s.post(&account{key: a.key}, s.url("newAccount"), payload)
				check(s, a)
			},
		}
	}
	refusedAs := func(requirement string, must bool, kind string) func(*scene, *account) {
		return func(s *scene, a *account) {
			check := s.should
			if must {
				check = s.must
			}
			check(requirement, shortType(a.created) == kind, "it is refused as "+kind, "%s", a.created.Excerpt())
		}
	}
	return []spec{
		contact("mailto", "mailto is a supported contact", []string{"RFC8555-7.3-07"}, "mailto:admin@acme-e2e-conformance.org", func(s *scene, a *account) {
			s.must("RFC8555-7.3-07", a.created.Status == 201, "201", "%s", a.created.Excerpt())
		}),
		contact("invalid", "An address that is none is invalid", []string{"RFC8555-7.3-06"}, "mailto:not-an-address", refusedAs("RFC8555-7.3-06", false, "invalidContact")),
		contact("empty", "An empty address is invalid", []string{"RFC8555-7.3-13"}, "mailto:", refusedAs("RFC8555-7.3-13", true, "invalidContact")),
		contact("hfields", "An address with header fields is invalid", []string{"RFC8555-7.3-10"}, "mailto:a@acme-e2e-conformance.org?subject=x", refusedAs("RFC8555-7.3-10", false, "invalidContact")),
		contact("two", "Two addresses in one URL are invalid", []string{"RFC8555-7.3-10"}, "mailto:a@acme-e2e-conformance.org,b@acme-e2e-conformance.org", refusedAs("RFC8555-7.3-10", false, "invalidContact")),
		contact("scheme", "A contact of another scheme is unsupported", []string{"RFC8555-7.3-11", "RFC8555-7.3-12"}, "x-unknown:value", func(s *scene, a *account) {
			s.must("RFC8555-7.3-11", shortType(a.created) == "unsupportedContact", "it is refused as unsupportedContact", "%s", a.created.Excerpt())
			problem, err := a.created.Problem()
			s.must("RFC8555-7.3-12", err == nil && problem.Detail != "", "a detail that says which are supported", "%s", a.created.Excerpt())
		}),
	}
}

// ignoredUpdate posts a member to the account that only the server sets, beside
// contacts that it may be asked to change: alone it would be an update of
// nothing, which no server need take.
func ignoredUpdate(name, requirement string, update map[string]any, mayRefuse bool) spec {
	return spec{
		id: "rfc8555/7.3.2/ignored-" + name, title: "An update of what clients may not change is ignored: " + name,
		requirements: []string{requirement},
		does:         "Posts the member to the account, with contacts that it takes.",
		expects:      "200 and the account as it was, but for the contacts.",
		cost:         cost{own: 1},
		run: func(s *scene) {
			a := s.ownAccount()
			before := s.read(a, a.url)
			contacts := map[string]any{"contact": []string{"mailto:a@acme-e2e-conformance.org"}}
			if r := s.post(a, a.url, contacts); r.Status != 200 {
				s.skip("the server takes no update of contacts, which are optional (RFC 8555, Section 7.1.2): %s", r.Excerpt())
			}
			maps.Copy(contacts, update)
			r := s.post(a, a.url, contacts)
			s.must(requirement, r.Status == 200 || mayRefuse && r.Status >= 400 && r.Status < 500, "the member is ignored", "%s", r.Excerpt())
			answer := s.post(a, a.url, nil)
			after := objectOf(answer)
			s.must(requirement, answer.Status == 200 && after.status() == before.status() && after.text("orders") == before.text("orders") &&
				after["termsOfServiceAgreed"] == before["termsOfServiceAgreed"] && !after.has("xUnknown"), "the account is as it was", "%s", answer.Excerpt())
		},
	}
}

func termsRequired(s *scene) {
	terms := object(s.directory().Members).member("meta").text("termsOfService")
	for what, agreed := range map[string]any{"no termsOfServiceAgreed": nil, "termsOfServiceAgreed false": false, "termsOfServiceAgreed of type string": "true"} {
		key := s.newKey()
		payload := s.accountPayload(key)
		delete(payload, "termsOfServiceAgreed")
		if agreed != nil {
			payload["termsOfServiceAgreed"] = agreed
		}
		r := s.post(&account{key: key}, s.url("newAccount"), payload)
		if r.Status/100 == 2 && terms == "" {
			s.may("RFC8555-7.3-15", "the server requires no terms")
			continue
		}
		if shortType(r) == "userActionRequired" {
			s.must("RFC8555-7.3-14", terms != "", "terms that are required stand in the directory", "there is no termsOfService")
		}
		s.refuses("RFC8555-7.3-15", r, "newAccount with "+what)
	}
}

func foundAccount(s *scene) {
	a := s.ownAccount()
	stored := s.read(a, a.url)
	for _, payload := range []map[string]any{
		{"contact": []string{"mailto:other@" + s.env.Domain}, "termsOfServiceAgreed": true}, {},
	} {
		what := "newAccount with another contact"
		if len(payload) == 0 {
			what = "newAccount with an empty object"
			r := s.post(&account{key: a.key}, s.url("newAccount"), payload)
			s.must("RFC8555-7.3.1-04", r.Status == 200, what+" is answered with 200", "%s", r.Excerpt())
			continue
		}
		r := s.post(&account{key: a.key}, s.url("newAccount"), payload)
		s.succeeds("RFC8555-7.3.1-01", r, what, 200)
		s.must("RFC8555-7.3.1-02", r.Location() == a.url, "Location is "+a.url, "%q", r.Location())
		s.must("RFC8555-11.1-08", r.Location() == a.url, "a key has one account", "%q and %q", a.url, r.Location())
		s.should("DNSACCOUNT-3.5-01", r.Location() == a.url, "the account's URL stays the same", "%q", r.Location())
		found := objectOf(r)
		before, _ := stored.texts("contact")
		shown, _ := found.texts("contact")
		s.must("RFC8555-7.3.1-05", found.status() == stored.status() && slices.Equal(before, shown), "the account as it is stored", "%s", r.Excerpt())
	}
	before, _ := stored.texts("contact")
	after, _ := s.read(a, a.url).texts("contact")
	s.must("RFC8555-7.3.1-03", slices.Equal(before, after), "the contact is as it was", "%q", after)
}
