package manager_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// jumping is a clock that can be ahead of its sleeps, as a machine's is after it
// was suspended.
type jumping struct{ ahead atomic.Int64 }

func (c *jumping) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *jumping) Sleep(ctx context.Context, d time.Duration) error {
	return clock.System.Sleep(ctx, d)
}

func TestASuspendedMachineRenewsOnWaking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log, c := newFakeCA(t, 90*day), &events{}, &jumping{}
		ca.now = c.Now
		m := fakeLife(t, ca, newMemStore(), log, func(_ *manager.Config, o *manager.Options) { o.Clock = c })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.RunRenewalLoop(ctx) }()
		time.Sleep(5 * hour)
		c.ahead.Store(int64(91 * day))
		time.Sleep(5*time.Minute + time.Second)
		require.Len(t, ca.certificates(), 2)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestAClockThatIsAheadLeadsToNoFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log, c := newFakeCA(t, 90*day), &events{}, &jumping{}
		c.ahead.Store(int64(70 * day)) // the CA's clock is right
		m := fakeLife(t, ca, newMemStore(), log, func(_ *manager.Config, o *manager.Options) { o.Clock = c })
		liveFor(t, m, 10*day)
		require.LessOrEqual(t, len(ca.certificates()), 10)
	})
}

// A certificate that is refused because this machine's clock is wrong is not
// bought again and again, and taken once the clock is right.
func TestAClockThatIsWrongCostsOneCertificate(t *testing.T) {
	for name, row := range map[string]struct {
		ahead   time.Duration
		refused bool
	}{
		"ten minutes behind": {-10 * time.Minute, false},
		"two hours behind":   {-2 * hour, true},
		"a month behind":     {-30 * day, true},
		"a year behind":      {-365 * day, true},
		"a year ahead":       {365 * day, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log, c := newFakeCA(t, 90*day), &events{}, &jumping{}
				ca.backdate = hour
				c.ahead.Store(int64(row.ahead))
				m := fakeLife(t, ca, newMemStore(), log, func(_ *manager.Config, o *manager.Options) { o.Clock = c })
				liveFor(t, m, 30*time.Minute)
				if row.refused {
					require.Nil(t, m.Certificate())
					for _, e := range log.of(manager.EventFailed) {
						refused, ok := errors.AsType[*client.VerificationError](e.Err)
						require.True(t, ok, "%v", e.Err)
						require.Equal(t, "dates", refused.Reason)
						require.InDelta(t, -row.ahead, refused.Skew, float64(time.Second))
						require.ErrorContains(t, e.Err, "set this machine's clock")
					}
				}
				liveFor(t, m, 10*day)
				require.Len(t, ca.certificates(), 1)
				c.ahead.Store(0)
				require.NoError(t, m.ProvisionIfNeeded(t.Context()))
				require.Len(t, ca.certificates(), 1)
				require.Equal(t, ca.certificates()[0].Raw, m.Certificate().Leaf.Raw)
			})
		})
	}
}

// A CA whose certificates are never what was ordered is asked ever more rarely.
func TestCertificatesThatAreRefusedLeadToNoFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log := newFakeCA(t, 90*day), &events{}
		ca.misnamed = true
		m := fakeLife(t, ca, newMemStore(), log, nil)
		liveFor(t, m, 30*day)
		require.Nil(t, m.Certificate())
		require.LessOrEqual(t, len(ca.certificates()), 18)
		ca.set(func() { ca.misnamed = false })
		liveFor(t, m, 3*day)
		require.NotNil(t, m.Certificate(), "it is tried for ever")
	})
}

// sleeper is a solver during whose work time passes, as when a machine is
// suspended.
type sleeper struct{ sleep func() }

func (s *sleeper) Present(context.Context, []challenge.Challenge) error {
	if s.sleep != nil {
		s.sleep()
		s.sleep = nil
	}
	return nil
}
func (s *sleeper) CleanUp(context.Context, []challenge.Challenge) error { return nil }

func TestAMachineSuspendedInTheMiddleOfAnOrder(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]time.Duration{"for an hour": hour, "for longer than orders live": 8 * day} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca, cfg, o := mockLife(t)
			c := &jumping{}
			o.Clock = c
			o.Solvers = []client.SolverFor{{Type: challenge.HTTP01, Solver: &sleeper{sleep: func() {
				c.ahead.Add(int64(d))
				ca.Clock().Advance(d)
			}}}}
			m := newManager(t, cfg, o)
			if err := m.ProvisionIfNeeded(t.Context()); err != nil {
				require.Greater(t, d, day, "an order lives longer than that: %v", err)
				require.NoError(t, m.ProvisionIfNeeded(t.Context()), "the next attempt")
			}
			st, err := m.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, manager.Good, st.State)
		})
	}
}
