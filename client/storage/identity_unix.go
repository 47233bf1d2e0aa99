//go:build unix

package storage

import (
	"fmt"
	"io/fs"
	"syscall"
)

// identity tells a file from one that was put in its place within the same tick
// of the file system's clock.
func identity(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(st.Ino)
	}
	return ""
}
