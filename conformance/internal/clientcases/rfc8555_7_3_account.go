package clientcases

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 7.1.2, 7.3 and 11.1: accounts.

func accountScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/7.3/contact", Title: "A contact is one address, and no more than that",
			Requirements: []string{"RFC8555-7.3-08", "RFC8555-7.3-09"},
			Does:         "Issues with a contact.", Expects: "mailto URLs with one address and no header fields",
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.each(r.to(mockca.NewAccount), t.main(), "mailto URLs with one address each", func(r *request) string {
					list, _ := r.object()["contact"].([]any)
					for _, each := range list {
						if url, _ := each.(string); !strings.HasPrefix(url, "mailto:") || strings.ContainsAny(url, "?,") {
							return "contact is " + url
						}
					}
					return ""
				})
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.3/terms-agreed", Title: "Agrees to the terms of service when the user did",
			Requirements: []string{"RFC8555-7.3-17"},
			Does:         "Has terms of service; the user agrees.", Expects: "termsOfServiceAgreed true, and a certificate",
			Stage: func(s *Stage) { s.Policy.TermsOfService = "https://ca.test/terms/1" },
			Play:  func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/7.3/terms-not-agreed", Title: "Does not agree to terms of service by itself",
			Requirements: []string{"RFC8555-7.3-16", "RFC8555-7.3-17"}, Needs: []Feature{AskForTerms},
			Does: "Has terms of service; the user has not agreed.", Expects: "no termsOfServiceAgreed",
			Stage: func(s *Stage) {
				s.Policy.TermsOfService = "https://ca.test/terms/1"
				s.Env.AgreeTerms = false
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.eachShould(r.to(mockca.NewAccount), "RFC8555-7.3-16", "no agreement", func(r *request) string {
					return unless(r.object()["termsOfServiceAgreed"] != true, "termsOfServiceAgreed is true")
				})
			},
		},
		{
			ID: "rfc8555/7.3/account-kept", Title: "The account serves for more than one certificate",
			Requirements: []string{"RFC8555-7.3.1-09"},
			Does:         "Issues twice, for different names.", Expects: "one account",
			Play: func(t *Trial) {
				t.obtains()
				r := t.obtains(func(e *Env) { e.Domains = []string{"other.conformance.test"} })
				t.Must(len(t.CA.Accounts()) == 1, t.main(), "one account for both", "%d accounts", len(t.CA.Accounts()))
				t.bounded(r.to(mockca.NewAccount), 1, t.main(), "requests to newAccount in a run")
			},
		},
		{
			ID: "rfc8555/7.3.1/existing", Title: "newAccount may answer 200",
			Requirements: []string{"RFC8555-7.3.1-09"},
			Does:         "newAccount answers 200 in place of 201.", Expects: "a certificate",
			Faults: []string{"account-exists"},
			Stage: func(s *Stage) {
				s.inject(0, alter("account-exists", func(_ *mockca.Exchange, r *mockca.Response) {
					if r.Status == 201 {
						r.Status = 200
					}
				}), at(mockca.NewAccount))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/7.3/new-account-lost", Title: "An account whose creation was not answered is found again",
			Requirements: []string{"RFC8555-7.3.1-09"},
			Does:         "Makes the account and resets the connection in place of an answer.", Expects: "one account, and a certificate in this run or the next",
			Faults: []string{"new-account-lost", "reset-after"},
			Stage:  func(s *Stage) { s.inject(1, mockca.ResetAfter(), at(mockca.NewAccount)) },
			Play: func(t *Trial) {
				r := t.run(Issue)
				if r.Err != nil {
					t.Should(false, t.main(), "another attempt", "the client gave up; %s", r.story())
					r = t.run(Issue)
				}
				t.has(r)
				t.Should(len(t.CA.Accounts()) == 1, t.main(), "one account", "%d", len(t.CA.Accounts()))
			},
		},
		{
			ID: "rfc8555/7.3.1/find", Title: "Looks an account up without making one",
			Requirements: []string{"RFC8555-7.3.1-06"}, Needs: []Feature{AccountLookup},
			Does: "Issues; then the user asks for the account.", Expects: "onlyReturnExisting true",
			Play: func(t *Trial) {
				t.obtains()
				r := t.run(FindAccount)
				t.eachShould(r.to(mockca.NewAccount), t.main(), "onlyReturnExisting true", func(r *request) string {
					return unless(r.object()["onlyReturnExisting"] == true, "the payload is %s", excerpt(string(r.payload)))
				})
				t.Should(r.Err == nil && len(r.to(mockca.NewAccount)) > 0, t.main(), "the account is found", "%s", r.story())
			},
		},
		{
			ID: "rfc8555/7.3.2/update", Title: "Changes go to the account's URL",
			Requirements: []string{"RFC8555-7.3.2-06"}, Needs: []Feature{AccountUpdate},
			Does: "Issues; then the user changes the contact.", Expects: "a POST to the account's URL, with kid",
			Play: func(t *Trial) {
				t.obtains()
				r := t.run(UpdateAccount, func(e *Env) { e.Email = "new@conformance.test" })
				t.each(signed(r.to(mockca.AccountURL)), t.main(), "kid and the account's URL", func(r *request) string {
					return unless(r.header("kid") == r.URL, "kid is %s", r.header("kid"))
				})
				t.Must(slices.Contains(t.CA.Accounts()[0].Contact, "mailto:new@conformance.test"), t.main(), "the new contact at the CA", "%v; %s", t.CA.Accounts()[0].Contact, r.story())
			},
		},
		{
			ID: "rfc8555/7.3.3/terms-changed", Title: "Shows where a human is to agree to new terms",
			Requirements: []string{"RFC8555-7.3.3-05"},
			Does:         "Changes its terms of service after the account was made, and wants a human to see a page.", Expects: "the page's URL in what the client says, or the agreement that the user gave beforehand",
			Faults: []string{"tos-changed"},
			Stage:  func(s *Stage) { s.Policy.TermsOfService = "https://ca.test/terms/1" },
			Play: func(t *Trial) {
				t.obtains()
				t.CA.Inject(refuse("tos-changed", mockca.Problem{Type: mockca.TypeUserActionRequired, Status: 403, Detail: "the terms of service have changed",
					Instance: "https://ca.test/agree?id=4711", Links: []string{`<https://ca.test/terms/2>;rel="terms-of-service"`}}), mockca.When{Endpoint: mockca.NewOrder})
				r := t.run(Issue, func(e *Env) { e.Domains = []string{"other.conformance.test"} })
				t.Should(r.says("https://ca.test/agree?id=4711"), t.main(), "the instance URL in what the client says", "it said: %s", excerpt(r.Output))
				t.bounded(r.to(mockca.NewOrder), 5, t.main(), "orders")
			},
		},
		{
			ID: "rfc8555/7.3.4/binding", Title: "Binds the account to an external one",
			Requirements: []string{"RFC8555-7.3.4-04", "RFC8555-7.3.4-05", "RFC8555-7.3.4-06", "RFC8555-7.3.4-07", "RFC8555-7.3.4-08", "RFC8555-7.3.4-09"}, Needs: []Feature{ExternalAccounts},
			Does: "Wants an external account.", Expects: "a binding that is right in all parts",
			Stage: func(s *Stage) {
				key := []byte("a MAC key with - and _ \xfb\xff in base64url")
				s.Policy.RequireEAB = true
				s.Env.EABKeyID, s.Env.EABKey = "kid-1", key
				s.Start = func(ca *mockca.CA) { ca.AddEAB("kid-1", key) }
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				for _, x := range r.to(mockca.NewAccount) {
					judgeBinding(t, parse(x))
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.3.6/deactivate", Title: "Ends an account by its status",
			Requirements: []string{"RFC8555-7.3.6-09"}, Needs: []Feature{AccountDeactivation},
			Does: "Issues; then the user ends the account.", Expects: `{"status":"deactivated"} to the account's URL`,
			Play: func(t *Trial) {
				t.obtains()
				r := t.run(DeactivateAccount)
				t.each(signed(r.to(mockca.AccountURL)), t.main(), `{"status":"deactivated"}`, func(r *request) string {
					o := r.object()
					return unless(len(r.payload) == 0 || o["status"] == "deactivated" && len(o) == 1, "the payload is %s", r.payload)
				})
				t.Must(t.CA.Accounts()[0].Status == "deactivated", t.main(), "the account deactivated", "it is %s; %s", t.CA.Accounts()[0].Status, r.story())
			},
		},
		{
			ID: "rfc8555/7.1.2.1/orders", Title: "Reads the list of orders page by page",
			Requirements: []string{"RFC8555-7.1.2.1-05"}, Needs: []Feature{OrdersList},
			Does: "Shows one order on a page.", Expects: "each page, by POST-as-GET, as Link next says",
			Stage: func(s *Stage) { s.Policy.OrdersPageSize = 1 },
			Play: func(t *Trial) {
				for _, name := range []string{"a", "b", "c"} {
					t.obtains(func(e *Env) { e.Domains = []string{name + ".conformance.test"} })
				}
				r := t.run(ListOrders)
				for _, o := range t.CA.Orders() {
					t.Must(r.says(o.URL), t.main(), "every order in what the client lists", "%s is missing; it said: %s", o.URL, excerpt(r.Output))
				}
			},
		},
		{
			ID: "rfc8555/11.1/fresh-key", Title: "A new account has a new key",
			Requirements: []string{"RFC8555-11.1-04"},
			Does:         "Issues twice, the second time as on another machine.", Expects: "two keys",
			Play: func(t *Trial) {
				t.obtains()
				t.obtains(func(e *Env) {
					e.AccountDir = filepath.Join(e.Dir, "account2")
					e.CertFile, e.KeyFile = filepath.Join(e.Dir, "out2", "cert.pem"), filepath.Join(e.Dir, "out2", "key.pem")
				})
				t.Must(len(t.CA.Accounts()) == 2, t.main(), "two accounts with keys of their own", "%d", len(t.CA.Accounts()))
			},
		},
		{
			ID: "rfc8555/11.1/one-key-per-ca", Title: "Each CA gets an account key of its own",
			Requirements: []string{"RFC8555-11.1-01"},
			Does:         "Issues from two CAs, with the same account directory.", Expects: "two keys",
			Play: func(t *Trial) {
				t.obtains()
				other := t.secondCA()
				t.run(Issue, func(e *Env) {
					e.Directory, e.CABundle, e.Domains = other.url, other.bundle, []string{"other.conformance.test"}
				})
				for _, a := range other.ca.Accounts() {
					t.Should(a.Thumbprint != t.CA.Accounts()[0].Thumbprint, t.main(), "another key at the second CA", "it is the same")
				}
				t.Should(len(other.ca.Accounts()) > 0, t.main(), "an account at the second CA", "none")
			},
		},
		{
			ID: "rfc8555/8.1/key-types", Title: "Key authorizations are right for all types of account keys",
			Requirements: []string{"RFC8555-8.1-01", "RFC8555-8.1-02", "RFC8555-5-03", "RFC7638-3-01", "RFC7638-3-02", "RFC7638-3-03", "RFC7638-3-04", "RFC7638-3.2-01", "RFC7638-3.2-02", "RFC7518-6.3.1.1-01"},
			Needs:        []Feature{KeyTypes},
			Does:         "Issues with account keys of type RSA, P-256 and P-384.", Expects: "three certificates",
			Play: func(t *Trial) {
				for _, kind := range []string{"rsa2048", "p256", "p384"} {
					t.obtains(func(e *Env) { e.KeyType, e.AccountDir = kind, filepath.Join(e.Dir, "account-"+kind) })
				}
			},
		},
	}
}

// judgeBinding: RFC 8555, Section 7.3.4.
func judgeBinding(t *Trial, r *request) {
	data, err := json.Marshal(r.object()["externalAccountBinding"])
	inner := parse(&mockca.Exchange{RequestBody: data})
	t.at(r.Exchange).Require(err == nil && inner.protected != nil, "RFC8555-7.3.4-05", "a binding, as a flattened JWS", "externalAccountBinding is %s", excerpt(string(data)))
	t.Must(slices.Contains([]string{"HS256", "HS384", "HS512"}, inner.header("alg")), "RFC8555-7.3.4-05", "a MAC algorithm", "alg is %q", inner.header("alg"))
	t.Must(inner.header("kid") == t.Env.EABKeyID, "RFC8555-7.3.4-06", "kid "+t.Env.EABKeyID, "it is %q", inner.header("kid"))
	_, nonce := inner.protected["nonce"]
	t.Must(!nonce, "RFC8555-7.3.4-07", "no nonce", "there is one")
	t.Must(inner.header("url") == r.header("url"), "RFC8555-7.3.4-08", "url "+r.header("url"), "it is %q", inner.header("url"))
	var bound any
	_ = json.Unmarshal(inner.payload, &bound)
	t.Must(thumbprint(readJWK(bound)) == thumbprint(r.jwk()) && !bytes.Contains(inner.payload, []byte(`"d"`)), "RFC8555-7.3.4-09", "the account's public key as payload", "it is %s", excerpt(string(inner.payload)))
	m, err := jose.ParseSignedJSON(string(data), []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512})
	if err == nil {
		_, err = m.Verify(t.Env.EABKey)
	}
	t.Must(err == nil, "RFC8555-7.3.4-04", "a MAC by the decoded key "+base64.RawURLEncoding.EncodeToString(t.Env.EABKey), "%v", err)
}
