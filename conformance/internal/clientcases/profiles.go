package clientcases

import (
	"github.com/acme-e2e/acme-e2e/mockca"
)

// draft-ietf-acme-profiles.

func profileScenarios() []Scenario {
	return []Scenario{
		{
			ID: "profiles/4/requested", Title: "Orders by the profile that the user chose",
			Requirements: []string{"PROFILES-4-01"}, Needs: []Feature{Profiles},
			Does: "Offers profiles; the user wants tlsserver.", Expects: `"profile":"tlsserver" in newOrder`,
			Stage: func(s *Stage) { s.Env.Profile = "tlsserver" },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.NewOrder), t.main(), "profile tlsserver", func(r *request) string {
					return unless(r.object()["profile"] == "tlsserver", "the payload is %s", r.payload)
				})
				t.has(r)
			},
		},
		{
			ID: "profiles/4/not-offered", Title: "Does not order by a profile that is not offered",
			Requirements: []string{"PROFILES-4-02"}, Needs: []Feature{Profiles},
			Does: "Does not offer the profile that the user wants.", Expects: "a failure, and no order",
			Faults: []string{"profile-unknown"},
			Stage:  func(s *Stage) { s.Env.Profile = "nonesuch" },
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.eachShould(r.to(mockca.NewOrder), t.main(), "no order", func(r *request) string {
					return unless(r.object()["profile"] != "nonesuch", "there is one")
				})
				t.lacks(r, t.main(), "the profile is not offered")
			},
		},
		{
			ID: "profiles/4/refused", Title: "Fails well on invalidProfile",
			Requirements: []string{"PROFILES-4-09"}, Needs: []Feature{Profiles},
			Does: "Refuses the order with invalidProfile.", Expects: "a failure that says so, after few orders",
			Faults: []string{"profile-unknown"},
			Stage: func(s *Stage) {
				s.Env.Profile = "tlsserver"
				s.inject(0, refuse("profile-unknown", mockca.Problem{Type: mockca.TypeInvalidProfile, Detail: "not for you, says 4711"}), at(mockca.NewOrder))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "the profile was refused")
				t.Must(r.says("4711") || r.says("invalidProfile"), t.main(), "the error in what the client says", "it said: %s", excerpt(r.Output))
				t.bounded(r.to(mockca.NewOrder), 3, t.main(), "orders")
			},
		},
	}
}
