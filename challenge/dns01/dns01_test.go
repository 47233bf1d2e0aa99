package dns01_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/challenge/dns01"
	"github.com/acme-e2e/acme-e2e/internal/clock"
)

var (
	_ challenge.Solver  = (*dns01.Solver)(nil)
	_ challenge.Checker = (*dns01.Solver)(nil)
	_ challenge.Solver  = (*dns01.Persist)(nil)
)

func dnsChallenge(name, token string) challenge.Challenge {
	return challenge.Challenge{Type: challenge.DNS01, URL: "https://ca.example/c/" + token, IdentifierType: "dns",
		Identifier: name, Token: token, KeyAuthorization: token + ".thumbprint", AccountURL: "https://ca.example/acct/1"}
}

func list(c ...challenge.Challenge) []challenge.Challenge { return c }

func updates(n *nameserver) *dns01.RFC2136 {
	return &dns01.RFC2136{Server: n.addr, KeyName: "key.example", Secret: tsigSecret}
}

func options(first, second *nameserver) dns01.Options {
	return dns01.Options{Provider: updates(first), Interval: 10 * time.Millisecond, Timeout: 5 * time.Second,
		DNS: dns01.DNS{Resolvers: []string{first.addr}, Dial: dialer(first, second)}}
}

func newSolver(t *testing.T, o dns01.Options) *dns01.Solver {
	t.Helper()
	s, err := dns01.New(o)
	require.NoError(t, err)
	return s
}

func TestValuesOfBaseAndWildcardStandTogether(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	n.set(func() { n.txt["_acme-challenge.a.example."] = []string{"somebody else's"} })
	s := newSolver(t, options(n, n))
	require.NoError(t, s.Check(t.Context()))
	base, wild := dnsChallenge("a.example", "one"), dnsChallenge("a.example", "two")
	wild.Wildcard = true
	require.NoError(t, s.Present(t.Context(), list(base, wild)))
	require.Equal(t, []string{"somebody else's", challenge.DNS01Value(base.KeyAuthorization), challenge.DNS01Value(wild.KeyAuthorization)},
		n.values("_acme-challenge.a.example."))
	require.NoError(t, s.Present(t.Context(), list(base)), "a second order with the same authorization")
	require.NoError(t, s.CleanUp(t.Context(), list(base, wild)))
	require.Len(t, n.values("_acme-challenge.a.example."), 2)
	require.NoError(t, s.CleanUp(t.Context(), list(base)))
	require.Equal(t, []string{"somebody else's"}, n.values("_acme-challenge.a.example."))
	n.set(func() { require.Equal(t, 4, n.updates) })
}

func TestCNAMEIsFollowedIntoAnotherZone(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.", "b.example.", "deep.b.example.")
	n.set(func() { n.cname["_acme-challenge.www.a.example."] = "www.b.example." })
	n.set(func() { n.cname["www.b.example."] = "x.y.deep.b.example." })
	s := newSolver(t, options(n, n))
	c := dnsChallenge("www.a.example", "one")
	require.NoError(t, s.Present(t.Context(), list(c)))
	require.Len(t, n.values("x.y.deep.b.example."), 1)
	require.NoError(t, s.CleanUp(t.Context(), list(c)))
	require.Empty(t, n.values("x.y.deep.b.example."))
}

func TestNamesThatCannotBePresented(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	n.set(func() { n.cname["_acme-challenge.loop.a.example."] = "x.a.example." })
	n.set(func() { n.cname["x.a.example."] = "_acme-challenge.loop.a.example." })
	last := "_acme-challenge.long.a.example."
	for i := range 12 {
		next := strings.Repeat("l", i+1) + ".a.example."
		n.set(func() { n.cname[last], last = next, next })
	}
	s := newSolver(t, options(n, n))
	ip := dnsChallenge("192.0.2.1", "ip")
	ip.IdentifierType = "ip"
	for want, c := range map[string]challenge.Challenge{
		"circle":              dnsChallenge("loop.a.example", "1"),
		"more than 10 CNAME":  dnsChallenge("long.a.example", "2"),
		"no zone found":       dnsChallenge("a.invalid", "3"),
		"proves names only":   ip,
		"is not a DNS name":   dnsChallenge("a b.example", "5"),
		"cannot be presented": {Type: challenge.HTTP01, IdentifierType: "dns", Identifier: "a.example", KeyAuthorization: "x"},
	} {
		good := dnsChallenge("a.example", "good")
		err := s.Present(t.Context(), list(c, good))
		require.ErrorContains(t, err, want)
		require.Len(t, challenge.Failed(err, list(c, good)), 1, want)
		require.NoError(t, s.CleanUp(t.Context(), list(c, good)))
		require.Empty(t, n.values("_acme-challenge.a.example."))
	}
}

