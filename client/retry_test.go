package client

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// drop cuts the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// carryOut serves r as usual and throws the answer away.
func carryOut(r *request) { r.ca.serve(discard{http.Header{}}, r) }

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// TestEveryRequestSurvives: each request of an issuance is, once, hit by each
// fault; the certificate comes all the same, from one order and one CSR.
func TestEveryRequestSurvives(t *testing.T) {
	faults := map[string]func(w http.ResponseWriter, r *request){
		"reset before":       func(w http.ResponseWriter, r *request) { drop(w) },
		"reset after":        func(w http.ResponseWriter, r *request) { carryOut(r); drop(w) },
		"500 before":         func(w http.ResponseWriter, r *request) { r.problem(w, 500, "serverInternal", "") },
		"500 after":          func(w http.ResponseWriter, r *request) { carryOut(r); w.WriteHeader(500) },
		"502 HTML":           func(w http.ResponseWriter, r *request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"503":                func(w http.ResponseWriter, r *request) { w.WriteHeader(503) },
		"503 Retry-After":    func(w http.ResponseWriter, r *request) { w.Header().Set("Retry-After", "0"); w.WriteHeader(503) },
		"429 without a hint": func(w http.ResponseWriter, r *request) { r.problem(w, 429, "rateLimited", "") },
		"badNonce":           func(w http.ResponseWriter, r *request) { r.problem(w, 400, "badNonce", "") },
		"badNonce, no nonce": func(w http.ResponseWriter, r *request) {
			w.WriteHeader(400)
			write(w, `{"type":"urn:ietf:params:acme:error:badNonce"}`)
		},
		"empty 200":      func(w http.ResponseWriter, r *request) { carryOut(r); w.WriteHeader(200) },
		"captive portal": func(w http.ResponseWriter, r *request) { write(w, "<html>log in</html>") },
		"truncated": func(w http.ResponseWriter, r *request) {
			carryOut(r)
			w.Header().Set("Content-Length", "500")
			write(w, `{"sta`)
		},
	}
	for _, kind := range []string{"newNonce", "newOrder", "authz", "chall", "order", "finalize", "cert"} {
		for name, fault := range faults {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				ca := newFakeCA(t)
				a := ca.account()
				var hit atomic.Bool
				ca.hook = func(w http.ResponseWriter, r *request) bool {
					if r.kind == kind && hit.CompareAndSwap(false, true) {
						fault(w, r)
						return true
					}
					return false
				}
				cert, err := a.Obtain(t.Context(), new(paper).request(t, "a.example", "b.example"))
				require.NoError(t, err)
				require.True(t, hit.Load())
				require.True(t, samePublicKey(cert.Key.Public(), cert.Leaf.PublicKey))
				if kind != "newOrder" {
					require.Equal(t, 1, ca.count("newOrder"))
				}
			})
		}
	}
}

func TestLostFinalizeIsNotRepeated(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "finalize" {
			carryOut(r)
			drop(w)
			return true
		}
		return false
	}
	_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
	require.NoError(t, err)
	require.Equal(t, 1, ca.count("finalize"))
}

func TestLostOrderIsFoundInTheList(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.shape = func(kind string, o map[string]any) {
		switch kind {
		case "acct":
			o["status"], o["orders"] = "valid", ca.url("/orders")
		case "orders":
			o["orders"] = []string{ca.url("/order/0")}
		}
	}
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newOrder" {
			carryOut(r)
			drop(w)
			return true
		}
		return false
	}
	o, err := a.NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	require.NoError(t, err)
	require.Equal(t, ca.url("/order/0"), o.URL)
	require.Equal(t, 1, ca.count("newOrder"))
}

func TestBadNonceIsBounded(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newOrder" {
			r.problem(w, 400, "badNonce", "never")
			return true
		}
		return false
	}
	_, err := a.NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	require.ErrorIs(t, err, ErrBadNonce)
	require.True(t, Temporary(err))
	require.Equal(t, 33, ca.count("newOrder"))
	require.LessOrEqual(t, ca.count("newNonce"), 2, "the nonce of the refusal is used")
	require.Contains(t, err.Error(), "after 33 attempts")
}

func TestRefusedNonceIsReplacedByTheOneThatCameWithIt(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	var given string
	var once sync.Once
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind != "newOrder" {
			return false
		}
		if given != "" {
			require.Equal(t, given, r.header["nonce"])
			return false
		}
		once.Do(func() { given = "fresh-one" })
		w.Header().Set("Replay-Nonce", given)
		w.WriteHeader(400)
		write(w, `{"type":"urn:ietf:params:acme:error:badNonce"}`)
		return true
	}
	_, err := a.NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	require.NoError(t, err)
	require.Equal(t, 2, ca.count("newOrder"))
}

