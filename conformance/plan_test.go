package conformance

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

func someCases() []suite.Case {
	run := func(*suite.T) {}
	return []suite.Case{
		{ID: "rfc8555/6.5/nonce-replayed", Requirements: []string{"RFC8555-6.5-05"}, Run: run, Cost: suite.Cost{Accounts: 1}},
		{ID: "rfc8555/7.1/index", Requirements: []string{"RFC8555-7.1-03"}, Run: run},
		{ID: "rfc8555/7.1.1/meta", Requirements: []string{"RFC8555-7.1.1-05"}, Run: run},
		{ID: "rfc8555/7.10/last", Requirements: []string{"RFC8555-6.1-04"}, Run: run},
		{ID: "rfc9773/4.2/window", Requirements: []string{"RFC9773-4.2-01"}, Run: run, Needs: []suite.Capability{"renewalInfo"}},
	}
}

func ids(p planned) (run, skipped []string) {
	for _, c := range p.run {
		run = append(run, c.ID)
	}
	for _, r := range p.skipped {
		skipped = append(skipped, r.ID+": "+r.Reason)
	}
	slices.Sort(run)
	return run, skipped
}

func TestPlanPicksCases(t *testing.T) {
	t.Parallel()
	offered := map[suite.Capability]bool{"renewalInfo": true}
	for name, row := range map[string]struct {
		plan    Plan
		offered map[suite.Capability]bool
		run     []string
		skipped []string
	}{
		"all":             {Plan{}, offered, []string{"rfc8555/6.5/nonce-replayed", "rfc8555/7.1.1/meta", "rfc8555/7.1/index", "rfc8555/7.10/last", "rfc9773/4.2/window"}, nil},
		"standard":        {Plan{Select: []string{"RFC9773"}}, offered, []string{"rfc9773/4.2/window"}, nil},
		"section and sub": {Plan{Select: []string{"rfc8555/7.1"}}, offered, []string{"rfc8555/7.1.1/meta", "rfc8555/7.1/index"}, nil},
		"case":            {Plan{Select: []string{"rfc8555/7.10/last"}}, offered, []string{"rfc8555/7.10/last"}, nil},
		"must":            {Plan{Level: Must, Select: []string{"rfc8555"}}, offered, []string{"rfc8555/6.5/nonce-replayed", "rfc8555/7.1/index"}, nil},
		"should":          {Plan{Level: Should, Select: []string{"rfc8555"}}, offered, []string{"rfc8555/6.5/nonce-replayed", "rfc8555/7.1/index", "rfc8555/7.10/last"}, nil},
		"not offered":     {Plan{Select: []string{"rfc9773"}}, nil, nil, []string{"rfc9773/4.2/window: not offered: renewalInfo"}},
		"budget": {Plan{Select: []string{"rfc8555/6.5", "rfc8555/7.1"}, Budget: &Budget{}}, offered, []string{"rfc8555/7.1.1/meta", "rfc8555/7.1/index"},
			[]string{"rfc8555/6.5/nonce-replayed: over the budget: it uses 1 account, 0 orders, 0 failed validations"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := row.plan.withDefaults().prepare(someCases(), row.offered)
			require.NoError(t, err)
			run, skipped := ids(got)
			require.Equal(t, row.run, run)
			require.Equal(t, row.skipped, skipped)
		})
	}
	for _, selector := range []string{"rfc8555/7", "rfc8555/7.2", "rfc8555/7.1/inde", "x"} {
		_, err := Plan{Select: []string{selector, "rfc8555"}}.withDefaults().prepare(someCases(), offered)
		if selector == "rfc8555/7" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrNoCases, selector)
		require.ErrorContains(t, err, selector)
	}
}

func TestSeedDecidesTheOrder(t *testing.T) {
	t.Parallel()
	order := func(seed uint64) (got []string) {
		p, err := Plan{Seed: seed}.withDefaults().prepare(someCases(), map[suite.Capability]bool{"renewalInfo": true})
		require.NoError(t, err)
		for _, c := range p.run {
			got = append(got, c.ID)
		}
		return got
	}
	require.Equal(t, order(1), order(1))
	different := false
	for seed := range uint64(20) {
		different = different || !slices.Equal(order(1), order(seed+2))
	}
	require.True(t, different)
	require.NotZero(t, Plan{}.withDefaults().Seed)
}

func TestParseBudget(t *testing.T) {
	t.Parallel()
	b, err := ParseBudget("accounts=2, failures=0")
	require.NoError(t, err)
	require.Equal(t, &Budget{2, unlimited, 0}, b)
	for _, text := range []string{"", "accounts", "accounts=x", "accounts=-1", "accounts=1x", "certs=1"} {
		_, err := ParseBudget(text)
		require.ErrorContains(t, err, text)
	}
}

func TestRunsAtMostSoManyAtOnceAndTheLonelyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		var cases []suite.Case
		for i := range 20 {
			alone := i < 2
			cases = append(cases, suite.Case{ID: fmt.Sprint(i), Alone: alone, Run: func(c *suite.T) {
				n := running.Add(1)
				defer running.Add(-1)
				most.Store(max(most.Load(), n))
				time.Sleep(time.Second)
				c.Must(!alone || running.Load() == 1, "RFC8555-6.5-05", "nobody else", "somebody")
			}})
		}
		began := time.Now()
		progress := 0
		results := Plan{Jobs: 3}.withDefaults().run(context.Background(), cases, func(suite.Result) { progress++ })
		require.Len(t, results, 20)
		require.Equal(t, 20, progress)
		require.EqualValues(t, 3, most.Load())
		require.Equal(t, 8*time.Second, time.Since(began))
		for _, r := range results {
			require.Equal(t, suite.Pass, r.Verdict, "%+v", r)
		}
	})
}

func TestPlanCountsOnceWhatIsShared(t *testing.T) {
	t.Parallel()
	shared := map[string]suite.Cost{"account": {Accounts: 1}}
	cases := []suite.Case{
		{ID: "a/1/a", Cost: suite.Cost{Orders: 1}, Shares: shared},
		{ID: "a/1/b", Cost: suite.Cost{Accounts: 1}, Shares: shared},
		{ID: "a/1/c", Cost: suite.Cost{Orders: 1}, Shares: shared},
	}
	got, err := Plan{Budget: &Budget{Accounts: 1, Orders: 2}}.withDefaults().prepare(cases, nil)
	require.NoError(t, err)
	require.Equal(t, suite.Cost{Accounts: 1, Orders: 2}, got.cost)
	require.Len(t, got.run, 2)
	require.Len(t, got.skipped, 1)
	require.Equal(t, "a/1/b", got.skipped[0].ID)
}
