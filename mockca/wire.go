package mockca

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Wire is how an answer gets to the client. The zero value just sends it.
type Wire struct {
	// Delay passes before anything is sent, by the CA's clock; with RealTime by
	// the machine's.
	Delay    time.Duration
	RealTime bool

	Reset       bool // the connection is reset instead
	Close       bool // the connection is closed instead
	ResetStream bool // HTTP/2: the stream is reset instead; HTTP/1.1: as Close
	Stall       bool // no answer comes, until the client gives up or the CA closes

	// Cut sends the headers, with the full Content-Length, and so many bytes of
	// the body, and closes the connection.
	Cut      bool
	CutAfter int
	// StallBody sends the same, and then nothing more.
	StallBody bool
	// Drip sends byte by byte, with such a pause before each.
	Drip time.Duration

	GoAway bool // HTTP/2: the answer is followed by GOAWAY; HTTP/1.1: Connection: close
	// Write sends by itself; nothing else above counts.
	Write func(http.ResponseWriter, *http.Request, *Response)
}

// String names what keeps the client from the answer, for the transcript.
func (w Wire) String() string {
	switch {
	case w.Write != nil:
		return "written by the fault"
	case w.Reset:
		return "reset"
	case w.Close:
		return "closed"
	case w.ResetStream:
		return "stream reset"
	case w.Stall:
		return "stalled"
	case w.Cut:
		return "cut after " + strconv.Itoa(w.CutAfter)
	case w.StallBody:
		return "stalled after " + strconv.Itoa(w.CutAfter)
	case w.Drip > 0:
		return "one byte each " + w.Drip.String()
	case w.GoAway:
		return "goaway"
	case w.Delay > 0:
		return "late by " + w.Delay.String()
	}
	return ""
}

