package conformance_test

import (
	"encoding/base64"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance"
	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

func startResponder(t *testing.T) *conformance.Responder {
	t.Helper()
	r, err := conformance.StartResponder(t.Context(), conformance.ResponderOptions{HTTPAddr: "127.0.0.1:0", TLSAddr: "127.0.0.1:0", DNSAddr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// TestPebbleDeviatesAsListed runs the whole suite: what Pebble does otherwise
// than it should is what conformance/expect/pebble.tsv lists, no more and no less.
func TestPebbleDeviatesAsListed(t *testing.T) {
	t.Parallel()
	r := startResponder(t)
	binding := &conformance.ExternalAccount{KeyID: "conformance", Key: []byte("the key of an external account..")}
	ca := pebbleharness.New(t, pebbleharness.Options{
		HTTPPort: r.HTTPPort(), TLSPort: r.TLSPort(), Resolver: r.DNSAddr(),
		EABRequired: true, EABKeys: map[string]string{binding.KeyID: base64.RawURLEncoding.EncodeToString(binding.Key)},
	})
	file, err := os.Open("expect/pebble.tsv")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	expected, err := conformance.ParseExpectations(file)
	require.NoError(t, err)

	report, err := conformance.RunServer(t.Context(), conformance.Target{
		DirectoryURL: ca.DirectoryURL(), RootCAs: ca.Pool(), Responder: r, ResolvesHere: true,
		Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, ExternalAccount: binding,
	}, conformance.Plan{Jobs: 8}, conformance.Judgement{Expected: expected, Strict: true})
	require.NoError(t, err)
	require.Less(t, report.Duration, time.Minute)
	for _, result := range report.Results {
		require.Equal(t, conformance.AsExpected, result.Outcome, "%s %s\n%s", result.Verdict, result.ID, result.Explain())
	}
	require.Equal(t, len(expected), report.Summary.Fail+report.Summary.Warn)
	require.Zero(t, report.Summary.Inconclusive)
	require.True(t, report.OK)
}

// TestServer is itself tried on a CA without fault: each case is a subtest.
func TestTestServer(t *testing.T) {
	t.Parallel()
	r := startResponder(t)
	p := mockca.DefaultPolicy()
	p.PollRetryAfter = -1
	ca := mockca.New(t, mockca.Options{Policy: &p, Validation: mockca.Validation{HTTPPort: r.HTTPPort(), TLSPort: r.TLSPort(), DNS: mockca.NewResolver(r.DNSAddr())}})
	conformance.TestServer(t, conformance.Target{DirectoryURL: ca.DirectoryURL(), RootCAs: ca.Pool(), Responder: r, ResolvesHere: true})
}
