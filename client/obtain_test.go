package client

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestObtainTakesTheShortestRoad(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	p := new(paper)
	cert, err := a.Obtain(t.Context(), p.request(t, "a.example", "b.example", "*.c.example", "192.0.2.1", "2001:db8::1"))
	require.Error(t, err) // http-01 cannot do the wildcard
	require.ErrorIs(t, err, ErrNoSolver)
	require.Nil(t, cert)

	ca = newFakeCA(t)
	a = ca.account()
	cert, err = a.Obtain(t.Context(), p.request(t, "a.example", "b.example", "192.0.2.1", "2001:db8::1"))
	require.NoError(t, err)
	require.Equal(t, []string{"a.example", "b.example"}, cert.Leaf.DNSNames)
	require.Len(t, cert.Leaf.IPAddresses, 2)
	require.Len(t, cert.Chain, 2)
	require.True(t, samePublicKey(cert.Key.Public(), cert.Leaf.PublicKey))
	require.Equal(t, 1, p.presents)
	require.Equal(t, p.presented, p.cleaned)
	require.Equal(t, 1, ca.count("newOrder"))
	require.Equal(t, 4, ca.count("authz"))
	require.Equal(t, 4, ca.count("chall"))
	require.Equal(t, 1, ca.count("order"))
	require.Equal(t, 1, ca.count("finalize"))
	require.Equal(t, 1, ca.count("cert"))
	require.LessOrEqual(t, ca.count("newNonce"), 1+4)
}
