package manager

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/acme-e2e/acme-e2e/client"
)

// Asking the CA when to renew: RFC 9773, Section 4.

const (
	infoTime      = 10 * time.Second // for one question; a server whose certificate is good may be waiting to start
	askAfterError = 6 * time.Hour    // RFC 9773, Section 4.3.3
	askAgain      = day              // where the CA doesn't answer such questions
)

// renewalInfo returns the notes about a certificate with the CA's suggestion,
// which is asked for when it is time to, or now. The moment picked in a window
// stays until the window changes (RFC 9773, Section 4.2), across restarts.
func (m *Manager) renewalInfo(ctx context.Context, leaf *x509.Certificate, now bool) notes {
	n := m.loadNotes(ctx).of(leaf)
	at := m.clock.Now().Round(0)
	if n.foreign(m.cfg.DirectoryURL) || at.After(leaf.NotAfter) || (!now && at.Before(n.AskAt)) {
		return n
	}
	asking, cancel := context.WithTimeout(ctx, infoTime)
	defer cancel()
	info, err := m.client.RenewalInfo(asking, leaf)
	at = m.clock.Now().Round(0)
	n.NotOffered = errors.Is(err, client.ErrNotOffered)
	switch {
	case err == nil:
		if !sameWindow(n.Window, info.SuggestedWindow) || n.Pick.IsZero() {
			n.Window, n.Pick = info.SuggestedWindow, info.Pick(nil)
		}
		n.Explanation = info.ExplanationURL
		n.AskAt = at.Add(info.RetryAfter)
	case ctx.Err() != nil:
		return n
	case n.NotOffered:
		n.AskAt = at.Add(askAgain)
	default:
		n.AskAt = at.Add(min(askAfterError, max(lifetime(leaf)/20, time.Minute)))
		if retry, ok := client.RetryAt(err); ok && retry.After(n.AskAt) {
			n.AskAt = earliest(retry, at.Add(day))
		}
	}
	if !n.NotOffered {
		m.emit(Event{Kind: EventRenewalInfo, Certificate: leaf, Window: n.Window, Explanation: n.Explanation, At: n.Pick, Err: err})
	}
	m.saveNotes(ctx, n)
	return n
}

func sameWindow(a, b client.Window) bool { return a.Start.Equal(b.Start) && a.End.Equal(b.End) }
