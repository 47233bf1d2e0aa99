package dns01_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/challenge/dns01"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// Pebble validates each challenge type by its own code, over real sockets.
func TestPebbleValidatesEverySolver(t *testing.T) {
	n := newNameserver(t, "a.example.", "b.example.")
	n.set(func() { n.cname["_acme-challenge.delegated.a.example."] = "x.b.example." })
	h := pebbleharness.New(t, pebbleharness.Options{Resolver: n.addr})
	c, err := client.New(client.Config{DirectoryURL: h.DirectoryURL(), RootCAs: h.Pool()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	key, err := client.GenerateKey(client.P256)
	require.NoError(t, err)
	acct, err := c.NewAccount(t.Context(), key, client.AccountOptions{AgreeTerms: true})
	require.NoError(t, err)

	http01 := challenge.NewHTTP01(challenge.HTTP01Options{Address: fmt.Sprint("127.0.0.1:", h.HTTPPort)})
	tlsalpn01 := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: fmt.Sprint("127.0.0.1:", h.TLSPort)})
	for _, row := range []struct {
		typ    string
		solver challenge.Solver
		names  []string
	}{
		{challenge.HTTP01, http01, []string{"a.example", "www.a.example", "127.0.0.1"}},
		{challenge.TLSALPN01, tlsalpn01, []string{"a.example", "www.a.example", "127.0.0.1"}},
		{challenge.DNS01, newSolver(t, options(n, n)), []string{"a.example", "*.a.example", "delegated.a.example"}},
		{challenge.DNSAccount01, newSolver(t, options(n, n)), []string{"a.example", "*.a.example"}},
		{challenge.DNSPersist01, &dns01.Persist{Options: options(n, n)}, []string{"a.example", "*.a.example"}},
	} {
		t.Run(row.typ, func(t *testing.T) {
			ids, err := client.ParseIdentifiers(row.names...)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cert, err := acct.Obtain(ctx, client.Request{Identifiers: ids, Solvers: []client.SolverFor{{Type: row.typ, Solver: row.solver}}})
			require.NoError(t, err)
			require.Len(t, row.names, len(cert.Leaf.DNSNames)+len(cert.Leaf.IPAddresses))
		})
	}
	require.Nil(t, http01.Addr(), "closed afterwards")
	require.Nil(t, tlsalpn01.Addr(), "closed afterwards")
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, values := range n.txt {
		if name != "_validation-persist.a.example." {
			require.Empty(t, values, "%s is cleaned up", name)
		}
	}
}
