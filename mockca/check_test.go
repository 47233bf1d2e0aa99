package mockca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

var weakRSA = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

// violation is a request that one check refuses, made to a CA on which c is
// registered.
type violation struct {
	check   mockca.Check
	name    string
	status  int
	problem string // "": the check's own
	policy  func(*mockca.Policy)
	fresh   bool // no account yet
	do      func(c *raw) result
}

// newAccount posts to newAccount with a new key.
func newAccount(payload string, change func(*envelope)) func(*raw) result {
	return func(c *raw) result {
		c.key, c.kid, c.change = newKey(c.t), "", change
		return c.post(mockca.NewAccount, c.ca.URL(mockca.NewAccount), payload)
	}
}

// orders posts to newOrder.
func newOrder(payload string) func(*raw) result {
	return func(c *raw) result { return c.post(mockca.NewOrder, c.ca.URL(mockca.NewOrder), payload) }
}

// account reads the account, wrongly.
func account(change func(*envelope)) func(*raw) result {
	return func(c *raw) result {
		c.change = change
		return c.post(mockca.AccountURL, c.kid, "")
	}
}

// finalizing posts a CSR to a ready order.
func finalizing(csr func(c *raw) string) func(*raw) result {
	return func(c *raw) result {
		order, _ := c.ready("a.example.org", "b.example.org")
		return c.post(mockca.Finalize, order.text("finalize"), csrPayload(csr(c)))
	}
}

// eab binds with a key that the CA knows as kid-1.
func eab(change func(header map[string]any, key *any, payload *string)) func(*raw) result {
	return func(c *raw) result {
		secret := []byte("0123456789abcdef0123456789abcdef")
		if len(c.ca.EABs()) == 0 {
			c.ca.AddEAB("kid-1", secret)
		}
		url := c.ca.URL(mockca.NewAccount)
		c.key, c.kid = newKey(c.t), ""
		jwk, err := json.Marshal(jose.JSONWebKey{Key: c.key.Public()})
		require.NoError(c.t, err)
		header, key, payload := map[string]any{"alg": "HS256", "kid": "kid-1", "url": url}, any(secret), string(jwk)
		change(header, &key, &payload)
		binding, err := json.Marshal(sign(c.t, key, "HS256", header, payload))
		require.NoError(c.t, err)
		return c.post(mockca.NewAccount, url, `{"externalAccountBinding":`+string(binding)+`}`)
	}
}

// rollover changes the account's key.
func rollover(change func(c *raw, header map[string]any, key *any, payload map[string]any)) func(*raw) result {
	return func(c *raw) result {
		url := c.ca.URL(mockca.KeyChange)
		fresh := newKey(c.t)
		header := map[string]any{"url": url, "jwk": jose.JSONWebKey{Key: fresh.Public()}}
		payload := map[string]any{"account": c.kid, "oldKey": jose.JSONWebKey{Key: c.key.Public()}}
		key := any(fresh)
		change(c, header, &key, payload)
		inner, err := json.Marshal(payload)
		require.NoError(c.t, err)
		outer, err := json.Marshal(sign(c.t, key, jose.ES256, header, string(inner)))
		require.NoError(c.t, err)
		return c.post(mockca.KeyChange, url, string(outer))
	}
}

func revocation(c *raw, der []byte, reason string) result {
	return c.post(mockca.RevokeCert, c.ca.URL(mockca.RevokeCert), `{"certificate":"`+base64.RawURLEncoding.EncodeToString(der)+`"`+reason+`}`)
}

// other is another account's client at the same CA.
func other(c *raw) *raw { return newRaw(c.t, c.ca).register() }

