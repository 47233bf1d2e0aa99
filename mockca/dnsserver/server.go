package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Options are the settings of a Server. The zero value works.
type Options struct {
	// Addr is where UDP and TCP are listened on; default "127.0.0.1:0", a free port.
	Addr string

	// IPv4 and IPv6 are the addresses of names that have none of their own;
	// default 127.0.0.1 and ::1.
	IPv4, IPv6 netip.Addr
	// NoDefaults leaves names without records without addresses: they don't exist.
	NoDefaults bool

	// Keys may sign updates. UnsignedUpdates lets everybody update.
	Keys            []Key
	UnsignedUpdates bool

	// Zones are apexes, such as "example.co.uk". A name outside them belongs to
	// the zone named by its last two labels.
	Zones []string

	TTL    uint32       // of synthesized records and those set without one, in seconds; default 1
	Clock  Clock        // for the times in Queries; default: the machine's
	Logger *slog.Logger // default: silent
}

// Server answers questions. Make it with New, Start or NewUnstarted.
type Server struct {
	opts Options
	log  *slog.Logger

	mu        sync.RWMutex
	names     map[string]map[uint16][]dns.RR // by canonical name and type
	serial    uint32                         // counts changes
	v4, v6    netip.Addr
	zones     map[string]bool
	keys      map[string]Key
	behaviors map[string]Behavior
	queries   []Query // a ring once it is full
	oldest    int     // of the ring

	life   sync.Mutex // guards what follows
	addr   string
	udp    net.PacketConn
	tcp    net.Listener
	conns  map[net.Conn]bool
	closed bool
	stop   func() bool     // of the watch on Start's context
	ended  context.Context // ends with Close
	end    context.CancelFunc
	slots  chan struct{} // bounds what is answered at once
	wg     sync.WaitGroup
}

// maxAtOnce bounds connections, and messages over UDP, that are being served.
const maxAtOnce = 4096

// New starts a server that stops with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(context.Background(), o)
	if err != nil {
		t.Fatalf("dnsserver: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Start starts a server that runs until ctx ends or Close.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := unstarted(o)
	if err == nil {
		err = s.Listen()
	}
	if err != nil {
		return nil, err
	}
	s.life.Lock()
	defer s.life.Unlock()
	s.stop = context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

// NewUnstarted makes a server without sockets: it answers Exchange, and may
// Listen later. Keys whose secret cannot be read are refused when used.
func NewUnstarted(o Options) *Server {
	s, err := unstarted(o)
	if err != nil {
		s.log.Warn("dnsserver: options ignored", "error", err)
	}
	return s
}

// unstarted returns a server that works along with the complaints about o.
func unstarted(o Options) (*Server, error) {
	s := &Server{
		opts: o, log: o.Logger, slots: make(chan struct{}, maxAtOnce),
		names: map[string]map[uint16][]dns.RR{}, zones: map[string]bool{}, keys: map[string]Key{},
		behaviors: map[string]Behavior{}, conns: map[net.Conn]bool{}, serial: 1,
	}
	s.ended, s.end = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.opts.Addr == "" {
		s.opts.Addr = "127.0.0.1:0"
	}
	if s.opts.TTL == 0 {
		s.opts.TTL = 1
	}
	s.v4, s.v6 = o.defaults()
	for _, z := range o.Zones {
		s.zones[dns.CanonicalName(z)] = true
	}
	var errs []error
	for _, k := range o.Keys {
		errs = append(errs, s.AddKey(k))
	}
	return s, errors.Join(errs...)
}

// defaults are the addresses that every name has at first.
func (o Options) defaults() (v4, v6 netip.Addr) {
	v4, v6 = o.IPv4, o.IPv6
	if o.NoDefaults {
		return netip.Addr{}, netip.Addr{}
	}
	if !v4.IsValid() {
		v4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if !v6.IsValid() {
		v6 = netip.IPv6Loopback()
	}
	return v4, v6
}

// Addr is the address listened on, or empty before Listen.
func (s *Server) Addr() string {
	s.life.Lock()
	defer s.life.Unlock()
	return s.addr
}

// Listen opens UDP and TCP on one port. It is for servers of NewUnstarted, once.
func (s *Server) Listen() error {
	s.life.Lock()
	defer s.life.Unlock()
	switch {
	case s.closed:
		return errors.New("listening for DNS: the server is closed")
	case s.addr != "":
		return fmt.Errorf("listening for DNS: already listening on %s", s.addr)
	}
	udp, tcp, err := listenBoth(s.opts.Addr)
	if err != nil {
		return fmt.Errorf("listening for DNS: %w", err)
	}
	s.udp, s.tcp, s.addr = udp, tcp, tcp.Addr().String()
	s.wg.Add(2)
	go s.serveUDP(udp)
	go s.serveTCP(tcp)
	return nil
}

// listenBoth finds a port that is free for both when the address leaves it open.
func listenBoth(addr string) (net.PacketConn, net.Listener, error) {
	var last error
	for range 50 {
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp, nil
		}
		_ = tcp.Close()
		if last = err; !strings.HasSuffix(addr, ":0") {
			break
		}
	}
	return nil, nil, last
}

// Close stops listening, ends what is being answered, and waits for it.
func (s *Server) Close() error {
	s.life.Lock()
	var errs []error
	if !s.closed {
		s.closed = true
		s.end()
		if s.stop != nil {
			s.stop()
		}
		if s.udp != nil {
			errs = append(errs, s.udp.Close(), s.tcp.Close())
		}
		for c := range s.conns {
			_ = c.Close()
		}
	}
	s.life.Unlock()
	s.wg.Wait()
	return errors.Join(errs...)
}

// Resolver asks this server.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		addr := s.Addr()
		if addr == "" {
			return nil, errors.New("the DNS server is not listening")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
}

func (s *Server) now() time.Time {
	if s.opts.Clock != nil {
		return s.opts.Clock.Now()
	}
	return time.Now()
}
