package mockca_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

func TestTranscriptIsWrittenAsArchiveAndDiagram(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{Validation: off})
	account, err := newClient(t, ca).NewAccount(t.Context(), newKey(t), client.AccountOptions{AgreeTerms: true})
	require.NoError(t, err)
	for _, name := range []string{"a.example", "b.example"} {
		ids, err := client.ParseIdentifiers(name)
		require.NoError(t, err)
		_, err = account.Obtain(t.Context(), client.Request{Identifiers: ids, Roots: ca.Issuers(), Solvers: []client.SolverFor{{Type: "dns-01", Solver: noSolver{}}}})
		require.NoError(t, err)
	}
	transcript := ca.Transcript()

	var out bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&out))
	var har struct {
		Log struct {
			Entries []struct {
				Request struct{ Method string }
				ACME    struct{ Endpoint mockca.Endpoint } `json:"_acme"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &har))
	require.Len(t, har.Log.Entries, transcript.Count())
	require.Equal(t, mockca.Directory, har.Log.Entries[0].ACME.Endpoint)

	out.Reset()
	require.NoError(t, transcript.WriteMermaid(&out))
	require.Equal(t, transcript.Count(), strings.Count(out.String(), "->>CA: "))
	require.Equal(t, 2, strings.Count(out.String(), "POST finalize"))

	order := ca.Orders()[0]
	out.Reset()
	require.NoError(t, transcript.WriteMermaidOrder(&out, order.URL))
	for _, once := range []string{"POST newOrder", "POST finalize", "POST certificate", "pending → processing", "processing → valid"} {
		require.Contains(t, out.String(), once)
	}
	require.Equal(t, 1, strings.Count(out.String(), "POST newOrder"))
	require.Equal(t, 1, strings.Count(out.String(), "participant C1 "))
	require.NotContains(t, out.String(), "newAccount")
}
