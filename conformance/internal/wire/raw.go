package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// raw builds and signs what go-jose would not (RFC 7515, Section 5.1).
func (m Message) raw() (Parts, error) {
	header := &Header{}
	if m.Key != nil {
		header.Add("alg", m.Key.Algorithm)
	}
	if m.KID != "" {
		header.Add("kid", m.KID)
	} else if m.Key != nil {
		header.Add("jwk", m.Key.JWK())
	}
	if !m.NoNonce {
		header.Add("nonce", m.Nonce)
	}
	if !m.NoURL {
		header.Add("url", m.URL)
	}
	if m.Edit != nil {
		m.Edit(header)
	}
	protected, err := json.Marshal(header)
	if err != nil {
		return Parts{}, err
	}
	parts := Parts{Protected: encode(protected), Payload: encode(m.Payload)}
	input := []byte(parts.Protected + "." + parts.Payload)
	var signature []byte
	if m.Sign != nil {
		signature = m.Sign(input)
	} else if signature, err = m.Key.SignJWS(input); err != nil {
		return Parts{}, err
	}
	if m.Signature != nil {
		signature = m.Signature(signature)
	}
	parts.Signature = encode(signature)
	return parts, nil
}

// SignJWS makes the signature of a JWS over its signing input (RFC 7518,
// Section 3).
func (k *Key) SignJWS(input []byte) ([]byte, error) {
	if k.Type == Ed25519 {
		return k.Sign(rand.Reader, input, crypto.Hash(0))
	}
	hash := k.hash()
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	private, ok := k.Signer.(*ecdsa.PrivateKey)
	if !ok {
		return k.Sign(rand.Reader, digest, hash)
	}
	r, s, err := ecdsa.Sign(rand.Reader, private, digest)
	if err != nil {
		return nil, err
	}
	width := (private.Curve.Params().BitSize + 7) / 8
	signature := make([]byte, 2*width)
	r.FillBytes(signature[:width])
	s.FillBytes(signature[width:])
	return signature, nil
}

// SignDER signs as SignJWS, but leaves an ECDSA signature in DER, which no JWS
// may hold.
func (k *Key) SignDER(input []byte) ([]byte, error) {
	private, ok := k.Signer.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %s makes no DER signatures", k.Type)
	}
	digest := sha256.Sum256(input)
	return ecdsa.SignASN1(rand.Reader, private, digest[:])
}

func (k *Key) hash() crypto.Hash {
	switch k.Algorithm {
	case jose.ES384:
		return crypto.SHA384
	case jose.ES512:
		return crypto.SHA512
	}
	return crypto.SHA256
}

// MAC signs with HMAC-SHA256, as HS256 does.
func MAC(secret []byte) func(input []byte) []byte {
	return func(input []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
}
