package settings_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/settings"
)

type inner struct {
	Nth  int
	Rate float64 `json:"probability,omitempty"`
}

type sample struct {
	Name     string
	NoCRL    bool
	CAANames []string
	Wait     time.Duration
	At       time.Time `json:"at,omitzero"`
	Inner    inner
	More     map[string]inner
	Rest     *settings.Node `json:"rest,omitempty"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got := sample{Name: "stays", Inner: inner{Nth: 7}}
	require.NoError(t, settings.Decode([]byte(`
noCRL: true
caaNames: [a.example, b.example]
wait: 1d12h
at: 2030-01-31T12:00:00Z
inner: {probability: 0.5}
more: {x: {nth: 3}}
rest: {free: form}
`), &got))
	require.NotNil(t, got.Rest)
	got.Rest = nil
	require.Equal(t, sample{Name: "stays", NoCRL: true, CAANames: []string{"a.example", "b.example"}, Wait: 36 * time.Hour,
		At: time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC), Inner: inner{Nth: 7, Rate: 0.5}, More: map[string]inner{"x": {Nth: 3}}}, got)

	var again sample
	data, err := json.MarshalIndent(settings.Show(got), "", "\t") // JSON with tabs is YAML too
	require.NoError(t, err)
	require.NoError(t, settings.Decode(data, &again))
	require.Equal(t, got, again)
}

func TestDecodeComplains(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "nothing in it",
		"name: x\nnmae: y":               `line 2: there is no "nmae" here; there are name, noCRL`,
		"inner:\n  nth: many":            `line 2: inner.nth: "many" is not a whole number`,
		"name: a\nname: b":               `line 2: "name" is there twice`,
		"noCRL: 1":                       `line 1: noCRL: "1" is not true or false`,
		"wait: 5":                        `line 1: wait: "5" is not a duration`,
		"wait: [5]":                      "not a duration",
		"at: yesterday":                  `line 1: at: "yesterday" is not a time`,
		"caaNames: a":                    "line 1: caaNames: want a list",
		"more: [1]":                      "line 1: more: want names with values",
		"name: [a]":                      "line 1: name: want text",
		"- a":                            "line 1: want names with values",
		"name: a\n---\nname: b":          "more than one document",
		"inner: &x {nth: 1}\nmore: *x":   "anchors and aliases",
		"{":                              "line 1",
		"more:\n  <<: {nth: 1}":          "must be text",
		"caaNames:\n- a\n- {b: c}":       "line 3: caaNames[1]: want text",
		strings.Repeat("[", 20) + "deep": "line 1",
	} {
		err := settings.Decode([]byte(text), &sample{})
		require.ErrorContains(t, err, want, "%q", text)
	}
}

// FuzzDecode: what is read can be shown, and read again to the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: x\ninner: {nth: 3}\nwait: 90s\n"))
	f.Add([]byte(`{"caaNames":["a"],"at":"2030-01-31T12:00:00Z","more":{"a":{"probability":1e3}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var one, two sample
		if settings.Decode(data, &one) != nil {
			return
		}
		one.Rest = nil
		text, err := json.Marshal(settings.Show(one))
		if err != nil {
			return // NaN
		}
		require.NoError(t, settings.Decode(text, &two), "%s", text)
		again, err := json.Marshal(settings.Show(two))
		require.NoError(t, err)
		require.JSONEq(t, string(text), string(again))
	})
}
