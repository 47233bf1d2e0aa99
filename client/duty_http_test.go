package client_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

func transportDuties() map[string]func(*attempt) {
	unreachable := hopeless(client.ErrUnreachable, "attempts")
	// distrusted has the API's certificate be wrong: one look is enough.
	distrusted := func(words ...string) func(*attempt) {
		return func(w *attempt) {
			w.inject()
			w.complains(w.register(), client.ErrUnreachable, words...)
			require.EqualValues(w.t, 1, w.ca.Rules()[0].Hits, "trying again does not help")
		}
	}
	hops := func(n int) func(*attempt, *client.Certificate) {
		return func(w *attempt, _ *client.Certificate) { require.Equal(w.t, n, w.count(mockca.Directory)) }
	}
	return map[string]func(*attempt){
		"refuse": unreachable,
		"refuse/for a second": func(w *attempt) {
			w.connect()
			id := w.ca.Inject(w.fault)
			time.AfterFunc(time.Second, func() { w.ca.RemoveRule(id) })
			w.obtains()
			w.ca.Inject(w.fault)
			_, err := w.c.Refresh(w.t.Context())
			require.Error(w.t, err)
		},
		"reset-before": eachOnce(), "reset-before/for good": unreachable,
		"reset-after": eachOnce(), "reset-after/for good": unreachable,
		"close-mid-body": eachOnce(), "close-mid-body/for good": unreachable,
		"drip": func(w *attempt) {
			w.connect().inject(mockca.Authz).refuses(client.ErrUnreachable, "deadline", "8 attempts")
		},
		"drip/once at finalize": func(w *attempt) {
			w.connect()
			w.ca.InjectOnce(w.fault, mockca.When{Endpoint: mockca.Finalize})
			w.obtains()
			require.GreaterOrEqual(w.t, w.passed(), 30*time.Second)
			require.Equal(w.t, 1, w.count(mockca.Finalize))
		},
		"stall": eachOnce(), "stall/for good": hopeless(client.ErrUnreachable, "deadline", "8 attempts"),
		"stall-body": eachOnce(), "stall-body/for good": hopeless(client.ErrUnreachable, "deadline", "8 attempts"),
		"latency":         fine(),
		"tls-untrusted":   distrusted("unknown authority"),
		"tls-wrong-name":  distrusted("other.invalid"),
		"tls-expired":     distrusted("expired", "this machine's clock is wrong"),
		"tls-alert":       unregistered(client.ErrUnreachable, "8 attempts"),
		"goaway":          fine(),
		"h2-reset-stream": eachOnce(), "h2-reset-stream/for good": unreachable,
		"dns-fail":                   unregistered(client.ErrUnreachable, "gone.invalid", "8 attempts"),
		"redirect-get":               fine(hops(2)),
		"redirect-get:301":           fine(hops(2)),
		"redirect-get:307,localhost": fine(hops(2)),
		"redirect-post": func(w *attempt) {
			w.connect().inject()
			_, err := w.try(w.request())
			require.Equal(w.t, http.StatusTemporaryRedirect, problemIn(w.t, err).Status)
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		},
		"redirect-post:308": func(w *attempt) {
			w.inject()
			require.Equal(w.t, http.StatusPermanentRedirect, problemIn(w.t, w.register()).Status)
			require.Equal(w.t, 1, w.count(mockca.NewAccount))
		},
		"redirect-loop": func(w *attempt) {
			w.inject()
			w.complains(w.register(), client.ErrRefused, "redirects")
			require.LessOrEqual(w.t, w.count(mockca.Directory), 10)
		},
		"redirect-http": unregistered(client.ErrRefused, "not https"),
	}
}

