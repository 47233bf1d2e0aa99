package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// Manager keeps one certificate good: it gets it, renews it, and hands it to TLS
// servers. It is safe for concurrent use.
type Manager struct {
	cfg    Config
	o      Options
	ids    []client.Identifier
	client *client.Client
	store  storage.Store
	clock  client.Clock
	log    *slog.Logger

	current   atomic.Pointer[tls.Certificate] // whole and immutable; nil while there is none
	observing sync.Mutex                      // held while the observer runs
	gate      chan struct{}                   // holds one while something looks, orders or saves

	mu     sync.Mutex // of what follows; never held over anything slow
	acct   *client.Account
	notes  notes
	next   time.Time          // when the loop looks again
	turn   int                // counts the changes of next
	failed int                // failures in a row
	wake   context.CancelFunc // ends the loop's sleep; nil while it doesn't
}

// New checks the configuration, with all complaints in one *ConfigError, and
// takes over the pair that the store has, if it is whole. It doesn't touch the
// network and writes nothing.
func New(cfg Config, o Options) (*Manager, error) {
	cfg = cfg.withDefaults()
	o = o.withDefaults(cfg)
	ids, err := cfg.check(o)
	if err != nil {
		return nil, err
	}
	m := &Manager{cfg: cfg, o: o, ids: ids, clock: o.Clock, log: o.Logger, store: o.Store, gate: make(chan struct{}, 1)}
	if m.store == nil {
		if m.store, err = storage.NewFile(storage.FileOptions{CertPath: cfg.CertPath, KeyPath: cfg.KeyPath,
			AccountKeyPath: cfg.AccountKeyPath, StateDir: cfg.StateDir, Sleep: o.Clock.Sleep}); err != nil {
			return nil, &ConfigError{[]Complaint{{"CertPath, KeyPath, AccountKeyPath", cfg.CertPath + ", " + cfg.KeyPath + ", " + cfg.AccountKeyPath, "three different files: " + err.Error()}}}
		}
	}
	m.client, err = client.New(client.Config{DirectoryURL: cfg.DirectoryURL, Transport: o.Transport, RootCAs: o.RootCAs, UserAgent: o.UserAgent,
		Logger: o.Logger, Clock: o.Clock, AllowHTTP: o.AllowHTTP, Retry: o.Retry, PollTimeout: o.PollTimeout})
	if err != nil {
		return nil, fmt.Errorf("acme: configuration: %w", err)
	}
	m.o.Solvers = m.observed(o.Solvers)
	for _, w := range cfg.Warnings {
		m.log.Warn("acme: " + w)
	}
	if err := m.Reload(context.Background()); err != nil {
		m.log.Info("acme: no certificate to serve yet", "err", err)
	}
	return m, nil
}

// Config is the configuration with its defaults filled in.
func (m *Manager) Config() Config { return m.cfg }

// Client is the client that talks to the CA.
func (m *Manager) Client() *client.Client { return m.client }

// Close closes idle connections to the CA. Whatever runs ends with its context.
func (m *Manager) Close() { m.client.Close() }

// Certificate is what handshakes get now, with its Leaf; nil while there is
// none. It must not be changed.
func (m *Manager) Certificate() *tls.Certificate { return m.current.Load() }

// ErrNoCertificate says that there is no certificate to serve yet.
var ErrNoCertificate = errors.New("acme: no certificate yet: provision one first")

// GetCertificate is for tls.Config. Each handshake gets one whole certificate;
// one that is replaced meanwhile ends its handshakes in peace. It never waits.
func (m *Manager) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := m.current.Load(); c != nil {
		return c, nil
	}
	return nil, ErrNoCertificate
}

// TLSConfig returns a configuration of its own for a server, for TLS 1.2 and up
// and HTTP/2, which serves the current certificate.
func (m *Manager) TLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: m.GetCertificate}
}

// enter waits until nobody else is at work.
func (m *Manager) enter(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	select {
	case m.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *Manager) leave() { <-m.gate }
