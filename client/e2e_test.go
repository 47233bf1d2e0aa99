package client_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

func TestIssueRenewRevoke(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	p.requests()
	r := p.request("a.example", "bücher.example", "127.0.0.1")
	r.Roots = p.root()
	cert, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, []string{"a.example", "xn--bcher-kva.example"}, cert.Leaf.DNSNames)
	require.Len(t, cert.Leaf.IPAddresses, 1)

	info, err := a.Client().RenewalInfo(t.Context(), cert.Leaf)
	require.NoError(t, err)
	require.True(t, info.SuggestedWindow.End.Before(cert.Leaf.NotAfter))
	require.Equal(t, 6*time.Hour, info.RetryAfter)
	at := info.Pick(nil)
	require.False(t, at.Before(info.SuggestedWindow.Start) || at.After(info.SuggestedWindow.End))

	r.Replaces, err = client.CertID(cert.Leaf)
	require.NoError(t, err)
	next, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, next.Warnings)
	require.NotEqual(t, cert.Leaf.SerialNumber, next.Leaf.SerialNumber)
	again, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, again.Warnings, 1, "replaced already")

	require.NoError(t, a.Revoke(t.Context(), cert.Chain[0], client.Superseded))
	require.True(t, p.revoked(cert.Leaf.SerialNumber))
	require.NoError(t, a.Revoke(t.Context(), cert.Chain[0], client.Superseded), "revoked already")
	require.NoError(t, a.Client().RevokeWithKey(t.Context(), next.Chain[0], next.Key, client.KeyCompromise))
	require.True(t, p.revoked(next.Leaf.SerialNumber))
	require.Error(t, a.Client().RevokeWithKey(t.Context(), again.Chain[0], next.Key, client.KeyCompromise))

	other, err := a.Client().NewAccount(t.Context(), newKey(t, client.P384), client.AccountOptions{AgreeTerms: true})
	require.NoError(t, err)
	require.ErrorIs(t, other.Revoke(t.Context(), again.Chain[0], client.Unspecified), client.ErrUnauthorized)
}

func TestAuthorizationByHand(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	for _, name := range []string{"a.example", "127.0.0.1"} {
		id, err := client.ParseIdentifier(name)
		require.NoError(t, err)
		authorize(t, p, a, id)
	}
}

// authorize takes each step by itself.
func authorize(t *testing.T, p *pebble, a *client.Account, id client.Identifier) {
	z, err := a.NewAuthorization(t.Context(), id)
	if errors.Is(err, client.ErrNotOffered) {
		o, err := a.NewOrder(t.Context(), client.OrderRequest{Identifiers: []client.Identifier{id}})
		require.NoError(t, err)
		z, err = a.Authorization(t.Context(), o.Authorizations[0])
		require.NoError(t, err)
	} else {
		require.NoError(t, err)
	}
	for i := range z.Challenges {
		if ch := &z.Challenges[i]; ch.Type == challenge.HTTP01 {
			task, err := a.SolverChallenge(z, ch)
			require.NoError(t, err)
			require.NoError(t, p.solver.Present(t.Context(), []challenge.Challenge{task}))
			_, err = a.Answer(t.Context(), ch)
			require.NoError(t, err)
		}
	}
	z, err = a.WaitAuthorization(t.Context(), z.URL)
	require.NoError(t, err)
	require.Equal(t, client.StatusValid, z.Status)
	require.NoError(t, a.DeactivateAuthorization(t.Context(), z.URL))
	z, err = a.Authorization(t.Context(), z.URL)
	require.NoError(t, err)
	require.Equal(t, client.StatusDeactivated, z.Status)
}

