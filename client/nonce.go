package client

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Replay protection: RFC 8555, Sections 6.5 and 7.2.

const (
	maxNonces   = 128
	maxNonceAge = 5 * time.Minute // CAs forget nonces; an older one is not worth a try
	staleNonce  = 30 * time.Second
)

// noncePool holds the nonces that came with answers and were not used yet, the
// newest on top. The zero value is an empty pool.
type noncePool struct {
	mu     sync.Mutex
	stack  []pooledNonce
	wait   []*nonceWaiter
	coming int // prefetches on their way
}

type pooledNonce struct {
	value string
	at    time.Time
}

// nonceWaiter is a request that has no nonce and waits to ask the CA for one
// again; a nonce that comes in meanwhile wakes it.
type nonceWaiter struct {
	wake  context.CancelFunc
	value string // under noncePool.mu
}

func (p *noncePool) put(value string, now time.Time) {
	if !validNonce(value) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.wait); n > 0 {
		w := p.wait[n-1]
		p.wait = p.wait[:n-1]
		w.value = value
		w.wake()
		return
	}
	if len(p.stack) == maxNonces {
		copy(p.stack, p.stack[1:])
		p.stack = p.stack[:maxNonces-1]
	}
	p.stack = append(p.stack, pooledNonce{value, now})
}

func (p *noncePool) take(now time.Time) (pooledNonce, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.stack)
	if n == 0 {
		return pooledNonce{}, false
	}
	top := p.stack[n-1]
	if now.Sub(top.at) > maxNonceAge {
		p.stack = p.stack[:0] // all below are older still
		return pooledNonce{}, false
	}
	p.stack = p.stack[:n-1]
	return top, true
}

// refused drops the nonces that are as stale as the one the CA just refused, so
// that a pool gone stale costs one refusal and not one for each nonce in it.
func (p *noncePool) refused(n pooledNonce, now time.Time) {
	if now.Sub(n.at) < staleNonce {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := p.stack[:0]
	for _, m := range p.stack {
		if m.at.After(n.at) {
			keep = append(keep, m)
		}
	}
	p.stack = keep
}

// await registers w when a prefetch is on its way that nobody else waits for.
func (p *noncePool) await(w *nonceWaiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.stack) > 0 || p.coming <= len(p.wait) {
		return false
	}
	p.wait = append(p.wait, w)
	return true
}

// begun counts prefetches; ended takes one off, and wakes a waiter that has
// nothing left to wait for.
func (p *noncePool) begun(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.coming += n
}

func (p *noncePool) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.coming--
	if n := len(p.wait); n > p.coming {
		p.wait[n-1].wake()
		p.wait = p.wait[:n-1]
	}
}

func (p *noncePool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.stack)
}

func (p *noncePool) enqueue(w *nonceWaiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait = append(p.wait, w)
}

// dequeue ends the wait and returns the nonce that came, if one did.
func (p *noncePool) dequeue(w *nonceWaiter) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.wait {
		if other == w {
			p.wait = append(p.wait[:i], p.wait[i+1:]...)
			break
		}
	}
	return w.value
}

// validNonce: base64url, and no longer than a header line may sensibly be.
func validNonce(s string) bool { return len(s) <= 512 && isBase64URL(s) }

func isBase64URL(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_':
		default:
			return false
		}
	}
	return s != ""
}

// nonce takes one from the pool, or asks the CA. When the CA is busy and
// another request's answer brings a nonce first, that one is taken.
func (c *Client) nonce(ctx context.Context) (pooledNonce, error) {
	if n, ok := c.nonces.take(c.clock.Now()); ok {
		return n, nil
	}
	wctx, wake := context.WithCancel(ctx)
	defer wake()
	if w := (&nonceWaiter{wake: wake}); c.nonces.await(w) {
		<-wctx.Done()
		if v := c.nonces.dequeue(w); v != "" {
			return pooledNonce{v, c.clock.Now()}, nil
		}
	}
	if n, ok := c.nonces.take(c.clock.Now()); ok {
		return n, nil
	}
	var got string
	q := &call{
		step: "getting a nonce", endpoint: endpointNewNonce, method: http.MethodHead, limit: maxSmall,
		sleep: func(ctx context.Context, d time.Duration) error {
			wctx, wake := context.WithCancel(ctx)
			defer wake()
			w := &nonceWaiter{wake: wake}
			c.nonces.enqueue(w)
			err := c.clock.Sleep(wctx, d)
			if got = c.nonces.dequeue(w); got != "" {
				return errNonceArrived
			}
			if ctx.Err() == nil {
				return nil // slept enough, or woken because a prefetch came to nothing
			}
			return err
		},
	}
	q.decode = func(a *answer) error {
		if a.nonce == "" {
			if q.method == http.MethodHead { // RFC 8555, Section 7.2, allows GET as well
				q.method = http.MethodGet
			}
			return wrapf(ErrNotACME, "no Replay-Nonce in the answer")
		}
		got = a.nonce
		return nil
	}
	_, err := c.do(ctx, q)
	if got != "" {
		return pooledNonce{got, c.clock.Now()}, nil
	}
	return pooledNonce{}, err
}

const errNonceArrived = textError("a nonce arrived")

// prefetch fills the pool up to n nonces while another request is on its way.
// It is a convenience: a failure leaves the pool as it is. The returned function
// waits for its requests to end, after cancelling them.
func (c *Client) prefetch(ctx context.Context, n int) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	n = max(n-c.nonces.size(), 0)
	c.nonces.begun(n)
	for range n {
		wg.Go(func() {
			defer c.nonces.ended()
			q := &call{step: "getting a nonce", endpoint: endpointNewNonce, method: http.MethodHead, limit: maxSmall}
			url, err := c.target(ctx, q)
			if err != nil {
				return
			}
			if a, err := c.exchange(ctx, q, url, ""); err == nil {
				c.nonces.put(a.nonce, c.clock.Now())
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}
