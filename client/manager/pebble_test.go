package manager_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// log keeps events for a test to look at.
type events struct {
	mu  sync.Mutex
	all []manager.Event
}

func (l *events) add(e manager.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

func (l *events) of(kind manager.EventKind) (found []manager.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.all {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

func (l *events) kinds() (kinds []manager.EventKind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.all {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func configIn(dir string, ca *pebbleharness.Harness, domains ...string) manager.Config {
	return manager.Config{
		Domains: domains, Email: "admin@example.org", DirectoryURL: ca.DirectoryURL(), AgreeTerms: true,
		CertPath: filepath.Join(dir, "cert.pem"), KeyPath: filepath.Join(dir, "key.pem"), AccountKeyPath: filepath.Join(dir, "acme_account.key"),
	}
}

func optionsFor(ca *pebbleharness.Harness, log *events) manager.Options {
	o := manager.Options{RootCAs: ca.Pool(), HTTP01: challenge.HTTP01Options{Address: fmt.Sprintf("127.0.0.1:%d", ca.HTTPPort)}, NoSignals: true}
	if log != nil {
		o.Observer = log.add
	}
	return o
}

func newManager(t testing.TB, cfg manager.Config, o manager.Options) *manager.Manager {
	m, err := manager.New(cfg, o)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

// onDisk is the pair as any server would read it.
func onDisk(t testing.TB, cfg manager.Config) tls.Certificate {
	pair, err := tls.LoadX509KeyPair(cfg.CertPath, cfg.KeyPath)
	require.NoError(t, err)
	return pair
}

func TestWholeLifeWithPebble(t *testing.T) {
	t.Parallel()
	ca := pebbleharness.New(t, pebbleharness.Options{})
	cfg := configIn(t.TempDir(), ca, "a.example", "b.example")
	log := &events{}
	var hooked []manager.Issued
	o := optionsFor(ca, log)
	o.Hooks = []manager.Hook{func(_ context.Context, i manager.Issued) error { hooked = append(hooked, i); return nil }}
	m := newManager(t, cfg, o)
	_, err := m.GetCertificate(nil)
	require.ErrorIs(t, err, manager.ErrNoCertificate)

	require.NoError(t, m.ProvisionIfNeeded(t.Context()))
	first := onDisk(t, cfg)
	require.Equal(t, first.Certificate, m.Certificate().Certificate)
	require.Equal(t, []string{"a.example", "b.example"}, m.Certificate().Leaf.DNSNames)
	require.Len(t, hooked, 1)
	require.Len(t, log.of(manager.EventChallenge), 2)
	for _, path := range []string{cfg.KeyPath, cfg.AccountKeyPath} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
	}

	// good: nothing happens, in this process and the next
	require.NoError(t, m.ProvisionIfNeeded(t.Context()))
	m2 := newManager(t, cfg, o)
	require.Equal(t, first.Certificate, m2.Certificate().Certificate)
	require.NoError(t, m2.ProvisionIfNeeded(t.Context()))
	require.Len(t, log.of(manager.EventOrder), 1)
	require.Len(t, hooked, 1, "no hook without a new certificate")

	// a server keeps running while the CA wants the certificate renewed
	url := serve(t, m)
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.IssuingPool(), ServerName: "a.example"}}}
	defer hc.CloseIdleConnections()
	get(t, hc, url)
	require.NoError(t, ca.SetRenewalInfo(m.Certificate().Leaf, pebbleharness.RenewalInfo{Start: time.Now().Add(-2 * time.Hour), End: time.Now().Add(-time.Hour)}))
	out, err := m.CheckNow(t.Context())
	require.NoError(t, err)
	require.True(t, out.Renewed)
	require.Equal(t, manager.Suggested, out.Status.State)
	second := onDisk(t, cfg)
	require.NotEqual(t, first.Certificate[0], second.Certificate[0])
	require.Equal(t, second.Certificate, m.Certificate().Certificate)
	orders := log.of(manager.EventOrdering)
	id, err := client.CertID(mustLeaf(t, first))
	require.NoError(t, err)
	require.Equal(t, id, orders[len(orders)-1].Replaces)
	get(t, hc, url)
	require.Len(t, hooked, 2)

	out, err = m.CheckNow(t.Context())
	require.NoError(t, err)
	require.False(t, out.Renewed, "the window of the new certificate is its own")

	// what Manager has no method for
	acct, err := m.Account(t.Context())
	require.NoError(t, err)
	require.NoError(t, acct.Revoke(t.Context(), first.Certificate[0], client.Superseded))
	status, _ := ca.Status(mustLeaf(t, first).SerialNumber)
	require.True(t, status.Revoked)
	require.False(t, slices.Contains(log.kinds(), manager.EventFailed))
	require.Empty(t, leftovers(t, cfg))
}

func TestEachWayToProveNamesToPebble(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ca      pebbleharness.Options
		domains []string
		change  func(ca *pebbleharness.Harness, c *manager.Config, o *manager.Options)
	}{
		"addresses": {domains: []string{"127.0.0.1", "a.example"}},
		"tls-alpn-01 beside a server's own certificate": {domains: []string{"a.example"}, change: func(ca *pebbleharness.Harness, _ *manager.Config, o *manager.Options) {
			o.Solvers = []client.SolverFor{{Type: challenge.TLSALPN01, Solver: challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: fmt.Sprintf("127.0.0.1:%d", ca.TLSPort)})}}
		}},
		"a wildcard by dns-01": {domains: []string{"*.a.example", "a.example"}, change: func(ca *pebbleharness.Harness, _ *manager.Config, o *manager.Options) {
			o.Solvers = []client.SolverFor{{Type: challenge.DNS01, Solver: txtSolver{ca}}}
		}},
		"an external account and a profile": {
			ca: pebbleharness.Options{EABRequired: true, EABKeys: map[string]string{"kid": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"},
				Profiles: map[string]pebbleharness.Profile{"short": {Validity: 144 * time.Hour}, "long": {Validity: 90 * 24 * time.Hour}}},
			domains: []string{"a.example"},
			change: func(_ *pebbleharness.Harness, c *manager.Config, _ *manager.Options) {
				key, err := client.ParseEABKey("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
				if err != nil {
					panic(err)
				}
				c.EAB, c.Profile, c.KeyType = &client.ExternalAccountBinding{KeyID: "kid", Key: key}, "short", client.RSA2048
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := pebbleharness.New(t, row.ca)
			cfg, log := configIn(t.TempDir(), ca, row.domains...), &events{}
			o := optionsFor(ca, log)
			if row.change != nil {
				row.change(ca, &cfg, &o)
			}
			m := newManager(t, cfg, o)
			require.NoError(t, m.ProvisionIfNeeded(t.Context()))
			st, err := m.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, manager.Good, st.State)
			require.Len(t, log.of(manager.EventChallenge), len(row.domains))
			require.Equal(t, len(log.of(manager.EventChallenge)), len(log.of(manager.EventChallengeEnd)))
			if cfg.Profile != "" {
				require.Equal(t, 144*time.Hour, st.Certificate.NotAfter.Sub(st.Certificate.NotBefore)+time.Second)
			}
		})
	}
}

