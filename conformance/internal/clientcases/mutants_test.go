package clientcases

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// switches are what makes the reference misbehave in just the way that a
// scenario is there to catch. Every scenario has at least one.
var switches = map[string]string{
	"rfc8555/5/utf-8":                       "not-utf8",
	"rfc8555/6.1/user-agent":                "no-user-agent",
	"rfc8555/6.1/user-agent-products":       "one-product",
	"rfc8555/6.1/accept-language":           "no-language",
	"rfc8555/6.1/base64url":                 "pads",
	"rfc8555/6.1/https-only":                "goes-anywhere",
	"rfc8555/6.1/redirect-to-http":          "goes-anywhere",
	"rfc8555/6.1/private-address":           "goes-anywhere",
	"rfc8555/6.1/redirect-loop":             "follows-for-ever",
	"rfc8555/6.1/tls-untrusted":             "trusts-anything",
	"rfc8555/6.1/tls-wrong-name":            "trusts-anything",
	"rfc8555/6.1/tls-expired":               "trusts-anything",
	"rfc8555/6.1/padded-token":              "any-token",
	"rfc8555/6.2/flattened-jws":             "several-signatures",
	"rfc8555/6.2/payload-attached":          "detaches",
	"rfc8555/6.2/no-unprotected-header":     "unprotected",
	"rfc8555/6.2/no-unencoded-payload":      "unencoded",
	"rfc8555/6.2/algorithm":                 "mac",
	"rfc8555/6.2/nonce-and-url":             "no-url",
	"rfc8555/6.2/jwk-or-kid":                "jwk-everywhere",
	"rfc8555/6.2/jwk-public":                "private-jwk",
	"rfc8555/6.2/content-type":              "plain-json",
	"rfc8555/6.2/signature":                 "other-key",
	"rfc8555/6.2/kid":                       "kid-from-body",
	"rfc8555/6.3/post-as-get":               "reads-by-get",
	"rfc8555/6.4/signed-redirect":           "follows-post",
	"rfc8555/6.4/url-exact":                 "lower-case-url",
	"rfc8555/6.5/bad-nonce":                 "gives-up-on-bad-nonce",
	"rfc8555/6.5/bad-nonce-forever":         "retries-for-ever",
	"rfc8555/6.5/used-once":                 "reuses-nonce",
	"rfc8555/6.5.1/invalid-replay-nonce":    "any-nonce",
	"rfc8555/6.5.1/no-replay-nonce-sent":    "sends-replay-nonce",
	"rfc8555/7.2/fetch":                     "needs-replay-nonce",
	"rfc8555/7.2/no-content":                "needs-200",
	"rfc8555/6.6/rate-limited":              "ignores-retry-after",
	"rfc8555/6.6/rate-limited-date":         "ignores-retry-after",
	"rfc8555/6.7/detail":                    "hides-errors",
	"rfc8555/6.7/unknown-type":              "hides-errors",
	"rfc8555/6.7/not-a-problem":             "no-retries leaves-lock",
	"rfc8555/6.7.1/subproblems":             "hides-errors",
	"rfc9457/3.1/odd-members":               "strict-problems",
	"rfc9457/3.1.1/no-type":                 "claims-success",
	"rfc8555/6.7/overloaded":                "ignores-retry-after",
	"rfc8555/6.7/outage":                    "hammers",
	"rfc8555/6.7/connection-reset":          "no-retries",
	"rfc8555/6.7/slow":                      "impatient",
	"rfc8555/6.7/stalled":                   "no-retries",
	"rfc8555/6.7/captive-portal":            "claims-success",
	"rfc8555/6.7/truncated":                 "no-retries",
	"rfc8555/6.7/endless-body":              "reads-everything",
	"rfc8555/7.1.1/directory":               "nonce-first",
	"rfc8555/7.1.1/no-meta":                 "needs-meta",
	"rfc8555/7.1.1/unknown-members":         "strict-json",
	"rfc8555/7.1.2.1/orders":                "one-page",
	"rfc8555/7.3/contact":                   "odd-contact",
	"rfc8555/7.3/terms-agreed":              "never-agrees",
	"rfc8555/7.3/terms-not-agreed":          "always-agrees",
	"rfc8555/7.3/account-kept":              "new-account-each-time",
	"rfc8555/7.3/new-account-lost":          "forgets-key",
	"rfc8555/7.3.1/existing":                "needs-201",
	"rfc8555/7.3.1/find":                    "find-creates",
	"rfc8555/7.3.2/update":                  "updates-nothing",
	"rfc8555/7.3.3/terms-changed":           "hides-errors",
	"rfc8555/7.3.4/binding":                 "eab-nonce",
	"rfc8555/7.3.5/key-change":              "inner-nonce",
	"rfc8555/7.3.5/refused":                 "switches-early",
	"rfc8555/7.3.5/lost":                    "does-not-ask",
	"rfc8555/7.3.6/deactivate":              "odd-deactivation",
	"rfc8555/11.1/fresh-key":                "built-in-key",
	"rfc8555/11.1/one-key-per-ca":           "shared-key",
	"rfc8555/11.1/csr-key":                  "account-key-in-csr",
	"rfc8555/8.1/key-types":                 "wrong-thumbprint",
	"rfc8555/7.4/issue":                     "half-a-pair",
	"rfc8555/7.4/new-order":                 "odd-identifiers",
	"rfc8555/7.4/csr":                       "extra-name",
	"rfc8555/7.4/processing":                "polls-fast",
	"rfc8555/7.4/processing-date":           "polls-fast",
	"rfc8555/7.4/order-not-ready":           "gives-up-on-not-ready",
	"rfc8555/7.4/finalize-without-location": "needs-location",
	"rfc8555/7.4/order-invalid":             "finalizes-again",
	"rfc8555/7.4/order-vanishes":            "leaves-lock",
	"rfc8555/7.4/ready-late":                "finalizes-early",
	"rfc8555/7.4/all-authorizations":        "one-authorization finalizes-early",
	"rfc8555/7.4/shuffled":                  "expects-order",
	"rfc8555/7.4/new-order-lost":            "no-retries",
	"rfc8555/7.4/finalize-lost":             "no-retries",
	"rfc8555/7.1.3/authorization-twice":     "expects-one-each",
	"rfc8555/7.1.3/ready-at-once":           "answers-valid",
	"rfc8555/7.1.3/partly-valid":            "answers-valid",
	"rfc8555/7.1.3/changed":                 "trusts-changes",
	"rfc8555/7.4.2/download":                "downloads-by-get",
	"rfc8555/7.4.2/alternate":               "first-chain",
	"rfc8555/7.4.2/alternates-fail":         "needs-alternates",
	"rfc8555/7.4.2/download-fails-once":     "no-retries",
	"rfc8555/7.4.2/download-cut-off":        "no-retries",
	"rfc8555/7.4.2/wrong-key":               "installs-anything",
	"rfc8555/7.4.2/wrong-names":             "installs-anything",
	"rfc8555/7.4.2/expired":                 "installs-anything",
	"rfc8555/7.4.2/broken-chain":            "installs-anything",
	"rfc8555/7.4.2/junk":                    "installs-anything",
	"rfc8555/9.1/line-ends":                 "needs-lf",
	"rfc8555/9.1/long-chain":                "two-certificates",
	"rfc8555/9.1/single":                    "needs-two",
	"rfc8555/11.4/other-blocks":             "installs-anything",
	"rfc8555/7.5.1/response":                "odd-response",
	"rfc8555/7.5.1/polling":                 "polls-fast polls-early",
	"rfc8555/7.5.1/no-early-polls":          "polls-early",
	"rfc8555/7.5.1/response-refused":        "leaves-response",
	"rfc8555/7.5.1/validation-fails":        "leaves-response",
	"rfc8555/8.2/retried-by-the-ca":         "removes-early",
	"rfc8555/8.2/ready-first":               "answers-first",
	"rfc8555/8/unknown-types":               "first-challenge",
	"rfc8555/8.3/other-tokens":              "echoes-tokens",
	"rfc8555/8.3/removed":                   "leaves-response",
	"rfc8555/7.4.1/pre-authorization":       "odd-pre-authorization",
	"rfc8555/7.5.2/deactivate":              "odd-deactivation",
	"rfc8555/8.4/record":                    "wrong-owner",
	"rfc8555/8.4/removed":                   "leaves-response",
	"rfc8555/8.4/wildcard-and-base":         "wrong-owner",
	"rfc8555/8.4/failed":                    "leaves-response",
	"rfc8555/7.6/revoke":                    "revokes-pem",
	"rfc8555/7.6/revoke-by-key":             "revokes-by-account",
	"rfc8555/7.6/already-revoked":           "hides-errors",
	"rfc8737/3/certificate":                 "not-critical",
	"rfc8737/3/response":                    "odd-response",
	"rfc8737/3/internationalized":           "no-letters",
	"rfc8737/4/other-names":                 "any-server-name",
	"rfc8737/4/ordinary-clients":            "shows-everybody",
	"rfc8555/7.1.4/internationalized":       "no-letters",
	"rfc8738/3/address":                     "address-as-name",
	"rfc8738/3/canonical":                   "address-as-written",
	"rfc8738/6/reverse-name":                "forward-name",
	"rfc9773/4.1/request":                   "padded-identifier",
	"rfc9773/4.3/after-issuance":            "no-early-look",
	"rfc9773/5/replaces":                    "no-replaces",
	"rfc9773/5/not-offered":                 "always-replaces",
	"rfc9773/5/refused":                     "insists-on-replaces",
	"rfc9773/4.2/past":                      "ignores-window",
	"rfc9773/4.2/future":                    "always-renews",
	"rfc9773/4.2/explanation":               "hides-explanation",
	"rfc9773/4.2/inverted":                  "any-window",
	"rfc9773/4.2/empty":                     "any-window",
	"rfc9773/4.3/expired":                   "asks-for-expired",
	"rfc9773/4.3/replaced":                  "asks-for-replaced",
	"rfc9773/4.2/failing-ca":                "removes-old",
	"rfc9773/4.2/failures-kept":             "no-memory",
	"rfc9773/6/skew":                        "always-renews",
	"rfc9773/4.3.3/not-found":               "no-fallback",
	"rfc9773/4.3.3/server-error":            "no-fallback",
	"rfc9773/4.3.3/garbage":                 "no-fallback",
	"rfc9773/4.3.3/no-window":               "no-fallback",
	"rfc9773/4.3.3/refused":                 "no-fallback",
	"rfc9773/4.2/in-window":                 "ignores-window",
	"rfc9773/4.2/random":                    "window-start",
	"rfc9773/4.2/backoff":                   "no-memory",
	"rfc9773/4.3.2/retry-after":             "ignores-interval",
	"rfc9773/4.3.2/lower-limit":             "no-limits",
	"rfc9773/4.3.2/upper-limit":             "no-limits",
	"rfc9773/4.3.3/temporary":               "asks-for-ever",
	"rfc9773/4.3.3/no-retry-after":          "asks-at-once",
	"rfc9773/4.3.3/retry-after-garbage":     "asks-at-once",
	"rfc9773/4.3.3/invalid-object":          "asks-at-once",
	"rfc9773/4.3.3/client-error":            "asks-at-once",
	"rfc9773/4.3.3/connection-refused":      "asks-at-once",
	"profiles/4/requested":                  "no-profile",
	"profiles/4/not-offered":                "any-profile",
	"profiles/4/refused":                    "hides-errors",
}

