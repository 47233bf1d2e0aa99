package client_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// heard is what a CA noticed of the requests that reached it.
type heard struct {
	mu          sync.Mutex
	protocols   map[string]int
	connections map[string]int // by the client's address
	headers     []http.Header
}

func (h *heard) middleware(next http.Handler) http.Handler {
	h.protocols, h.connections = map[string]int{}, map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.protocols[r.Proto]++
		h.connections[r.RemoteAddr]++
		h.headers = append(h.headers, r.Header.Clone())
		h.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func TestOneConnectionCarriesAnIssuance(t *testing.T) {
	t.Parallel()
	var heard heard
	p := newPebble(t, pebbleharness.Options{Middleware: heard.middleware})
	_, err := p.account().Obtain(t.Context(), p.request("a.example", "b.example", "c.example", "d.example"))
	require.NoError(t, err)
	require.Len(t, heard.protocols, 1)
	require.NotZero(t, heard.protocols["HTTP/2.0"])
	require.Len(t, heard.connections, 1)
}

// RFC 8555, Section 6.1.
func TestEveryRequestSaysWhoAsksAndInWhichLanguages(t *testing.T) {
	t.Parallel()
	var heard heard
	p := newPebble(t, pebbleharness.Options{Middleware: heard.middleware})
	c := p.client(func(cfg *client.Config) { cfg.UserAgent, cfg.AcceptLanguage = "frontend/2.7", "de, en;q=0.5" })
	a, err := c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{AgreeTerms: true})
	require.NoError(t, err)
	cert, err := a.Obtain(t.Context(), p.request("a.example"))
	require.NoError(t, err)
	_, err = c.RenewalInfo(t.Context(), cert.Leaf)
	require.NoError(t, err)
	require.Greater(t, len(heard.headers), 8)
	for _, h := range heard.headers {
		require.Regexp(t, `^frontend/2\.7 acme-e2e-client/\S+`, h.Get("User-Agent"))
		require.Equal(t, "de, en;q=0.5", h.Get("Accept-Language"))
	}
}

func TestCAAtAnIPv6Address(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here: ", err)
	} else {
		require.NoError(t, l.Close())
	}
	p := startPebble(t, pebbleharness.Options{Address: "[::1]:0"})
	require.Contains(t, p.DirectoryURL(), "https://[::1]:")
	ids, err := client.ParseIdentifiers("a.example", "::1")
	require.NoError(t, err)
	solver := challenge.NewHTTP01(challenge.HTTP01Options{Address: fmt.Sprint(":", p.HTTPPort)})
	cert, err := p.account().Obtain(t.Context(), client.Request{Identifiers: ids, Solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: solver}}})
	require.NoError(t, err)
	require.True(t, cert.Leaf.IPAddresses[0].Equal(net.IPv6loopback))
}

// RFC 8555, Section 7.1.1, wants no common origin.
func TestDirectoryThatPointsToAnotherHost(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	resp, err := p.HTTPClient().Get(p.DirectoryURL())
	require.NoError(t, err)
	directory, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s reached the directory's host", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(directory)
	}))
	defer elsewhere.Close()
	pool := p.Pool().Clone()
	pool.AddCert(elsewhere.Certificate())
	a := p.account(func(cfg *client.Config) { cfg.DirectoryURL, cfg.RootCAs = elsewhere.URL+"/acme.json", pool })
	_, err = a.Obtain(t.Context(), p.request("a.example"))
	require.NoError(t, err)
}

// The proxy's variables are read once in a process's life, so it takes another
// process to set them.
const (
	proxiedDirectory = "ACME_E2E_TEST_PROXIED_DIRECTORY"
	proxiedRoot      = "ACME_E2E_TEST_PROXIED_ROOT"
)

func TestProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(proxiedDirectory); url != "" {
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM([]byte(os.Getenv(proxiedRoot))))
		c, err := client.New(client.Config{DirectoryURL: url, RootCAs: pool})
		require.NoError(t, err)
		_, err = c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{AgreeTerms: true})
		require.NoError(t, err)
		return
	}
	p := startPebble(t, pebbleharness.Options{})
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(p.DirectoryURL(), "https://"), "/dir"))
	require.NoError(t, err)
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host)
		mu.Unlock()
		tunnel(t, w, "127.0.0.1:"+port)
	}))
	defer proxy.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyOfTheEnvironment$", "-test.count=1")
	cmd.Env = append(os.Environ(), "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=",
		proxiedDirectory+"=https://pebble:"+port+"/dir", proxiedRoot+"="+string(p.RootPEM()))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, asked, "CONNECT pebble:"+port)
}

// tunnel connects the two sides of a CONNECT.
func tunnel(t *testing.T, w http.ResponseWriter, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer far.Close()
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer near.Close()
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
}

// A clock of the caller's that is wrong.
type skewed struct{ client.Clock }

func (skewed) Now() time.Time { return time.Now().Add(-time.Hour) }

func TestClocksThatDisagreeAreSaidOnce(t *testing.T) {
	t.Parallel()
	p := newPebble(t, pebbleharness.Options{})
	for _, clock := range []client.Clock{nil, skewed{}} {
		var log bytes.Buffer
		c := p.client(func(cfg *client.Config) { cfg.Logger, cfg.Clock = slog.New(slog.NewTextHandler(&log, nil)), clock })
		_, err := c.NewAccount(t.Context(), newKey(t, client.P256), client.AccountOptions{AgreeTerms: true})
		require.NoError(t, err)
		require.Equal(t, map[bool]int{true: 1, false: 0}[clock != nil], strings.Count(log.String(), "this machine's clock and the CA's disagree"), fmt.Sprint(&log))
	}
}
