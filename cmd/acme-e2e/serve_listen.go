package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// loopback tells whether a host is the machine itself, for nobody else.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// alsoLoopback is the other loopback address, where one of them was meant.
func alsoLoopback(host string, addr net.Addr) (string, bool) {
	if host != "127.0.0.1" && host != "localhost" {
		return "", false
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "", false
	}
	other := "::1"
	if tcp.IP.To4() == nil {
		other = "127.0.0.1"
	}
	return net.JoinHostPort(other, strconv.Itoa(tcp.Port)), true
}

// shownAddr is an address as clients would use it.
func (s *served) shownAddr(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	if s.flags.host != "" {
		host = s.flags.host
	}
	return net.JoinHostPort(host, port)
}

// portError explains why it can't listen.
func portError(err error, flag string) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil && op.Op == "listen" {
		return environmentError(fmt.Errorf("can't listen on %s: %w", op.Addr, op.Err), fmt.Sprintf("end what listens there, or name another port by %s; 0 takes a free one", flag))
	}
	return environmentError(err, fmt.Sprintf("name another port by %s; 0 takes a free one", flag))
}

// serveBoth serves HTTP and HTTPS on one port: a connection that begins with a
// TLS handshake is one. The function returned ends it.
func serveBoth(l net.Listener, h http.Handler, certificate tls.Certificate, log *slog.Logger) (end func() error) {
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	// Two servers, as one sets HTTP/2 up for the first of its listeners only.
	plain := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, ErrorLog: errorLog}
	secure := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, ErrorLog: errorLog,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	s := &splitter{Listener: l, done: make(chan struct{}), plain: make(chan net.Conn), secure: make(chan net.Conn)}
	go s.run()
	go func() { _ = plain.Serve(&half{s, s.plain}) }()              // until it is closed
	go func() { _ = secure.ServeTLS(&half{s, s.secure}, "", "") }() // as above
	return func() error { return errors.Join(plain.Close(), secure.Close(), s.Close()) }
}

// splitter sorts connections by their first byte.
type splitter struct {
	net.Listener
	once          sync.Once
	done          chan struct{}
	plain, secure chan net.Conn
}

func (s *splitter) run() {
	for {
		c, err := s.Accept()
		if err != nil {
			_ = s.Close() // it is what failed
			return
		}
		go s.sort(c)
	}
}

const tlsHandshake = 0x16 // RFC 8446, Section 5.1

func (s *splitter) sort(c net.Conn) {
	buffered := &peekedConn{Conn: c, r: bufio.NewReader(c)}
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second)) // an error shows when reading
	first, err := buffered.r.Peek(1)
	if err != nil {
		_ = c.Close() // nothing came
		return
	}
	_ = c.SetReadDeadline(time.Time{}) // as above
	to := s.plain
	if first[0] == tlsHandshake {
		to = s.secure
	}
	select {
	case to <- buffered:
	case <-s.done:
		_ = c.Close() // nobody serves it any more
	}
}

func (s *splitter) Close() error {
	s.once.Do(func() {
		close(s.done)
		_ = s.Listener.Close() // which can only have been closed before
	})
	return nil
}

type peekedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *peekedConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// half is the listener of one kind of connections.
type half struct {
	*splitter
	conns chan net.Conn
}

func (h *half) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}
