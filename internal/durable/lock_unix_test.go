//go:build unix

package durable_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/durable"
)

const (
	onUnix     = true
	holdLockAt = "ACME_E2E_TEST_HOLD_LOCK"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(holdLockAt); path != "" {
		if _, err := durable.TryLock(path); err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString("held\n")
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

func TestTheLockOfAKilledProcessIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdLockAt+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)
	_, err = durable.TryLock(path)
	require.ErrorIs(t, err, durable.ErrLocked, "another process has it")
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	l, err := durable.TryLock(path)
	require.NoError(t, err)
	require.NoError(t, l.Unlock())
}
