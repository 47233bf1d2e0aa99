package manager

import (
	"bytes"
	"context"
	"crypto/tls"
	"sync"

	"github.com/acme-e2e/acme-e2e/client/storage"
)

// Reload takes over the pair in the store, if it is whole and another than the
// one being served. A pair that is torn, or does not parse, is an error and
// changes nothing: the previous one stays in service.
func (m *Manager) Reload(ctx context.Context) error {
	cert, st, err := m.look(ctx)
	switch {
	case err != nil:
		return err
	case cert == nil:
		return m.fileError("certificate and key", m.cfg.CertPath+", "+m.cfg.KeyPath, errText(st.Detail))
	}
	m.adopt(cert)
	return nil
}

type errText string

func (e errText) Error() string { return string(e) }

// adopt makes cert the one that handshakes get.
func (m *Manager) adopt(cert *tls.Certificate) {
	for {
		old := m.current.Load()
		if old != nil && bytes.Equal(old.Leaf.Raw, cert.Leaf.Raw) && len(old.Certificate) == len(cert.Certificate) {
			return
		}
		if m.current.CompareAndSwap(old, cert) {
			m.emit(Event{Kind: EventSwapped, Certificate: cert.Leaf})
			return
		}
	}
}

// Watch reloads when the files have changed, and on SIGHUP where there is such
// a signal, until ctx ends; it returns nil then. It lets another process do the
// renewing. Programs that run RunRenewalLoop need no Watch.
func (m *Manager) Watch(ctx context.Context) error {
	var wg sync.WaitGroup
	if !m.o.NoSignals {
		signals, stop := hangups()
		defer stop()
		wg.Go(func() {
			for {
				select {
				case <-signals:
					m.log.Info("acme: SIGHUP: reloading")
					m.reload(ctx)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	if m.o.ReloadEvery > 0 {
		wg.Go(func() { m.poll(ctx) })
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

func (m *Manager) reload(ctx context.Context) bool {
	err := m.Reload(ctx)
	if err != nil && ctx.Err() == nil {
		m.log.Warn("acme: not reloaded; the previous certificate stays in service", "err", err)
	}
	return err == nil
}

// poll reloads when the files' stamp is another. A pair that is not whole is
// looked at again, and complained about once.
func (m *Manager) poll(ctx context.Context) {
	stamper, _ := m.store.(storage.Stamper)
	var seen, complained string
	for m.clock.Sleep(ctx, m.o.ReloadEvery) == nil {
		now := ""
		if stamper != nil {
			var err error
			if now, err = stamper.Stamp(ctx, storage.Certificate); err != nil || now == seen {
				continue
			}
		}
		if now != "" && now == complained {
			if m.Reload(ctx) == nil {
				seen = now
			}
			continue
		}
		if m.reload(ctx) {
			seen = now
		} else {
			complained = now
		}
	}
}
