package issue

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RFC 8555, Section 7.4.2 (the certificate); RFC 7633 (must-staple); RFC 9773,
// Section 4.1 (its identifier).

// Leaf is what a certificate shall say.
type Leaf struct {
	PublicKey    crypto.PublicKey
	RawPublicKey []byte // its SubjectPublicKeyInfo when that is at hand, as in a CSR; used instead

	CommonName  string // empty: the subject is empty and the names are critical
	DNSNames    []string
	IPAddresses []netip.Addr

	NotBefore, NotAfter time.Time // whole seconds, both within the validity
	Serial              []byte    // big-endian, positive; nil: NewSerial

	MustStaple      bool // RFC 7633: status_request
	SCT             bool // RFC 6962: timestamps of logs that do not exist
	ClientAuth      bool // clientAuth beside serverAuth
	KeyEncipherment bool // with RSA keys only
	NoSKI           bool // no subject key identifier

	OCSP, CRL, IssuerURL []string // URLs; none: no such extension

	Issuer *Authority       // nil: the hierarchy's
	Extra  []pkix.Extension // written last, as they are
}

// NewSerial draws 16 random octets, of which the first is not zero. Half of them
// need a leading zero octet in DER, where clients go wrong.
func NewSerial() []byte {
	serial := make([]byte, 16)
	for serial[0] == 0 {
		_, _ = rand.Read(serial) // never fails
	}
	return serial
}

// CertID names a certificate towards renewal information (RFC 9773, Section
// 4.1): its authority key identifier, and its serial as DER has it, with the
// leading zero octet where the top bit is set.
func CertID(authorityKeyID, serial []byte) string {
	serial = bytes.TrimLeft(serial, "\x00")
	if len(serial) == 0 || serial[0]&0x80 != 0 {
		serial = append([]byte{0}, serial...)
	}
	return base64.RawURLEncoding.EncodeToString(authorityKeyID) + "." + base64.RawURLEncoding.EncodeToString(serial)
}

// MustStaple tells whether a request asks for RFC 7633's status_request.
func MustStaple(csr *x509.CertificateRequest) bool {
	return slices.ContainsFunc(csr.Extensions, func(e pkix.Extension) bool {
		return e.Id.Equal(oidTLSFeature) && bytes.Equal(e.Value, mustStaple)
	})
}

// mustStaple is a SEQUENCE of the feature 5.
var mustStaple = []byte{0x30, 0x03, 0x02, 0x01, 0x05}

// Issue signs a leaf: one signature.
func (h *Hierarchy) Issue(l Leaf) (der, serial []byte, err error) {
	spki := l.RawPublicKey
	if spki == nil {
		if l.PublicKey == nil {
			return nil, nil, errors.New("a certificate needs a public key")
		}
		if spki, err = x509.MarshalPKIXPublicKey(l.PublicKey); err != nil {
			return nil, nil, fmt.Errorf("a certificate's public key: %w", err)
		}
	}
	issuer := l.Issuer
	if issuer == nil {
		issuer = h.Issuer()
	}
	if l.Serial == nil {
		l.Serial = NewSerial()
	}
	der, err = sign(body{
		serial: l.Serial, issuer: issuer.Cert.RawSubject, subject: name("", l.CommonName),
		notBefore: l.NotBefore, notAfter: l.NotAfter, spki: spki,
		extensions: func(c *cryptobyte.Builder) { l.extensions(c, issuer, spki) },
	}, issuer.Key)
	return der, l.Serial, err
}

func (l *Leaf) extensions(c *cryptobyte.Builder, issuer *Authority, spki []byte) {
	usage := x509.KeyUsageDigitalSignature
	if _, isRSA := l.PublicKey.(*rsa.PublicKey); isRSA && l.KeyEncipherment {
		usage |= x509.KeyUsageKeyEncipherment
	}
	addKeyUsage(c, usage)
	addExtension(c, oidExtKeyUsage, false, l.extendedKeyUsage)
	addBasicConstraints(c, false, -1)
	if !l.NoSKI {
		addSubjectKeyID(c, spkiKeyID(spki))
	}
	addAuthorityKeyID(c, issuer.Cert.SubjectKeyId)
	if len(l.OCSP)+len(l.IssuerURL) > 0 {
		addAuthorityInfo(c, l.OCSP, l.IssuerURL)
	}
	if len(l.DNSNames)+len(l.IPAddresses) > 0 {
		addNames(c, l.CommonName == "", l.DNSNames, l.IPAddresses)
	}
	addTestPolicy(c)
	if len(l.CRL) > 0 {
		addCRLPoints(c, l.CRL)
	}
	if l.MustStaple {
		addExtension(c, oidTLSFeature, false, func(c *cryptobyte.Builder) { c.AddBytes(mustStaple) })
	}
	if l.SCT {
		addSCTs(c, l.NotBefore)
	}
	addExtra(c, l.Extra)
}

func (l *Leaf) extendedKeyUsage(c *cryptobyte.Builder) {
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1ObjectIdentifier(oidServerAuth)
		if l.ClientAuth {
			c.AddASN1ObjectIdentifier(oidClientAuth)
		}
	})
}
