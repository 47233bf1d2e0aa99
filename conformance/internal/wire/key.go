package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// KeyType names a kind of key that NewKey makes.
type KeyType string

// The kinds of keys. RSA1024 is weak, for cases that want it refused.
const (
	P256    KeyType = "P-256"
	P384    KeyType = "P-384"
	P521    KeyType = "P-521"
	RSA2048 KeyType = "RSA-2048"
	RSA1024 KeyType = "RSA-1024"
	Ed25519 KeyType = "Ed25519"
)

// Key is a private key with the JWS algorithm that goes with it.
type Key struct {
	crypto.Signer
	Type      KeyType
	Algorithm jose.SignatureAlgorithm
}

// NewKey makes a key.
func NewKey(kind KeyType) (*Key, error) {
	var signer crypto.Signer
	var err error
	algorithm := jose.ES256
	switch kind {
	case P256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		algorithm = jose.ES384
	case P521:
		signer, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		algorithm = jose.ES512
	case RSA2048:
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
		algorithm = jose.RS256
	case RSA1024:
		signer, err = rsa.GenerateKey(rand.Reader, 1024)
		algorithm = jose.RS256
	case Ed25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
		algorithm = jose.EdDSA
	default:
		err = fmt.Errorf("no such type")
	}
	if err != nil {
		return nil, fmt.Errorf("making a key of type %q: %w", kind, err)
	}
	return &Key{Signer: signer, Type: kind, Algorithm: algorithm}, nil
}

// JWK is the public key as a JWK with just the members of its thumbprint.
func (k *Key) JWK() json.RawMessage {
	public := jose.JSONWebKey{Key: k.Public()}
	text, err := public.MarshalJSON()
	if err != nil {
		panic(fmt.Sprintf("wire: public key of type %s: %v", k.Type, err)) // NewKey made it
	}
	return text
}

// Thumbprint of the key (RFC 7638), base64url.
func (k *Key) Thumbprint() string {
	public := jose.JSONWebKey{Key: k.Public()}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		panic(fmt.Sprintf("wire: public key of type %s: %v", k.Type, err))
	}
	return encode(sum)
}

// KeyAuthorization of a challenge (RFC 8555, Section 8.1).
func (k *Key) KeyAuthorization(token string) string { return token + "." + k.Thumbprint() }

// DNSValue is what a TXT record holds for dns-01 (RFC 8555, Section 8.4).
func (k *Key) DNSValue(token string) string {
	sum := sha256.Sum256([]byte(k.KeyAuthorization(token)))
	return encode(sum[:])
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
