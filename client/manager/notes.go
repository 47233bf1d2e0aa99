package manager

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// notes are what is remembered of one certificate besides itself. Losing them
// costs a question to the CA, no more.
type notes struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the certificate they are about
	Directory   string    `json:"directory,omitempty"`
	URL         string    `json:"url,omitempty"`
	IssuedAt    time.Time `json:"issuedAt,omitzero"`
	Hasty       int       `json:"hasty,omitempty"`    // certificates in a row replaced early in life
	Announce    bool      `json:"announce,omitempty"` // hooks have not run yet
	Failed      int       `json:"failed,omitempty"`   // attempts in a row to replace it
	RetryAt     time.Time `json:"retryAt,omitzero"`   // not before, after a failure (RFC 9773, Section 4.2)

	Window      client.Window `json:"window,omitzero"`  // RFC 9773, Section 4.2
	Pick        time.Time     `json:"renewAt,omitzero"` // the moment chosen in it, once and for all
	Explanation string        `json:"explanationURL,omitempty"`
	AskAt       time.Time     `json:"askAt,omitzero"`       // not before
	NotOffered  bool          `json:"notOffered,omitempty"` // the CA has no such information
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// of is n if it is about c, and otherwise notes that know nothing.
func (n notes) of(c *x509.Certificate) notes {
	if f := fingerprint(c); n.Fingerprint != f {
		return notes{Fingerprint: f}
	}
	return n
}

// foreign reports whether the certificate is known to be another CA's.
func (n notes) foreign(directory string) bool { return n.Directory != "" && n.Directory != directory }

// loadNotes prefers memory, which has what could not be saved.
func (m *Manager) loadNotes(ctx context.Context) notes {
	m.mu.Lock()
	n := m.notes
	m.mu.Unlock()
	var stored notes
	if data, err := m.store.Load(ctx, storage.Renewal); err == nil {
		if err := json.Unmarshal(data, &stored); err != nil {
			m.log.Warn("acme: notes about renewal do not parse; going on without", "err", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("acme: reading notes about renewal", "err", err)
	}
	if n.Fingerprint == "" || (stored.Fingerprint != "" && stored.IssuedAt.After(n.IssuedAt)) {
		return stored
	}
	return n
}

// saveNotes keeps n. A failure is no reason to stop: n is in memory.
func (m *Manager) saveNotes(ctx context.Context, n notes) {
	m.mu.Lock()
	m.notes = n
	m.mu.Unlock()
	data, err := json.MarshalIndent(n, "", "  ")
	if err == nil {
		err = m.store.Save(ctx, storage.Renewal, data)
	}
	if err != nil {
		m.log.Warn("acme: notes about renewal are not saved", "err", err)
	}
}
