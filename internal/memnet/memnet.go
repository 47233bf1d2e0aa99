// Package memnet is a network in memory, for tests inside testing/synctest
// bubbles, where a goroutine that waits on a real socket would stop time.
package memnet

import (
	"context"
	"net"
	"sync"
)

// Listener accepts the connections that its own Dial makes. Make it with
// Listen. It is safe for concurrent use.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener with nobody waiting.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next Dial; after Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and refuses further Dials. Open connections stay open.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is the address that Dial's connections show as remote.
func (l *Listener) Addr() net.Addr { return addr{} }

// Dial connects to the listener; network and address are not looked at, so it
// fits http.Transport.DialContext.
func (l *Listener) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- conn{far}:
		return conn{near}, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addr{}, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// conn shows an address in the host:port form that HTTP servers take apart.
type conn struct{ net.Conn }

func (conn) LocalAddr() net.Addr  { return addr{} }
func (conn) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "mem" }
func (addr) String() string  { return "127.0.0.1:443" }
