package pebbleharness_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

const eabKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, options := range map[string]pebbleharness.Options{
		"KeyAlgorithm":     {KeyAlgorithm: "dsa"},
		"ChainLength":      {ChainLength: -1},
		"AlternateRoots":   {AlternateRoots: -1},
		"NonceReject":      {NonceReject: 100},
		"AuthzReuse":       {AuthzReuse: 101},
		"OrdersPerPage":    {OrdersPerPage: -1},
		"EABRequired":      {EABRequired: true},
		"HangAfter":        {HangAfter: -1},
		"HTTPPort":         {HTTPPort: 70_000},
		"TLSPort":          {TLSPort: -1},
		"RetryAfterAuthz":  {RetryAfterAuthz: time.Millisecond},
		"RetryAfterOrder":  {RetryAfterOrder: -time.Second},
		"ValidationSleep":  {ValidationSleep: time.Millisecond},
		`["x"].Validity`:   {Profiles: map[string]pebbleharness.Profile{"x": {Validity: time.Nanosecond}}},
		"external account": {EABKeys: map[string]string{"kid": "not base64!"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := pebbleharness.Start(t.Context(), options)
			require.Nil(t, h)
			require.ErrorContains(t, err, name)
		})
	}
	_, err := pebbleharness.Start(t.Context(), pebbleharness.Options{KeyAlgorithm: "dsa", AuthzReuse: -1})
	require.ErrorContains(t, err, "dsa")
	require.ErrorContains(t, err, "-1", "all that is wrong is said at once")
}

