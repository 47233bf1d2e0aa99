package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// Request authentication: RFC 8555, Sections 6.2 to 6.4; keys and thumbprints:
// RFC 7517, 7518, 7638, 8037.

// jwsSigner signs with any crypto.Signer, also one that cannot be exported.
// go-jose signs; what depends on the key alone is computed once.
type jwsSigner struct {
	key    crypto.Signer
	signer jose.OpaqueSigner
	alg    atomic.Pointer[jose.SignatureAlgorithm]
	jwk    json.RawMessage
	thumb  string

	scratch buffers
}

func newJWSSigner(key crypto.Signer) (*jwsSigner, error) {
	if key == nil {
		return nil, errors.New("acme: no key")
	}
	algs, err := algorithmsFor(key.Public())
	if err != nil {
		return nil, err
	}
	pub := jose.JSONWebKey{Key: key.Public()}
	raw, err := pub.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("acme: key as JWK: %w", err)
	}
	thumb, err := pub.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("acme: thumbprint of key: %w", err)
	}
	s := &jwsSigner{key: key, signer: opaque(key), jwk: raw, thumb: base64.RawURLEncoding.EncodeToString(thumb)}
	s.alg.Store(&algs[0])
	return s, nil
}

// algorithmsFor lists what a key can sign with, the preferred first.
func algorithmsFor(pub crypto.PublicKey) ([]jose.SignatureAlgorithm, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}, nil
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}, nil
		case elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}, nil
		}
		return nil, errors.New("acme: ECDSA account key on an unsupported curve")
	case *rsa.PublicKey:
		if pub.N.BitLen() < 2048 {
			return nil, fmt.Errorf("acme: RSA key of %d bits; at least 2048 are needed", pub.N.BitLen())
		}
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}, nil
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}, nil
	}
	return nil, fmt.Errorf("acme: account key of type %T; ECDSA, RSA and Ed25519 can be used", pub)
}

// adopt changes to an algorithm that the CA offers with badSignatureAlgorithm
// (RFC 8555, Section 6.2), if the key has one that was not in use.
func (s *jwsSigner) adopt(offered []string) bool {
	algs, _ := algorithmsFor(s.key.Public())
	for i := range algs {
		if algs[i] != *s.alg.Load() && slices.Contains(offered, string(algs[i])) {
			s.alg.Store(&algs[i])
			return true
		}
	}
	return false
}

// sign makes a flattened JWS; an empty kid embeds the JWK, an empty nonce leaves
// the header out, as the inner JWS of a key change wants it. It is written in
// one piece, since it is the most frequent thing that the package does.
func (s *jwsSigner) sign(kid, url, nonce string, payload []byte) ([]byte, error) {
	alg := *s.alg.Load()
	enc := base64.RawURLEncoding
	scratch := s.scratch.get()
	defer s.scratch.put(scratch)
	h := append((*scratch)[:0], `{"alg":"`...)
	h = append(h, alg...)
	if kid != "" {
		h = appendJSON(append(h, `","kid":`...), kid)
	} else {
		h = append(append(h, `","jwk":`...), s.jwk...)
	}
	if nonce != "" {
		h = appendJSON(append(h, `,"nonce":`...), nonce)
	}
	h = append(appendJSON(append(h, `,"url":`...), url), '}')
	header := len(h)
	h = append(enc.AppendEncode(h, h), '.')
	dot := len(h) - 1
	h = enc.AppendEncode(h, payload)
	*scratch = h
	sig, err := s.signer.SignPayload(h[header:], alg)
	if err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	b := make([]byte, 0, len(h)-header+enc.EncodedLen(len(sig))+48)
	b = append(append(b, `{"protected":"`...), h[header:dot]...)
	b = append(append(b, `","payload":"`...), h[dot+1:]...)
	b = enc.AppendEncode(append(b, `","signature":"`...), sig)
	return append(b, `"}`...), nil
}

// buffers keeps buffers for the next request.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	return new([]byte)
}

const keptBuffer = 16 << 10 // a larger one was for a large CSR and would stay

func (b *buffers) put(p *[]byte) {
	if cap(*p) <= keptBuffer {
		b.pool.Put(p)
	}
}

// appendJSON appends s as a JSON string.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // strings don't fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// opaque makes go-jose's signer of a key.
func opaque(key crypto.Signer) jose.OpaqueSigner {
	switch pub := key.Public().(type) {
	case *ecdsa.PublicKey:
		return newECDSASigner(key, pub)
	case *rsa.PublicKey:
		return cryptosigner.Opaque(salted{key})
	}
	return cryptosigner.Opaque(key)
}

// salted is an RSA key whose PSS signatures have a salt as long as the hash (RFC
// 7518, Section 3.5); go-jose leaves it to the key.
type salted struct{ crypto.Signer }

func (k salted) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: pss.Hash}
	}
	return k.Signer.Sign(rand, digest, opts)
}

// samePublicKey reports whether two keys are one.
func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
