package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryPolicy bounds what the client does by itself about failing requests.
// The zero value of each field is its default.
//
// A refused nonce is answered at once with the nonce that came with the refusal
// (RFC 8555, Section 6.5). Broken connections and 5xx are repeated after an
// exponentially growing time with full jitter; 429 and 503 after the CA's
// Retry-After (RFC 8555, Section 6.6). Before a request that must not be
// carried out twice is repeated, the CA is asked what became of the first.
type RetryPolicy struct {
	Attempts      int           // of one request, refused nonces not counted; 0 means 8
	BadNonces     int           // refused nonces in one request; 0 means 32
	MinDelay      time.Duration // upper bound of the first random wait; 0 means 50 ms
	MaxDelay      time.Duration // upper bound of all of them; 0 means 10 s
	MaxRetryAfter time.Duration // a longer Retry-After ends the request with an error that holds it; 0 means 1 minute
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Attempts <= 0 {
		p.Attempts = 8
	}
	if p.BadNonces <= 0 {
		p.BadNonces = 32
	}
	if p.MinDelay <= 0 {
		p.MinDelay = 50 * time.Millisecond
	}
	if p.MaxDelay <= 0 {
		p.MaxDelay = 10 * time.Second
	}
	if p.MaxRetryAfter <= 0 {
		p.MaxRetryAfter = time.Minute
	}
	return p
}

// backoff is a random wait before attempt n+1, n counting from 1.
func (p RetryPolicy) backoff(n int) time.Duration {
	limit := p.MinDelay << min(n-1, 20)
	if limit > p.MaxDelay || limit <= 0 {
		limit = p.MaxDelay
	}
	return rand.N(limit) + 1
}

// temporaryStatus reports whether the same request may be answered better later.
func temporaryStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return status >= 520 && status < 600 // what content delivery networks add
}

// refusedStatus reports whether the CA, or what stands before it, said that it
// did not act.
func refusedStatus(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

const maxRetryAfter = 10 * 365 * 24 * time.Hour

// retryAfter reads Retry-After, seconds or date (RFC 9110, Section 10.2.3); a
// date is by the clock of the Date header, where that is not ours. A time in the
// past is now; ok is false when there is none that can be read.
func retryAfter(h http.Header, now time.Time) (at time.Time, ok bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return time.Time{}, false
	}
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		d := maxRetryAfter
		if s < int64(maxRetryAfter/time.Second) {
			d = time.Duration(max(s, 0)) * time.Second
		}
		return now.Add(d), true
	}
	if isDigits(v) {
		return now.Add(maxRetryAfter), true
	}
	t, err := http.ParseTime(v)
	if date, derr := http.ParseTime(h.Get("Date")); derr == nil && now.Sub(date).Abs() > tolerableSkew {
		t = now.Add(t.Sub(date))
	}
	switch {
	case err != nil:
		return time.Time{}, false
	case t.Before(now):
		return now, true
	case t.After(now.Add(maxRetryAfter)):
		return now.Add(maxRetryAfter), true
	}
	return t, true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// poller paces looks at an object that the CA is working on: by Retry-After
// where the CA gives it, else after 5, 10, 20, ... ms up to 5 s.
type poller struct {
	c     *Client
	next  time.Duration
	until time.Time
}

func (c *Client) newPoller() *poller {
	return &poller{c: c, next: 5 * time.Millisecond, until: c.clock.Now().Add(c.cfg.PollTimeout)}
}

// wait sleeps until the next look. at is the CA's Retry-After, zero without.
func (p *poller) wait(ctx context.Context, at time.Time) error {
	now := p.c.clock.Now()
	d := p.next
	p.next = min(2*p.next, 5*time.Second)
	if !at.IsZero() {
		d = max(at.Sub(now), d)
	}
	if now.Add(d).After(p.until) {
		return ErrTimeout
	}
	return p.c.clock.Sleep(ctx, d)
}