func httpDuties() map[string]func(*attempt) {
	// waits obtains after a fault that happened once at newOrder.
	waits := func(least, most time.Duration) func(*attempt) {
		return func(w *attempt) {
			w.connect()
			w.ca.InjectOnce(w.fault, mockca.When{Endpoint: mockca.NewOrder})
			w.obtains()
			require.GreaterOrEqual(w.t, w.passed(), least)
			require.LessOrEqual(w.t, w.passed(), most)
			require.Equal(w.t, 2, w.count(mockca.NewOrder))
		}
	}
	// later fails at once, with the time to come back.
	later := func(want error, least, most time.Duration) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			err := w.refuses(want, "try again at")
			at, ok := client.RetryAt(err)
			require.True(w.t, ok)
			require.GreaterOrEqual(w.t, time.Until(at), least)
			require.LessOrEqual(w.t, time.Until(at), most)
			require.Less(w.t, w.passed(), time.Second)
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		}
	}
	notACME := func(w *attempt) { w.connect().inject(mockca.Authz).refuses(client.ErrNotACME, "3 attempts") }
	down := func(status int) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			_, err := w.try(w.request())
			require.Equal(w.t, status, problemIn(w.t, err).Status)
			require.True(w.t, client.Temporary(err))
			require.ErrorContains(w.t, err, "8 attempts")
		}
	}
	year := 365 * 24 * time.Hour
	return map[string]func(*attempt){
		"status-500": eachOnce(), "status-500/for good": down(500), "status-502": eachOnce(), "status-502/for good": down(502),
		"status-504": eachOnce(), "status-504/for good": down(504), "status-503": eachOnce(), "status-503/for good": down(503),
		"status-503:20s":   waits(20*time.Second, 21*time.Second),
		"status-500-after": eachOnce(),
		"rate-limited":     waits(30*time.Second, 31*time.Second),
		"rate-limited:2h": func(w *attempt) {
			later(client.ErrRateLimited, 2*time.Hour-time.Second, 2*time.Hour)(w)
			_, err := w.try(w.request())
			require.Contains(w.t, problemIn(w.t, err).Help, "/docs/rate-limits")
			until, limited := client.RateLimited(err)
			require.True(w.t, limited)
			require.False(w.t, until.IsZero())
		},
		"rate-limited-no-hint": func(w *attempt) {
			w.connect().inject().refuses(client.ErrRateLimited, "8 attempts")
		},
		"retry-after-date":     waits(4*time.Second, 6*time.Second),
		"retry-after-past":     waits(0, time.Second),
		"retry-after-negative": waits(0, time.Second),
		"retry-after-garbage":  waits(0, time.Second),
		"retry-after-huge": func(w *attempt) {
			w.connect().inject(mockca.NewOrder)
			_, err := w.try(w.request())
			require.True(w.t, client.Temporary(err))
			at, ok := client.RetryAt(err)
			require.True(w.t, ok)
			require.InDelta(w.t, 10*year, time.Until(at), float64(5*24*time.Hour))
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		},
		"empty-200": eachOnce(), "empty-200/for good": notACME,
		"html-200": eachOnce(), "html-200/for good": notACME, "html-200/from the start": unregistered(client.ErrNotACME, "hotel"),
		"wrong-content-type": func(w *attempt) {
			fine()(w)
			w.ca.Block("a.example")
			w.refuses(client.ErrRejectedIdentifier, "policy")
		},
		"problem-2xx": hopeless(client.ErrNotACME, "something went wrong"),
		"status-mismatch": func(w *attempt) {
			w.connect().inject()
			err := w.refuses(client.ErrUnauthorized, "403", "not with this account")
			require.Equal(w.t, 403, problemIn(w.t, err).Status)
			require.True(w.t, client.CallerFault(err))
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		},
		"unknown-problem": func(w *attempt) {
			w.connect().inject()
			_, err := w.try(w.request())
			require.Equal(w.t, "urn:example:error:fullMoon", problemIn(w.t, err).Type)
			require.ErrorContains(w.t, err, "urn:example:error:fullMoon")
			require.ErrorContains(w.t, err, "no orders while the moon is full")
		},
		"unknown-problem:about:blank": func(w *attempt) {
			w.connect().inject()
			_, err := w.try(w.request())
			require.Equal(w.t, "about:blank", problemIn(w.t, err).Type)
			require.ErrorContains(w.t, err, "no orders while the moon is full")
		},
		"huge-headers:1000000": func(w *attempt) { w.connect().inject(mockca.Authz).refuses(client.ErrUnreachable, "8 attempts") },
		"huge-body": func(w *attempt) {
			w.connect().inject(mockca.NewOrder).refuses(client.ErrRefused, "more than")
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		},
		"gzip-bomb": func(w *attempt) {
			w.connect().inject(mockca.NewOrder).refuses(client.ErrRefused, "more than")
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		},
		"missing-location": func(w *attempt) {
			w.inject()
			w.complains(w.register(), client.ErrNotACME, "Location")
			require.Len(w.t, w.ca.Accounts(), 1)
		},
		"missing-location/of the order": func(w *attempt) {
			w.connect().inject().obtains() // by the account's list of orders
			require.Len(w.t, w.ca.Orders(), 1)
		},
		"missing-location/of the order, without a list": func(w *attempt) {
			w.ca.ChangePolicy(func(p *mockca.Policy) { p.NoOrdersList = true })
			w.connect().inject().refuses(client.ErrNotACME, "no order URL in Location")
			require.Equal(w.t, 3, w.count(mockca.NewOrder))
		},
		"relative-location": func(w *attempt) { w.inject().connect().refuses(client.ErrRefused, "/acme/") },
		"wrong-201":         fine(),
		"link-garbage":      fine(),
	}
}

