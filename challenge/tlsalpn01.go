package challenge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// RFC 8737 (tls-alpn-01); RFC 8738, Section 6 (for addresses).

// TLSALPN01Protocol is the ALPN protocol a CA asks for, alone
// (RFC 8737, Section 6.2).
const TLSALPN01Protocol = "acme-tls/1"

// TLSALPN01Options tell a TLSALPN01Solver where to answer. The zero value
// listens on port 443 of all addresses while a challenge is pending.
type TLSALPN01Options struct {
	Address string     // default ":443"
	Listen  ListenFunc // default: TCP on Address

	// Mounted leaves the port alone: the server that owns it uses the
	// solver's Config.
	Mounted bool
	// Store shares the responses with a fleet; nil: this process alone answers.
	Store TokenStore
}

// TLSALPN01Solver answers tls-alpn-01 challenges from a listener of its own, or
// from within a TLS server of the caller's. It is a Solver, a Checker and a
// Watcher, and is safe for concurrent use. A CA's connection names the
// identifier and not the token, so of two orders pending for one name at once
// the newer is answered for.
type TLSALPN01Solver struct {
	opts    TLSALPN01Options
	pending pending[*tls.Certificate]
	door    door
}

// NewTLSALPN01 returns a solver that has not opened anything yet.
func NewTLSALPN01(o TLSALPN01Options) *TLSALPN01Solver {
	if o.Address == "" {
		o.Address = ":443"
	}
	return &TLSALPN01Solver{opts: o, door: door{gate: make(chan struct{}, 1)}}
}

// Present implements Solver.
func (s *TLSALPN01Solver) Present(ctx context.Context, challenges []Challenge) error {
	return presentAll(ctx, challenges, func(c Challenge) error {
		name, err := checkTLSALPN01(c)
		if err != nil {
			return err
		}
		cert, err := tlsALPN01Certificate(name, c.KeyAuthorization)
		if err != nil {
			return err
		}
		if s.opts.Store != nil {
			if err := s.opts.Store.Put(ctx, TLSALPN01+"/"+name, c.KeyAuthorization); err != nil {
				return fmt.Errorf("sharing the response: %w", err)
			}
		}
		if !s.opts.Mounted {
			if err := s.door.open(ctx, TLSALPN01, s.opts.Address, s.opts.Listen, s.serve); err != nil {
				return err
			}
		}
		s.pending.add(name, c.KeyAuthorization, cert)
		return nil
	})
}

// CleanUp implements Solver.
func (s *TLSALPN01Solver) CleanUp(ctx context.Context, challenges []Challenge) error {
	var errs []error
	for _, c := range challenges {
		name, err := checkTLSALPN01(c)
		if err != nil {
			continue // was not presented
		}
		presented, _ := s.pending.remove(name, c.KeyAuthorization)
		if presented && !s.opts.Mounted {
			s.door.shut()
		}
		if _, still := s.pending.get(name); s.opts.Store != nil && !still {
			if err := s.opts.Store.Delete(ctx, TLSALPN01+"/"+name); err != nil {
				errs = append(errs, &Error{Challenge: c, Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// Check implements Checker: it opens the port and closes it again. A failure is
// a *ListenError. There is nothing to check when Mounted.
func (s *TLSALPN01Solver) Check(ctx context.Context) error {
	if s.opts.Mounted {
		return nil
	}
	return s.door.check(ctx, TLSALPN01, s.opts.Address, s.opts.Listen)
}

// Seen implements Watcher. A connection that reached another node of the fleet
// is not noticed here.
func (s *TLSALPN01Solver) Seen(c Challenge) <-chan struct{} {
	name, err := serverName(c)
	if err != nil {
		return nil
	}
	return s.pending.seen(name, c.KeyAuthorization)
}

// Addr is the address listened on, or nil while nothing is pending.
func (s *TLSALPN01Solver) Addr() net.Addr { return s.door.addr(context.Background()) }

// Config returns a copy of base that answers challenges, and does for every
// other connection what base does. A nil base answers challenges only.
func (s *TLSALPN01Solver) Config(base *tls.Config) *tls.Config {
	wrapped := &tls.Config{MinVersion: tls.VersionTLS12}
	next := func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return nil, errors.New("only acme-tls/1 is served here")
	}
	if base != nil {
		wrapped = base.Clone()
		next = base.GetConfigForClient
	}
	wrapped.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Equal(hello.SupportedProtos, []string{TLSALPN01Protocol}) {
			return s.answer(hello)
		}
		if next == nil {
			return nil, nil // base itself
		}
		return next(hello)
	}
	return wrapped
}

// answer makes the configuration for one connection of a CA.
func (s *TLSALPN01Solver) answer(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{TLSALPN01Protocol}, SessionTicketsDisabled: true}
	if e, ok := s.pending.get(name); ok {
		config.Certificates = []tls.Certificate{*e.value}
		config.VerifyConnection = func(tls.ConnectionState) error {
			e.hit()
			return nil
		}
		return config, nil
	}
	keyAuthorization, ok := "", false
	if validName(name) {
		keyAuthorization, ok = lookup(hello.Context(), s.opts.Store, TLSALPN01+"/"+name)
	}
	if !ok {
		return nil, fmt.Errorf("no tls-alpn-01 challenge is pending for %q", name)
	}
	cert, err := tlsALPN01Certificate(name, keyAuthorization)
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{*cert}
	return config, nil
}

// serve shakes hands with all comers and hangs up.
func (s *TLSALPN01Solver) serve(l net.Listener) func() {
	ctx, cancel := context.WithCancel(context.Background())
	config := s.Config(nil)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
					return
				}
				time.Sleep(time.Millisecond) // out of file descriptors: try again
				continue
			}
			running.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				_ = tls.Server(conn, config).HandshakeContext(ctx)
			})
		}
	})
	return func() {
		cancel()
		_ = l.Close()
		running.Wait()
	}
}

