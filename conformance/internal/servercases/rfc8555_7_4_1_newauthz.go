package servercases

import (
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Section 7.4.1: pre-authorization.

// newAuthz asks for an authorization; the case is skipped when the server
// does not offer it.
func (s *scene) newAuthz(a *account, name string) *wire.Response {
	r := s.post(a, s.url("newAuthz"), map[string]any{"identifier": id{"dns", name}})
	if r.Status == 403 && name[0] != '*' {
		s.skip("the server's policy allows no pre-authorization, as it may (RFC 8555, Section 7.4.1): %s", r.Excerpt())
	}
	return r
}

func newAuthzCases() []spec {
	return []spec{
		{
			id: "rfc8555/7.4.1/new", title: "newAuthz creates an authorization",
			requirements: []string{"RFC8555-7.4.1-05", "RFC8555-7.4.1-06", "RFC8555-7.4.1-08"},
			does:         "Asks for an authorization of a new name.",
			expects:      "201 with Location and the authorization, pending and not a wildcard's.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a, name := s.account(), s.name()
				r := s.newAuthz(a, name)
				z := objectOf(r)
				s.must("RFC8555-7.4.1-06", r.Status == 201 && isURL(r.Header.Get("Location")) && z.member("identifier").text("value") == name,
					"201 with Location and the authorization", "%s, Location %q", r.Excerpt(), r.Header.Get("Location"))
				s.must("RFC8555-7.4.1-05", z.status() == "pending", "a pending authorization", "%s", z.status())
				s.must("RFC8555-7.4.1-08", !z.has("wildcard") || z["wildcard"] == false, "wildcard is absent or false", "%v", z["wildcard"])
			},
		},
		{
			id: "rfc8555/7.4.1/wildcard", title: "Wildcard names can't be pre-authorized",
			requirements: []string{"RFC8555-7.4.1-07"},
			does:         "Asks for an authorization of a wildcard name.",
			expects:      "It is refused.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				s.refuses("RFC8555-7.4.1-07", s.newAuthz(s.account(), "*."+s.name()), "newAuthz for a wildcard name")
			},
		},
		{
			id: "rfc8555/7.4.1/unwilling", title: "A name that is not acceptable is refused at once",
			requirements: []string{"RFC8555-7.4.1-02", "RFC8555-7.4.1-03", "RFC8555-7.4.1-04"},
			does:         "Asks for an authorization of a name that no CA may accept.",
			expects:      "403 with a problem document that says why.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				r := s.post(s.account(), s.url("newAuthz"), map[string]any{"identifier": id{"x-unknown", "value"}})
				s.should("RFC8555-7.4.1-02", r.Status >= 400, "it is refused at once", "%s", r.Excerpt())
				s.should("RFC8555-7.4.1-03", r.Status == 403, "403", "%s", r.Excerpt())
				problem, err := r.Problem()
				s.should("RFC8555-7.4.1-04", err == nil && problem.Detail != "", "a problem document with a detail", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.4.1/counts", title: "A pre-authorization counts for later orders",
			requirements: []string{"RFC8555-7.4.1-09"},
			does:         "Completes a pre-authorization, and orders the name.",
			expects:      "The order is ready, or lists the valid authorization.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a, name := s.account(), s.name()
				r := s.newAuthz(a, name)
				if r.Status != 201 {
					s.inconclusive("no authorization could be had: %s", r.Excerpt())
				}
				s.complete(a, &authorization{objectOf(r), r.Location()})
				o := s.order(a, name)
				z := s.authorizations(a, o)[0]
				s.must("RFC8555-7.4.1-09", o.status() == "ready" || z.status() == "valid", "an order that is ready", "order %s, authorization %s", o.status(), z.status())
			},
		},
	}
}
