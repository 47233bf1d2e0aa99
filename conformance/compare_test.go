package conformance

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

func TestCompareAlignsCases(t *testing.T) {
	t.Parallel()
	a, b := aReport(t), aReport(t)
	a.Command = "acme-e2e test-server --pebble {case}"
	b.Target, b.Results = "another | one", b.Results[2:]
	c, err := Compare([]*Report{a, b}, []string{"", ""})
	require.NoError(t, err)
	require.Equal(t, "https://ca.example/dir", c.Columns[0].Name)
	require.Len(t, c.Rows, len(a.Results))
	row := c.Rows[1]
	require.Equal(t, "rfc8555/7.4/new", row.ID)
	require.Equal(t, []suite.Verdict{suite.Fail, ""}, []suite.Verdict{row.Cells[0].Verdict, row.Cells[1].Verdict})
	require.True(t, row.Differs())
	require.True(t, row.Troubled())
	require.False(t, c.Rows[4].Differs())
	require.Equal(t, "acme-e2e test-server --pebble rfc8555/7.4/new", row.Cells[0].Command)
	require.Contains(t, row.Cells[0].Text, "expected a Link")
}

func TestCompareRefuses(t *testing.T) {
	t.Parallel()
	client := aReport(t)
	client.Suite = Client
	for name, row := range map[string]struct {
		reports []*Report
		names   []string
		want    string
	}{
		"nothing":         {nil, nil, "there must be some"},
		"names missing":   {[]*Report{aReport(t)}, nil, "a name for each"},
		"different suite": {[]*Report{aReport(t), client}, []string{"", ""}, "judges a server, that of"},
	} {
		_, err := Compare(row.reports, row.names)
		require.ErrorContains(t, err, row.want, name)
	}
}

// TestComparisonsAreSafe compares what a hostile server made say.
func TestComparisonsAreSafe(t *testing.T) {
	t.Parallel()
	a := aReport(t)
	c, err := Compare([]*Report{a, a}, []string{"<b>one</b>", "two | three\nfour"})
	require.NoError(t, err)
	var page, table bytes.Buffer
	require.NoError(t, c.WriteHTML(&page))
	require.NoError(t, c.WriteMarkdown(&table))
	for _, never := range []string{"<script>alert", "<b>one", "\x1b", "\x00"} {
		require.NotContains(t, page.String(), never)
	}
	require.NotContains(t, table.String(), "\x1b")
	lines := strings.Split(table.String(), "\n")
	columns := func(line string) int { return strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") }
	for _, line := range lines[:3+len(c.Rows)] {
		require.Equal(t, columns(lines[0]), columns(line), line)
	}
	require.Contains(t, table.String(), "[`rfc8555/7.4/new`](#rfc855574new)")
	require.Contains(t, table.String(), "\n### rfc8555/7.4/new\n")
	require.NotContains(t, table.String(), "\n### rfc8555/7.10/pass\n")
}
