package mockca_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

func started(t *testing.T, change func(*mockca.Policy)) (*mockca.CA, *raw) {
	t.Helper()
	policy := mockca.DefaultPolicy()
	if change != nil {
		change(&policy)
	}
	ca := mockca.New(t, mockca.Options{Validation: off, Policy: &policy, Clock: mockca.NewClock(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)), Hierarchy: mockca.Hierarchy{Roots: 3}})
	return ca, newRaw(t, ca)
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	ca, c := started(t, func(p *mockca.Policy) {
		p.TermsOfService, p.Website, p.RequireEAB = "https://ca.test/tos", "https://ca.test", true
		p.NoKeyChange = true
	})
	d := read(c, ca.DirectoryURL()).object()
	require.Equal(t, ca.URL(mockca.NewNonce), d["newNonce"])
	require.Equal(t, ca.URL(mockca.RenewalInfo), d["renewalInfo"])
	require.NotContains(t, d, "keyChange")
	meta := d["meta"].(map[string]any)
	require.Equal(t, "https://ca.test/tos", meta["termsOfService"])
	require.Equal(t, true, meta["externalAccountRequired"])
	require.Equal(t, []any{"mockca.test"}, meta["caaIdentities"])
	require.Len(t, meta["profiles"], 3)
	require.Equal(t, http.StatusNotFound, read(c, ca.URL(mockca.KeyChange)).Status, "what is not offered is not there")
	require.Equal(t, http.StatusNotFound, read(c, ca.URL(mockca.Directory)+"/more").Status)
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	leaf, _ := c.issue("a.example.org")
	c.post(mockca.OrderURL, ca.URL(mockca.OrderURL)+"/999", "")
	revocation(c, leaf.Raw, "")
	read(c, ca.URL(mockca.RenewalInfo)+"/"+ca.Certificates()[0].CertID)
	nonces := make(map[string]bool)
	for _, x := range ca.Transcript().Exchanges() {
		nonce := x.ResponseHeader.Get("Replay-Nonce")
		require.NotEmpty(t, nonce, x.URL)
		require.False(t, nonces[nonce], "nonce twice")
		nonces[nonce] = true
		require.Equal(t, "no-store", x.ResponseHeader.Get("Cache-Control"))
		if x.Endpoint != mockca.Directory {
			require.Contains(t, x.ResponseHeader.Values("Link"), "<"+ca.DirectoryURL()+`>;rel="index"`)
		}
		if x.Endpoint == mockca.ChallengeURL {
			require.Contains(t, x.ResponseHeader.Values("Link"), "<"+ca.Authorizations()[0].URL+`>;rel="up"`)
		}
	}
}

func TestNewNonce(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	for method, want := range map[string]int{http.MethodHead: http.StatusOK, http.MethodGet: http.StatusNoContent} {
		req, err := http.NewRequestWithContext(t.Context(), method, ca.URL(mockca.NewNonce), nil)
		require.NoError(t, err)
		resp, err := c.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode)
		require.NotEmpty(t, resp.Header.Get("Replay-Nonce"))
	}
}

