package issue

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RFC 5280, Section 4.1: the certificate's own encoding.

// body is the part of a certificate that is signed.
type body struct {
	serial              []byte
	issuer, subject     []byte // DER of names
	notBefore, notAfter time.Time
	spki                []byte
	extensions          func(*cryptobyte.Builder)
}

// sign encodes a certificate with one signature by key.
func sign(b body, key crypto.Signer) ([]byte, error) {
	alg, err := algorithmOf(key)
	if err != nil {
		return nil, err
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.Tag(0).Constructed().ContextSpecific(), func(c *cryptobyte.Builder) { c.AddASN1Int64(2) })
		c.AddASN1BigInt(new(big.Int).SetBytes(b.serial))
		c.AddBytes(alg.der)
		c.AddBytes(b.issuer)
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			addTime(c, b.notBefore)
			addTime(c, b.notAfter)
		})
		c.AddBytes(b.subject)
		c.AddBytes(b.spki)
		c.AddASN1(cbasn1.Tag(3).Constructed().ContextSpecific(), func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.SEQUENCE, b.extensions)
		})
	})
	der, err := tbs.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding a certificate: %w", err)
	}
	h := alg.hash.New()
	h.Write(der)
	signature, err := key.Sign(rand.Reader, h.Sum(nil), alg.hash)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	var cert cryptobyte.Builder
	cert.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddBytes(der)
		c.AddBytes(alg.der)
		c.AddASN1BitString(signature)
	})
	return cert.Bytes()
}

// addTime writes UTCTime up to 2049, GeneralizedTime from then on (Section 4.1.2.5).
func addTime(c *cryptobyte.Builder, t time.Time) {
	if t = t.UTC(); t.Year() >= 1950 && t.Year() < 2050 {
		c.AddASN1UTCTime(t)
		return
	}
	c.AddASN1GeneralizedTime(t)
}

// name encodes a distinguished name of organization and common name, each left
// out when empty.
func name(organization, commonName string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		addAttribute(c, 10, organization)
		addAttribute(c, 3, commonName)
	})
	return b.BytesOrPanic()
}

// addAttribute writes the attribute 2.5.4.kind as UTF8String.
func addAttribute(c *cryptobyte.Builder, kind int, value string) {
	if value == "" {
		return
	}
	c.AddASN1(cbasn1.SET, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			c.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 4, kind})
			c.AddASN1(cbasn1.UTF8String, func(c *cryptobyte.Builder) { c.AddBytes([]byte(value)) })
		})
	})
}

// The extensions of RFC 5280, Section 4.2, and RFC 7633.
var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidCRLPoints        = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies         = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityInfo    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidTLSFeature       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

	oidServerAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	oidClientAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidOCSP       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidCAIssuers  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
	oidUserNotice = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}
)

func addExtension(c *cryptobyte.Builder, id asn1.ObjectIdentifier, critical bool, value func(*cryptobyte.Builder)) {
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1ObjectIdentifier(id)
		if critical {
			c.AddASN1Boolean(true)
		}
		c.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

func addKeyUsage(c *cryptobyte.Builder, usage x509.KeyUsage) {
	addExtension(c, oidKeyUsage, true, func(c *cryptobyte.Builder) {
		// Bit 0 is the first bit of the first octet; trailing zeros go.
		var octet, last byte
		for i := range 8 {
			if usage&(1<<i) != 0 {
				octet, last = octet|0x80>>i, byte(i)
			}
		}
		c.AddASN1(cbasn1.BIT_STRING, func(c *cryptobyte.Builder) { c.AddBytes([]byte{7 - last, octet}) })
	})
}

// addBasicConstraints says CA or not; pathLen below zero is left out.
func addBasicConstraints(c *cryptobyte.Builder, ca bool, pathLen int) {
	addExtension(c, oidBasicConstraints, true, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			if ca {
				c.AddASN1Boolean(true)
				if pathLen >= 0 {
					c.AddASN1Int64(int64(pathLen))
				}
			}
		})
	})
}

func addSubjectKeyID(c *cryptobyte.Builder, id []byte) {
	addExtension(c, oidSubjectKeyID, false, func(c *cryptobyte.Builder) { c.AddASN1OctetString(id) })
}

// addAuthorityKeyID writes the keyIdentifier alone, which is what renewal
// information needs (RFC 9773, Section 4.1).
func addAuthorityKeyID(c *cryptobyte.Builder, id []byte) {
	addExtension(c, oidAuthorityKeyID, false, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(c *cryptobyte.Builder) { c.AddBytes(id) })
		})
	})
}

func addNames(c *cryptobyte.Builder, critical bool, names []string, addrs []netip.Addr) {
	addExtension(c, oidSubjectAltName, critical, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			for _, n := range names {
				c.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(c *cryptobyte.Builder) { c.AddBytes([]byte(n)) })
			}
			for _, a := range addrs {
				c.AddASN1(cbasn1.Tag(7).ContextSpecific(), func(c *cryptobyte.Builder) { c.AddBytes(a.Unmap().AsSlice()) })
			}
		})
	})
}

func addURI(c *cryptobyte.Builder, uri string) {
	c.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(c *cryptobyte.Builder) { c.AddBytes([]byte(uri)) })
}

func addAuthorityInfo(c *cryptobyte.Builder, ocsp, issuers []string) {
	addExtension(c, oidAuthorityInfo, false, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			add := func(method asn1.ObjectIdentifier, uris []string) {
				for _, uri := range uris {
					c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
						c.AddASN1ObjectIdentifier(method)
						addURI(c, uri)
					})
				}
			}
			add(oidOCSP, ocsp)
			add(oidCAIssuers, issuers)
		})
	})
}

func addCRLPoints(c *cryptobyte.Builder, uris []string) {
	outer := cbasn1.Tag(0).Constructed().ContextSpecific()
	addExtension(c, oidCRLPoints, false, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			for _, uri := range uris {
				c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
					c.AddASN1(outer, func(c *cryptobyte.Builder) {
						c.AddASN1(outer, func(c *cryptobyte.Builder) { addURI(c, uri) })
					})
				})
			}
		})
	})
}

func addExtra(c *cryptobyte.Builder, extra []pkix.Extension) {
	for _, e := range extra {
		addExtension(c, e.Id, e.Critical, func(c *cryptobyte.Builder) { c.AddBytes(e.Value) })
	}
}