// Each row is a harness with options of its own, and all run at the same time.
func TestOptionsSideBySide(t *testing.T) {
	rows := map[string]struct {
		options pebbleharness.Options
		check   func(t *testing.T, h *pebbleharness.Harness)
	}{
		"zero": {pebbleharness.Options{}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			cert, err := p.obtain(t.Context(), nil, "a.example", "b.example")
			require.NoError(t, err)
			p.verify(t, cert, "b.example")
		}},
		"strict": {pebbleharness.Options{Strict: true}, issues},
		"RSA hierarchy": {pebbleharness.Options{KeyAlgorithm: "rsa"}, func(t *testing.T, h *pebbleharness.Harness) {
			require.Equal(t, "RSA", h.Chains()[0].Root.PublicKeyAlgorithm.String())
			issues(t, h)
		}},
		"long chain": {pebbleharness.Options{ChainLength: 3}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			cert, err := p.obtain(t.Context(), nil, "a.example")
			require.NoError(t, err)
			require.Len(t, cert.Chain, 4)
			chain := h.Chains()[0]
			require.Len(t, chain.Intermediates, 3)
			for i, der := range cert.Chain[1:] {
				require.Equal(t, chain.Intermediates[i].Raw, der)
			}
			require.NoError(t, chain.Intermediates[2].CheckSignatureFrom(chain.Root))
		}},
		"alternates": {pebbleharness.Options{AlternateRoots: 2}, func(t *testing.T, h *pebbleharness.Harness) {
			require.Len(t, h.Chains(), 3)
			last := h.Chains()[2]
			p := newPlayer(t, h, client.AccountOptions{})
			cert, err := p.obtain(t.Context(), func(r *client.Request) {
				r.Chain = client.ChainPreference{IssuerName: last.Root.Subject.CommonName}
			}, "a.example")
			require.NoError(t, err)
			require.Equal(t, last.Intermediates[0].Raw, cert.Chain[1])
			p.verify(t, cert, "a.example")
		}},
		"profiles": {pebbleharness.Options{Profiles: map[string]pebbleharness.Profile{
			"minutes": {Description: "ten minutes", Validity: 10 * time.Minute},
			"days":    {Description: "six days", Validity: 6 * 24 * time.Hour, CommonName: true},
		}}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			for profile, validity := range map[string]time.Duration{"minutes": 10 * time.Minute, "days": 6 * 24 * time.Hour} {
				cert, err := p.obtain(t.Context(), func(r *client.Request) { r.Profile = profile }, profile+".example")
				require.NoError(t, err)
				require.Equal(t, validity, cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore)+time.Second)
				require.Equal(t, profile == "days", cert.Leaf.Subject.CommonName != "")
			}
		}},
		"external accounts": {pebbleharness.Options{EABRequired: true, EABKeys: map[string]string{"kid-1": eabKey}}, func(t *testing.T, h *pebbleharness.Harness) {
			_, err := openAccount(t, h, client.AccountOptions{})
			require.ErrorIs(t, err, client.ErrExternalAccountRequired)
			key, err := client.ParseEABKey(eabKey)
			require.NoError(t, err)
			p := newPlayer(t, h, client.AccountOptions{EAB: &client.ExternalAccountBinding{KeyID: "kid-1", Key: key}})
			_, err = p.obtain(t.Context(), nil, "a.example")
			require.NoError(t, err)
		}},
		"blocklist": {pebbleharness.Options{Blocklist: []string{"blocked.example"}}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			_, err := p.obtain(t.Context(), nil, "www.blocked.example")
			require.ErrorIs(t, err, client.ErrRejectedIdentifier)
			issues(t, h)
		}},
		"nonces refused": {pebbleharness.Options{NonceReject: 30}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			for range 100 {
				_, err := p.obtain(t.Context(), nil, "a.example")
				require.NoError(t, err)
			}
		}},
		"always valid": {pebbleharness.Options{AlwaysValid: true}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			p.solvers[0].Solver = nobody{}
			_, err := p.obtain(t.Context(), nil, "a.example")
			require.NoError(t, err)
		}},
		"authorizations reused": {pebbleharness.Options{AuthzReuse: 100}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			_, err := p.obtain(t.Context(), nil, "a.example")
			require.NoError(t, err)
			p.solvers[0].Solver = nobody{} // not needed
			_, err = p.obtain(t.Context(), nil, "a.example")
			require.NoError(t, err)
		}},
		"orders in pages": {pebbleharness.Options{OrdersPerPage: 1, AlwaysValid: true}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			p.solvers[0].Solver = nobody{}
			for range 3 {
				_, err := p.obtain(t.Context(), nil, "a.example")
				require.NoError(t, err)
			}
			orders := 0
			for _, err := range p.account.Orders(t.Context()) {
				require.NoError(t, err)
				orders++
			}
			require.Equal(t, 3, orders)
		}},
		"CAA identities": {pebbleharness.Options{CAAIdentities: []string{"ca.example"}}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			directory, err := p.client.Directory(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"ca.example"}, directory.CAAIdentities)
		}},
		"own resolver": {pebbleharness.Options{Resolver: "127.0.0.1:1"}, func(t *testing.T, h *pebbleharness.Harness) {
			p := newPlayer(t, h, client.AccountOptions{})
			_, err := p.obtain(t.Context(), nil, "a.example")
			require.ErrorContains(t, err, "127.0.0.1:1")
		}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.check(t, pebbleharness.New(t, row.options))
		})
	}
}

func issues(t *testing.T, h *pebbleharness.Harness) {
	p := newPlayer(t, h, client.AccountOptions{})
	cert, err := p.obtain(t.Context(), nil, "fine.example")
	require.NoError(t, err)
	p.verify(t, cert, "fine.example")
}

// Retry-After is in the answer while an order is processed.
func TestRetryAfterIsSent(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{RetryAfterAuthz: 3 * time.Second, RetryAfterOrder: 2 * time.Second})
	p := newPlayer(t, h, client.AccountOptions{})
	began := time.Now()
	_, err := p.obtain(t.Context(), nil, "a.example")
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), time.Second, "the client waited as it was told")
}

// nobody presents nothing.
type nobody struct{}

func (nobody) Present(context.Context, []challenge.Challenge) error { return nil }
func (nobody) CleanUp(context.Context, []challenge.Challenge) error { return nil }
