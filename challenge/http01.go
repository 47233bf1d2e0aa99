package challenge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RFC 8555, Section 8.3 (http-01); RFC 8738, Section 4 (for addresses).

// HTTP01Path is where a CA looks for a token's key authorization.
const HTTP01Path = "/.well-known/acme-challenge/"

// HTTP01Options tell an HTTP01Solver where to answer. The zero value listens on
// port 80 of all addresses, IPv4 and IPv6, while a challenge is pending.
type HTTP01Options struct {
	Address string     // default ":80"; a host or address before the colon restricts it
	Listen  ListenFunc // default: TCP on Address

	// Mounted leaves the port alone: the solver is an http.Handler in a server
	// of the caller's own, which owns the port.
	Mounted bool
	// Next answers whatever is not a pending challenge; nil: 404.
	Next http.Handler
	// Store shares the tokens with a fleet; nil: this process alone answers.
	Store TokenStore
}

// HTTP01Solver answers http-01 challenges from one listener for all pending
// tokens of all orders, which exists only while there are any, or as an
// http.Handler mounted elsewhere. It is a Solver, a Checker and a Watcher, and
// is safe for concurrent use.
type HTTP01Solver struct {
	opts    HTTP01Options
	pending pending[struct{}]
	door    door
}

// NewHTTP01 returns a solver that has not opened anything yet.
func NewHTTP01(o HTTP01Options) *HTTP01Solver {
	if o.Address == "" {
		o.Address = ":80"
	}
	return &HTTP01Solver{opts: o, door: door{gate: make(chan struct{}, 1)}}
}

// Present implements Solver: it opens the listener, if none is open, and
// answers for the tokens.
func (s *HTTP01Solver) Present(ctx context.Context, challenges []Challenge) error {
	return presentAll(ctx, challenges, func(c Challenge) error {
		if err := checkHTTP01(c); err != nil {
			return err
		}
		if s.opts.Store != nil {
			if err := s.opts.Store.Put(ctx, HTTP01+"/"+c.Token, c.KeyAuthorization); err != nil {
				return fmt.Errorf("sharing the token: %w", err)
			}
		}
		if !s.opts.Mounted {
			if err := s.door.open(ctx, HTTP01, s.opts.Address, s.opts.Listen, s.serve); err != nil {
				return err
			}
		}
		s.pending.add(c.Token, c.KeyAuthorization, struct{}{})
		return nil
	})
}

// CleanUp implements Solver: it forgets the tokens and closes the listener
// after the last.
func (s *HTTP01Solver) CleanUp(ctx context.Context, challenges []Challenge) error {
	var errs []error
	for _, c := range challenges {
		if c.Type != HTTP01 {
			continue
		}
		presented, last := s.pending.remove(c.Token, c.KeyAuthorization)
		if presented && !s.opts.Mounted {
			s.door.shut()
		}
		if s.opts.Store != nil && (last || !presented) {
			if err := s.opts.Store.Delete(ctx, HTTP01+"/"+c.Token); err != nil {
				errs = append(errs, &Error{Challenge: c, Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// Check implements Checker: it opens the port and closes it again. A failure is
// a *ListenError. There is nothing to check when Mounted.
func (s *HTTP01Solver) Check(ctx context.Context) error {
	if s.opts.Mounted {
		return nil
	}
	return s.door.check(ctx, HTTP01, s.opts.Address, s.opts.Listen)
}

// Seen implements Watcher. A fetch that reached another node of the fleet is
// not noticed here; the channel for what is not presented blocks for ever.
func (s *HTTP01Solver) Seen(c Challenge) <-chan struct{} {
	return s.pending.seen(c.Token, c.KeyAuthorization)
}

// Addr is the address listened on, or nil while nothing is pending.
func (s *HTTP01Solver) Addr() net.Addr { return s.door.addr(context.Background()) }

// ServeHTTP answers GET and HEAD for pending tokens and leaves everything else
// to Next, or answers it with 404.
func (s *HTTP01Solver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, HTTP01Path)
	if ok && validToken(token) && r.URL.RawPath == "" {
		if e, ok := s.pending.get(token); ok {
			if answerHTTP01(w, r, e.keyAuthorization) {
				e.hit()
			}
			return
		}
		if keyAuthorization, ok := lookup(r.Context(), s.opts.Store, HTTP01+"/"+token); ok {
			answerHTTP01(w, r, keyAuthorization)
			return
		}
	}
	if s.opts.Next != nil {
		s.opts.Next.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// answerHTTP01 reports whether the body went out.
func answerHTTP01(w http.ResponseWriter, r *http.Request, keyAuthorization string) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return false
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(keyAuthorization)))
	if r.Method == http.MethodHead {
		return false
	}
	if _, err := w.Write([]byte(keyAuthorization)); err != nil {
		return false
	}
	// Out now, so that whoever waits for Seen does not ask the CA too early.
	_ = http.NewResponseController(w).Flush()
	return true
}

func (s *HTTP01Solver) serve(l net.Listener) func() {
	const limit = 10 * time.Second
	srv := &http.Server{Handler: s, ReadTimeout: limit, WriteTimeout: limit, MaxHeaderBytes: 16 << 10, ErrorLog: discardLog()}
	srv.SetKeepAlivesEnabled(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	return func() {
		// The CA's fetches in flight may end; one that dawdles may not hold us.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		_ = l.Close() // Shutdown knows it only once Serve has run
		<-done
	}
}

func checkHTTP01(c Challenge) error {
	switch {
	case c.Type != HTTP01:
		return fmt.Errorf("%w: type %q is not http-01", ErrNotPresented, c.Type)
	case c.Wildcard:
		return fmt.Errorf("%w: http-01 cannot prove a wildcard; use dns-01", ErrNotPresented)
	case !validToken(c.Token):
		return fmt.Errorf("%w: token %q is not base64url", ErrNotPresented, c.Token)
	case c.KeyAuthorization == "":
		return fmt.Errorf("%w: no key authorization", ErrNotPresented)
	}
	return nil
}

// validToken keeps everything but the base64url alphabet out of paths, and
// bounds the length (RFC 8555, Section 8.3).
func validToken(token string) bool {
	if token == "" || len(token) > 255 {
		return false
	}
	for _, b := range []byte(token) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_':
		default:
			return false
		}
	}
	return true
}

// presentAll presents each challenge and reports each failure by its challenge.
func presentAll(ctx context.Context, challenges []Challenge, present func(Challenge) error) error {
	var errs []error
	for _, c := range challenges {
		err := context.Cause(ctx)
		if err == nil {
			err = present(c)
		}
		if err != nil {
			errs = append(errs, &Error{Challenge: c, Err: err})
		}
	}
	return errors.Join(errs...)
}
