package durable_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/durable"
)

func read(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func names(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteReplacesContentAndPermissions(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var files durable.Files
	require.NoError(t, files.Write(path, []byte("one"), 0o600))
	require.Equal(t, "one", read(t, path))
	require.NoError(t, os.Chmod(path, 0o666))
	require.NoError(t, files.Write(path, []byte("two"), 0o600))
	require.Equal(t, "two", read(t, path))
	if onUnix {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode())
	}
	require.Equal(t, []string{"file"}, names(t, dir))
}

func TestCreateNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var files durable.Files
	var wg sync.WaitGroup
	var made atomic.Int64
	var winner atomic.Value
	for i := range 8 {
		wg.Go(func() {
			content := fmt.Sprint("content ", i)
			switch err := files.Create(path, []byte(content), 0o600); {
			case err == nil:
				made.Add(1)
				winner.Store(content)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, made.Load())
	require.Equal(t, winner.Load(), read(t, path))
	require.Equal(t, []string{"file"}, names(t, dir))
	require.ErrorIs(t, files.Create(path, []byte("late"), 0o600), fs.ErrExist)
}

func TestReserveNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(t, os.WriteFile(from, []byte("one"), 0o600))
	require.NoError(t, durable.Reserve(from, to, 0o600))
	require.Equal(t, "one", read(t, to))
	require.NoError(t, os.WriteFile(from, []byte("two"), 0o600))
	require.ErrorIs(t, durable.Reserve(from, to, 0o600), fs.ErrExist)
	require.Equal(t, "one", read(t, to))
}

func TestAtEachPointTheFileIsOldOrNew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	var points []string
	files := durable.Files{Point: func(point, at string) {
		require.Equal(t, path, at)
		points = append(points, point)
		content := read(t, path)
		switch point {
		case durable.Begun, durable.Written, durable.Flushed:
			require.Equal(t, "old", content, point)
		default:
			require.Equal(t, "new", content, point)
		}
	}}
	require.NoError(t, files.Write(path, []byte("new"), 0o600))
	require.Equal(t, []string{durable.Begun, durable.Written, durable.Flushed, durable.Named, durable.Done}, points)
}

func TestFailuresChangeNothing(t *testing.T) {
	dir := t.TempDir()
	var files durable.Files
	require.ErrorIs(t, files.Write(filepath.Join(dir, "none", "file"), []byte("x"), 0o600), fs.ErrNotExist)
	sub := filepath.Join(dir, "sub")
	require.NoError(t, os.Mkdir(sub, 0o700))
	require.ErrorContains(t, files.Write(sub, []byte("x"), 0o600), "not a regular file")
	require.ErrorIs(t, files.Create(sub, []byte("x"), 0o600), fs.ErrExist)
	require.Equal(t, []string{"sub"}, names(t, dir))
}

func TestSymbolicLinksStay(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "live"), 0o700))
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join("live", "file"), link); err != nil {
		t.Skip(err)
	}
	var files durable.Files
	require.NoError(t, files.Write(link, []byte("one"), 0o600)) // the target does not exist yet
	require.NoError(t, files.Write(link, []byte("two"), 0o600))
	require.Equal(t, "two", read(t, filepath.Join(dir, "live", "file")))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink)

	loop := filepath.Join(dir, "loop")
	require.NoError(t, os.Symlink("loop", loop))
	require.ErrorContains(t, files.Write(loop, []byte("x"), 0o600), "too many symbolic links")
}

func TestRemoveAndRename(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var files durable.Files
	require.NoError(t, files.Remove(path))
	require.NoError(t, files.Write(path, []byte("x"), 0o600))
	require.NoError(t, files.Rename(path, path+".old"))
	require.Equal(t, []string{"file.old"}, names(t, dir))
	require.NoError(t, files.Remove(path+".old"))
	require.Empty(t, names(t, dir))
	require.ErrorIs(t, files.Rename(path, path+".old"), fs.ErrNotExist)
}

func TestSweepRemovesOldDebrisOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	debris, fresh := filepath.Join(dir, durable.Beside(path)+"A"), filepath.Join(dir, durable.Beside(path)+"B")
	for _, p := range []string{path, debris, fresh, filepath.Join(dir, ".other.tmp-A")} {
		require.NoError(t, os.WriteFile(p, nil, 0o600))
	}
	old := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(debris, old, old))
	require.NoError(t, durable.Sweep(path, time.Hour))
	require.NoFileExists(t, debris)
	require.FileExists(t, fresh)
	require.NoError(t, durable.Sweep(path, 0))
	require.ElementsMatch(t, []string{"file", ".other.tmp-A"}, names(t, dir))
	require.ErrorIs(t, durable.Sweep(filepath.Join(dir, "none", "file"), 0), fs.ErrNotExist)
}

func TestLockHasOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := durable.TryLock(path)
	require.NoError(t, err)
	_, err = durable.TryLock(path)
	require.ErrorIs(t, err, durable.ErrLocked)
	require.NoError(t, l.Unlock())
	require.NoError(t, l.Unlock(), "again does nothing")

	var holders, most atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				l, err := durable.WaitLock(t.Context(), path, pause, nil)
				if err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), holders.Add(1)))
				holders.Add(-1)
				if err := l.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, most.Load())
}

func pause(ctx context.Context, _ time.Duration) error {
	time.Sleep(time.Millisecond)
	return context.Cause(ctx)
}

func TestWaitLockEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := durable.TryLock(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Unlock()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	waits := 0
	_, err = durable.WaitLock(ctx, path, pause, func() { waits++ })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, durable.ErrLocked)
	require.Equal(t, 1, waits)
	_, err = durable.TryLock(filepath.Join(t.TempDir(), "none", "lock"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
