package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"net/netip"
)

// Certificate requests of keys in memory: RFC 2986, Section 4; RFC 5280,
// Section 4.2.1.6; RFC 5758, Section 3.2.

// The DER of what does not change.
const (
	derVersion          = "\x02\x01\x00"                                 // 0
	derNoSubject        = "\x30\x00"                                     // an empty name
	derExtensionRequest = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e" // 1.2.840.113549.1.9.14
	derSubjectAltName   = "\x06\x03\x55\x1d\x11"                         // 2.5.29.17
	derMustStaple       = "\x30\x11\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x18\x04\x05\x30\x03\x02\x01\x05"
	derECDSAWithSHA256  = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02" // 1.2.840.10045.4.3.2
	derECDSAWithSHA384  = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03" // 1.2.840.10045.4.3.3
)

// The tags used.
const (
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagSequence    = 0x30
	tagSet         = 0x31
	tagAttributes  = 0xa0
	tagDNSName     = 0x82
	tagIPAddress   = 0x87
)

// requestECDSA is what x509.CreateCertificateRequest makes, without its
// verifying the signature just made, which takes as long as all the rest of the
// client's work on a certificate. It is for keys of the standard library on
// P-256 and P-384; ok is false for others.
func requestECDSA(key crypto.Signer, ids []Identifier, mustStaple bool) (csr []byte, ok bool, err error) {
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() && private.Curve != elliptic.P384() {
		return nil, false, nil
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, true, err
	}
	extensions := der(tagSequence, derSubjectAltName, string(der(tagOctetString, string(altNames(ids)))))
	if mustStaple {
		extensions = append(extensions, derMustStaple...)
	}
	attribute := der(tagSequence, derExtensionRequest, string(der(tagSet, string(der(tagSequence, string(extensions))))))
	info := der(tagSequence, derVersion, derNoSubject, string(public), string(der(tagAttributes, string(attribute))))
	algorithm, digest := derECDSAWithSHA256, digest256
	if private.Curve == elliptic.P384() {
		algorithm, digest = derECDSAWithSHA384, digest384
	}
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest(info))
	if err != nil {
		return nil, true, err
	}
	return der(tagSequence, string(info), algorithm, string(der(tagBitString, "\x00", string(signature)))), true, nil
}

func digest256(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] }
func digest384(b []byte) []byte { sum := sha512.Sum384(b); return sum[:] }

// altNames is the value of subjectAltName, host names first as x509 has them.
func altNames(ids []Identifier) []byte {
	names := make([]byte, 0, 32*len(ids))
	for _, id := range ids {
		if id.Type == TypeDNS {
			names = appendDER(names, tagDNSName, id.Value)
		}
	}
	for _, id := range ids {
		if id.Type == TypeIP {
			names = appendDER(names, tagIPAddress, string(netip.MustParseAddr(id.Value).AsSlice())) // normalise parsed it
		}
	}
	return der(tagSequence, string(names))
}

func der(tag byte, contents ...string) []byte { return appendDER(nil, tag, contents...) }

// appendDER appends an element of the contents in a row.
func appendDER(b []byte, tag byte, contents ...string) []byte {
	n := 0
	for _, c := range contents {
		n += len(c)
	}
	if b == nil {
		b = make([]byte, 0, n+6)
	}
	b = append(b, tag)
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	case n < 0x10000:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, c := range contents {
		b = append(b, c...)
	}
	return b
}
