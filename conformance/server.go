package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/servercases"
	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// ServerRun is a run of the suite that judges servers, planned and not begun.
type ServerRun struct {
	target  Target
	plan    Plan
	env     *servercases.Env
	cases   []suite.Case
	planned planned
}

// PlanServer plans a run against a server. It does not use the network. The
// error says all that is wrong with target and plan.
func PlanServer(target Target, plan Plan) (*ServerRun, error) {
	if err := target.check(); err != nil {
		return nil, err
	}
	r := &ServerRun{target: target, plan: plan.withDefaults(), env: target.env()}
	r.cases = servercases.Cases(r.env)
	var err error
	r.planned, err = r.plan.prepare(r.cases, nil)
	return r, err
}

// Describe says in a few lines what the run will do and use up.
func (r *ServerRun) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d at once, seed %d; at most %s", counted(len(r.planned.run), "case"), r.plan.Jobs, r.plan.Seed, describeCost(r.planned.cost))
	if n := len(r.planned.skipped); n > 0 {
		fmt.Fprintf(&b, "; %d not run", n)
	}
	return b.String()
}

// Count is how many cases will be run.
func (r *ServerRun) Count() int { return len(r.planned.run) }

// Judgement is what a run needs besides its plan.
type Judgement struct {
	Expected Expectations
	Strict   bool         // warnings count
	Progress func(Result) // called after each case, never twice at once
}

// Result is what came of one case.
type Result = suite.Result

// Run runs the planned cases. It ends with ctx; cases that were under way then
// are inconclusive. The error is about expectations that name no case.
func (r *ServerRun) Run(ctx context.Context, j Judgement) (*Report, error) {
	if unknown := j.Expected.unknown(r.cases); len(unknown) > 0 {
		return nil, fmt.Errorf("the list of known deviations names cases that there are not: %s", strings.Join(unknown, ", "))
	}
	defer closeIdle(r.env.Transport)
	report := &Report{Suite: Server, Target: r.target.DirectoryURL, Start: time.Now().UTC(), Seed: r.plan.Seed, Strict: j.Strict, Coverage: coverageOf(Server, r.cases)}
	results := r.plan.run(ctx, r.planned.run, j.Progress)
	report.Duration = time.Since(report.Start)
	report.build(append(results, r.planned.skipped...), j.Expected)
	return report, nil
}

// RunServer plans and runs.
func RunServer(ctx context.Context, target Target, plan Plan, j Judgement) (*Report, error) {
	r, err := PlanServer(target, plan)
	if err != nil {
		return nil, err
	}
	return r.Run(ctx, j)
}

// ServerCases lists the cases that judge servers.
func ServerCases() []CaseInfo { return infos(servercases.Cases(&servercases.Env{})) }

// CaseInfo describes a case.
type CaseInfo struct {
	ID           string   `json:"id"`
	Title        string   `json:"title"`
	Requirements []string `json:"requirements"`
	Level        Level    `json:"level"`
	Does         string   `json:"does"`
	Expects      string   `json:"expects"`

	Needs  []suite.Capability `json:"needs,omitempty"`  // features of clients
	Faults []string           `json:"faults,omitempty"` // of mockca's catalogue
}

func infos(cases []suite.Case) []CaseInfo {
	var out []CaseInfo
	for _, c := range cases {
		out = append(out, CaseInfo{ID: c.ID, Title: c.Title, Requirements: c.Requirements, Level: levelOf(c.Requirements), Does: c.Does, Expects: c.Expects})
	}
	return out
}

// TestServer judges a server in a Go test: every case is a subtest, a MUST that
// is broken is its failure. Cases run in parallel.
func TestServer(t *testing.T, target Target) {
	t.Helper()
	r, err := PlanServer(target, Plan{})
	if err != nil {
		t.Fatalf("conformance: %v", err)
	}
	t.Cleanup(func() { closeIdle(r.env.Transport) })
	for _, c := range r.planned.run {
		t.Run(c.ID, func(t *testing.T) {
			if !c.Alone {
				t.Parallel()
			}
			runCase(t, c, r.plan.Timeout)
		})
	}
}

// runCase runs a case as a Go test.
func runCase(t *testing.T, c suite.Case, limit time.Duration) {
	t.Helper()
	result := suite.Run(t.Context(), c, limit)
	text := CaseResult{Result: result}.Explain()
	switch result.Verdict {
	case suite.Fail:
		t.Errorf("%s\n%s", result.Title, text)
	case suite.Skip, suite.Inconclusive, suite.NotApplicable:
		t.Skipf("%s: %s", result.Verdict, text)
	default:
		if text != "" {
			t.Log(text)
		}
	}
}
