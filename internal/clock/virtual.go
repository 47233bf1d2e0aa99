package clock

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Virtual is a Clock that is moved by hand, and otherwise runs along with the
// machine's clock or stands still. The zero value is not usable; see NewVirtual
// and NewOffset. It is safe for concurrent use.
type Virtual struct {
	mu       sync.Mutex
	running  bool      // time passes by itself too
	base     time.Time // the virtual time when last moved
	since    time.Time // the machine's time at that moment
	sleepers sleepers
}

// NewVirtual returns a clock that stands at start until it is moved.
func NewVirtual(start time.Time) *Virtual { return &Virtual{base: start.Round(0)} }

// NewOffset returns a clock that starts at the machine's time and runs along
// with it; Advance adds to the distance between the two.
func NewOffset() *Virtual {
	now := time.Now()
	return &Virtual{running: true, base: now.Round(0), since: now}
}

// Now is the virtual time.
func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now()
}

func (v *Virtual) now() time.Time {
	if !v.running {
		return v.base
	}
	return v.base.Add(time.Since(v.since))
}

// Advance moves the clock by d and wakes every sleeper whose time has come. A
// negative d moves it back; sleepers then sleep longer.
func (v *Virtual) Advance(d time.Duration) {
	v.move(func(now time.Time) time.Time { return now.Add(d) })
}

// Set moves the clock to t.
func (v *Virtual) Set(t time.Time) { v.move(func(time.Time) time.Time { return t.Round(0) }) }

func (v *Virtual) move(to func(time.Time) time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.base = to(v.now())
	v.since = time.Now()
	for len(v.sleepers) > 0 && !v.sleepers[0].until.After(v.base) {
		close(heap.Pop(&v.sleepers).(*sleeper).woken)
	}
	if v.running { // the others' timers count from the old distance: let them look again
		for _, s := range v.sleepers {
			select {
			case s.moved <- struct{}{}:
			default:
			}
		}
	}
}

// Sleepers is how many calls of Sleep are waiting: what a test asks before it
// advances the clock.
func (v *Virtual) Sleepers() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.sleepers)
}

// Next is when the first sleeper wakes; ok is false when nobody sleeps.
func (v *Virtual) Next() (t time.Time, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.sleepers) == 0 {
		return time.Time{}, false
	}
	return v.sleepers[0].until, true
}

// Sleep waits until the virtual time has moved by d, or ctx ends.
func (v *Virtual) Sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil || d <= 0 {
		return err
	}
	v.mu.Lock()
	s := &sleeper{until: v.now().Add(d), woken: make(chan struct{}), moved: make(chan struct{}, 1)}
	heap.Push(&v.sleepers, s)
	v.mu.Unlock()
	defer v.forget(s)

	for {
		var timer *time.Timer
		var passed <-chan time.Time
		if v.running {
			timer = time.NewTimer(s.until.Sub(v.Now()))
			passed = timer.C
		}
		var done bool
		select {
		case <-ctx.Done():
			done = true
		case <-s.woken:
			done = true
		case <-passed:
			done = true
		case <-s.moved:
		}
		if timer != nil {
			timer.Stop()
		}
		if done {
			return context.Cause(ctx)
		}
	}
}

func (v *Virtual) forget(s *sleeper) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.index >= 0 {
		heap.Remove(&v.sleepers, s.index)
	}
}

type sleeper struct {
	until time.Time
	woken chan struct{}
	moved chan struct{}
	index int
}

// sleepers is a heap by time of waking.
type sleepers []*sleeper

func (s sleepers) Len() int           { return len(s) }
func (s sleepers) Less(i, j int) bool { return s[i].until.Before(s[j].until) }
func (s sleepers) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *sleepers) Push(x any) {
	e := x.(*sleeper)
	e.index = len(*s)
	*s = append(*s, e)
}

func (s *sleepers) Pop() any {
	old := *s
	e := old[len(old)-1]
	e.index = -1
	*s = old[:len(old)-1]
	return e
}
