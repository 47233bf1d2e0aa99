package client_test

import (
	"container/heap"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// A year of a hundred certificates of 72 days, under the CA's clock, which is
// moved from one appointment to the next. The CA suggests to renew within two
// days around the moment at which a third is left: after 47 to 49 days,
// whichever moment is picked. So the seventh renewal comes after 343 days at the
// latest and the eighth after 376 at the earliest: seven each, exactly.
func TestYearOfAHundredCertificates(t *testing.T) {
	t.Parallel()
	const certificates, renewals = 100, 7
	day := 24 * time.Hour
	begun := time.Now().Truncate(time.Second)
	clock := mockca.NewClock(begun)
	policy := mockca.DefaultPolicy()
	policy.Profiles = map[string]mockca.Profile{"classic": {Lifetime: 72 * day, Backdate: time.Hour}}
	policy.PollRetryAfter, policy.RenewalRetryAfter = -1, day
	ca := mockca.New(t, mockca.Options{Policy: &policy, Clock: clock, HTTP: true, Validation: mockca.Validation{Off: true}, Transcript: mockca.TranscriptOptions{Off: true}})
	c := mockClient(t, ca, func(cfg *client.Config) { cfg.Clock, cfg.AllowHTTP = impatient{clock}, true })
	a := mockAccount(t, c, newKey(t, client.P256))

	var agenda appointments
	var questions int // that the schedule predicts
	for i := range certificates {
		agenda = append(agenda, &appointment{at: begun, request: requestFor(t, fmt.Sprintf("c%d.example", i)), due: begun})
	}
	heap.Init(&agenda)
	end := begun.Add(365 * day)
	for agenda[0].at.Before(end) {
		p := agenda[0]
		clock.Set(p.at)
		if !p.at.Before(p.due) {
			next, err := a.Obtain(t.Context(), p.request)
			require.NoError(t, err)
			require.Empty(t, next.Warnings)
			if p.cert != nil {
				age := p.at.Sub(p.cert.Leaf.NotBefore)
				require.GreaterOrEqual(t, age, 47*day)
				require.LessOrEqual(t, age, 49*day)
			}
			p.cert, p.window = next, client.Window{}
			p.request.Replaces, err = client.CertID(next.Leaf)
			require.NoError(t, err)
		}
		info, err := c.RenewalInfo(t.Context(), p.cert.Leaf)
		require.NoError(t, err)
		questions++
		if info.SuggestedWindow != p.window { // RFC 9773, Section 4.2: a moment is kept as long as its window
			p.window, p.due = info.SuggestedWindow, info.Pick(nil)
		}
		p.at = p.at.Add(info.RetryAfter)
		if p.due.Before(p.at) {
			p.at = p.due
		}
		heap.Fix(&agenda, 0)
	}

	all := ca.Certificates()
	require.Len(t, all, certificates*(1+renewals))
	require.Equal(t, certificates*(1+renewals), ca.Transcript().Count(mockca.NewOrder))
	require.Equal(t, questions, ca.Transcript().Count(mockca.RenewalInfo))
	issued, replaced := map[string]int{}, 0
	for _, cert := range all {
		issued[cert.Identifiers[0].Value]++
		if cert.ReplacedBy != "" {
			replaced++
		}
	}
	require.Equal(t, certificates*renewals, replaced, "all but the last of each name")
	for name, n := range issued {
		require.Equal(t, 1+renewals, n, name)
	}
}

// impatient moves the clock instead of waiting.
type impatient struct{ *mockca.Clock }

func (c impatient) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(max(d, 0))
	return ctx.Err()
}

// appointment is when one certificate is to be looked at next.
type appointment struct {
	at, due time.Time
	request client.Request
	cert    *client.Certificate
	window  client.Window
}

// appointments are a heap, the next one first.
type appointments []*appointment

func (l appointments) Len() int           { return len(l) }
func (l appointments) Less(i, j int) bool { return l[i].at.Before(l[j].at) }
func (l appointments) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *appointments) Push(x any)        { *l = append(*l, x.(*appointment)) }
func (l *appointments) Pop() any          { panic("nothing is taken off") }
