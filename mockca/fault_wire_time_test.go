package mockca_test

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

func renewalInfoOnWire() map[string]wireTest {
	window := func(r result) (start, end time.Time) {
		var out struct {
			SuggestedWindow struct{ Start, End time.Time }
		}
		if json.Unmarshal(r.Body, &out) != nil {
			return start, end
		}
		return out.SuggestedWindow.Start, out.SuggestedWindow.End
	}
	shows := func(check func(w *wire, start, end time.Time)) wireTest {
		return answer(mockca.RenewalInfo, func(w *wire, r result) {
			start, end := window(r)
			check(w, start, end)
		})
	}
	retryAfter := func(want string) wireTest {
		return answer(mockca.RenewalInfo, func(w *wire, r result) {
			require.Equal(w.t, 200, r.Status)
			require.Equal(w.t, want, r.Header.Get("Retry-After"))
		})
	}
	return map[string]wireTest{
		"ari-past": shows(func(w *wire, start, end time.Time) {
			require.True(w.t, start.Before(end))
			require.True(w.t, end.Before(time.Now()))
		}),
		"ari-future":   shows(func(w *wire, start, _ time.Time) { require.True(w.t, start.After(w.ca.Certificates()[0].NotAfter)) }),
		"ari-inverted": shows(func(w *wire, start, end time.Time) { require.True(w.t, end.Before(start)) }),
		"ari-zero":     shows(func(w *wire, start, end time.Time) { require.Equal(w.t, start, end) }),
		"ari-huge":     shows(func(w *wire, start, end time.Time) { require.Greater(w.t, end.Year()-start.Year(), 300) }),
		"ari-moves": {show: func(w *wire) {
			ask := w.prepare(mockca.RenewalInfo)
			w.inject()
			var last time.Time
			for i := range 100 {
				r, err := ask()
				require.NoError(w.t, err)
				start, end := window(r)
				require.True(w.t, start.Before(end))
				if i > 0 && !start.Before(time.Now()) {
					require.Equal(w.t, 24*time.Hour, last.Sub(start))
				}
				last = start
			}
			require.True(w.t, last.Before(time.Now()), "in the end it is now")
		}},
		"ari-explanation": answer(mockca.RenewalInfo, func(w *wire, r result) {
			require.Contains(w.t, r.text("explanationURL"), "https://ca.example/why\x1b[2J")
		}),
		"ari-404":     refused(mockca.RenewalInfo, 404, "malformed"),
		"ari-500":     refused(mockca.RenewalInfo, 500, "serverInternal"),
		"ari-429":     refused(mockca.RenewalInfo, 429, "rateLimited"),
		"ari-garbage": answer(mockca.RenewalInfo, func(w *wire, r result) { require.False(w.t, json.Valid(r.Body)) }),
		"ari-missing": {show: func(w *wire) {
			ask := w.prepare(mockca.RenewalInfo)
			w.inject()
			r, err := ask()
			require.NoError(w.t, err)
			require.Equal(w.t, 404, r.Status)
			r, err = w.get(http.MethodGet, w.ca.DirectoryURL())
			require.NoError(w.t, err)
			require.NotContains(w.t, r.object(), "renewalInfo")
		}},
		"ari-retry-after-0":       retryAfter("0"),
		"ari-retry-after-huge":    retryAfter("315360000"),
		"ari-retry-after-missing": retryAfter(""),
	}
}

func timeOnWire() map[string]wireTest {
	date := func(off time.Duration) wireTest {
		return answer(mockca.Directory, func(w *wire, r result) {
			at, err := http.ParseTime(r.Header.Get("Date"))
			require.NoError(w.t, err)
			require.InDelta(w.t, off.Seconds(), time.Until(at).Seconds(), 2)
		})
	}
	return map[string]wireTest{
		"clock-ahead":  date(-time.Hour),
		"clock-behind": date(time.Hour),
		"clock-jump": {show: func(w *wire) {
			before := w.ca.Clock().Now()
			w.inject()
			for range 3 {
				_, err := w.get(http.MethodGet, w.ca.DirectoryURL())
				require.NoError(w.t, err)
			}
			require.InDelta(w.t, 90*24*time.Hour, w.ca.Clock().Now().Sub(before), float64(time.Second), "once")
		}},
		"revoked-while-held": answer(mockca.RenewalInfo, func(w *wire, r result) {
			c := w.ca.Certificates()[0]
			require.False(w.t, c.Revoked.IsZero())
			require.Equal(w.t, 200, r.Status)
			var out struct{ SuggestedWindow struct{ End time.Time } }
			require.NoError(w.t, json.Unmarshal(r.Body, &out))
			require.False(w.t, out.SuggestedWindow.End.After(time.Now()))
		}),
		"ca-down-for-days": flow(func(w *wire) {
			status := func() int {
				r, err := w.get(http.MethodGet, w.ca.DirectoryURL())
				require.NoError(w.t, err)
				return r.Status
			}
			require.Equal(w.t, 503, status())
			time.Sleep(3*24*time.Hour - time.Second)
			require.Equal(w.t, 503, status())
			time.Sleep(time.Second)
			require.Equal(w.t, 200, status())
		}),
		"ca-gone": silence(mockca.Directory, func(w *wire, _ error) {
			_, err := w.newHTTP().Get(w.ca.DirectoryURL())
			require.Error(w.t, err)
		}),
	}
}
