package conformance

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

const publishedSchema = "../docs/conformance-report.schema.json"

// TestReportsKeepToTheirSchema compares what WriteJSON writes with the schema
// that is published.
func TestReportsKeepToTheirSchema(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(publishedSchema)
	require.NoError(t, err)
	r := aReport(t)
	r.Results[0].Exchanges[0].Error = "no answer"
	var out bytes.Buffer
	require.NoError(t, r.WriteJSON(&out))
	parsed := func() map[string]any {
		var v map[string]any
		d := json.NewDecoder(bytes.NewReader(out.Bytes()))
		d.UseNumber()
		require.NoError(t, d.Decode(&v))
		return v
	}
	require.NoError(t, schema.Validate(parsed()))
	for name, spoil := range map[string]func(map[string]any){
		"no summary":      func(v map[string]any) { delete(v, "summary") },
		"another suite":   func(v map[string]any) { v["suite"] = "proxy" },
		"another verdict": func(v map[string]any) { v["results"].([]any)[0].(map[string]any)["verdict"] = "maybe" },
		"a negative count": func(v map[string]any) {
			v["summary"].(map[string]any)["pass"] = json.Number("-1")
		},
	} {
		v := parsed()
		spoil(v)
		require.Error(t, schema.Validate(v), name)
	}
}
