package manager_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// A year of three certificates of 72 days (a hundred of them: see client). The CA suggests to renew within
// two days around the moment at which a third is left: after 47 to 49 days,
// whichever moment is picked. So the seventh renewal comes after 343 days at
// the latest and the eighth after 376 at the earliest: seven each, exactly.
func TestYearByTheSuggestionsOfTheModulesOwnCA(t *testing.T) {
	t.Parallel()
	const certificates, renewals = 3, 7
	synctest.Test(t, func(t *testing.T) {
		ca := newMock(t, 72*day, func(o *mockca.Options) { o.Policy.RenewalRetryAfter, o.Transcript.Off = day, true })
		ctx, cancel := context.WithTimeout(t.Context(), 365*day)
		defer cancel()
		var wg sync.WaitGroup
		logs := make([]events, certificates)
		for i := range logs {
			m := ca.life(t, &logs[i], func(c *manager.Config, _ *manager.Options) { c.Domains = []string{fmt.Sprintf("c%d.example", i)} })
			wg.Go(func() { require.NoError(t, m.RunRenewalLoop(ctx)) })
		}
		wg.Wait()

		require.Equal(t, certificates*(1+renewals), ca.Transcript().Count(mockca.NewOrder))
		require.Len(t, ca.Certificates(), certificates*(1+renewals))
		for i := range logs {
			require.Empty(t, logs[i].of(manager.EventFailed))
			swaps := logs[i].of(manager.EventSwapped)
			require.Len(t, swaps, 1+renewals)
			for n := 1; n <= renewals; n++ {
				age := swaps[n].Time.Sub(swaps[n-1].Certificate.NotBefore)
				require.GreaterOrEqual(t, age, 47*day, "certificate %d, renewal %d", i, n)
				require.LessOrEqual(t, age, 49*day, "certificate %d, renewal %d", i, n)
			}
		}
		replaced := 0
		for _, c := range ca.Certificates() {
			if c.ReplacedBy != "" {
				replaced++
			}
		}
		require.Equal(t, certificates*renewals, replaced, "each but the last of its name")
	})
}