// send writes an answer. It panics with http.ErrAbortHandler where the
// connection, or the stream, shall end.
func (resp *Response) send(w http.ResponseWriter, req *http.Request, ca *CA) {
	wire := &resp.Wire
	if wire.Delay > 0 {
		ca.pause(req.Context(), wire.Delay, wire.RealTime)
	}
	switch {
	case wire.Write != nil:
		wire.Write(w, req, resp)
		return
	case wire.Reset:
		kill(w, req, true)
	case wire.Close:
		kill(w, req, false)
	case wire.ResetStream:
		panic(http.ErrAbortHandler)
	case wire.Stall:
		ca.stall(req.Context())
	}
	h := w.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	if wire.GoAway {
		h.Set("Connection", "close") // which HTTP/2 turns into GOAWAY
	}
	body := resp.Body
	if req.Method == http.MethodHead || resp.Status == http.StatusNoContent {
		body = nil
	} else if _, set := h["Content-Length"]; !set {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(resp.Status)
	switch {
	case wire.Cut, wire.StallBody:
		w.Write(body[:max(0, min(wire.CutAfter, len(body)))])
		http.NewResponseController(w).Flush()
		if wire.StallBody {
			ca.stall(req.Context())
		}
		panic(http.ErrAbortHandler)
	case wire.Drip > 0:
		ca.drip(w, req, body, wire)
	default:
		w.Write(body)
	}
}

func (ca *CA) drip(w http.ResponseWriter, req *http.Request, body []byte, wire *Wire) {
	flush := http.NewResponseController(w)
	for i := range body {
		if !ca.pause(req.Context(), wire.Drip, wire.RealTime) {
			panic(http.ErrAbortHandler)
		}
		if _, err := w.Write(body[i : i+1]); err != nil || flush.Flush() != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// stall waits until the client has gone, or the CA closes.
func (ca *CA) stall(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-ca.ctx.Done():
	}
	panic(http.ErrAbortHandler)
}

// pause waits, unless the client goes or the CA closes.
func (ca *CA) pause(ctx context.Context, d time.Duration, realTime bool) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ca.ctx, cancel)()
	if !realTime {
		return ca.clock.Sleep(ctx, d) == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

type connKey struct{}

// rememberConn lets handlers get at their connection, also under HTTP/2.
func rememberConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// kill ends the connection that a request came by.
func kill(w http.ResponseWriter, req *http.Request, reset bool) {
	c, _ := req.Context().Value(connKey{}).(net.Conn)
	if c == nil {
		if c, _, _ = http.NewResponseController(w).Hijack(); c == nil {
			panic(http.ErrAbortHandler)
		}
	}
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn() // no goodbye of TLS
	}
	if f, ok := c.(*faultConn); ok {
		c = f.Conn
	}
	if reset {
		if t, ok := c.(interface{ SetLinger(sec int) error }); ok {
			t.SetLinger(0)
		}
	}
	c.Close()
	panic(http.ErrAbortHandler)
}

// Conn is a connection that was accepted, before TLS.
type Conn struct {
	CA   *CA
	Conn net.Conn // Accept may replace it
	N    int64    // counts from 1
}

// Handshake is a TLS handshake that begins.
type Handshake struct {
	CA     *CA
	Hello  *tls.ClientHelloInfo
	Config *tls.Config // a copy: changes hold for this connection
}

// Certificate makes another certificate for the API, valid from from to to, for
// the hosts given, or for those that the API has. trusted says whether it is by
// the root that clients trust.
func (h *Handshake) Certificate(trusted bool, from, to time.Time, hosts ...string) (tls.Certificate, error) {
	if hosts == nil {
		hosts = h.CA.apiHosts()
	}
	if !trusted {
		a, err := makeAPIRoot(time.Now())
		if err != nil {
			return tls.Certificate{}, err
		}
		return a.issue(from, to, hosts...)
	}
	a, err := h.CA.apiOnce()
	if err != nil {
		return tls.Certificate{}, err
	}
	return a.issue(from, to, hosts...)
}

// handshake lets faults choose how a connection is secured.
func (ca *CA) handshake(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	var h *Handshake
	for _, a := range ca.rules.get() {
		if a.rule.Fault.Handshake == nil || !a.fire(&Exchange{Remote: hello.Conn.RemoteAddr().String(), Start: ca.clock.Now()}) {
			continue
		}
		if h == nil {
			cfg, err := ca.tlsConfig()
			if err != nil {
				return nil, err
			}
			cfg.NextProtos = []string{"h2", "http/1.1"}
			if ca.options.DisableHTTP2 {
				cfg.NextProtos = []string{"http/1.1"}
			}
			cfg.GetConfigForClient = nil
			h = &Handshake{CA: ca, Hello: hello, Config: cfg}
		}
		if err := a.rule.Fault.Handshake(h); err != nil {
			return nil, fmt.Errorf("fault %s: %w", a.name, err)
		}
	}
	if h == nil {
		return nil, nil
	}
	return h.Config, nil
}

// faultListener lets faults have connections first.
type faultListener struct {
	net.Listener
	ca *CA
	n  int64
}

type faultConn struct{ net.Conn }

// ErrRefuse, from a fault's Accept, resets the connection at once.
var ErrRefuse = errors.New("refused by a fault")

func (l *faultListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.n++
		conn := &Conn{CA: l.ca, Conn: c, N: l.n}
		if l.ca.disturb(conn) {
			return conn.Conn, nil
		}
		if t, ok := c.(interface{ SetLinger(sec int) error }); ok {
			t.SetLinger(0)
		}
		c.Close()
	}
}

func (ca *CA) disturb(conn *Conn) bool {
	for _, a := range ca.rules.get() {
		if a.rule.Fault.Accept == nil || !a.fire(&Exchange{Remote: conn.Conn.RemoteAddr().String(), Start: ca.clock.Now()}) {
			continue
		}
		if a.rule.Fault.Accept(conn) != nil {
			return false
		}
	}
	return true
}
