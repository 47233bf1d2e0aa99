package client_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// pebble is a real CA in process, with the responder that it validates at.
type pebble struct {
	*pebbleharness.Harness
	t      testing.TB
	solver *responder

	mu     sync.Mutex
	counts map[string]int
}

// newPebble starts a Pebble that validates http-01 at p.solver.
func newPebble(t testing.TB, o pebbleharness.Options) *pebble {
	solver := newResponder(t)
	o.HTTPPort = solver.port
	p := startPebble(t, o)
	solver.dns = p.DNS
	p.solver = solver
	return p
}

// startPebble starts a Pebble at whose validation ports nobody listens.
func startPebble(t testing.TB, o pebbleharness.Options) *pebble {
	p := &pebble{t: t, counts: map[string]int{}}
	o.Profiles = map[string]pebbleharness.Profile{"default": {Description: "ninety days"}, "short": {Description: "six days", Validity: 6 * 24 * time.Hour}}
	disturb := o.Middleware
	o.Middleware = func(next http.Handler) http.Handler {
		if disturb != nil {
			next = disturb(next)
		}
		return p.counting(next)
	}
	p.Harness = pebbleharness.New(t, o)
	return p
}

func (p *pebble) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.counts[r.URL.Path]++
		p.counts[""]++
		p.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// requests is how many came since the last call.
func (p *pebble) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.counts[""]
	p.counts = map[string]int{}
	return n
}

// byEndpoint is the same, by the first element of the paths.
func (p *pebble) byEndpoint() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	by := map[string]int{}
	for path, n := range p.counts {
		if path != "" {
			by[strings.Split(path, "/")[1]] += n
		}
	}
	p.counts = map[string]int{}
	return by
}

func (p *pebble) client(change ...func(*client.Config)) *client.Client {
	cfg := client.Config{DirectoryURL: p.DirectoryURL(), RootCAs: p.Pool()}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.New(cfg)
	require.NoError(p.t, err)
	p.t.Cleanup(c.Close)
	return c
}

func (p *pebble) account(change ...func(*client.Config)) *client.Account {
	a, err := p.client(change...).NewAccount(p.t.Context(), newKey(p.t, client.P256), client.AccountOptions{AgreeTerms: true, Contact: []string{"admin@example.org"}})
	require.NoError(p.t, err)
	return a
}

func newKey(t testing.TB, kind client.KeyType) crypto.Signer {
	k, err := client.GenerateKey(kind)
	require.NoError(t, err)
	return k
}

func (p *pebble) request(names ...string) client.Request {
	ids, err := client.ParseIdentifiers(names...)
	require.NoError(p.t, err)
	return client.Request{Identifiers: ids, Solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: p.solver}}}
}

// root trusts the default chain alone.
func (p *pebble) root() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Chains()[0].Root)
	return pool
}

func (p *pebble) revoked(serial *big.Int) bool {
	status, ok := p.Status(serial)
	require.True(p.t, ok)
	return status.Revoked
}

// responder answers http-01 for every name there is, and dns-01 by way of the
// harness's DNS server.
type responder struct {
	port int
	dns  *pebbleharness.DNS

	mu     sync.Mutex
	tokens map[string]string
	txt    map[string]int // how many values a name has
	seen   map[string]chan struct{}
	broken bool // http-01 answers nonsense
}

func newResponder(t testing.TB) *responder {
	s := &responder{tokens: map[string]string{}, txt: map[string]int{}, seen: map[string]chan struct{}{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.port = srv.Listener.Addr().(*net.TCPAddr).Port
	return s
}

func (s *responder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	s.mu.Lock()
	answer, seen, broken := s.tokens[token], s.seen[token], s.broken
	s.mu.Unlock()
	if answer == "" || broken {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, answer)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-seen:
	default:
		close(seen)
	}
}

func (s *responder) Present(_ context.Context, list []challenge.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		if c.Type == challenge.DNS01 {
			sum := sha256.Sum256([]byte(c.KeyAuthorization))
			name := "_acme-challenge." + c.Identifier + "."
			s.txt[name]++
			s.dns.AddTXT(name, base64.RawURLEncoding.EncodeToString(sum[:]))
			continue
		}
		s.tokens[c.Token], s.seen[c.Token] = c.KeyAuthorization, make(chan struct{})
	}
	return nil
}

func (s *responder) CleanUp(_ context.Context, list []challenge.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		delete(s.tokens, c.Token)
		delete(s.seen, c.Token)
		if name := "_acme-challenge." + c.Identifier + "."; s.txt[name] > 0 {
			delete(s.txt, name)
			s.dns.Clear(name, pebbleharness.TXT)
		}
	}
	return nil
}

func (s *responder) Seen(c challenge.Challenge) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[c.Token]
}