func TestLaggingServerIsNamedAndCleanedUp(t *testing.T) {
	t.Parallel()
	first, second := newNameserver(t, "a.example."), newNameserver(t, "a.example.")
	second.set(func() { second.frozen = true })
	o := options(first, second)
	o.Timeout = 100 * time.Millisecond
	s := newSolver(t, o)
	c := dnsChallenge("a.example", "one")
	err := s.Present(t.Context(), list(c))
	var late *dns01.PropagationError
	require.ErrorAs(t, err, &late)
	require.Equal(t, 2, late.Servers)
	require.Len(t, late.Lagging, 1)
	require.Equal(t, "ns2.a.example.", late.Lagging[0].Server)
	require.ErrorContains(t, err, "1 of the 2 authoritative servers")
	require.NoError(t, s.CleanUp(t.Context(), list(c)))
	require.Empty(t, first.values("_acme-challenge.a.example."))
}

func TestWaitsUntilTheLastServerHasIt(t *testing.T) {
	t.Parallel()
	first, second := newNameserver(t, "a.example."), newNameserver(t, "a.example.")
	v := clock.NewVirtual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	o := options(first, second)
	o.Clock, o.Timeout, o.Interval = v, time.Hour, time.Minute
	s := newSolver(t, o)
	c := dnsChallenge("a.example", "one")
	done := make(chan error, 1)
	go func() { done <- s.Present(t.Context(), list(c)) }()
	for range 3 {
		require.Eventually(t, func() bool { return v.Sleepers() == 1 }, 5*time.Second, time.Millisecond)
		v.Advance(time.Minute)
	}
	require.Eventually(t, func() bool { return v.Sleepers() == 1 }, 5*time.Second, time.Millisecond)
	second.set(func() { second.txt["_acme-challenge.a.example."] = []string{challenge.DNS01Value(c.KeyAuthorization)} })
	v.Advance(time.Minute)
	require.NoError(t, <-done)
	require.Equal(t, 4*time.Minute, v.Now().Sub(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func TestCancelledWaitSaysWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	first, second := newNameserver(t, "a.example."), newNameserver(t, "a.example.")
	second.set(func() { second.rcode = dns.RcodeServerFailure })
	v := clock.NewVirtual(time.Now())
	o := options(first, second)
	o.Clock = v
	s := newSolver(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	c := dnsChallenge("a.example", "one")
	done := make(chan error, 1)
	go func() { done <- s.Present(ctx, list(c)) }()
	require.Eventually(t, func() bool { return v.Sleepers() == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	err := <-done
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "SERVFAIL")
	require.NoError(t, s.CleanUp(context.WithoutCancel(ctx), list(c)))
	require.Empty(t, first.values("_acme-challenge.a.example."))
}

func TestTruncatedAnswersAreFetchedOverTCP(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	n.set(func() { n.truncate = true })
	s := newSolver(t, options(n, n))
	require.NoError(t, s.Present(t.Context(), list(dnsChallenge("a.example", "one"))))
	n.set(func() { require.Greater(t, n.tcp, 3) })
}

func TestLeftoversOfACrashAreRemovedByTheNextRun(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	o := options(n, n)
	o.Journal = filepath.Join(t.TempDir(), "dns.json")
	crashed := dnsChallenge("a.example", "crashed")
	require.NoError(t, newSolver(t, o).Present(t.Context(), list(crashed))) // and no CleanUp
	require.FileExists(t, o.Journal)
	next, s := dnsChallenge("a.example", "next"), newSolver(t, o)
	require.NoError(t, s.Present(t.Context(), list(next)))
	require.Equal(t, []string{challenge.DNS01Value(next.KeyAuthorization)}, n.values("_acme-challenge.a.example."))
	require.NoError(t, s.CleanUp(t.Context(), list(next)))
	require.NoFileExists(t, o.Journal)

	require.NoError(t, os.WriteFile(o.Journal, []byte("torn"), 0o600))
	require.ErrorContains(t, newSolver(t, o).Present(t.Context(), list(next)), "move it away")
	require.Empty(t, n.values("_acme-challenge.a.example."))
}

func TestCrashBetweenTwoValuesAtOneNameLeavesNeither(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	o := options(n, n)
	o.Journal = filepath.Join(t.TempDir(), "dns.json")
	base, wild := dnsChallenge("a.example", "one"), dnsChallenge("a.example", "two")
	s := newSolver(t, o)
	require.NoError(t, s.Present(t.Context(), list(base, wild)))
	require.NoError(t, s.CleanUp(t.Context(), list(base))) // and not wild's
	require.Len(t, n.values("_acme-challenge.a.example."), 1)
	require.NoError(t, newSolver(t, o).Present(t.Context(), nil))
	require.Empty(t, n.values("_acme-challenge.a.example."))
	require.NoFileExists(t, o.Journal)
}

func TestRFC2136ErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	r := dns01.Record{Zone: "a.example.", Name: "x.a.example.", Value: "v"}
	for want, p := range map[string]*dns01.RFC2136{
		"NOTAUTH":           {Server: n.addr},
		"no server":         {},
		"is not base64":     {Server: n.addr, KeyName: "key.example", Secret: "%"},
		"is not one of":     {Server: n.addr, KeyName: "key.example", Secret: tsigSecret, Algorithm: "rot13"},
		"update of a.examp": {Server: n.addr, KeyName: "key.example", Secret: "d3Jvbmc="},
	} {
		require.ErrorContains(t, p.Append(t.Context(), r), want)
	}
	long := dns01.Record{Zone: "a.example.", Name: "x.a.example.", Value: strings.Repeat("0123456789", 60)}
	require.NoError(t, updates(n).Append(t.Context(), long))
	require.Equal(t, []string{long.Value}, n.values(long.Name))
	require.NoError(t, updates(n).Remove(t.Context(), long))
	require.NoError(t, updates(n).Remove(t.Context(), long), "not there any more")
	require.Empty(t, n.values(long.Name))
}

// zoneAPI is a provider as the libdns ecosystem has them.
type zoneAPI struct {
	n    *nameserver
	busy atomic.Int32
	fail error
}

func (z *zoneAPI) AppendRecords(_ context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	if z.busy.Add(1) > 1 {
		return nil, errors.New("two changes at once")
	}
	defer z.busy.Add(-1)
	for _, r := range recs {
		z.n.set(func() {
			name := libdns.AbsoluteName(r.RR().Name, zone)
			z.n.txt[name] = append(z.n.txt[name], r.RR().Data)
		})
	}
	return recs, z.fail
}

func (z *zoneAPI) DeleteRecords(_ context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	for _, r := range recs {
		z.n.set(func() { delete(z.n.txt, libdns.AbsoluteName(r.RR().Name, zone)) })
	}
	return recs, nil
}

func TestLibdnsProvidersAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	api := &zoneAPI{n: n}
	o := options(n, n)
	o.Provider = dns01.Libdns(api)
	s := newSolver(t, o)
	c := dnsChallenge("www.a.example", "one")
	require.NoError(t, s.Present(t.Context(), list(c)))
	require.Len(t, n.values("_acme-challenge.www.a.example."), 1)
	require.NoError(t, s.CleanUp(t.Context(), list(c)))

	var wg sync.WaitGroup
	for _, token := range []string{"one", "two", "three", "four"} { // orders at once
		wg.Go(func() {
			if err := s.Present(t.Context(), list(dnsChallenge("www.a.example", token))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, n.values("_acme-challenge.www.a.example."), 4)
	for _, token := range []string{"one", "two", "three", "four"} {
		require.NoError(t, s.CleanUp(t.Context(), list(dnsChallenge("www.a.example", token))))
	}

	api.fail = errors.New("timeout after it was done")
	require.ErrorIs(t, s.Present(t.Context(), list(c)), api.fail)
	require.NoError(t, s.CleanUp(t.Context(), list(c)))
	require.Empty(t, n.values("_acme-challenge.www.a.example."), "what a failed call may have done is undone")
	_, err := dns01.New(dns01.Options{})
	require.ErrorContains(t, err, "no provider")
}

func TestPersistLeavesItsRecord(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "a.example.")
	c := challenge.Challenge{Type: challenge.DNSPersist01, URL: "u", IdentifierType: "dns", Identifier: "a.example", Wildcard: true,
		AccountURL: "https://ca.example/acct/1", IssuerDomainNames: []string{"ca.example"}}
	o := options(n, n)
	o.Provider = nil
	want := "ca.example; accounturi=https://ca.example/acct/1; policy=wildcard"
	byHand := &dns01.Persist{Options: o}
	require.ErrorContains(t, byHand.Present(t.Context(), list(c)), want)
	s := &dns01.Persist{Options: options(n, n)}
	for range 2 {
		require.NoError(t, s.Present(t.Context(), list(c)))
		require.NoError(t, s.CleanUp(t.Context(), list(c)))
		require.Equal(t, []string{want}, n.values("_validation-persist.a.example."))
	}
	require.NoError(t, byHand.Present(t.Context(), list(c)))
	wrong := &dns01.Persist{Options: options(n, n), IssuerFor: "other.example"}
	require.ErrorIs(t, wrong.Present(t.Context(), list(c)), challenge.ErrNotPresented)
	value, err := dns01.PersistValue("ca.example", "https://ca.example/acct/1", false, time.Unix(1893456000, 0))
	require.NoError(t, err)
	require.Equal(t, "ca.example; accounturi=https://ca.example/acct/1; persistUntil=1893456000", value)
	_, err = dns01.PersistValue("ca.example", "https://ca.example/; policy=wildcard", false, time.Time{})
	require.ErrorIs(t, err, challenge.ErrNotPresented)
}

func FuzzDNSAnswer(f *testing.F) {
	m := new(dns.Msg)
	m.SetQuestion("_acme-challenge.a.example.", dns.TypeCNAME)
	m.Answer = append(m.Answer, rr("_acme-challenge.a.example. 60 CNAME x.a.example."))
	packed, err := m.Pack()
	require.NoError(f, err)
	f.Add(packed)
	f.Add(packed[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, answer []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		dial := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { // over "TCP": a length, then the message, with the question's id
				defer theirs.Close()
				in := make([]byte, 2048)
				n, err := theirs.Read(in)
				if err != nil || n < 4 {
					return
				}
				out := append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)
				if len(out) >= 4 && n >= 2 {
					copy(out[2:4], in[2:4])
				}
				_, _ = theirs.Write(out)
			}()
			return ours, nil
		}
		s, err := dns01.New(dns01.Options{Provider: &dns01.RFC2136{}, DNS: dns01.DNS{Resolvers: []string{"192.0.2.1"}, Dial: dial, QueryTimeout: 50 * time.Millisecond}})
		require.NoError(t, err)
		require.Error(t, s.Present(ctx, list(dnsChallenge("a.example", "one"))))
	})
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`[{"Zone":"a.example.","Name":"x.a.example.","Value":"v"}]`))
	f.Add([]byte(`[{"Zone":"","Name":"..","Value":""}]`))
	f.Add([]byte(`{`))
	n := newNameserver(f, "a.example.")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		removed := new(remover)
		s, err := dns01.New(dns01.Options{Provider: removed, Journal: file, DNS: dns01.DNS{Resolvers: []string{n.addr}}})
		require.NoError(t, err)
		require.NoError(t, s.Present(t.Context(), nil))
		for _, r := range removed.records {
			if r.Name == "" || r.Zone == "" || r.Value == "" || strings.ContainsAny(r.Name, " \n") {
				t.Fatalf("removes %+v", r)
			}
		}
	})
}

type remover struct{ records []dns01.Record }

func (*remover) Append(context.Context, dns01.Record) error { return nil }
func (p *remover) Remove(_ context.Context, r dns01.Record) error {
	p.records = append(p.records, r)
	return nil
}
