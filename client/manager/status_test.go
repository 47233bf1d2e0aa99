package manager_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

func TestStatusSaysWhatIsTheMatter(t *testing.T) {
	t.Parallel()
	type files struct{ cert, key string }
	for name, row := range map[string]struct {
		change  func(f, other *files)
		domains []string
		wait    time.Duration
		want    manager.State
		detail  string
		issues  bool
	}{
		"good":                      {want: manager.Good},
		"nothing there":             {change: func(f, _ *files) { *f = files{} }, want: manager.Missing, detail: "no certificate", issues: true},
		"no key":                    {change: func(f, _ *files) { f.key = "" }, want: manager.Missing, detail: "private key", issues: true},
		"no certificate":            {change: func(f, _ *files) { f.cert = "" }, want: manager.Missing, detail: "certificate", issues: true},
		"another key":               {change: func(f, o *files) { f.key = o.key }, want: manager.Mismatched, detail: "not the certificate's", issues: true},
		"a key cut off":             {change: func(f, _ *files) { f.key = f.key[:len(f.key)/2] }, want: manager.Broken, detail: "private key", issues: true},
		"a key of zeros":            {change: func(f, _ *files) { f.key = strings.Repeat("\x00", 200) }, want: manager.Broken, detail: "private key", issues: true},
		"a certificate of garbage":  {change: func(f, _ *files) { f.cert = "certificate" }, want: manager.Broken, detail: "certificate", issues: true},
		"a certificate of bad DER":  {change: func(f, _ *files) { f.cert = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }, want: manager.Broken, detail: "does not parse", issues: true},
		"a key of bad DER":          {change: func(f, _ *files) { f.key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }, want: manager.Broken, detail: "does not parse", issues: true},
		"text around the PEM":       {change: func(f, _ *files) { f.cert = "Certificate of ours\n" + f.cert + "\n# end" }, want: manager.Good},
		"one name fewer":            {domains: []string{"a.example"}, want: manager.WrongNames, detail: "also for b.example", issues: true},
		"one name more":             {domains: []string{"a.example", "b.example", "c.example"}, want: manager.WrongNames, detail: "not for c.example", issues: true},
		"another name":              {domains: []string{"a.example", "c.example"}, want: manager.WrongNames, detail: "not for c.example", issues: true},
		"the names in another form": {domains: []string{"B.example.", "A.EXAMPLE", "a.example"}, want: manager.Good},
		"thirty days and a second":  {wait: 60*day - hour - 2*time.Second, want: manager.Good},
		"thirty days":               {wait: 60*day - hour, want: manager.Expiring, detail: "expires at", issues: true},
		"expired":                   {wait: 91 * day, want: manager.Expiring, detail: "expired at", issues: true},
		"valid in four minutes":     {wait: -hour - 4*time.Minute, want: manager.Good},
		"not valid yet":             {wait: -3 * hour, want: manager.NotYet, detail: "check the clock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, c := newFakeCA(t, 90*day), &jumping{}
				ca.backdate = hour
				dir := t.TempDir()
				cfg := fileConfig(dir)
				cfg.Domains, cfg.DirectoryURL, cfg.AgreeTerms = []string{"a.example", "b.example"}, fakeURL+"/dir", true
				make := func(store storage.Store, cfg manager.Config) *manager.Manager {
					return fakeLife(t, ca, nil, &events{}, func(c2 *manager.Config, o *manager.Options) { *c2 = cfg; o.Store = store; o.Clock = c })
				}
				otherStore := newMemStore()
				require.NoError(t, make(otherStore, cfg).Provision(t.Context()))
				require.NoError(t, make(nil, cfg).Provision(t.Context()))
				read := func(path string) string {
					data, err := os.ReadFile(path)
					if !errors.Is(err, fs.ErrNotExist) {
						require.NoError(t, err)
					}
					return string(data)
				}
				other, err := storage.DecodePair(otherStore.values[storage.Certificate])
				require.NoError(t, err)
				f := files{read(cfg.CertPath), read(cfg.KeyPath)}
				if row.change != nil {
					row.change(&f, &files{string(other.Chain), string(other.Key)})
				}
				for path, text := range map[string]string{cfg.CertPath: f.cert, cfg.KeyPath: f.key} {
					require.NoError(t, os.Remove(path))
					if text != "" {
						require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
					}
				}
				if row.domains != nil {
					cfg.Domains = row.domains
				}
				c.ahead.Store(int64(row.wait))
				ca.now = c.Now
				if row.wait < 0 {
					ca.now = time.Now
				}

				m := make(nil, cfg)
				st, err := m.Status(t.Context())
				require.NoError(t, err)
				require.Equal(t, row.want, st.State, st.Detail)
				require.Contains(t, st.Detail, row.detail)
				require.Equal(t, f, files{read(cfg.CertPath), read(cfg.KeyPath)}, "looking changes nothing")
				before := len(ca.certificates())
				require.NoError(t, m.ProvisionIfNeeded(t.Context()))
				require.Equal(t, row.issues, len(ca.certificates()) > before)
				if row.want == manager.NotYet {
					require.NotNil(t, m.Certificate(), "it is served: others' clocks may be right")
					return
				}
				st, err = m.Status(t.Context())
				require.NoError(t, err)
				require.Equal(t, manager.Good, st.State)

				// a key that belonged to no certificate is still there
				if row.want == manager.Mismatched || row.want == manager.Broken || name == "no certificate" {
					kept, err := filepath.Glob(cfg.KeyPath + ".replaced-*")
					require.NoError(t, err)
					require.Len(t, kept, 1)
					require.Equal(t, f.key, read(kept[0]))
				}
			})
		})
	}
}

