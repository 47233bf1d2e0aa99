package mockca_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// catalogue is everything that a CA, the network or the clock can do to a
// client, by name.
const catalogue = `
refuse reset-before reset-after close-mid-body drip stall stall-body latency tls-untrusted tls-wrong-name tls-expired tls-alert
goaway h2-reset-stream redirect-get redirect-post redirect-loop redirect-http dns-fail

status-500 status-502 status-504 status-503 status-500-after rate-limited rate-limited-no-hint retry-after-date retry-after-past
retry-after-negative retry-after-huge retry-after-garbage empty-200 html-200 wrong-content-type problem-2xx status-mismatch
unknown-problem huge-headers huge-body gzip-bomb missing-location relative-location wrong-201 link-garbage

bad-nonce bad-nonce-forever bad-nonce-no-replay no-nonce nonce-invalid-chars nonce-repeated nonce-expired new-nonce-405
new-nonce-200-head new-nonce-no-header

json-truncated json-garbage json-trailing json-deep json-long-array json-big-number json-null json-wrong-type json-duplicate-keys
json-unknown-fields json-invalid-utf8 json-control-chars status-unknown times-garbage

directory-missing directory-not-acme directory-cross-origin directory-http directory-moved directory-meta-odd

account-exists account-gone account-deactivated account-revoked tos-changed eab-required eab-rejected contact-invalid
new-account-lost key-change-lost key-change-conflict bad-signature-algorithm

order-processing order-processing-forever order-ready-late order-not-ready order-invalid order-expired order-reused
order-valid-at-once order-no-certificate order-identifiers-reordered order-identifiers-lowercased order-identifiers-changed
order-authz-missing order-authz-duplicate order-authz-foreign order-url-changed order-paused new-order-lost finalize-lost bad-csr
caa rejected-identifier unsupported-identifier dns-problem connection-problem incorrect-response already-replaced
replaces-malformed replaces-unknown profile-unknown

authz-valid authz-invalid authz-expired authz-revoked authz-deactivated authz-no-challenge authz-unknown-types
authz-wrong-identifier authz-wildcard-flag challenge-token-missing challenge-token-short challenge-token-bad-chars
challenge-token-path-traversal challenge-processing challenge-slow challenge-invalid challenge-retry challenge-already-answered
validation-many validation-late dns-stale

cert-wrong-key cert-wrong-names cert-extra-name cert-missing-name cert-expired cert-not-yet-valid cert-backdated cert-short
chain-out-of-order chain-missing-intermediate chain-unrelated chain-with-root chain-single pem-garbage pem-text-before pem-crlf
pem-no-final-newline pem-der pem-private-key pem-crl-inside cert-500-then-ok cert-404-then-ok cert-wrong-content-type
alternate-loop alternate-404 alternate-garbage alternate-many cert-huge sct-missing must-staple-missing

already-revoked bad-revocation-reason revoke-unauthorized ari-past ari-future ari-inverted ari-zero ari-huge ari-moves
ari-explanation ari-404 ari-500 ari-429 ari-garbage ari-missing ari-retry-after-0 ari-retry-after-huge ari-retry-after-missing
clock-ahead clock-behind clock-jump revoked-while-held ca-down-for-days ca-gone
`

func TestCatalogueIsWhole(t *testing.T) {
	t.Parallel()
	var got []string
	for _, f := range mockca.Faults() {
		got = append(got, f.Name)
	}
	want := strings.Fields(catalogue)
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, got)
}

func TestFaultsAreDescribed(t *testing.T) {
	t.Parallel()
	sentence := regexp.MustCompile(`^[^ ].*[^. ]$`)
	for _, f := range mockca.Faults() {
		require.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, f.Name)
		require.Regexp(t, sentence, f.Doc, f.Name)
		require.Regexp(t, sentence, f.Duty, f.Name)
		require.NotEmpty(t, f.Group)
		require.NotRegexp(t, "[^ -~]", f.Params, "it is shown on terminals")
		for _, id := range f.Requirements {
			r, ok := conformance.RequirementByID(id)
			require.True(t, ok, "%s: there is no requirement %s", f.Name, id)
			require.True(t, r.Role.Includes("client"), "%s: %s is not for clients", f.Name, id)
		}
		for _, e := range f.Endpoints {
			require.Contains(t, mockca.Endpoints(), e, f.Name)
		}
		made, err := mockca.ParseFault(f.Name)
		require.NoError(t, err)
		require.Equal(t, f.Name, made.Name)
		require.Equal(t, f.Params == "", made.Params == "", "%s shows its parameters", f.Name)
		_, err = mockca.NewUnstarted(mockca.Options{Rules: []mockca.Rule{{Fault: made}}})
		require.NoError(t, err, f.Name)
		if made.Params != "" {
			again, err := mockca.ParseFault(made.String())
			require.NoError(t, err, f.Name)
			require.Equal(t, made.String(), again.String())
		}
	}
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // an error begins with "!"
		"reset-after": "reset-after", " bad-nonce:3 ": "bad-nonce:3", "bad-nonce": "bad-nonce:1",
		"status-503:30s": "status-503:30s", "status-503:x": "!not a duration", "status-503:-1s": "!not a duration",
		"directory-missing:newOrder": "directory-missing:newOrder", "directory-missing-newOrder": "directory-missing:newOrder",
		"directory-missing:x": "!not one of newNonce|newAccount", "redirect-get:307,localhost": "redirect-get:307,localhost", "redirect-get:300": "!not one of 301",
		"order-processing:3": "order-processing:3", "order-processing:1m": "order-processing:1m0s", "order-processing:x": "!neither",
		"refuse:1": "!takes no parameters", "refuse:": "!nothing follows", "bad-nonces": "!there is no fault \"bad-nonces\"; there are bad-nonce",
		"": "!there is no fault", "unknown-problem:urn:x:y": "unknown-problem:urn:x:y", "huge-body:-1": "!not a number",
		"order-invalid:silent": "order-invalid:silent", "order-invalid:loud": "!not one of error|subproblems|silent",
	} {
		f, err := mockca.ParseFault(text)
		if wrong, ok := strings.CutPrefix(want, "!"); ok {
			require.ErrorContains(t, err, wrong, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, f.String())
	}
}