var violations = []violation{
	{check: mockca.CheckMethod, status: 405, do: func(c *raw) result {
		c.change = func(e *envelope) { e.method = http.MethodPut }
		return c.post(mockca.AccountURL, c.kid, "")
	}},
	{check: mockca.CheckContentType, status: 415, do: account(func(e *envelope) { e.contentType = "application/json" })},
	{check: mockca.CheckContentType, name: "none", status: 415, do: account(func(e *envelope) { e.contentType = "" })},
	{check: mockca.CheckBodySize, status: 413, do: account(func(e *envelope) { e.body = make([]byte, 1<<20+1) })},
	{check: mockca.CheckJWSUnprotected, status: 400, do: account(func(e *envelope) { e.sent = func(m map[string]any) { m["header"] = map[string]any{} } })},
	{check: mockca.CheckJWSCritical, status: 400, do: account(func(e *envelope) { e.header["crit"] = []string{"exp"} })},
	{check: mockca.CheckJWSCritical, name: "b64", status: 400, do: account(func(e *envelope) { e.header["b64"] = true })},
	{check: mockca.CheckJWSAlgorithm, name: "none", status: 400, do: account(func(e *envelope) { e.header["alg"] = "none" })},
	{check: mockca.CheckJWSAlgorithm, name: "MAC", status: 400, do: account(func(e *envelope) { e.header["alg"], e.key = "HS256", []byte("x") })},
	{check: mockca.CheckJWSAlgorithm, name: "of another key", status: 400, do: account(func(e *envelope) { e.header["alg"] = "ES384" })},
	{check: mockca.CheckJWSKeyChoice, name: "both", status: 400, do: account(func(e *envelope) { e.header["jwk"] = jose.JSONWebKey{Key: e.key.(crypto.Signer).Public()} })},
	{check: mockca.CheckJWSKeyChoice, name: "neither", status: 400, do: account(func(e *envelope) { delete(e.header, "kid") })},
	{check: mockca.CheckJWSKeyChoice, name: "jwk for kid", status: 400, do: account(func(e *envelope) {
		delete(e.header, "kid")
		e.header["jwk"] = jose.JSONWebKey{Key: e.key.(crypto.Signer).Public()}
	})},
	{check: mockca.CheckJWSKeyChoice, name: "kid for jwk", status: 400, do: func(c *raw) result { return c.post(mockca.NewAccount, c.ca.URL(mockca.NewAccount), "{}") }},
	{check: mockca.CheckJWSURL, name: "another", status: 403, do: account(func(e *envelope) { e.header["url"] = e.url + "/" })},
	{check: mockca.CheckJWSURL, name: "none", status: 403, do: account(func(e *envelope) { delete(e.header, "url") })},
	{check: mockca.CheckJWSSignature, status: 400, do: func(c *raw) result {
		c.key = newKey(c.t)
		return c.post(mockca.AccountURL, c.kid, "")
	}},
	{check: mockca.CheckNonceEncoding, status: 400, do: account(func(e *envelope) { e.header["nonce"] = "not base64" })},
	{check: mockca.CheckNonce, name: "none", status: 400, do: account(func(e *envelope) { delete(e.header, "nonce") })},
	{check: mockca.CheckNonce, name: "foreign", status: 400, do: account(func(e *envelope) { e.header["nonce"] = "AAAAAAAAAAAAAAAAAAAAAA" })},
	{check: mockca.CheckNonceReuse, status: 400, do: func(c *raw) result {
		nonce := c.nonce()
		use := func(e *envelope) { e.header["nonce"] = nonce }
		require.Equal(c.t, 200, account(use)(c).Status)
		return account(use)(c)
	}},
	{check: mockca.CheckNonceExpiry, status: 400, do: func(c *raw) result {
		nonce := c.nonce()
		c.ca.Clock().Advance(2 * time.Hour)
		return account(func(e *envelope) { e.header["nonce"] = nonce })(c)
	}},
	{check: mockca.CheckKeyStrength, name: "short RSA", status: 400, fresh: true, do: func(c *raw) result {
		c.key = weakRSA()
		c.change = func(e *envelope) { e.alg = jose.RS256 }
		return c.post(mockca.NewAccount, c.ca.URL(mockca.NewAccount), "{}")
	}},
	{check: mockca.CheckKeyStrength, name: "kind not wanted", status: 400, fresh: true, policy: func(p *mockca.Policy) { p.AccountKeys = []string{"RSA-2048"} },
		do: newAccount("{}", nil)},
	{check: mockca.CheckPostAsGet, name: "order", status: 400, do: func(c *raw) result {
		return c.post(mockca.OrderURL, c.order("a.example.org").Header.Get("Location"), "{}")
	}},
	{check: mockca.CheckPostAsGet, name: "authorization", status: 400, do: func(c *raw) result {
		return c.post(mockca.Authz, c.order("a.example.org").object()["authorizations"].([]any)[0].(string), "{}")
	}},
	{check: mockca.CheckPayload, name: "not JSON", status: 400, do: newOrder("identifiers")},
	{check: mockca.CheckPayload, name: "not an object", status: 400, do: newOrder("null")},
	{check: mockca.CheckPayload, name: "wrong type", status: 400, do: newOrder(`{"identifiers":"a.example.org"}`)},
	{check: mockca.CheckPayload, name: "account status", status: 400, do: func(c *raw) result { return c.post(mockca.AccountURL, c.kid, `{"status":"revoked"}`) }},
	{check: mockca.CheckAccountStatus, name: "deactivated", status: 401, do: func(c *raw) result {
		c.want(200, c.kid, `{"status":"deactivated"}`)
		return c.post(mockca.AccountURL, c.kid, "")
	}},
	{check: mockca.CheckAccountStatus, name: "key of a deactivated one", status: 401, do: func(c *raw) result {
		c.want(200, c.kid, `{"status":"deactivated"}`)
		c.kid = ""
		return c.post(mockca.NewAccount, c.ca.URL(mockca.NewAccount), "{}")
	}},
	{check: mockca.CheckAccountStatus, name: "revoked", status: 401, do: func(c *raw) result {
		require.NoError(c.t, c.ca.SetAccountStatus(c.kid, "revoked"))
		return c.post(mockca.NewOrder, c.ca.URL(mockca.NewOrder), "{}")
	}},
	{check: mockca.CheckAccess, name: "account", status: 403, do: func(c *raw) result { return c.post(mockca.AccountURL, other(c).kid, "") }},
	{check: mockca.CheckAccess, name: "order", status: 403, do: func(c *raw) result {
		return c.post(mockca.OrderURL, other(c).order("a.example.org").Header.Get("Location"), "")
	}},
	{check: mockca.CheckAccess, name: "orders", status: 403, do: func(c *raw) result {
		o := other(c)
		return c.post(mockca.OrdersList, o.want(200, o.kid, "").text("orders"), "")
	}},
	{check: mockca.CheckAccess, name: "authorization", status: 403, do: func(c *raw) result {
		return c.post(mockca.Authz, other(c).order("a.example.org").object()["authorizations"].([]any)[0].(string), "")
	}},
	{check: mockca.CheckAccess, name: "challenge", status: 403, do: func(c *raw) result {
		other(c).order("a.example.org")
		return c.post(mockca.ChallengeURL, c.ca.Authorizations()[0].Challenges[0].URL, "{}")
	}},
	{check: mockca.CheckAccess, name: "finalize", status: 403, do: func(c *raw) result {
		order, _ := other(c).ready("a.example.org")
		return c.post(mockca.Finalize, order.text("finalize"), csrPayload(csrFor(c.t, newKey(c.t), "a.example.org")))
	}},
	{check: mockca.CheckAccess, name: "certificate", status: 403, do: func(c *raw) result {
		other(c).issue("a.example.org")
		return c.post(mockca.Certificate, c.ca.Certificates()[0].URL, "")
	}},
	{check: mockca.CheckTerms, status: 403, fresh: true, policy: func(p *mockca.Policy) { p.TermsOfService = "https://ca.test/tos" }, do: newAccount("{}", nil)},
	{check: mockca.CheckTermsChanged, status: 403, do: func(c *raw) result {
		c.ca.ChangeTerms("https://ca.test/tos/2")
		r := newOrder(`{"identifiers":` + identifiers("a.example.org") + `}`)(c)
		if r.Status == 403 {
			require.Equal(c.t, "https://ca.test/tos/2", r.text("instance"))
			require.Contains(c.t, r.Header.Values("Link"), `<https://ca.test/tos/2>;rel="terms-of-service"`)
			c.want(200, c.kid, `{"termsOfServiceAgreed":true}`)
			c.order("a.example.org")
		}
		return r
	}},
	{check: mockca.CheckContact, name: "not an address", status: 400, fresh: true, do: newAccount(`{"contact":["mailto:somebody"]}`, nil)},
	{check: mockca.CheckContact, name: "header fields", status: 400, fresh: true, do: newAccount(`{"contact":["mailto:a@example.org?subject=x"]}`, nil)},
	{check: mockca.CheckContact, name: "two addresses", status: 400, fresh: true, do: newAccount(`{"contact":["mailto:a@example.org,b@example.org"]}`, nil)},
	{check: mockca.CheckContact, name: "telephone", status: 400, problem: "unsupportedContact", fresh: true, do: newAccount(`{"contact":["tel:+123"]}`, nil)},
	{check: mockca.CheckContact, name: "one of each", status: 400, problem: "compound", fresh: true, do: newAccount(`{"contact":["tel:+123","mailto:x"]}`, nil)},
	{check: mockca.CheckContact, name: "update", status: 400, do: func(c *raw) result { return c.post(mockca.AccountURL, c.kid, `{"contact":["mailto:x"]}`) }},
	{check: mockca.CheckOnlyReturnExisting, status: 400, fresh: true, do: newAccount(`{"onlyReturnExisting":true}`, nil)},
	{check: mockca.CheckEABRequired, status: 403, fresh: true, policy: func(p *mockca.Policy) { p.RequireEAB = true }, do: newAccount("{}", nil)},
	{check: mockca.CheckEABForm, name: "jwk", status: 400, fresh: true, do: eab(func(h map[string]any, _ *any, _ *string) {
		h["jwk"] = jose.JSONWebKey{Key: &weakRSA().(*rsa.PrivateKey).PublicKey}
	})},
	{check: mockca.CheckEABAlgorithm, status: 400, fresh: true, do: eab(func(h map[string]any, _ *any, _ *string) { h["alg"] = "ES256" })},
	{check: mockca.CheckEABNonce, status: 400, fresh: true, do: eab(func(h map[string]any, _ *any, _ *string) { h["nonce"] = "abcd" })},
	{check: mockca.CheckEABURL, status: 400, fresh: true, do: eab(func(h map[string]any, _ *any, _ *string) { h["url"] = "https://other.test/" })},
	{check: mockca.CheckEABKey, status: 400, fresh: true, do: eab(func(_ map[string]any, _ *any, p *string) { *p = "{}" })},
	{check: mockca.CheckEABSignature, name: "MAC", status: 403, fresh: true, do: eab(func(_ map[string]any, k *any, _ *string) { *k = []byte("another key") })},
	{check: mockca.CheckEABSignature, name: "unknown kid", status: 403, fresh: true, do: eab(func(h map[string]any, _ *any, _ *string) { h["kid"] = "kid-2" })},
	{check: mockca.CheckEABReuse, status: 403, fresh: true, policy: func(p *mockca.Policy) { p.EABOnce = true }, do: func(c *raw) result {
		right := eab(func(map[string]any, *any, *string) {})
		require.Equal(c.t, 201, right(c).Status)
		return right(c)
	}},

	{check: mockca.CheckKeyChangeInner, name: "no JWS", status: 400, do: func(c *raw) result { return c.post(mockca.KeyChange, c.ca.URL(mockca.KeyChange), "{}") }},
	{check: mockca.CheckKeyChangeInner, name: "kid inside", status: 400, do: rollover(func(c *raw, h map[string]any, _ *any, _ map[string]any) { h["kid"] = c.kid })},
	{check: mockca.CheckKeyChangeInner, name: "no jwk", status: 400, do: rollover(func(_ *raw, h map[string]any, _ *any, _ map[string]any) { delete(h, "jwk") })},
	{check: mockca.CheckKeyChangeSignature, status: 400, do: rollover(func(c *raw, _ map[string]any, k *any, _ map[string]any) { *k = newKey(c.t) })},
	{check: mockca.CheckKeyChangeURL, status: 400, do: rollover(func(_ *raw, h map[string]any, _ *any, _ map[string]any) { h["url"] = "https://other.test/" })},
	{check: mockca.CheckKeyChangeNonce, status: 400, do: rollover(func(_ *raw, h map[string]any, _ *any, _ map[string]any) { h["nonce"] = "abcd" })},
	{check: mockca.CheckKeyChangeAccount, status: 400, do: rollover(func(c *raw, _ map[string]any, _ *any, p map[string]any) { p["account"] = c.kid + "1" })},
	{check: mockca.CheckKeyChangeOldKey, name: "another", status: 400, do: rollover(func(c *raw, _ map[string]any, _ *any, p map[string]any) {
		p["oldKey"] = jose.JSONWebKey{Key: newKey(c.t).Public()}
	})},
	{check: mockca.CheckKeyChangeOldKey, name: "none", status: 400, do: rollover(func(_ *raw, _ map[string]any, _ *any, p map[string]any) { delete(p, "oldKey") })},
	{check: mockca.CheckKeyChangeConflict, status: 409, do: rollover(func(c *raw, h map[string]any, k *any, _ map[string]any) {
		taken := other(c)
		*k, h["jwk"] = taken.key, jose.JSONWebKey{Key: taken.key.Public()}
	})},

	{check: mockca.CheckIdentifierType, status: 400, do: newOrder(`{"identifiers":[{"type":"email","value":"a@example.org"}]}`)},
	{check: mockca.CheckIdentifierSyntax, name: "one label", status: 400, do: newOrder(`{"identifiers":` + identifiers("localhost") + `}`)},
	{check: mockca.CheckIdentifierSyntax, name: "underscore", status: 400, do: newOrder(`{"identifiers":` + identifiers("a_b.example.org") + `}`)},
	{check: mockca.CheckIdentifierSyntax, name: "U-label", status: 400, problem: "malformed", do: newOrder(`{"identifiers":` + identifiers("bücher.example.org") + `}`)},
	{check: mockca.CheckIdentifierSyntax, name: "inner wildcard", status: 400, do: newOrder(`{"identifiers":` + identifiers("a.*.example.org") + `}`)},
	{check: mockca.CheckIdentifierSyntax, name: "two wildcards", status: 400, do: newOrder(`{"identifiers":` + identifiers("*.*.example.org") + `}`)},
	{check: mockca.CheckIdentifierSyntax, name: "trailing dot", status: 400, do: newOrder(`{"identifiers":` + identifiers("example.org.") + `}`)},
	{check: mockca.CheckIdentifierSyntax, name: "address as name", status: 400, do: newOrder(`{"identifiers":[{"type":"dns","value":"192.0.2.1"}]}`)},
	{check: mockca.CheckIdentifierSyntax, name: "long IPv6", status: 400, problem: "malformed", do: newOrder(`{"identifiers":[{"type":"ip","value":"2001:db8:0:0::1"}]}`)},
	{check: mockca.CheckIdentifierDuplicate, status: 400, do: newOrder(`{"identifiers":` + identifiers("a.example.org", "A.example.org") + `}`)},
	{check: mockca.CheckIdentifierCount, name: "none", status: 400, do: newOrder(`{"identifiers":[]}`)},
	{check: mockca.CheckIdentifierCount, name: "too many", status: 400, policy: func(p *mockca.Policy) { p.MaxNames = 1 }, do: newOrder(`{"identifiers":` + identifiers("a.example.org", "b.example.org") + `}`)},
	{check: mockca.CheckBlocked, status: 400, policy: func(p *mockca.Policy) { p.Blocked = []string{"example.org"} }, do: newOrder(`{"identifiers":` + identifiers("a.example.org") + `}`)},
	{check: mockca.CheckOrderDates, name: "not a date", status: 400, do: newOrder(`{"identifiers":` + identifiers("a.example.org") + `,"notAfter":"tomorrow"}`)},
	{check: mockca.CheckOrderDates, name: "past", status: 400, do: newOrder(`{"identifiers":` + identifiers("a.example.org") + `,"notAfter":"2001-01-01T00:00:00Z"}`)},
	{check: mockca.CheckOrderDates, name: "too long", status: 400, do: newOrder(`{"identifiers":` + identifiers("a.example.org") + `,"notAfter":"2999-01-01T00:00:00Z"}`)},
	{check: mockca.CheckProfile, status: 400, do: newOrder(`{"identifiers":` + identifiers("a.example.org") + `,"profile":"nonesuch"}`)},
	{check: mockca.CheckReplaces, name: "malformed", status: 400, do: newOrder(`{"identifiers":` + identifiers("a.example.org") + `,"replaces":"x"}`)},
	{check: mockca.CheckReplaces, name: "foreign", status: 403, problem: "unauthorized", do: func(c *raw) result {
		other(c).issue("a.example.org")
		return newOrder(`{"identifiers":` + identifiers("a.example.org") + `,"replaces":"` + c.ca.Certificates()[0].CertID + `"}`)(c)
	}},
	{check: mockca.CheckReplaces, name: "no common name", status: 400, do: func(c *raw) result {
		c.issue("a.example.org")
		return newOrder(`{"identifiers":` + identifiers("b.example.org") + `,"replaces":"` + c.ca.Certificates()[0].CertID + `"}`)(c)
	}},
	{check: mockca.CheckAlreadyReplaced, status: 409, do: func(c *raw) result {
		c.issue("a.example.org")
		again := newOrder(`{"identifiers":` + identifiers("a.example.org") + `,"replaces":"` + c.ca.Certificates()[0].CertID + `"}`)
		require.Equal(c.t, 201, again(c).Status)
		return again(c)
	}},
	{check: mockca.CheckNewAuthzAllowed, status: 400, do: func(c *raw) result {
		return c.post(mockca.NewAuthz, c.ca.URL(mockca.NewAuthz), `{"identifier":{"type":"dns","value":"*.example.org"}}`)
	}},
	{check: mockca.CheckAuthzExpiry, status: 400, policy: func(p *mockca.Policy) { p.PendingAuthzLifetime = time.Hour }, do: func(c *raw) result {
		c.want(201, c.ca.URL(mockca.NewAuthz), `{"identifier":{"type":"dns","value":"a.example.org"}}`)
		c.ca.Clock().Advance(2 * time.Hour)
		return c.post(mockca.ChallengeURL, c.ca.Authorizations()[0].Challenges[0].URL, "{}")
	}},
	{check: mockca.CheckChallengeState, status: 400, do: func(c *raw) result {
		url := c.order("a.example.org").object()["authorizations"].([]any)[0].(string)
		c.want(200, url, `{"status":"deactivated"}`)
		return c.post(mockca.ChallengeURL, c.ca.Authorizations()[0].Challenges[0].URL, "{}")
	}},
	{check: mockca.CheckOrderReady, name: "pending", status: 403, do: func(c *raw) result {
		return c.post(mockca.Finalize, c.order("a.example.org").text("finalize"), csrPayload(csrFor(c.t, newKey(c.t), "a.example.org")))
	}},
	{check: mockca.CheckOrderReady, name: "finalized", status: 403, do: func(c *raw) result {
		order, _ := c.ready("a.example.org")
		csr := csrPayload(csrFor(c.t, newKey(c.t), "a.example.org"))
		c.want(200, order.text("finalize"), csr)
		return c.post(mockca.Finalize, order.text("finalize"), csr)
	}},
	{check: mockca.CheckOrderExpiry, status: 403, problem: "orderNotReady", do: func(c *raw) result {
		order, url := c.ready("a.example.org")
		c.ca.Clock().Advance(8 * 24 * time.Hour)
		r := c.post(mockca.Finalize, order.text("finalize"), csrPayload(csrFor(c.t, newKey(c.t), "a.example.org")))
		if r.Status == 403 {
			require.Equal(c.t, "invalid", c.want(200, url, "").text("status"))
		}
		return r
	}},
	{check: mockca.CheckCSRForm, name: "padding", status: 400, do: finalizing(func(c *raw) string { return "AA==" })},
	{check: mockca.CheckCSRForm, name: "not a CSR", status: 400, do: finalizing(func(c *raw) string { return "AAAA" })},
	{check: mockca.CheckCSRSignature, status: 400, do: finalizing(func(c *raw) string {
		csr := []byte(csrFor(c.t, newKey(c.t), "a.example.org", "b.example.org"))
		der, err := base64.RawURLEncoding.DecodeString(string(csr))
		require.NoError(c.t, err)
		der[len(der)-1] ^= 1
		return base64.RawURLEncoding.EncodeToString(der)
	})},
	{check: mockca.CheckCSRNames, name: "one less", status: 400, do: finalizing(func(c *raw) string { return csrFor(c.t, newKey(c.t), "a.example.org") })},
	{check: mockca.CheckCSRNames, name: "one more", status: 400, do: finalizing(func(c *raw) string {
		return csrFor(c.t, newKey(c.t), "a.example.org", "b.example.org", "c.example.org")
	})},
	{check: mockca.CheckCSRKey, name: "short RSA", status: 400, do: finalizing(func(c *raw) string { return csrFor(c.t, weakRSA(), "a.example.org", "b.example.org") })},
	{check: mockca.CheckCSRKey, name: "P-521", status: 400, do: finalizing(func(c *raw) string {
		key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		require.NoError(c.t, err)
		return csrFor(c.t, key, "a.example.org", "b.example.org")
	})},
	{check: mockca.CheckCSRAccountKey, status: 400, do: finalizing(func(c *raw) string { return csrFor(c.t, c.key, "a.example.org", "b.example.org") })},
	{check: mockca.CheckCSRKnownKey, status: 400, do: finalizing(func(c *raw) string { return csrFor(c.t, other(c).key, "a.example.org", "b.example.org") })},
	{check: mockca.CheckRevokeKnown, status: 404, do: func(c *raw) result {
		return revocation(c, c.ca.IssuingRoots()[0].Raw, "")
	}},
	{check: mockca.CheckRevokeAuthorization, name: "account", status: 403, do: func(c *raw) result {
		leaf, _ := other(c).issue("a.example.org")
		return revocation(c, leaf.Raw, "")
	}},
	{check: mockca.CheckRevokeAuthorization, name: "key", status: 403, do: func(c *raw) result {
		leaf, _ := c.issue("a.example.org")
		c.key, c.kid = newKey(c.t), ""
		return revocation(c, leaf.Raw, "")
	}},
	{check: mockca.CheckRevokeReason, status: 400, do: func(c *raw) result {
		leaf, _ := c.issue("a.example.org")
		return revocation(c, leaf.Raw, `,"reason":7`)
	}},
	{check: mockca.CheckAlreadyRevoked, status: 400, do: func(c *raw) result {
		leaf, _ := c.issue("a.example.org")
		require.Equal(c.t, 200, revocation(c, leaf.Raw, "").Status)
		return revocation(c, leaf.Raw, "")
	}},
	{check: mockca.CheckCertID, name: "malformed", status: 400, do: func(c *raw) result { return read(c, c.ca.URL(mockca.RenewalInfo)+"/abc") }},
	{check: mockca.CheckCertID, name: "unknown", status: 404, do: func(c *raw) result { return read(c, c.ca.URL(mockca.RenewalInfo)+"/AQID.BAUG") }},
}