func TestAccountLife(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	r := c.want(http.StatusCreated, ca.URL(mockca.NewAccount), `{"contact":["mailto:a@example.org"]}`)
	url := r.Header.Get("Location")
	require.Equal(t, "valid", r.text("status"))
	require.Equal(t, []any{"mailto:a@example.org"}, r.object()["contact"])

	for _, payload := range []string{`{}`, `{"onlyReturnExisting":true}`, `{"contact":["mailto:b@example.org"]}`} {
		r = c.want(http.StatusOK, ca.URL(mockca.NewAccount), payload)
		require.Equal(t, url, r.Header.Get("Location"))
		require.Equal(t, []any{"mailto:a@example.org"}, r.object()["contact"], "newAccount does not change an account")
	}
	c.kid = url
	require.Equal(t, []any{"mailto:b@example.org"}, c.want(http.StatusOK, url, `{"contact":["mailto:b@example.org"]}`).object()["contact"])
	require.Equal(t, []any{"mailto:b@example.org"}, c.want(http.StatusOK, url, ``).object()["contact"])
	require.NotContains(t, c.want(http.StatusOK, url, `{"contact":[]}`).object(), "contact")
	require.Equal(t, "deactivated", c.want(http.StatusOK, url, `{"status":"deactivated"}`).text("status"))
	require.Equal(t, "deactivated", ca.Accounts()[0].Status)

	require.NoError(t, ca.SetAccountStatus(url, "valid"))
	c.want(http.StatusOK, url, "")
	require.NoError(t, ca.ForgetAccount(url))
	require.Equal(t, "accountDoesNotExist", c.want(http.StatusBadRequest, url, "").problem())
}

func TestKeyChange(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	var fresh crypto.Signer
	r := rollover(func(_ *raw, _ map[string]any, k *any, _ map[string]any) { fresh = (*k).(crypto.Signer) })(c)
	require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
	require.Equal(t, "malformed", c.want(http.StatusBadRequest, c.kid, "").problem(), "the old key is out")
	c.key = fresh
	c.want(http.StatusOK, c.kid, "")

	again := rollover(func(c *raw, h map[string]any, k *any, _ map[string]any) {
		taken := other(c)
		*k, h["jwk"] = taken.key, jose.JSONWebKey{Key: taken.key.Public()}
	})(c)
	require.Equal(t, http.StatusConflict, again.Status)
	require.Equal(t, ca.Accounts()[1].URL, again.Header.Get("Location"))
}

func TestExternalAccountBinding(t *testing.T) {
	t.Parallel()
	ca, c := started(t, func(p *mockca.Policy) { p.RequireEAB = true })
	r := eab(func(map[string]any, *any, *string) {})(c)
	require.Equal(t, http.StatusCreated, r.Status, "%s", r.Body)
	require.Contains(t, r.object(), "externalAccountBinding")
	require.Equal(t, "kid-1", ca.Accounts()[0].EAB)
	require.Equal(t, ca.Accounts()[0].URL, ca.EABs()[0].Account)
}

func TestOrdersListHasPages(t *testing.T) {
	t.Parallel()
	_, c := started(t, func(p *mockca.Policy) { p.OrdersPageSize = 3 })
	c.register()
	list := c.want(http.StatusOK, c.kid, "").text("orders")
	require.Equal(t, []any{}, c.want(http.StatusOK, list, "").object()["orders"])
	var want, got []string
	for i := range 7 {
		want = append(want, c.order(fmt.Sprintf("n%d.example.org", i)).Header.Get("Location"))
	}
	for pages := 0; list != ""; pages++ {
		require.Less(t, pages, 3)
		r := c.want(http.StatusOK, list, "")
		for _, u := range r.object()["orders"].([]any) {
			got = append(got, u.(string))
		}
		list = ""
		for _, link := range r.Header.Values("Link") {
			if url, ok := strings.CutSuffix(link, `>;rel="next"`); ok {
				list = url[1:]
			}
		}
	}
	require.Equal(t, want, got)
}

func TestIdentifiersGetTheirChallenges(t *testing.T) {
	t.Parallel()
	_, c := started(t, func(p *mockca.Policy) { p.ChallengeTypes = append(p.ChallengeTypes, "dns-persist-01") })
	c.register()
	order := c.order("Example.ORG", "*.example.org", "192.0.2.7", "2001:db8::1")
	require.Equal(t, "example.org", order.object()["identifiers"].([]any)[0].(map[string]any)["value"])
	want := [][]string{
		{"http-01", "tls-alpn-01", "dns-01", "dns-account-01", "dns-persist-01"}, {"dns-01", "dns-account-01", "dns-persist-01"},
		{"http-01", "tls-alpn-01"}, {"http-01", "tls-alpn-01"},
	}
	for i, url := range order.object()["authorizations"].([]any) {
		z := c.want(http.StatusOK, url.(string), "").object()
		var types []string
		for _, ch := range z["challenges"].([]any) {
			types = append(types, ch.(map[string]any)["type"].(string))
		}
		require.Equal(t, want[i], types)
		require.Equal(t, i == 1, z["wildcard"] == true)
		require.NotContains(t, z["identifier"].(map[string]any)["value"], "*")
	}
}

