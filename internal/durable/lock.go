package durable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// ErrLocked says that somebody else, in this process or another, holds a lock.
var ErrLocked = errors.New("locked by another")

// Lock is a lock that is held. The operating system releases it when the process
// ends, however it ends, so none is ever stale. It excludes other holders in the
// same process too. On network file systems it excludes other machines only
// where the file system says so.
type Lock struct {
	once sync.Once
	file *os.File
	err  error
}

// TryLock locks the file at path, which it makes when there is none and which
// stays. The error is ErrLocked when another has it.
func TryLock(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock: %w", err)
	}
	if err := lockFile(file); err != nil {
		_ = file.Close() // the lock's error counts
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{file: file}, nil
}

// WaitLock is TryLock that tries again, after sleep, until the lock is free or
// sleep fails, which it does when ctx ends. waiting, when set, is called once,
// before the first wait.
func WaitLock(ctx context.Context, path string, sleep func(context.Context, time.Duration) error, waiting func()) (*Lock, error) {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		l, err := TryLock(path)
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		if cause := sleep(ctx, pause); cause != nil {
			return nil, fmt.Errorf("%w; gave up waiting: %w", err, cause)
		}
	}
}

// Unlock releases the lock. Calling it again does nothing.
func (l *Lock) Unlock() error {
	l.once.Do(func() { l.err = errors.Join(unlockFile(l.file), l.file.Close()) })
	return l.err
}
