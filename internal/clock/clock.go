// Package clock hands time in: everything that waits or compares dates does it
// through a Clock, so that a test, or a simulated CA, can run a year in a second.
//
// Inside a testing/synctest bubble the System clock is virtual already.
package clock

import (
	"context"
	"time"
)

// A Clock tells the time and waits. Implementations are safe for concurrent use.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// Sleep returns nil once d has passed, or the cause of ctx when ctx ends
	// first. A d of zero or less returns at once, with ctx's cause if it ended.
	Sleep(ctx context.Context, d time.Duration) error
}

// System is the machine's own clock.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) Sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
