package pebbleharness

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"

	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
)

// replacements prepares Pebble for orders with "replaces" (RFC 9773, Section 5),
// of which it refuses one in 256: it knows an order by its certificate's serial
// number without leading zeros, but looks it up by the bytes of the DER, which
// begin with a zero when the next bit is set. Such a certificate's order is
// entered a second time, as the DER has it.
//
// These orders are also handled one at a time, as Pebble reads whether a
// certificate has been replaced without the lock that it writes it under.
type replacements struct {
	store *db.MemoryStore
	mu    sync.Mutex
}

// begin is called with the body of a newOrder request before Pebble sees it, and
// end once Pebble has answered.
func (r *replacements) begin(body []byte) (end func()) {
	serial := replacedSerial(body)
	if serial == nil {
		return func() {}
	}
	r.mu.Lock()
	r.enter(serial)
	return r.mu.Unlock
}

func (r *replacements) enter(serial []byte) {
	if serial[0] != 0 {
		return
	}
	id := hex.EncodeToString(serial)
	if _, err := r.store.GetOrderByIssuedSerial(id); err == nil {
		return
	}
	order, err := r.store.GetOrderByIssuedSerial(hex.EncodeToString(serial[1:]))
	if err != nil {
		return // Pebble will say so
	}
	alias := &core.Order{
		ID:                order.ID,
		AccountID:         order.AccountID,
		CertificateObject: &core.Certificate{ID: id},
	}
	alias.Identifiers = order.Identifiers
	_ = r.store.AddOrderByIssuedSerial(alias) // fails only without a certificate
}

// replacedSerial finds the serial number of the certificate that a newOrder
// request replaces; nil when there is none, or the request is malformed.
func replacedSerial(body []byte) []byte {
	var jws struct{ Payload string }
	if json.Unmarshal(body, &jws) != nil {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err != nil {
		return nil
	}
	var order struct{ Replaces string }
	if json.Unmarshal(payload, &order) != nil {
		return nil
	}
	_, encoded, _ := strings.Cut(order.Replaces, ".")
	serial, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(serial) == 0 {
		return nil
	}
	return serial
}
