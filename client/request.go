package client

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The one road that every request takes: RFC 8555, Sections 6.1 to 6.6.

// The most that is read of an answer.
const (
	maxSmall     = 64 << 10
	maxObject    = 1 << 20
	maxJSONDepth = 32
	maxRedirects = 5
	earlyTries   = 4 // of what may not be there yet
)

// call is a request with all that must be known to repeat it.
type call struct {
	step     string
	ids      []Identifier // that it is about, if any
	method   string       // empty: POST, or GET without a signer
	url      string
	endpoint *endpoint // where the URL comes from, in place of url

	signer  *jwsSigner // nil: not signed
	kid     string     // empty: the key itself is embedded
	payload []byte     // nil: POST-as-GET (RFC 8555, Section 6.3)
	build   func(url string) ([]byte, error)
	accept  string
	limit   int64

	// decode reads a successful answer. An ErrNotACME error counts as a failed
	// attempt, since proxies and crashing CAs produce such; others are final.
	decode func(*answer) error
	// lost is asked before a request is repeated whose outcome is unknown: it
	// reports whether the CA did carry it out. Nil: repeating does no harm.
	lost func(context.Context) (bool, error)
	// sleep replaces Clock.Sleep between attempts.
	sleep func(context.Context, time.Duration) error
	// reachableOnly: no repeat when the CA can't be connected to.
	reachableOnly bool
	attempts      int  // in place of RetryPolicy.Attempts, if not 0
	early         bool // 404 may mean that it is not there yet
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	url    string // of the request, after redirects
	nonce  string
	now    time.Time
}

func (a *answer) retryAfter() time.Time {
	at, _ := retryAfter(a.header, a.now)
	return at
}

// location is the absolute Location header, empty without a usable one.
func (a *answer) location() string {
	l, ok := resolve(a.url, a.header.Get("Location"))
	if !ok {
		return ""
	}
	return l
}

// object decodes the body, within limits, into v.
func (a *answer) object(v any) error {
	if err := checkJSON(a.body); err != nil {
		return wrapf(ErrNotACME, "%v: %s", err, describeBody(a.header, a.body))
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		if errors.Is(err, ErrRefused) {
			return err
		}
		if errors.As(err, new(*json.SyntaxError)) {
			return wrapf(ErrNotACME, "%s (%s)", printable(err.Error()), describeBody(a.header, a.body))
		}
		return wrapf(ErrNotACME, "%s", printable(err.Error()))
	}
	return nil
}

// attempts is the state of one call.
type attempts struct {
	sent, badNonces, failures int
	nonce                     pooledNonce // the next to use, from a refusal
	moved, adopted            bool
}

// do sends q until it is answered for good, within the retry policy. The answer
// is nil when q.lost found that an earlier attempt had been carried out.
func (c *Client) do(ctx context.Context, q *call) (*answer, error) {
	var t attempts
	for {
		url, err := c.target(ctx, q)
		if err != nil {
			return nil, c.failed(ctx, q, url, &t, err, time.Time{})
		}
		a, err := c.attempt(ctx, q, url, &t)
		if err == nil {
			return a, nil
		}
		again, wait, maybeDone := c.judge(ctx, q, &t, a, err)
		if !again {
			return nil, c.failed(ctx, q, url, &t, err, retryAt(a))
		}
		if wait > 0 {
			c.log.DebugContext(ctx, "acme: repeating request", "step", q.step, "url", url, "wait", wait, "err", err)
			sleep := q.sleep
			if sleep == nil {
				sleep = c.clock.Sleep
			}
			if serr := sleep(ctx, wait); serr != nil {
				return nil, c.failed(ctx, q, url, &t, fmt.Errorf("%w (waiting to repeat after: %w)", serr, err), retryAt(a))
			}
		}
		if maybeDone && q.lost != nil {
			done, err := q.lost(ctx)
			if err != nil {
				return nil, err
			}
			if done {
				return nil, nil
			}
		}
	}
}

func retryAt(a *answer) time.Time {
	if a == nil {
		return time.Time{}
	}
	return a.retryAfter()
}

