//go:build !unix

package manager

import (
	"fmt"
	"os"
	"runtime"
)

// hangups delivers nothing: there is no SIGHUP.
func hangups() (c <-chan os.Signal, stop func()) { return nil, func() {} }

func hangUp(pid int) error {
	if pid <= 0 {
		return fmt.Errorf("SIGHUP to %d: %w", pid, errNoPID)
	}
	return fmt.Errorf("SIGHUP to process %d: no such signal on %s; use a command as hook", pid, runtime.GOOS)
}
