//go:build unix

package manager

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// hangups delivers SIGHUP until stop is called.
func hangups() (c <-chan os.Signal, stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGHUP)
	return ch, func() { signal.Stop(ch) }
}

func hangUp(pid int) error {
	if pid <= 0 { // a process group, or everything
		return fmt.Errorf("SIGHUP to %d: %w", pid, errNoPID)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("SIGHUP to process %d: %w", pid, err)
	}
	return nil
}
