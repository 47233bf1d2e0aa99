package manager_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// pairs makes certificates of one CA, each with a key of its own.
func pairs(t testing.TB, n int) (all []storage.Pair, roots *x509.CertPool) {
	ca := newFakeCA(t, 90*day)
	roots = x509.NewCertPool()
	roots.AddCert(ca.cert)
	ids, err := client.ParseIdentifiers("a.example")
	require.NoError(t, err)
	for i := range n {
		key, err := client.GenerateKey(client.P256)
		require.NoError(t, err)
		csr, err := client.NewCSR(key, ids, false)
		require.NoError(t, err)
		o := &fakeOrder{}
		ca.nonce = i
		ca.issue("", o, encode(csr))
		pem, err := client.MarshalKey(key)
		require.NoError(t, err)
		all = append(all, storage.Pair{Chain: o.chain, Key: pem})
	}
	return all, roots
}

func fileConfig(dir string) manager.Config {
	return manager.Config{Domains: []string{"a.example"}, CertPath: filepath.Join(dir, "cert.pem"), KeyPath: filepath.Join(dir, "key.pem"), AccountKeyPath: filepath.Join(dir, "acme_account.key")}
}

func fileStore(t testing.TB, cfg manager.Config) *storage.File {
	s, err := storage.NewFile(storage.FileOptions{CertPath: cfg.CertPath, KeyPath: cfg.KeyPath, AccountKeyPath: cfg.AccountKeyPath})
	require.NoError(t, err)
	return s
}

// TestNoHandshakeFailsWhileCertificatesSwap: thousands of handshakes while
// another process replaces the pair, by the store and file by file, and while
// the pair is swapped in memory.
func TestNoHandshakeFailsWhileCertificatesSwap(t *testing.T) {
	t.Parallel()
	const handshakes, clients = 3000, 8
	cfg := fileConfig(t.TempDir())
	store := fileStore(t, cfg)
	all, roots := pairs(t, 16)
	known := map[string]bool{}
	for _, p := range all {
		c, err := tls.X509KeyPair(p.Chain, p.Key)
		require.NoError(t, err)
		known[string(c.Leaf.Raw)] = true
	}
	require.NoError(t, store.Save(t.Context(), storage.Certificate, all[0].Encode()))
	log := &events{}
	m := newManager(t, cfg, manager.Options{ReloadEvery: time.Millisecond, NoSignals: true, Observer: log.add})
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { _ = m.Watch(ctx) })
	background.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			p := all[i%len(all)]
			if i%2 == 0 {
				_ = store.Save(ctx, storage.Certificate, p.Encode())
				continue
			}
			// as a script would: torn until both are written, and half written in between
			_ = os.WriteFile(cfg.KeyPath, p.Key, 0o600)
			time.Sleep(time.Millisecond)
			_ = os.WriteFile(cfg.CertPath, p.Chain, 0o644)
			time.Sleep(time.Millisecond)
		}
	})
	background.Go(func() {
		for ctx.Err() == nil {
			_ = m.Reload(ctx) // torn pairs are errors
			time.Sleep(time.Millisecond)
		}
	})

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	serverConfig := m.TLSConfig()
	background.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			background.Go(func() {
				defer c.Close()
				if s := tls.Server(c, serverConfig); s.Handshake() == nil {
					_, _ = s.Write([]byte("whole"))
				}
			})
		}
	})

	var left atomic.Int64
	left.Store(handshakes)
	var mu sync.Mutex
	seen := map[string]int{}
	var dialling sync.WaitGroup
	for range clients {
		dialling.Go(func() {
			for left.Add(-1) >= 0 {
				c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "a.example"})
				if err != nil {
					t.Errorf("handshake: %v", err)
					return
				}
				b := make([]byte, 16)
				n, err := c.Read(b) // the server's Finished has been checked
				if string(b[:n]) != "whole" {
					t.Errorf("read %q, %v", b[:n], err)
				}
				leaf := c.ConnectionState().PeerCertificates[0]
				_ = c.Close()
				if !known[string(leaf.Raw)] {
					t.Error("unknown certificate")
				}
				mu.Lock()
				seen[string(leaf.Raw)]++
				mu.Unlock()
			}
		})
	}
	dialling.Wait()
	cancel()
	require.NoError(t, l.Close())
	background.Wait()
	swaps := len(log.of(manager.EventSwapped))
	t.Logf("%d handshakes, %d swaps, %d different certificates seen", handshakes, swaps, len(seen))
	require.Greater(t, swaps, 20)
	require.Greater(t, len(seen), 5)
}

func TestWatchTakesOverChangedFiles(t *testing.T) {
	t.Parallel()
	all, _ := pairs(t, 3)
	synctest.Test(t, func(t *testing.T) {
		cfg := fileConfig(t.TempDir())
		log := &events{}
		m := newManager(t, cfg, manager.Options{NoSignals: true, Observer: log.add})
		require.Nil(t, m.Certificate())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Watch(ctx) }()
		serves := func(p storage.Pair) {
			t.Helper()
			want, err := tls.X509KeyPair(p.Chain, p.Key)
			require.NoError(t, err)
			time.Sleep(11 * time.Second)
			require.Equal(t, want.Certificate, m.Certificate().Certificate)
		}
		write := func(path string, data []byte) { require.NoError(t, os.WriteFile(path, data, 0o600)) }

		write(cfg.CertPath, all[0].Chain)
		time.Sleep(11 * time.Second)
		require.Nil(t, m.Certificate(), "half a pair is none")
		write(cfg.KeyPath, all[0].Key)
		serves(all[0])

		write(cfg.KeyPath, all[1].Key)
		serves(all[0]) // torn: the previous pair stays
		write(cfg.CertPath, all[1].Chain)
		serves(all[1])

		for _, broken := range []string{"", "garbage", string(all[2].Chain[:200])} {
			write(cfg.CertPath, []byte(broken))
			serves(all[1])
		}
		require.NoError(t, os.Remove(cfg.CertPath))
		serves(all[1])
		require.NoError(t, fileStore(t, cfg).Save(t.Context(), storage.Certificate, all[2].Encode()))
		serves(all[2])
		require.Len(t, log.of(manager.EventSwapped), 3, "no reload without a new certificate")
		cancel()
		require.NoError(t, <-done)
	})
}

func TestAProgramWithoutWatchReloadsWhenAsked(t *testing.T) {
	t.Parallel()
	cfg := fileConfig(t.TempDir())
	all, _ := pairs(t, 2)
	m := newManager(t, cfg, manager.Options{})
	var file *manager.FileError
	require.ErrorAs(t, m.Reload(t.Context()), &file)
	require.NoError(t, fileStore(t, cfg).Save(t.Context(), storage.Certificate, all[0].Encode()))
	require.NoError(t, m.Reload(t.Context()))
	got, err := m.GetCertificate(nil)
	require.NoError(t, err)
	require.Equal(t, m.Certificate(), got)
	require.NoError(t, os.WriteFile(cfg.KeyPath, all[1].Key, 0o600))
	require.ErrorAs(t, m.Reload(t.Context()), &file)
	require.ErrorContains(t, file, "not the certificate's")
	require.Equal(t, got, m.Certificate())
}
