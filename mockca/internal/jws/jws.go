// Package jws reads the signed requests of ACME (RFC 8555, Section 6.2), the
// bindings inside newAccount (Section 7.3.4) and the inner messages of keyChange
// (Section 7.3.5). Parse takes a message apart and notes what is wrong with its
// form; what must be in the header for which request is the caller's business.
// go-jose verifies.
package jws

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Message is a JWS in the flattened JSON serialization.
type Message struct {
	Header  Header
	Payload []byte // decoded

	// Unprotected is set when the message has a "header" member, which ACME
	// forbids (RFC 8555, Section 6.2).
	Unprotected bool

	protected, payload, signature string // as sent
}

// Header is a protected header. The Has fields tell members that are absent
// from those that are empty.
type Header struct {
	Raw      []byte // the JSON
	Alg      string
	KeyID    string
	URL      string
	Nonce    string
	HasKeyID bool
	HasURL   bool
	HasNonce bool
	Critical bool // has "crit", or "b64"

	HasKey bool
	Key    *jose.JSONWebKey // nil when KeyErr is not
	KeyErr error            // what is wrong with "jwk"
}

// Parse takes a message apart. The error says what is wrong with its form.
func Parse(body []byte) (*Message, error) {
	members, err := Members(body)
	if err != nil {
		return nil, err
	}
	if _, general := members["signatures"]; general {
		return nil, errors.New(`"signatures": only one signature, in the flattened serialization, is allowed`)
	}
	m := new(Message)
	_, m.Unprotected = members["header"]
	for _, f := range []struct {
		name string
		to   *string
	}{{"protected", &m.protected}, {"payload", &m.payload}, {"signature", &m.signature}} {
		raw, ok := members[f.name]
		if !ok {
			return nil, fmt.Errorf("member %q is missing", f.name)
		}
		if *f.to, err = text(raw); err != nil {
			return nil, fmt.Errorf("member %q: %w", f.name, err)
		}
	}
	if m.Payload, err = decode(m.payload); err != nil {
		return nil, fmt.Errorf(`member "payload": %w`, err)
	}
	if _, err = decode(m.signature); err != nil {
		return nil, fmt.Errorf(`member "signature": %w`, err)
	}
	header, err := decode(m.protected)
	if err != nil {
		return nil, fmt.Errorf(`member "protected": %w`, err)
	}
	if err := m.Header.parse(header); err != nil {
		return nil, fmt.Errorf("protected header: %w", err)
	}
	return m, nil
}

func (h *Header) parse(raw []byte) error {
	members, err := Members(raw)
	if err != nil {
		return err
	}
	h.Raw = raw
	for name, value := range members {
		switch name {
		case "alg":
			h.Alg, err = text(value)
		case "kid":
			h.HasKeyID = true
			h.KeyID, err = text(value)
		case "url":
			h.HasURL = true
			h.URL, err = text(value)
		case "nonce":
			h.HasNonce = true
			h.Nonce, err = text(value)
		case "crit", "b64":
			h.Critical = true
		case "jwk":
			h.HasKey = true
			h.Key, h.KeyErr = ParseKey(value)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

// ParseKey reads a public JWK. One that carries a private or a symmetric key is
// refused.
func ParseKey(raw []byte) (*jose.JSONWebKey, error) {
	k := new(jose.JSONWebKey)
	if err := json.Unmarshal(raw, k); err != nil {
		return nil, err
	}
	if !k.IsPublic() {
		return nil, errors.New("not a public key")
	}
	if !k.Valid() {
		return nil, errors.New("not a valid key")
	}
	return &jose.JSONWebKey{Key: k.Key}, nil
}

// NonceEncoded tells whether the header's nonce is base64url, as RFC 8555,
// Section 6.5.2 wants.
func (h *Header) NonceEncoded() bool {
	_, err := decode(h.Nonce)
	return err == nil && h.Nonce != ""
}

// Algorithm is the algorithm that fits the key: a signer has no choice but that.
// RSA keys get the smallest; see Fits.
func Algorithm(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return "RS256"
	case ed25519.PublicKey:
		return "EdDSA"
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return "ES256"
		case 384:
			return "ES384"
		case 521:
			return "ES512"
		}
	}
	return ""
}

// Fits tells whether a signature by key can be of the algorithm.
func Fits(alg string, key any) bool {
	if _, ok := key.(*rsa.PublicKey); ok {
		switch alg {
		case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
			return true
		}
		return false
	}
	return alg != "" && Algorithm(key) == alg
}

// Verify checks the signature with a public key, or with a MAC key ([]byte).
func (m *Message) Verify(key any) error {
	alg := jose.SignatureAlgorithm(m.Header.Alg)
	parsed, err := jose.ParseSignedCompact(m.protected+"."+m.payload+"."+m.signature, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return err
	}
	_, err = parsed.Verify(key)
	return err
}

var strict = base64.RawURLEncoding.Strict()

func decode(s string) ([]byte, error) {
	for _, c := range []byte(s) { // the decoder would skip line ends
		if c == '\n' || c == '\r' {
			return nil, errors.New("not base64url without padding")
		}
	}
	b, err := strict.DecodeString(s)
	if err != nil {
		return nil, errors.New("not base64url without padding")
	}
	return b, nil
}
