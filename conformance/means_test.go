package conformance_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance"
	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// means are ways to answer challenges where the ports belong to others: each
// sets up the CA's validation and the target, and says how to see that nothing
// was left behind.
var means = map[string]func(*testing.T, *mockca.Validation, *conformance.Target) (left func() []string){
	"webroot": func(t *testing.T, v *mockca.Validation, target *conformance.Target) func() []string {
		target.Webroot = t.TempDir()
		return serveFiles(t, v, target.Webroot)
	},
	"command": func(t *testing.T, v *mockca.Validation, target *conformance.Target) func() []string {
		if runtime.GOOS == "windows" {
			t.Skip("the command is a shell script")
		}
		root := t.TempDir()
		target.Command = filepath.Join(t.TempDir(), "answer")
		script := "#!/bin/sh\nset -e\nfile='" + root + "/.well-known/acme-challenge/'$4\n" +
			"test $2 = http-01\nmkdir -p \"$(dirname \"$file\")\"\n" +
			"case $1 in present) printf %s \"$5\" >\"$file\";; cleanup) rm \"$file\";; *) exit 1;; esac\n"
		require.NoError(t, os.WriteFile(target.Command, []byte(script), 0o755))
		return serveFiles(t, v, root)
	},
	"RFC 2136": func(t *testing.T, v *mockca.Validation, target *conformance.Target) func() []string {
		key := dnsserver.Key{Name: "key.example", Algorithm: "hmac-sha256", Secret: "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="}
		d := dnsserver.New(t, dnsserver.Options{Keys: []dnsserver.Key{key}})
		v.DNS = mockca.NewResolver(d.Addr())
		target.RFC2136 = &conformance.RFC2136{Server: d.Addr(), Zone: "conformance.test", KeyName: key.Name, KeySecret: key.Secret}
		return func() []string { return nil } // a name has no list of its records
	},
}

// serveFiles serves a directory where http-01 is looked for.
func serveFiles(t *testing.T, v *mockca.Validation, root string) (left func() []string) {
	server := httptest.NewServer(http.FileServer(http.Dir(root)))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	v.HTTPPort, err = strconv.Atoi(u.Port())
	require.NoError(t, err)
	return func() []string {
		files, err := filepath.Glob(filepath.Join(root, ".well-known", "acme-challenge", "*"))
		require.NoError(t, err)
		return files
	}
}

func TestAnswersCanBeHandedOn(t *testing.T) {
	t.Parallel()
	for name, prepare := range means {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := mockca.DefaultPolicy()
			p.PollRetryAfter = -1
			o := mockca.Options{Policy: &p}
			var target conformance.Target
			left := prepare(t, &o.Validation, &target)
			ca := mockca.New(t, o)
			target.DirectoryURL, target.RootCAs = ca.DirectoryURL(), ca.Pool()
			report, err := conformance.RunServer(t.Context(), target, conformance.Plan{Select: []string{"rfc8555/7.4.2", "rfc8555/7.6", "rfc8555/9.1"}}, conformance.Judgement{})
			require.NoError(t, err)
			for _, r := range report.Results {
				require.Equal(t, "pass", string(r.Verdict), "%s: %s %s", r.ID, r.Reason, r.Explain())
			}
			require.Empty(t, left())
		})
	}
}
