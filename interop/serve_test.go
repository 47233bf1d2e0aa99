package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is the built acme-e2e.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "interop")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "acme-e2e")
		if runtime.GOOS == "windows" {
			program += ".exe"
		}
		build := exec.Command("go", "build", "-o", program, "./cmd/acme-e2e")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building acme-e2e: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// served is a running acme-e2e serve, as it says itself.
type served struct {
	Directory, CABundle, Roots, Management, DNS string
	HTTPPort, TLSPort                           int
	TSIGName, TSIGSecret, TSIGAlgorithm         string

	trust  *x509.CertPool // for the API
	issuer *x509.CertPool // of what it issues
}

// serve runs the program until the test ends.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	cmd := exec.Command(program, append([]string{"serve", "--any-ports", "--json", "--log-level", "warn", "--out", t.TempDir()}, args...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("acme-e2e serve:\n%s", log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err, "%s", log.String())
	s := &served{trust: x509.NewCertPool(), issuer: x509.NewCertPool()}
	require.NoError(t, json.Unmarshal(line, s))
	for pool, file := range map[*x509.CertPool]string{s.trust: s.CABundle, s.issuer: s.Roots} {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, pool.AppendCertsFromPEM(data))
	}
	return s
}

func (s *served) client(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.trust}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// verify wants a chain in PEM to be good for names.
func (s *served) verify(t *testing.T, chain []byte, names ...string) {
	t.Helper()
	var certs []*x509.Certificate
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		certs = append(certs, c)
	}
	require.NotEmpty(t, certs)
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	for _, name := range names {
		_, err := certs[0].Verify(x509.VerifyOptions{Roots: s.issuer, Intermediates: between, DNSName: name})
		require.NoError(t, err)
	}
}

// challenges are those that the orders of the CA were proved by.
func (s *served) challenges(t *testing.T) (types []string) {
	t.Helper()
	resp, err := http.Get(s.Management + "/api/authorizations?status=valid")
	require.NoError(t, err)
	defer resp.Body.Close()
	var list []struct {
		Challenges []struct{ Type, Status string }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&list))
	for _, z := range list {
		for _, c := range z.Challenges {
			if c.Status == "valid" {
				types = append(types, c.Type)
			}
		}
	}
	return types
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