// ReadDir of a bubble's files works as anywhere: what can't be read is an error,
// and no reason to order anything.
func TestWhatCannotBeReadIsLeftAlone(t *testing.T) {
	t.Parallel()
	refuse := func(what string) *memStore {
		s := newMemStore()
		s.fail = func(op, name string) error {
			if op == "load" && name == what {
				return &fs.PathError{Op: "open", Path: "there", Err: fs.ErrPermission}
			}
			return nil
		}
		return s
	}
	for _, what := range []string{storage.Certificate, storage.AccountKey} {
		synctest.Test(t, func(t *testing.T) {
			ca, store := newFakeCA(t, 90*day), refuse(what)
			m := fakeLife(t, ca, store, &events{}, nil)
			for _, provision := range []func(context.Context) error{m.ProvisionIfNeeded, m.Provision} {
				err := provision(t.Context())
				require.ErrorIs(t, err, fs.ErrPermission)
				file, ok := errors.AsType[*manager.FileError](err)
				require.True(t, ok)
				require.False(t, file.Writing)
				require.Contains(t, file.Advice, "let the user that this runs as")
			}
			require.Empty(t, ca.certificates())
			require.Empty(t, ca.times("account"))
			require.Empty(t, store.names())
		})
	}
}

func TestAccountKeysOfEveryForm(t *testing.T) {
	t.Parallel()
	key, err := client.GenerateKey(client.P384)
	require.NoError(t, err)
	pkcs8, err := client.MarshalKey(key)
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"PKCS#8 PEM": pkcs8,
		"PKCS#8 DER": der(t, pkcs8),
		"SEC 1 PEM":  sec1(t, key),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca, store := newFakeCA(t, 90*day), newMemStore()
				store.values[storage.AccountKey] = data
				m := fakeLife(t, ca, store, &events{}, nil)
				require.NoError(t, m.CheckAccountKey(t.Context()))
				require.NoError(t, m.ProvisionIfNeeded(t.Context()))
				a, err := m.Account(t.Context())
				require.NoError(t, err)
				require.Equal(t, key.Public(), a.Key().Public())
				require.Equal(t, data, store.values[storage.AccountKey], "it stays as it was")
			})
		})
	}
	weak, err := x509.MarshalPKCS8PrivateKey(weakKey(t))
	require.NoError(t, err)
	for _, bad := range []string{"", "garbage", string(weak), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"} {
		synctest.Test(t, func(t *testing.T) {
			ca, store := newFakeCA(t, 90*day), newMemStore()
			store.values[storage.AccountKey] = []byte(bad)
			m := fakeLife(t, ca, store, &events{}, nil)
			var file *manager.FileError
			require.ErrorAs(t, m.CheckAccountKey(t.Context()), &file)
			require.ErrorAs(t, m.ProvisionIfNeeded(t.Context()), &file)
			require.Equal(t, bad, string(store.values[storage.AccountKey]))
			require.Empty(t, ca.times("account"))
		})
	}
}

