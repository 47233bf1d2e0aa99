package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Message is a request before it is signed. The zero values of all fields but
// Key and Payload give what RFC 8555, Section 6.2, asks for.
type Message struct {
	Key     *Key
	KID     string // URL of the account; empty: the key itself goes along, as jwk
	Payload []byte // nil and empty: POST-as-GET (RFC 8555, Section 6.3)

	URL   string // in the protected header; the session puts the request's here when empty
	Nonce string // the session puts a fresh one here when empty

	// What no client would do.
	Edit        func(*Header)                 // changes the protected header before it is signed
	Sign        func(input []byte) []byte     // signs in place of Key
	Signature   func(signature []byte) []byte // changes the signature afterwards
	Envelope    func(parts Parts) any         // the body instead of the flattened JWS: a string is sent as it is, all else as JSON
	NoNonce     bool                          // no nonce is put in
	NoURL       bool                          // no url is put in
	ContentType string                        // "-" sends none
	Headers     map[string]string             // further HTTP headers
	Retries     Retries                       // of answers badNonce
}

// Retries says how a session treats badNonce.
type Retries int

// A session tries again with a new nonce, a bounded number of times (RFC 8555,
// Section 6.5), unless Once says that the answer itself is of interest.
const (
	Patient Retries = iota
	Once
)

// Parts of a signed JWS, each in base64url.
type Parts struct{ Protected, Payload, Signature string }

// Flattened is the JWS in flattened JSON serialization (RFC 7515, Section
// 7.2.2).
func (p Parts) Flattened() map[string]any {
	return map[string]any{"protected": p.Protected, "payload": p.Payload, "signature": p.Signature}
}

// Header is a protected header that keeps order and duplicates.
type Header struct{ members []member }

type member struct {
	name  string
	value any
}

// Set replaces the member of that name, or adds it.
func (h *Header) Set(name string, value any) {
	for i := range h.members {
		if h.members[i].name == name {
			h.members[i].value = value
			return
		}
	}
	h.Add(name, value)
}

// Add adds a member, even if one of that name is there.
func (h *Header) Add(name string, value any) { h.members = append(h.members, member{name, value}) }

// Remove takes all members of that name out.
func (h *Header) Remove(name string) {
	kept := h.members[:0]
	for _, m := range h.members {
		if m.name != name {
			kept = append(kept, m)
		}
	}
	h.members = kept
}

// Get returns the first member of that name, or nil.
func (h *Header) Get(name string) any {
	for _, m := range h.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// MarshalJSON writes the members in order, duplicates included.
func (h *Header) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range h.members {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("header member %q: %w", m.name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// Body is the message as it is sent.
func (m Message) Body() ([]byte, error) {
	parts, err := m.parts()
	if err != nil {
		return nil, fmt.Errorf("signing a message for %s: %w", m.URL, err)
	}
	var body any = parts.Flattened()
	if m.Envelope != nil {
		body = m.Envelope(parts)
	}
	if text, ok := body.(string); ok {
		return []byte(text), nil
	}
	return json.Marshal(body)
}

func (m Message) parts() (Parts, error) {
	if m.Edit != nil || m.Sign != nil || m.NoNonce || m.NoURL {
		return m.raw()
	}
	parts, err := m.wellFormed()
	if err == nil && m.Signature != nil {
		signature, err := base64.RawURLEncoding.DecodeString(parts.Signature)
		if err != nil {
			return Parts{}, err
		}
		parts.Signature = encode(m.Signature(signature))
	}
	return parts, err
}

// wellFormed lets go-jose sign.
func (m Message) wellFormed() (Parts, error) {
	options := (&jose.SignerOptions{}).WithHeader("url", m.URL).WithHeader("nonce", m.Nonce)
	if m.KID != "" {
		options.WithHeader("kid", m.KID)
	} else {
		options.EmbedJWK = true
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: m.Key.Algorithm, Key: m.Key.Signer}, options)
	if err != nil {
		return Parts{}, err
	}
	signed, err := signer.Sign(m.Payload)
	if err != nil {
		return Parts{}, err
	}
	var parts Parts
	if err := json.Unmarshal([]byte(signed.FullSerialize()), &parts); err != nil {
		return Parts{}, err
	}
	return parts, nil
}
