package mockca

import (
	"slices"
	"strings"
)

// Faults of what an order is for: RFC 8555, Sections 7.1.3 and 7.4.

func identifierFaults() []FaultInfo {
	return []FaultInfo{
		simple(OrderIdentifiersReordered), simple(OrderIdentifiersLowercased), chosen(OrderIdentifiersChanged, "dropped", "added", "replaced"),
		simple(OrderAuthzMissing), simple(OrderAuthzDuplicate), simple(OrderAuthzForeign),
	}
}

// OrderIdentifiersReordered shows the identifiers of orders the other way round.
func OrderIdentifiersReordered() Fault {
	return Fault{
		Name: "order-identifiers-reordered", Doc: "the order's identifiers come in another order", Duty: "carry on",
		Requirements: []string{"RFC8555-7.4-12"},
		Endpoints:    shownOrder(),
		Response: func(_ *Exchange, r *Response) {
			r.editMember("identifiers", func(old any) any {
				list, _ := old.([]any)
				slices.Reverse(list)
				return list
			})
		},
	}
}

// OrderIdentifiersLowercased shows the identifiers of orders in the other letter
// case: in lower case where they were ordered with capitals, else in capitals.
func OrderIdentifiersLowercased() Fault {
	return Fault{
		Name: "order-identifiers-lowercased", Doc: "the order's identifiers come in another letter case than they were ordered in", Duty: "carry on",
		Requirements: []string{"RFC8555-7.4-12"},
		Endpoints:    shownOrder(),
		Response: func(x *Exchange, r *Response) {
			var in newOrderPayload
			x.asks(&in)
			capitals := slices.ContainsFunc(in.Identifiers, func(id Identifier) bool { return id.Value != strings.ToLower(id.Value) })
			r.editMember("identifiers", func(old any) any {
				list, _ := old.([]any)
				for _, e := range list {
					if id, ok := e.(map[string]any); ok && id["type"] == "dns" && !capitals {
						id["value"] = strings.ToUpper(id["value"].(string))
					}
				}
				return list
			})
		},
	}
}

// OrderIdentifiersChanged makes the order for other identifiers than those asked
// for: the last one is "dropped", another one is "added", or the last one is
// "replaced".
func OrderIdentifiersChanged(how string) Fault {
	return Fault{
		Name: "order-identifiers-changed", Params: how, Doc: "the order is for other identifiers: one dropped, added or replaced", Duty: "refuse the order",
		Requirements: []string{"RFC8555-7.1.3-15"},
		Endpoints:    []Endpoint{NewOrder},
		Core: func(_ *Exchange, k *Knobs) {
			k.Identifiers = func(ids []Identifier) []Identifier {
				ids = slices.Clone(ids)
				if how != "added" {
					ids = ids[:max(len(ids)-1, 0)]
				}
				if how != "dropped" {
					ids = append(ids, Identifier{Type: "dns", Value: "unasked.example"})
				}
				return ids
			}
		},
	}
}

// authorizations changes the list of an order's authorizations.
func authorizations(name, doc, duty string, change func(*Exchange, []any) []any) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Requirements: []string{"RFC8555-7.1.3-20"},
		Endpoints:    shownOrder(),
		Response: func(x *Exchange, r *Response) {
			r.editMember("authorizations", func(old any) any {
				list, _ := old.([]any)
				return change(x, list)
			})
		},
	}
}

// OrderAuthzMissing shows orders without their last authorization.
func OrderAuthzMissing() Fault {
	return authorizations("order-authz-missing", "the order lacks an authorization that it needs", "fail and say so, instead of waiting for ever",
		func(_ *Exchange, list []any) []any { return list[:max(len(list)-1, 0)] })
}

// OrderAuthzDuplicate shows each authorization of an order twice.
func OrderAuthzDuplicate() Fault {
	return authorizations("order-authz-duplicate", "the order names authorizations twice", "work on each once",
		func(_ *Exchange, list []any) []any { return append(list, list...) })
}

// OrderAuthzForeign shows an authorization of another account as the order's
// last.
func OrderAuthzForeign() Fault {
	return authorizations("order-authz-foreign", "the order names somebody else's authorization", "fail",
		func(x *Exchange, list []any) []any {
			if len(list) == 0 {
				return list
			}
			r := x.r
			z := &authz{id: r.newID(authzIDs), account: &account{id: r.newID(accountIDs)}, identifier: Identifier{Type: "dns", Value: "foreign.example"},
				created: r.now, status: statusPending, expires: r.now.Add(r.policy.PendingAuthzLifetime), lifetime: r.policy.AuthzLifetime}
			r.ca.books.authzs.put(z.id, z)
			return append(slices.Clone(list[:len(list)-1]), r.url(Authz, z.id))
		})
}