// An issuance takes one request for each step, besides nonces and the looks at
// the order, which a slow machine needs more of.
func TestRequestsOfAnIssuance(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	for _, names := range []int{1, 10, 50} {
		var list []string
		for i := range names {
			list = append(list, fmt.Sprintf("n%d.r%d.example", i, names))
		}
		p.requests()
		_, err := a.Obtain(t.Context(), p.request(list...))
		require.NoError(t, err)
		counts := p.byEndpoint()
		require.LessOrEqual(t, counts["nonce-plz"], names-1, "nonces for what flies at once, less those at hand")
		require.GreaterOrEqual(t, counts["my-order"], 1)
		delete(counts, "nonce-plz")
		delete(counts, "my-order")
		require.Equal(t, map[string]int{"order-plz": 1, "authZ": names, "chalZ": names, "finalize-order": 1, "certZ": 1}, counts)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	c := p.client()
	for _, kind := range []client.KeyType{client.P256, client.P384, client.RSA2048, client.Ed25519} {
		key := newKey(t, kind)
		_, err := c.FindAccount(t.Context(), opaque{key})
		if kind == client.Ed25519 && errors.Is(err, client.ErrBadSignatureAlgorithm) {
			continue // Pebble takes none
		}
		require.ErrorIs(t, err, client.ErrAccountDoesNotExist)
		a, err := c.NewAccount(t.Context(), opaque{key}, client.AccountOptions{AgreeTerms: true, Contact: []string{"a@example.org", "mailto:b@example.org"}})
		require.NoError(t, err)
		found, err := c.FindAccount(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, a.URL(), found.URL())

		info, err := a.Update(t.Context(), client.AccountUpdate{Contact: []string{"c@example.org"}})
		require.NoError(t, err)
		require.Equal(t, []string{"mailto:c@example.org"}, info.Contact)

		next := newKey(t, client.P256)
		require.NoError(t, a.ChangeKey(t.Context(), opaque{next}))
		info, err = a.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, "valid", info.Status)
		has, err := c.FindKey(t.Context(), a.URL(), key, next)
		require.NoError(t, err)
		require.Equal(t, crypto.Signer(next), has)

		require.NoError(t, a.Deactivate(t.Context()))
		_, err = a.Obtain(t.Context(), p.request("a.example"))
		require.ErrorIs(t, err, client.ErrUnauthorized)
	}
	_, err := c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{})
	require.ErrorIs(t, err, client.ErrTermsNotAgreed)
	_, err = c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{AgreeTerms: true, Contact: []string{"a@x.example,b@x.example"}})
	require.ErrorContains(t, err, "not one e-mail address")
}

// opaque is a key that can do nothing but sign, like one in an HSM.
type opaque struct{ s crypto.Signer }

func (o opaque) Public() crypto.PublicKey { return o.s.Public() }
func (o opaque) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.s.Sign(r, digest, opts)
}

func TestOpaqueCertificateKeys(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	for _, kind := range []client.KeyType{client.P256, client.P384, client.RSA2048, client.Ed25519} {
		r := p.request("a.example")
		r.Key = opaque{newKey(t, kind)}
		cert, err := a.Obtain(t.Context(), r)
		if kind == client.Ed25519 && errors.Is(err, client.ErrBadCSR) {
			continue
		}
		require.NoError(t, err, kind)
		require.Equal(t, r.Key, cert.Key)
	}
	r := p.request("a.example")
	r.Key = a.Key()
	_, err := a.Obtain(t.Context(), r)
	require.ErrorIs(t, err, client.ErrKeyInUse)
}

func TestOwnCSRAndMustStaple(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	key := newKey(t, client.P384)
	ids, err := client.ParseIdentifiers("own.example", "*.own.example")
	require.NoError(t, err)
	csr, err := client.NewCSR(key, ids, true)
	require.NoError(t, err)
	cert, err := a.Obtain(t.Context(), client.Request{CSR: csr, Solvers: []client.SolverFor{{Type: challenge.DNS01, Solver: p.solver}}})
	require.NoError(t, err)
	require.Nil(t, cert.Key)
	require.Equal(t, key.Public(), cert.Leaf.PublicKey)
	require.ElementsMatch(t, []string{"own.example", "*.own.example"}, cert.Leaf.DNSNames)
	_, err = a.Obtain(t.Context(), client.Request{CSR: csr, Identifiers: ids[:1]})
	require.ErrorContains(t, err, "the CSR is for")
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	r := p.request("a.example")
	r.Profile = "short"
	cert, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Less(t, cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore), 7*24*time.Hour)
	r.Profile = "gold"
	_, err = a.Obtain(t.Context(), r)
	require.ErrorIs(t, err, client.ErrNotOffered)
	require.ErrorContains(t, err, `"default" "short"`)
}

func TestDatesOfTheOrder(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	r := p.request("a.example")
	r.NotBefore = time.Now().Truncate(time.Second).Add(-time.Hour)
	r.NotAfter = r.NotBefore.Add(48 * time.Hour)
	cert, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.True(t, cert.Leaf.NotBefore.Equal(r.NotBefore), cert.Leaf.NotBefore)
	require.True(t, cert.Leaf.NotAfter.Equal(r.NotAfter), cert.Leaf.NotAfter)
}

