package client_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// chaosSeed is the variable that repeats a run: the faults that a name meets
// depend on it, on the name and on what was asked before for the name.
const chaosSeed = "ACME_CHAOS_SEED"

// passing are faults that go by: who tries again, or asks, gets the certificate.
const passing = `reset-before reset-after close-mid-body stall stall-body latency goaway h2-reset-stream
	status-500 status-502 status-503 status-504 status-500-after empty-200 html-200 retry-after-date retry-after-past retry-after-garbage rate-limited
	wrong-content-type wrong-201 link-garbage bad-nonce bad-nonce-no-replay no-nonce nonce-invalid-chars nonce-expired json-truncated json-garbage json-unknown-fields
	times-garbage order-processing order-ready-late order-not-ready new-order-lost finalize-lost order-url-changed order-identifiers-reordered challenge-slow
	challenge-already-answered authz-unknown-types cert-500-then-ok cert-404-then-ok cert-wrong-content-type chain-with-root pem-crlf alternate-loop order-valid-at-once`

// final are faults after which a certificate is refused or never comes; those
// that spend a certificate are among spending.
const (
	final = `order-invalid caa rejected-identifier bad-csr order-identifiers-changed order-authz-foreign authz-wrong-identifier challenge-invalid challenge-token-short
	status-unknown redirect-post problem-2xx order-paused`
	spending = `cert-wrong-key cert-extra-name cert-expired chain-out-of-order chain-unrelated pem-private-key pem-garbage cert-huge status-unknown problem-2xx redirect-post order-expired`
)

// chaos disturbs a part of all requests.
type chaos struct {
	faults []mockca.Fault

	mu    sync.Mutex
	seed  uint64
	turns map[string]*rand.Rand // by what is asked for
	drawn map[int64]int         // the fault of an exchange, -1: none
	met   map[string][]string   // by what is asked for
}

const disturbed = 0.2

func (c *chaos) rules(t *testing.T) (rules []mockca.Rule) {
	var names []string
	for _, name := range strings.Fields(passing + " " + final + " " + spending) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i, name := range names {
		f, err := mockca.ParseFault(name)
		require.NoError(t, err)
		c.faults = append(c.faults, f)
		rules = append(rules, mockca.Rule{Fault: f, Times: 1 << 30, When: mockca.When{Match: func(x *mockca.Exchange) bool { return c.draw(x) == i }}})
	}
	return rules
}

// draw decides once for each exchange.
func (c *chaos) draw(x *mockca.Exchange) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := c.drawn[x.ID]; ok {
		return i
	}
	about := subject(x)
	r := c.turns[about]
	if r == nil {
		h := fnv.New64a()
		h.Write([]byte(about))
		r = rand.New(rand.NewPCG(c.seed, h.Sum64()))
		c.turns[about] = r
	}
	chosen := -1
	if r.Float64() < disturbed {
		var fit []int
		for i, f := range c.faults {
			if f.Endpoints == nil || slices.Contains(f.Endpoints, x.Endpoint) {
				fit = append(fit, i)
			}
		}
		chosen = fit[r.IntN(len(fit))]
		c.met[about] = append(c.met[about], c.faults[chosen].Name+" at "+string(x.Endpoint))
	}
	c.drawn[x.ID] = chosen
	return chosen
}

// subject is the name that an exchange is about; empty for nonces and the like.
func subject(x *mockca.Exchange) string {
	if len(x.Identifiers) > 0 {
		return x.Identifiers[0].Value
	}
	if x.Endpoint != mockca.NewOrder {
		return ""
	}
	_, after, _ := strings.Cut(string(x.Payload()), `"value":"`)
	name, _, _ := strings.Cut(after, `"`)
	return name
}

// forced counts the faults a name met that may have spent a certificate.
func (c *chaos) forced(name string) (n int) {
	for _, met := range c.met[name] {
		fault, _, _ := strings.Cut(met, " ")
		if slices.Contains(strings.Fields(spending), fault) {
			n++
		}
	}
	return n
}

// explains reports whether an issuance had reason to fail: a fault that is
// final, or several in a row that go by.
func (c *chaos) explains(name string) bool {
	return len(c.met[name]) >= 3 || slices.ContainsFunc(c.met[name], func(met string) bool {
		fault, _, _ := strings.Cut(met, " ")
		return slices.Contains(strings.Fields(final+" "+spending), fault)
	})
}

// outcome is how one issuance ended.
type outcome struct {
	name string
	cert *client.Certificate
	err  error
	kept []client.Pending
}

// A fifth of all requests is disturbed. Every issuance ends in a certificate or
// in an error that is typed and true; the CA's books agree with the client's.
// With -short or the race detector there are fewer.
func TestChaos(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if s := os.Getenv(chaosSeed); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, chaosSeed)
	}
	n := 1000
	if testing.Short() || raceEnabled {
		n = 100
	}
	t.Logf("to repeat: %s=%d", chaosSeed, seed)
	synctest.Test(t, func(t *testing.T) { runChaos(t, seed, n) })
}

