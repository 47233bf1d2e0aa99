package client_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// What Pebble lacks is tested against the module's own CA.

// newMock starts a CA that finds every challenge valid.
func newMock(t *testing.T, change ...func(*mockca.Policy)) *mockca.CA {
	policy := mockca.DefaultPolicy()
	policy.PollRetryAfter = -1
	for _, f := range change {
		f(&policy)
	}
	return mockca.New(t, mockca.Options{Policy: &policy, Validation: mockca.Validation{Off: true}})
}

func mockClient(t *testing.T, ca *mockca.CA, change ...func(*client.Config)) *client.Client {
	cfg := client.Config{DirectoryURL: ca.DirectoryURL(), RootCAs: ca.Pool()}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func mockAccount(t *testing.T, c *client.Client, key crypto.Signer) *client.Account {
	a, err := c.NewAccount(t.Context(), key, client.AccountOptions{AgreeTerms: true})
	require.NoError(t, err)
	return a
}

// idle is a solver for a CA that does not look.
type idle struct{}

func (idle) Present(context.Context, []challenge.Challenge) error { return nil }
func (idle) CleanUp(context.Context, []challenge.Challenge) error { return nil }

func requestFor(t *testing.T, names ...string) client.Request {
	ids, err := client.ParseIdentifiers(names...)
	require.NoError(t, err)
	return client.Request{Identifiers: ids, Solvers: []client.SolverFor{{Type: challenge.DNS01, Solver: idle{}}}}
}

// RFC 8555, Section 7.6: an account that is authorized for all identifiers of a
// certificate may revoke it, whoever had it issued.
func TestRevocationByAnotherAccount(t *testing.T) {
	t.Parallel()
	ca := newMock(t)
	c := mockClient(t, ca)
	issuer := mockAccount(t, c, newKey(t, client.P256))
	cert, err := issuer.Obtain(t.Context(), requestFor(t, "a.example", "b.example"))
	require.NoError(t, err)

	stranger := mockAccount(t, c, newKey(t, client.P256))
	require.ErrorIs(t, stranger.Revoke(t.Context(), cert.Chain[0], client.KeyCompromise), client.ErrUnauthorized)
	_, err = stranger.Obtain(t.Context(), requestFor(t, "a.example"))
	require.NoError(t, err)
	require.ErrorIs(t, stranger.Revoke(t.Context(), cert.Chain[0], client.CessationOfOperation), client.ErrUnauthorized, "it has one of two")
	_, err = stranger.Obtain(t.Context(), requestFor(t, "b.example"))
	require.NoError(t, err)
	require.NoError(t, stranger.Revoke(t.Context(), cert.Chain[0], client.CessationOfOperation))

	issued, ok := ca.Certificate(fmt.Sprintf("%x", cert.Leaf.SerialNumber))
	require.True(t, ok)
	require.False(t, issued.Revoked.IsZero())
	require.Equal(t, int(client.CessationOfOperation), issued.Reason)
}

// RFC 8555, Section 7.4.1.
func TestPreAuthorization(t *testing.T) {
	t.Parallel()
	ca := newMock(t, func(p *mockca.Policy) { p.ReuseAuthz = true })
	a := mockAccount(t, mockClient(t, ca), newKey(t, client.P256))
	for _, name := range []string{"a.example", "192.0.2.7"} {
		id, err := client.ParseIdentifier(name)
		require.NoError(t, err)
		z, err := a.NewAuthorization(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, client.StatusPending, z.Status)
		require.Equal(t, id, z.Identifier)
		_, err = a.Answer(t.Context(), &z.Challenges[0])
		require.NoError(t, err)
		z, err = a.WaitAuthorization(t.Context(), z.URL)
		require.NoError(t, err)
		require.Equal(t, client.StatusValid, z.Status)
	}
	r := requestFor(t, "a.example", "192.0.2.7")
	r.Solvers = nil // nothing is left to prove
	_, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)

	_, err = a.NewAuthorization(t.Context(), client.Identifier{Type: client.TypeDNS, Value: "*.a.example"})
	require.ErrorContains(t, err, "wildcard")
	ca.ChangePolicy(func(p *mockca.Policy) { p.NoNewAuthz = true })
	c := mockClient(t, ca)
	_, err = mockAccount(t, c, newKey(t, client.P256)).NewAuthorization(t.Context(), client.Identifier{Type: client.TypeDNS, Value: "a.example"})
	require.ErrorIs(t, err, client.ErrNotOffered)
}

func TestEveryKeyTypeForAccountsAndCertificates(t *testing.T) {
	t.Parallel()
	c := mockClient(t, newMock(t))
	for _, kind := range []client.KeyType{client.P256, client.P384, client.RSA2048, client.Ed25519} {
		a := mockAccount(t, c, opaque{newKey(t, kind)})
		r := requestFor(t, "a.example")
		r.KeyType = kind
		cert, err := a.Obtain(t.Context(), r)
		require.NoError(t, err, kind)
		require.Equal(t, cert.Key.Public(), cert.Leaf.PublicKey)
		r.Key = opaque{newKey(t, kind)}
		_, err = a.Obtain(t.Context(), r)
		require.NoError(t, err, kind)
		require.NoError(t, a.ChangeKey(t.Context(), opaque{newKey(t, kind)}))
		_, err = a.Read(t.Context())
		require.NoError(t, err)
	}
}

