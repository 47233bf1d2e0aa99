package dns01_test

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/challenge/dns01"
	"github.com/acme-e2e/acme-e2e/client"
)

// freePort is closed again: nothing but the solver may listen there.
func freePort(t *testing.T) (string, int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String(), l.Addr().(*net.TCPAddr).Port
}

// Pebble validates each challenge type by its own code, over real sockets.
func TestPebbleValidatesEverySolver(t *testing.T) {
	for k, v := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"} {
		t.Setenv(k, v)
	}
	n := newNameserver(t, "a.example.", "b.example.")
	n.set(func() { n.cname["_acme-challenge.delegated.a.example."] = "x.b.example." })
	httpAddress, httpPort := freePort(t)
	tlsAddress, tlsPort := freePort(t)
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validator := va.New(quiet, httpPort, tlsPort, false, n.addr, store)
	front := wfe.New(quiet, store, validator, issuer, []string{"pebble.example"}, true, false, 0, 0)
	srv := httptest.NewTLSServer(front.Handler())
	t.Cleanup(srv.Close)

	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	c, err := client.New(client.Config{DirectoryURL: srv.URL + "/dir", RootCAs: pool})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	key, err := client.GenerateKey(client.P256)
	require.NoError(t, err)
	acct, err := c.NewAccount(t.Context(), key, client.AccountOptions{AgreeTerms: true})
	require.NoError(t, err)

	http01 := challenge.NewHTTP01(challenge.HTTP01Options{Address: httpAddress})
	tlsalpn01 := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: tlsAddress})
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
