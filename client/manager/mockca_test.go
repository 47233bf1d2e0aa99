package manager_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// What Pebble lacks is tested against the module's own CA.

// RFC 8555, Section 7.3.3.
func TestChangedTermsAreAgreedToByWhoeverAgreedToAll(t *testing.T) {
	t.Parallel()
	policy := mockca.DefaultPolicy()
	policy.TermsOfService, policy.PollRetryAfter = "https://ca.example/terms/1", -1
	ca := mockca.New(t, mockca.Options{Policy: &policy, Validation: mockca.Validation{Off: true}})
	cfg := fileConfig(t.TempDir())
	cfg.Domains, cfg.DirectoryURL, cfg.AgreeTerms = []string{"a.example"}, ca.DirectoryURL(), true
	o := manager.Options{RootCAs: ca.Pool(), Solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: noSolver{}}}}
	m := newManager(t, cfg, o)
	require.NoError(t, m.Provision(t.Context()))

	ca.ChangeTerms("https://ca.example/terms/2")
	require.NoError(t, m.Provision(t.Context()))
	require.Len(t, ca.Accounts(), 1)

	// who has not agreed learns what to read
	ca.ChangeTerms("https://ca.example/terms/3")
	cfg.AgreeTerms = false
	m = newManager(t, cfg, o)
	err := m.Provision(t.Context())
	require.ErrorIs(t, err, client.ErrUserActionRequired)
	require.ErrorContains(t, err, "https://ca.example/terms/3")
}
