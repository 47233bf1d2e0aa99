package manager_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// span is at least and at most.
type span[T int | time.Duration] [2]T

// What a manager does, over months, about the faults of renewal information and
// of time. What a single request does about them is tested in package client.
func TestDutyTowardsFaultsOfRenewal(t *testing.T) {
	t.Parallel()
	// Certificates of 90 days with 30 in reserve: by its lifetime one is renewed
	// after 60 days, so in 70 days there are two.
	two, late := span[int]{2, 2}, span[time.Duration]{59 * day, 61 * day}
	for fault, row := range map[string]struct {
		days      int
		certs     span[int]
		first     span[time.Duration] // age of the first when it is replaced; zero: it is not looked at
		questions span[int]           // for renewal information
	}{
		"ari-past":                {10, span[int]{2, 20}, span[time.Duration]{0, day}, span[int]{10, 100}},
		"ari-future":              {70, two, late, span[int]{270, 290}},
		"ari-inverted":            {70, two, late, span[int]{270, 290}},
		"ari-zero":                {70, two, late, span[int]{270, 290}},
		"ari-huge":                {70, two, late, span[int]{270, 290}},
		"ari-404":                 {70, two, late, span[int]{270, 290}},
		"ari-429":                 {70, two, late, span[int]{270, 290}},
		"ari-500":                 {70, two, late, span[int]{270, 8 * 290}},
		"ari-garbage":             {70, two, late, span[int]{270, 3 * 290}},
		"ari-missing":             {70, two, late, span[int]{0, 0}},
		"ari-moves":               {20, span[int]{2, 3}, span[time.Duration]{10 * day, 13 * day}, span[int]{40, 90}},
		"ari-explanation":         {1, span[int]{1, 1}, span[time.Duration]{}, span[int]{4, 6}},
		"ari-retry-after-0":       {1, span[int]{1, 1}, span[time.Duration]{}, span[int]{1300, 1445}},
		"ari-retry-after-huge":    {10, span[int]{1, 1}, span[time.Duration]{}, span[int]{10, 12}},
		"ari-retry-after-missing": {10, span[int]{1, 1}, span[time.Duration]{}, span[int]{38, 42}},
		"revoked-while-held":      {10, two, span[time.Duration]{0, 7 * hour}, span[int]{38, 44}},
		"clock-ahead":             {70, two, span[time.Duration]{58 * day, 62 * day}, span[int]{265, 290}},
		"clock-behind:8760h":      {70, two, span[time.Duration]{58 * day, 62 * day}, span[int]{265, 290}},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log := newMock(t, 90*day, nil), &events{}
				f, err := mockca.ParseFault(fault)
				require.NoError(t, err)
				ca.Inject(f)
				m := ca.life(t, log, nil)
				liveFor(t, m, time.Duration(row.days)*day)

				require.Empty(t, log.of(manager.EventFailed))
				swaps := log.of(manager.EventSwapped)
				require.GreaterOrEqual(t, len(swaps), row.certs[0])
				require.LessOrEqual(t, len(swaps), row.certs[1])
				require.Len(t, ca.Certificates(), len(swaps), "none was bought for nothing")
				if row.first[1] > 0 {
					age := swaps[1].Time.Sub(swaps[0].Time)
					require.GreaterOrEqual(t, age, row.first[0])
					require.LessOrEqual(t, age, row.first[1])
				}
				require.True(t, time.Now().Before(m.Certificate().Leaf.NotAfter))
				n := ca.Transcript().Count(mockca.RenewalInfo)
				require.GreaterOrEqual(t, n, row.questions[0])
				require.LessOrEqual(t, n, row.questions[1])
				for _, e := range log.of(manager.EventRenewalInfo) {
					require.NotRegexp(t, "[\x00-\x1f\u202e]", e.Explanation)
				}
				require.Positive(t, ca.Rules()[0].Hits)
			})
		})
	}
}

// A laptop that slept for three months renews as soon as it wakes.
func TestDutyTowardsAJumpOfTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log := newMock(t, 90*day, nil), &events{}
		m := ca.life(t, log, func(_ *manager.Config, o *manager.Options) { o.Clock = ca.Clock() })
		liveFor(t, m, day)
		ca.Inject(mockca.ClockJump(90*day), mockca.When{Endpoint: mockca.RenewalInfo})
		liveFor(t, m, day)
		swaps := log.of(manager.EventSwapped)
		require.Len(t, swaps, 2)
		require.EqualValues(t, 1, ca.Rules()[0].Hits)
		require.True(t, ca.Clock().Now().Before(m.Certificate().Leaf.NotAfter))
	})
}

// While the CA is away the old certificate stays in service, attempts keep apart,
// and a CA that comes back is used.
func TestDutyTowardsACAThatIsAway(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault    mockca.Fault
		days     int
		certs    int
		failures span[int]
		want     error // nil: any that may pass
	}{
		"for three days": {mockca.CADownForDays(3 * day), 10, 2, span[int]{1, 3*24*2 + 20}, nil},
		"for good":       {mockca.CAGone(), 40, 1, span[int]{24 * 30, 40*24*2 + 20}, client.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log := newMock(t, 90*day, func(o *mockca.Options) { o.Policy.NoRenewalInfo = true }), &events{}
				m := ca.life(t, log, nil)
				liveFor(t, m, 58*day)
				old := m.Certificate()
				ca.Inject(row.fault, mockca.When{Endpoints: []mockca.Endpoint{mockca.NewNonce, mockca.NewOrder, mockca.NewAccount}})
				liveFor(t, m, time.Duration(row.days)*day)
				require.Len(t, ca.Certificates(), row.certs)
				require.Equal(t, row.certs == 1, m.Certificate().Leaf.Equal(old.Leaf))
				failed := log.of(manager.EventFailed)
				require.GreaterOrEqual(t, len(failed), row.failures[0])
				require.LessOrEqual(t, len(failed), row.failures[1])
				for _, e := range failed {
					require.True(t, client.Temporary(e.Err), "%v", e.Err)
					require.LessOrEqual(t, e.At.Sub(e.Time), 2*hour, "within hours")
					require.True(t, row.want == nil || errors.Is(e.Err, row.want), "%v", e.Err)
				}
			})
		})
	}
}
