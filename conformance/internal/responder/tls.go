package responder

import (
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
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// ALPN is the protocol of tls-alpn-01 (RFC 8737, Section 6.2).
const ALPN = "acme-tls/1"

// TLSSeen is a connection to the tls-alpn-01 port.
type TLSSeen struct {
	Time       time.Time
	SNI        string
	Protocols  []string // as offered
	Versions   []uint16 // as offered
	Handshake  error    // nil: completed
	Data       int      // bytes of application data that came afterwards
	Closed     bool     // by the peer, and not by a time-out of ours
	ClosedIn   time.Duration
	LocalAddr  string
	RemoteAddr string
}

// TLSAnswer is what a connection for a name gets. With an error the handshake
// is aborted.
type TLSAnswer func(*tls.ClientHelloInfo) (*tls.Config, error)

type tlsServer struct {
	addr net.Addr

	mu      sync.Mutex
	answers map[string]TLSAnswer
	seen    map[string][]TLSSeen
	open    map[net.Conn]bool
	closed  bool
}

func newTLSServer() *tlsServer {
	return &tlsServer{answers: map[string]TLSAnswer{}, seen: map[string][]TLSSeen{}, open: map[net.Conn]bool{}}
}

// SetTLS answers connections whose SNI is name.
func (r *Responder) SetTLS(name string, answer TLSAnswer) {
	r.tls.mu.Lock()
	defer r.tls.mu.Unlock()
	r.tls.answers[tlsName(name)] = answer
}

// ClearTLS forgets name and what was seen of it.
func (r *Responder) ClearTLS(name string) {
	r.tls.mu.Lock()
	defer r.tls.mu.Unlock()
	delete(r.tls.answers, tlsName(name))
	delete(r.tls.seen, tlsName(name))
}

// TLSSeen lists the ended connections for name, oldest first.
func (r *Responder) TLSSeen(name string) []TLSSeen {
	r.tls.mu.Lock()
	defer r.tls.mu.Unlock()
	return append([]TLSSeen(nil), r.tls.seen[tlsName(name)]...)
}

func tlsName(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

func (r *Responder) startTLS(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	r.tls.addr = listener.Addr()
	r.closers = append(r.closers, func() { listener.Close(); r.tls.closeAll() })
	r.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if !r.tls.enter(conn) {
				conn.Close()
				return
			}
			r.running.Go(func() { r.tls.serve(conn) })
		}
	})
	return nil
}

func (s *tlsServer) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = true
	return !s.closed
}

func (s *tlsServer) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for conn := range s.open {
		conn.Close()
	}
}

var errNoAnswer = errors.New("no answer is set for this name")

// serve shakes hands and watches what the peer does then: RFC 8737, Section 4,
// wants it to close the connection without having sent anything.
func (s *tlsServer) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // can't fail on an open connection
	seen := TLSSeen{Time: time.Now(), LocalAddr: conn.LocalAddr().String(), RemoteAddr: conn.RemoteAddr().String()}
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		seen.SNI, seen.Protocols, seen.Versions = hello.ServerName, hello.SupportedProtos, hello.SupportedVersions
		s.mu.Lock()
		answer := s.answers[tlsName(hello.ServerName)]
		s.mu.Unlock()
		if answer == nil {
			return nil, errNoAnswer
		}
		return answer(hello)
	}}
	secure := tls.Server(conn, config)
	seen.Handshake = secure.Handshake()
	if seen.Handshake == nil {
		done := time.Now()
		n, err := io.Copy(io.Discard, io.LimitReader(secure, 1<<16))
		seen.Data, seen.ClosedIn = int(n), time.Since(done)
		var timeout net.Error
		seen.Closed = !errors.As(err, &timeout) || !timeout.Timeout()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	name := tlsName(seen.SNI)
	if len(s.seen) < 10_000 {
		s.seen[name] = append(s.seen[name], seen)
	}
}

// TLSCertificate says what a validation certificate holds (RFC 8737, Section
// 3). The zero values of the flags give what the standard asks for.
type TLSCertificate struct {
	DNS              []string
	IPs              []netip.Addr
	KeyAuthorization string

	NoExtension, NotCritical, RawDigest bool // acmeIdentifier missing, not critical, or without its OCTET STRING
	BadSignature                        bool
}

var acmeIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// Make makes the certificate, signed by its own key.
func (c TLSCertificate) Make() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "ACME validation"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		DNSNames:     c.DNS,
	}
	for _, addr := range c.IPs {
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
	}
	if !c.NoExtension {
		digest := sha256.Sum256([]byte(c.KeyAuthorization))
		value := digest[:]
		if !c.RawDigest {
			if value, err = asn1.Marshal(value); err != nil {
				return nil, err
			}
		}
		template.ExtraExtensions = []pkix.Extension{{Id: acmeIdentifier, Critical: !c.NotCritical, Value: value}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a validation certificate: %w", err)
	}
	if c.BadSignature {
		der[len(der)-1] ^= 1
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Config serves the certificate with ALPN.
func (c TLSCertificate) Config() (*tls.Config, error) {
	certificate, err := c.Make()
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{*certificate}, NextProtos: []string{ALPN}, MinVersion: tls.VersionTLS12}, nil
}
