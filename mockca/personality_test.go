package mockca_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/internal/memnet"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// TestEachPersonalityIssuesAndRenews runs in bubbles: ZeroSSL takes its time.
func TestEachPersonalityIssuesAndRenews(t *testing.T) {
	for _, name := range append(mockca.Personalities(), "") {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, err := mockca.NewUnstarted(mockca.Options{Personality: name, Validation: off})
				require.NoError(t, err)
				defer ca.Close()
				l := memnet.Listen()
				require.NoError(t, ca.Serve(l))
				transport := ca.Client().Transport.(*http.Transport)
				transport.DialContext = l.Dial
				c, err := client.New(client.Config{DirectoryURL: ca.DirectoryURL(), Transport: transport})
				require.NoError(t, err)
				opts := client.AccountOptions{AgreeTerms: true, Contact: []string{"mailto:a@example.org"}}
				if ca.Policy().RequireEAB {
					kid, key := ca.NewEAB()
					opts.EAB = &client.ExternalAccountBinding{KeyID: kid, Key: key}
				}
				account, err := c.NewAccount(t.Context(), newKey(t), opts)
				require.NoError(t, err)
				ids, err := client.ParseIdentifiers("a.example.org", "*.a.example.org")
				require.NoError(t, err)
				request := client.Request{Identifiers: ids, Roots: ca.Issuers(), Solvers: []client.SolverFor{{Type: "dns-01", Solver: noSolver{}}}}
				began := time.Now()
				cert, err := account.Obtain(t.Context(), request)
				require.NoError(t, err)
				if policy := ca.Policy(); policy.AsyncFinalize {
					require.GreaterOrEqual(t, time.Since(began), policy.FinalizeDelay)
				}
				if !ca.Policy().NoRenewalInfo {
					request.Replaces, err = client.CertID(cert.Leaf)
					require.NoError(t, err)
				}
				_, err = account.Obtain(t.Context(), request)
				require.NoError(t, err)
				require.NoError(t, account.Revoke(t.Context(), cert.Chain[0], 4))
			})
		})
	}
}

func TestHabitsOfPersonalities(t *testing.T) {
	t.Parallel()
	_, err := mockca.PolicyOf("nobody")
	require.ErrorContains(t, err, "letsencrypt")
	_, err = mockca.NewUnstarted(mockca.Options{Personality: "nobody"})
	require.Error(t, err)

	of := func(name string) *raw {
		return newRaw(t, mockca.New(t, mockca.Options{Personality: name, Validation: off}))
	}
	le := of("letsencrypt")
	directory := read(le, le.ca.DirectoryURL()).object()
	require.NotContains(t, directory, "newAuthz")
	require.Contains(t, directory["meta"].(map[string]any)["profiles"], "shortlived")
	le.register()
	require.NotContains(t, le.want(http.StatusOK, le.kid, "").object(), "orders")
	ip := `{"identifiers":[{"type":"ip","value":"192.0.2.1"}]`
	require.Equal(t, "rejectedIdentifier", le.post(mockca.NewOrder, le.ca.URL(mockca.NewOrder), ip+`}`).problem())
	le.want(http.StatusCreated, le.ca.URL(mockca.NewOrder), ip+`,"profile":"shortlived"}`)
	require.Equal(t, "malformed", le.post(mockca.NewOrder, le.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example.org")+`,"notAfter":"2040-01-01T00:00:00Z"}`).problem())

	gts := of("gts")
	require.Equal(t, "externalAccountRequired", gts.post(mockca.NewAccount, gts.ca.URL(mockca.NewAccount), `{"termsOfServiceAgreed":true}`).problem())

	step := of("stepca")
	require.NotContains(t, read(step, step.ca.DirectoryURL()).object(), "meta")
	step.register()
	leaf, _ := step.issue("a.example.org")
	require.LessOrEqual(t, leaf.NotAfter.Sub(leaf.NotBefore), 24*time.Hour)
}

func TestAStickyFailureCanBeAnsweredAgain(t *testing.T) {
	t.Parallel()
	policy, err := mockca.PolicyOf("stepca")
	require.NoError(t, err)
	fail := true
	ca := mockca.New(t, mockca.Options{Policy: &policy, Validation: mockca.Validation{Script: func(_ context.Context, v mockca.ValidationRequest) *mockca.Problem {
		if fail {
			return &mockca.Problem{Type: "connection", Detail: "nobody there"}
		}
		return nil
	}}})
	c := newRaw(t, ca).register()
	c.order("a.example.org")
	url := ca.Authorizations()[0].Challenges[0].URL
	c.want(http.StatusOK, url, "{}")
	require.NoError(t, ca.Wait(t.Context()))
	r := c.want(http.StatusOK, url, "")
	require.Equal(t, "pending", r.text("status"))
	require.Contains(t, r.object(), "error")
	fail = false
	c.want(http.StatusOK, url, "{}")
	require.NoError(t, ca.Wait(t.Context()))
	require.Equal(t, "valid", c.want(http.StatusOK, url, "").text("status"))
}