// atOnce is how many scenarios run at once: they mostly wait.
const atOnce = 12

// TestScenariosAcceptTheReferenceAndCatchItsSwitches runs every scenario twice:
// the reference passes, and with the scenario's switch on it does not.
func TestScenariosAcceptTheReferenceAndCatchItsSwitches(t *testing.T) {
	t.Parallel()
	for _, s := range All() {
		require.NotEmpty(t, switches[s.ID], "%s has no switch: nobody knows whether it catches anything", s.ID)
	}
	require.Len(t, switches, len(All()), "switches of scenarios that there are not")

	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for _, s := range All() {
		for _, wrong := range []string{"", switches[s.ID]} {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				if problem := tryReference(t, s, wrong); problem != "" {
					t.Error(problem)
				}
			})
		}
	}
	wg.Wait()
}

// tryReference says what is wrong with a scenario's verdict.
func tryReference(t *testing.T, s Scenario, wrong string) string {
	settings := Settings{Dir: t.TempDir(), Patience: 30 * time.Second}
	r := suite.Run(t.Context(), suite.Case{ID: s.ID, Title: s.Title, Requirements: s.Requirements, Timeout: s.Timeout,
		Run: func(st *suite.T) { s.judge(st, reference{wrong}.client(), settings) }}, 2*time.Minute)
	for _, f := range r.Findings {
		if f.Verdict != suite.Pass && !slices.Contains(s.Requirements, f.Requirement) {
			return fmt.Sprintf("%s: a finding about %s, which is not among its requirements", s.ID, f.Requirement)
		}
	}
	caught := r.Verdict == suite.Fail || r.Verdict == suite.Warn
	switch {
	case wrong == "" && r.Verdict != suite.Pass:
		return fmt.Sprintf("%s: %s without any switch\n%s", s.ID, r.Verdict, told(r))
	case wrong != "" && !caught:
		return fmt.Sprintf("%s: %s with the switch %q on\n%s", s.ID, r.Verdict, wrong, told(r))
	}
	return ""
}

// told is what a result says, for people.
func told(r suite.Result) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Reason)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %s: expected %s, but %s\n", f.Verdict, f.Requirement, f.Expected, f.Actual)
	}
	for _, line := range r.Log {
		fmt.Fprintln(&b, "  "+line)
	}
	for i, x := range r.Exchanges {
		fmt.Fprintf(&b, "  %d %s %s -> %d %s %s\n", i+1, x.Method, x.URL, x.Status, x.Error, x.Note)
	}
	return b.String()
}
