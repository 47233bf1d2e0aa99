package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RFC 5280, Sections 4.1.1.2 (signature algorithms) and 4.2.1.2 (key identifiers).

// KeyType names a kind of key.
type KeyType string

// The kinds of keys. Ed25519 is for leaves only: OCSP has no agreed use of it.
const (
	P256    KeyType = "P-256"
	P384    KeyType = "P-384"
	Ed25519 KeyType = "Ed25519"
	RSA2048 KeyType = "RSA-2048"
	RSA3072 KeyType = "RSA-3072"
	RSA4096 KeyType = "RSA-4096"
)

// Generate makes a key of the type; the empty type is P-256.
func (t KeyType) Generate() (crypto.Signer, error) {
	switch t {
	case "", P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("key type %q is not one of %s, %s, %s, %s, %s, %s", t, P256, P384, Ed25519, RSA2048, RSA3072, RSA4096)
}

// canIssue tells whether authorities may have such keys.
func (t KeyType) canIssue() bool {
	switch t {
	case "", P256, P384, RSA2048, RSA3072, RSA4096:
		return true
	}
	return false
}

// KeyID is the identifier that stands for a public key in subject and authority
// key identifiers: the leftmost 160 bits of the key's SHA-256 (RFC 7093,
// Section 2). It is nil for a kind of key that certificates don't know.
func KeyID(pub crypto.PublicKey) []byte {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil
	}
	return spkiKeyID(spki)
}

func spkiKeyID(spki []byte) []byte {
	key := spkiBits(spki)
	if key == nil {
		return nil
	}
	sum := sha256.Sum256(key)
	return sum[:20]
}

// spkiBits is the content of the key's BIT STRING, over which identifiers and
// OCSP's hashes are made.
func spkiBits(spki []byte) []byte {
	in := cryptobyte.String(spki)
	var bits asn1.BitString
	if !in.ReadASN1(&in, cbasn1.SEQUENCE) || !in.SkipASN1(cbasn1.SEQUENCE) || !in.ReadASN1BitString(&bits) {
		return nil
	}
	return bits.RightAlign()
}

// algorithm is how a key signs: the DER of its AlgorithmIdentifier and the hash
// that is signed, zero when the key signs the message itself.
type algorithm struct {
	der  []byte
	hash crypto.Hash
}

var (
	ecdsaSHA256 = algorithm{[]byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}, crypto.SHA256}
	ecdsaSHA384 = algorithm{[]byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}, crypto.SHA384}
	rsaSHA256   = algorithm{[]byte{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00}, crypto.SHA256}
)

func algorithmOf(key crypto.Signer) (algorithm, error) {
	switch pub := key.Public().(type) {
	case *ecdsa.PublicKey:
		if pub.Curve == elliptic.P256() {
			return ecdsaSHA256, nil
		}
		return ecdsaSHA384, nil
	case *rsa.PublicKey:
		return rsaSHA256, nil
	default:
		return algorithm{}, fmt.Errorf("an authority cannot sign with a %T", pub)
	}
}
