package client_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// What a certificate's manager does about these faults is tested there.

func renewalDuties() map[string]func(*attempt) {
	revokes := func(reason client.Reason, check func(*attempt, *client.Certificate, error)) func(*attempt) {
		return func(w *attempt) {
			cert := w.connect().obtains()
			w.inject()
			check(w, cert, w.a.Revoke(w.t.Context(), cert.Chain[0], reason))
		}
	}
	// asks asks for renewal information.
	asks := func(check func(*attempt, *client.Certificate, *client.RenewalInfo)) func(*attempt) {
		return func(w *attempt) {
			cert := w.connect().obtains()
			w.inject()
			info, err := w.c.RenewalInfo(w.t.Context(), cert.Leaf)
			require.NoError(w.t, err)
			check(w, cert, info)
		}
	}
	none := func(want error, most int) func(*attempt) {
		return func(w *attempt) {
			cert := w.connect().obtains()
			w.inject()
			info, err := w.c.RenewalInfo(w.t.Context(), cert.Leaf)
			require.ErrorIs(w.t, err, want)
			require.Nil(w.t, info)
			require.LessOrEqual(w.t, w.count(mockca.RenewalInfo), most)
		}
	}
	clamped := func(want time.Duration) func(*attempt) {
		return asks(func(w *attempt, _ *client.Certificate, info *client.RenewalInfo) {
			require.Equal(w.t, want, info.RetryAfter)
		})
	}
	return map[string]func(*attempt){
		"already-revoked": revokes(client.KeyCompromise, func(w *attempt, _ *client.Certificate, err error) { require.NoError(w.t, err) }),
		"bad-revocation-reason": revokes(client.Superseded, func(w *attempt, cert *client.Certificate, err error) {
			w.complains(err, client.ErrBadRevocationReason)
			require.NoError(w.t, w.a.Revoke(w.t.Context(), cert.Chain[0], client.Unspecified))
		}),
		"revoke-unauthorized": revokes(client.KeyCompromise, func(w *attempt, _ *client.Certificate, err error) {
			w.complains(err, client.ErrUnauthorized, "may not revoke")
		}),
		"ari-past": asks(func(w *attempt, _ *client.Certificate, info *client.RenewalInfo) {
			require.True(w.t, info.Pick(nil).Before(time.Now()))
		}),
		"ari-future": asks(func(w *attempt, cert *client.Certificate, info *client.RenewalInfo) {
			require.True(w.t, info.Pick(nil).After(cert.Leaf.NotAfter))
		}),
		"ari-inverted": none(client.ErrRefused, 1), "ari-zero": none(client.ErrRefused, 1), "ari-huge": none(client.ErrRefused, 1),
		"ari-moves": asks(func(w *attempt, cert *client.Certificate, first *client.RenewalInfo) {
			next, err := w.c.RenewalInfo(w.t.Context(), cert.Leaf)
			require.NoError(w.t, err)
			require.Equal(w.t, 24*time.Hour, first.SuggestedWindow.Start.Sub(next.SuggestedWindow.Start))
		}),
		"ari-explanation": asks(func(w *attempt, _ *client.Certificate, info *client.RenewalInfo) {
			require.True(w.t, strings.HasPrefix(info.ExplanationURL, "https://ca.example/why"))
			require.NotRegexp(w.t, "[\x00-\x1f\u202e]", info.ExplanationURL)
		}),
		"ari-404": none(client.ErrMalformed, 1), "ari-500": none(client.ErrServerInternal, 8), "ari-429": none(client.ErrRateLimited, 1),
		"ari-garbage": none(client.ErrNotACME, 3),
		"ari-missing": func(w *attempt) {
			w.inject()
			cert := w.connect().obtains()
			_, err := w.c.RenewalInfo(w.t.Context(), cert.Leaf)
			require.ErrorIs(w.t, err, client.ErrNotOffered)
			r := w.request()
			r.Replaces, err = client.CertID(cert.Leaf)
			require.NoError(w.t, err)
			_, err = w.try(r)
			require.NoError(w.t, err)
			require.NotContains(w.t, string(w.ca.Transcript().Last(mockca.NewOrder).Payload()), "replaces")
		},
		"ari-retry-after-0": clamped(time.Minute), "ari-retry-after-huge": clamped(24 * time.Hour), "ari-retry-after-missing": clamped(6 * time.Hour),
	}
}

func timeDuties() map[string]func(*attempt) {
	skewed := fine(func(w *attempt, _ *client.Certificate) {
		require.Equal(w.t, 1, strings.Count(w.log.String(), "this machine's clock and the CA's disagree"))
	})
	return map[string]func(*attempt){
		"clock-ahead": skewed, "clock-behind": skewed, "clock-ahead:87600h": skewed,
		"clock-jump": func(w *attempt) {
			w.connect(func(cfg *client.Config) { cfg.Clock = w.ca.Clock() })
			cert := w.obtains()
			w.inject()
			next, err := w.a.Obtain(w.t.Context(), w.request()) // verified by the clock that jumped
			require.NoError(w.t, err)
			require.InDelta(w.t, 90*24*time.Hour, next.Leaf.NotBefore.Sub(cert.Leaf.NotBefore), float64(time.Minute))
		},
		"revoked-while-held": func(w *attempt) {
			cert := w.connect().obtains()
			w.inject()
			info, err := w.c.RenewalInfo(w.t.Context(), cert.Leaf)
			require.NoError(w.t, err)
			require.False(w.t, info.Pick(nil).After(time.Now()), "renew at once")
		},
		"ca-down-for-days": func(w *attempt) {
			w.connect().inject()
			w.most = 200
			for w.passed() < 4*24*time.Hour {
				_, err := w.try(w.request())
				if err == nil {
					break
				}
				require.True(w.t, client.Temporary(err), "%v", err)
				time.Sleep(8 * time.Hour)
			}
			require.GreaterOrEqual(w.t, w.passed(), 3*24*time.Hour)
			require.Len(w.t, w.ca.Certificates(), 1)
		},
		"ca-gone": hopeless(client.ErrUnreachable, "attempts"),
	}
}
