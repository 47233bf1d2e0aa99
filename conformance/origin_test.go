package conformance

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keywords reads the index of all normative keywords: "RFC8555 6.5#3" is the
// third of that section.
func keywords(t *testing.T) map[string]string {
	t.Helper()
	table, err := os.ReadFile("testdata/normative-index.tsv")
	require.NoError(t, err)
	found := map[string]string{}
	for line := range strings.Lines(string(table)) {
		row := strings.Split(strings.TrimSpace(line), "\t")
		require.Len(t, row, 6)
		if slices.Contains(mainSpecs, row[0]) {
			found[row[0]+" "+row[1]+"#"+row[4]] = row[5]
		}
	}
	require.Len(t, found, 329)
	return found
}

// meaning puts the keywords that mean the same under one (RFC 2119).
var meaning = map[string]Level{
	"MUST": Must, "SHALL": Must, "REQUIRED": Must, "MUST NOT": MustNot, "SHALL NOT": MustNot,
	"SHOULD": Should, "RECOMMENDED": Should, "SHOULD NOT": ShouldNot, "NOT RECOMMENDED": ShouldNot, "MAY": May, "OPTIONAL": May,
}

// TestEveryKeywordHasARequirement goes through the standards' keywords, one by
// one: each is the origin of a requirement of its strictness, or is listed with
// the reason why it is of none, and each requirement that is not read out of
// plain prose has one.
func TestEveryKeywordHasARequirement(t *testing.T) {
	t.Parallel()
	index := keywords(t)
	table, err := os.ReadFile("unorigined.tsv")
	require.NoError(t, err)
	exempt := readReasons(string(table))
	named := map[string]bool{}
	for _, r := range Requirements() {
		for _, origin := range r.Origin {
			keyword, known := index[origin]
			require.True(t, known, "%s comes from %q, which is not in the index", r.ID, origin)
			require.Equal(t, r.Level.rank(), meaning[keyword].rank(), "%s is %s, and comes from the %s of %s", r.ID, r.Level, keyword, origin)
			require.True(t, strings.HasPrefix(origin, r.Spec+" "), "%s comes from %s", r.ID, origin)
			named[origin] = true
		}
		if slices.Contains(mainSpecs, r.Spec) && !strings.HasPrefix(r.Text, "[") {
			require.True(t, len(r.Origin) > 0 != (exempt[r.ID] != ""), "%s: an origin, or a reason in unorigined.tsv", r.ID)
		}
	}
	for origin, keyword := range index {
		require.True(t, named[origin] != (exempt[origin] != ""), "the %s of %s: a requirement, or a reason in unorigined.tsv", keyword, origin)
	}
	for what := range exempt {
		_, keyword := index[what]
		_, requirement := RequirementByID(what)
		require.True(t, keyword || requirement, "unorigined.tsv lists %s, which there is not", what)
	}
}
