package client

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // SHA-384 and SHA-512 for crypto.Hash
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"

	jose "github.com/go-jose/go-jose/v4"
)

// Request authentication: RFC 8555, Sections 6.2 to 6.4; keys and thumbprints:
// RFC 7517, 7518, 7638, 8037.

// jwsSigner signs with any crypto.Signer, also one that cannot be exported. What
// depends on the key alone is computed once.
type jwsSigner struct {
	key   crypto.Signer
	alg   atomic.Pointer[algorithm]
	jwk   json.RawMessage
	thumb string
}

type algorithm struct {
	name jose.SignatureAlgorithm
	hash crypto.Hash // 0 for EdDSA
	opts crypto.SignerOpts
	size int // of an ECDSA coordinate
}

func newJWSSigner(key crypto.Signer) (*jwsSigner, error) {
	if key == nil {
		return nil, fmt.Errorf("acme: no key")
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
	s := &jwsSigner{key: key, jwk: raw, thumb: base64.RawURLEncoding.EncodeToString(thumb)}
	s.alg.Store(&algs[0])
	return s, nil
}

// algorithmsFor lists what a key can sign with, the preferred first.
func algorithmsFor(pub crypto.PublicKey) ([]algorithm, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		switch pub.Curve {
		case elliptic.P256():
			return []algorithm{{jose.ES256, crypto.SHA256, crypto.SHA256, 32}}, nil
		case elliptic.P384():
			return []algorithm{{jose.ES384, crypto.SHA384, crypto.SHA384, 48}}, nil
		case elliptic.P521():
			return []algorithm{{jose.ES512, crypto.SHA512, crypto.SHA512, 66}}, nil
		}
		return nil, fmt.Errorf("acme: ECDSA account key on an unsupported curve")
	case *rsa.PublicKey:
		if pub.N.BitLen() < 2048 {
			return nil, fmt.Errorf("acme: RSA key of %d bits; at least 2048 are needed", pub.N.BitLen())
		}
		algs := []algorithm{{jose.RS256, crypto.SHA256, crypto.SHA256, 0}, {jose.RS384, crypto.SHA384, crypto.SHA384, 0}, {jose.RS512, crypto.SHA512, crypto.SHA512, 0}}
		for _, a := range []algorithm{{jose.PS256, crypto.SHA256, nil, 0}, {jose.PS384, crypto.SHA384, nil, 0}, {jose.PS512, crypto.SHA512, nil, 0}} {
			a.opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
			algs = append(algs, a)
		}
		return algs, nil
	case ed25519.PublicKey:
		return []algorithm{{jose.EdDSA, 0, crypto.Hash(0), 0}}, nil
	}
	return nil, fmt.Errorf("acme: account key of type %T; ECDSA, RSA and Ed25519 can be used", pub)
}

// adopt changes to an algorithm that the CA offers with badSignatureAlgorithm
// (RFC 8555, Section 6.2), if the key has one that was not in use.
func (s *jwsSigner) adopt(offered []string) bool {
	algs, _ := algorithmsFor(s.key.Public())
	for i := range algs {
		if algs[i].name != s.alg.Load().name && slices.Contains(offered, string(algs[i].name)) {
			s.alg.Store(&algs[i])
			return true
		}
	}
	return false
}

// sign makes a flattened JWS; an empty kid embeds the JWK, an empty nonce leaves
// the header out, as the inner JWS of a key change wants it.
func (s *jwsSigner) sign(kid, url, nonce string, payload []byte) ([]byte, error) {
	alg := s.alg.Load()
	once := signing{alg: alg, key: s.key}
	headers := make(map[jose.HeaderKey]any, 4)
	headers["url"] = url
	if kid != "" {
		headers["kid"] = kid
	} else {
		headers["jwk"] = s.jwk
	}
	if nonce != "" {
		headers["nonce"] = nonce
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg.name, Key: &once}, &jose.SignerOptions{ExtraHeaders: headers})
	if err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	if _, err := signer.Sign(payload); err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	return once.flattened(), nil
}

// signing lets go-jose put header and payload together and keeps what came of
// it, so that the JWS is serialised without encoding its parts once more.
type signing struct {
	alg       *algorithm
	key       crypto.Signer
	input     []byte
	signature []byte
}

func (o *signing) Public() *jose.JSONWebKey        { return nil } // kid and jwk are headers of ours
func (o *signing) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{o.alg.name} }

func (o *signing) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	digest := payload
	if o.alg.hash != 0 {
		h := o.alg.hash.New()
		h.Write(payload)
		digest = h.Sum(nil)
	}
	sig, err := o.key.Sign(rand.Reader, digest, o.alg.opts)
	if err != nil {
		return nil, err
	}
	if o.alg.size > 0 {
		if sig, err = rawSignature(sig, o.alg.size); err != nil {
			return nil, err
		}
	}
	o.input, o.signature = payload, sig
	return sig, nil
}

// rawSignature turns the ASN.1 of crypto.Signer into the R and S of fixed width
// that JWS wants (RFC 7518, Section 3.4).
func rawSignature(der []byte, size int) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("key gave a malformed ECDSA signature")
	}
	if v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 8*size || v.S.BitLen() > 8*size {
		return nil, fmt.Errorf("key gave an ECDSA signature out of range")
	}
	raw := make([]byte, 2*size)
	v.R.FillBytes(raw[:size])
	v.S.FillBytes(raw[size:])
	return raw, nil
}

func (o *signing) flattened() []byte {
	protected, payload, _ := bytes.Cut(o.input, []byte{'.'})
	b := make([]byte, 0, len(o.input)+2*len(o.signature)+64)
	b = append(b, `{"protected":"`...)
	b = append(b, protected...)
	b = append(b, `","payload":"`...)
	b = append(b, payload...)
	b = append(b, `","signature":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, o.signature)
	return append(b, `"}`...)
}

// samePublicKey reports whether two keys are one.
func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
