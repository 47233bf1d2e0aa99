package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"github.com/acme-e2e/acme-e2e/client"
)

func TestServeScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/serve", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = taken.Close() })
			env.Setenv("TAKEN", fmt.Sprint(taken.Addr().(*net.TCPAddr).Port))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits}})
}

// process is a running acme-e2e serve.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ready serveReady
	log   lockedBuffer
	http  *http.Client
	ended chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServe runs the command until it is ready.
func startServe(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("acme-e2e", append([]string{"serve", "--json", "--any-ports"}, args...)...), ended: make(chan struct{})}
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { p.kill() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err, "%s", p.log.String())
	require.NoError(t, json.Unmarshal(line, &p.ready), "%s", line)
	go func() {
		_ = p.cmd.Wait() // asked for by stop
		close(p.ended)
	}()
	resp, err := http.Get(strings.Replace(p.ready.Management, "ca.localhost", "127.0.0.1", 1) + "/api/ca-bundle.pem")
	require.NoError(t, err)
	defer resp.Body.Close()
	bundle, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	p.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusting(bundle)}}}
	t.Cleanup(p.http.CloseIdleConnections)
	return p
}

func trusting(bundle []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	return pool
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // has ended already
	<-p.ended
}

// stop asks it to end, and returns its exit code.
func (p *process) stop() int {
	if runtime.GOOS == "windows" {
		p.t.Skip("there is no SIGTERM on Windows")
	}
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.t.Fatalf("it does not stop:\n%s", p.log.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// ports are flags by which another process gets the same addresses.
func (p *process) ports() []string {
	port := func(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }
	return []string{"--acme-port", strings.TrimSuffix(port(p.ready.Directory), "/dir"), "--management-port", port(p.ready.Management),
		"--challtestsrv-port", port(p.ready.Challtestsrv), "--dns-port", port(p.ready.DNS)}
}

func (p *process) client(t *testing.T) *acme.Client {
	key, err := client.GenerateKey(client.P256)
	require.NoError(t, err)
	return &acme.Client{Key: key, HTTPClient: p.http, DirectoryURL: p.ready.Directory}
}

// issued is what a client was told.
type issued struct {
	acme    *acme.Client
	account string
	orders  map[string]string // by URL: the status last seen
	certs   map[string][]byte // by the order's URL
	urls    map[string]string // of certificates
}

// issue goes on ordering until something fails.
func (i *issued) issue(ctx context.Context, name string) {
	a, err := i.acme.Register(ctx, &acme.Account{}, acme.AcceptTOS)
	if err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return
	}
	if err == nil {
		i.account = a.URI
	}
	for n := 0; ; n++ {
		o, err := i.acme.AuthorizeOrder(ctx, acme.DomainIDs(fmt.Sprintf("n%d.%s", n, name)))
		if err != nil {
			return
		}
		i.orders[o.URI] = o.Status
		if i.finish(ctx, o.URI) != nil {
			return
		}
	}
}

// finish takes an order to its end.
func (i *issued) finish(ctx context.Context, url string) error {
	o, err := i.acme.GetOrder(ctx, url)
	if err != nil {
		return err
	}
	i.orders[url] = o.Status
	if o.Status == acme.StatusPending {
		z, err := i.acme.GetAuthorization(ctx, o.AuthzURLs[0])
		if err != nil {
			return err
		}
		if _, err := i.acme.Accept(ctx, z.Challenges[0]); err != nil && z.Status == acme.StatusPending {
			return err
		}
		if o, err = i.acme.WaitOrder(ctx, url); err != nil {
			return err
		}
		i.orders[url] = o.Status
	}
	if o.Status == acme.StatusReady {
		key, err := client.GenerateKey(client.P256)
		if err != nil {
			return err
		}
		csr, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{DNSNames: []string{o.Identifiers[0].Value}}, key)
		if err != nil {
			return err
		}
		_, at, err := i.acme.CreateOrderCert(ctx, o.FinalizeURL, csr, false)
		if err != nil {
			return err
		}
		i.orders[url], i.urls[url] = acme.StatusValid, at
	}
	if o, err = i.acme.WaitOrder(ctx, url); err != nil {
		return err
	}
	i.orders[url] = o.Status
	chain, err := i.acme.FetchCert(ctx, o.CertURL, false)
	if err != nil {
		return err
	}
	i.certs[url], i.urls[url] = chain[0], o.CertURL
	return nil
}