func runChaos(t *testing.T, seed uint64, n int) {
	c := &chaos{seed: seed, turns: map[string]*rand.Rand{}, drawn: map[int64]int{}, met: map[string][]string{}}
	w := newAttempt(t, mockca.Fault{})
	w.connect()
	for _, rule := range c.rules(t) {
		_, err := w.ca.AddRule(rule)
		require.NoError(t, err)
	}
	before := w.count()
	outcomes := make([]outcome, n)
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range jobs {
				outcomes[i] = w.issue(fmt.Sprintf("n%d.example", i), nil)
			}
		})
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	wg.Wait()

	hits := int64(0)
	for _, r := range w.ca.Rules() {
		hits += r.Hits
	}
	part := float64(hits) / float64(w.count()-before)
	require.InDelta(t, disturbed, part, 0.03)
	w.ca.ClearRules()
	issued, failed := w.books(c, outcomes), 0
	for _, o := range outcomes {
		if o.err != nil {
			failed++
			w.goesOn(c, o, issued[o.name])
		}
	}
	t.Logf("%d requests, %.1f %% of them disturbed; %d certificates, %d errors; %v of virtual time", w.count()-before, 100*part, n-failed, failed, w.passed().Round(time.Second))
	w.c.Close()
}

// issue obtains a certificate for a name, by resuming where that can be done.
func (w *attempt) issue(name string, resume *client.Pending) (o outcome) {
	o.name = name
	ctx, cancel := context.WithTimeout(w.t.Context(), 24*time.Hour)
	defer cancel()
	o.cert, o.err = w.a.Obtain(ctx, client.Request{Identifiers: []client.Identifier{{Type: client.TypeDNS, Value: name}}, Roots: w.ca.Issuers(), Resume: resume,
		Solvers:   []client.SolverFor{{Type: challenge.DNS01, Solver: w.paper}},
		OnPending: func(_ context.Context, p client.Pending) error { o.kept = append(o.kept, p); return nil }})
	require.NoError(w.t, ctx.Err(), "%s hangs", name)
	return o
}

// books compares the CA's with the client's, and returns how many certificates
// the CA has issued for each name.
func (w *attempt) books(c *chaos, outcomes []outcome) map[string]int {
	t := w.t
	issued := map[string]int{}
	for _, cert := range w.ca.Certificates() {
		issued[cert.Identifiers[0].Value]++
	}
	for _, o := range outcomes {
		met := fmt.Sprintf("%s met %q", o.name, c.met[o.name])
		if o.err == nil {
			require.NoError(t, client.Verify(parsed(t, o.cert.Chain), client.Verification{PublicKey: o.cert.Key.Public(), Identifiers: o.cert.Issued, Now: time.Now(), Roots: w.ca.Issuers()}), met)
			book, ok := w.ca.Certificate(fmt.Sprintf("%x", o.cert.Leaf.SerialNumber))
			require.True(t, ok, met)
			require.Equal(t, o.cert.Leaf.Raw, book.DER, met)
			require.LessOrEqual(t, issued[o.name], 1+c.forced(o.name), "issued twice: %s", met)
			continue
		}
		require.ErrorAs(t, o.err, new(*client.ObtainError), met)
		typed := errors.As(o.err, new(*client.Problem)) || slices.ContainsFunc([]error{client.ErrUnreachable, client.ErrRefused, client.ErrNotACME, client.ErrTimeout},
			func(e error) bool { return errors.Is(o.err, e) })
		require.True(t, typed, "%v: %s", o.err, met)
		require.True(t, c.explains(o.name), "an error without its fault: %s: %v", met, o.err)
		require.LessOrEqual(t, issued[o.name], 1+c.forced(o.name), met)
	}
	for _, cert := range w.ca.Certificates() { // none is an orphan: its key was kept
		o := outcomes[slices.IndexFunc(outcomes, func(o outcome) bool { return o.name == cert.Identifiers[0].Value })]
		leaf, err := cert.Leaf()
		require.NoError(t, err)
		held := slices.ContainsFunc(o.kept, func(p client.Pending) bool {
			key, err := p.PrivateKey()
			return err == nil && key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(leaf.PublicKey)
		})
		wrong := slices.ContainsFunc(c.met[o.name], func(s string) bool { return strings.HasPrefix(s, "cert-wrong-key ") })
		require.True(t, held || wrong, "the key of a certificate was lost: %s met %q", o.name, c.met[o.name])
	}
	require.Empty(t, w.paper.left())
	return issued
}

// goesOn takes up an issuance that failed, now that nothing disturbs it: a
// certificate that was issued and only could not be had is not bought again.
func (w *attempt) goesOn(c *chaos, o outcome, issued int) {
	var resume *client.Pending
	if len(o.kept) > 0 {
		resume = &o.kept[len(o.kept)-1]
	}
	again := w.issue(o.name, resume)
	if again.err != nil && resume != nil { // what was wrong with the certificate still is
		require.Positive(w.t, c.forced(o.name), "%s met %q: %v", o.name, c.met[o.name], again.err)
		again = w.issue(o.name, nil)
	}
	require.NoError(w.t, again.err, "%s met %q", o.name, c.met[o.name])
	if issued == 1 && c.forced(o.name) == 0 {
		require.Len(w.t, slices.DeleteFunc(w.ca.Certificates(), func(cert mockca.IssuedCertificate) bool { return cert.Identifiers[0].Value != o.name }), 1, "%s was bought twice", o.name)
	}
}