// A crash of the machine, or an editor, may leave anything in the state's files.
func TestStateThatIsGarbageIsDoneWithout(t *testing.T) {
	t.Parallel()
	for _, name := range []string{storage.Accounts, storage.Renewal, storage.Pending} {
		for _, garbage := range []string{"", "\x00\x00\x00", "{", "null", "[]", `"x"`, "7", `{"a":1}`, `{"https://ca.example/dir":null}`, `{"key":"x","csr":"AAAA","finalizing":true}`} {
			synctest.Test(t, func(t *testing.T) {
				ca, store := newFakeCA(t, 90*day), newMemStore()
				m := fakeLife(t, ca, store, &events{}, nil)
				require.NoError(t, m.Provision(t.Context()))
				store.values[name] = []byte(garbage)
				m = fakeLife(t, ca, store, &events{}, nil) // a process that knows nothing else
				require.NoError(t, m.ProvisionIfNeeded(t.Context()), "%s is %q", name, garbage)
				require.NoError(t, m.Provision(t.Context()), "%s is %q", name, garbage)
				require.Len(t, ca.accounts, 1)
			})
		}
	}
}

// weakKey has the 1024 bits of the last century.
func weakKey(t testing.TB) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	return key
}

func TestAnInterruptedOrderIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change       func(ca *fakeCA, cfg *manager.Config, store *memStore)
		orders, keys int // in all
		abandoned    int
	}{
		"as it was":               {orders: 1, keys: 1},
		"the CA lost the order":   {change: func(ca *fakeCA, _ *manager.Config, _ *memStore) { clear(ca.orders) }, orders: 2, keys: 1},
		"the CA lost the account": {change: func(ca *fakeCA, _ *manager.Config, _ *memStore) { clear(ca.accounts) }, orders: 2, keys: 2, abandoned: 1},
		"other names":             {change: func(_ *fakeCA, cfg *manager.Config, _ *memStore) { cfg.Domains = []string{"c.example"} }, orders: 2, keys: 2, abandoned: 1},
		"the order was cut off":   {change: func(_ *fakeCA, _ *manager.Config, s *memStore) { s.values["pending"] = s.values["pending"][:100] }, orders: 2, keys: 2, abandoned: 1},
		"the CA is down at first": {change: func(ca *fakeCA, _ *manager.Config, _ *memStore) { downFor(ca, hour) }, orders: 1, keys: 1},
		"the CA's certificate is bad": {change: func(ca *fakeCA, _ *manager.Config, _ *memStore) {
			for _, o := range ca.orders {
				o.chain = []byte("no chain")
			}
		}, orders: 2, keys: 2, abandoned: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ca, log, store := newFakeCA(t, 90*day), &events{}, newMemStore()
				// the process dies when the answer to finalize comes
				died := errors.New("died")
				ctx, die := context.WithCancelCause(t.Context())
				ca.fail = func(w httpWriter, r *httpRequest) bool {
					if strings.HasPrefix(r.URL.Path, "/cert/") {
						die(died)
						w.Header().Set("Connection", "close")
						return true
					}
					return false
				}
				m := fakeLife(t, ca, store, log, nil)
				err := m.ProvisionIfNeeded(ctx)
				require.Error(t, err)
				require.Contains(t, store.names(), "pending")
				ca.set(func() { ca.fail = nil })
				key := keyID(ca.certificates()[0].PublicKey)

				m = fakeLife(t, ca, store, log, func(cfg *manager.Config, _ *manager.Options) {
					if row.change != nil {
						ca.set(func() { row.change(ca, cfg, store) })
					}
				})
				liveFor(t, m, 2*hour)
				require.NotNil(t, m.Certificate())
				require.Len(t, ca.replaces, row.orders)
				require.NotContains(t, store.names(), "pending")
				keys, abandoned := map[string]bool{}, 0
				for _, c := range ca.certificates() {
					keys[keyID(c.PublicKey)] = true
				}
				require.Len(t, keys, row.keys)
				for _, n := range store.names() {
					if strings.HasPrefix(n, "abandoned-") {
						abandoned++
						if name != "the order was cut off" {
							var p client.Pending
							require.NoError(t, unmarshal(store.values[n], &p))
							k, err := p.PrivateKey()
							require.NoError(t, err)
							require.Equal(t, key, keyID(k.Public()), "the key that was certified is kept")
						}
					}
				}
				require.Equal(t, row.abandoned, abandoned)
			})
		})
	}
}

