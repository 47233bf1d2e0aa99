package manager

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/client"
)

// longestSleep is how long the loop sleeps without a look at the clock: a timer
// stands still while a machine is suspended.
const longestSleep = 5 * time.Minute

// RunRenewalLoop keeps the certificate good until ctx ends, and returns nil
// then. It looks at the certificate at once, every 12 hours give or take one,
// and before that when the CA's renewal information or the certificate's
// lifetime say so. It backs off after failures, by the CA's Retry-After where
// there is one, never gives up, and meanwhile leaves the old certificate in
// service. It also does what Watch does.
func (m *Manager) RunRenewalLoop(ctx context.Context) error {
	var watching sync.WaitGroup
	watching.Go(func() { _ = m.Watch(ctx) }) // nil, when ctx has ended
	defer watching.Wait()
	for ctx.Err() == nil {
		at, turn := m.nextLook()
		if m.clock.Now().Round(0).Before(at) {
			m.sleep(ctx, at, turn)
			continue
		}
		if _, err := m.ensure(ctx, inLoop); err != nil && ctx.Err() == nil {
			m.log.Debug("acme: renewal loop goes on", "err", err)
		}
	}
	return nil
}

func (m *Manager) nextLook() (at time.Time, turn int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next, m.turn
}

// sleep ends at the time at, or when a look in between has changed that.
func (m *Manager) sleep(ctx context.Context, at time.Time, turn int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.mu.Lock()
	if m.turn != turn {
		m.mu.Unlock()
		return
	}
	m.wake = cancel
	m.mu.Unlock()
	for ctx.Err() == nil {
		left := at.Sub(m.clock.Now().Round(0))
		if left <= 0 || m.clock.Sleep(ctx, min(left, longestSleep)) != nil {
			return
		}
	}
}

// lookAt sets the time of the next look.
func (m *Manager) lookAt(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = at.Round(0)
	m.turn++
	if m.wake != nil {
		m.wake()
		m.wake = nil
	}
}

// done plans after a look that found or made all good.
func (m *Manager) done(out Outcome) {
	now := m.clock.Now().Round(0)
	m.mu.Lock()
	m.failed = 0
	asking := m.notes.AskAt
	if out.Certificate == nil || m.notes.NotOffered || m.notes.Fingerprint != fingerprint(out.Certificate) {
		asking = time.Time{}
	}
	m.mu.Unlock()
	due := out.Status.RenewAt
	if out.Renewed {
		due = dueByLifetime(out.Certificate, m.cfg.RenewBeforeDays)
		asking = now.Add(time.Minute) // the window of the new certificate
	}
	at := earliest(now.Add(between(checkEvery-checkJitter, checkEvery+checkJitter)), due, asking)
	if soonest := now.Add(time.Second); at.Before(soonest) {
		at = soonest
	}
	m.lookAt(at)
	m.emit(Event{Kind: EventChecked, Status: out.Status, Certificate: out.Certificate, At: at})
}

// failedNow plans after a failure.
func (m *Manager) failedNow(ctx context.Context, err error) {
	now := m.clock.Now().Round(0)
	whole := time.Duration(defaultPeriod)
	c := m.current.Load()
	var kept notes
	if c != nil {
		whole = lifetime(c.Leaf)
		kept = m.loadNotes(ctx).of(c.Leaf)
	}
	m.mu.Lock()
	m.failed = max(m.failed, kept.Failed) + 1
	n := m.failed
	m.mu.Unlock()
	pause := backoff(n, whole)
	if _, refused := errors.AsType[*client.VerificationError](err); refused && !m.clockIsWrong(err) {
		pause = max(pause, min(gap(n, whole), day)) // every second attempt costs a certificate
	}
	at := now.Add(pause)
	if told, ok := client.RetryAt(err); ok && told.After(at) {
		at = earliest(told, now.Add(longestRetry)).Add(between(0, time.Second))
	}
	m.lookAt(at)
	if c != nil {
		kept.Failed, kept.RetryAt = n, at
		m.saveNotes(ctx, kept)
	}
	m.emit(Event{Kind: EventFailed, Err: err, At: at})
}
