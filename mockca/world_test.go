package mockca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"net/netip"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

var netipLoopback = netip.MustParseAddr("127.0.0.1")

// signature signs without a library for JWS, which would refuse to be wrong.
func signature(t testing.TB, key any, alg jose.SignatureAlgorithm, input string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	switch k := key.(type) {
	case []byte:
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	case *ecdsa.PrivateKey:
		hash := digest[:]
		if h := map[jose.SignatureAlgorithm]crypto.Hash{jose.ES384: crypto.SHA384, jose.ES512: crypto.SHA512}[alg]; h != 0 {
			sum := h.New()
			sum.Write([]byte(input))
			hash = sum.Sum(nil)
		}
		r, s, err := ecdsa.Sign(rand.Reader, k, hash)
		require.NoError(t, err)
		size := (k.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		sig, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
		require.NoError(t, err)
		return sig
	case ed25519.PrivateKey:
		return ed25519.Sign(k, []byte(input))
	}
	t.Fatalf("a key of type %T", key)
	return nil
}
