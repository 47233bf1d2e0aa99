package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/clientcases"
	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// What a client is told, and what it can do: see the package's documentation of
// the fields.
type (
	// TestedClient is a client that is to be judged: a function that does what
	// Env says.
	TestedClient = clientcases.Client
	// Env is what a client is told for one run.
	Env = clientcases.Env
	// Operation is what a client is run for.
	Operation = clientcases.Operation
	// Feature is what a client can do, or not.
	Feature = clientcases.Feature
)

// ClientRun is a run of the suite that judges clients, planned and not begun.
type ClientRun struct {
	client  TestedClient
	plan    Plan
	cases   []suite.Case
	planned planned
}

const (
	clientTimeout = 2 * time.Minute  // for one scenario
	toEnd         = 15 * time.Second // for ending a client, and judging it, after that
)

// PlanClient plans a run against a client. Plan.Timeout is the time for one
// scenario, 2 minutes when 0; one run of the client may take three eighths of it.
func PlanClient(client TestedClient, plan Plan) (*ClientRun, error) {
	if client.Run == nil {
		return nil, fmt.Errorf("the client %q has no Run", client.Name)
	}
	for _, f := range client.Features {
		if !knownFeature(f) {
			return nil, fmt.Errorf("the client has the feature %q: there are %s", f, joined(clientcases.Features()))
		}
	}
	if plan.Timeout <= 0 {
		plan.Timeout = clientTimeout
	}
	r := &ClientRun{client: client, plan: plan.withDefaults()}
	r.cases = clientcases.Cases(client, clientcases.Settings{Patience: patience(r.plan.Timeout)})
	r.plan.Timeout += toEnd
	var err error
	r.planned, err = r.plan.prepare(r.cases, nil)
	return r, err
}

func knownFeature(f Feature) bool {
	for _, known := range clientcases.Features() {
		if f == known {
			return true
		}
	}
	return false
}

// patience with one run of the client leaves some time for the judge.
func patience(scenario time.Duration) time.Duration {
	if scenario <= time.Minute {
		return scenario * 3 / 4
	}
	return scenario * 3 / 8
}

// Describe says in a line what the run will do.
func (r *ClientRun) Describe() string {
	return fmt.Sprintf("%d scenarios, %d at once, seed %d", len(r.planned.run), r.plan.Jobs, r.plan.Seed)
}

// Count is how many scenarios will be run.
func (r *ClientRun) Count() int { return len(r.planned.run) }

// Run runs the planned scenarios. A client that does not get a certificate from
// a CA without fault is judged by nothing else. The error is about expectations
// that name no scenario.
func (r *ClientRun) Run(ctx context.Context, j Judgement) (*Report, error) {
	if unknown := j.Expected.unknown(r.cases); len(unknown) > 0 {
		return nil, fmt.Errorf("the list of known deviations names scenarios that there are not: %s", strings.Join(unknown, ", "))
	}
	report := &Report{Suite: Client, Target: r.client.Name, Start: time.Now().UTC(), Seed: r.plan.Seed, Strict: j.Strict, Coverage: coverageOf(Client, r.cases)}
	base, others := r.baseline()
	results := r.plan.run(ctx, []suite.Case{base}, j.Progress)
	if works(results[0]) {
		results = append(results, r.plan.run(ctx, others, j.Progress)...)
	} else {
		for _, c := range others {
			results = append(results, suite.Result{ID: c.ID, Title: c.Title, Requirements: c.Requirements, Verdict: suite.Inconclusive, Start: time.Now(),
				Reason: "not run, as the client got no certificate from a CA without fault: see " + clientcases.Baseline})
		}
	}
	report.Duration = time.Since(report.Start)
	report.build(append(results, r.planned.skipped...), j.Expected)
	return report, nil
}

// baseline is the case that comes first, selected or not.
func (r *ClientRun) baseline() (base suite.Case, others []suite.Case) {
	for _, c := range r.cases {
		if c.ID == clientcases.Baseline {
			base = c
		}
	}
	for _, c := range r.planned.run {
		if c.ID != clientcases.Baseline {
			others = append(others, c)
		}
	}
	return base, others
}

// works reports whether more can be learned about a client. One that can't do
// http-01 may do other things.
func works(r suite.Result) bool {
	return r.Verdict == suite.Pass || r.Verdict == suite.Warn || r.Verdict == suite.NotApplicable
}

// RunClient plans and runs.
func RunClient(ctx context.Context, client TestedClient, plan Plan, j Judgement) (*Report, error) {
	r, err := PlanClient(client, plan)
	if err != nil {
		return nil, err
	}
	return r.Run(ctx, j)
}

// ClientScenarios lists the scenarios that judge clients.
func ClientScenarios() []CaseInfo {
	out := infos(clientcases.Cases(TestedClient{}, clientcases.Settings{}))
	for i, s := range clientcases.All() {
		out[i].Needs, out[i].Faults = s.Needs, s.Faults
	}
	return out
}

// ClientFeatures lists what a client may be able to do.
func ClientFeatures() []Feature { return clientcases.Features() }

// TestClient judges a client in a Go test: every scenario is a subtest, a MUST
// that is broken is its failure. Scenarios run in parallel, those that the
// client has no feature for are skipped.
func TestClient(t *testing.T, client TestedClient) {
	t.Helper()
	r, err := PlanClient(client, Plan{})
	if err != nil {
		t.Fatalf("conformance: %v", err)
	}
	base, others := r.baseline()
	t.Run(base.ID, func(t *testing.T) { runCase(t, base, r.plan.Timeout) })
	if t.Failed() {
		t.Fatal("the client got no certificate from a CA without fault: nothing else can be said about it")
	}
	for _, c := range others {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			runCase(t, c, r.plan.Timeout)
		})
	}
}