// TestServeSurvivesKills ends the process while clients are at work, again and
// again: whatever it had answered is there the next time.
func TestServeSurvivesKills(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	args := []string{"--state", state, "--keep-objects", "--validation", "off", "--log-level", "warn"}
	p := startServe(t, args...)
	args = append(args, p.ports()...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all := make([]*issued, 4)
	for n := range all {
		all[n] = &issued{acme: p.client(t), orders: map[string]string{}, certs: map[string][]byte{}, urls: map[string]string{}}
	}
	roots := p.management(t, "/api/roots.pem")
	for round := range 4 {
		var working sync.WaitGroup
		for n, i := range all {
			i.acme.HTTPClient, i.acme.RetryBackoff = p.http, func(int, *http.Request, *http.Response) time.Duration { return -1 }
			working.Go(func() { i.issue(ctx, fmt.Sprintf("c%d-%d.example", round, n)) })
		}
		for seen := 20 + 37*round; p.exchanges(t) < seen; { // somewhere in the middle of something
			require.NoError(t, ctx.Err())
		}
		p.kill()
		working.Wait()
		require.NoError(t, ctx.Err(), "the kill ends the clients' work")

		p = startServe(t, args...)
		require.Equal(t, roots, p.management(t, "/api/roots.pem"))
		for _, i := range all {
			fresh := &issued{acme: &acme.Client{Key: i.acme.Key, HTTPClient: p.http, DirectoryURL: p.ready.Directory}, orders: i.orders, certs: map[string][]byte{}, urls: map[string]string{}}
			if i.account == "" {
				continue
			}
			a, err := fresh.acme.GetReg(ctx, "")
			require.NoError(t, err, "an account that was answered")
			require.Equal(t, i.account, a.URI)
			for url, status := range i.orders {
				o, err := fresh.acme.GetOrder(ctx, url)
				require.NoError(t, err, "an order that was answered")
				require.False(t, status == acme.StatusValid && o.Status != acme.StatusValid, "%s was valid and is %s", url, o.Status)
				require.NoError(t, fresh.finish(ctx, url), "every order comes to its end")
				require.Equal(t, acme.StatusValid, fresh.orders[url])
				if cert := i.certs[url]; cert != nil {
					require.Equal(t, cert, fresh.certs[url], "the certificate that was answered")
				}
			}
		}
	}
	finished := 0
	for _, i := range all {
		finished += len(i.certs)
	}
	require.NotZero(t, finished)
	require.Zero(t, p.stop())
}

// management reads a path of the management.
func (p *process) management(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get(p.ready.Management + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", data)
	return string(data)
}

func (p *process) exchanges(t *testing.T) int {
	var status struct{ Exchanges int }
	require.NoError(t, json.Unmarshal([]byte(p.management(t, "/api/status")), &status))
	return status.Exchanges
}

func TestServeWritesWhatClientsNeed(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "with space", "ca")
	p := startServe(t, "--out", out, "--validation", "off", "--personality", "gts", "--tsig", "k.example:c2VjcmV0", "--fault", "bad-nonce", "--alternate-roots", "1")
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	var stdout bytes.Buffer
	cmd := exec.Command(sh, "-ec", `. "$0/env"; echo "$DIRECTORY|$CA_BUNDLE|$ROOTS|$HTTP_PORT|$TLS_PORT|$DNS|$MANAGEMENT|$TSIG_NAME|$TSIG_SECRET|$EAB_KID|$EAB_HMAC_KEY"`, out)
	cmd.Stdout = &stdout
	require.NoError(t, cmd.Run())
	r := p.ready
	require.Equal(t, fmt.Sprintf("%s|%s|%s|%d|%d|%s|%s|k.example|c2VjcmV0|%s|%s\n", r.Directory, filepath.Join(out, "ca-bundle.pem"), filepath.Join(out, "roots.pem"),
		r.HTTPPort, r.TLSPort, r.DNS, r.Management, r.EABKeyID, r.EABKey), stdout.String())
	require.NotEmpty(t, r.EABKeyID, "this personality wants bindings")
	roots, err := os.ReadFile(r.Roots)
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(roots, []byte("BEGIN CERTIFICATE")))
	bundle, err := os.ReadFile(r.CABundle)
	require.NoError(t, err)
	reader := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: trusting(bundle)}}}
	defer reader.CloseIdleConnections()
	for _, url := range []string{r.Directory, strings.Replace(r.Directory, "127.0.0.1", "localhost", 1), strings.Replace(r.Management, "http:", "https:", 1) + "/roots/0", r.Challtestsrv + "/api/status"} {
		resp, err := reader.Get(url)
		require.NoError(t, err, url)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, url)
		require.Equal(t, strings.HasPrefix(url, "https:"), resp.ProtoMajor == 2, "%s is served by %s", url, resp.Proto)
	}
	require.Contains(t, p.management(t, "/api/rules"), `"fault": "bad-nonce:1"`)
	require.Zero(t, p.stop(), p.log.String())
	for line := range strings.Lines(p.log.String()) {
		require.True(t, json.Valid([]byte(line)), "%s", line)
	}
}