func TestExternalAccountBinding(t *testing.T) {
	t.Parallel()
	mac := []byte(strings.Repeat("k", 64))
	p := newPebble(t, pebbleharness.Options{EABRequired: true, EABKeys: map[string]string{"kid-1": base64.RawURLEncoding.EncodeToString(mac)}})
	c := p.client()
	_, err := c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{AgreeTerms: true})
	require.ErrorIs(t, err, client.ErrExternalAccountRequired)
	for _, alg := range []string{"", "HS256", "HS384", "HS512"} {
		_, err := c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{AgreeTerms: true,
			EAB: &client.ExternalAccountBinding{KeyID: "kid-1", Key: mac, Algorithm: alg}})
		require.NoError(t, err, alg)
	}
	for _, bad := range []client.ExternalAccountBinding{{KeyID: "kid-1", Key: mac[:31]}, {KeyID: "kid-1", Key: mac[:63], Algorithm: "HS512"},
		{KeyID: "kid-1", Key: mac, Algorithm: "none"}, {Key: mac}, {KeyID: "kid-2", Key: mac}, {KeyID: "kid-1", Key: []byte(strings.Repeat("x", 64))}} {
		_, err := c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{AgreeTerms: true, EAB: &bad})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "kkkk", "the MAC key is secret")
	}
}

func TestAlternateChains(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{AlternateRoots: 2})
	a := p.account()
	cert, err := a.Obtain(t.Context(), p.request("a.example"))
	require.NoError(t, err)
	require.Len(t, cert.Alternates, 2)
	alt, err := a.Certificate(t.Context(), cert.Alternates[1])
	require.NoError(t, err)
	require.Equal(t, cert.Chain[0], alt.Certificates[0].Raw)
	issuer := alt.Certificates[len(alt.Certificates)-1].Issuer.CommonName

	r := p.request("b.example")
	r.Chain.IssuerName = issuer
	picked, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, picked.Warnings)
	require.Contains(t, picked.URL, "alternate")
	for i, c := range alt.Certificates[1:] { // which come with other leaves, too
		sum := sha256.Sum256(c.Raw)
		r = p.request(fmt.Sprintf("b%d.example", i))
		r.Chain.Fingerprint = sum[:]
		picked, err = a.Obtain(t.Context(), r)
		require.NoError(t, err)
		require.Empty(t, picked.Warnings)
		require.Contains(t, picked.Chain, c.Raw)
	}
	r = p.request("c.example")
	r.Chain.IssuerName = "Nobody"
	picked, err = a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, picked.Warnings, 1)
}

func TestOrdersListGoesOverPages(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	a := p.account()
	want := map[string]bool{}
	for i := range 7 {
		ids, err := client.ParseIdentifiers(fmt.Sprintf("o%d.example", i))
		require.NoError(t, err)
		o, err := a.NewOrder(t.Context(), client.OrderRequest{Identifiers: ids})
		require.NoError(t, err)
		want[o.URL] = true
	}
	p.requests()
	got := map[string]bool{}
	for url, err := range a.Orders(t.Context()) {
		require.NoError(t, err)
		got[url] = true
	}
	require.Equal(t, want, got)
	require.Equal(t, 1+3, p.requests())
	for range a.Orders(t.Context()) {
		break
	}
	require.Equal(t, 1+1, p.requests(), "pages are fetched as the caller goes on")
}

func TestFallbackToTheNextType(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	p.solver.broken = true
	a := p.account()
	r := p.request("a.example", "b.example")
	_, err := a.Obtain(t.Context(), r)
	e, ok := errors.AsType[*client.ObtainError](err)
	require.True(t, ok)
	require.NotEmpty(t, e.Failed)
	require.ErrorIs(t, err, client.ErrUnauthorized)
	r.Solvers = append(r.Solvers, client.SolverFor{Type: challenge.DNS01, Solver: p.solver})
	_, err = a.Obtain(t.Context(), r)
	require.NoError(t, err)
	p.solver.mu.Lock()
	defer p.solver.mu.Unlock()
	require.Empty(t, p.solver.tokens)
	require.Empty(t, p.solver.txt)
}

