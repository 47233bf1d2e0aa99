package servercases

import (
	"encoding/json"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// bindingEdit says what is wrong with an external account binding.
type bindingEdit struct {
	edit    func(*wire.Header)
	secret  []byte    // in place of the right one
	payload *wire.Key // in place of the account key
}

// binding is an externalAccountBinding for key (RFC 8555, Section 7.3.4).
func (s *scene) binding(key *wire.Key, b bindingEdit) json.RawMessage {
	secret, payload := s.env.Binding.Key, key
	if b.secret != nil {
		secret = b.secret
	}
	if b.payload != nil {
		payload = b.payload
	}
	body, err := wire.Message{
		Payload: payload.JWK(), URL: s.url("newAccount"), NoNonce: true, Sign: wire.MAC(secret),
		Edit: func(h *wire.Header) {
			h.Set("alg", "HS256")
			h.Set("kid", s.env.Binding.KeyID)
			if b.edit != nil {
				b.edit(h)
			}
		},
	}.Body()
	if err != nil {
		s.inconclusive("%v", err)
	}
	return body
}
