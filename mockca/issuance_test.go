package mockca_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// noSolver is for CAs that don't look.
type noSolver struct{}

func (noSolver) Present(context.Context, []challenge.Challenge) error { return nil }
func (noSolver) CleanUp(context.Context, []challenge.Challenge) error { return nil }

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func newClient(t testing.TB, ca *mockca.CA) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{DirectoryURL: ca.DirectoryURL(), Transport: ca.Client().Transport, Clock: ca.Clock()})
	require.NoError(t, err)
	return c
}

var off = mockca.Validation{Off: true}

func TestOurClientIssuesRenewsAndRevokes(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{Validation: off, Hierarchy: mockca.Hierarchy{Roots: 2}})
	c := newClient(t, ca)
	account, err := c.NewAccount(t.Context(), newKey(t), client.AccountOptions{Contact: []string{"mailto:a@example.org"}, AgreeTerms: true})
	require.NoError(t, err)
	ids, err := client.ParseIdentifiers("a.example.org", "*.b.example.org")
	require.NoError(t, err)
	request := client.Request{Identifiers: ids, Roots: ca.Issuers(), Solvers: []client.SolverFor{{Type: "dns-01", Solver: noSolver{}}}}
	cert, err := account.Obtain(t.Context(), request)
	require.NoError(t, err)
	require.Len(t, cert.Alternates, 1)

	info, err := c.RenewalInfo(t.Context(), cert.Leaf)
	require.NoError(t, err)
	require.True(t, info.SuggestedWindow.Start.After(ca.Clock().Now().Add(55*24*time.Hour)))

	id, err := client.CertID(cert.Leaf)
	require.NoError(t, err)
	request.Replaces = id
	renewed, err := account.Obtain(t.Context(), request)
	require.NoError(t, err)
	require.NotEqual(t, cert.Leaf.SerialNumber, renewed.Leaf.SerialNumber)

	require.NoError(t, account.Revoke(t.Context(), cert.Chain[0], 4))
	require.NoError(t, c.RevokeWithKey(t.Context(), renewed.Chain[0], renewed.Key, 1))
	var revoked int
	for _, issued := range ca.Certificates() {
		if !issued.Revoked.IsZero() {
			revoked++
		}
	}
	require.Equal(t, 2, revoked)
}

func TestXCryptoIssuesAndRevokes(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{Validation: off})
	c := &acme.Client{Key: newKey(t), DirectoryURL: ca.DirectoryURL(), HTTPClient: ca.Client()}
	_, err := c.Register(t.Context(), &acme.Account{Contact: []string{"mailto:a@example.org"}}, acme.AcceptTOS)
	require.NoError(t, err)
	o, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs("x.example.org"))
	require.NoError(t, err)
	for _, url := range o.AuthzURLs {
		z, err := c.GetAuthorization(t.Context(), url)
		require.NoError(t, err)
		_, err = c.Accept(t.Context(), z.Challenges[0])
		require.NoError(t, err)
		_, err = c.WaitAuthorization(t.Context(), url)
		require.NoError(t, err)
	}
	o, err = c.WaitOrder(t.Context(), o.URI)
	require.NoError(t, err)
	key := newKey(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"x.example.org"}}, key)
	require.NoError(t, err)
	chain, _, err := c.CreateOrderCert(t.Context(), o.FinalizeURL, csr, true)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(chain[0])
	require.NoError(t, err)
	pool := x509.NewCertPool()
	for _, der := range chain[1:] {
		intermediate, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		pool.AddCert(intermediate)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: ca.Issuers(), Intermediates: pool, DNSName: "x.example.org"})
	require.NoError(t, err)
	require.NoError(t, c.RevokeCert(t.Context(), nil, chain[0], acme.CRLReasonSuperseded))

	require.NoError(t, c.AccountKeyRollover(t.Context(), newKey(t)))
	require.NoError(t, c.DeactivateReg(t.Context()))
}
