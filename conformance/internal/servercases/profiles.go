package servercases

// draft-ietf-acme-profiles.

func profileCases() []spec {
	return []spec{
		{
			id: "profiles/directory", title: "Profiles are listed with descriptions",
			requirements: []string{"PROFILES-3-01", "PROFILES-3-02"},
			does:         "Looks at meta.profiles.",
			expects:      "An object of strings.",
			run: func(s *scene) {
				profiles := s.profiles()
				s.must("PROFILES-3-01", len(profiles) > 0, "a profile at least", "none")
				for name := range profiles {
					s.must("PROFILES-3-02", profiles.text(name) != "", "a description of "+name, "%v", profiles[name])
				}
			},
		},
		{
			id: "profiles/unknown", title: "An unknown profile is refused",
			requirements: []string{"PROFILES-4-03"},
			does:         "Orders with a profile that is not listed.",
			expects:      "invalidProfile.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				s.profiles()
				r := s.newOrder(s.account(), dnsIDs([]string{s.name()}), map[string]any{"profile": "x-unknown"})
				s.refuses("PROFILES-4-03", r, "an unknown profile", "invalidProfile")
			},
		},
		{
			id: "profiles/selected", title: "The order shows its profile",
			requirements: []string{"PROFILES-4-05", "PROFILES-4-06"},
			does:         "Orders with each profile, and with none.",
			expects:      "The profile in the order; one that the server chose.",
			cost:         cost{accounts: 1, orders: 4},
			run: func(s *scene) {
				a, tried := s.account(), 0
				for name := range s.profiles() {
					if tried++; tried > 3 {
						break
					}
					r := s.newOrder(a, dnsIDs([]string{s.name()}), map[string]any{"profile": name})
					if r.Status != 201 {
						s.may("PROFILES-4-05", "profile %s: %s", name, r.Excerpt())
						continue
					}
					s.must("PROFILES-4-05", objectOf(r).text("profile") == name, "profile "+name+" in the answer", "%v", objectOf(r)["profile"])
					read := s.read(a, r.Location())
					s.must("PROFILES-4-05", read.text("profile") == name, "profile "+name+" in the order", "%v", read["profile"])
				}
				o := s.order(a, s.name())
				s.should("PROFILES-4-06", o.text("profile") != "", "a profile in the order", "none")
			},
		},
	}
}

func (s *scene) profiles() object {
	profiles := object(s.directory().Members).member("meta").member("profiles")
	if profiles == nil {
		s.skip("the server offers no profiles, as it may (draft-ietf-acme-profiles, Section 3)")
	}
	return profiles
}
