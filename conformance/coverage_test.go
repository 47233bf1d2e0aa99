package conformance

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatIsObservableIsProven wants nine tenths of what can be observed proven,
// and of all standards each of the rest listed with its reason, and nothing else.
func TestWhatIsObservableIsProven(t *testing.T) {
	t.Parallel()
	for _, role := range []Role{Server, Client} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			coverage := CoverageOf(role)
			t.Logf("%d of %d requirements (%.1f %%)", coverage.Covered, coverage.Observable, 100*float64(coverage.Covered)/float64(coverage.Observable))
			require.GreaterOrEqual(t, coverage.Covered*10, coverage.Observable*9)
			used := map[string]bool{}
			for _, spec := range coverage.Specs {
				for _, id := range spec.Missing {
					if role == Client && !slices.Contains(mainSpecs, spec.Spec) {
						continue // scenarios are about the four standards
					}
					require.NotEmpty(t, spec.Why[id], "no case proves %s, and no reason is listed", id)
					used[id] = uncovered()[role][id] != ""
					used[spec.Spec] = used[spec.Spec] || !used[id]
				}
			}
			for id, reason := range uncovered()[role] {
				require.True(t, used[id], "%s is listed as not proven, and it is: %s", id, reason)
			}
		})
	}
}

func TestCasesNameRequirementsOfServers(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range ServerCases() {
		require.False(t, seen[c.ID], "%s is there twice", c.ID)
		seen[c.ID] = true
		require.NotEmpty(t, c.Title)
		require.NotEmpty(t, c.Does, c.ID)
		require.NotEmpty(t, c.Expects, c.ID)
		require.NotEmpty(t, c.Requirements, c.ID)
		for _, id := range c.Requirements {
			r, known := RequirementByID(id)
			require.True(t, known, "%s: %s is not in the catalogue", c.ID, id)
			require.True(t, r.Role.Includes(Server), "%s: %s is not about servers", c.ID, id)
		}
	}
}

func TestReasonsAreReadByID(t *testing.T) {
	t.Parallel()
	got := readReasons("# comment\tno\n\nRFC1-1-01\tit is so\nRFC2\tnothing of it\nRFC3\n")
	require.Equal(t, []string{"RFC1-1-01", "RFC2"}, slices.Sorted(maps.Keys(got)))
}
