//go:build unix

package manager_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/client/storage"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// The kill test: a process that provisions is killed, by SIGKILL from within, at
// each request to the CA (before it is sent, and after it was answered), at each
// change of a file and at each event, one after the other.

// life is what a killed process is told, by the variable lifeVariable.
type life struct {
	Config manager.Config
	Port   int
	Root   string // PEM
	KillAt int    // number of the point; 0 is none
}

const lifeVariable = "ACME_E2E_TEST_LIFE"

func TestMain(m *testing.M) {
	if told := os.Getenv(lifeVariable); told != "" {
		os.Exit(live(told))
	}
	// A SIGHUP that a test sends may come after its handler is gone.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(m.Run())
}

// points counts the points of a process's life, says each on standard output,
// and kills the process at one of them.
type points struct {
	n, killAt atomic.Int64
}

func (p *points) at(format string, args ...any) {
	n := p.n.Add(1)
	fmt.Fprintf(os.Stdout, "%d %s\n", n, fmt.Sprintf(format, args...))
	if n == p.killAt.Load() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

type pointTransport struct {
	p    *points
	next http.RoundTripper
}

func (t pointTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")[0]
	t.p.at("before %s %s", r.Method, path)
	res, err := t.next.RoundTrip(r)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(body))
		t.p.at("after %s %s: %d", r.Method, path, res.StatusCode)
	}
	return res, err
}

// live is the life of a process that is to be killed.
func live(told string) int {
	var l life
	if err := json.Unmarshal([]byte(told), &l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	p := &points{}
	p.killAt.Store(int64(l.KillAt))
	m, err := l.manager(p)
	if err == nil {
		err = m.ProvisionIfNeeded(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (l life) manager(p *points) (*manager.Manager, error) {
	store, err := storage.NewFile(storage.FileOptions{CertPath: l.Config.CertPath, KeyPath: l.Config.KeyPath, AccountKeyPath: l.Config.AccountKeyPath,
		Trace: func(step, path string) { p.at("%s %s", step, filepath.Base(path)) }})
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(l.Root))
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig.RootCAs = roots
	return manager.New(l.Config, manager.Options{Store: store, Transport: pointTransport{p, tr}, NoSignals: true,
		HTTP01:   challenge.HTTP01Options{Address: fmt.Sprintf("127.0.0.1:%d", l.Port)},
		Hooks:    []manager.Hook{func(context.Context, manager.Issued) error { p.at("hook"); return nil }},
		Observer: func(e manager.Event) { p.at("event %s", e.Kind) }})
}

// witness stands in front of the CA and writes down the keys it was asked to
// certify.
type witness struct {
	mu     sync.Mutex
	keys   [][]byte // PKIX
	orders int
}

func (w *witness) wrap(ca http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client died while it sent this
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.note(r.URL.Path, body)
		ca.ServeHTTP(rw, r)
	})
}

func (w *witness) note(path string, body []byte) {
	var jws struct{ Payload string }
	var payload struct{ CSR string }
	_ = json.Unmarshal(body, &jws) // only signed requests have one
	if data, err := base64.RawURLEncoding.DecodeString(jws.Payload); err == nil {
		_ = json.Unmarshal(data, &payload)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.HasPrefix(path, "/order-plz") {
		w.orders++
	}
	der, err := base64.RawURLEncoding.DecodeString(payload.CSR)
	if csr, parseErr := x509.ParseCertificateRequest(der); err == nil && parseErr == nil {
		if spki, err := x509.MarshalPKIXPublicKey(csr.PublicKey); err == nil {
			w.keys = append(w.keys, spki)
		}
	}
}

func (w *witness) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys, w.orders = nil, 0
}

// certified are the different keys that CSRs came for.
func (w *witness) certified() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	set := map[string]bool{}
	for _, k := range w.keys {
		set[string(k)] = true
	}
	return set
}

// keysOnDisk are the public halves of all private keys in and below dir.
func keysOnDisk(t testing.TB, dir string) map[string]bool {
	set := map[string]bool{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var pending client.Pending
		if json.Unmarshal(data, &pending) == nil && pending.Key != "" {
			data = []byte(pending.Key)
		}
		for rest := data; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				return nil
			}
			if key, err := client.ParseKey(pem.EncodeToMemory(block)); err == nil {
				spki, err := x509.MarshalPKIXPublicKey(key.Public())
				require.NoError(t, err)
				set[string(spki)] = true
			}
		}
	}))
	return set
}

// killTest is one CA and what is told to processes that are killed before it.
type killTest struct {
	ca      *pebbleharness.Harness
	witness *witness
	renewal bool // there is a certificate, and the CA suggests to renew it
}

