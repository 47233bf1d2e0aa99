package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/clock"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestSystemSleepEndsWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := clock.System.Now()
		require.NoError(t, clock.System.Sleep(t.Context(), 3*time.Hour))
		require.Equal(t, 3*time.Hour, clock.System.Now().Sub(before))
	})
}

func TestSleepEndsWithContext(t *testing.T) {
	cause := errors.New("told to stop")
	for name, c := range map[string]clock.Clock{"system": clock.System, "standing": clock.NewVirtual(start), "running": clock.NewOffset()} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(cause)
			require.ErrorIs(t, c.Sleep(ctx, time.Hour), cause)
			require.ErrorIs(t, c.Sleep(ctx, 0), cause)
			require.NoError(t, c.Sleep(t.Context(), -1))
		})
	}
}

func TestVirtualWakesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := clock.NewVirtual(start)
		woke := make(chan time.Duration, 3)
		for _, d := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour} {
			go func() {
				if v.Sleep(t.Context(), d) == nil {
					woke <- d
				}
			}()
		}
		synctest.Wait()
		require.Equal(t, 3, v.Sleepers())
		for want := range 3 {
			next, ok := v.Next()
			require.True(t, ok)
			v.Set(next)
			synctest.Wait()
			require.Equal(t, time.Duration(want+1)*time.Hour, <-woke)
		}
		require.Zero(t, v.Sleepers())
		require.Equal(t, start.Add(3*time.Hour), v.Now())
	})
}

func TestRunningClockPassesByItselfAndByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := clock.NewOffset()
		woke := make(chan struct{})
		go func() {
			_ = v.Sleep(t.Context(), 10*time.Hour)
			close(woke)
		}()
		synctest.Wait()
		v.Advance(9 * time.Hour)
		begun := time.Now()
		<-woke
		require.Equal(t, time.Hour, time.Since(begun), "the hour that Advance left over")
	})
}
