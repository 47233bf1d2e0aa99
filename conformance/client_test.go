package conformance

import (
	"context"
	_ "embed"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// clientUncovered is the committed list of what can be observed of clients and no
// scenario proves, with the reason.
//
//go:embed client-uncovered.tsv
var clientUncovered string

func TestScenariosNameRequirementsOfClients(t *testing.T) {
	t.Parallel()
	faults := map[string]bool{}
	for _, f := range mockca.Faults() {
		faults[f.Name] = true
	}
	for _, s := range ClientScenarios() {
		for _, id := range s.Requirements {
			r, known := RequirementByID(id)
			require.True(t, known, "%s: %s is not in the catalogue", s.ID, id)
			require.True(t, r.Role.Includes(Client), "%s: %s is not about clients", s.ID, id)
		}
		for _, name := range s.Faults {
			require.True(t, faults[name], "%s: there is no fault %q", s.ID, name)
		}
	}
}

// TestWhatIsKnownOfClients wants nine tenths of what can be observed of clients
// proven, and the rest listed with reasons.
func TestWhatIsKnownOfClients(t *testing.T) {
	t.Parallel()
	run, err := PlanClient(TestedClient{Run: nothing}, Plan{})
	require.NoError(t, err)
	coverage := coverageOf(Client, run.cases)
	t.Logf("%d of %d requirements for clients (%.1f %%)", coverage.Covered, coverage.Observable, 100*float64(coverage.Covered)/float64(coverage.Observable))
	require.GreaterOrEqual(t, coverage.Covered*10, coverage.Observable*9)

	listed := map[string]string{}
	for line := range strings.Lines(clientUncovered) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		id, reason, _ := strings.Cut(strings.TrimSpace(line), "\t")
		require.NotEmpty(t, reason, "%s is listed without a reason", id)
		listed[id] = reason
	}
	missing := map[string]string{}
	for _, spec := range coverage.Specs {
		if slices.Contains(mainSpecs, spec.Spec) {
			for _, id := range spec.Missing {
				missing[id] = listed[id]
			}
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(missing)), slices.Sorted(maps.Keys(listed)), "client-uncovered.tsv must list exactly what no scenario proves")
}

// nothing is a client that does nothing.
func nothing(context.Context, Env) error { return nil }
