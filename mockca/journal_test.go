package mockca_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// again starts a CA on a state directory; it must have a fixed address for URLs
// to stay.
func again(t *testing.T, dir string, change func(*mockca.Options)) *mockca.CA {
	t.Helper()
	o := mockca.Options{Validation: off, StateDir: dir, KeepObjects: true, BaseURL: "https://ca.test"}
	if change != nil {
		change(&o)
	}
	ca, err := mockca.NewUnstarted(o)
	require.NoError(t, err)
	t.Cleanup(func() { ca.Close() })
	return ca
}

// books is everything that the CA shows of its memory.
func books(t *testing.T, ca *mockca.CA) string {
	t.Helper()
	data, err := json.MarshalIndent([]any{ca.Accounts(), ca.Authorizations(), ca.Orders(), ca.Certificates(), ca.EABs()}, "", " ")
	require.NoError(t, err)
	return string(data)
}

func TestStateKeepsWhatClientsTrust(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := mockca.Start(t.Context(), mockca.Options{StateDir: dir, Hierarchy: mockca.Hierarchy{Roots: 2}})
	require.NoError(t, err)
	api, issuing := first.RootPEM(), first.IssuingRootsPEM()

	_, err = mockca.NewUnstarted(mockca.Options{StateDir: dir})
	require.ErrorContains(t, err, "another CA uses")
	require.NoError(t, first.Close())

	second := mockca.New(t, mockca.Options{StateDir: dir})
	require.Equal(t, string(api), string(second.RootPEM()))
	require.Equal(t, string(issuing), string(second.IssuingRootsPEM()), "what is there counts, not the options")
	resp, err := second.Client().Get(second.DirectoryURL())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Empty(t, second.Accounts())
	for _, name := range []string{"hierarchy.json", "api-root.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, name)
	}
}

func TestStateRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"hierarchy.json": "{", "books.jsonl": "nonsense\n{}\n"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		_, err := mockca.NewUnstarted(mockca.Options{StateDir: dir, KeepObjects: true})
		require.ErrorContains(t, err, name)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "api-root.pem"), []byte("none"), 0o600))
	_, err := mockca.Start(t.Context(), mockca.Options{StateDir: dir})
	require.ErrorContains(t, err, "api-root.pem")
	_, err = mockca.NewUnstarted(mockca.Options{KeepObjects: true})
	require.ErrorContains(t, err, "StateDir")
}

// TestJournalKeepsEverything ends the CA without its knowledge, by copying what
// is on the disk while it runs.
func TestJournalKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := mockca.DefaultPolicy()
	policy.ReuseOrders = true
	ca := mockca.New(t, mockca.Options{Validation: off, StateDir: dir, KeepObjects: true, Policy: &policy})
	c := newRaw(t, ca).register()
	leaf, _ := c.issue("a.example.org", "b.example.org")
	c.issue("*.c.example.org")
	revocation(c, leaf.Raw, `,"reason":4`)
	c.order("pending.example.org")
	_, ready := c.ready("ready.example.org")
	kid, _ := ca.NewEAB()
	ca.AddEAB("gone", []byte("0123456789abcdef"))
	ca.RemoveEAB("gone")
	require.NoError(t, ca.SetRenewalInfo(ca.Certificates()[1].Serial, &mockca.RenewalAnswer{Status: 503}))
	other := newRaw(t, ca).register()
	require.NoError(t, ca.ForgetAccount(other.kid))
	third := newRaw(t, ca).register()
	third.want(http.StatusOK, third.kid, `{"status":"deactivated"}`)
	ca.Clock().Advance(48 * time.Hour)
	require.NoError(t, ca.Sync())
	want := books(t, ca)

	crashed := t.TempDir()
	for _, name := range []string{"hierarchy.json", "api-root.pem", "books.jsonl"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		if name == "books.jsonl" {
			data = append(data, `{"account":{"id":99,"key`...) // cut off
		}
		require.NoError(t, os.WriteFile(filepath.Join(crashed, name), data, 0o600))
	}
	base := ca.URL(mockca.Directory)[:len(ca.URL(mockca.Directory))-len("/directory")]
	for round := range 2 { // the second time from the file that was written anew
		next := again(t, crashed, func(o *mockca.Options) { o.BaseURL, o.Policy = base, &policy })
		require.Equal(t, want, books(t, next), "round %d", round)
		require.WithinDuration(t, ca.Clock().Now(), next.Clock().Now(), time.Minute)
		require.True(t, slices.ContainsFunc(next.EABs(), func(e mockca.EAB) bool { return e.KeyID == kid }))
		require.NoError(t, next.Close())
	}

	// What is ready is finalized, and numbers go on.
	require.NoError(t, ca.Close())
	next := mockca.New(t, mockca.Options{Validation: off, StateDir: crashed, KeepObjects: true, Policy: &policy, BaseURL: base})
	orders := len(next.Orders())
	_, ok := next.Order(ready)
	require.True(t, ok)
	require.Len(t, next.Orders(), orders)
	next.ForgetEverything()
	require.NoError(t, next.Close())
	require.Empty(t, again(t, crashed, nil).Orders())
}

// TestJournalResumes begins again what was under way.
func TestJournalResumes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := mockca.DefaultPolicy()
	policy.AsyncFinalize, policy.FinalizeDelay = true, time.Hour
	clock := mockca.NewClock(time.Now())
	ca := mockca.New(t, mockca.Options{Validation: off, StateDir: dir, KeepObjects: true, Policy: &policy, Clock: clock})
	c := newRaw(t, ca).register()
	_, url := c.ready("a.example.org")
	c.want(http.StatusOK, c.want(http.StatusOK, url, "").text("finalize"), csrPayload(csrFor(t, newKey(t), "a.example.org")))
	policy.ValidationDelay = time.Hour
	ca.SetPolicy(policy)
	url = c.order("b.example.org").Header.Get("Location")
	authz := c.want(http.StatusOK, url, "").object()["authorizations"].([]any)[0].(string)
	c.want(http.StatusOK, c.want(http.StatusOK, authz, "").object()["challenges"].([]any)[0].(map[string]any)["url"].(string), `{}`)
	require.NoError(t, ca.Close())

	quick := mockca.DefaultPolicy()
	next := mockca.New(t, mockca.Options{Validation: off, StateDir: dir, KeepObjects: true, Policy: &quick, Clock: clock})
	require.NoError(t, next.Wait(t.Context()))
	require.Equal(t, "valid", next.Orders()[0].Status)
	require.Equal(t, "ready", next.Orders()[1].Status)
	require.Len(t, next.Certificates(), 1)
}