func TestAuthorizationInAdvanceIsUsed(t *testing.T) {
	t.Parallel()
	ca, c := started(t, func(p *mockca.Policy) { p.ReuseAuthz = false })
	c.register()
	r := c.want(http.StatusCreated, ca.URL(mockca.NewAuthz), `{"identifier":{"type":"dns","value":"a.example.org"}}`)
	url := r.Header.Get("Location")
	c.want(http.StatusOK, ca.Authorizations()[0].Challenges[0].URL, "{}")
	order := c.order("a.example.org")
	require.Equal(t, []any{url}, order.object()["authorizations"])
	require.Equal(t, "ready", order.text("status"))
	require.NotEqual(t, []any{url}, c.order("a.example.org").object()["authorizations"], "once it has an order it is not reused")
}

func TestValidAuthorizationsAreReused(t *testing.T) {
	t.Parallel()
	for _, reuse := range []bool{false, true} {
		ca, c := started(t, func(p *mockca.Policy) { p.ReuseAuthz = reuse })
		c.register()
		c.issue("a.example.org")
		order := c.order("a.example.org", "b.example.org")
		require.Equal(t, reuse, slices.Contains(order.object()["authorizations"].([]any), any(ca.Authorizations()[0].URL)))
		ca.Clock().Advance(31 * 24 * time.Hour)
		require.NotContains(t, c.order("a.example.org").object()["authorizations"], ca.Authorizations()[0].URL, "not once it has expired")
	}
}

func TestOrdersAreReused(t *testing.T) {
	t.Parallel()
	_, c := started(t, func(p *mockca.Policy) { p.ReuseOrders = true })
	c.register()
	first := c.order("a.example.org", "b.example.org").Header.Get("Location")
	require.Equal(t, first, c.order("b.example.org", "a.example.org").Header.Get("Location"))
	require.NotEqual(t, first, c.order("a.example.org").Header.Get("Location"))
	c.ready("b.example.org", "a.example.org")
	again := c.order("a.example.org", "b.example.org")
	require.Equal(t, first, again.Header.Get("Location"))
	c.want(http.StatusOK, again.text("finalize"), csrPayload(csrFor(t, newKey(t), "a.example.org", "b.example.org")))
	require.NotEqual(t, first, c.order("b.example.org", "a.example.org").Header.Get("Location"))
}

func TestDeactivatedAuthorizationEndsItsOrders(t *testing.T) {
	t.Parallel()
	_, c := started(t, nil)
	c.register()
	order, url := c.ready("a.example.org", "b.example.org")
	c.want(http.StatusOK, order.object()["authorizations"].([]any)[0].(string), `{"status":"deactivated"}`)
	order = c.want(http.StatusOK, url, "")
	require.Equal(t, "invalid", order.text("status"))
	sub := order.object()["error"].(map[string]any)["subproblems"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"type": "dns", "value": "a.example.org"}, sub["identifier"])
}

