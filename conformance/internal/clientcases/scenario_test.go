package clientcases

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScenariosAreComplete(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^(rfc\d+|profiles)/[\dA-Z.]+/[a-z0-9-]+$`)
	seen := map[string]bool{}
	for _, s := range All() {
		require.Regexp(t, id, s.ID)
		require.False(t, seen[s.ID], "%s twice", s.ID)
		seen[s.ID] = true
		require.NotEmpty(t, s.Title, s.ID)
		require.NotEmpty(t, s.Requirements, s.ID)
		require.NotEmpty(t, s.Does, s.ID)
		require.NotEmpty(t, s.Expects, s.ID)
		require.NotNil(t, s.Play, s.ID)
		for _, f := range s.Needs {
			require.Contains(t, Features(), f, s.ID)
		}
	}
	require.True(t, seen[Baseline])
}
