package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// Waiting for the CA's verdict: RFC 8555, Sections 7.1.6, 7.5.1 and 8.2.

// unseenWait is how long the first look at the order waits for the CA to fetch
// the responses, where the solvers can tell (RFC 8555, Section 7.5.1).
const (
	unseenWait   = 100 * time.Millisecond
	settleWait   = 2 * time.Millisecond
	authzsToLook = 5 * time.Second
)

// await polls the order, not its authorizations, until it is no longer pending.
func (s *solving) await(ctx context.Context) ([]Failure, error) {
	c := s.is.c
	poll := c.newPoller()
	if err := s.firstWait(ctx, poll); err != nil {
		return nil, err
	}
	look := c.clock.Now().Add(authzsToLook)
	for step := authzsToLook; ; {
		o, err := s.is.a.readOrder(ctx, s.order.URL, s.is.ids)
		if err != nil {
			return nil, err
		}
		if err := o.matches(s.is.ids); err != nil {
			return nil, err
		}
		s.order = o
		switch o.Status {
		case StatusPending:
		case StatusInvalid:
			return s.diagnose(ctx)
		default:
			return nil, nil
		}
		if now := c.clock.Now(); now.After(look) { // some CAs leave the order pending when an authorization fails
			if err := s.fetch(ctx); err != nil {
				return nil, err
			}
			if failed := s.unpromising(); len(failed) > 0 {
				return failed, nil
			}
			if err := s.uncovered(); err != nil {
				return nil, err
			}
			step *= 2
			look = now.Add(step)
		}
		if err := poll.wait(ctx, o.RetryAfter); err != nil {
			return nil, pollError(o, err)
		}
	}
}

// uncovered is the error of an order that waits although all its authorizations
// are valid, because it has none for some name.
func (s *solving) uncovered() error {
	covered := make(map[Identifier]bool, len(s.authzs))
	for _, z := range s.authzs {
		if z.Status != StatusValid {
			return nil
		}
		covered[z.Identifier] = true
	}
	for _, id := range s.is.ids {
		if !covered[id.base()] {
			return &Error{Step: "waiting for order", Identifier: joinIdentifiers(s.is.ids), Method: "POST", URL: s.order.URL,
				Err: wrapf(ErrRefused, "all its authorizations are valid, but it has none for %s", id.Value)}
		}
	}
	return nil
}

// firstWait is until the CA said to look, or has fetched every response, or a
// moment has passed.
func (s *solving) firstWait(ctx context.Context, poll *poller) error {
	if len(s.chosen) == 0 {
		return nil
	}
	if !s.hint.IsZero() {
		return poll.wait(ctx, s.hint)
	}
	seen := make([]<-chan struct{}, 0, len(s.chosen))
	for _, c := range s.chosen {
		w, ok := c.solver.(challenge.Watcher)
		if !ok {
			return poll.wait(ctx, time.Time{})
		}
		seen = append(seen, w.Seen(c.task))
	}
	waiting, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, ch := range seen {
			select {
			case <-ch:
			case <-waiting.Done():
				return
			}
		}
		cancel()
	})
	_ = s.is.c.clock.Sleep(waiting, unseenWait)
	cancel()
	wg.Wait()
	return s.is.c.clock.Sleep(ctx, settleWait)
}

// diagnose finds out why the order is invalid, name by name.
func (s *solving) diagnose(ctx context.Context) ([]Failure, error) {
	var failed []Failure
	if err := s.fetch(ctx); err == nil {
		failed = s.unpromising()
	}
	if len(failed) > 0 {
		return failed, nil
	}
	return perNameOrder(s.order), s.is.orderError(s.order)
}

func perNameOrder(o *Order) []Failure {
	if o.Error == nil {
		return nil
	}
	return perName(o.Error)
}

const errExpired = textError("the order has expired")

// orderError is the error of an order that became invalid.
func (is *issuance) orderError(o *Order) error {
	e := &Error{Step: "processing order", Identifier: joinIdentifiers(o.Identifiers), Method: "POST", URL: o.URL}
	if o.Error != nil {
		e.Err = o.Error
	} else {
		e.Err = wrapf(ErrServerInternal, "the order is invalid; the CA gave no reason")
	}
	if !o.Expires.IsZero() && !is.c.clock.Now().Before(o.Expires) {
		e.Err = fmt.Errorf("%w: %w", errExpired, e.Err)
	}
	return e
}
