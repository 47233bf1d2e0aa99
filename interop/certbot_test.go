package interop_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// certbot runs Debian's certbot, with all its files in one directory.
func certbot(t *testing.T, s *served, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("certbot")
	if err != nil {
		t.Skip("certbot is not installed: apt-get install certbot python3-certbot-dns-rfc2136")
	}
	common := []string{"--non-interactive", "--agree-tos", "--register-unsafely-without-email", "--server", s.Directory, "--config-dir", dir + "/config",
		"--work-dir", dir + "/work", "--logs-dir", dir + "/logs", "--http-01-port", strconv.Itoa(s.HTTPPort), "--http-01-address", "127.0.0.1"}
	cmd := exec.CommandContext(patient(t), path, append(args, common...)...)
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+s.CABundle)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "requested dns-rfc2136 plugin does not appear to be installed") {
		t.Skip("certbot's plugin dns-rfc2136 is not installed: apt-get install python3-certbot-dns-rfc2136")
	}
	require.NoError(t, err, "certbot %s:\n%s", args, out)
}

func TestCertbot(t *testing.T) {
	t.Parallel()
	t.Run("http-01", func(t *testing.T) {
		t.Parallel()
		s, dir := serve(t), t.TempDir()
		certbot(t, s, dir, "certonly", "--standalone", "-d", "a.example", "-d", "b.example")
		live := filepath.Join(dir, "config", "live", "a.example")
		before, err := os.ReadFile(filepath.Join(live, "fullchain.pem"))
		require.NoError(t, err)
		s.verify(t, before, "a.example", "b.example")
		certbot(t, s, dir, "renew", "--force-renewal", "--no-random-sleep-on-renew")
		after, err := os.ReadFile(filepath.Join(live, "fullchain.pem"))
		require.NoError(t, err)
		require.NotEqual(t, before, after)
		require.Equal(t, []string{"http-01", "http-01"}, s.challenges(t))
		certbot(t, s, dir, "revoke", "--cert-path", filepath.Join(live, "cert.pem"), "--reason", "superseded")
		certbot(t, s, dir, "unregister")
	})
	t.Run("dns-01", func(t *testing.T) {
		t.Parallel()
		s, dir := serve(t, "--personality", "letsencrypt"), t.TempDir()
		host, port, err := net.SplitHostPort(s.DNS)
		require.NoError(t, err)
		credentials := filepath.Join(dir, "rfc2136.ini")
		require.NoError(t, os.WriteFile(credentials, fmt.Appendf(nil, "dns_rfc2136_server = %s\ndns_rfc2136_port = %s\ndns_rfc2136_name = %s.\ndns_rfc2136_secret = %s\ndns_rfc2136_algorithm = %s\n",
			host, port, s.TSIGName, s.TSIGSecret, strings.ToUpper(s.TSIGAlgorithm)), 0o600))
		certbot(t, s, dir, "certonly", "--dns-rfc2136", "--dns-rfc2136-credentials", credentials, "--dns-rfc2136-propagation-seconds", "0", "-d", "a.example", "-d", "*.a.example")
		chain, err := os.ReadFile(filepath.Join(dir, "config", "live", "a.example", "fullchain.pem"))
		require.NoError(t, err)
		s.verify(t, chain, "a.example", "www.a.example")
		require.Equal(t, []string{"dns-01", "dns-01"}, s.challenges(t))
	})
}
