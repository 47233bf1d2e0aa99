package servercases

import (
	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// Cases are all cases, bound to a server. Making them uses no network.
func Cases(env *Env) []suite.Case {
	var cases []suite.Case
	for _, c := range all() {
		itself, shares := c.cost.of(env)
		cases = append(cases, suite.Case{
			ID:           c.id,
			Title:        c.title,
			Requirements: c.requirements,
			Does:         c.does,
			Expects:      c.expects,
			Cost:         itself,
			Shares:       shares,
			Alone:        c.alone,
			Run:          func(t *suite.T) { c.judge(t, env) },
		})
	}
	return cases
}

// judge plays the case for t.
func (c *spec) judge(t *suite.T, env *Env) {
	ended := c.play(t.Context(), env, verdicts{t}, func(x wire.Exchange) { t.Record(shown(x)) })
	if ended == nil {
		return
	}
	switch ended.kind {
	case stopSkipped:
		t.Skip("%s", ended.reason)
	case stopInconclusive:
		t.Inconclusive("%s", ended.reason)
	}
}

// verdicts hands findings on.
type verdicts struct{ t *suite.T }

func (v verdicts) Finding(f finding) {
	verdict := suite.Fail
	if f.severity == unwise {
		verdict = suite.Warn
	}
	v.t.Find(suite.Finding{Verdict: verdict, Requirement: f.requirement, Expected: f.expected, Actual: f.actual, Exchange: f.exchange})
}

func (v verdicts) Record(requirement, text string) { v.t.Note(requirement, "%s", text) }

func (v verdicts) Note(format string, args ...any) { v.t.Logf(format, args...) }

// shown is an exchange as reports show it.
func shown(x wire.Exchange) suite.Exchange {
	out := suite.Exchange{
		Start: x.Start, Duration: x.Duration, Method: x.Method, URL: x.URL,
		RequestHeader: x.RequestHeader, RequestBody: string(x.RequestBody), Protected: x.Protected, Payload: x.Payload,
	}
	if x.Err != nil {
		out.Error = x.Err.Error()
	}
	if x.Response != nil {
		out.Status, out.ResponseHeader, out.ResponseBody = x.Response.Status, x.Response.Header, string(x.Response.Body)
	}
	return out
}
