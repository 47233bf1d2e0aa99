package client

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"

	jose "github.com/go-jose/go-jose/v4"
)

// ECDSA for JWS: RFC 7518, Section 3.4.

// ecdsaSigner is a jose.OpaqueSigner over any crypto.Signer. Unlike go-jose's it
// does not take for granted that the signature, which may come from a device, is
// well-formed, and it decodes it in place: it signs every request there is.
type ecdsaSigner struct {
	key   crypto.Signer
	jwk   jose.JSONWebKey
	order []byte // of the curve; R and S are as wide
}

func newECDSASigner(key crypto.Signer, pub *ecdsa.PublicKey) *ecdsaSigner {
	return &ecdsaSigner{key: key, jwk: jose.JSONWebKey{Key: pub}, order: pub.Params().N.Bytes()}
}

// Public implements jose.OpaqueSigner.
func (s *ecdsaSigner) Public() *jose.JSONWebKey { return &s.jwk }

// Algs implements jose.OpaqueSigner.
func (s *ecdsaSigner) Algs() []jose.SignatureAlgorithm {
	algs, _ := algorithmsFor(s.jwk.Key)
	return algs
}

// SignPayload implements jose.OpaqueSigner.
func (s *ecdsaSigner) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	var der []byte
	var err error
	switch alg {
	case jose.ES256:
		sum := sha256.Sum256(payload)
		der, err = s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	case jose.ES384:
		sum := sha512.Sum384(payload)
		der, err = s.key.Sign(rand.Reader, sum[:], crypto.SHA384)
	case jose.ES512:
		sum := sha512.Sum512(payload)
		der, err = s.key.Sign(rand.Reader, sum[:], crypto.SHA512)
	default:
		return nil, jose.ErrUnsupportedAlgorithm
	}
	if err != nil {
		return nil, err
	}
	return s.fixedWidth(der)
}

var errMalformedECDSA = errors.New("the key gave a malformed ECDSA signature")

// fixedWidth turns SEQUENCE { r INTEGER, s INTEGER } into R and S side by side,
// each as wide as the curve's order.
func (s *ecdsaSigner) fixedWidth(der []byte) ([]byte, error) {
	body, rest, ok := readDER(der, 0x30)
	if !ok || len(rest) > 0 {
		return nil, errMalformedECDSA
	}
	width := len(s.order)
	out := make([]byte, 2*width)
	for _, half := range [...][]byte{out[:width], out[width:]} {
		var v []byte
		if v, body, ok = readDER(body, 0x02); !ok || len(v) == 0 || v[0] >= 0x80 {
			return nil, errMalformedECDSA
		}
		if v[0] == 0 && len(v) > 1 { // it keeps the number positive
			v = v[1:]
		}
		if len(v) > width {
			return nil, errMalformedECDSA
		}
		copy(half[width-len(v):], v)
		if len(bytes.TrimLeft(half, "\x00")) == 0 || bytes.Compare(half, s.order) >= 0 {
			return nil, errMalformedECDSA
		}
	}
	if len(body) > 0 {
		return nil, errMalformedECDSA
	}
	return out, nil
}

// readDER cuts the element with the tag off data. No element of an ECDSA
// signature is longer than 255 octets.
func readDER(data []byte, tag byte) (value, rest []byte, ok bool) {
	if len(data) < 2 || data[0] != tag {
		return nil, nil, false
	}
	n, data := int(data[1]), data[2:]
	if n == 0x81 && len(data) > 0 && data[0] >= 0x80 {
		n, data = int(data[0]), data[1:]
	} else if n >= 0x80 {
		return nil, nil, false
	}
	if n > len(data) {
		return nil, nil, false
	}
	return data[:n], data[n:], true
}