// TestCertificatesOfSeconds runs the loop by the machine's clock.
func TestCertificatesOfSeconds(t *testing.T) {
	t.Parallel()
	ca := pebbleharness.New(t, pebbleharness.Options{Profiles: map[string]pebbleharness.Profile{"blink": {Validity: 8 * time.Second}}})
	cfg, log := configIn(t.TempDir(), ca, "a.example"), &events{}
	cfg.Profile = "blink"
	m := newManager(t, cfg, optionsFor(ca, log))
	require.NoError(t, m.ProvisionIfNeeded(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.RunRenewalLoop(ctx) }()
	url := serve(t, m)
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.IssuingPool(), ServerName: "a.example"}}}
	get(t, hc, url)
	require.Eventually(t, func() bool { return len(log.of(manager.EventSwapped)) >= 2 }, time.Minute, 20*time.Millisecond)
	get(t, hc, url)
	cancel()
	require.NoError(t, <-done)
}

func TestManyManagersOfTheSameFiles(t *testing.T) {
	t.Parallel()
	ca := pebbleharness.New(t, pebbleharness.Options{})
	cfg, log := configIn(t.TempDir(), ca, "a.example"), &events{}
	var wg sync.WaitGroup
	for range 6 {
		m := newManager(t, cfg, optionsFor(ca, log))
		wg.Go(func() {
			if err := m.ProvisionIfNeeded(t.Context()); err != nil {
				t.Error(err)
			}
			if c := m.Certificate(); c == nil || !slices.EqualFunc(c.Certificate, onDisk(t, cfg).Certificate, slices.Equal) {
				t.Error("not the certificate on disk")
			}
		})
	}
	wg.Wait()
	require.Len(t, log.of(manager.EventIssued), 1)
	require.Len(t, log.of(manager.EventOrder), 1)
	require.Empty(t, leftovers(t, cfg))
}

