package mockca_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

func limited(t *testing.T, validation mockca.Validation) (*mockca.CA, *raw) {
	t.Helper()
	policy := mockca.DefaultPolicy()
	policy.RateLimits = mockca.LetsEncryptLimits()
	policy.ReuseAuthz = false
	ca := mockca.New(t, mockca.Options{Policy: &policy, Validation: validation, Clock: mockca.NewClock(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC))})
	return ca, newRaw(t, ca)
}

// denied wants a rateLimited with everything a client needs.
func denied(t *testing.T, ca *mockca.CA, r result, wait time.Duration, detail string) {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, r.Status, "%s", r.Body)
	require.Equal(t, "rateLimited", r.problem())
	require.Equal(t, strconv.Itoa(int(wait/time.Second)), r.Header.Get("Retry-After"))
	until := ca.Clock().Now().Add(wait).UTC().Format("2006-01-02 15:04:05 MST")
	require.Contains(t, r.text("detail"), detail+", retry after "+until)
	require.Contains(t, r.Header.Values("Link"), `<https://letsencrypt.org/docs/rate-limits/>;rel="help"`)
}

func TestLimitOfRegistrations(t *testing.T) {
	t.Parallel()
	ca, c := limited(t, off)
	register := func() result { c.key = newKey(t); return c.post(mockca.NewAccount, ca.URL(mockca.NewAccount), "{}") }
	for range 10 {
		require.Equal(t, http.StatusCreated, register().Status)
	}
	denied(t, ca, register(), 18*time.Minute, "too many new registrations (10) from this IP address in the last 3h0m0s")
	ca.Clock().Advance(18 * time.Minute)
	require.Equal(t, http.StatusCreated, register().Status)
	require.Equal(t, http.StatusTooManyRequests, register().Status)
	ca.Disable(mockca.CheckRateLimits)
	require.Equal(t, http.StatusCreated, register().Status)
}

func TestLimitOfOrders(t *testing.T) {
	t.Parallel()
	ca, c := limited(t, off)
	c.register()
	for i := range 300 {
		c.order(fmt.Sprintf("n%d.example%d.org", i, i))
	}
	order := func(payload string) result { return c.post(mockca.NewOrder, ca.URL(mockca.NewOrder), payload) }
	denied(t, ca, order(`{"identifiers":`+identifiers("more.example.net")+`}`), 36*time.Second, "too many new orders (300) from this account in the last 3h0m0s")
}

func TestLimitsOfCertificates(t *testing.T) {
	t.Parallel()
	ca, c := limited(t, off)
	c.register()
	order := func(names ...string) result {
		return c.post(mockca.NewOrder, ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers(names...)+`}`)
	}
	for range 5 {
		c.issue("same.example.co.uk")
	}
	denied(t, ca, order("same.example.co.uk"), 33*time.Hour+36*time.Minute, "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s")
	cert := ca.Certificates()[0]
	require.Equal(t, http.StatusCreated, c.post(mockca.NewOrder, ca.URL(mockca.NewOrder),
		`{"identifiers":`+identifiers("same.example.co.uk")+`,"replaces":"`+cert.CertID+`"}`).Status, "what replaces is let off")
	for i := range 49 { // the repetitions counted once
		c.issue(fmt.Sprintf("n%d.example.co.uk", i))
	}
	denied(t, ca, order("another.example.co.uk"), 3*time.Hour+21*time.Minute+36*time.Second, `too many certificates (50) already issued for "example.co.uk" in the last 168h0m0s`)
	require.Equal(t, http.StatusCreated, order("n3.example.co.uk").Status, "renewals are let off")
	require.Equal(t, http.StatusCreated, order("another.other.co.uk").Status)
}

func TestLimitOfFailures(t *testing.T) {
	t.Parallel()
	ca, c := limited(t, mockca.Validation{Script: func(context.Context, mockca.ValidationRequest) *mockca.Problem {
		return &mockca.Problem{Type: "unauthorized", Detail: "no"}
	}})
	c.register()
	order := func() result {
		return c.post(mockca.NewOrder, ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example.org")+`}`)
	}
	for range 5 {
		r := order()
		require.Equal(t, http.StatusCreated, r.Status, "%s", r.Body)
		z, ok := ca.Authorization(r.object()["authorizations"].([]any)[0].(string))
		require.True(t, ok)
		c.want(http.StatusOK, z.Challenges[0].URL, "{}")
		require.NoError(t, ca.Wait(t.Context()))
	}
	denied(t, ca, order(), 12*time.Minute, `too many failed authorizations (5) for "a.example.org" in the last 1h0m0s`)

	require.NoError(t, ca.Pause(c.kid, "a.example.org"))
	ca.Clock().Advance(time.Hour)
	r := order()
	require.Equal(t, "rateLimited", r.problem())
	require.Contains(t, r.text("detail"), "Please visit: ")
	require.NoError(t, ca.Unpause(c.kid))
	require.Equal(t, http.StatusCreated, order().Status)
}

func TestOverridesOfLimits(t *testing.T) {
	t.Parallel()
	ca, c := limited(t, off)
	c.register()
	ca.ChangePolicy(func(p *mockca.Policy) {
		p.RateLimits = []mockca.RateLimit{{Name: mockca.LimitCertificatesPerDomain, Count: 1, Period: time.Hour, Overrides: map[string]int{"big.org": -1, "two.org": 2}}}
	})
	for domain, want := range map[string]int{"one.org": 1, "two.org": 2, "big.org": 9} {
		got := 0
		for i := range 9 {
			name := fmt.Sprintf("n%d.%s", i, domain)
			if c.post(mockca.NewOrder, ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers(name)+`}`).Status != http.StatusCreated {
				break
			}
			c.issue(name)
			got++
		}
		require.Equal(t, want, got, domain)
	}
}
