package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// stays makes the order keep a status for the first n looks at it.
func stays(ca *fakeCA, status, retryAfter string, n int) {
	looks := 0
	ca.shape = func(kind string, o map[string]any) {
		if kind == "order" && o["status"] != "invalid" {
			if looks++; looks <= n {
				o["status"] = status
			}
		}
	}
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "order" && retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		return false
	}
}

func TestRetryAfterOfTheOrderIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, a := bubbled(t)
		stays(ca, "pending", "7", 3)
		begun := time.Now()
		_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example", "b.example", "c.example"))
		require.NoError(t, err)
		require.Equal(t, 4, ca.count("order"))
		require.InDelta(t, 21, time.Since(begun).Seconds(), 0.1, "three waits for three names")
	})
}

func TestWithoutRetryAfterLooksGetRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, a := bubbled(t)
		stays(ca, "pending", "", 20)
		begun := time.Now()
		_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
		require.NoError(t, err)
		require.InDelta(t, 55, time.Since(begun).Seconds(), 15)
	})
}

func TestOrderThatNeverFinishesEndsAndCanBeResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, a := bubbled(t)
		stays(ca, "pending", "20", 1<<30)
		r := new(paper).request(t, "a.example")
		var kept Pending
		r.OnPending = func(_ context.Context, p Pending) error { kept = p; return nil }
		begun := time.Now()
		_, err := a.Obtain(t.Context(), r)
		require.ErrorIs(t, err, ErrTimeout)
		require.True(t, Temporary(err))
		require.InDelta(t, 600, time.Since(begun).Seconds(), 21)
		for _, line := range ca.log {
			require.NotContains(t, line, "deactivate")
		}
		stays(ca, "pending", "20", 0)
		r.Resume = &kept
		cert, err := a.Obtain(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, 1, ca.count("newOrder"))
		require.Equal(t, kept.OrderURL, cert.OrderURL)
	})
}

func TestEveryWaitEndsWithItsContext(t *testing.T) {
	for name, block := range map[string]func(ca *fakeCA){
		"validation": func(ca *fakeCA) { stays(ca, "pending", "60", 1<<30) },
		"issuance":   func(ca *fakeCA) { stays(ca, "processing", "60", 1<<30) },
		"rate limit": func(ca *fakeCA) {
			ca.hook = func(w http.ResponseWriter, r *request) bool {
				if r.kind == "newOrder" {
					w.Header().Set("Retry-After", "50")
					r.problem(w, 429, "rateLimited", "slow down")
					return true
				}
				return false
			}
		},
		"outage": func(ca *fakeCA) {
			ca.hook = func(w http.ResponseWriter, r *request) bool {
				if r.kind == "newOrder" {
					w.Header().Set("Retry-After", "20")
					w.WriteHeader(503)
					return true
				}
				return false
			}
		},
		"silence": func(ca *fakeCA) {
			ca.hook = func(w http.ResponseWriter, r *request) bool {
				if r.kind == "newOrder" {
					<-r.Context().Done()
					return true
				}
				return false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, a := bubbled(t)
				block(ca)
				ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
				defer cancel()
				begun := time.Now()
				p := new(paper)
				_, err := a.Obtain(ctx, p.request(t, "a.example"))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 25*time.Second, time.Since(begun))
				require.Equal(t, p.presented, p.cleaned)
			})
		})
	}
}

func TestOutageIsRetriedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, a := bubbled(t)
		ca.hook = func(w http.ResponseWriter, r *request) bool {
			if r.kind == "newOrder" {
				http.Error(w, "down", http.StatusBadGateway)
				return true
			}
			return false
		}
		begun := time.Now()
		_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		require.Equal(t, 8, e.Attempts)
		require.True(t, Temporary(err))
		require.Contains(t, err.Error(), "502")
		require.Contains(t, err.Error(), "down")
		require.Less(t, time.Since(begun), 7*time.Second)
	})
}

func TestInvalidAuthorizationIsNoticedThoughTheOrderStaysPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, a := bubbled(t)
		stays(ca, "pending", "", 1<<30)
		inner := ca.hook
		ca.hook = func(w http.ResponseWriter, r *request) bool {
			if r.kind == "chall" {
				ca.mu.Lock()
				ca.orders[0].problem[0] = map[string]any{"type": errorURN + "dns", "detail": "NXDOMAIN"}
				ca.mu.Unlock()
			}
			return inner(w, r)
		}
		_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
		require.ErrorIs(t, err, ErrDNS)
		require.Contains(t, err.Error(), "NXDOMAIN")
	})
}

// watched is a solver that sees the CA look, a while after.
type watched struct {
	paper
	after time.Duration
}

func (w *watched) Seen(challenge.Challenge) <-chan struct{} {
	ch := make(chan struct{})
	time.AfterFunc(w.after, func() { close(ch) })
	return ch
}