// flaky fails the first time.
type flaky struct {
	challenge.Solver
	failed bool
}

func (s *flaky) Present(ctx context.Context, challenges []challenge.Challenge) error {
	if !s.failed {
		s.failed = true
		return &challenge.Error{Challenge: challenges[0], Err: errors.New("not this time")}
	}
	return s.Solver.Present(ctx, challenges)
}

// A process that dies after it told the CA to look leaves an order that may fail
// at any moment. That is no failure of the process that comes next.
func TestAResumedOrderThatFailsIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, interrupted := range []bool{true, false} {
		ca := pebbleharness.New(t, pebbleharness.Options{})
		cfg := configIn(t.TempDir(), ca, "a.example")
		if interrupted {
			ctx, die := context.WithCancel(t.Context())
			o := optionsFor(ca, nil)
			o.Observer = func(e manager.Event) {
				if e.Kind == manager.EventOrder {
					die()
				}
			}
			require.ErrorIs(t, newManager(t, cfg, o).ProvisionIfNeeded(ctx), context.Canceled)
		}
		o := optionsFor(ca, nil)
		o.Solvers = []client.SolverFor{{Type: challenge.HTTP01, Solver: &flaky{Solver: challenge.NewHTTP01(o.HTTP01)}}}
		err := newManager(t, cfg, o).ProvisionIfNeeded(t.Context())
		if interrupted {
			require.NoError(t, err)
			onDisk(t, cfg)
		} else {
			require.ErrorContains(t, err, "not this time", "an order of its own that fails is a failure")
		}
	}
}

func TestAnEndedAccountIsSaidAndTheNextKeyTaken(t *testing.T) {
	t.Parallel()
	ca := pebbleharness.New(t, pebbleharness.Options{})
	cfg := configIn(t.TempDir(), ca, "a.example")
	m := newManager(t, cfg, optionsFor(ca, nil))
	require.NoError(t, m.Provision(t.Context()))
	before := onDisk(t, cfg)
	a, err := m.Account(t.Context())
	require.NoError(t, err)
	require.NoError(t, a.Deactivate(t.Context()))
	for range 2 {
		err = m.Provision(t.Context())
		var ended *manager.AccountError
		require.ErrorAs(t, err, &ended)
		require.ErrorIs(t, err, client.ErrUnauthorized)
		require.Equal(t, before.Certificate, onDisk(t, cfg).Certificate)
	}
	require.NoError(t, os.Rename(cfg.AccountKeyPath, cfg.AccountKeyPath+".old"))
	require.NoError(t, m.Provision(t.Context()), "without a restart")
}

// txtSolver answers dns-01 in the harness's DNS.
type txtSolver struct{ ca *pebbleharness.Harness }

func (s txtSolver) Present(_ context.Context, challenges []challenge.Challenge) error {
	values := map[string][]string{}
	for _, c := range challenges {
		name := "_acme-challenge." + c.Identifier
		values[name] = append(values[name], challenge.DNS01Value(c.KeyAuthorization))
	}
	for name, v := range values {
		s.ca.DNS.SetTXT(name, v...)
	}
	return nil
}

func (s txtSolver) CleanUp(_ context.Context, challenges []challenge.Challenge) error { return nil }

func TestTermsAreAgreedToInSoManyWords(t *testing.T) {
	t.Parallel()
	ca := pebbleharness.New(t, pebbleharness.Options{})
	cfg := configIn(t.TempDir(), ca, "a.example")
	cfg.AgreeTerms = false
	err := newManager(t, cfg, optionsFor(ca, nil)).ProvisionIfNeeded(t.Context())
	require.ErrorIs(t, err, client.ErrTermsNotAgreed)
	require.NoFileExists(t, cfg.CertPath)
}

func TestAnotherContactReachesTheCA(t *testing.T) {
	t.Parallel()
	ca := pebbleharness.New(t, pebbleharness.Options{})
	cfg := configIn(t.TempDir(), ca, "a.example")
	require.NoError(t, newManager(t, cfg, optionsFor(ca, nil)).Provision(t.Context()))
	cfg.Email = "other@example.org"
	m := newManager(t, cfg, optionsFor(ca, nil))
	a, err := m.Account(t.Context())
	require.NoError(t, err)
	info, err := a.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"mailto:other@example.org"}, info.Contact)
}
