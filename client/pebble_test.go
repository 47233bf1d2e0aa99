package client_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
)

// pebble is a real CA in process, with the responder that it validates at.
type pebble struct {
	t      testing.TB
	srv    *httptest.Server
	admin  *httptest.Server
	solver *responder
	wrap   func(http.Handler) http.Handler
	front  http.Handler

	mu     sync.Mutex
	counts map[string]int
}

type pebbleOptions struct {
	nonceReject, authzReuse, alternates, perPage string
	eab                                          map[string]string
	retryAuthz, retryOrder                       int
	httpPort, tlsPort                            int // where Pebble validates; 0 is the responder's
	wrap                                         func(http.Handler) http.Handler
}

var pebbleEnv sync.Mutex // Pebble reads its options from the environment while it is made

func newPebble(t testing.TB, o pebbleOptions) *pebble {
	p := &pebble{t: t, counts: map[string]int{}, solver: newResponder(t), wrap: o.wrap}
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	for id, key := range o.eab {
		require.NoError(t, store.AddExternalAccountKeyByID(id, key))
	}
	or := func(s, d string) string {
		if s == "" {
			return d
		}
		return s
	}
	pebbleEnv.Lock()
	defer pebbleEnv.Unlock() // after the variables are as they were
	for k, v := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": or(o.nonceReject, "0"),
		"PEBBLE_AUTHZREUSE": or(o.authzReuse, "0"), "PEBBLE_WFE_ORDERS_PER_PAGE": or(o.perPage, "3")} {
		old, had := os.LookupEnv(k)
		require.NoError(t, os.Setenv(k, v))
		defer func() {
			if !had {
				_ = os.Unsetenv(k)
			} else {
				_ = os.Setenv(k, old)
			}
		}()
	}
	alternates := 0
	if o.alternates != "" {
		alternates = 2
	}
	issuer := ca.New(quiet, store, "", "ecdsa", alternates, 1, map[string]ca.Profile{"default": {Description: "ninety days"}, "short": {Description: "six days", ValidityPeriod: 6 * 86400}})
	httpPort, tlsPort := o.httpPort, o.tlsPort
	if httpPort == 0 {
		httpPort = p.solver.port
	}
	if tlsPort == 0 {
		tlsPort = p.solver.port
	}
	validator := va.New(quiet, httpPort, tlsPort, false, p.solver.dnsAddr, store)
	front := wfe.New(quiet, store, validator, issuer, []string{"pebble.example"}, true, len(o.eab) > 0, o.retryAuthz, o.retryOrder)
	p.front = front.Handler()
	if p.wrap != nil {
		p.front = p.wrap(p.front)
	}
	p.srv = httptest.NewUnstartedServer(p)
	p.srv.EnableHTTP2 = true
	p.srv.Config.ErrorLog = quiet
	p.srv.StartTLS()
	t.Cleanup(p.srv.Close)
	p.admin = httptest.NewServer(front.ManagementHandler())
	t.Cleanup(p.admin.Close)
	return p
}

func (p *pebble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.counts[r.URL.Path]++
	p.counts[""]++
	p.mu.Unlock()
	p.front.ServeHTTP(w, r)
}

// requests is how many came since the last call.
func (p *pebble) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.counts[""]
	p.counts = map[string]int{}
	return n
}

func (p *pebble) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.srv.Certificate())
	return pool
}

func (p *pebble) client(change ...func(*client.Config)) *client.Client {
	cfg := client.Config{DirectoryURL: p.srv.URL + "/dir", RootCAs: p.pool()}
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

// roots are the CA's issuing roots.
func (p *pebble) roots(n string) *x509.CertPool {
	resp, err := http.Get(p.admin.URL + "/roots/" + n)
	require.NoError(p.t, err)
	defer func() { _ = resp.Body.Close() }()
	pem, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	pool := x509.NewCertPool()
	require.True(p.t, pool.AppendCertsFromPEM(pem))
	return pool
}

func (p *pebble) status(serial string) string {
	resp, err := http.Get(p.admin.URL + "/cert-status-by-serial/" + serial)
	require.NoError(p.t, err)
	defer func() { _ = resp.Body.Close() }()
	var v struct{ Status string }
	require.NoError(p.t, json.NewDecoder(resp.Body).Decode(&v))
	return v.Status
}

// responder answers http-01 and dns-01 for every name there is.
type responder struct {
	port    int
	dnsAddr string

	mu     sync.Mutex
	tokens map[string]string
	txt    map[string][]string
	seen   map[string]chan struct{}
	broken bool // http-01 answers nonsense
}

func newResponder(t testing.TB) *responder {
	s := &responder{tokens: map[string]string{}, txt: map[string][]string{}, seen: map[string]chan struct{}{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.port = srv.Listener.Addr().(*net.TCPAddr).Port
	l, err := net.Listen("tcp", "127.0.0.1:0") // Pebble asks over TCP
	require.NoError(t, err)
	s.dnsAddr = l.Addr().String()
	started := make(chan struct{})
	d := &dns.Server{Listener: l, Handler: dns.HandlerFunc(s.resolve), NotifyStartedFunc: func() { close(started) }}
	go func() { _ = d.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = d.Shutdown() })
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

func (s *responder) resolve(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	for _, question := range q.Question {
		h := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET}
		switch question.Qtype {
		case dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: h, A: net.IPv4(127, 0, 0, 1)})
		case dns.TypeTXT:
			s.mu.Lock()
			for _, v := range s.txt[strings.ToLower(question.Name)] {
				m.Answer = append(m.Answer, &dns.TXT{Hdr: h, Txt: []string{v}})
			}
			s.mu.Unlock()
		}
	}
	_ = w.WriteMsg(m)
}

func (s *responder) Present(_ context.Context, list []challenge.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		if c.Type == challenge.DNS01 {
			sum := sha256.Sum256([]byte(c.KeyAuthorization))
			name := "_acme-challenge." + c.Identifier + "."
			s.txt[name] = append(s.txt[name], base64.RawURLEncoding.EncodeToString(sum[:]))
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
		delete(s.txt, "_acme-challenge."+c.Identifier+".")
	}
	return nil
}

func (s *responder) Seen(c challenge.Challenge) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[c.Token]
}
