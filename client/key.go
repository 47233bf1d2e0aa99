package client

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// KeyType is a kind of key that GenerateKey makes.
type KeyType int

// The key types. P256 is the zero value and the default.
const (
	P256 KeyType = iota
	P384
	RSA2048
	RSA3072
	RSA4096
	Ed25519 // few public CAs certify such keys yet
)

// GenerateKey makes a private key of the given type.
func GenerateKey(t KeyType) (crypto.Signer, error) {
	switch t {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("acme: unknown key type %d", t)
}

// MarshalKey is the PKCS#8 PEM of a key that can be exported.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("acme: key cannot be exported: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads a private key: PKCS#8, SEC 1 or PKCS#1, as PEM or as DER.
func ParseKey(data []byte) (crypto.Signer, error) {
	der := data
	if bytes.Contains(data, []byte("-----BEGIN")) {
		der = nil
		for rest := data; der == nil; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				return nil, errors.New("acme: no private key in the PEM data")
			}
			switch block.Type {
			case "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY":
				der = block.Bytes
			case "ENCRYPTED PRIVATE KEY":
				return nil, errors.New("acme: the private key is encrypted; decrypt it first")
			}
		}
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if s, ok := key.(crypto.Signer); ok {
			return s, nil
		}
		return nil, fmt.Errorf("acme: a key of type %T cannot sign", key)
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("acme: not a private key in PKCS#8, SEC 1 or PKCS#1, PEM or DER")
}
