package servercases

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

func pebbleEnv(t *testing.T) *Env {
	t.Helper()
	answers, err := responder.Start(t.Context(), responder.Options{HTTPAddr: "127.0.0.1:0", TLSAddr: "127.0.0.1:0", DNSAddr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(answers.Close)
	ca := pebbleharness.New(t, pebbleharness.Options{HTTPPort: answers.HTTPPort(), TLSPort: answers.TLSPort(), Resolver: answers.DNSAddr()})
	return &Env{
		DirectoryURL: ca.DirectoryURL(), Transport: ca.HTTPClient().Transport, Domain: "conformance.test",
		Responder: answers, ResolvesHere: true, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
	}
}

// TestPebbleIsJudged runs all cases: each must come to a verdict.
func TestPebbleIsJudged(t *testing.T) {
	t.Parallel()
	env := pebbleEnv(t)
	for _, c := range Cases(env) {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			r := suite.Run(t.Context(), c, 30*time.Second)
			require.NotEqual(t, suite.Inconclusive, r.Verdict, r.Reason)
			for _, f := range r.Findings {
				require.Contains(t, c.Requirements, f.Requirement, "a finding is about a requirement of its case")
				if f.Verdict != suite.Pass {
					t.Logf("%s %s: expected %s, but %s", f.Verdict, f.Requirement, f.Expected, f.Actual)
				}
			}
		})
	}
}
