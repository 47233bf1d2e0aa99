package manager

import (
	"crypto/x509"
	"time"

	"github.com/acme-e2e/acme-e2e/client"
)

// EventKind says what happened.
type EventKind string

// The kinds of events, in the order of an issuance.
const (
	EventChecked      EventKind = "checked"      // the certificate was looked at: Status, At is the next check
	EventRenewalInfo  EventKind = "renewal-info" // the CA was asked when to renew: Window and At, or Err
	EventWaiting      EventKind = "waiting"      // for another process that is provisioning
	EventAccount      EventKind = "account"      // there is an account: URL, New when it was made
	EventOrdering     EventKind = "ordering"     // a certificate is being ordered: Status is why, Replaces, Resumed
	EventOrder        EventKind = "order"        // the order was made, and kept: URL
	EventChallenge    EventKind = "challenge"    // a response was presented: Name, Challenge
	EventChallengeEnd EventKind = "challenge-end"
	EventFinalizing   EventKind = "finalizing" // the key is kept, the CSR is about to be sent: URL of the order
	EventIssued       EventKind = "issued"     // a verified certificate came: Certificate, URL
	EventStored       EventKind = "stored"     // the pair is in its place
	EventSwapped      EventKind = "swapped"    // handshakes get another certificate from now on: Certificate
	EventHook         EventKind = "hook"       // a hook ran: Err
	EventFailed       EventKind = "failed"     // Err; At is the next attempt
)

// Event is one step in a certificate's life.
type Event struct {
	Kind EventKind
	Time time.Time // by Options.Clock

	URL         string // of the account, order or certificate
	New         bool   // the account was made
	Resumed     bool   // the order is an older one
	Replaces    string // RFC 9773, Section 5: identifier of the certificate replaced
	Name        string // the identifier that is being proved
	Challenge   string // challenge type
	Certificate *x509.Certificate
	Window      client.Window // that the CA suggests for renewal
	Explanation string        // the CA's page about the window
	At          time.Time
	Status      Status
	Err         error
}

func (m *Manager) emit(e Event) {
	e.Time = m.clock.Now().Round(0)
	attrs := []any{"event", string(e.Kind)}
	for _, a := range []struct{ key, value string }{{"url", e.URL}, {"name", e.Name}, {"challenge", e.Challenge}, {"replaces", e.Replaces}} {
		if a.value != "" {
			attrs = append(attrs, a.key, a.value)
		}
	}
	if e.Certificate != nil {
		attrs = append(attrs, "serial", e.Certificate.SerialNumber.Text(16), "not_after", e.Certificate.NotAfter)
	}
	if !e.At.IsZero() {
		attrs = append(attrs, "at", e.At)
	}
	switch {
	case e.Err != nil:
		m.log.Warn("acme: "+string(e.Kind), append(attrs, "err", e.Err)...)
	case e.Kind == EventIssued || e.Kind == EventSwapped || e.Kind == EventOrdering:
		m.log.Info("acme: "+string(e.Kind), attrs...)
	default:
		m.log.Debug("acme: "+string(e.Kind), attrs...)
	}
	if m.o.Observer != nil {
		m.observing.Lock()
		defer m.observing.Unlock()
		m.o.Observer(e)
	}
}
