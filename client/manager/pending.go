package manager

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// The order under way is in the store, with the certificate's private key,
// before the CSR is sent (RFC 8555, Section 7.4), until the pair is.

// loadPending is the order that an earlier attempt left; nil when there is none.
func (m *Manager) loadPending(ctx context.Context) (*client.Pending, error) {
	data, err := m.store.Load(ctx, storage.Pending)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, m.fileError("pending order", m.statePath(storage.Pending), err)
	}
	p := new(client.Pending)
	if err := json.Unmarshal(data, p); err != nil {
		m.log.Warn("acme: the pending order does not parse; set aside", "err", err)
		return nil, m.setAside(ctx, data)
	}
	return p, nil
}

func (m *Manager) savePending(ctx context.Context, p client.Pending) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return m.store.Save(ctx, storage.Pending, data)
}

// resumable is the pending order if it is for the same names and account (any
// account when that is empty). One that led to the certificate in place already
// is removed; one for something else, whose key the CA may have certified, is
// set aside. The store is locked.
func (m *Manager) resumable(ctx context.Context, accountURL string, inPlace *x509.Certificate) (*client.Pending, error) {
	p, err := m.loadPending(ctx)
	if p == nil || err != nil {
		return nil, err
	}
	if inPlace != nil && ledTo(p, inPlace) {
		return nil, m.store.Delete(ctx, storage.Pending)
	}
	if (accountURL == "" || p.AccountURL == accountURL) && m.sameNames(p.Identifiers) {
		return p, nil
	}
	return nil, m.dropPending(ctx, p)
}

func (m *Manager) sameNames(ids []client.Identifier) bool {
	mine := make(map[string]bool, len(m.ids))
	for _, id := range m.ids {
		mine[id.Value] = true
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !mine[id.Value] {
			return false
		}
		seen[id.Value] = true
	}
	return len(seen) == len(mine)
}

// ledTo reports whether c is what an order was for: they have the same key.
func ledTo(p *client.Pending, c *x509.Certificate) bool {
	key, err := p.PrivateKey()
	if err != nil {
		return false
	}
	public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}

// dropPending ends an order that is not gone on with. Its key is kept when it
// may have been certified.
func (m *Manager) dropPending(ctx context.Context, p *client.Pending) error {
	if p.Finalizing {
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return m.setAside(ctx, data)
	}
	return m.store.Delete(ctx, storage.Pending)
}

// setAside moves the value of the pending order to a name of its own.
func (m *Manager) setAside(ctx context.Context, data []byte) error {
	sum := sha256.Sum256(data)
	name := "abandoned-" + hex.EncodeToString(sum[:8]) + ".json"
	if err := m.store.Save(ctx, name, data); err != nil {
		return m.fileError("abandoned order", m.statePath(name), err)
	}
	m.log.Warn("acme: an order was abandoned whose key may have been certified; it is kept", "as", name)
	return m.store.Delete(ctx, storage.Pending)
}

func (m *Manager) statePath(name string) string {
	dir := m.cfg.StateDir
	if dir == "" {
		dir = m.cfg.CertPath + ".acme"
	}
	return dir + "/" + name
}
