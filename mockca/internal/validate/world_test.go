package validate_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/memnet"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

// world is a network in memory: listeners by address, everything else refused
// or, in a black hole, never answered.
type world struct {
	*dnsserver.Server

	mu        sync.Mutex
	listeners map[string]*memnet.Listener
	holes     map[string]bool
	dialed    []string
}

func newWorld() *world {
	return &world{Server: dnsserver.NewUnstarted(dnsserver.Options{NoDefaults: true}), listeners: map[string]*memnet.Listener{}, holes: map[string]bool{}}
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, address)
	l, hole := w.listeners[address], w.holes[address]
	w.mu.Unlock()
	switch {
	case hole:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: context.Cause(ctx)}
	case l == nil:
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return l.Dial(ctx, network, address)
}

// listen opens an address until the test's end.
func (w *world) listen(t testing.TB, address string) *memnet.Listener {
	l := memnet.Listen()
	t.Cleanup(func() { _ = l.Close() })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[address] = l
	return l
}

// serve answers HTTP at an address.
func (w *world) serve(t testing.TB, address string, h http.HandlerFunc) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	l := w.listen(t, address)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// raw answers each connection with bytes after the first that are read, and
// then leaves it open.
func (w *world) raw(t testing.TB, address, answer string) {
	l := w.listen(t, address)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				buffer := make([]byte, 4096)
				for first := true; ; first = false {
					if _, err := c.Read(buffer); err != nil {
						return
					}
					if first {
						_, _ = c.Write([]byte(answer))
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
}

func (w *world) validator(c validate.Config) *validate.Validator {
	if c.DNS == nil {
		c.DNS = w
	}
	if c.Dial == nil {
		c.Dial = w.dial
	}
	return validate.New(c)
}

const (
	token   = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
	keyAuth = token + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
	account = "https://ca.example/acct/7"
)

func request(typ, name string) validate.Request {
	return validate.Request{Type: typ, Identifier: validate.Identifier{Type: "dns", Value: name}, Token: token, KeyAuthorization: keyAuth, AccountURL: account, IssuerDomains: []string{"ca.example"}}
}

func address(addr string) validate.Request {
	r := request(validate.HTTP01, addr)
	r.Identifier.Type = "ip"
	return r
}

func keyAuthorization(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/.well-known/acme-challenge/"+token {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(keyAuth))
}

// requireProblem checks type and detail of a problem; an empty type wants none.
func requireProblem(t testing.TB, p *validate.Problem, typ, detail string) {
	t.Helper()
	if typ == "" {
		if p != nil {
			require.NoError(t, p)
		}
		return
	}
	require.NotNil(t, p, "want %s: %s", typ, detail)
	require.Equal(t, typ, p.Type, p.Detail)
	require.Contains(t, p.Detail, detail)
	require.Equal(t, p.Type+": "+p.Detail, p.Error())
}
