package mockca

import "slices"

// Faults of authorizations: RFC 8555, Sections 7.1.4 and 7.5.

func authorizationFaults() []FaultInfo {
	return []FaultInfo{
		simple(AuthzValid), simple(AuthzInvalid), simple(AuthzExpired), simple(AuthzRevoked), simple(AuthzDeactivated),
		chosen(AuthzNoChallenge, "none", "unknown"), simple(AuthzUnknownTypes), simple(AuthzWrongIdentifier), chosen(AuthzWildcardFlag, "missing", "wrong"),
	}
}

// authzMade gives authorizations a status from the start.
func authzMade(name, status, duty string) Fault {
	return Fault{
		Name: name, Doc: "authorizations are " + status + " from the start", Duty: duty,
		Requirements: []string{"RFC8555-7.1.3-18"},
		Endpoints:    []Endpoint{NewOrder, NewAuthz},
		Core:         func(_ *Exchange, k *Knobs) { k.AuthzStatus = status },
	}
}

// AuthzValid makes authorizations that are valid from the start.
func AuthzValid() Fault {
	f := authzMade("authz-valid", statusValid, "skip them: nothing is left to prove")
	f.Requirements = []string{"RFC8555-7.1.3-19", "DNSPERSIST-4.2-03"}
	return f
}

const giveUpAuthz = "fail, or make a new order"

// AuthzInvalid makes authorizations that are invalid from the start.
func AuthzInvalid() Fault { return authzMade("authz-invalid", statusInvalid, giveUpAuthz) }

// AuthzExpired makes authorizations that are expired from the start.
func AuthzExpired() Fault { return authzMade("authz-expired", statusExpired, giveUpAuthz) }

// AuthzRevoked makes authorizations that are revoked from the start.
func AuthzRevoked() Fault { return authzMade("authz-revoked", statusRevoked, giveUpAuthz) }

// AuthzDeactivated makes authorizations that are deactivated from the start.
func AuthzDeactivated() Fault { return authzMade("authz-deactivated", statusDeactivated, giveUpAuthz) }

// futureType is a challenge type that nobody has specified.
const futureType = "future-01"

// AuthzNoChallenge offers no challenges ("none"), or only one of an "unknown"
// type.
func AuthzNoChallenge(what string) Fault {
	return Fault{
		Name: "authz-no-challenge", Params: what, Doc: "no challenges are offered, or only such of an unknown type", Duty: "fail, listing what was offered and what can be done",
		Requirements: []string{"RFC8555-7.1.4-14", "RFC8555-8-08"},
		Endpoints:    []Endpoint{NewOrder, NewAuthz},
		Core: func(_ *Exchange, k *Knobs) {
			k.Challenges = func([]string) []string {
				if what == "unknown" {
					return []string{futureType}
				}
				return nil
			}
		},
	}
}

// AuthzUnknownTypes offers challenges of unknown types before and after the
// known ones.
func AuthzUnknownTypes() Fault {
	return Fault{
		Name: "authz-unknown-types", Doc: "challenges of unknown types are among those offered", Duty: "ignore them",
		Requirements: []string{"RFC8555-8-08"},
		Endpoints:    []Endpoint{NewOrder, NewAuthz},
		Core: func(_ *Exchange, k *Knobs) {
			k.Challenges = func(types []string) []string { return slices.Concat([]string{futureType}, types, []string{"http-99"}) }
		},
	}
}

// AuthzWrongIdentifier shows authorizations as for another identifier.
func AuthzWrongIdentifier() Fault {
	return Fault{
		Name: "authz-wrong-identifier", Doc: "the authorization is for another identifier than was ordered", Duty: "refuse it",
		Requirements: []string{"RFC8555-7.1.3-15"},
		Endpoints:    []Endpoint{Authz},
		Response: func(_ *Exchange, r *Response) {
			r.editMember("identifier", func(any) any { return Identifier{Type: "dns", Value: "unasked.example"} })
		},
	}
}

// AuthzWildcardFlag shows authorizations with the member wildcard "missing", or
// "wrong".
func AuthzWildcardFlag(how string) Fault {
	return Fault{
		Name: "authz-wildcard-flag", Params: how, Doc: "the authorization's wildcard flag is missing or wrong", Duty: "carry on",
		Endpoints: []Endpoint{Authz},
		Response: func(_ *Exchange, r *Response) {
			r.Edit(func(m map[string]any) {
				flag, _ := m["wildcard"].(bool)
				delete(m, "wildcard")
				if how == "wrong" && !flag {
					m["wildcard"] = true
				}
			})
		},
	}
}
