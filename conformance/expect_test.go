package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

func TestParseExpectations(t *testing.T) {
	t.Parallel()
	got, err := ParseExpectations(strings.NewReader("# known\n\nrfc8555/6.5/a\tfail\tsays badNonce\nrfc8555/7/b\twarn\tno Retry-After\n"))
	require.NoError(t, err)
	require.Equal(t, Expectations{"rfc8555/6.5/a": {suite.Fail, "says badNonce", 3}, "rfc8555/7/b": {suite.Warn, "no Retry-After", 4}}, got)
	require.Equal(t, []string{"rfc8555/6.5/a", "rfc8555/7/b"}, got.unknown(someCases()))
	for says, text := range map[string]string{
		"line 1: expected":          "a fail because\n",
		"line 2: verdict":           "#\na\tpass\tx\n",
		"line 2: a is in line 1":    "a\tfail\tx\na\twarn\ty\n",
		"line 1: expected a case i": "a\tfail\t \n",
	} {
		_, err := ParseExpectations(strings.NewReader(text))
		require.ErrorContains(t, err, says)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	expected := Expectations{"f": {Verdict: suite.Fail}, "w": {Verdict: suite.Warn}, "i": {Verdict: suite.Inconclusive}}
	for _, row := range []struct {
		id      string
		verdict suite.Verdict
		strict  bool
		want    Outcome
	}{
		{"x", suite.Pass, false, AsExpected},
		{"x", suite.Fail, false, Unexpected},
		{"x", suite.Warn, false, AsExpected},
		{"x", suite.Warn, true, Unexpected},
		{"x", suite.Inconclusive, true, AsExpected},
		{"x", suite.Skip, true, AsExpected},
		{"f", suite.Fail, true, AsExpected},
		{"f", suite.Pass, false, Fixed},
		{"f", suite.Warn, false, Fixed},
		{"f", suite.Skip, false, AsExpected},
		{"f", suite.Inconclusive, false, AsExpected},
		{"w", suite.Warn, true, AsExpected},
		{"w", suite.Fail, false, Unexpected},
		{"w", suite.Pass, false, Fixed},
		{"i", suite.Inconclusive, false, AsExpected},
		{"i", suite.Pass, false, Fixed},
		{"i", suite.Fail, false, Unexpected},
	} {
		require.Equal(t, row.want, expected.of(suite.Result{ID: row.id, Verdict: row.verdict}, row.strict), "%+v", row)
	}
}

// FuzzParseExpectations reads what people write: an error names the line, and
// what is accepted has a verdict and a reason.
func FuzzParseExpectations(f *testing.F) {
	f.Add("# known\nrfc8555/7.2/new-nonce\tfail\tno-store is missing\n")
	f.Add("a\twarn\t\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseExpectations(strings.NewReader(text))
		if err != nil {
			return
		}
		for id, e := range got {
			require.NotEmpty(t, e.Reason, id)
			require.Positive(t, e.Line)
			require.Contains(t, []suite.Verdict{suite.Fail, suite.Warn, suite.Inconclusive}, e.Verdict)
		}
	})
}