// RFC 8555, Section 7.3.3.
func TestTermsThatChangeWhileTheAccountLives(t *testing.T) {
	t.Parallel()
	ca := newMock(t, func(p *mockca.Policy) { p.TermsOfService = "https://ca.example/terms/1" })
	c := mockClient(t, ca)
	a := mockAccount(t, c, newKey(t, client.P256))
	ca.ChangeTerms("https://ca.example/terms/2")
	_, err := a.Obtain(t.Context(), requestFor(t, "a.example"))
	require.ErrorIs(t, err, client.ErrUserActionRequired)
	p, ok := errors.AsType[*client.Problem](err)
	require.True(t, ok)
	require.Equal(t, "https://ca.example/terms/2", p.TermsOfService)
	require.NotEmpty(t, p.Instance)
	require.True(t, client.CallerFault(err), "waiting does not help")

	_, err = a.Update(t.Context(), client.AccountUpdate{AgreeTerms: true})
	require.NoError(t, err)
	_, err = a.Obtain(t.Context(), requestFor(t, "a.example"))
	require.NoError(t, err)
}

// cut is a transport that breaks for good at a request, before or after the CA
// has it: what a crash leaves behind.
type cut struct {
	next  http.RoundTripper
	at    string // in the URL
	after bool   // the CA gets it
	down  atomic.Bool
}

var errCut = errors.New("the wire is cut")

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.down.Load() {
		return nil, errCut
	}
	if !strings.Contains(r.URL.Path, c.at) {
		return c.next.RoundTrip(r)
	}
	c.down.Store(true)
	if c.after {
		resp, err := c.next.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	return nil, errCut
}

func TestKeyRolloverAfterACrashHalfway(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"before the CA has it": false, "after the CA has it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newMock(t)
			wire := &cut{next: ca.Client().Transport, at: "key-change", after: after}
			first := mockClient(t, ca, func(cfg *client.Config) {
				cfg.Transport, cfg.Retry = wire, client.RetryPolicy{Attempts: 2, MaxDelay: time.Millisecond}
			})
			d, err := first.Directory(t.Context())
			require.NoError(t, err)
			wire.at = d.KeyChange[strings.LastIndex(d.KeyChange, "/"):]
			old, next := newKey(t, client.P256), newKey(t, client.P256)
			a := mockAccount(t, first, old)
			require.ErrorIs(t, a.ChangeKey(t.Context(), next), client.ErrUnreachable)

			second := mockClient(t, ca) // after the restart, with both keys from disk
			key, err := second.FindKey(t.Context(), a.URL(), old, next)
			require.NoError(t, err)
			require.Equal(t, after, key == next)
			again, err := second.Account(key, a.URL())
			require.NoError(t, err)
			if !after {
				require.NoError(t, again.ChangeKey(t.Context(), next))
			}
			_, err = again.Obtain(t.Context(), requestFor(t, "a.example"))
			require.NoError(t, err)
		})
	}
}

func TestOrdersOfSeveralPages(t *testing.T) {
	t.Parallel()
	ca := newMock(t, func(p *mockca.Policy) { p.OrdersPageSize = 2 })
	c := mockClient(t, ca)
	a, other := mockAccount(t, c, newKey(t, client.P256)), mockAccount(t, c, newKey(t, client.P256))
	want := map[string]bool{}
	for i := range 5 {
		o, err := a.NewOrder(t.Context(), client.OrderRequest{Identifiers: []client.Identifier{{Type: client.TypeDNS, Value: fmt.Sprintf("o%d.example", i)}}})
		require.NoError(t, err)
		want[o.URL] = true
		_, err = other.NewOrder(t.Context(), client.OrderRequest{Identifiers: o.Identifiers})
		require.NoError(t, err)
	}
	got := map[string]bool{}
	for url, err := range a.Orders(t.Context()) {
		require.NoError(t, err)
		got[url] = true
	}
	require.Equal(t, want, got)
	require.Equal(t, 3, ca.Transcript().Count(mockca.OrdersList))
}

// RFC 9773, Section 5.
func TestSecondReplacementOfACertificate(t *testing.T) {
	t.Parallel()
	a := mockAccount(t, mockClient(t, newMock(t)), newKey(t, client.P256))
	r := requestFor(t, "a.example")
	cert, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	r.Replaces, err = client.CertID(cert.Leaf)
	require.NoError(t, err)
	next, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, next.Warnings)
	again, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, again.Warnings, 1)
	require.Contains(t, again.Warnings[0], "alreadyReplaced")
}

// A CA that issues while it answers finalize costs no look afterwards, and the
// nonces of one issuance last for the next.
func TestRequestsWhereTheCAIsSynchronous(t *testing.T) {
	t.Parallel()
	ca := newMock(t)
	a := mockAccount(t, mockClient(t, ca), newKey(t, client.P256))
	_, err := a.Obtain(t.Context(), requestFor(t, "warm.example"))
	require.NoError(t, err)
	ca.Transcript().Reset()
	_, err = a.Obtain(t.Context(), requestFor(t, "a.example"))
	require.NoError(t, err)
	for endpoint, n := range map[mockca.Endpoint]int{mockca.NewNonce: 0, mockca.NewOrder: 1, mockca.Authz: 1, mockca.ChallengeURL: 1,
		mockca.Finalize: 1, mockca.Certificate: 1} {
		require.Equal(t, n, ca.Transcript().Count(endpoint), endpoint)
	}
	finalized := ca.Transcript().Exchanges()
	require.Equal(t, mockca.Certificate, finalized[len(finalized)-1].Endpoint)
	require.Equal(t, mockca.Finalize, finalized[len(finalized)-2].Endpoint)
}
