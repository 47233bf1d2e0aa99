//go:build unix

package durable

import (
	"errors"
	"os"
	"syscall"
)

// syncDir flushes a directory, so that names in it survive a power cut. File
// systems that cannot do so are left alone.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