func TestStalePoolCostsOneRefusal(t *testing.T) {
	ca := newFakeCA(t)
	v := clock.NewVirtual(time.Now())
	a := ca.account(func(c *Config) { c.Clock = v })
	for _, n := range []string{"old1", "old2", "old3", "old4"} {
		a.c.nonces.put(n, v.Now())
	}
	v.Advance(2 * time.Minute)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if n, _ := r.header["nonce"].(string); strings.HasPrefix(n, "old") {
			r.problem(w, 400, "badNonce", "")
			return true
		}
		return false
	}
	_, err := a.NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	require.NoError(t, err)
	require.Equal(t, 2, ca.count("newOrder"))
	require.Equal(t, 1, a.c.nonces.size())
}

func TestNonceRules(t *testing.T) {
	var p noncePool
	now := time.Now()
	for _, bad := range []string{"", "a b", "a=", "ä", strings.Repeat("a", 600), "a\r\nb"} {
		p.put(bad, now)
	}
	require.Zero(t, p.size())
	for range 1000 {
		p.put("x", now)
	}
	require.Equal(t, maxNonces, p.size())
	_, ok := p.take(now.Add(time.Hour))
	require.False(t, ok, "too old to try")
	require.Zero(t, p.size())
}

func TestNewNonceFallsBackToGET(t *testing.T) {
	ca := newFakeCA(t)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newNonce" && r.Method == http.MethodHead {
			w.WriteHeader(204)
			return true
		}
		return false
	}
	ca.account()
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"0": now, "3": now.Add(3 * time.Second), " 7 ": now.Add(7 * time.Second), "-5": now,
		"Wed, 01 May 2030 12:00:09 GMT": now.Add(9 * time.Second), "Tue, 01 May 2029 12:00:09 GMT": now,
		"99999999999999999999999": now.Add(maxRetryAfter), "315360001": now.Add(maxRetryAfter),
		"Wed, 01 May 2199 12:00:09 GMT": now.Add(maxRetryAfter), "soon": {}, "": {}, "3.5": {}, "1e3": {},
	} {
		at, ok := retryAfter(http.Header{"Retry-After": {in}}, now)
		require.Equal(t, !want.IsZero(), ok, in)
		require.True(t, want.Equal(at), "%s: %s", in, at)
	}
}

func TestRetryAfterByAnotherClock(t *testing.T) {
	now := time.Unix(1900000000, 0).UTC()
	for skew, want := range map[time.Duration]time.Duration{0: time.Minute, 2 * time.Second: 62 * time.Second, 3 * time.Hour: time.Minute, -3 * time.Hour: time.Minute} {
		theirs := now.Add(skew)
		at, ok := retryAfter(http.Header{"Date": {theirs.Format(http.TimeFormat)}, "Retry-After": {theirs.Add(time.Minute).Format(http.TimeFormat)}}, now)
		require.True(t, ok)
		require.Equal(t, want, at.Sub(now), "the CA's clock is ahead by %v", skew)
	}
}

func TestRateLimitIsWaitedForOnlyWithinPatience(t *testing.T) {
	ca := newFakeCA(t)
	v := clock.NewVirtual(time.Now())
	a := ca.account(func(c *Config) { c.Clock = v })
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newOrder" {
			w.Header().Set("Retry-After", "86400")
			w.Header().Set("Link", `<https://ca.example/rate-limits>;rel="help"`)
			r.problem(w, 429, "rateLimited", "too many certificates")
			return true
		}
		return false
	}
	_, err := a.NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	until, ok := RateLimited(err)
	require.True(t, ok)
	require.Equal(t, v.Now().Add(24*time.Hour), until)
	require.Equal(t, 1, ca.count("newOrder"))
	require.True(t, Temporary(err))
	require.False(t, CallerFault(err))
	p, _ := errors.AsType[*Problem](err)
	require.Equal(t, "https://ca.example/rate-limits", p.Help)
	require.Contains(t, err.Error(), "try again at")
}

func TestShortRateLimitIsWaitedFor(t *testing.T) {
	ca := newFakeCA(t)
	v := clock.NewVirtual(time.Now())
	a := ca.account(func(c *Config) { c.Clock = v })
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newOrder" && r.n == 1 {
			w.Header().Set("Retry-After", "30")
			r.problem(w, 429, "rateLimited", "")
			return true
		}
		return false
	}
	begun := v.Now()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // moves time whenever the client waits
		for ctx.Err() == nil {
			if next, ok := v.Next(); ok {
				v.Set(next)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := a.NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, v.Now().Sub(begun))
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := "http://" + l.Addr().String() + "/"
	require.NoError(t, l.Close())
	c, err := New(Config{DirectoryURL: url, AllowHTTP: true, Retry: RetryPolicy{Attempts: 3, MinDelay: time.Millisecond}})
	require.NoError(t, err)
	_, err = c.Directory(t.Context())
	require.ErrorIs(t, err, ErrUnreachable)
	require.True(t, Temporary(err))
	require.Contains(t, err.Error(), "after 3 attempts")
}

