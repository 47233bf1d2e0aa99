package manager_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// live runs the loop for a time and returns when it has ended.
func liveFor(t testing.TB, m *manager.Manager, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.NoError(t, m.RunRenewalLoop(ctx))
}

func TestEveryLifetimeIsRenewedInTime(t *testing.T) {
	for name, row := range map[string]struct {
		lifetime, span     time.Duration
		backdate           time.Duration
		days               int
		least, most        int           // certificates
		reserve, reserveTo time.Duration // left of a certificate when it is replaced
	}{
		"a year of 90 days":                   {90 * day, 365 * day, hour, 30, 6, 7, 30*day - 13*hour, 30 * day},
		"90 days, renewed late":               {90 * day, 365 * day, hour, 10, 4, 5, 10*day - 13*hour, 10 * day},
		"90 days, a setting of 90":            {90 * day, 365 * day, hour, 90, 6, 7, 30*day - 13*hour, 30 * day},
		"90 days, a setting of years":         {90 * day, 365 * day, hour, 3650, 6, 7, 30*day - 13*hour, 30 * day},
		"90 days, a setting of 89, backdated": {90 * day, 100 * day, day, 89, 2, 3, 30*day - 13*hour, 30 * day},
		"a year of 45 days":                   {45 * day, 365 * day, hour, 30, 12, 13, 15*day - 13*hour, 15 * day},
		"a year of six days":                  {160 * hour, 365 * day, hour, 30, 105, 115, 79 * hour, 80 * hour},
		"a year of 398 days":                  {398 * day, 730 * day, hour, 30, 2, 2, 30*day - 13*hour, 30 * day},
		"a day of five minutes":               {5 * time.Minute, day, 0, 30, 550, 580, 145 * time.Second, 150 * time.Second},
		"ten minutes of ten seconds":          {10 * time.Second, 10 * time.Minute, 0, 30, 147, 152, 3 * time.Second, 5 * time.Second},
		"five minutes, backdated by two":      {5 * time.Minute, hour, 2 * time.Minute, 30, 60, 125, 145 * time.Second, 150 * time.Second},
		"a setting of nothing is that of 30":  {90 * day, 180 * day, hour, 0, 3, 4, 30*day - 13*hour, 30 * day},
		"a year of 100 days, a setting of 99": {100 * day, 365 * day, hour, 99, 5, 6, 33*day + 8*hour - 13*hour, 33*day + 8*hour},
		"a year of 100 days, a setting of 98": {100 * day, 365 * day, hour, 98, 160, 200, 98*day - 13*hour, 98 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log := newFakeCA(t, row.lifetime), &events{}
				ca.backdate = row.backdate
				m := fakeLife(t, ca, newMemStore(), log, func(c *manager.Config, _ *manager.Options) { c.RenewBeforeDays = row.days })
				liveFor(t, m, row.span)

				issued := ca.certificates()
				require.GreaterOrEqual(t, len(issued), row.least)
				require.LessOrEqual(t, len(issued), row.most)
				require.Empty(t, log.of(manager.EventFailed))
				swaps := log.of(manager.EventSwapped)
				require.Len(t, swaps, len(issued))
				keys := map[string]bool{}
				for i, c := range issued {
					keys[keyID(c.PublicKey)] = true
					if i == 0 {
						continue
					}
					left := issued[i-1].NotAfter.Sub(swaps[i].Time)
					require.GreaterOrEqual(t, left, row.reserve, "certificate %d", i)
					require.LessOrEqual(t, left, row.reserveTo, "certificate %d", i)
				}
				require.Len(t, keys, len(issued), "each certificate has a key of its own")
			})
		})
	}
}

func TestLooksEveryTwelveHoursGiveOrTakeOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log := newFakeCA(t, 90*day), &events{}
		m := fakeLife(t, ca, newMemStore(), log, nil)
		liveFor(t, m, 30*day)
		looks := log.of(manager.EventChecked)
		gaps := map[time.Duration]bool{}
		for i := 2; i < len(looks); i++ { // the first two look at the new certificate's window
			gap := looks[i].Time.Sub(looks[i-1].Time)
			require.Equal(t, looks[i-1].At, looks[i].Time, "at the time that was said")
			require.GreaterOrEqual(t, gap, 11*hour)
			require.LessOrEqual(t, gap, 13*hour)
			gaps[gap] = true
		}
		require.GreaterOrEqual(t, len(looks), 30*24/13)
		require.Greater(t, len(gaps), len(looks)/2, "jitter")
	})
}

