package mockca_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

var update = flag.Bool("update", false, "write the documented catalogue anew")

// The catalogue in the documentation is the one that there is.
func TestCatalogueIsDocumented(t *testing.T) {
	t.Parallel()
	const page = "../docs/mockca.md"
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(data), "<!-- catalogue: ")
	require.True(t, found)
	mark, rest, found := strings.Cut(rest, "-->\n")
	require.True(t, found)
	got, after, found := strings.Cut(rest, "<!-- end of the catalogue -->")
	require.True(t, found)
	want := documented()
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+"<!-- catalogue: "+mark+"-->\n"+want+"<!-- end of the catalogue -->"+after), 0o666))
		return
	}
	require.Equal(t, want, got, "write it anew: go test ./mockca -run Documented -update")
}

func documented() string {
	var b strings.Builder
	group := ""
	for _, f := range mockca.Faults() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n### %s\n\n| fault | what happens | what a correct client does |\n|---|---|---|\n", group)
		}
		name := "`" + f.Name + "`"
		if f.Params != "" {
			name += " `:" + strings.ReplaceAll(f.Params, "|", `\|`) + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, f.Doc, f.Duty)
	}
	return b.String() + "\n"
}
