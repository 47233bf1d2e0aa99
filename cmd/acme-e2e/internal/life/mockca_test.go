package life_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/cmd/acme-e2e/internal/life"
	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// The same life at CAs of other habits than Pebble's.
func TestLifeAtEveryPersonality(t *testing.T) {
	t.Parallel()
	for _, personality := range mockca.Personalities() {
		t.Run(personality, func(t *testing.T) {
			t.Parallel()
			policy, err := mockca.PolicyOf(personality)
			require.NoError(t, err)
			policy.PollRetryAfter, policy.ValidationDelay, policy.FinalizeDelay = -1, 0, 0 // the habits, at once
			port := pebbleharness.New(t, pebbleharness.Options{}).HTTPPort                 // one that nobody else is given
			ca := mockca.New(t, mockca.Options{Policy: &policy, Validation: mockca.Validation{HTTPPort: port}})
			kid, key := ca.NewEAB()
			o := life.Options{
				CA:    life.CA{DirectoryURL: ca.DirectoryURL(), Transport: ca.Client().Transport, HTTPPort: port, Roots: ca.Issuers()},
				Names: []string{"a.example", "b.example"}, Email: "admin@a.example", Dir: t.TempDir(),
				EAB: &client.ExternalAccountBinding{KeyID: kid, Key: key},
			}
			if !policy.NoRenewalInfo {
				o.CA.SuggestRenewal = func(c *x509.Certificate) error {
					return ca.SetRenewalInfo(c.SerialNumber.Text(16), &mockca.RenewalAnswer{Start: time.Now().Add(-2 * time.Hour), End: time.Now().Add(-time.Hour)})
				}
			}
			result, err := life.Run(t.Context(), o)
			require.NoError(t, err)
			got := verdicts(result)
			want := life.Passed
			if policy.NoRenewalInfo {
				want = life.NotOffered
			}
			require.Equal(t, want, got["renewal information"])
			require.Equal(t, life.Passed, got["deactivation"])
			require.Len(t, result.Certificates, 2)
			for _, step := range result.Steps {
				if step.Name == "challenges" {
					require.Regexp(t, `^2 of 2 names|^none was needed`, step.Detail)
				}
			}
		})
	}
}
