// Package durable replaces files so that a crash, at any instruction, leaves
// either the old content or the new, and locks files between processes.
//
// A file is written beside its place under another name, flushed, renamed over
// its predecessor, and its directory flushed: what Write returned from survives
// a power cut on file systems that keep the promises of fsync and rename. On
// Windows the directory cannot be flushed, and a crash of the machine (not of
// the process) may bring the old content back.
package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The points of a change, in their order, as Files.Point gets them.
const (
	Begun   = "begun"   // nothing has happened yet
	Written = "written" // the new content is in a file of another name
	Flushed = "flushed" // and on the disk
	Named   = "named"   // and in its place
	Done    = "done"    // and so is the directory entry
	Removed = "removed" // Remove: the name is gone, perhaps not for good yet
)

// Files changes files durably. The zero value is ready to use. Files is safe for
// concurrent use as far as Point is; of two writers of one file one wins whole.
type Files struct {
	// Point, when set, is called at each point of each change with the path that
	// is changed. It is how tests end a process right there.
	Point func(point, path string)
}

func (f Files) at(point, path string) {
	if f.Point != nil {
		f.Point(point, path)
	}
}

// Write makes data the content of path, with exactly the permissions perm. The
// directory must exist and be writable. A symbolic link at path is followed, so
// that the link stays; anything but a regular file there is an error.
func (f Files) Write(path string, data []byte, perm fs.FileMode) error {
	target, err := Target(path)
	if err != nil {
		return err
	}
	return f.place(target, data, perm, rename)
}

// Create is Write for a file that must not exist yet: the error is fs.ErrExist
// when it does, even if it appeared a moment ago, and nothing is changed then.
func (f Files) Create(path string, data []byte, perm fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return f.place(path, data, perm, func(from, to string) error {
		switch err := os.Link(from, to); {
		case err == nil:
			return os.Remove(from)
		case errors.Is(err, fs.ErrExist):
			return err
		}
		return reserve(from, to, perm) // file systems without hard links
	})
}

// reserve renames from to a name that it makes first, so that of two only one
// gets it. A crash in between leaves an empty file.
func reserve(from, to string, perm fs.FileMode) error {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return rename(from, to)
}

// place writes data beside target and puts it there with move.
func (f Files) place(target string, data []byte, perm fs.FileMode, move func(from, to string) error) (err error) {
	f.at(Begun, target)
	beside := filepath.Join(filepath.Dir(target), Beside(target)+rand.Text()[:12])
	file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return fmt.Errorf("writing beside %s: %w", target, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close() // may be closed already
			_ = os.Remove(beside)
		}
	}()
	if err := file.Chmod(perm); err != nil && !errors.Is(err, errors.ErrUnsupported) { // whatever the umask says
		return err
	}
	if _, err := file.Write(data); err != nil {
		return err
	}
	f.at(Written, target)
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	f.at(Flushed, target)
	if err := move(beside, target); err != nil {
		return err
	}
	f.at(Named, target)
	if err := syncDir(filepath.Dir(target)); err != nil {
		return err
	}
	f.at(Done, target)
	return nil
}

// Remove removes a file durably. One that is not there is no error.
func (f Files) Remove(path string) error {
	f.at(Begun, path)
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	f.at(Removed, path)
	return syncDir(filepath.Dir(path))
}

// Rename gives a file another name in the same directory, durably.
func (f Files) Rename(path, to string) error {
	f.at(Begun, path)
	if err := rename(path, to); err != nil {
		return err
	}
	f.at(Named, path)
	return syncDir(filepath.Dir(to))
}

// Beside is how the names begin that files of path's directory have until they
// are renamed to path. A crash may leave one; Sweep removes it.
func Beside(path string) string { return "." + filepath.Base(path) + ".tmp-" }

// Sweep removes what crashed writers of path left beside it at least age ago.
// With an age of zero call it only while nobody else can be writing path.
func Sweep(path string, age time.Duration) error {
	target, err := Target(path)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), Beside(target)) {
			continue
		}
		if info, err := e.Info(); age > 0 && (err != nil || time.Since(info.ModTime()) < age) {
			continue
		}
		errs = append(errs, os.Remove(filepath.Join(filepath.Dir(target), e.Name())))
	}
	return errors.Join(errs...)
}

// Target is the file that path stands for: path itself, or what the symbolic
// links there lead to. It is an error when something else than a regular file
// is there.
func Target(path string) (string, error) {
	for range 40 {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return path, nil
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return "", err
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(path), to)
			}
			path = to
		case info.Mode().IsRegular():
			return path, nil
		default:
			return "", fmt.Errorf("%s is not a regular file (%v)", path, info.Mode().Type())
		}
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}
