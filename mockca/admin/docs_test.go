package admin_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/admin"
)

// TestDocumentationIsTrue takes the scenarios, rules and paths of docs/serve.md
// at their word.
func TestDocumentationIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "serve.md"))
	require.NoError(t, err)
	scenarios := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, scenarios)
	for _, m := range scenarios {
		w := newWorld(t, nil)
		scenario, err := admin.ParseScenario([]byte(m[1]))
		require.NoError(t, err)
		require.NoError(t, scenario.Apply(w.ca, w.dns))
		require.Len(t, w.ca.Rules(), len(scenario.Rules))
	}

	w := newWorld(t, nil)
	bodies := regexp.MustCompile(`curl -d '([^']+)' \$MANAGEMENT(/\S+)`).FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, bodies)
	for _, m := range bodies {
		w.do(http.StatusCreated, http.MethodPost, m[2], m[1])
	}
	var doc struct{ Paths map[string]any }
	require.NoError(t, json.Unmarshal(w.do(http.StatusOK, http.MethodGet, "/api", ""), &doc))
	paths := regexp.MustCompile(`/api/[a-z{}/.-]+`).FindAllString(string(text), -1)
	require.Greater(t, len(paths), 20)
	for _, path := range paths {
		require.Contains(t, doc.Paths, strings.TrimRight(path, "."), "docs/serve.md names a path that is not there")
	}
}