// window makes a CA suggest the same window for every certificate, from and to
// the given ages.
func window(ca *fakeCA, from, to time.Duration, retryAfter string) {
	ca.info = func(c *x509.Certificate) (time.Time, time.Time, string) {
		return c.NotBefore.Add(from), c.NotBefore.Add(to), retryAfter
	}
}

func TestRenewsAtAMomentInTheSuggestedWindow(t *testing.T) {
	t.Parallel()
	ages := map[time.Duration]bool{}
	for range 4 {
		synctest.Test(t, func(t *testing.T) {
			ca, log := newFakeCA(t, 90*day), &events{}
			window(ca, 40*day, 42*day, "86400")
			m := fakeLife(t, ca, newMemStore(), log, nil)
			liveFor(t, m, 130*day)
			swaps := log.of(manager.EventSwapped)
			require.Len(t, swaps, 4)
			for i := 1; i < len(swaps); i++ {
				old := swaps[i-1].Certificate
				age := swaps[i].Time.Sub(old.NotBefore)
				require.GreaterOrEqual(t, age, 40*day)
				require.LessOrEqual(t, age, 42*day)
				ages[age] = true
				id, err := client.CertID(old)
				require.NoError(t, err)
				require.Equal(t, id, ca.replaces[i])
			}
			for _, e := range log.of(manager.EventOrdering)[1:] {
				require.Equal(t, manager.Suggested, e.Status.State)
			}
		})
	}
	require.Greater(t, len(ages), 10, "the moments are random")
}

func TestTheMomentStaysWhileTheWindowDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log, store := newFakeCA(t, 90*day), &events{}, newMemStore()
		window(ca, 40*day, 50*day, "3600")
		for range 5 { // restarts
			liveFor(t, fakeLife(t, ca, store, log, nil), 3*day)
		}
		picked := map[time.Time]bool{}
		for _, e := range log.of(manager.EventRenewalInfo) {
			require.NoError(t, e.Err)
			picked[e.At] = true
		}
		require.Len(t, picked, 1)
		ca.set(func() { window(ca, 41*day, 50*day, "3600") })
		liveFor(t, fakeLife(t, ca, store, log, nil), 3*day)
		for _, e := range log.of(manager.EventRenewalInfo) {
			picked[e.At] = true
		}
		require.Len(t, picked, 2, "another window, another moment")
		require.Len(t, ca.certificates(), 1)
	})
}

func TestRenewalInformationIsAskedForAtTheCAsPace(t *testing.T) {
	for name, row := range map[string]struct {
		retryAfter  string
		span        time.Duration
		least, most int // questions
	}{
		"missing: six hours":    {"", 10 * day, 39, 42},
		"an hour":               {"3600", 10 * day, 235, 242},
		"zero: a minute":        {"0", 2 * hour, 110, 125},
		"a year: a day":         {"31536000", 10 * day, 10, 12},
		"in the past: a minute": {"Thu, 01 Jan 1970 00:00:00 GMT", 2 * hour, 110, 125},
		"garbage: six hours":    {"soon", 10 * day, 39, 42},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca := newFakeCA(t, 90*day)
				window(ca, 60*day, 61*day, row.retryAfter)
				liveFor(t, fakeLife(t, ca, newMemStore(), &events{}, nil), row.span)
				n := len(ca.times("ari"))
				require.GreaterOrEqual(t, n, row.least)
				require.LessOrEqual(t, n, row.most)
				require.Len(t, ca.certificates(), 1)
			})
		})
	}
}

func TestAWindowThatMovesIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log, store := newFakeCA(t, 90*day), &events{}, newMemStore()
		window(ca, 59*day, 61*day, "21600")
		ctx, cancel := context.WithCancel(t.Context())
		m := fakeLife(t, ca, store, log, nil)
		done := make(chan error)
		go func() { done <- m.RunRenewalLoop(ctx) }()
		time.Sleep(5 * day)
		first := m.Certificate().Leaf
		emergency := time.Now()
		ca.set(func() {
			ca.info = func(c *x509.Certificate) (time.Time, time.Time, string) {
				if c.Equal(first) {
					return emergency.Add(-hour), emergency, ""
				}
				return c.NotBefore.Add(60 * day), c.NotBefore.Add(61 * day), ""
			}
		})
		time.Sleep(6*hour + time.Minute)
		require.Len(t, ca.certificates(), 2, "within the time that the CA wanted not to be asked")
		require.NotEqual(t, first, m.Certificate().Leaf)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestAnAgedSuggestionLeadsToNoFlood(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lifetime, span time.Duration
		ask            string
		most           int
	}{
		"90 days":      {90 * day, 30 * day, "3600", 12},
		"five minutes": {5 * time.Minute, hour, "0", 62},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log := newFakeCA(t, row.lifetime), &events{}
				window(ca, -2*hour, -hour, row.ask) // past, for every certificate
				liveFor(t, fakeLife(t, ca, newMemStore(), log, nil), row.span)
				issued := ca.certificates()
				require.LessOrEqual(t, len(issued), row.most)
				require.GreaterOrEqual(t, len(issued), 3)
				require.Less(t, issued[1].NotBefore.Sub(issued[0].NotBefore), hour+2*time.Minute, "the first time it is taken at its word")
			})
		})
	}
}

func TestASuggestionAfterTheEndIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log := newFakeCA(t, 6*day), &events{}
		window(ca, 10*day, 11*day, "")
		liveFor(t, fakeLife(t, ca, newMemStore(), log, nil), 30*day)
		require.Len(t, ca.certificates(), 11)
		require.Equal(t, manager.Expiring, log.of(manager.EventOrdering)[1].Status.State)
	})
}

func TestWithoutAnAnswerTheLifetimeCounts(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter){
		"404": func(w http.ResponseWriter) { problem(w, http.StatusNotFound, "malformed", "what?") },
		"500": func(w http.ResponseWriter) { problem(w, http.StatusInternalServerError, "serverInternal", "oh") },
		"429": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "7200")
			problem(w, http.StatusTooManyRequests, "rateLimited", "not so fast")
		},
		"garbage": func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) },
		"silence": func(w http.ResponseWriter) { w.Header().Set("Connection", "close") },
		"inverted": func(w http.ResponseWriter) {
			answer(w, 200, map[string]any{"suggestedWindow": map[string]time.Time{"start": time.Now(), "end": time.Now().Add(-hour)}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log := newFakeCA(t, 90*day), &events{}
				window(ca, 0, hour, "")
				ca.fail = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path[:4] != "/ari" {
						return false
					}
					fail(w)
					return true
				}
				liveFor(t, fakeLife(t, ca, newMemStore(), log, nil), 70*day)
				require.Len(t, ca.certificates(), 2)
				require.Equal(t, manager.Expiring, log.of(manager.EventOrdering)[1].Status.State)
				require.Empty(t, log.of(manager.EventFailed), "no renewal information is no failure")
				asked := 0
				for i, e := range log.of(manager.EventRenewalInfo) {
					require.Error(t, e.Err)
					if asked++; i > 1 {
						require.GreaterOrEqual(t, e.Time.Sub(log.of(manager.EventRenewalInfo)[i-1].Time), 5*hour, "no hammering")
					}
				}
				require.Greater(t, asked, 70*24/14)
			})
		})
	}
}

func TestACAThatIsDownForDaysIsTriedWithPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log, store := newFakeCA(t, 90*day), &events{}, newMemStore()
		m := fakeLife(t, ca, store, log, nil)
		require.NoError(t, m.ProvisionIfNeeded(t.Context()))
		first := m.Certificate().Leaf
		down := time.Now().Add(55 * day)
		ca.set(func() {
			ca.fail = func(w http.ResponseWriter, _ *http.Request) bool {
				if since := time.Since(down); since < 0 || since > 10*day {
					return false
				}
				w.Header().Set("Connection", "close")
				return true
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.RunRenewalLoop(ctx) }()
		time.Sleep(64 * day)
		require.Equal(t, first, m.Certificate().Leaf, "the old certificate stays in service")
		failures := log.of(manager.EventFailed)
		require.Greater(t, len(failures), 4*24)
		require.Less(t, len(failures), 4*24*2+20)
		for i := 1; i < len(failures); i++ {
			require.LessOrEqual(t, failures[i].Time.Sub(failures[i-1].Time), hour+5*time.Minute)
			require.ErrorIs(t, failures[i].Err, client.ErrUnreachable)
		}
		time.Sleep(2 * day)
		require.NotEqual(t, first, m.Certificate().Leaf, "it recovers by itself")
		cancel()
		require.NoError(t, <-done)
	})
}

func TestARateLimitIsObeyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log := newFakeCA(t, 90*day), &events{}
		limited := time.Now().Add(8 * hour)
		ca.fail = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/order" || time.Now().After(limited) {
				return false
			}
			w.Header().Set("Retry-After", limited.UTC().Format(http.TimeFormat))
			problem(w, http.StatusTooManyRequests, "rateLimited", "too many certificates")
			return true
		}
		liveFor(t, fakeLife(t, ca, newMemStore(), log, nil), day)
		require.Len(t, ca.times("order"), 2, "one refused, one after the time that the CA gave")
		require.Len(t, ca.certificates(), 1)
		require.Len(t, log.of(manager.EventFailed), 1)
	})
}

func TestAnAccountThatIsGoneIsRegisteredAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log, store := newFakeCA(t, 90*day), &events{}, newMemStore()
		m := fakeLife(t, ca, store, log, nil)
		require.NoError(t, m.Provision(t.Context()))
		key := store.values["account-key"]
		ca.set(func() { ca.accounts = map[string]string{} })
		m = fakeLife(t, ca, store, log, nil)
		require.NoError(t, m.Provision(t.Context()))
		require.Len(t, ca.times("account"), 2)
		require.Equal(t, key, store.values["account-key"], "with the same key")
		require.NoError(t, fakeLife(t, ca, store, log, nil).Provision(t.Context()))
		require.Len(t, ca.times("account"), 2, "the new URL is remembered")

		// a CA that always says so is believed after the second time
		ca.set(func() {
			ca.fail = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/order" {
					return false
				}
				problem(w, http.StatusBadRequest, "accountDoesNotExist", "who?")
				return true
			}
		})
		err := m.Provision(t.Context())
		require.ErrorIs(t, err, client.ErrAccountDoesNotExist)
		require.Len(t, ca.times("account"), 3)
	})
}

func TestALookByHandChangesTheLoopsPlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log := newFakeCA(t, 90*day), &events{}
		m := fakeLife(t, ca, newMemStore(), log, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.RunRenewalLoop(ctx) }()
		time.Sleep(30 * hour)
		ca.set(func() { ca.lifetime = 5 * time.Minute })
		require.NoError(t, m.Provision(t.Context()))
		time.Sleep(hour)
		require.Greater(t, len(ca.certificates()), 20, "the loop knows of the short lifetime at once")
		cancel()
		require.NoError(t, <-done)
	})
}

func TestADiskThatIsFullStopsNothingForGood(t *testing.T) {
	for _, name := range []string{"account-key", "pending", "certificate", "accounts", "renewal"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log, store := newFakeCA(t, 90*day), &events{}, newMemStore()
				full := errors.New("no space left on device")
				until := time.Now().Add(hour)
				store.fail = func(op, what string) error {
					if op != "load" && what == name && time.Now().Before(until) {
						return full
					}
					return nil
				}
				m := fakeLife(t, ca, store, log, nil)
				liveFor(t, m, 3*hour)
				require.NotNil(t, m.Certificate())
				require.Len(t, ca.certificates(), 1, "what was issued is taken, not ordered again")
				for _, e := range log.of(manager.EventFailed) {
					require.ErrorIs(t, e.Err, full)
					file, ok := errors.AsType[*manager.FileError](e.Err)
					require.True(t, ok)
					require.True(t, file.Writing)
				}
				switch name {
				case "accounts", "renewal":
					require.Empty(t, log.of(manager.EventFailed), "notes can be done without")
				default:
					require.NotEmpty(t, log.of(manager.EventFailed))
				}
			})
		})
	}
}
