package wire

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"net/netip"
)

// CSR says what a certificate signing request shall hold (RFC 8555, Section
// 7.4).
type CSR struct {
	Key        *Key
	CommonName string
	DNS        []string
	IPs        []netip.Addr
	Emails     []string
	CA         bool // asks for basicConstraints CA:TRUE
	Corrupt    bool // breaks the signature
}

// DER is the request, encoded.
func (c CSR) DER() ([]byte, error) {
	template := &x509.CertificateRequest{
		Subject:        pkix.Name{CommonName: c.CommonName},
		DNSNames:       c.DNS,
		EmailAddresses: c.Emails,
	}
	for _, addr := range c.IPs {
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
	}
	if c.CA {
		value, err := asn1.Marshal(struct{ CA bool }{true})
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions,
			pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: value})
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, c.Key.Signer)
	if err != nil {
		return nil, fmt.Errorf("making a signing request: %w", err)
	}
	if c.Corrupt {
		der[len(der)-1] ^= 1
	}
	return der, nil
}

// Encode is base64url without padding, as ACME writes binary values.
func Encode(data []byte) string { return encode(data) }
