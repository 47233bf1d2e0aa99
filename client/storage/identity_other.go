//go:build !unix

package storage

import "io/fs"

func identity(fs.FileInfo) string { return "" }