func TestDatesProfilesAndStapling(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	now := ca.Clock().Now()
	c.ready("a.example.org")
	issue := func(more string) *x509.Certificate {
		order := c.want(http.StatusCreated, ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example.org")+more+`}`)
		order = c.want(http.StatusOK, order.text("finalize"), csrPayload(csrFor(t, newKey(t), "a.example.org")))
		block, _ := pem.Decode(c.want(http.StatusOK, order.text("certificate"), "").Body)
		leaf, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		return leaf
	}
	short := issue(`,"profile":"shortlived"`)
	require.Equal(t, 160*time.Hour, short.NotAfter.Add(time.Second).Sub(short.NotBefore))
	asked := issue(fmt.Sprintf(`,"notBefore":%q,"notAfter":%q`, now.Add(time.Hour).Format(time.RFC3339), now.Add(48*time.Hour).Format(time.RFC3339)))
	require.Equal(t, now.Add(time.Hour), asked.NotBefore)
	require.Equal(t, now.Add(48*time.Hour), asked.NotAfter)
	for _, leaf := range []*x509.Certificate{short, asked} {
		require.NotEmpty(t, leaf.Policies, "marked as for testing")
		require.Contains(t, leaf.Issuer.Organization[0], "TEST CA")
	}
}

func TestAlternateChains(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	leaf, _ := c.issue("a.example.org")
	url := ca.Certificates()[0].URL
	r := c.want(http.StatusOK, url, "")
	require.Equal(t, "application/pem-certificate-chain", r.Header.Get("Content-Type"))
	roots := make(map[string]bool)
	visit := []string{url}
	for _, link := range r.Header.Values("Link") {
		if alternate, ok := strings.CutSuffix(link, `>;rel="alternate"`); ok {
			visit = append(visit, alternate[1:])
		}
	}
	require.Len(t, visit, 3)
	for _, u := range visit {
		var pool []*x509.Certificate
		rest := c.want(http.StatusOK, u, "").Body
		for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
			cert, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			pool = append(pool, cert)
		}
		require.Equal(t, leaf.Raw, pool[0].Raw)
		roots[pool[len(pool)-1].Issuer.String()] = true
	}
	require.Len(t, roots, 3)
	require.Equal(t, http.StatusNotFound, c.post(mockca.Certificate, url+"/3", "").Status)
	require.Equal(t, http.StatusNotFound, c.post(mockca.Certificate, url+"/0", "").Status)
}

func TestRevocationByEachKindOfKey(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(owner *raw, leaf *x509.Certificate, key any) (result, int){
		"account": func(owner *raw, leaf *x509.Certificate, _ any) (result, int) {
			return revocation(owner, leaf.Raw, `,"reason":5`), 5
		},
		"another account with authorizations": func(owner *raw, leaf *x509.Certificate, _ any) (result, int) {
			o := other(owner)
			o.ready("a.example.org")
			return revocation(o, leaf.Raw, ""), 0
		},
		"the certificate's key": func(owner *raw, leaf *x509.Certificate, key any) (result, int) {
			owner.change = func(e *envelope) {
				delete(e.header, "kid")
				e.key, e.header["jwk"] = key, jose.JSONWebKey{Key: leaf.PublicKey}
			}
			return revocation(owner, leaf.Raw, ""), 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca, c := started(t, nil)
			c.register()
			leaf, key := c.issue("a.example.org")
			r, reason := revoke(c, leaf, key)
			require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
			require.Equal(t, reason, ca.Certificates()[0].Reason)
			resp, err := c.http.Get(leaf.CRLDistributionPoints[0])
			require.NoError(t, err)
			defer resp.Body.Close()
			der := make([]byte, 4096)
			n, _ := resp.Body.Read(der)
			crl, err := x509.ParseRevocationList(der[:n])
			require.NoError(t, err)
			require.Len(t, crl.RevokedCertificateEntries, 1)
			require.Equal(t, leaf.SerialNumber, crl.RevokedCertificateEntries[0].SerialNumber)
		})
	}
}