func TestFirstLookWaitsForTheCAsFetch(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		3 * time.Millisecond:  5 * time.Millisecond,
		60 * time.Millisecond: 62 * time.Millisecond,
		time.Hour:             102 * time.Millisecond, // never seen: look all the same
	} {
		synctest.Test(t, func(t *testing.T) {
			ca, a := bubbled(t)
			w := &watched{after: after}
			var answered, looked time.Time
			ca.hook = func(_ http.ResponseWriter, r *request) bool {
				switch r.kind {
				case "chall":
					answered = time.Now()
				case "order":
					looked = time.Now()
				}
				return false
			}
			_, err := a.Obtain(t.Context(), Request{Identifiers: names(t, "a.example"), Solvers: []SolverFor{{challenge.HTTP01, w}}})
			require.NoError(t, err)
			require.Equal(t, want, looked.Sub(answered))
			require.Equal(t, 1, ca.count("order"))
			time.Sleep(2 * time.Hour)
		})
	}
}

// checked is a solver that knows it cannot.
type checked struct {
	paper
	err error
}

func (c *checked) Check(context.Context) error { return c.err }

func TestSolverThatCannotCostsNothingAtTheCA(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	taken := errors.New("port 80 is taken")
	r := Request{Identifiers: names(t, "a.example"), Solvers: []SolverFor{{challenge.HTTP01, &checked{err: taken}}}}
	_, err := a.Obtain(t.Context(), r)
	require.ErrorIs(t, err, taken)
	require.Zero(t, ca.count("newOrder"))
}

func TestUnpresentableChallengeIsTriedByTheNextSolver(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.shape = func(kind string, o map[string]any) {
		if kind == "authz" {
			o["challenges"] = append(o["challenges"].([]any), map[string]any{"type": "dns-01", "url": ca.url("/chall/0/0"), "status": "pending", "token": fakeToken})
		}
	}
	first, second := &paper{err: errors.New("read-only")}, new(paper)
	_, err := a.Obtain(t.Context(), Request{Identifiers: names(t, "a.example"), Solvers: []SolverFor{{challenge.HTTP01, first}, {challenge.DNS01, second}}})
	require.NoError(t, err)
	require.Equal(t, 1, ca.count("newOrder"), "on the same order")
	require.Equal(t, first.presented, first.cleaned)
	require.Equal(t, second.presented, second.cleaned)

	_, err = a.Obtain(t.Context(), Request{Identifiers: names(t, "a.example"), Solvers: []SolverFor{{challenge.HTTP01, first}}})
	require.ErrorContains(t, err, "read-only")
}

func TestFailedIssuanceDeactivatesWhatIsPending(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	deactivated := make(chan string, 10)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if strings.Contains(string(r.payload), "deactivated") {
			deactivated <- r.URL.Path
		}
		return false
	}
	_, err := a.Obtain(t.Context(), (&paper{err: errors.New("no")}).request(t, "a.example", "b.example"))
	require.Error(t, err)
	require.Len(t, deactivated, 2)

	r := new(paper).request(t, "a.example", "b.example", "c.example")
	full := errors.New("no space left on device")
	r.OnPending = func(context.Context, Pending) error { return full }
	_, err = a.Obtain(t.Context(), r)
	require.ErrorIs(t, err, full)
	require.Len(t, deactivated, 5, "an order that could not be kept is given up")
}

func TestResumeOfAnOrderThatIsGone(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	r := new(paper).request(t, "a.example")
	var kept Pending
	r.OnPending = func(_ context.Context, p Pending) error { kept = p; return nil }
	_, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.URL.Path == "/order/0" {
			r.problem(w, 404, "malformed", "no such order")
			return true
		}
		return false
	}
	r.Resume = &kept
	old, err := kept.PrivateKey()
	require.NoError(t, err)
	cert, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, 2, ca.count("newOrder"))
	require.True(t, samePublicKey(old.Public(), cert.Leaf.PublicKey), "the key that was kept is used")

	other := new(paper).request(t, "b.example")
	other.Resume = &kept
	cert, err = a.Obtain(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, []string{"b.example"}, cert.Leaf.DNSNames, "another request's pending order is not resumed")
}

// DigiCert's orders stay ready for a while after the CSR was taken.
func TestOrderThatStaysReadyIsFinalizedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, a := bubbled(t)
		begun := time.Now()
		ca.shape = func(kind string, o map[string]any) {
			if o["status"] == "valid" && o["finalize"] != nil && time.Since(begun) < 4*time.Second {
				o["status"] = "ready"
				delete(o, "certificate")
			}
		}
		_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
		require.NoError(t, err)
		require.Equal(t, 1, ca.count("finalize"))
	})
}

// Some CAs take a while to agree with themselves that an order is ready.
func TestFinalizeThatIsTooEarlyIsRepeatedForSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, a := bubbled(t)
		begun := time.Now()
		ca.hook = func(w http.ResponseWriter, r *request) bool {
			if r.kind == "finalize" && time.Since(begun) < 10*time.Second {
				r.problem(w, 403, "orderNotReady", "a moment")
				return true
			}
			return false
		}
		_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
		require.NoError(t, err)
	})
}
