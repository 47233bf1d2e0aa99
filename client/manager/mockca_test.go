package manager_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// What Pebble lacks is tested against the module's own CA.

// mockLife is a CA that finds every challenge valid, and what a manager needs to
// use it.
func mockLife(t testing.TB) (*mockca.CA, manager.Config, manager.Options) {
	policy := mockca.DefaultPolicy()
	policy.TermsOfService, policy.PollRetryAfter = "https://ca.example/terms/1", -1
	ca := mockca.New(t, mockca.Options{Policy: &policy, Validation: mockca.Validation{Off: true}})
	cfg := fileConfig(t.TempDir())
	cfg.Domains, cfg.DirectoryURL, cfg.AgreeTerms = []string{"a.example"}, ca.DirectoryURL(), true
	return ca, cfg, manager.Options{RootCAs: ca.Pool(), Solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: noSolver{}}}}
}

func TestAnAccountKeyThatTheCADoesNotTake(t *testing.T) {
	t.Parallel()
	ca, cfg, o := mockLife(t)
	ca.ChangePolicy(func(p *mockca.Policy) { p.Algorithms = []string{"RS256"} })
	m := newManager(t, cfg, o)
	err := m.Provision(t.Context())
	require.ErrorIs(t, err, client.ErrBadSignatureAlgorithm)
	file, ok := errors.AsType[*manager.FileError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, cfg.AccountKeyPath, file.Path)
	require.Contains(t, file.Advice, "move it away")
}

// A revoked certificate's window has passed (RFC 9773, Section 4.2): what a
// server holds is replaced although it is far from its end.
func TestARevokedCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	ca, cfg, o := mockLife(t)
	m := newManager(t, cfg, o)
	require.NoError(t, m.Provision(t.Context()))
	held := m.Certificate().Leaf
	a, err := m.Account(t.Context())
	require.NoError(t, err)
	require.NoError(t, a.Revoke(t.Context(), held.Raw, client.CessationOfOperation))

	out, err := m.CheckNow(t.Context())
	require.NoError(t, err)
	require.True(t, out.Renewed)
	require.Equal(t, manager.Suggested, out.Status.State)
	require.NotEqual(t, held.SerialNumber, m.Certificate().Leaf.SerialNumber)
	require.Len(t, ca.Certificates(), 2)
}

// RFC 8555, Section 7.3.3.
func TestChangedTermsAreAgreedToByWhoeverAgreedToAll(t *testing.T) {
	t.Parallel()
	ca, cfg, o := mockLife(t)
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
