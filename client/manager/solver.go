package manager

import (
	"context"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
)

// observed makes the solvers emit what they do. What a solver can do besides
// (challenge.Checker, challenge.Watcher) it still can.
func (m *Manager) observed(solvers []client.SolverFor) []client.SolverFor {
	out := make([]client.SolverFor, len(solvers))
	for i, s := range solvers {
		o := observedSolver{m, s.Solver}
		out[i] = client.SolverFor{Type: s.Type, Solver: o}
		if w, ok := s.Solver.(challenge.Watcher); ok {
			out[i].Solver = struct {
				observedSolver
				challenge.Watcher
			}{o, w}
		}
	}
	return out
}

type observedSolver struct {
	m *Manager
	challenge.Solver
}

// Present implements challenge.Solver.
func (s observedSolver) Present(ctx context.Context, challenges []challenge.Challenge) error {
	err := s.Solver.Present(ctx, challenges)
	failed := challenge.Failed(err, challenges)
	for _, c := range challenges {
		s.m.emit(Event{Kind: EventChallenge, Name: named(c), Challenge: c.Type, URL: c.URL, Err: failed[c.URL]})
	}
	return err
}

// CleanUp implements challenge.Solver.
func (s observedSolver) CleanUp(ctx context.Context, challenges []challenge.Challenge) error {
	err := s.Solver.CleanUp(ctx, challenges)
	for _, c := range challenges {
		s.m.emit(Event{Kind: EventChallengeEnd, Name: named(c), Challenge: c.Type, URL: c.URL})
	}
	return err
}

// Check implements challenge.Checker; a solver without it passes.
func (s observedSolver) Check(ctx context.Context) error {
	if c, ok := s.Solver.(challenge.Checker); ok {
		return c.Check(ctx)
	}
	return nil
}

func named(c challenge.Challenge) string {
	if c.Wildcard {
		return "*." + c.Identifier
	}
	return c.Identifier
}
