package client

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Certificate requests: RFC 8555, Section 7.4; must-staple: RFC 7633.

var (
	oidTLSFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}       // RFC 7633
	oidSCTList    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2} // RFC 6962, Section 3.3
)

// NewCSR makes a certificate request (DER) for exactly the given identifiers,
// all in subjectAltName. mustStaple asks for the TLS feature status_request.
func NewCSR(key crypto.Signer, ids []Identifier, mustStaple bool) ([]byte, error) {
	ids, err := normalise(ids)
	if err != nil {
		return nil, err
	}
	if der, ok, err := requestECDSA(key, ids, mustStaple); ok && err == nil {
		return der, nil
	}
	var t x509.CertificateRequest
	for _, id := range ids {
		if id.Type == TypeIP {
			t.IPAddresses = append(t.IPAddresses, net.IP(netip.MustParseAddr(id.Value).AsSlice())) // normalise parsed it
			continue
		}
		t.DNSNames = append(t.DNSNames, id.Value)
	}
	if mustStaple {
		t.ExtraExtensions = []pkix.Extension{{Id: oidTLSFeature, Value: []byte{0x30, 0x03, 0x02, 0x01, 0x05}}}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &t, key)
	if err != nil {
		return nil, fmt.Errorf("acme: making certificate request: %w", err)
	}
	return der, nil
}

// readCSR checks a caller's own request and returns what it is for.
func readCSR(der []byte) (*x509.CertificateRequest, []Identifier, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, nil, fmt.Errorf("acme: CSR: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, nil, fmt.Errorf("acme: CSR: %w", err)
	}
	ids := sanIdentifiers(csr.DNSNames, func(yield func(netip.Addr)) {
		for _, ip := range csr.IPAddresses {
			if a, ok := netip.AddrFromSlice(ip); ok {
				yield(a)
			}
		}
	})
	if cn := csr.Subject.CommonName; cn != "" {
		id, err := ParseIdentifier(cn)
		if err != nil {
			return nil, nil, fmt.Errorf("acme: CSR: common name: %w", err)
		}
		if !containsIdentifier(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil, errors.New("acme: CSR: no names in it")
	}
	return csr, ids, nil
}

func containsIdentifier(ids []Identifier, id Identifier) bool {
	for _, other := range ids {
		if other.normal() == id.normal() {
			return true
		}
	}
	return false
}

// hasExtension reports whether a certificate has an extension, whatever its
// value.
func hasExtension(c *x509.Certificate, id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
}