func nonceDuties() map[string]func(*attempt) {
	return map[string]func(*attempt){
		"bad-nonce": fine(), "bad-nonce:20": fine(), "bad-nonce/each": eachOnce0,
		"bad-nonce-forever": hopeless(client.ErrBadNonce, "33 attempts"),
		"bad-nonce-no-replay": func(w *attempt) {
			w.connect().inject().obtains()
			require.Equal(w.t, 2, w.count(mockca.NewOrder))
		},
		"no-nonce":            fine(),
		"nonce-invalid-chars": fine(),
		"nonce-repeated":      fine(),
		"nonce-expired": func(w *attempt) {
			w.connect()
			w.obtains("1.example", "2.example", "3.example", "4.example", "5.example", "6.example") // leaves a pool of nonces behind
			time.Sleep(4 * time.Minute)
			w.inject()
			w.ca.Transcript().Reset()
			w.obtains()
			refused := 0
			for _, x := range w.ca.Transcript().Exchanges() {
				if x.Problem == mockca.TypeBadNonce {
					refused++
				}
			}
			require.LessOrEqual(w.t, refused, 2, "not one for each nonce in the pool")
		},
		"new-nonce-405":      fine(),
		"new-nonce-200-head": fine(),
		"new-nonce-no-header": func(w *attempt) {
			w.inject()
			w.complains(w.register(), client.ErrNotACME, "Replay-Nonce")
		},
	}
}

// eachOnce0 is eachOnce for faults of signed requests.
func eachOnce0(w *attempt) {
	for _, e := range issuance()[2:] {
		w.ca.InjectOnce(w.fault, mockca.When{Endpoint: e})
	}
	w.connect().obtains()
	for _, r := range w.ca.Rules() {
		require.EqualValues(w.t, 1, r.Hits, r.Rule.When.Endpoint)
	}
}

// The limits of the client's own transport, which the bubbles can't show.
func TestOwnTransportHasLimits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{"huge-headers": client.ErrUnreachable, "gzip-bomb": client.ErrRefused, "huge-body": client.ErrRefused} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			f, err := mockca.ParseFault(text)
			require.NoError(t, err)
			ca := newMock(t)
			c := mockClient(t, ca, func(cfg *client.Config) { cfg.Retry = client.RetryPolicy{Attempts: 2, MaxDelay: time.Millisecond} })
			a := mockAccount(t, c, newKey(t, client.P256))
			ca.Inject(f, mockca.When{Endpoint: mockca.Authz})
			_, err = a.Obtain(t.Context(), requestFor(t, "a.example"))
			require.ErrorIs(t, err, want)
		})
	}
}

