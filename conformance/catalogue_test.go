package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCatalogueIsWhole(t *testing.T) {
	t.Parallel()
	all, err := parseRequirements(requirementsTSV)
	require.NoError(t, err)
	counts := map[string]int{}
	for _, r := range all {
		counts[r.Spec]++
		require.NotContains(t, r.Text, "  ", r.ID)
	}
	for spec, least := range map[string]int{"RFC8555": 505, "RFC9773": 52, "RFC8737": 35, "RFC8738": 23, "RFC8657": 17} {
		require.GreaterOrEqual(t, counts[spec], least, spec)
	}
	r, ok := RequirementByID("RFC8555-6.5-05")
	require.True(t, ok)
	require.Equal(t, "6.5", r.Section)
	require.Equal(t, "https://www.rfc-editor.org/rfc/rfc8555#section-6.5", sectionURL(r))
	_, ok = RequirementByID("RFC8555-0-00")
	require.False(t, ok)
}

func TestBrokenCatalogues(t *testing.T) {
	t.Parallel()
	const head = "id\tspec\tsection\tlevel\trole\trequirement\thow_observed\n"
	for says, table := range map[string]string{
		"no column":  "id\tspec\n",
		"fields":     head + "a\tb\n",
		"not unique": head + strings.Repeat("a\tb\t1\tMUST\tserver\tx\ty\n", 2),
		`level "M"`:  head + "a\tb\t1\tM\tserver\tx\ty\n",
		`role "ca"`:  head + "a\tb\t1\tMUST\tca\tx\ty\n",
		"no text":    head + "a\tb\t1\tMUST\tserver\t\ty\n",
	} {
		_, err := parseRequirements(table)
		require.ErrorContains(t, err, says)
	}
}
