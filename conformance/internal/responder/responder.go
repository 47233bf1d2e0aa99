// Package responder answers what an ACME server asks while it validates
// challenges: http-01, tls-alpn-01 and all that lives in DNS, on ports of its
// own, with any answer that a case wants to give, and with a log of what was
// asked. Where the ports belong to somebody else, a Publisher hands the plain
// answers on.
package responder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Options of a Responder. What has no address is not served; port 0 takes a
// free one.
type Options struct {
	HTTPAddr string // host:port for http-01 (RFC 8555, Section 8.3)
	TLSAddr  string // host:port for tls-alpn-01 (RFC 8737)
	DNSAddr  string // host:port for DNS, over UDP and TCP

	// IPv4 and IPv6 are the addresses of all names that have none set. An
	// invalid address stands for none; if both are invalid, IPv4 is 127.0.0.1.
	IPv4, IPv6 netip.Addr
}

// Responder is running servers. Its methods are safe for concurrent use.
type Responder struct {
	web  *web
	tls  *tlsServer
	zone *zone

	closers []func()
	closing sync.Once
	running sync.WaitGroup
}

// Start opens the ports and serves until Close or until ctx ends. The error
// says which port could not be had.
func Start(ctx context.Context, options Options) (*Responder, error) {
	if !options.IPv4.IsValid() && !options.IPv6.IsValid() {
		options.IPv4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	r := &Responder{web: newWeb(), tls: newTLSServer(), zone: newZone(options.IPv4, options.IPv6)}
	for _, part := range []struct {
		name, addr string
		start      func(string) error
	}{
		{"http-01", options.HTTPAddr, r.startHTTP},
		{"tls-alpn-01", options.TLSAddr, r.startTLS},
		{"DNS", options.DNSAddr, r.startDNS},
	} {
		if part.addr == "" {
			continue
		}
		if err := part.start(part.addr); err != nil {
			r.Close()
			return nil, fmt.Errorf("answering %s on %s: %w", part.name, part.addr, err)
		}
	}
	context.AfterFunc(ctx, r.Close)
	return r, nil
}

// Close stops the servers and waits for them.
func (r *Responder) Close() {
	r.closing.Do(func() {
		for _, closer := range r.closers {
			closer()
		}
	})
	r.running.Wait()
}

// HTTPPort is where http-01 is answered, 0 when it is not.
func (r *Responder) HTTPPort() int { return portOf(r.web.addr) }

// TLSPort is where tls-alpn-01 is answered, 0 when it is not.
func (r *Responder) TLSPort() int { return portOf(r.tls.addr) }

// DNSAddr is host:port of the DNS server, empty when there is none.
func (r *Responder) DNSAddr() string {
	if r.zone.addr == nil {
		return ""
	}
	return r.zone.addr.String()
}

func portOf(addr net.Addr) int {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

func (r *Responder) startHTTP(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	r.web.addr = listener.Addr()
	server := &http.Server{Handler: r.web, ReadHeaderTimeout: 10 * time.Second}
	r.closers = append(r.closers, func() { server.Close() })
	r.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			listener.Close()
		}
	})
	return nil
}
