package suite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// patience is how long a case whose time is over may take to notice.
const patience = 2 * time.Second

// ErrTimeout is the cause of the end of a case's context when its time is over.
var ErrTimeout = errors.New("the case's time is over")

// Run runs a case, and returns in any event within its timeout and a little: a
// panic, and a case that does not end, are inconclusive verdicts with the
// reason, unless a failure was found before. limit is the timeout of cases that
// have none.
func Run(ctx context.Context, c Case, limit time.Duration) Result {
	if c.Timeout > 0 {
		limit = c.Timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
	defer cancel()
	t := &T{ctx: ctx, result: Result{ID: c.ID, Title: c.Title, Requirements: c.Requirements, Start: time.Now()}}

	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.recover()
		c.Run(t)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		give := time.NewTimer(patience)
		defer give.Stop()
		select {
		case <-done:
		case <-give.C:
		}
	}
	t.judgeTime(ctx, done)
	return t.close(time.Now())
}

// recover turns the panic of a case into a verdict.
func (t *T) recover() {
	p := recover()
	if _, early := p.(endOfCase); p == nil || early {
		return
	}
	t.change(func(r *Result) {
		t.ended, r.Reason = Inconclusive, fmt.Sprintf("the case itself is at fault, it panicked: %v", p)
		r.Log = append(r.Log, string(debug.Stack()))
	})
}

// judgeTime gives a case that ran out of time its reason.
func (t *T) judgeTime(ctx context.Context, done <-chan struct{}) {
	if ctx.Err() == nil {
		return
	}
	reason := fmt.Sprintf("it did not end in time: %v", context.Cause(ctx))
	select {
	case <-done:
		if t.hasEnded() {
			return
		}
	default:
		reason += ", and goes on"
	}
	t.change(func(r *Result) { t.ended, r.Reason = Inconclusive, reason })
}

func (t *T) hasEnded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended != "" || len(t.result.Findings) > 0
}
