package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

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
