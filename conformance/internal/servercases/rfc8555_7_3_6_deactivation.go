package servercases

// RFC 8555, Section 7.3.6: account deactivation.

// deactivated is an account that was created and deactivated.
func (s *scene) deactivated() *account {
	a := s.ownAccount()
	if r := s.post(a, a.url, map[string]any{"status": "deactivated"}); r.Status != 200 {
		s.inconclusive("the account could not be deactivated: %s", r.Excerpt())
	}
	return a
}

func deactivationCases() []spec {
	return []spec{
		{
			id: "rfc8555/7.3.6/success", title: "An account can be deactivated",
			requirements: []string{"RFC8555-7.3.6-04", "RFC8555-7.1.2-05"},
			does:         "Posts the status deactivated to an account.",
			expects:      "200 and the account, deactivated.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				a := s.ownAccount()
				r := s.post(a, a.url, map[string]any{"status": "deactivated"})
				s.succeeds("RFC8555-7.3.6-04", r, "deactivation", 200)
				s.must("RFC8555-7.3.6-04", objectOf(r).status() == "deactivated", "status deactivated", "%s", r.Excerpt())
				s.should("RFC8555-7.1.2-05", objectOf(r).status() == "deactivated", "a deactivation by the client shows as deactivated", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.3.6/refused", title: "A deactivated account is refused everything",
			requirements: []string{"RFC8555-7.3.6-01", "RFC8555-7.3.6-02", "RFC8555-7.3.6-05"},
			does:         "Deactivates an account, and reads it, orders, changes its key, revokes.",
			expects:      "401 unauthorized each time.",
			cost:         cost{own: 1, orders: 1},
			run: func(s *scene) {
				a := s.deactivated()
				for _, each := range []step{
					{"POST-as-GET of the account", s.post(a, a.url, nil)},
					{"newOrder", s.newOrder(a, dnsIDs([]string{s.name()}), nil)},
					{"an update of the account", s.post(a, a.url, map[string]any{"contact": []string{"mailto:a@" + s.env.Domain}})},
					{"keyChange", s.changeKey(rollover{a: a, newKey: s.newKey()})},
				} {
					if s.refuses("RFC8555-7.3.6-05", each.response, each.what+" of a deactivated account") {
						s.succeeds("RFC8555-7.3.6-01", each.response, each.what+" of a deactivated account", 401)
						s.must("RFC8555-7.3.6-02", shortType(each.response) == "unauthorized", each.what+" is refused as unauthorized", "%s", each.response.Excerpt())
					}
				}
			},
		},
		{
			id: "rfc8555/7.3.6/foreign", title: "Only its own key deactivates an account",
			requirements: []string{"RFC8555-7.3.6-03"},
			does:         "Posts the status deactivated to another account's URL.",
			expects:      "It is refused, and the account stays valid.",
			cost:         cost{own: 2},
			run: func(s *scene) {
				a, stranger := s.ownAccount(), s.ownAccount()
				s.refuses("RFC8555-7.3.6-03", s.post(stranger, a.url, map[string]any{"status": "deactivated"}), "deactivation by another account")
				r := s.post(a, a.url, nil)
				s.must("RFC8555-7.3.6-03", r.Status == 200 && objectOf(r).status() == "valid", "the account is still valid", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.3.6/final", title: "Deactivation is final",
			requirements: []string{"RFC8555-7.3.6-08"},
			does:         "Posts the status valid to a deactivated account, and sends newAccount with its key.",
			expects:      "The key is of no use.",
			cost:         cost{own: 1},
			run: func(s *scene) {
				a := s.deactivated()
				s.refuses("RFC8555-7.3.6-08", s.post(a, a.url, map[string]any{"status": "valid"}), "reactivation")
				r := s.post(&account{key: a.key}, s.url("newAccount"), s.accountPayload(a.key))
				s.must("RFC8555-7.3.6-08", r.Status != 201 && objectOf(r).status() != "valid", "newAccount brings it not back", "%s", r.Excerpt())
				s.refuses("RFC8555-7.3.6-08", s.newOrder(a, dnsIDs([]string{s.name()}), nil), "newOrder afterwards")
			},
		},
	}
}
