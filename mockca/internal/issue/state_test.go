package issue_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// stateFile is the form of an exported hierarchy, spelt once more so that a
// change of the form is noticed: files of older versions must be read.
type stateFile struct {
	Version    int          `json:"version"`
	Name       string       `json:"name"`
	KeyType    string       `json:"keyType"`
	CrossRoots bool         `json:"crossRoots,omitempty"`
	Now        string       `json:"now"`
	Lifetime   int64        `json:"lifetime"`
	Line       []stateFile1 `json:"line"`
	Alternates []stateFile1 `json:"alternates,omitempty"`
}

type stateFile1 struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	Cross       string `json:"cross,omitempty"`
}

func export(t testing.TB, h *issue.Hierarchy) *stateFile {
	data, err := h.Export()
	require.NoError(t, err)
	var s stateFile
	require.NoError(t, json.Unmarshal(data, &s))
	require.JSONEq(t, string(data), string(s.marshal(t)))
	return &s
}

func (s *stateFile) marshal(t testing.TB) []byte {
	data, err := json.Marshal(s)
	require.NoError(t, err)
	return data
}

func FuzzImport(f *testing.F) {
	h := hierarchy(f, issue.Options{Roots: 2})
	data, err := h.Export()
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"version":1,"line":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := issue.Import(data)
		if err != nil {
			return
		}
		again, err := h.Export()
		require.NoError(t, err)
		_, err = issue.Import(again)
		require.NoError(t, err)
	})
}
