package clientcases

import (
	"slices"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 6.2, 6.3 and 7.1: how things are read, and who signs.

func readScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/6.3/post-as-get", Title: "Objects are read by POST-as-GET",
			Requirements: []string{"RFC8555-6.3-03", "RFC8555-6.3-04", "RFC8555-7.5-01", "RFC8555-7.4.2-01"},
			Does:         "Issues a certificate, with an order that takes a second to finalize.", Expects: `POST with the payload "", GET only where there is nothing to hide`,
			Stage: func(s *Stage) { s.Policy.AsyncFinalize, s.Policy.FinalizeDelay = true, halfASecond },
			Play: func(t *Trial) {
				r := t.run(Issue)
				open := []mockca.Endpoint{mockca.Directory, mockca.NewNonce, mockca.RenewalInfo, mockca.Terms, mockca.Issuer, mockca.OCSP, mockca.CRL}
				t.each(r.Exchanges, "RFC8555-6.3-03", "POST-as-GET", func(r *request) string {
					return unless(r.Method == "POST" || slices.Contains(open, r.Endpoint), "it is %s", r.Method)
				})
				t.each(signed(r.to(mockca.Certificate, mockca.OrderURL)), "RFC8555-6.3-04", `the payload ""`, func(r *request) string {
					text, is := r.envelope["payload"].(string)
					return unless(is && text == "", "payload is %v", r.envelope["payload"])
				})
				t.each(signed(r.to(mockca.Authz)), "RFC8555-6.3-04", `the payload "", or a new status`, func(r *request) string {
					text, is := r.envelope["payload"].(string)
					return unless(is && (text == "" || r.object()["status"] != nil), "payload is %s", r.payload)
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/6.2/signature", Title: "Requests are signed by the account's key",
			Requirements: []string{"RFC8555-6.2-02", "RFC7518-3.4-01"},
			Does:         "Issues a certificate.", Expects: "signatures that the account's key verifies",
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(signed(r.Exchanges), t.main(), "a signature by the account's key", func(r *request) string {
					if r.Endpoint == mockca.NewAccount {
						return ""
					}
					account, ok := t.CA.Account(r.header("kid"))
					return unless(ok && verifies(r, account.Key) == "", "kid %s: the key of that account does not verify it", r.header("kid"))
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/6.2/kid", Title: "kid is the account's URL, from Location",
			Requirements: []string{"RFC8555-6.2-31", "RFC8555-7.3-22"},
			Does:         "newAccount's answer has other URLs in its body, as id, url and location.", Expects: "the Location, byte for byte",
			Stage: func(s *Stage) {
				s.inject(0, rewrite("account-decoys", func(m map[string]any) {
					m["id"], m["url"], m["location"] = "https://127.0.0.1/acct/1", "https://127.0.0.1/acct/2", "https://127.0.0.1/acct/3"
				}), at(mockca.NewAccount))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				location := ""
				for _, x := range r.to(mockca.NewAccount) {
					location = x.ResponseHeader.Get("Location")
				}
				t.each(signed(r.Exchanges), t.main(), "kid "+location, func(r *request) string {
					return unless(r.Endpoint == mockca.NewAccount || r.header("kid") == location, "kid is %s", r.header("kid"))
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.1.1/directory", Title: "The directory comes first, by plain GET",
			Requirements: []string{"RFC8555-7.1.1-14"},
			Does:         "Issues a certificate.", Expects: "GET of the directory, unsigned, before anything else",
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.Exchanges[:min(1, len(r.Exchanges))], t.main(), "GET of the directory as the first request", func(r *request) string {
					return unless(r.Endpoint == mockca.Directory && r.Method == "GET" && len(r.RequestBody) == 0, "it is the first")
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.1.1/no-meta", Title: "A directory without meta will do",
			Requirements: []string{"RFC8555-7.1.1-08"},
			Does:         "The directory has no meta.", Expects: "a certificate",
			Stage: func(s *Stage) { s.Policy.NoMeta = true },
			Play:  func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/7.1.1/unknown-members", Title: "What is unknown in directory and objects is ignored",
			Requirements: []string{"RFC8555-7.1.1-15", "RFC8555-8-09"},
			Does:         "Directory, meta, orders, authorizations and challenges have members of all types that no standard knows.", Expects: "a certificate",
			Faults: []string{"json-unknown-fields"},
			Stage: func(s *Stage) {
				s.inject(0, rewrite("json-unknown-fields", strange), at(mockca.Directory, mockca.NewAccount, mockca.NewOrder, mockca.OrderURL, mockca.Finalize, mockca.Authz, mockca.ChallengeURL))
			},
			Play: func(t *Trial) { t.obtains() },
		},
	}
}

// strange adds members of all types, also inside.
func strange(m map[string]any) {
	for name, v := range map[string]any{"x-text": "?", "x-number": 1e3, "x-null": nil, "x-true": true, "x-list": []any{1, "2", nil}, "x-object": map[string]any{"status": "x"}} {
		m[name] = v
	}
	for _, inner := range []string{"meta"} {
		if o, ok := m[inner].(map[string]any); ok {
			o["x-number"], o["x-list"] = 7, []any{map[string]any{}}
		}
	}
	list, _ := m["challenges"].([]any)
	for _, each := range list {
		if o, ok := each.(map[string]any); ok {
			o["x-null"], o["x-number"], o["x-object"] = nil, -1, map[string]any{"token": "x"}
		}
	}
}