func read(c *raw, url string) result {
	resp, err := c.http.Get(url)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	var body json.RawMessage
	require.NoError(c.t, json.NewDecoder(resp.Body).Decode(&body))
	return result{resp.StatusCode, resp.Header, body}
}

func (v violation) run(t *testing.T, disabled ...mockca.Check) (*mockca.CA, result) {
	policy := mockca.DefaultPolicy()
	if v.policy != nil {
		v.policy(&policy)
	}
	ca := mockca.New(t, mockca.Options{Validation: off, Policy: &policy, Disabled: disabled})
	c := newRaw(t, ca)
	if !v.fresh {
		c.register()
	}
	return ca, v.do(c)
}

func (v violation) title() string { return strings.TrimSuffix(string(v.check)+" "+v.name, " ") }

func TestEachViolationGetsItsError(t *testing.T) {
	t.Parallel()
	for _, v := range violations {
		t.Run(v.title(), func(t *testing.T) {
			t.Parallel()
			ca, r := v.run(t)
			require.Equal(t, v.status, r.Status, "%s", r.Body)
			want := v.problem
			if want == "" {
				want = v.check.Problem()
			}
			require.Equal(t, want, r.problem(), "%s", r.Body)
			require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
			require.NotEmpty(t, r.Header.Get("Replay-Nonce"))
			require.NotEmpty(t, r.text("detail"))
			require.EqualValues(t, v.status, r.object()["status"])
			exchanges := ca.Transcript().Exchanges()
			found := false
			for _, x := range exchanges {
				found = found || x.Check == v.check
			}
			require.True(t, found || v.check == mockca.CheckOrderExpiry || v.check == mockca.CheckAuthzExpiry, "the transcript names the check")
		})
	}
}

