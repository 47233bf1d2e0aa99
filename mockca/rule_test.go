package mockca_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// teapot answers 418, so that it is known which fault fired.
func teapot() mockca.Fault {
	return mockca.Fault{Name: "teapot", Request: func(*mockca.Exchange) *mockca.Response {
		return mockca.NewResponse(http.StatusTeapot, "text/plain", "short and stout")
	}}
}

func get(t *testing.T, ca *mockca.CA, e mockca.Endpoint) int {
	t.Helper()
	resp, err := ca.Client().Get(ca.URL(e))
	require.NoError(t, err)
	io.Copy(io.Discard, resp.Body)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestRuleFiresWhenItsConditionsHold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		when mockca.When
		once int // Times
		want []int
	}{
		{"always", mockca.When{}, 0, []int{0, 1, 2, 3, 4, 5}},
		{"twice", mockca.When{}, 2, []int{0, 1}},
		{"the second", mockca.When{Nth: 2}, 0, []int{1}},
		{"not the first two", mockca.When{Skip: 2}, 0, []int{2, 3, 4, 5}},
		{"the second after the first two", mockca.When{Skip: 2, Nth: 2}, 0, []int{3}},
		{"every third", mockca.When{Every: 3}, 0, []int{0, 3}},
		{"the endpoint", mockca.When{Endpoint: mockca.Directory}, 0, []int{0, 1, 2, 3, 4, 5}},
		{"another endpoint", mockca.When{Endpoint: mockca.NewNonce}, 0, nil},
		{"one of the endpoints", mockca.When{Endpoints: []mockca.Endpoint{mockca.NewNonce, mockca.Directory}}, 1, []int{0}},
		{"the method", mockca.When{Method: "get"}, 1, []int{0}},
		{"another method", mockca.When{Method: "POST"}, 0, nil},
		{"another account", mockca.When{Account: "1"}, 0, nil},
		{"another identifier", mockca.When{Identifier: "a.example.org"}, 0, nil},
		{"a match that says no", mockca.When{Match: func(*mockca.Exchange) bool { return false }}, 0, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ca := mockca.New(t, mockca.Options{Rules: []mockca.Rule{{When: row.when, Fault: teapot(), Times: row.once}}})
			var got []int
			for i := range 6 {
				if get(t, ca, mockca.Directory) == http.StatusTeapot {
					got = append(got, i)
				}
			}
			require.Equal(t, row.want, got)
			state := ca.Rules()[0]
			require.EqualValues(t, len(row.want), state.Hits)
			require.Equal(t, row.once > 0 && len(row.want) == row.once, state.Spent)
		})
	}
}

func TestProbabilityRepeatsWithItsSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (got []int) {
		ca := mockca.New(t, mockca.Options{Seed: seed})
		ca.Inject(teapot(), mockca.When{Probability: 0.5})
		for range 40 {
			got = append(got, get(t, ca, mockca.Directory))
		}
		return got
	}
	first := run(7)
	require.Equal(t, first, run(7))
	require.NotEqual(t, first, run(8))
	hits := len(slices.DeleteFunc(first, func(s int) bool { return s != http.StatusTeapot }))
	require.Greater(t, hits, 8)
	require.Less(t, hits, 32)
}

func TestRulesAreAddedAndRemovedWhileRunning(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				id := ca.Inject(teapot(), mockca.When{Endpoint: mockca.NewNonce})
				get(t, ca, mockca.Directory)
				ca.RemoveRule(id)
			}
		})
	}
	wg.Wait()
	require.Empty(t, ca.Rules())
	require.False(t, ca.RemoveRule(1))
	require.Equal(t, http.StatusOK, get(t, ca, mockca.Directory))
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]mockca.Rule{
		"no hook":     {Fault: mockca.Fault{Name: "idle"}},
		"endpoint":    {Fault: teapot(), When: mockca.When{Endpoint: "nowhere"}},
		"probability": {Fault: teapot(), When: mockca.When{Probability: 2}},
		"times":       {Fault: teapot(), Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mockca.NewUnstarted(mockca.Options{Rules: []mockca.Rule{rule}})
			require.Error(t, err)
		})
	}
}