func checkTLSALPN01(c Challenge) (name string, err error) {
	switch {
	case c.Type != TLSALPN01:
		return "", fmt.Errorf("%w: type %q is not tls-alpn-01", ErrNotPresented, c.Type)
	case c.Wildcard:
		return "", fmt.Errorf("%w: tls-alpn-01 cannot prove a wildcard; use dns-01", ErrNotPresented)
	case c.KeyAuthorization == "":
		return "", fmt.Errorf("%w: no key authorization", ErrNotPresented)
	}
	return serverName(c)
}

// serverName is what the CA puts into SNI: the name, or for an address its
// reverse name (RFC 8738, Section 6).
func serverName(c Challenge) (string, error) {
	if c.IdentifierType != "ip" {
		name := strings.ToLower(strings.TrimSuffix(c.Identifier, "."))
		if !validName(name) {
			return "", fmt.Errorf("%w: %q is not a DNS name", ErrNotPresented, c.Identifier)
		}
		return name, nil
	}
	addr, err := netip.ParseAddr(c.Identifier)
	if err != nil || addr.Zone() != "" {
		return "", fmt.Errorf("%w: %q is not an IP address", ErrNotPresented, c.Identifier)
	}
	return reverseName(addr.Unmap()), nil
}

func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for _, b := range []byte(name) {
		switch {
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '-', b == '_', b == '.':
		default:
			return false
		}
	}
	return true
}

func reverseName(addr netip.Addr) string {
	var b strings.Builder
	octets := addr.AsSlice()
	for _, o := range slices.Backward(octets) {
		if addr.Is4() {
			fmt.Fprintf(&b, "%d.", o)
		} else {
			fmt.Fprintf(&b, "%x.%x.", o&15, o>>4)
		}
	}
	if addr.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}

// address undoes reverseName.
func address(name string) (netip.Addr, bool) {
	if rest, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		labels := strings.Split(rest, ".")
		slices.Reverse(labels)
		addr, err := netip.ParseAddr(strings.Join(labels, "."))
		return addr, err == nil && addr.Is4()
	}
	rest, ok := strings.CutSuffix(name, ".ip6.arpa")
	labels := strings.Split(rest, ".")
	if !ok || len(labels) != 32 {
		return netip.Addr{}, false
	}
	slices.Reverse(labels)
	var b strings.Builder
	for i, l := range labels {
		if i > 0 && i%4 == 0 {
			b.WriteByte(':')
		}
		b.WriteString(l)
	}
	addr, err := netip.ParseAddr(b.String())
	return addr, err == nil
}

// tlsALPN01Certificate is self-signed, for the one name, with the digest of the
// key authorization in a critical acmeIdentifier extension (RFC 8737, Section 3).
func tlsALPN01Certificate(name, keyAuthorization string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(keyAuthorization))
	value, err := asn1.Marshal(digest[:])
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "ACME challenge"},
		NotBefore:    time.Now().Add(-24 * time.Hour), // the CA's clock may differ
		NotAfter:     time.Now().Add(7 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}, Critical: true, Value: value,
		}},
	}
	if addr, ok := address(name); ok {
		template.IPAddresses = []net.IP{addr.AsSlice()}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the challenge certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
