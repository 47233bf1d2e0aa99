package clientcases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// Settings are what all scenarios of a run share.
type Settings struct {
	Dir      string        // for what the scenarios write; the system's place for temporary files when empty
	Patience time.Duration // for one run of the client; 45 s when 0
}

const (
	defaultPatience = 45 * time.Second
	afterPatience   = 8 * time.Second // for a client that was told to end
	outputLimit     = 48 << 10
)

// errPatience ends a run that takes too long.
var errPatience = errors.New("the suite's patience is over")

// Trial is a scenario under way.
type Trial struct {
	*suite.T
	CA  *mockca.CA
	DNS *dnsserver.Server
	Env Env // of the next run

	scenario *Scenario
	client   Client
	world    *world
	patience time.Duration
	numbers  map[int64]int // of exchanges, by their id
	closers  []func()
}

func newTrial(t *suite.T, s *Scenario, client Client, settings Settings) *Trial {
	w, err := newWorld(t.Context(), s, settings)
	if err != nil {
		t.Inconclusive("setting up the CA: %v", err)
	}
	patience := settings.Patience
	if patience <= 0 {
		patience = defaultPatience
	}
	return &Trial{T: t, CA: w.ca, DNS: w.dns, Env: w.env, scenario: s, client: client, world: w, patience: patience, numbers: map[int64]int{}}
}

func (t *Trial) close() {
	for _, end := range t.closers {
		end()
	}
	t.world.close()
}

// Run is one run of the client and what came of it.
type Run struct {
	Operation Operation
	Err       error
	Output    string // what it said, with the error
	Took      time.Duration
	Exchanges []*mockca.Exchange // in the order of the requests
}

// run has the client do something, and waits for its end. One that does not end
// is judged and ends the scenario.
func (t *Trial) run(op Operation, change ...func(*Env)) *Run {
	return t.runIn(t.Context(), t.changed(change), op, false)
}

// runIn runs the client until it ends, or until ctx does, which endless clients
// wait for.
func (t *Trial) runIn(ctx context.Context, env Env, op Operation, endless bool) *Run {
	env.Operation = op
	for _, dir := range []string{env.AccountDir, filepath.Dir(env.CertFile)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Inconclusive("%v", err)
		}
	}
	out := newTail(outputLimit)
	env.Output = out
	ctx, cancel := context.WithTimeoutCause(ctx, t.patience, errPatience)
	defer cancel()
	start := time.Now()
	err := t.start(ctx, env)
	r := &Run{Operation: op, Err: err, Took: time.Since(start)}
	r.Output = out.String()
	if err != nil {
		r.Output = strings.TrimSpace(r.Output + "\n" + err.Error())
	}
	r.Exchanges = t.record()
	t.Logf("%s: %s after %.1f s and %d requests; it said: %s", op, r.ended(), r.Took.Seconds(), len(r.Exchanges), orNothing(r.Output))
	if cause := context.Cause(ctx); cause != nil && (!endless || errors.Is(cause, errPatience)) {
		t.Require(false, t.main(), "an end by itself", "it was still running after %s and was ended; it had sent %d requests; it said: %s", t.patience.Round(time.Second), len(r.Exchanges), excerpt(r.Output))
	}
	if names := t.world.strangers(); len(names) > 0 {
		t.Require(false, t.main(), "files only below the directory that it was given", "it wrote %s beside it", strings.Join(names, ", "))
	}
	return r
}

// start calls the client, and gives up on one that does not come back.
func (t *Trial) start(ctx context.Context, env Env) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("the client panicked: %v\n%s", p, debug.Stack())
			}
		}()
		done <- t.client.Run(ctx, env)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	give := time.NewTimer(afterPatience)
	defer give.Stop()
	select {
	case err := <-done:
		return err
	case <-give.C:
		return errors.New("the client did not even end when it was told to")
	}
}

// record shows the exchanges since the last call in the report, and returns
// them.
func (t *Trial) record() (fresh []*mockca.Exchange) {
	for _, x := range t.CA.Transcript().Exchanges() {
		if t.numbers[x.ID] == 0 && x.Endpoint != mockca.CRL && x.Endpoint != mockca.OCSP && x.Endpoint != mockca.Issuer {
			fresh = append(fresh, x)
		}
	}
	slices.SortFunc(fresh, func(a, b *mockca.Exchange) int { return cmp.Compare(a.ID, b.ID) })
	for _, x := range fresh {
		t.numbers[x.ID] = t.Record(shown(x))
	}
	return fresh
}

// at has the findings that follow point to an exchange; nil stands for the
// latest.
func (t *Trial) at(x *mockca.Exchange) *Trial {
	if x == nil {
		t.Show(0)
	} else {
		t.Show(t.numbers[x.ID])
	}
	return t
}

// main is the requirement that the scenario is about first of all.
func (t *Trial) main() string { return t.scenario.Requirements[0] }

func (r *Run) ended() string {
	if r.Err != nil {
		return "failed"
	}
	return "succeeded"
}

// to are the exchanges with some endpoints.
func (r *Run) to(endpoints ...mockca.Endpoint) []*mockca.Exchange {
	return to(r.Exchanges, endpoints...)
}

func to(all []*mockca.Exchange, endpoints ...mockca.Endpoint) (some []*mockca.Exchange) {
	for _, x := range all {
		if slices.Contains(endpoints, x.Endpoint) {
			some = append(some, x)
		}
	}
	return some
}

// says reports whether the client told its user some text, however it was
// wrapped into lines.
func (r *Run) says(text string) bool {
	return strings.Contains(squeeze(r.Output), squeeze(text))
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// excerpt is the end of a text, on one line.
func excerpt(s string) string {
	const limit = 400
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = "..." + strings.ToValidUTF8(s[len(s)-limit:], "")
	}
	return orNothing(s)
}
