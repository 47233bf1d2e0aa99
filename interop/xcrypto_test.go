package interop_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func TestXCryptoACME(t *testing.T) {
	t.Parallel()
	for _, personality := range []string{"", "letsencrypt", "pebble", "stepca"} {
		for _, typ := range []string{"http-01", "dns-01", "tls-alpn-01"} {
			t.Run(personality+" "+typ, func(t *testing.T) {
				t.Parallel()
				s := serve(t, "--personality", personality)
				a := answer(t, s)
				ctx := patient(t)
				c := &acme.Client{Key: newKey(t), HTTPClient: s.client(t), DirectoryURL: s.Directory}
				_, err := c.Register(ctx, &acme.Account{}, acme.AcceptTOS)
				require.NoError(t, err)
				names := []string{"a.example", "www.a.example"}
				order, err := c.AuthorizeOrder(ctx, acme.DomainIDs(names...))
				require.NoError(t, err)
				for _, url := range order.AuthzURLs {
					prove(ctx, t, c, a, url, typ)
				}
				order, err = c.WaitOrder(ctx, order.URI)
				require.NoError(t, err)
				csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, newKey(t))
				require.NoError(t, err)
				chain, _, err := c.CreateOrderCert(ctx, order.FinalizeURL, csr, true)
				require.NoError(t, err)
				var text []byte
				for _, der := range chain {
					text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
				}
				s.verify(t, text, names...)
				require.Equal(t, []string{typ, typ}, s.challenges(t))
				require.NoError(t, c.RevokeCert(ctx, nil, chain[0], acme.CRLReasonSuperseded))
			})
		}
	}
}

// prove answers one of the challenges that an authorization offers.
func prove(ctx context.Context, t *testing.T, c *acme.Client, a *answering, url, typ string) {
	t.Helper()
	z, err := c.GetAuthorization(ctx, url)
	require.NoError(t, err)
	for _, ch := range z.Challenges {
		if ch.Type != typ {
			continue
		}
		switch typ {
		case "http-01":
			value, err := c.HTTP01ChallengeResponse(ch.Token)
			require.NoError(t, err)
			a.set(ch.Token, value)
		case "dns-01":
			value, err := c.DNS01ChallengeRecord(ch.Token)
			require.NoError(t, err)
			require.NoError(t, a.update("_acme-challenge."+z.Identifier.Value, value))
		case "tls-alpn-01":
			cert, err := c.TLSALPN01ChallengeCert(ch.Token, z.Identifier.Value)
			require.NoError(t, err)
			a.setTLS(z.Identifier.Value, &cert)
		}
		_, err = c.Accept(ctx, ch)
		require.NoError(t, err)
		_, err = c.WaitAuthorization(ctx, z.URI)
		require.NoError(t, err)
		return
	}
	t.Fatalf("%s is not offered", typ)
}
