//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errEnough = errors.New("enough")

// output is safe for what the program and Run write at once.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

// shell runs a script and ends it after limit.
func shell(t *testing.T, limit time.Duration, script string) (out *output, dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errEnough)
	defer cancel()
	out = &output{}
	err = Run(ctx, Command{Args: []string{"sh", "-c", script}, Env: os.Environ(), Dir: dir, Output: out})
	return out, dir, err
}

// gone waits until none of the processes whose numbers a script left in files
// is running.
func gone(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return !alive(pid) }, 5*time.Second, 5*time.Millisecond, "%s: %d is still running", file, pid)
	}
}

// alive reports whether a process runs; one that nobody waited for does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

const long = time.Minute

func TestRunOfAProgramThatEnds(t *testing.T) {
	t.Parallel()
	out, _, err := shell(t, long, "echo to stdout; echo to stderr >&2")
	require.NoError(t, err)
	require.Equal(t, "to stdout\nto stderr\n", out.String())

	_, _, err = shell(t, long, "exit 7")
	require.ErrorContains(t, err, "exit status 7")
	_, is := errors.AsType[*ExitError](err)
	require.True(t, is)

	err = Run(t.Context(), Command{Args: []string{"/nonexistent/client"}, Output: &output{}})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Error(t, Run(t.Context(), Command{Output: &output{}}))
}

func TestRunOfAProgramThatHangs(t *testing.T) {
	t.Parallel()
	_, dir, err := shell(t, 300*time.Millisecond, "echo $$ >pid; exec sleep 60")
	require.ErrorIs(t, err, errEnough)
	gone(t, dir, "pid")
}

func TestRunOfAProgramThatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	out, dir, err := shell(t, 300*time.Millisecond, "trap 'echo not me' TERM; echo $$ >pid; while :; do sleep 0.05; done")
	require.ErrorIs(t, err, errEnough)
	require.Contains(t, out.String(), "not me")
	gone(t, dir, "pid")
}

func TestRunOfAProgramThatLeavesChildren(t *testing.T) {
	t.Parallel()
	out, dir, err := shell(t, long, "sleep 60 & echo $! >child; setsid sh -c 'echo $$ >daemon; exec sleep 60' & while ! [ -s daemon ]; do sleep 0.01; done; exit 0")
	require.NoError(t, err)
	require.Contains(t, out.String(), "left running, and ended: ")
	gone(t, dir, "child", "daemon")
}

func TestRunOfAProgramThatForksAndHangs(t *testing.T) {
	t.Parallel()
	_, dir, err := shell(t, 500*time.Millisecond, "trap '' TERM; (trap '' TERM; setsid sh -c 'echo $$ >daemon; while :; do sleep 0.05; done' & while :; do sleep 0.05; done) & echo $! >child; wait")
	require.ErrorIs(t, err, errEnough)
	gone(t, dir, "child", "daemon")
}

func TestRunOfAProgramThatPrintsMegabytes(t *testing.T) {
	t.Parallel()
	out, _, err := shell(t, long, "head -c 8000000 /dev/zero | tr '\\0' x")
	require.NoError(t, err)
	require.Equal(t, 8_000_000, out.Len())
}

func TestRunWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	require.ErrorIs(t, Run(ctx, Command{Args: []string{"true"}, Output: &output{}}), errEnough)
}
