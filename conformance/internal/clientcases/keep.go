package clientcases

import (
	"context"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Clients that renew for ever, by a clock that the suite moves: weeks take
// seconds. CA and client share the clock; only the time that answers take is
// real.

const (
	// settled is how long nothing must happen before the clock moves on.
	settled = 12 * time.Millisecond
	// stuck is how long a client may do nothing without waiting on its clock.
	stuck = 30 * time.Second
	// keepPatience is for all the real time of such a run.
	keepPatience = 2 * time.Minute
)

// kept is what came of keeping a certificate renewed.
type kept struct {
	*Run
	begin time.Time // of the virtual time
}

// keep has the client keep a certificate renewed for some virtual time.
func (t *Trial) keep(d time.Duration, change ...func(*Env)) *kept {
	env := t.changed(change)
	t.patience = max(t.patience, keepPatience)
	clock := t.CA.Clock()
	env.Clock = clock
	k := &kept{begin: clock.Now()}
	until := k.begin.Add(d)
	driven := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(driven)
		t.drive(ctx, until)
		cancel()
	}()
	k.Run = t.runIn(ctx, env, KeepRenewed, true)
	cancel()
	<-driven
	return k
}

// drive moves the clock from sleeper to sleeper, whenever all is quiet.
func (t *Trial) drive(ctx context.Context, until time.Time) {
	clock := t.CA.Clock()
	last, since := -1, time.Now()
	for ctx.Err() == nil {
		time.Sleep(time.Millisecond)
		if n := t.CA.Transcript().Count(); n != last {
			last, since = n, time.Now()
			continue
		}
		quiet := time.Since(since)
		if quiet < settled {
			continue
		}
		next, waits := clock.Next()
		if !waits {
			if quiet > stuck {
				return
			}
			continue
		}
		if next.After(until) {
			return
		}
		clock.Set(next)
		since = time.Now()
	}
}

// standing gives the CA a clock that is moved by hand.
func standing(s *Stage) {
	s.CA.Clock = mockca.NewClock(time.Now().Truncate(time.Second))
	s.CA.Validation.NoCAA = true
}

// gaps are the times between requests.
func gaps(all []*mockca.Exchange) (out []time.Duration) {
	for i := 1; i < len(all); i++ {
		out = append(out, all[i].Start.Sub(all[i-1].Start))
	}
	return out
}