func TestRenewalInformation(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	leaf, _ := c.issue("a.example.org")
	cert := ca.Certificates()[0]
	window := func() (start, end time.Time, r result) {
		r = read(c, ca.URL(mockca.RenewalInfo)+"/"+cert.CertID)
		var out struct {
			SuggestedWindow struct{ Start, End time.Time }
		}
		require.NoError(t, json.Unmarshal(r.Body, &out))
		return out.SuggestedWindow.Start, out.SuggestedWindow.End, r
	}
	start, end, r := window()
	require.Equal(t, "21600", r.Header.Get("Retry-After"))
	require.True(t, start.Before(end) && end.Before(leaf.NotAfter) && start.After(leaf.NotBefore.Add(58*24*time.Hour)))
	require.NoError(t, ca.SetRenewalInfo(cert.Serial, &mockca.RenewalAnswer{Start: leaf.NotBefore, End: leaf.NotAfter, ExplanationURL: "https://ca.test/why", RetryAfter: time.Minute}))
	start, end, r = window()
	require.Equal(t, leaf.NotBefore, start)
	require.Equal(t, leaf.NotAfter, end)
	require.Equal(t, "60", r.Header.Get("Retry-After"))
	require.Equal(t, "https://ca.test/why", r.text("explanationURL"))
	require.NoError(t, ca.SetRenewalInfo(cert.Serial, nil))
	require.NoError(t, ca.Revoke(cert.Serial, 1))
	_, end, _ = window()
	require.False(t, end.After(ca.Clock().Now()), "a revoked certificate is to be renewed now")
	require.Error(t, ca.Revoke("00", 1))
}

func TestReplacesIsFreedByAFailedOrder(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	c.issue("a.example.org")
	payload := `{"identifiers":` + identifiers("a.example.org") + `,"replaces":"` + ca.Certificates()[0].CertID + `"}`
	order := c.want(http.StatusCreated, ca.URL(mockca.NewOrder), payload)
	require.Equal(t, ca.Certificates()[0].CertID, order.text("replaces"))
	url := order.Header.Get("Location")
	require.Equal(t, url, ca.Certificates()[0].ReplacedBy)
	require.NoError(t, ca.SetOrderStatus(url, "invalid", &mockca.Problem{Type: "serverInternal", Detail: "gone"}))
	c.want(http.StatusCreated, ca.URL(mockca.NewOrder), payload)
}

func TestFinalizeTakesItsTime(t *testing.T) {
	t.Parallel()
	ca, c := started(t, func(p *mockca.Policy) {
		p.AsyncFinalize, p.FinalizeDelay, p.PollRetryAfter = true, time.Minute, 7*time.Second
	})
	c.register()
	order, url := c.ready("a.example.org")
	order = c.want(http.StatusOK, order.text("finalize"), csrPayload(csrFor(t, newKey(t), "a.example.org")))
	require.Equal(t, "processing", order.text("status"))
	require.Equal(t, url, order.Header.Get("Location"))
	order = c.want(http.StatusOK, url, "")
	require.Equal(t, "processing", order.text("status"))
	require.Equal(t, "7", order.Header.Get("Retry-After"))
	require.NotContains(t, order.object(), "certificate")
	sleeping(t, ca)
	ca.Clock().Advance(time.Minute)
	require.NoError(t, ca.Wait(t.Context()))
	order = c.want(http.StatusOK, url, "")
	require.Equal(t, "valid", order.text("status"))
	require.NotEmpty(t, order.text("certificate"))
}

// sleeping waits until the CA waits for its clock.
func sleeping(t *testing.T, ca *mockca.CA) {
	t.Helper()
	require.Eventually(t, func() bool { return ca.Clock().Sleepers() > 0 }, 10*time.Second, time.Millisecond)
}

func TestTheClockExpiresEverything(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	_, pending := c.order("a.example.org"), ca.Orders()[0].URL
	c.ready("b.example.org")
	ca.Clock().Advance(7 * 24 * time.Hour)
	order := c.want(http.StatusOK, pending, "")
	require.Equal(t, "invalid", order.text("status"))
	require.Contains(t, order.object()["error"].(map[string]any)["detail"], "expired")
	require.Equal(t, "invalid", ca.Authorizations()[0].Status)
	require.Equal(t, "valid", ca.Authorizations()[1].Status)
	ca.Clock().Advance(24 * 24 * time.Hour)
	require.Equal(t, "expired", ca.Authorizations()[1].Status)
}

