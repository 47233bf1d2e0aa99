// Package acmee2e holds the tests of the rules of the house as a whole.
package acmee2e

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/acme-e2e/acme-e2e/"

var update = flag.Bool("update", false, "write the golden files anew")

// mayImport is the picture of the house: which packages of ours each part may
// import. The longest matching name decides; a part may import itself.
var mayImport = map[string][]string{
	"internal":                         {"internal"},
	"challenge":                        {"internal"},
	"client":                           {"challenge", "internal"},
	"client/storage":                   {"client", "challenge", "internal"},
	"client/manager":                   {"client", "challenge", "internal"},
	"pebbleharness":                    {"internal"},
	"mockca":                           {"internal"},
	"conformance":                      {"mockca", "internal"},
	"conformance/examples":             {},
	"conformance/internal/servercases": {"conformance/internal", "internal"},
	"conformance/internal/wire":        {"conformance/internal/suite", "internal"},
	"conformance/internal/responder":   {"conformance/internal/suite", "internal"},
	"cmd/acme-e2e":                     {""},
}

// forbidden are imports that must never get into a part, with the reason.
var forbidden = []struct{ part, dependency, reason string }{
	{"client", "github.com/letsencrypt/pebble", "the client must not carry a CA"},
	{"client", "github.com/miekg/dns", "DNS messages belong in challenge/dns01, so that the client stays light"},
	{"client", "github.com/stretchr/testify", "test helpers belong in tests"},
	{"client", "github.com/spf13/cobra", "a library has no command line"},
	{"challenge", "github.com/go-jose/go-jose", "solvers never talk to the CA"},
	{"mockca", "github.com/stretchr/testify", "programs embed it"},
	{"conformance", "github.com/stretchr/testify", "programs embed it"},
	{"pebbleharness", "github.com/stretchr/testify", "programs embed it"},
}

func TestArrows(t *testing.T) {
	t.Parallel()
	out := goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	seen := 0
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		from, ours := strings.CutPrefix(fields[0], module)
		if !ours {
			continue
		}
		part, allowed := partOf(from)
		require.NotEmpty(t, part, "%s is in no part of the house: add it to mayImport", from)
		for _, dependency := range fields[1:] {
			to, ours := strings.CutPrefix(dependency, module)
			if ours && !under(to, part) && !underAny(to, allowed) {
				t.Errorf("%s must not import %s: it may import only %q", from, to, allowed)
			}
			seen++
		}
	}
	require.NotZero(t, seen)
}

func TestForbiddenDependencies(t *testing.T) {
	t.Parallel()
	for _, rule := range forbidden {
		if _, err := os.Stat(rule.part); err != nil {
			continue // not built yet
		}
		for line := range strings.Lines(goList(t, "-deps", "./"+rule.part+"/...")) {
			if under(strings.TrimSpace(line), rule.dependency) {
				t.Errorf("%s must not depend on %s: %s", rule.part, rule.dependency, rule.reason)
			}
		}
	}
}

// TestWeightOfTheClient compares what a program that imports the client gets,
// beyond the standard library, with the committed list.
func TestWeightOfTheClient(t *testing.T) {
	t.Parallel()
	got := goList(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./client", "./challenge")
	golden := filepath.Join("testdata", "client-deps.golden")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o666))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "a new dependency is a decision: if it is wanted, run go test . -update")
}

// goList runs go list as for a Linux build without cgo, so that the answer is
// the same everywhere.
func goList(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}

// partOf finds the part of the house that pkg is in.
func partOf(pkg string) (part string, allowed []string) {
	for name, may := range mayImport {
		if under(pkg, name) && len(name) > len(part) {
			part, allowed = name, may
		}
	}
	return part, allowed
}

func underAny(pkg string, parents []string) bool {
	for _, parent := range parents {
		if parent == "" || under(pkg, parent) {
			return true
		}
	}
	return false
}

func under(pkg, parent string) bool { return pkg == parent || strings.HasPrefix(pkg, parent+"/") }
