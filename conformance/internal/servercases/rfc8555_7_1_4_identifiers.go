package servercases

// RFC 8555, Sections 7.1.3 and 7.1.4: names and wildcards.

func identifierCases() []spec {
	cases := []spec{
		{
			id: "rfc8555/7.1.4/wildcard", title: "A wildcard's authorization is for the base name",
			requirements: []string{"RFC8555-7.1.3-12", "RFC8555-7.1.3-13", "RFC8555-7.1.4-06", "RFC8555-7.1.4-12"},
			does:         "Orders a wildcard name.",
			expects:      "The authorization has the name without *. and wildcard true.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a, name := s.account(), s.name()
				for _, z := range s.authorizations(a, s.wildcardOrder(a, "*."+name)) {
					s.must("RFC8555-7.1.3-12", z.name() == name, "identifier "+name, "%q", z.name())
					s.must("RFC8555-7.1.4-12", len(z.name()) > 0 && z.name()[0] != '*', "no wildcard name in an authorization", "%q", z.name())
					s.must("RFC8555-7.1.3-13", z.object["wildcard"] == true, "wildcard: true", "%v", z.object["wildcard"])
					s.must("RFC8555-7.1.4-06", z.object["wildcard"] == true, "wildcard: true", "%v", z.object["wildcard"])
				}
			},
		},
		{
			id: "rfc8555/7.1.4/wildcard-and-base", title: "A wildcard and its base name have authorizations that can be told apart",
			requirements: []string{"RFC8555-7.1.4-13"},
			does:         "Orders a name and its wildcard at once.",
			expects:      "Two authorizations, of which just one has wildcard true.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a, name := s.account(), s.name()
				wild := 0
				all := s.authorizations(a, s.wildcardOrder(a, name, "*."+name))
				for _, z := range all {
					if z.object["wildcard"] == true {
						wild++
					}
				}
				s.must("RFC8555-7.1.4-13", len(all) == 2 && wild == 1, "two authorizations, one of them with wildcard true", "%d, %d with wildcard true", len(all), wild)
			},
		},
	}
	for _, bad := range []struct {
		name, requirement, what string
		value                   func(domain string) string
	}{
		{"wildcard-alone", "RFC8555-7.1.3-11", "*", func(string) string { return "*" }},
		{"wildcard-part", "RFC8555-7.1.3-11", "a*.name", func(name string) string { return "a*." + name }},
		{"wildcard-twice", "RFC8555-7.1.3-11", "*.*.name", func(name string) string { return "*.*." + name }},
		{"wildcard-inside", "RFC8555-7.1.3-11", "a.*.name", func(name string) string { return "a.*." + name }},
		{"u-label", "RFC8555-7.1.4-10", "a name with an umlaut", func(name string) string { return "bücher." + name }},
		{"bad-a-label", "RFC8555-7.1.4-11", "an A-label that can't be decoded", func(name string) string { return "xn--99999999999." + name }},
		{"ascii-a-label", "RFC8555-7.1.4-11", "an A-label that stands for ASCII", func(name string) string { return "xn--abc-." + name }},
	} {
		cases = append(cases, spec{
			id: "rfc8555/7.1.4/" + bad.name, title: "No order for " + bad.what,
			requirements: []string{bad.requirement},
			does:         "Sends newOrder for " + bad.what + ".",
			expects:      "It is refused.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				r := s.newOrder(s.account(), dnsIDs([]string{bad.value(s.name())}), nil)
				s.refuses(bad.requirement, r, "newOrder for "+bad.what, "malformed", "rejectedIdentifier", "unsupportedIdentifier", "compound")
			},
		})
	}
	return cases
}

// wildcardOrder orders names of which one is a wildcard; the case is skipped
// when the server takes none.
func (s *scene) wildcardOrder(a *account, names ...string) *order {
	r := s.newOrder(a, dnsIDs(names), nil)
	if kind := shortType(r); kind == "rejectedIdentifier" || kind == "unsupportedIdentifier" {
		s.skip("the server does not take wildcard names, as its policy may say (RFC 8555, Section 7.4): %s", r.Excerpt())
	}
	o := &order{object: objectOf(r), url: r.Location(), created: r}
	if r.Status != 201 || o.object == nil {
		s.inconclusive("no order could be had: newOrder answered %s", r.Excerpt())
	}
	return o
}
