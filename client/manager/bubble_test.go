package manager_test

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/internal/memnet"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// mock is the module's own CA in a bubble, and the way to it.
type mock struct {
	*mockca.CA
	transport *http.Transport
}

// newMock starts a CA whose certificates live for a time.
func newMock(t testing.TB, lifetime time.Duration, change func(*mockca.Options)) *mock {
	policy := mockca.DefaultPolicy()
	policy.Profiles = map[string]mockca.Profile{"classic": {Lifetime: lifetime, Backdate: time.Hour}}
	o := mockca.Options{Policy: &policy, Seed: 1, Validation: mockca.Validation{Off: true}}
	if change != nil {
		change(&o)
	}
	ca, err := mockca.NewUnstarted(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ca.Close()) })
	l := memnet.Listen()
	require.NoError(t, ca.Serve(l))
	m := &mock{CA: ca, transport: &http.Transport{DialContext: l.Dial, TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ForceAttemptHTTP2: true}}
	t.Cleanup(m.transport.CloseIdleConnections)
	return m
}

// life is a manager of a certificate by the CA.
func (ca *mock) life(t testing.TB, log *events, change func(*manager.Config, *manager.Options)) *manager.Manager {
	cfg := manager.Config{Domains: []string{"a.example", "b.example"}, DirectoryURL: ca.DirectoryURL(), AgreeTerms: true}
	o := manager.Options{Store: newMemStore(), Transport: ca.transport, NoSignals: true, ReloadEvery: -1, Observer: log.add, Roots: ca.Issuers(),
		Solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: noSolver{}}}}
	if change != nil {
		change(&cfg, &o)
	}
	return newManager(t, cfg, o)
}
