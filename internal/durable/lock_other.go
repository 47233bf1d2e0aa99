//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package durable

import (
	"fmt"
	"os"
	"runtime"
)

func lockFile(*os.File) error { return fmt.Errorf("no file locks on %s", runtime.GOOS) }

func unlockFile(*os.File) error { return nil }
