//go:build unix

package manager_test

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// Not parallel: signals are the process's.

func TestSIGHUPReloads(t *testing.T) {
	cfg := fileConfig(t.TempDir())
	all, _ := pairs(t, 2)
	store := fileStore(t, cfg)
	require.NoError(t, store.Save(t.Context(), storage.Certificate, all[0].Encode()))
	m := newManager(t, cfg, manager.Options{ReloadEvery: -1})
	first := m.Certificate()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Watch(ctx) }()
	require.NoError(t, store.Save(t.Context(), storage.Certificate, all[1].Encode()))
	hook := manager.SignalHUP(os.Getpid())
	require.Eventually(t, func() bool {
		require.NoError(t, hook(t.Context(), manager.Issued{}))
		return m.Certificate() != first
	}, 20*time.Second, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

func TestHooksSignalTheProcessOfAPIDFile(t *testing.T) {
	guard := make(chan os.Signal, 8)
	signal.Notify(guard, syscall.SIGHUP)
	defer signal.Stop(guard)
	file := filepath.Join(t.TempDir(), "server.pid")
	hook := manager.SignalPIDFile(file)
	require.ErrorContains(t, hook(t.Context(), manager.Issued{}), "pid file")
	for _, bad := range []string{"", "none", "-1", "0", "1", "12 13"} {
		require.NoError(t, os.WriteFile(file, []byte(bad), 0o600))
		require.ErrorContains(t, hook(t.Context(), manager.Issued{}), "not the number of a process", bad)
	}
	require.NoError(t, os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600))
	require.NoError(t, hook(t.Context(), manager.Issued{}))
	select {
	case <-guard:
	case <-time.After(20 * time.Second):
		t.Fatal("no SIGHUP came")
	}
	require.Error(t, manager.SignalHUP(0)(t.Context(), manager.Issued{}), "never a group of processes")
	require.Error(t, manager.SignalHUP(-1)(t.Context(), manager.Issued{}))
}

func TestCommandHook(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	i := manager.Issued{CertPath: "/c", KeyPath: "/k", Domains: []string{"a.example", "b.example"}}
	require.NoError(t, manager.Command("sh", "-c", `echo "$ACME_CERT_PATH $ACME_KEY_PATH $ACME_DOMAINS" > "$0"`, out)(t.Context(), i))
	said, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "/c /k a.example,b.example\n", string(said))
	err = manager.Command("sh", "-c", "echo it went wrong >&2; exit 3")(t.Context(), i)
	require.ErrorContains(t, err, "it went wrong")
	require.ErrorContains(t, err, "exit status 3")
}
