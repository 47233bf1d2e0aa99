package pebbleharness_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// player is a client with an account at a harness.
type player struct {
	harness *pebbleharness.Harness
	client  *client.Client
	account *client.Account
	solvers []client.SolverFor
}

func newPlayer(t testing.TB, h *pebbleharness.Harness, options client.AccountOptions) *player {
	t.Helper()
	p, err := openAccount(t, h, options)
	require.NoError(t, err)
	return p
}

func openAccount(t testing.TB, h *pebbleharness.Harness, options client.AccountOptions) (*player, error) {
	t.Helper()
	c, err := client.New(client.Config{DirectoryURL: h.DirectoryURL(), RootCAs: h.Pool()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	key, err := client.GenerateKey(client.P256)
	require.NoError(t, err)
	options.AgreeTerms = true
	account, err := c.NewAccount(t.Context(), key, options)
	return &player{
		harness: h,
		client:  c,
		account: account,
		solvers: []client.SolverFor{
			{Type: challenge.HTTP01, Solver: challenge.NewHTTP01(challenge.HTTP01Options{Address: fmt.Sprintf("127.0.0.1:%d", h.HTTPPort)})},
		},
	}, err
}

func (p *player) obtain(ctx context.Context, change func(*client.Request), names ...string) (*client.Certificate, error) {
	identifiers, err := client.ParseIdentifiers(names...)
	if err != nil {
		return nil, err
	}
	request := client.Request{Identifiers: identifiers, Solvers: p.solvers}
	if change != nil {
		change(&request)
	}
	return p.account.Obtain(ctx, request)
}

// verify checks a certificate as a browser that trusts the harness's roots does.
func (p *player) verify(t testing.TB, cert *client.Certificate, name string) {
	t.Helper()
	intermediates := x509.NewCertPool()
	for _, der := range cert.Chain[1:] {
		c, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		intermediates.AddCert(c)
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: p.harness.IssuingPool(), Intermediates: intermediates, DNSName: name})
	require.NoError(t, err)
}
