package client

import (
	"encoding/base64"
	"fmt"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
)

// External account binding: RFC 8555, Section 7.3.4.

// ExternalAccountBinding is what a CA hands out, outside of ACME, to bind a new
// account to one of its customers. Key never reaches a log.
type ExternalAccountBinding struct {
	KeyID     string
	Key       []byte // decoded: see ParseEABKey
	Algorithm string // "HS256" when empty, "HS384" or "HS512"
}

// ParseEABKey decodes a MAC key as CAs print it, in base64url; the padding and
// the letters of ordinary base64 do no harm.
func ParseEABKey(s string) ([]byte, error) {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(s), "="))
	key, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(key) == 0 {
		return nil, fmt.Errorf("acme: EAB key is not base64url")
	}
	return key, nil
}

// sign binds the account key of s for the newAccount URL.
func (b *ExternalAccountBinding) sign(s *jwsSigner, url string) ([]byte, error) {
	alg, size := jose.HS256, 32
	switch b.Algorithm {
	case "", "HS256":
	case "HS384":
		alg, size = jose.HS384, 48
	case "HS512":
		alg, size = jose.HS512, 64
	default:
		return nil, fmt.Errorf("EAB algorithm %q: HS256, HS384 or HS512 is needed", printable(b.Algorithm))
	}
	if b.KeyID == "" {
		return nil, fmt.Errorf("EAB has no key id")
	}
	if len(b.Key) < size {
		return nil, fmt.Errorf("EAB key has %d bytes; %s needs at least %d (is it the decoded key?)", len(b.Key), alg, size)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: b.Key},
		&jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": b.KeyID, "url": url}})
	if err != nil {
		return nil, fmt.Errorf("signing EAB: %w", err)
	}
	bound, err := signer.Sign(s.jwk)
	if err != nil {
		return nil, fmt.Errorf("signing EAB: %w", err)
	}
	return []byte(bound.FullSerialize()), nil
}