func TestADisabledCheckRefusesNothing(t *testing.T) {
	t.Parallel()
	for _, v := range violations {
		t.Run(v.title(), func(t *testing.T) {
			t.Parallel()
			ca, r := v.run(t, v.check)
			require.NotEqual(t, http.StatusInternalServerError, r.Status, "%s", r.Body)
			for _, x := range ca.Transcript().Exchanges() {
				if x.Check == v.check {
					require.Contains(t, stubborn, v.title(), "refused all the same: %s", x.ResponseBody)
				}
			}
		})
	}
}

// stubborn are violations that even a lenient CA can't make sense of.
var stubborn = []string{
	"method", "jws-key-choice neither", "identifier-type", "identifier-count none", "key-change-inner no JWS", "key-change-inner no jwk",
	"csr-form not a CSR", "csr-form padding", "revoke-known", "cert-id malformed", "cert-id unknown",
	"identifier-syntax long IPv6",
}

func TestEveryCheckHasAViolation(t *testing.T) {
	t.Parallel()
	covered := map[mockca.Check]bool{mockca.CheckRateLimits: true, mockca.CheckValidation: true, mockca.CheckCAA: true, mockca.CheckEABForm: true}
	for _, v := range violations {
		covered[v.check] = true
	}
	for _, c := range mockca.Checks() {
		require.NotEmpty(t, c.Doc())
		require.NotEmpty(t, c.Section())
		if c.Problem() != "" {
			require.True(t, covered[c], "no violation of %s", c)
		}
	}
}

func TestEveryKindOfKeySigns(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{})
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{jose.ES384: p384, jose.EdDSA: ed, jose.RS256: long} {
		c := newRaw(t, ca)
		c.key = key
		c.change = func(e *envelope) { e.alg = alg }
		c.want(http.StatusCreated, ca.URL(mockca.NewAccount), "{}")
	}
}
