package durable

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

const (
	failImmediately = 0x1
	exclusive       = 0x2
	lockViolation   = syscall.Errno(33)
)

func kernel32(name string) *syscall.LazyProc {
	return syscall.NewLazyDLL("kernel32.dll").NewProc(name)
}

// lockFile takes LockFileEx on the first byte; it ends with the handle.
func lockFile(f *os.File) error {
	var at syscall.Overlapped
	ok, _, err := kernel32("LockFileEx").Call(f.Fd(), failImmediately|exclusive, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	switch {
	case ok != 0:
		return nil
	case errors.Is(err, lockViolation) || errors.Is(err, syscall.ERROR_IO_PENDING):
		return ErrLocked
	}
	return err
}

func unlockFile(f *os.File) error {
	var at syscall.Overlapped
	if ok, _, err := kernel32("UnlockFileEx").Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(&at))); ok == 0 {
		return err
	}
	return nil
}
