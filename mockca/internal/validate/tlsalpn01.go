package validate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RFC 8737: tls-alpn-01; RFC 8738, Section 6: for addresses.

const acmeTLS1 = "acme-tls/1"

var (
	oidACMEIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
)

func (l *look) tlsALPN01(ctx context.Context) *Problem {
	host, port := l.req.Identifier.Value, l.c.TLSPort
	addrs, p := l.addresses(ctx, host)
	if p != nil {
		return p
	}
	var last *Problem
	for _, addr := range preferred(addrs) {
		l.record(Record{Hostname: host, Port: strconv.Itoa(port), Addresses: texts(addrs), AddressUsed: addr.String()})
		state, p := l.handshake(ctx, addr, port)
		if p != nil {
			last = p
			continue
		}
		if reason := l.judge(state); reason != "" {
			return problem(l.c.Mismatch, "%s: Incorrect validation certificate for tls-alpn-01 challenge of %s: %s", addr, host, reason)
		}
		return nil
	}
	return last
}

// serverName is what to ask for: addresses are asked for by their names in the
// reverse tree.
func (l *look) serverName() (string, error) {
	if l.req.Identifier.Type != "ip" {
		return l.req.Identifier.Value, nil
	}
	name, err := dns.ReverseAddr(l.req.Identifier.Value)
	return strings.TrimSuffix(name, "."), err
}

// handshake is Section 3: the protocol is offered alone, and nothing is sent
// after the handshake.
func (l *look) handshake(ctx context.Context, addr netip.Addr, port int) (tls.ConnectionState, *Problem) {
	what := fmt.Sprintf("%s: tls-alpn-01 for %s at port %d", addr, l.req.Identifier.Value, port)
	name, err := l.serverName()
	if err != nil {
		return tls.ConnectionState{}, problem(Malformed, "%q is not an address", l.req.Identifier.Value)
	}
	raw, err := l.dial(ctx, addr, port)
	if err != nil {
		return tls.ConnectionState{}, failed(what, true, err)
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: name, NextProtos: []string{acmeTLS1},
		InsecureSkipVerify: true, //nolint:gosec // the certificate is judged by other rules
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, failed(what, false, err)
	}
	return conn.ConnectionState(), nil
}

// judge says what is wrong with a handshake, or nothing.
func (l *look) judge(state tls.ConnectionState) string {
	switch {
	case state.NegotiatedProtocol != acmeTLS1:
		return fmt.Sprintf("Cannot negotiate ALPN protocol %q", acmeTLS1)
	case len(state.PeerCertificates) == 0:
		return "No certs presented"
	}
	leaf := state.PeerCertificates[0]
	if !bytes.Equal(leaf.RawIssuer, leaf.RawSubject) || leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) != nil {
		return "Received certificate which is not self-signed"
	}
	if reason := l.judgeNames(leaf); reason != "" {
		return reason
	}
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(oidACMEIdentifier) {
			continue
		}
		digest := sha256.Sum256([]byte(l.req.KeyAuthorization))
		in := cryptobyte.String(e.Value)
		var value cryptobyte.String
		switch {
		case !e.Critical:
			return "acmeIdentifier extension is not critical"
		case !in.ReadASN1(&value, cbasn1.OCTET_STRING) || !in.Empty():
			return "Malformed acmeIdentifier extension value"
		case subtle.ConstantTimeCompare(value, digest[:]) != 1:
			return fmt.Sprintf("Invalid acmeIdentifier extension value: expected %x (got %x)", digest, []byte(value[:min(len(value), 64)]))
		}
		return ""
	}
	return "Missing acmeIdentifier extension"
}

// judgeNames wants one name alone, of the right kind: Go's list of names leaves
// out the kinds that it does not know, so the extension itself is read.
func (l *look) judgeNames(leaf *x509.Certificate) string {
	tag, want := cbasn1.Tag(2).ContextSpecific(), []byte(strings.ToLower(l.req.Identifier.Value))
	if l.req.Identifier.Type == "ip" {
		addr, err := netip.ParseAddr(l.req.Identifier.Value)
		if err != nil {
			return fmt.Sprintf("%q is not an address", l.req.Identifier.Value)
		}
		tag, want = cbasn1.Tag(7).ContextSpecific(), addr.Unmap().AsSlice()
	}
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(oidSubjectAltName) {
			continue
		}
		in := cryptobyte.String(e.Value)
		var names, got cryptobyte.String
		switch {
		case !in.ReadASN1(&names, cbasn1.SEQUENCE) || !in.Empty() || !names.ReadASN1(&got, tag) || !names.Empty():
		case l.req.Identifier.Type == "ip" && bytes.Equal(got, want), l.req.Identifier.Type != "ip" && bytes.Equal(bytes.ToLower(got), want):
			return ""
		}
		return fmt.Sprintf("Expected the name %s alone, received %q and addresses %v", l.req.Identifier.Value, leaf.DNSNames, leaf.IPAddresses)
	}
	return fmt.Sprintf("Expected the name %s alone, received none", l.req.Identifier.Value)
}