func TestAnUnfinishedOrderIsNoReasonToRefuseAGoodCertificate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, store := newFakeCA(t, 90*day), newMemStore()
		m := fakeLife(t, ca, store, &events{}, nil)
		require.NoError(t, m.Provision(t.Context()))
		// another is forced, and the process dies before it has it
		ctx, die := context.WithCancel(t.Context())
		ca.set(func() {
			ca.fail = func(w httpWriter, r *httpRequest) bool {
				if strings.HasPrefix(r.URL.Path, "/cert/") {
					die()
					w.Header().Set("Connection", "close")
					return true
				}
				return false
			}
		})
		require.Error(t, m.Provision(ctx))
		require.Len(t, ca.certificates(), 2)

		ca.set(func() { downFor(ca, hour) })
		m = fakeLife(t, ca, store, &events{}, nil)
		require.NoError(t, m.ProvisionIfNeeded(t.Context()), "the CA is down, the certificate is good")
		require.Equal(t, ca.certificates()[0].Raw, m.Certificate().Leaf.Raw)
		require.Contains(t, store.names(), storage.Pending)
		liveFor(t, m, day)
		require.Equal(t, ca.certificates()[1].Raw, m.Certificate().Leaf.Raw, "it is fetched when the CA is back")
		require.Len(t, ca.certificates(), 2)
		require.NotContains(t, store.names(), storage.Pending)
	})
}

func TestAFinishedOrderIsNotFinishedAgain(t *testing.T) {
	t.Parallel()
	for name, provision := range map[string]func(*manager.Manager, context.Context) error{"if needed": (*manager.Manager).ProvisionIfNeeded, "always": (*manager.Manager).Provision} {
		synctest.Test(t, func(t *testing.T) {
			ca, store := newFakeCA(t, 90*day), newMemStore()
			store.fail = func(op, what string) error {
				if op == "delete" && what == storage.Pending {
					return fs.ErrPermission // it goes away in memory only: put back below
				}
				return nil
			}
			var kept []byte
			m := fakeLife(t, ca, store, &events{}, func(_ *manager.Config, o *manager.Options) {
				o.Observer = func(e manager.Event) {
					if e.Kind == manager.EventStored {
						kept = store.values[storage.Pending]
					}
				}
			})
			require.NoError(t, m.Provision(t.Context()))
			store.fail = nil
			require.NotEmpty(t, kept)
			store.values[storage.Pending] = kept
			m = fakeLife(t, ca, store, &events{}, nil)
			require.NoError(t, provision(m, t.Context()))
			require.NotContains(t, store.names(), storage.Pending)
			want := map[string]int{"if needed": 1, "always": 2}[name]
			require.Len(t, ca.certificates(), want)
			require.Equal(t, ca.certificates()[want-1].Raw, m.Certificate().Leaf.Raw)
		})
	}
}

func TestManyProcessesOneCertificate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ca, log, store := newFakeCA(t, 90*day), &events{}, newMemStore()
		results := make(chan error)
		const n = 8
		var all []*manager.Manager
		for range n {
			m := fakeLife(t, ca, store, log, nil)
			all = append(all, m)
			go func() { results <- m.ProvisionIfNeeded(t.Context()) }()
		}
		for range n {
			require.NoError(t, <-results)
		}
		require.Len(t, ca.certificates(), 1, "one does, the others take the result")
		for _, m := range all {
			require.Equal(t, ca.certificates()[0].Raw, m.Certificate().Leaf.Raw)
		}
		require.LessOrEqual(t, len(log.of(manager.EventWaiting)), n-1)

		// one that waits can be called off
		unlock, err := store.Lock(t.Context(), nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, all[0].Provision(ctx), context.DeadlineExceeded)
		require.NoError(t, unlock())
		require.NoError(t, all[0].Provision(t.Context()))
	})
}

func TestTLSConfigsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	m := newManager(t, fileConfig(t.TempDir()), manager.Options{})
	one, two := m.TLSConfig(), m.TLSConfig()
	one.NextProtos[0] = "changed"
	one.MinVersion = tls.VersionTLS13
	require.Equal(t, "h2", two.NextProtos[0])
	require.EqualValues(t, tls.VersionTLS12, two.MinVersion)
	require.Equal(t, "acme: no certificate yet: provision one first", fmt.Sprint(manager.ErrNoCertificate))
}
