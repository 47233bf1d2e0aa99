package interop_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDehydrated has a shell script get a certificate by a webroot.
func TestDehydrated(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("dehydrated")
	if err != nil {
		t.Skip("dehydrated is not installed: apt-get install dehydrated")
	}
	s, dir := serve(t), t.TempDir()
	challenges := filepath.Join(dir, "www", ".well-known", "acme-challenge")
	require.NoError(t, os.MkdirAll(challenges, 0o755))
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.HTTPPort)))
	require.NoError(t, err)
	web := &http.Server{Handler: http.FileServer(http.Dir(filepath.Join(dir, "www"))), ReadHeaderTimeout: time.Minute}
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() { _ = web.Close() })
	config := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "CA=%s\nCHALLENGETYPE=http-01\nWELLKNOWN=%s\nBASEDIR=%s\nCURL_OPTS=\"--cacert %s\"\n",
		s.Directory, challenges, dir, s.CABundle), 0o600))
	for _, args := range [][]string{{"--register", "--accept-terms"}, {"--cron", "--domain", "a.example www.a.example"}} {
		out, err := exec.CommandContext(patient(t), path, append([]string{"--config", config}, args...)...).CombinedOutput()
		require.NoError(t, err, "dehydrated %s:\n%s", args, out)
	}
	chain, err := os.ReadFile(filepath.Join(dir, "certs", "a.example", "fullchain.pem"))
	require.NoError(t, err)
	s.verify(t, chain, "a.example", "www.a.example")
}

// TestCaddy has a web server get its certificate, and serve it. Debian's is
// built with a Go that reads certificates more narrowly than today's.
func TestCaddy(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("caddy is not installed: apt-get install caddy")
	}
	for typ, other := range map[string]string{"http-01": "disable_tlsalpn_challenge", "tls-alpn-01": "disable_http_challenge"} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			s, dir := serve(t), t.TempDir()
			config := filepath.Join(dir, "Caddyfile")
			require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `{
	storage file_system %s
	admin off
	http_port %d
	https_port %d
}
a.example {
	tls {
		issuer acme {
			dir %s
			trusted_roots %s
			%s
		}
	}
	respond "hello"
}
`, dir, s.HTTPPort, s.TLSPort, s.Directory, s.CABundle, other), 0o600))
			ctx, cancel := context.WithCancel(patient(t))
			cmd := exec.CommandContext(ctx, path, "run", "--config", config, "--adapter", "caddyfile")
			cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			var log bytes.Buffer
			cmd.Stderr = &log
			require.NoError(t, cmd.Start())
			t.Cleanup(func() {
				cancel()
				_ = cmd.Wait() // it was killed
				if t.Failed() {
					t.Logf("caddy:\n%s", log.String())
				}
			})
			dialer := &tls.Dialer{Config: &tls.Config{RootCAs: s.issuer, ServerName: "a.example"}}
			require.Eventually(t, func() bool {
				c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.TLSPort)))
				if err != nil {
					return false
				}
				return c.Close() == nil
			}, time.Minute, 100*time.Millisecond, "it serves a certificate that verifies")
			require.Equal(t, []string{typ}, s.challenges(t))
		})
	}
}