func TestThirtyPercentOfNoncesRefused(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{NonceReject: 30})
	a := p.account()
	for i := range 100 {
		_, err := a.Obtain(t.Context(), p.request(fmt.Sprintf("n%d.example", i)))
		require.NoError(t, err)
	}
}

func TestFaultsInFrontOfPebble(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request, next http.Handler){
		"503 as HTML": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Error(w, "<html>", http.StatusServiceUnavailable)
		},
		"reset before": func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
		"reset after": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(discardWriter{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := make(chan int, 1)
			n <- 0
			p := newPebble(t, pebbleharness.Options{Middleware: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					i := <-n
					n <- i + 1
					if i%5 == 3 && r.Method == http.MethodPost {
						fault(w, r, next)
						return
					}
					next.ServeHTTP(w, r)
				})
			}})
			a := p.account()
			for i := range 20 {
				_, err := a.Obtain(t.Context(), p.request(fmt.Sprintf("f%d.example", i)))
				require.NoError(t, err)
			}
		})
	}
}

type discardWriter struct{ h http.Header }

func (d discardWriter) Header() http.Header         { return d.h }
func (d discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (d discardWriter) WriteHeader(int)             {}

func TestRetryAfterIsWaitedForOncePerOrder(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{RetryAfterAuthz: 2 * time.Second, RetryAfterOrder: time.Second})
	a := p.account()
	took := func(names int) time.Duration {
		var list []string
		for i := range names {
			list = append(list, fmt.Sprintf("n%d.of%d.example", i, names))
		}
		begun := time.Now()
		_, err := a.Obtain(t.Context(), p.request(list...))
		require.NoError(t, err)
		return time.Since(begun)
	}
	one, ten := took(1), took(10)
	t.Logf("one name %s, ten names %s", one, ten)
	require.Less(t, ten, 6*time.Second, "a second or two, and not one for each name")
}

func TestValidAuthorizationsAreNotProvenAgain(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{AuthzReuse: 100})
	a := p.account()
	_, err := a.Obtain(t.Context(), p.request("a.example", "b.example"))
	require.NoError(t, err)
	r := p.request("a.example", "b.example")
	r.Solvers = nil
	_, err = a.Obtain(t.Context(), r)
	require.NoError(t, err)
}

func TestSolversOfThisModule(t *testing.T) {
	t.Parallel()
	p := startPebble(t, pebbleharness.Options{})
	httpAddr := fmt.Sprint("127.0.0.1:", p.HTTPPort)
	a := p.account()
	for _, host := range []string{"127.0.0.1", "::1"} {
		names := []string{"a.example", "b.example", host}
		if host == "::1" {
			names = names[2:] // the names have IPv4 addresses
		}
		ids, err := client.ParseIdentifiers(names...)
		require.NoError(t, err)
		if l, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
			t.Logf("no %s here: %v", host, err)
			continue
		} else {
			_ = l.Close()
		}
		for _, s := range []client.SolverFor{
			{Type: challenge.HTTP01, Solver: challenge.NewHTTP01(challenge.HTTP01Options{Address: net.JoinHostPort(host, fmt.Sprint(p.HTTPPort))})},
			{Type: challenge.TLSALPN01, Solver: challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: net.JoinHostPort(host, fmt.Sprint(p.TLSPort))})},
		} {
			cert, err := a.Obtain(t.Context(), client.Request{Identifiers: ids, Solvers: []client.SolverFor{s}})
			require.NoError(t, err, s.Type)
			require.Len(t, cert.Leaf.IPAddresses, 1)
			require.Equal(t, host, cert.Leaf.IPAddresses[0].String())
		}
	}
	l, err := net.Listen("tcp", httpAddr)
	require.NoError(t, err, "the port is free again")
	defer func() { _ = l.Close() }()
	p.requests()
	_, err = a.Obtain(t.Context(), client.Request{Identifiers: []client.Identifier{{Type: client.TypeDNS, Value: "a.example"}}, Solvers: []client.SolverFor{
		{Type: challenge.HTTP01, Solver: challenge.NewHTTP01(challenge.HTTP01Options{Address: httpAddr})}}})
	require.ErrorIs(t, err, challenge.ErrPortTaken)
	require.Zero(t, p.requests(), "a taken port costs nothing at the CA")
}