func jsonDuties() map[string]func(*attempt) {
	notACME := func(words ...string) func(*attempt) {
		return func(w *attempt) { w.connect().inject().refuses(client.ErrNotACME, words...) }
	}
	tooMuch := func(w *attempt) {
		w.connect().inject()
		_, err := w.try(w.request())
		require.True(w.t, errors.Is(err, client.ErrRefused) || errors.Is(err, client.ErrNotACME), "%v", err)
		require.LessOrEqual(w.t, w.count(mockca.NewOrder), 3)
	}
	// without has a member of the order missing or odd: what is said names it.
	without := func(member string) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			_, err := w.try(w.request())
			require.True(w.t, errors.Is(err, client.ErrRefused) || errors.Is(err, client.ErrNotACME), "%v", err)
			require.ErrorContains(w.t, err, member)
		}
	}
	readable := func(word string) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject().refuses(client.ErrRejectedIdentifier, "no ", word, " today")
			require.NotRegexp(w.t, "[\x1b\x07\u202e\u2066]", w.log.String())
		}
	}
	expires := func(known bool) func(*attempt) {
		return func(w *attempt) {
			fine()(w)
			o, err := w.a.NewOrder(w.t.Context(), client.OrderRequest{Identifiers: w.request().Identifiers})
			require.NoError(w.t, err)
			if !known {
				require.Zero(w.t, o.Expires)
				return
			}
			require.InDelta(w.t, 7*24*time.Hour, time.Until(o.Expires), float64(2*time.Second))
		}
	}
	return map[string]func(*attempt){
		"json-truncated": eachOnce1, "json-truncated/for good": notACME(),
		"json-garbage": eachOnce1, "json-garbage/for good": notACME(),
		"json-garbage/of a refusal": func(w *attempt) {
			w.connect().ca.InjectOnce(w.fault, mockca.When{Endpoint: mockca.NewOrder})
			w.ca.InjectOnce(mockca.BadNonce(), mockca.When{Endpoint: mockca.NewOrder})
			w.obtains()
			require.Equal(w.t, 2, w.count(mockca.NewOrder))
		},
		"json-trailing": eachOnce1, "json-trailing/for good": notACME(),
		"json-deep": tooMuch, "json-long-array": tooMuch, "json-big-number": tooMuch,
		"json-null": without("status"), "json-null:finalize": without("finalize"), "json-null:authorizations": without("authorizations"),
		"json-null:identifiers": without("is for"),
		"json-wrong-type":       without("status"), "json-wrong-type:authorizations": without("authorizations"), "json-wrong-type:identifiers": without("identifiers"),
		"json-wrong-type:expires": fine(),
		"json-duplicate-keys":     fine(),
		"json-unknown-fields":     fine(),
		"json-invalid-utf8":       readable("orders"),
		"json-control-chars":      readable("orders"),
		"status-unknown": func(w *attempt) {
			w.connect().inject().refuses(client.ErrRefused, `"frozen"`)
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		},
		"status-unknown:\x1b[31mred": func(w *attempt) { w.connect().inject().refuses(client.ErrRefused, "red") },
		"times-garbage":              expires(false), "times-garbage:fraction": expires(true), "times-garbage:offset": expires(true), "times-garbage:lowercase": expires(true),
	}
}

// eachOnce1 is eachOnce where the answers are JSON.
func eachOnce1(w *attempt) {
	for _, e := range issuance() {
		if e != mockca.NewNonce && e != mockca.Certificate {
			w.ca.InjectOnce(w.fault, mockca.When{Endpoint: e})
		}
	}
	w.connect().obtains()
	for _, r := range w.ca.Rules() {
		require.EqualValues(w.t, 1, r.Hits, r.Rule.When.Endpoint)
	}
	require.Len(w.t, w.ca.Certificates(), 1)
	require.Len(w.t, w.ca.Orders(), 1)
}
