package storage_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client/storage"
)

func newPair(t testing.TB) storage.Pair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return storage.Pair{Chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})}
}

type place struct {
	dir, cert, key string
}

func newPlace(t testing.TB) place {
	dir := t.TempDir()
	return place{dir, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

func (p place) store(t testing.TB, trace func(step, path string)) *storage.File {
	s, err := storage.NewFile(storage.FileOptions{CertPath: p.cert, KeyPath: p.key, Trace: trace})
	require.NoError(t, err)
	return s
}

func loadPair(t testing.TB, s storage.Store) storage.Pair {
	value, err := s.Load(t.Context(), storage.Certificate)
	require.NoError(t, err)
	p, err := storage.DecodePair(value)
	require.NoError(t, err)
	return p
}

func TestValuesComeBack(t *testing.T) {
	s := newPlace(t).store(t, nil)
	ctx := t.Context()
	for _, name := range []string{storage.AccountKey, storage.Accounts, storage.Pending, storage.Renewal, "abandoned-0f.json"} {
		_, err := s.Load(ctx, name)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, s.Delete(ctx, name))
		require.NoError(t, s.Save(ctx, name, []byte("one")))
		require.ErrorIs(t, s.Create(ctx, name, []byte("two")), fs.ErrExist)
		got, err := s.Load(ctx, name)
		require.NoError(t, err)
		require.Equal(t, "one", string(got))
		require.NoError(t, s.Delete(ctx, name))
		require.NoError(t, s.Create(ctx, name, []byte("three")))
	}
	_, err := s.Load(ctx, storage.Certificate)
	require.ErrorIs(t, err, fs.ErrNotExist)
	p := newPair(t)
	require.NoError(t, s.Save(ctx, storage.Certificate, p.Encode()))
	require.Equal(t, p, loadPair(t, s))
}

func TestNamesStayInTheirDirectory(t *testing.T) {
	p := newPlace(t)
	s := p.store(t, nil)
	for _, name := range []string{"", "..", "../x", "a/b", `a\b`, ".hidden", "A", "a b", "a\x00"} {
		_, err := s.Load(t.Context(), name)
		require.ErrorContains(t, err, "not a name", "%q", name)
		require.Error(t, s.Save(t.Context(), name, nil))
		require.Error(t, s.Create(t.Context(), name, nil))
		require.Error(t, s.Delete(t.Context(), name))
	}
	entries, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestFilesHaveTheirPermissions(t *testing.T) {
	p := newPlace(t)
	s := p.store(t, nil)
	if _, err := s.Stamp(t.Context(), storage.Certificate); err != nil || os.PathSeparator == '\\' {
		t.Skip("no such permissions")
	}
	require.NoError(t, os.WriteFile(p.key, []byte("world readable"), 0o666))
	require.NoError(t, s.Save(t.Context(), storage.Certificate, newPair(t).Encode()))
	require.NoError(t, s.Save(t.Context(), storage.Pending, []byte("secret")))
	require.NoError(t, s.Create(t.Context(), storage.AccountKey, []byte("secret")))
	state := p.cert + ".acme"
	for path, want := range map[string]fs.FileMode{p.cert: 0o644, p.key: 0o600, state: 0o700 | fs.ModeDir, filepath.Join(state, "pending"): 0o600, filepath.Join(state, "account.key"): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), path)
	}
}

