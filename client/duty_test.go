package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/internal/memnet"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// What the client does about each fault that a CA, the network or the clock can
// have: the duty that the catalogue of faults names. Whatever happens, the rules
// of attempt hold.

// duties are by fault, "name", "name:params" or either with "/case".
func duties() map[string]func(*attempt) {
	all := make(map[string]func(*attempt))
	for _, part := range []map[string]func(*attempt){transportDuties(), httpDuties(), nonceDuties(), jsonDuties(), directoryDuties(), accountDuties(),
		orderDuties(), verdictDuties(), authorizationDuties(), challengeDuties(), certificateDuties(), renewalDuties(), timeDuties()} {
		maps.Copy(all, part)
	}
	return all
}

func TestDutyTowardsEveryFault(t *testing.T) {
	t.Parallel()
	tests := duties()
	met := map[string]bool{}
	for _, text := range slices.Sorted(maps.Keys(tests)) {
		name, _, _ := strings.Cut(text, "/")
		f, err := mockca.ParseFault(name)
		require.NoError(t, err)
		met[f.Name] = true
		t.Run(strings.ReplaceAll(text, "/", " "), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newAttempt(t, f)
				tests[text](w)
				w.judge()
			})
		})
	}
	for _, f := range mockca.Faults() {
		require.True(t, met[f.Name], "nothing says what the client does about %s", f.Name)
	}
}

// attempt is one client at one CA that has a fault, in a bubble where waiting
// takes no time. It keeps what must hold whatever happens: see judge.
type attempt struct {
	t      *testing.T
	fault  mockca.Fault
	ca     *mockca.CA
	listen *memnet.Listener
	paper  *sheet
	log    *logged
	begun  time.Time

	c    *client.Client
	a    *client.Account
	kept []client.Pending
	most int // requests that are allowed; 0: a hundred
}

func newAttempt(t *testing.T, f mockca.Fault) *attempt {
	policy := mockca.DefaultPolicy()
	policy.PollRetryAfter = -1
	policy.Profiles["classic"] = mockca.Profile{Lifetime: 90 * 24 * time.Hour, Backdate: time.Hour, SubjectKeyID: true, SCT: true}
	w := &attempt{t: t, fault: f, listen: memnet.Listen(), paper: &sheet{on: map[string]challenge.Challenge{}}, log: new(logged), begun: time.Now()}
	var err error
	w.ca, err = mockca.NewUnstarted(mockca.Options{Policy: &policy, Seed: 1, Validation: mockca.Validation{Script: w.paper.check}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.ca.Close()) })
	require.NoError(t, w.ca.Serve(w.listen))
	return w
}

// transport is like the client's own, over the bubble's network.
func (w *attempt) transport() *http.Transport {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, _, _ := net.SplitHostPort(address); strings.HasSuffix(host, ".invalid") {
				return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
			}
			return w.listen.Dial(ctx, network, address)
		},
		TLSClientConfig:   &tls.Config{RootCAs: w.ca.Pool(), MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 256 << 10, DisableCompression: true, TLSHandshakeTimeout: 10 * time.Second,
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// inject has the fault happen, at the endpoints given or where it acts by
// itself.
func (w *attempt) inject(at ...mockca.Endpoint) *attempt {
	w.ca.Inject(w.fault, mockca.When{Endpoints: at})
	return w
}

// connect makes the client, with an account.
func (w *attempt) connect(change ...func(*client.Config)) *attempt {
	require.NoError(w.t, w.register(change...))
	return w
}

func (w *attempt) register(change ...func(*client.Config)) (err error) {
	cfg := client.Config{DirectoryURL: w.ca.DirectoryURL(), Transport: w.transport(), Logger: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, f := range change {
		f(&cfg)
	}
	w.c, err = client.New(cfg)
	require.NoError(w.t, err)
	w.a, err = w.c.NewAccount(w.t.Context(), newKey(w.t, client.P256), client.AccountOptions{AgreeTerms: true})
	return err
}

func (w *attempt) request(names ...string) client.Request {
	if names == nil {
		names = []string{"a.example", "b.example"}
	}
	ids, err := client.ParseIdentifiers(names...)
	require.NoError(w.t, err)
	return client.Request{Identifiers: ids, Solvers: []client.SolverFor{{Type: challenge.DNS01, Solver: w.paper}}, Roots: w.ca.Issuers(),
		OnPending: func(_ context.Context, p client.Pending) error {
			w.kept = append(w.kept, p)
			return nil
		}}
}

// try obtains, for a day of the bubble's time at most.
func (w *attempt) try(r client.Request) (*client.Certificate, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 24*time.Hour)
	defer cancel()
	cert, err := w.a.Obtain(ctx, r)
	require.NoError(w.t, ctx.Err(), "it hangs")
	require.Equal(w.t, err == nil, cert != nil)
	if err != nil {
		require.Nil(w.t, cert)
		require.ErrorAs(w.t, err, new(*client.ObtainError), "%v", err)
		require.NotRegexp(w.t, "[\x00-\x1f\x7f\u202e\u2066]", err.Error(), "a message for terminals and logs")
		require.Contains(w.t, err.Error(), r.Identifiers[0].Value)
		return nil, err
	}
	require.NoError(w.t, client.Verify(parsed(w.t, cert.Chain), client.Verification{PublicKey: cert.Key.Public(), Identifiers: r.Identifiers, Now: time.Now(), Roots: w.ca.Issuers()}))
	return cert, nil
}

// obtains is try that must succeed.
func (w *attempt) obtains(names ...string) *client.Certificate {
	w.t.Helper()
	cert, err := w.try(w.request(names...))
	require.NoError(w.t, err)
	return cert
}

// refuses is try that must fail with an error, and words in it.
func (w *attempt) refuses(want error, words ...string) error {
	w.t.Helper()
	_, err := w.try(w.request())
	w.complains(err, want, words...)
	return err
}

func (w *attempt) complains(err, want error, words ...string) {
	w.t.Helper()
	require.ErrorIs(w.t, err, want)
	for _, word := range words {
		require.ErrorContains(w.t, err, word)
	}
}

func (w *attempt) count(e ...mockca.Endpoint) int { return w.ca.Transcript().Count(e...) }
func (w *attempt) passed() time.Duration          { return time.Since(w.begun) }

// judge is what must hold at the end of every attempt.
func (w *attempt) judge() {
	w.c.Close()
	if w.most == 0 {
		w.most = 100
	}
	require.LessOrEqual(w.t, w.count(), w.most, "no storm of requests")
	require.Empty(w.t, w.paper.left(), "all responses are taken away again")
	keys := map[string]bool{}
	for _, p := range w.kept {
		key, err := p.PrivateKey()
		require.NoError(w.t, err)
		keys[fmt.Sprint(key.Public())] = true
	}
	for _, c := range w.ca.Certificates() {
		leaf, err := c.Leaf()
		require.NoError(w.t, err)
		require.True(w.t, keys[fmt.Sprint(leaf.PublicKey)] || w.fault.Name == "cert-wrong-key", "the key of a certificate was lost")
	}
	for _, x := range w.ca.Transcript().Exchanges() {
		if p := x.Protected(); p != nil {
			require.Equal(w.t, x.URL, p["url"], "a signed request went where it was not meant for")
		}
	}
	require.NotEmpty(w.t, w.ca.Rules())
	require.Positive(w.t, w.ca.Rules()[0].Hits, "the fault never happened")
}

// sheet is a solver that writes down what it presents, for a CA that looks
// there.
type sheet struct {
	mu   sync.Mutex
	on   map[string]challenge.Challenge
	seen int // looks
}

func (s *sheet) Present(_ context.Context, list []challenge.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		s.on[c.KeyAuthorization] = c
	}
	return nil
}