// TestServeStopsWhileItIsUsed: streams that never end by themselves do then, and
// requests that are under way are answered.
func TestServeStopsWhileItIsUsed(t *testing.T) {
	t.Parallel()
	p := startServe(t, "--fault", "latency:300ms")
	stream, err := http.Get(p.ready.Management + "/api/events")
	require.NoError(t, err)
	defer stream.Body.Close()
	answered := make(chan error, 1)
	go func() {
		resp, err := p.http.Get(p.ready.Directory)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			err = errors.Join(err, resp.Body.Close())
		}
		answered <- err
	}()
	for p.exchanges(t) == 0 { // until the request is there
		require.NoError(t, t.Context().Err())
	}
	require.Zero(t, p.stop(), p.log.String())
	require.NoError(t, <-answered)
	_, err = io.ReadAll(stream.Body)
	require.NoError(t, err)
}

func TestServeAsPebble(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "pebble.json")
	require.NoError(t, os.WriteFile(config, []byte(`{"pebble": {
	"listenAddress": "0.0.0.0:0", "managementListenAddress": "0.0.0.0:0", "httpPort": 0, "ocspResponderURL": "",
	"externalAccountBindingRequired": true, "externalAccountMACKeys": {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"},
	"domainBlocklist": ["blocked.example"], "keyAlgorithm": "rsa", "retryAfter": {"authz": 1, "order": 2},
	"profiles": {"default": {"description": "usual", "validityPeriod": 7776000}, "brief": {"description": "brief", "validityPeriod": 3600}}
}}`), 0o600))
	p := startServe(t, "--pebble-config", config, "--validation", "off")
	c := p.client(t)
	_, err := c.Register(t.Context(), &acme.Account{}, acme.AcceptTOS)
	require.ErrorContains(t, err, "externalAccountRequired")
	key, err := client.ParseEABKey("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
	require.NoError(t, err)
	_, err = c.Register(t.Context(), &acme.Account{ExternalAccountBinding: &acme.ExternalAccountBinding{KID: "kid-1", Key: key}}, acme.AcceptTOS)
	require.NoError(t, err)
	_, err = c.AuthorizeOrder(t.Context(), acme.DomainIDs("a.blocked.example"))
	require.ErrorContains(t, err, "rejectedIdentifier")
	block, _ := pem.Decode([]byte(p.management(t, "/roots/0")))
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.Equal(t, x509.RSA, root.PublicKeyAlgorithm)
	directory, err := p.http.Get(p.ready.Directory)
	require.NoError(t, err)
	defer directory.Body.Close()
	text, err := io.ReadAll(directory.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `"brief":"brief"`)
	require.Contains(t, string(text), "/sign-me-up")
}

func TestServeExposed(t *testing.T) {
	t.Parallel()
	p := startServe(t, "--listen", "0.0.0.0", "--expose", "--host", "ca.localhost")
	require.NotEmpty(t, p.ready.Token)
	require.Contains(t, p.ready.Directory, "https://ca.localhost:")
	base := strings.Replace(p.ready.Management, "ca.localhost", "127.0.0.1", 1)
	resp, err := http.Get(base + "/api/status")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	resp, err = http.Get(base + "/api/status?token=" + p.ready.Token)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
