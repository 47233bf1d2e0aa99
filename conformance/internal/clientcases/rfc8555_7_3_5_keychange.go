package clientcases

import (
	"encoding/json"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Section 7.3.5: another key for the account.

func keyChangeScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/7.3.5/key-change", Title: "Gives the account a new key",
			Requirements: []string{"RFC8555-7.3.5-03", "RFC8555-7.3.5-01", "RFC8555-7.3.5-02", "RFC8555-7.3.5-04", "RFC8555-7.3.5-05", "RFC8555-7.3.5-06", "RFC8555-7.3.5-07", "RFC8555-11.1-04"},
			Needs:        []Feature{KeyRollover},
			Does:         "Issues; then the user rolls the account's key over, and issues again.", Expects: "two JWS that are right in all parts, and the new key afterwards",
			Play: func(t *Trial) {
				t.obtains()
				before := t.CA.Accounts()[0]
				r := t.run(ChangeKey)
				for _, x := range r.to(mockca.KeyChange) {
					judgeKeyChange(t, parse(x), before)
				}
				after := t.CA.Accounts()[0]
				t.Require(after.Thumbprint != before.Thumbprint, "RFC8555-11.1-04", "another key at the CA", "the old one; %s", r.story())
				t.obtains(func(e *Env) { e.Domains = []string{"other.conformance.test"} })
				t.Must(len(t.CA.Accounts()) == 1, "RFC8555-11.1-04", "one account", "%d", len(t.CA.Accounts()))
			},
		},
		{
			ID: "rfc8555/7.3.5/refused", Title: "Keeps the old key when the CA refuses the new one",
			Requirements: []string{"RFC8555-7.3.5-25"}, Needs: []Feature{KeyRollover},
			Does: "Refuses keyChange; then the user issues again.", Expects: "the account's URL as kid, signed by the old key",
			Stage: func(s *Stage) {
				s.inject(0, refuse("bad-public-key", mockca.Problem{Type: mockca.TypeBadPublicKey, Detail: "not this one"}), at(mockca.KeyChange))
			},
			Play: func(t *Trial) {
				t.obtains()
				r := t.run(ChangeKey)
				t.Must(r.Err != nil, t.main(), "a failure", "the client said that it succeeded")
				t.obtains(func(e *Env) { e.Domains = []string{"other.conformance.test"} })
				t.Must(len(t.CA.Accounts()) == 1, t.main(), "the same account", "%d accounts", len(t.CA.Accounts()))
			},
		},
		{
			ID: "rfc8555/7.3.5/lost", Title: "Loses no key when the answer to keyChange is lost",
			Requirements: []string{"RFC8555-7.3.5-25"}, Needs: []Feature{KeyRollover},
			Does: "Rolls over and resets the connection in place of an answer; then the user issues again.", Expects: "the same account, by whichever key it has",
			Faults: []string{"key-change-lost", "reset-after"},
			Stage:  func(s *Stage) { s.inject(1, mockca.ResetAfter(), at(mockca.KeyChange)) },
			Play: func(t *Trial) {
				t.obtains()
				t.run(ChangeKey)
				t.obtains(func(e *Env) { e.Domains = []string{"other.conformance.test"} })
				t.Must(len(t.CA.Accounts()) == 1, t.main(), "the same account", "%d accounts", len(t.CA.Accounts()))
			},
		},
	}
}

func judgeKeyChange(t *Trial, outer *request, before mockca.Account) {
	inner := parse(&mockca.Exchange{RequestBody: outer.payload})
	t.at(outer.Exchange).Require(inner.protected != nil, "RFC8555-7.3.5-04", "a flattened JWS as payload", "it is %s", excerpt(string(outer.payload)))
	t.Must(outer.header("kid") == before.URL && verifies(outer, before.Key) == "", "RFC8555-7.3.5-03", "the outer JWS by the old key, with kid", "kid is %s", outer.header("kid"))
	_, unprotected := inner.envelope["header"]
	t.Must(!unprotected && inner.header("alg") != "", "RFC8555-7.3.5-04", "no unprotected header, and alg", "unprotected header: %t, alg %q", unprotected, inner.header("alg"))
	t.Must(inner.jwk() != nil && verifies(inner, inner.jwk()) == "", "RFC8555-7.3.5-05", "the inner JWS by the new key, with jwk", "it is not verified by its jwk")
	t.Must(inner.header("url") == outer.header("url"), "RFC8555-7.3.5-06", "the same url inside and outside", "%q inside", inner.header("url"))
	_, nonce := inner.protected["nonce"]
	t.Must(!nonce, "RFC8555-7.3.5-07", "no nonce inside", "there is one")
	var payload struct {
		Account string          `json:"account"`
		OldKey  json.RawMessage `json:"oldKey"`
	}
	_ = json.Unmarshal(inner.payload, &payload)
	var old any
	_ = json.Unmarshal(payload.OldKey, &old)
	t.Must(payload.Account == before.URL, "RFC8555-7.3.5-01", "account "+before.URL, "it is %q", payload.Account)
	t.Must(thumbprint(readJWK(old)) == before.Thumbprint, "RFC8555-7.3.5-02", "the old public key as oldKey", "it is %s", excerpt(string(payload.OldKey)))
}