func (s *sheet) CleanUp(_ context.Context, list []challenge.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		delete(s.on, c.KeyAuthorization)
	}
	return nil
}

func (s *sheet) check(_ context.Context, v mockca.ValidationRequest) *mockca.Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen++
	if _, ok := s.on[v.KeyAuthorization]; !ok {
		return &mockca.Problem{Type: mockca.TypeUnauthorized, Detail: "no response for " + v.Identifier.Value}
	}
	return nil
}

func (s *sheet) looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *sheet) left() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.on {
		names = append(names, c.Identifier)
	}
	return names
}

// logged is what the client logs.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Ways to meet a fault.

// issuance are the endpoints that an issuance asks, from the very first.
func issuance() []mockca.Endpoint {
	return []mockca.Endpoint{mockca.Directory, mockca.NewNonce, mockca.NewAccount, mockca.NewOrder, mockca.Authz, mockca.ChallengeURL, mockca.OrderURL, mockca.Finalize, mockca.Certificate}
}

// eachOnce has the fault happen once at each endpoint: nothing is ordered,
// finalized or registered twice for that, and the certificate comes.
func eachOnce(checks ...func(*attempt, *client.Certificate)) func(*attempt) {
	return func(w *attempt) {
		for _, e := range issuance() {
			_, err := w.ca.AddRule(mockca.Rule{Fault: w.fault, Times: 1, When: mockca.When{Endpoint: e}})
			require.NoError(w.t, err)
		}
		w.connect()
		cert := w.obtains()
		require.Len(w.t, w.ca.Accounts(), 1)
		require.Len(w.t, w.ca.Certificates(), 1)
		require.Len(w.t, w.ca.Orders(), 1)
		for _, r := range w.ca.Rules() {
			require.EqualValues(w.t, 1, r.Hits, r.Rule.When.Endpoint)
		}
		for _, check := range checks {
			check(w, cert)
		}
	}
}

// fine has the fault happen from the start, or once there is an account when it
// is for accounts, and the certificate comes all the same.
func fine(checks ...func(*attempt, *client.Certificate)) func(*attempt) {
	return func(w *attempt) {
		w.inject().connect()
		cert := w.obtains()
		for _, check := range checks {
			check(w, cert)
		}
	}
}

// hopeless has the fault happen for good once there is an account.
func hopeless(want error, words ...string) func(*attempt) {
	return func(w *attempt) {
		w.connect().inject()
		w.refuses(want, words...)
		require.Len(w.t, w.ca.Accounts(), 1)
	}
}

// unregistered has the fault happen from the start, and not even an account is
// to be had.
func unregistered(want error, words ...string) func(*attempt) {
	return func(w *attempt) {
		w.inject()
		w.complains(w.register(), want, words...)
	}
}

func problemIn(t *testing.T, err error) *client.Problem {
	p, ok := errors.AsType[*client.Problem](err)
	require.True(t, ok, "%v", err)
	return p
}

func parsed(t *testing.T, chain [][]byte) (certs []*x509.Certificate) {
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		certs = append(certs, c)
	}
	return certs
}
