package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// Proving control over all names of an order at once: RFC 8555, Section 7.5.1.

// solving is the validation of one order.
type solving struct {
	is        *issuance
	order     *Order
	authzs    []*Authorization
	chosen    []*choice
	presented []presentation
	cleaning  sync.WaitGroup
	cleaned   bool
	hint      time.Time // Retry-After of the answers to challenges
}

// choice is the challenge that is to prove one authorization.
type choice struct {
	id     Identifier // with "*." for a wildcard
	authz  *Authorization
	ch     *Challenge
	solver challenge.Solver
	task   challenge.Challenge
	given  bool // to its solver
	ready  bool // presented
}

type presentation struct {
	solver challenge.Solver
	tasks  []challenge.Challenge
}

// each runs f for 0..n-1, no more than Config.Parallel at once, and returns the
// first error; the others are cancelled then.
func (c *Client) each(ctx context.Context, n int, f func(context.Context, int) error) error {
	if n == 1 {
		return f(ctx, 0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
		next  = make(chan int)
	)
	for range min(n, c.cfg.Parallel) {
		wg.Go(func() {
			for i := range next {
				if err := f(ctx, i); err != nil {
					once.Do(func() { first = err; cancel() })
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if first == nil {
		first = context.Cause(ctx) // nil unless the caller's has ended
	}
	return first
}

// validate brings the order to ready, or says which names failed.
func (s *solving) validate(ctx context.Context) ([]Failure, error) {
	if s.order.Status == StatusInvalid {
		return s.diagnose(ctx)
	}
	if err := s.fetch(ctx); err != nil {
		return nil, err
	}
	if failed := s.unpromising(); len(failed) > 0 {
		return failed, nil
	}
	if failed, err := s.present(ctx); err != nil || len(failed) > 0 {
		return failed, err
	}
	if err := s.answer(ctx); err != nil {
		return nil, err
	}
	return s.await(ctx)
}

// fetch reads all authorizations.
func (s *solving) fetch(ctx context.Context) error {
	urls := s.order.Authorizations
	if len(urls) == 0 && s.order.Status == StatusPending {
		return &Error{Step: "reading order", Identifier: joinIdentifiers(s.is.ids), Method: "POST", URL: s.order.URL,
			Err: wrapf(ErrRefused, "the order is pending but has no authorizations")}
	}
	s.authzs = make([]*Authorization, len(urls))
	ordered := make(map[Identifier]struct{}, len(s.is.ids))
	for _, id := range s.is.ids {
		ordered[id.base()] = struct{}{}
	}
	return s.is.c.each(ctx, len(urls), func(ctx context.Context, i int) error {
		z, err := s.is.a.Authorization(ctx, urls[i])
		if err != nil {
			return err
		}
		if _, ok := ordered[z.Identifier]; !ok {
			return &Error{Step: "reading authorization", Method: "POST", URL: urls[i],
				Err: wrapf(ErrRefused, "it is for %q, which was not ordered", printable(z.Identifier.Value))}
		}
		s.authzs[i] = z
		return nil
	})
}

// identifier is what was ordered that an authorization is for. CAs may leave
// the wildcard flag out.
func (s *solving) identifier(z *Authorization) Identifier {
	if z.Identifier.Type != TypeDNS || !s.is.wild {
		return z.Identifier
	}
	wild := Identifier{z.Identifier.Type, "*." + z.Identifier.Value}
	if !containsIdentifier(s.is.ids, wild) {
		return z.Identifier
	}
	if z.Wildcard || !containsIdentifier(s.is.ids, z.Identifier) {
		return wild
	}
	return z.Identifier
}

// unpromising lists the authorizations that no challenge can help.
func (s *solving) unpromising() []Failure {
	var failed []Failure
	for _, z := range s.authzs {
		if z.Status != StatusPending && z.Status != StatusValid {
			kind, err := z.reason()
			failed = append(failed, Failure{s.identifier(z), kind, err})
		}
	}
	return failed
}

// choose picks the challenge for an authorization by the caller's preference.
func (s *solving) choose(z *Authorization) (*choice, error) {
	id := s.identifier(z)
	var why []error
	for _, candidate := range s.is.r.Solvers {
		for i := range z.Challenges {
			ch := &z.Challenges[i]
			if ch.Type != candidate.Type || ch.Status == StatusInvalid || !possible(id, ch.Type) {
				continue
			}
			if err := s.is.excuse(id, ch.Type); err != nil {
				why = append(why, fmt.Errorf("%s: %w", ch.Type, err))
				continue
			}
			task, err := s.is.a.solvable(z, ch, id.Wildcard())
			if err != nil {
				return nil, err // hostile: not to be answered by another type
			}
			return &choice{id: id, authz: z, ch: ch, solver: candidate.Solver, task: task}, nil
		}
	}
	if len(why) > 0 {
		return nil, errors.Join(why...)
	}
	return nil, wrapf(ErrNoSolver, "the CA offers %s; there are solvers for %s", z.offers(), s.is.solverTypes())
}

func (is *issuance) solverTypes() string {
	if len(is.r.Solvers) == 0 {
		return "nothing"
	}
	var list string
	for i, s := range is.r.Solvers {
		if i > 0 {
			list += ", "
		}
		list += s.Type
	}
	return list
}

// present hands each solver all of its challenges at once. What a solver could
// not present is tried by the next type, on the same order.
func (s *solving) present(ctx context.Context) ([]Failure, error) {
	todo := s.authzs
	for len(todo) > 0 {
		var failed []Failure
		var fresh []*choice
		for _, z := range todo {
			if z.Status == StatusValid {
				continue
			}
			ch, err := s.choose(z)
			if err != nil {
				failed = append(failed, Failure{Identifier: s.identifier(z), Err: err})
				continue
			}
			fresh = append(fresh, ch)
		}
		if len(failed) > 0 {
			return failed, nil
		}
		todo = nil
		for _, c := range s.presentAll(ctx, fresh) {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			todo = append(todo, c.authz)
		}
		for _, c := range fresh {
			if c.ready {
				s.chosen = append(s.chosen, c)
			}
		}
	}
	return nil, nil
}

// presentAll presents choices, all solvers at once, and returns those that
// could not be.
func (s *solving) presentAll(ctx context.Context, fresh []*choice) (unpresented []*choice) {
	var mu sync.Mutex
	var presents []func()
	for _, by := range s.is.r.Solvers {
		var group []*choice
		for _, c := range fresh {
			if c.ch.Type == by.Type && !c.given {
				c.given = true
				group = append(group, c)
			}
		}
		if len(group) == 0 {
			continue
		}
		p := presentation{solver: by.Solver, tasks: make([]challenge.Challenge, len(group))}
		for j, c := range group {
			p.tasks[j] = c.task
		}
		s.presented = append(s.presented, p)
		presents = append(presents, func() {
			failed := challenge.Failed(p.solver.Present(ctx, p.tasks), p.tasks)
			mu.Lock()
			defer mu.Unlock()
			for _, c := range group {
				if err := failed[c.task.URL]; err != nil {
					s.is.excluded[attempted{c.id, c.ch.Type}] = err
					unpresented = append(unpresented, c)
				} else {
					c.ready = true
				}
			}
		})
	}
	var wg sync.WaitGroup
	for i, present := range presents {
		if i == len(presents)-1 {
			present()
		} else {
			wg.Go(present)
		}
	}
	wg.Wait()
	return unpresented
}

// answer tells the CA of every response that is in place.
func (s *solving) answer(ctx context.Context) error {
	var mu sync.Mutex
	return s.is.c.each(ctx, len(s.chosen), func(ctx context.Context, i int) error {
		c := s.chosen[i]
		if c.ch.Status == StatusValid || c.ch.Status == StatusProcessing {
			return nil // an earlier run answered it
		}
		after, err := s.is.a.Answer(ctx, c.ch)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if after.RetryAfter.After(s.hint) {
			s.hint = after.RetryAfter
		}
		return nil
	})
}

// cleanUp begins to take the responses away; end awaits it.
func (s *solving) cleanUp(ctx context.Context) {
	if s.cleaned {
		return
	}
	s.cleaned = true
	for _, p := range s.presented {
		s.cleaning.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
			defer cancel()
			if err := p.solver.CleanUp(ctx, p.tasks); err != nil {
				s.is.c.log.WarnContext(ctx, "acme: cleaning up challenges", "err", err)
			}
		})
	}
}

func (s *solving) end(ctx context.Context) {
	s.cleanUp(ctx)
	s.cleaning.Wait()
}

// abandon deactivates what is pending still, so that it does not count against
// rate limits (RFC 8555, Section 7.5.2), unless the order is kept for resuming.
func (s *solving) abandon(ctx context.Context, err error) {
	if s.is.r.OnPending != nil && err != nil && (ctx.Err() != nil || Temporary(err)) {
		return
	}
	s.cleanUp(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var pending []string
	for i, url := range s.order.Authorizations {
		if i >= len(s.authzs) || s.authzs[i] == nil || s.authzs[i].Status == StatusPending {
			pending = append(pending, url)
		}
	}
	if errors.Is(err, ErrUnreachable) {
		return
	}
	_ = s.is.c.each(ctx, len(pending), func(ctx context.Context, i int) error {
		if err := s.is.a.DeactivateAuthorization(ctx, pending[i]); err != nil {
			s.is.c.log.DebugContext(ctx, "acme: deactivating authorization", "url", pending[i], "err", err)
		}
		return nil
	})
}
