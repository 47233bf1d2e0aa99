package challenge_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
)

func tlsalpn01(typ, value string) challenge.Challenge {
	return challenge.Challenge{Type: challenge.TLSALPN01, URL: "https://ca.example/c/" + value, IdentifierType: typ,
		Identifier: value, Token: "tok", KeyAuthorization: value + ".thumbprint"}
}

// validate does as a CA does: RFC 8737, Section 3.
func validate(t *testing.T, addr, sni string) (*x509.Certificate, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: sni, NextProtos: []string{challenge.TLSALPN01Protocol}, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	require.Equal(t, challenge.TLSALPN01Protocol, conn.ConnectionState().NegotiatedProtocol)
	return conn.ConnectionState().PeerCertificates[0], nil
}

func requireAnswer(t *testing.T, cert *x509.Certificate, keyAuthorization string) {
	t.Helper()
	for _, e := range cert.Extensions {
		if e.Id.String() == "1.3.6.1.5.5.7.1.31" {
			require.True(t, e.Critical)
			var digest []byte
			rest, err := asn1.Unmarshal(e.Value, &digest)
			require.NoError(t, err)
			require.Empty(t, rest)
			want := sha256.Sum256([]byte(keyAuthorization))
			require.Equal(t, want[:], digest)
			return
		}
	}
	t.Fatal("no acmeIdentifier")
}

func TestTLSALPN01OwnListener(t *testing.T) {
	t.Parallel()
	s := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: "127.0.0.1:0"})
	require.NoError(t, s.Check(t.Context()))
	all := list(tlsalpn01("dns", "A.example"), tlsalpn01("ip", "192.0.2.1"), tlsalpn01("ip", "2001:db8::1"))
	require.NoError(t, s.Present(t.Context(), all))
	addr := s.Addr().String()
	for i, sni := range []string{"a.example", "1.2.0.192.in-addr.arpa",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"} {
		require.False(t, isClosed(s.Seen(all[i])))
		cert, err := validate(t, addr, sni)
		require.NoError(t, err, sni)
		requireAnswer(t, cert, all[i].KeyAuthorization)
		if all[i].IdentifierType == "ip" {
			require.Empty(t, cert.DNSNames)
			require.Len(t, cert.IPAddresses, 1)
			require.Equal(t, all[i].Identifier, cert.IPAddresses[0].String())
		} else {
			require.Equal(t, []string{sni}, cert.DNSNames)
		}
		<-s.Seen(all[i])
	}
	_, err := validate(t, addr, "other.example")
	require.Error(t, err)
	_, err = tls.Dial("tcp", addr, &tls.Config{ServerName: "a.example", InsecureSkipVerify: true})
	require.Error(t, err, "without acme-tls/1 there is nothing to serve")
	require.NoError(t, s.CleanUp(t.Context(), all))
	require.Nil(t, s.Addr())
	_, err = net.Dial("tcp", addr)
	require.Error(t, err)
}

func TestTLSALPN01BesideAServerOn443(t *testing.T) {
	t.Parallel()
	s := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Mounted: true})
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.StartTLS()
	defer srv.Close()
	base := srv.TLS.Clone()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.Config(base))
	require.NoError(t, err)
	site := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = site.Serve(l) }()
	defer site.Close()

	c := tlsalpn01("dns", "a.example")
	_, err = validate(t, l.Addr().String(), "a.example")
	require.Error(t, err, "nothing pending")
	require.NoError(t, s.Present(t.Context(), list(c)))
	cert, err := validate(t, l.Addr().String(), "a.example")
	require.NoError(t, err)
	requireAnswer(t, cert, c.KeyAuthorization)

	for _, protos := range [][]string{nil, {"http/1.1"}, {challenge.TLSALPN01Protocol, "http/1.1"}} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{ServerName: "a.example", NextProtos: protos, InsecureSkipVerify: true})
		require.NoError(t, err)
		require.Equal(t, srv.Certificate().Raw, conn.ConnectionState().PeerCertificates[0].Raw)
		require.NotEqual(t, challenge.TLSALPN01Protocol, conn.ConnectionState().NegotiatedProtocol)
		conn.Close()
	}
	require.NoError(t, s.CleanUp(t.Context(), list(c)))
}

func TestTLSALPN01AnyNodeOfAFleetAnswers(t *testing.T) {
	t.Parallel()
	store := &memoryStore{}
	one := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Mounted: true, Store: store})
	other := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: "127.0.0.1:0", Store: store})
	mine, theirs := tlsalpn01("dns", "mine.example"), tlsalpn01("ip", "192.0.2.7")
	require.NoError(t, other.Present(t.Context(), list(mine)))
	require.NoError(t, one.Present(t.Context(), list(theirs)))
	cert, err := validate(t, other.Addr().String(), "7.2.0.192.in-addr.arpa")
	require.NoError(t, err)
	requireAnswer(t, cert, theirs.KeyAuthorization)
	require.NoError(t, one.CleanUp(t.Context(), list(theirs)))
	_, err = validate(t, other.Addr().String(), "7.2.0.192.in-addr.arpa")
	require.Error(t, err)
	require.NoError(t, other.CleanUp(context.Background(), list(mine)))
	require.Empty(t, store.m)
}

func TestTLSALPN01RefusesWhatItCannotProve(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	s := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: l.Addr().String()})
	require.ErrorIs(t, s.Check(t.Context()), challenge.ErrPortTaken)
	wild := tlsalpn01("dns", "a.example")
	wild.Wildcard = true
	for _, c := range list(wild, http01("tok"), tlsalpn01("ip", "not an address"), tlsalpn01("dns", "a b"), tlsalpn01("dns", strings.Repeat("a", 300))) {
		require.ErrorIs(t, s.Present(t.Context(), list(c)), challenge.ErrNotPresented)
		require.NoError(t, s.CleanUp(t.Context(), list(c)))
	}
	require.ErrorIs(t, s.Present(t.Context(), list(tlsalpn01("dns", "a.example"))), challenge.ErrPortTaken)
	require.NoError(t, s.CleanUp(t.Context(), list(tlsalpn01("dns", "a.example"))))
}