func TestStageDecidesWhetherTheCAActs(t *testing.T) {
	t.Parallel()
	for stage, want := range map[mockca.Stage]int{mockca.AsFault: 0, mockca.Before: 0, mockca.After: 1} {
		ca := mockca.New(t, mockca.Options{})
		ca.Inject(teapot(), mockca.When{Endpoint: mockca.NewAccount, Stage: stage})
		c := newRaw(t, ca)
		require.Equal(t, http.StatusTeapot, c.post(mockca.NewAccount, ca.URL(mockca.NewAccount), `{}`).Status)
		require.Len(t, ca.Accounts(), want)
	}
}

func TestRulesCompose(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{})
	ca.Inject(mockca.Fault{Name: "a", Response: func(_ *mockca.Exchange, r *mockca.Response) { r.Header.Add("X-Fault", "a") }})
	ca.Inject(mockca.Fault{Name: "b", Response: func(_ *mockca.Exchange, r *mockca.Response) { r.Header.Add("X-Fault", "b") }})
	resp, err := ca.Client().Get(ca.DirectoryURL())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, []string{"a", "b"}, resp.Header.Values("X-Fault"))
	require.Equal(t, []string{"a", "b"}, ca.Transcript().Last(mockca.Directory).Rules)
}

func TestExampleFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[http2], func(t *testing.T) {
			t.Parallel()
			ca := mockca.New(t, mockca.Options{DisableHTTP2: !http2})
			c := newRaw(t, ca)
			url := ca.URL(mockca.NewAccount)

			ca.InjectOnce(mockca.ResetBefore(), mockca.When{Endpoint: mockca.NewAccount})
			require.Error(t, c.postErr(url, `{}`))
			require.Empty(t, ca.Accounts())

			ca.InjectOnce(mockca.ResetAfter(), mockca.When{Endpoint: mockca.NewAccount})
			require.Error(t, c.postErr(url, `{}`))
			require.Len(t, ca.Accounts(), 1)
			require.Equal(t, "reset", ca.Transcript().Last(mockca.NewAccount).Wire)

			ca.InjectOnce(mockca.Status503(5*time.Second), mockca.When{Endpoint: mockca.NewAccount})
			r := c.post(mockca.NewAccount, url, `{}`)
			require.Equal(t, http.StatusServiceUnavailable, r.Status)
			require.Equal(t, "5", r.Header.Get("Retry-After"))
			require.Empty(t, r.Header.Get("Replay-Nonce"), "a front end has no nonces")

			ca.InjectOnce(mockca.BadNonce())
			r = c.post(mockca.NewAccount, url, `{}`)
			require.Equal(t, "badNonce", r.problem())
			require.NotEmpty(t, r.Header.Get("Replay-Nonce"))

			ca.InjectOnce(mockca.JSONTruncated(), mockca.When{Endpoint: mockca.Directory})
			resp, err := ca.Client().Get(ca.DirectoryURL())
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.False(t, json.Valid(body))
		})
	}
}

func TestCertificateForAnotherKey(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{Validation: off})
	ca.InjectOnce(mockca.CertWrongKey())
	c := newRaw(t, ca)
	c.register()
	leaf, key := c.issue("a.example.org")
	require.False(t, key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(leaf.PublicKey))
	leaf, key = c.issue("b.example.org")
	require.True(t, key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(leaf.PublicKey))
}

func TestTranscriptAsLines(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{Validation: off})
	lines := ca.Transcript().Subscribe(t.Context())
	c := newRaw(t, ca)
	c.register()
	c.issue("a.example.org")
	var buf bytes.Buffer
	require.NoError(t, ca.Transcript().WriteJSONL(&buf))
	n := 0
	for line := range bytes.Lines(buf.Bytes()) {
		var x struct {
			ID        int64
			Endpoint  mockca.Endpoint
			Protected map[string]any
			Payload   map[string]any
			Changes   []mockca.Change
		}
		require.NoError(t, json.Unmarshal(line, &x))
		n++
		require.Equal(t, (<-lines).ID, x.ID)
		if x.Endpoint == mockca.NewOrder {
			require.Equal(t, ca.URL(mockca.NewOrder), x.Protected["url"])
			require.Contains(t, x.Payload, "identifiers")
			require.Len(t, x.Changes, 2)
		}
	}
	require.Equal(t, ca.Transcript().Count(), n)
	require.Equal(t, 1, ca.Transcript().Count(mockca.Finalize))
}
