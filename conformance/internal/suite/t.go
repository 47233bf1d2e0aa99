package suite

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// T is handed to a running case: it takes what the case finds. Its methods are
// safe for concurrent use, but for those that end the case, which only the
// goroutine that Run was called on may call.
//
// What is not as expected is said by Must and Should, which let the case go on
// and return whether all was well, or by Require, which ends it. expected and
// actual complete "expected ..., but ...".
type T struct {
	ctx context.Context

	mu     sync.Mutex
	result Result
	shown  int     // the exchange that findings are about; 0: the latest
	ended  Verdict // by Skip, Inconclusive or NotApplicable; empty when not
	closed bool    // the case was given up: nothing it says counts any more
}

// endOfCase is the panic that ends a case early.
type endOfCase struct{}

// Context ends when the case's time is over. Everything that waits must obey it.
func (t *T) Context() context.Context { return t.ctx }

// Logf keeps a line for the report.
func (t *T) Logf(format string, args ...any) {
	t.change(func(r *Result) { r.Log = append(r.Log, fmt.Sprintf(format, args...)) })
}

// Record keeps an exchange for the report, and returns its number, from 1.
// Findings that follow point to it.
func (t *T) Record(x Exchange) (number int) {
	t.change(func(r *Result) {
		r.Exchanges = append(r.Exchanges, x)
		number, t.shown = len(r.Exchanges), 0
	})
	return number
}

// Show has the findings that follow point to an exchange that Record numbered,
// until the next Record; 0 stands for the latest.
func (t *T) Show(number int) { t.change(func(*Result) { t.shown = number }) }

// Must says that a requirement with MUST is broken unless ok.
func (t *T) Must(ok bool, requirement, expected, actual string, args ...any) bool {
	return t.find(ok, Fail, requirement, expected, actual, args)
}

// Should says that a requirement with SHOULD is not followed unless ok.
func (t *T) Should(ok bool, requirement, expected, actual string, args ...any) bool {
	return t.find(ok, Warn, requirement, expected, actual, args)
}

// Require is Must, and ends the case unless ok.
func (t *T) Require(ok bool, requirement, expected, actual string, args ...any) {
	if !t.Must(ok, requirement, expected, actual, args...) {
		panic(endOfCase{})
	}
}

// Note records what a requirement with MAY looks like here.
func (t *T) Note(requirement, actual string, args ...any) {
	t.find(false, Pass, requirement, "", actual, args)
}

func (t *T) find(ok bool, verdict Verdict, requirement, expected, actual string, args []any) bool {
	if ok {
		return true
	}
	t.Find(Finding{Verdict: verdict, Requirement: requirement, Expected: expected, Actual: fmt.Sprintf(actual, args...)})
	return false
}

// Find hands in a finding. When it names no exchange it is about the one shown,
// or the latest.
func (t *T) Find(f Finding) {
	t.change(func(r *Result) {
		if f.Exchange == 0 {
			f.Exchange = t.shown
		}
		if f.Exchange == 0 {
			f.Exchange = len(r.Exchanges)
		}
		r.Findings = append(r.Findings, f)
	})
}

// Stop ends the case: what it has found so far decides.
func (t *T) Stop() { panic(endOfCase{}) }

// Skip ends the case, as the one who is judged does not offer what it is about.
func (t *T) Skip(reason string, args ...any) { t.end(Skip, reason, args) }

// NotApplicable ends the case, as the client has no such feature.
func (t *T) NotApplicable(reason string, args ...any) { t.end(NotApplicable, reason, args) }

// Inconclusive ends the case, as the surroundings don't let it judge.
func (t *T) Inconclusive(reason string, args ...any) { t.end(Inconclusive, reason, args) }

func (t *T) end(verdict Verdict, reason string, args []any) {
	t.change(func(r *Result) {
		t.ended = verdict
		r.Reason = fmt.Sprintf(reason, args...)
	})
	panic(endOfCase{})
}

func (t *T) change(do func(*Result)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		do(&t.result)
	}
}

// close ends the taking of findings and returns the result.
func (t *T) close(end time.Time) Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.result.Duration = end.Sub(t.result.Start)
	t.result.Verdict = t.verdict()
	return t.result
}

// verdict is the worst of the findings; what ended the case early comes after a
// failure that was found before.
func (t *T) verdict() Verdict {
	worst := Pass
	for _, f := range t.result.Findings {
		if f.Verdict == Fail {
			return Fail
		}
		if f.Verdict == Warn {
			worst = Warn
		}
	}
	if t.ended != "" {
		return t.ended
	}
	return worst
}