// run kills a process at point n and returns the name of the point; ok is false
// when the process ended before.
func (k *killTest) run(t *testing.T, n int) (point string, ok bool) {
	dir := t.TempDir()
	cfg := configIn(dir, k.ca, "a.example", "b.example")
	var old []byte
	if k.renewal {
		m := newManager(t, cfg, optionsFor(k.ca, nil))
		require.NoError(t, m.ProvisionIfNeeded(t.Context()))
		old = m.Certificate().Leaf.Raw
		require.NoError(t, k.ca.SetRenewalInfo(m.Certificate().Leaf, pebbleharness.RenewalInfo{Start: time.Now().Add(-2 * time.Hour), End: time.Now().Add(-time.Hour)}))
		require.NoError(t, os.Remove(filepath.Join(cfg.CertPath+".acme", storage.Renewal)), "so that the CA is asked again")
	}
	k.witness.reset()

	said, killed := k.child(t, life{Config: cfg, Port: k.ca.HTTPPort, Root: string(k.ca.RootPEM()), KillAt: n})
	lines := strings.Split(strings.TrimSpace(said), "\n")
	point = lines[len(lines)-1]

	// what the process left: every key that the CA may have certified, and for
	// readers one whole pair, if there was one before
	onDiskNow := keysOnDisk(t, dir)
	for key := range k.witness.certified() {
		require.True(t, onDiskNow[key], "killed at %s: a key that was sent to be certified is not on disk", point)
	}
	reader := newManager(t, cfg, optionsFor(k.ca, nil))
	if k.renewal {
		require.NotNil(t, reader.Certificate(), "killed at %s: no whole pair", point)
	}

	// a restart ends with a whole pair, by the same order where there was one
	told := strings.Contains(said, " hook\n")
	o := optionsFor(k.ca, nil)
	o.Hooks = []manager.Hook{func(context.Context, manager.Issued) error { told = true; return nil }}
	m := newManager(t, cfg, o)
	require.NoError(t, m.ProvisionIfNeeded(t.Context()), "killed at %s", point)
	require.True(t, told, "killed at %s: nobody was told of the new certificate", point)
	pair := onDisk(t, cfg)
	require.Equal(t, pair.Certificate, m.Certificate().Certificate)
	require.NotEqual(t, old, pair.Certificate[0])
	for _, name := range leftovers(t, cfg) { // what is written without the lock is swept an hour later
		file, _, _ := strings.Cut(name, ".tmp-")
		require.Contains(t, []string{".acme_account.key", ".renewal", ".accounts"}, file, "killed at %s: %s is left", point, name)
	}
	certified := k.witness.certified()
	require.Len(t, certified, 1, "killed at %s: one certificate was wanted, and one is what the CA was asked for", point)
	for key := range certified {
		require.True(t, keysOnDisk(t, dir)[key])
	}
	// between the answer to a challenge and the CA's look at it, nobody was there
	// to respond: then the CA has declared the order invalid
	failedAtCA := strings.Contains(said, "before POST chalZ") && !strings.Contains(said, "event finalizing\n")
	if strings.Contains(said, "event order\n") && !failedAtCA {
		require.Equal(t, 1, k.witness.orders, "killed at %s: the order that was kept is gone on with", point)
	}
	require.LessOrEqual(t, k.witness.orders, 2, "killed at %s", point)
	return point, killed
}

// child runs a process until it ends or is killed.
func (k *killTest) child(t *testing.T, l life) (said string, killed bool) {
	told, err := json.Marshal(l)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), lifeVariable+"="+string(told))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		return string(out), false
	}
	exit, ok := err.(*exec.ExitError)
	require.True(t, ok, "%v", err)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%v: %s", err, stderr.String())
	return string(out), true
}

func testKills(t *testing.T, renewal bool, least int) {
	const workers = 2
	var next, reached atomic.Int64
	var mu sync.Mutex
	names := map[int]string{}
	next.Store(rand.Int64N(killEvery))
	for w := range workers {
		t.Run(fmt.Sprint("worker ", w), func(t *testing.T) {
			t.Parallel()
			watching := &witness{}
			k := &killTest{witness: watching, renewal: renewal, ca: pebbleharness.New(t, pebbleharness.Options{Middleware: watching.wrap})}
			for {
				n := int(next.Add(killEvery))
				point, killed := k.run(t, n)
				if !killed {
					return
				}
				reached.Add(1)
				mu.Lock()
				names[n] = point
				mu.Unlock()
			}
		})
	}
	t.Cleanup(func() {
		if n := int(reached.Load()); !t.Failed() && n < least/killEvery {
			t.Errorf("killed at %d points only: %v", n, names)
		}
		t.Logf("killed at %d points", reached.Load())
		for _, n := range slices.Sorted(maps.Keys(names)) {
			t.Log(names[n])
		}
	})
}

func TestKilledAtEachStepOfTheFirstCertificate(t *testing.T) { testKills(t, false, 60) }

func TestKilledAtEachStepOfARenewal(t *testing.T) { testKills(t, true, 60) }