// attempt sends q once. A nil error means a success that was decoded.
func (c *Client) attempt(ctx context.Context, q *call, url string, t *attempts) (*answer, error) {
	if q.signer != nil && t.nonce.value == "" {
		n, err := c.nonce(ctx)
		if err != nil {
			return nil, finalError{err}
		}
		t.nonce = n
	}
	used := t.nonce
	t.nonce = pooledNonce{}
	t.sent++
	a, err := c.exchange(ctx, q, url, used.value)
	if err != nil {
		return nil, err
	}
	if a.status >= 200 && a.status < 300 {
		if q.signer != nil {
			c.nonces.put(a.nonce, a.now)
		}
		if strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
			return a, wrapf(ErrNotACME, "a problem document with status %d: %v", a.status, readProblem(a.status, a.header, a.body, a.url, a.now))
		}
		if q.decode != nil {
			if err := q.decode(a); err != nil {
				return a, err
			}
		}
		return a, nil
	}
	p := readProblem(a.status, a.header, a.body, a.url, a.now)
	if q.signer != nil && p.is(ErrBadNonce) {
		c.nonces.refused(used, a.now)
		if validNonce(a.nonce) {
			t.nonce = pooledNonce{a.nonce, a.now}
		}
	} else if q.signer != nil {
		c.nonces.put(a.nonce, a.now)
	}
	return a, p
}

// finalError is one whose request was repeated enough already.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// judge decides whether to repeat after err, how long to wait before, and
// whether the CA may have carried the request out.
func (c *Client) judge(ctx context.Context, q *call, t *attempts, a *answer, err error) (again bool, wait time.Duration, maybeDone bool) {
	policy := &c.cfg.Retry
	if ctx.Err() != nil || errors.As(err, new(finalError)) {
		return false, 0, false
	}
	p, isProblem := err.(*Problem)
	switch {
	case isProblem && p.is(ErrBadNonce) && q.signer != nil:
		t.badNonces++
		return t.badNonces <= policy.BadNonces, 0, false
	case isProblem && p.is(ErrBadSignatureAlgorithm) && !t.adopted && q.signer != nil:
		t.adopted = true
		return q.signer.adopt(p.Algorithms), 0, false
	case isProblem && p.Status == http.StatusNotFound && q.endpoint != nil && q.url == "" && !t.moved:
		t.moved = true // the directory may have moved its entries
		return c.moved(ctx, q), 0, false
	case isProblem && q.method == http.MethodHead && (p.Status == http.StatusMethodNotAllowed || p.Status == http.StatusNotImplemented):
		q.method = http.MethodGet // RFC 8555, Section 7.2, allows it as well
		return true, 0, false
	case isProblem && p.Status == http.StatusNotFound && q.early && t.failures < earlyTries:
	case isProblem && p.garbled && t.failures < 2: // it may have been badNonce
		maybeDone = true
	case isProblem && !temporaryStatus(p.Status):
		return false, 0, false
	case isProblem:
		maybeDone = !refusedStatus(p.Status)
	case errors.Is(err, ErrNotACME) && a != nil:
		if t.failures >= 2 { // it is not by chance
			return false, 0, false
		}
		maybeDone = true
	case a != nil || permanent(err):
		return false, 0, false
	default:
		dialing := neverSent(err)
		if dialing && q.reachableOnly {
			return false, 0, false
		}
		maybeDone = !dialing
	}
	limit := policy.Attempts
	if q.attempts > 0 {
		limit = q.attempts
	}
	t.failures++
	if t.failures >= limit {
		return false, 0, false
	}
	wait = policy.backoff(t.failures)
	if a != nil {
		if at, ok := retryAfter(a.header, a.now); ok {
			d := at.Sub(a.now)
			if d > policy.MaxRetryAfter {
				return false, 0, false
			}
			wait = max(d, wait)
		}
	}
	return true, wait, maybeDone
}

// failed is the error that tells the whole story.
func (c *Client) failed(ctx context.Context, q *call, url string, t *attempts, err error, at time.Time) error {
	final, isFinal := errors.AsType[finalError](err)
	if isFinal {
		if e, ok := errors.AsType[*Error](err); ok {
			e.Step = q.step + ": " + e.Step
			return e
		}
		err = final.error
	}
	if _, answered := errors.AsType[*Problem](err); !answered && !isFinal && ctx.Err() == nil && !errors.Is(err, ErrNotACME) &&
		!errors.Is(err, ErrRefused) && !errors.Is(err, ErrNotOffered) && !errors.Is(err, ErrUnauthorized) {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
		if ce, ok := errors.AsType[x509.CertificateInvalidError](err); ok && ce.Reason == x509.Expired {
			err = fmt.Errorf("%w (or this machine's clock is wrong: it says %s)", err, c.clock.Now().UTC().Format(time.RFC3339))
		}
	}
	return &Error{Step: q.step, Identifier: joinIdentifiers(q.ids), Method: q.verb(), URL: url, Attempts: t.sent, RetryAt: at, Err: err}
}

func (q *call) verb() string {
	switch {
	case q.method != "":
		return q.method
	case q.signer != nil:
		return http.MethodPost
	}
	return http.MethodGet
}

// wrapf is sentinel with more to say.
func wrapf(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
}