func TestValidationIsTriedAgain(t *testing.T) {
	t.Parallel()
	policy := mockca.DefaultPolicy()
	policy.ValidationRetries, policy.ValidationRetryWait = 2, time.Minute
	ca := mockca.New(t, mockca.Options{Policy: &policy, Clock: mockca.NewClock(time.Now()), Validation: mockca.Validation{
		Script: func(_ context.Context, v mockca.ValidationRequest) *mockca.Problem {
			if v.Attempt < 3 {
				return &mockca.Problem{Type: "connection", Detail: fmt.Sprintf("attempt %d", v.Attempt)}
			}
			return nil
		}}})
	c := newRaw(t, ca).register()
	c.order("a.example.org")
	url := ca.Authorizations()[0].Challenges[0].URL
	require.Equal(t, "processing", c.want(http.StatusOK, url, "{}").text("status"))
	for attempt := 1; attempt <= 2; attempt++ {
		sleeping(t, ca)
		r := c.want(http.StatusOK, url, "")
		require.Equal(t, "processing", r.text("status"))
		require.Equal(t, fmt.Sprintf("attempt %d", attempt), r.object()["error"].(map[string]any)["detail"])
		require.NotEmpty(t, r.Header.Get("Retry-After"))
		c.want(http.StatusOK, url, "{}") // answering again does no harm
		ca.Clock().Advance(time.Minute)
		require.Eventually(t, func() bool { return attempt == 2 || ca.Clock().Sleepers() > 0 }, 10*time.Second, time.Millisecond)
	}
	require.NoError(t, ca.Wait(t.Context()))
	require.Equal(t, "valid", c.want(http.StatusOK, url, "").text("status"))
}

func TestOldOrdersAreForgotten(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{Validation: off, MaxOrders: 5})
	c := newRaw(t, ca).register()
	pending := c.order("pending.example.org").Header.Get("Location")
	var first *x509.Certificate
	for i := range 20 {
		leaf, _ := c.issue(fmt.Sprintf("n%d.example.org", i))
		if first == nil {
			first = leaf
		}
	}
	require.Len(t, ca.Orders(), 5)
	require.Len(t, ca.Certificates(), 4)
	require.Len(t, ca.Authorizations(), 5)
	require.Len(t, ca.Accounts()[0].Orders, 5)
	c.want(http.StatusOK, pending, "")
	require.Equal(t, http.StatusNotFound, revocation(c, first.Raw, "").Status)
	require.NoError(t, ca.ForgetOrder(pending))
	c.want(http.StatusNotFound, pending, "")
	ca.ForgetEverything()
	require.Empty(t, ca.Orders())
	require.Equal(t, "accountDoesNotExist", c.want(http.StatusBadRequest, c.kid, "").problem())
}

func TestOrderAndCertificateByTheRawBytes(t *testing.T) {
	t.Parallel()
	ca, c := started(t, nil)
	c.register()
	leaf, _ := c.issue("a.example.org")
	cert, ok := ca.Certificate(fmt.Sprintf("%x", leaf.SerialNumber))
	require.True(t, ok)
	require.Equal(t, leaf.Raw, cert.DER)
	require.Equal(t, base64.RawURLEncoding.EncodeToString(leaf.AuthorityKeyId), strings.Split(cert.CertID, ".")[0])
	order, ok := ca.Order(cert.Order)
	require.True(t, ok)
	require.Equal(t, cert.URL, order.Certificate)
	account, ok := ca.Account(order.Account)
	require.True(t, ok)
	require.Equal(t, []string{order.URL}, account.Orders)
	_, ok = ca.Order("https://elsewhere.test/nothing")
	require.False(t, ok)
}