// TestAtEachStepReadersGetOneWholePair looks at the files at each step of a
// replacement, as a reader does, and as the process that comes after a crash.
func TestAtEachStepReadersGetOneWholePair(t *testing.T) {
	p := newPlace(t)
	old, next := newPair(t), newPair(t)
	require.NoError(t, p.store(t, nil).Save(t.Context(), storage.Certificate, old.Encode()))
	steps, isNew := 0, false
	var copies []string
	writer := p.store(t, func(step, path string) {
		steps++
		got := loadPair(t, p.store(t, nil))
		require.True(t, string(got.Key) == string(old.Key) || string(got.Key) == string(next.Key))
		_, err := tls.X509KeyPair(got.Chain, got.Key)
		require.NoError(t, err, "%s %s", step, path)
		if string(got.Key) == string(next.Key) {
			isNew = true
		} else {
			require.False(t, isNew, "%s %s: back to the old pair", step, path)
		}
		crashed := t.TempDir()
		require.NoError(t, os.CopyFS(crashed, os.DirFS(p.dir)))
		copies = append(copies, crashed)
	})
	require.NoError(t, writer.Save(t.Context(), storage.Certificate, next.Encode()))
	require.Greater(t, steps, 15)
	require.True(t, isNew)

	for _, dir := range copies { // a restart after a crash right there
		after := place{dir, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
		s := after.store(t, nil)
		before := loadPair(t, s)
		unlock, err := s.Lock(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, unlock())
		require.Equal(t, before, loadPair(t, s))
		require.False(t, s.Unsettled())
		pair, err := tls.LoadX509KeyPair(after.cert, after.key)
		require.NoError(t, err, "the two files are whole for everyone")
		require.NotNil(t, pair.Leaf)
		require.ElementsMatch(t, []string{"cert.pem", "cert.pem.acme", "key.pem"}, list(t, dir))
		require.Equal(t, []string{"lock"}, list(t, after.cert+".acme"))
	}
}

func list(t testing.TB, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOnlyWholePairsAreSaved(t *testing.T) {
	p := newPlace(t)
	s := p.store(t, nil)
	one, two := newPair(t), newPair(t)
	require.NoError(t, s.Save(t.Context(), storage.Certificate, one.Encode()))
	for _, bad := range []storage.Pair{{Chain: one.Chain, Key: two.Key}, {Chain: one.Chain}, {Key: one.Key}, {}, {Chain: []byte("x"), Key: []byte("y")}} {
		require.Error(t, s.Save(t.Context(), storage.Certificate, bad.Encode()))
	}
	require.Equal(t, one, loadPair(t, s))
	require.Error(t, s.Create(t.Context(), storage.Certificate, one.Encode()))
	require.Error(t, s.Delete(t.Context(), storage.Certificate))
}

func TestAKeyOfNobodyIsKept(t *testing.T) {
	p := newPlace(t)
	s := p.store(t, nil)
	stray := newPair(t)
	require.NoError(t, os.WriteFile(p.key, stray.Key, 0o600))
	first := newPair(t)
	require.NoError(t, s.Save(t.Context(), storage.Certificate, first.Encode()))
	require.NoError(t, s.Save(t.Context(), storage.Certificate, newPair(t).Encode()))
	var kept []string
	for _, name := range list(t, p.dir) {
		if strings.HasPrefix(name, "key.pem.replaced-") {
			kept = append(kept, name)
		}
	}
	require.Len(t, kept, 1, "the stray one, and not the first certificate's")
	data, err := os.ReadFile(filepath.Join(p.dir, kept[0]))
	require.NoError(t, err)
	require.Equal(t, stray.Key, data)
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	p := newPlace(t)
	s := p.store(t, nil)
	require.NoError(t, os.Mkdir(p.key, 0o700))
	_, err := s.Load(t.Context(), storage.Certificate)
	require.ErrorContains(t, err, "not a regular file")
	require.ErrorContains(t, s.Check(t.Context()), "not a regular file")
	require.Error(t, s.Save(t.Context(), storage.Certificate, newPair(t).Encode()))
	require.NoError(t, os.Remove(p.key))
	require.NoError(t, s.Check(t.Context()))
	require.Equal(t, []string{"cert.pem.acme"}, list(t, p.dir))

	nowhere, err := storage.NewFile(storage.FileOptions{CertPath: filepath.Join(p.dir, "none", "cert.pem"), KeyPath: p.key, StateDir: filepath.Join(p.dir, "state")})
	require.NoError(t, err)
	require.ErrorIs(t, nowhere.Check(t.Context()), fs.ErrNotExist)
}

func TestPathsMustDiffer(t *testing.T) {
	for name, o := range map[string]storage.FileOptions{
		"no paths":      {},
		"no key":        {CertPath: "c"},
		"one for both":  {CertPath: "c", KeyPath: "./c"},
		"account's too": {CertPath: "c", KeyPath: "k", AccountKeyPath: "k"},
	} {
		_, err := storage.NewFile(o)
		require.Error(t, err, name)
	}
}

func TestStampsTellChanges(t *testing.T) {
	p := newPlace(t)
	s := p.store(t, nil)
	seen := map[string]bool{}
	stamp := func() {
		t.Helper()
		now, err := s.Stamp(t.Context(), storage.Certificate)
		require.NoError(t, err)
		again, err := s.Stamp(t.Context(), storage.Certificate)
		require.NoError(t, err)
		require.Equal(t, now, again)
		require.False(t, seen[now], "a change that does not show")
		seen[now] = true
	}
	stamp()
	for range 5 {
		require.NoError(t, s.Save(t.Context(), storage.Certificate, newPair(t).Encode()))
		stamp()
	}
	require.NoError(t, os.Remove(p.key))
	stamp()
	one, err := s.Stamp(t.Context(), storage.Pending)
	require.NoError(t, err)
	require.NoError(t, s.Save(t.Context(), storage.Pending, []byte("x")))
	two, err := s.Stamp(t.Context(), storage.Pending)
	require.NoError(t, err)
	require.NotEqual(t, one, two)
}

func TestLockWaitsAndEndsWithItsContext(t *testing.T) {
	p := newPlace(t)
	unlock, err := p.store(t, nil).Lock(t.Context(), nil)
	require.NoError(t, err)
	waiting := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		unlock, err := p.store(t, nil).Lock(context.Background(), func() { close(waiting) })
		if err == nil {
			err = unlock()
		}
		if err != nil {
			t.Error(err)
		}
	})
	<-waiting
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, err = p.store(t, nil).Lock(ctx, func() { cancel(enough) })
	require.ErrorIs(t, err, enough)
	require.NoError(t, unlock())
	wg.Wait()
}

func FuzzDecodePair(f *testing.F) {
	p := newPair(f)
	f.Add(p.Encode())
	f.Add(p.Chain)
	f.Add([]byte("text\n" + string(p.Key) + "more\n" + string(p.Chain) + string(p.Chain)))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN X-----\n-----END X-----"))
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := storage.DecodePair(value)
		if err != nil {
			return
		}
		again, err := storage.DecodePair(p.Encode())
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