func TestStallEndsByTheClientsOwnTimeout(t *testing.T) {
	ca := newFakeCA(t)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.n > 2 {
			return false
		}
		if r.n == 2 {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		return true
	}
	c := ca.client(func(c *Config) { c.RequestTimeout = 50 * time.Millisecond })
	_, err := c.Directory(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, ca.count("dir"))
}

func TestUntrustedAPIFailsAtOnce(t *testing.T) {
	ca := newFakeCA(t)
	srv := newTLS(t, ca)
	c, err := New(Config{DirectoryURL: srv + "/dir"})
	require.NoError(t, err)
	_, err = c.Directory(t.Context())
	require.ErrorIs(t, err, ErrUnreachable)
	e, _ := errors.AsType[*Error](err)
	require.Equal(t, 1, e.Attempts)
}

func TestMovedDirectoryIsFetchedAgain(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	var moved atomic.Bool
	ca.shape = func(kind string, o map[string]any) {
		if kind == "dir" && moved.Load() {
			o["newOrder"] = ca.url("/newOrder/v2")
		}
	}
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.URL.Path == "/newOrder" {
			moved.Store(true)
			r.problem(w, 404, "malformed", "gone")
			return true
		}
		return false
	}
	_, err := a.NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	require.NoError(t, err)
	require.Equal(t, 2, ca.count("dir"))
}

func TestOfferedAlgorithmIsAdopted(t *testing.T) {
	ca := newFakeCA(t)
	key, err := GenerateKey(RSA2048)
	require.NoError(t, err)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newAccount" && r.header["alg"] != "PS256" {
			w.Header().Set("Replay-Nonce", ca.fresh())
			w.WriteHeader(400)
			write(w, `{"type":"urn:ietf:params:acme:error:badSignatureAlgorithm","algorithms":["XX","PS256"]}`)
			return true
		}
		return false
	}
	_, err = ca.client().NewAccount(t.Context(), key, AccountOptions{})
	require.NoError(t, err)
	_, err = ca.client().NewAccount(t.Context(), testKey(t), AccountOptions{})
	require.ErrorIs(t, err, ErrBadSignatureAlgorithm)
}

func TestReplacesIsDroppedWhenRefused(t *testing.T) {
	for _, refusal := range []struct {
		status int
		kind   string
	}{{409, "alreadyReplaced"}, {400, "malformed"}, {404, "malformed"}, {403, "unauthorized"}} {
		ca := newFakeCA(t)
		a := ca.account()
		ca.hook = func(w http.ResponseWriter, r *request) bool {
			if r.kind == "newOrder" && strings.Contains(string(r.payload), "replaces") {
				r.problem(w, refusal.status, refusal.kind, "")
				return true
			}
			return false
		}
		r := new(paper).request(t, "a.example")
		r.Replaces = "AQID.AIc"
		cert, err := a.Obtain(t.Context(), r)
		require.NoError(t, err)
		require.Len(t, cert.Warnings, 1)
		require.Equal(t, 2, ca.count("newOrder"))
	}
}

func TestAccountGoneIsTyped(t *testing.T) {
	ca := newFakeCA(t)
	a, err := ca.client().Account(testKey(t), ca.url("/acct/99"))
	require.NoError(t, err)
	_, err = a.Obtain(t.Context(), new(paper).request(t, "a.example"))
	require.ErrorIs(t, err, ErrAccountDoesNotExist)
	require.True(t, CallerFault(err))
}

func TestOrderNotReadyIsPolled(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "finalize" && r.n <= 2 {
			r.problem(w, 403, "orderNotReady", "a moment")
			return true
		}
		return false
	}
	_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
	require.NoError(t, err)
	require.Equal(t, 3, ca.count("finalize"))
}

func TestRepeatedChallengeAnswerIsNoFailure(t *testing.T) {
	for _, status := range []int{400, 409} {
		ca := newFakeCA(t)
		a := ca.account()
		ca.hook = func(w http.ResponseWriter, r *request) bool {
			if r.kind == "chall" && r.n == 1 {
				carryOut(r)
				r.problem(w, status, "malformed", "not pending")
				return true
			}
			return false
		}
		_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
		require.NoError(t, err)
	}
}

func TestProblemDocuments(t *testing.T) {
	var p Problem
	require.NoError(t, json.Unmarshal([]byte(`{"type":"urn:ietf:params:acme:error:compound","detail":7,"status":"x","title":"T",
		"subproblems":[{"type":"urn:ietf:params:acme:error:dns","identifier":{"type":"dns","value":"a\u001b"},"subproblems":[{"subproblems":[{}]}]}, 5]}`), &p))
	require.Empty(t, p.Detail)
	require.Zero(t, p.Status)
	require.Len(t, p.Subproblems, 1)
	require.ErrorIs(t, &p, ErrCompound)
	require.NotErrorIs(t, &p, ErrDNS)
	require.Equal(t, "compound: T; a\ufffd: dns; about:blank", p.Error())
}
