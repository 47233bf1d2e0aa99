package challenge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
)

// RFC 8555, Section 8.3, by files in the document root of another server.

// Webroot answers http-01 challenges by writing files below the directory that
// a web server serves at "/". It is a Solver and a Checker, safe for concurrent
// use. Symbolic links that lead out of the directory are refused.
type Webroot struct {
	// Dir is the document root, which must exist.
	Dir string

	mu   sync.Mutex
	uses map[string]int // by token
	made []string       // directories made here, outermost first
}

// Present implements Solver: each file appears whole, with mode 0644.
func (w *Webroot) Present(ctx context.Context, challenges []Challenge) error {
	return presentAll(ctx, challenges, w.present)
}

func (w *Webroot) present(c Challenge) error {
	if err := checkHTTP01(c); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.uses[c.Token] == 0 {
		root, err := w.open()
		if err != nil {
			return err
		}
		defer root.Close()
		if err := w.write(root, c.Token, c.KeyAuthorization); err != nil {
			w.removeDirs(root)
			return fmt.Errorf("writing the response into webroot %q: %w", w.Dir, err)
		}
	}
	if w.uses == nil {
		w.uses = make(map[string]int)
	}
	w.uses[c.Token]++
	return nil
}

// CleanUp implements Solver: it removes the files, and the directories that
// Present made once they are empty.
func (w *Webroot) CleanUp(_ context.Context, challenges []Challenge) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, c := range challenges {
		if w.uses[c.Token] == 0 {
			continue
		}
		if w.uses[c.Token]--; w.uses[c.Token] > 0 {
			continue
		}
		delete(w.uses, c.Token)
		if err := w.remove(c.Token); err != nil {
			errs = append(errs, &Error{Challenge: c, Err: err})
		}
	}
	return errors.Join(errs...)
}

// Check implements Checker: it writes and removes a file where the responses go.
func (w *Webroot) Check(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	root, err := w.open()
	if err != nil {
		return err
	}
	defer root.Close()
	const probe = "acme-e2e-check"
	err = w.write(root, probe, "")
	if err == nil {
		err = root.Remove(filePath(probe))
	}
	if len(w.uses) == 0 {
		w.removeDirs(root)
	}
	if err != nil {
		return fmt.Errorf("http-01: webroot %q cannot be written: %w", w.Dir, err)
	}
	return nil
}

func (w *Webroot) open() (*os.Root, error) {
	if w.Dir == "" {
		return nil, errors.New("http-01: no webroot given")
	}
	root, err := os.OpenRoot(w.Dir)
	if err != nil {
		return nil, fmt.Errorf("http-01: opening webroot: %w", err)
	}
	return root, nil
}

func filePath(token string) string { return path.Join(".well-known/acme-challenge", token) }

// write makes the directories, then the file beside its place, then moves it.
func (w *Webroot) write(root *os.Root, token, content string) error {
	for _, dir := range []string{".well-known", ".well-known/acme-challenge"} {
		err := root.Mkdir(dir, 0o755)
		if err == nil {
			w.made = append(w.made, dir)
			err = root.Chmod(dir, 0o755) // the web server reads it, whatever our umask
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	name := filePath(token)
	temporary := filePath("." + token + ".tmp")
	err := root.WriteFile(temporary, []byte(content), 0o644)
	if err == nil {
		err = root.Chmod(temporary, 0o644)
	}
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		_ = root.Remove(temporary)
	}
	return err
}

func (w *Webroot) remove(token string) error {
	root, err := w.open()
	if err != nil {
		return err
	}
	defer root.Close()
	err = root.Remove(filePath(token))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if len(w.uses) == 0 {
		w.removeDirs(root)
	}
	return err
}

// removeDirs leaves directories that have gained other files.
func (w *Webroot) removeDirs(root *os.Root) {
	for i := len(w.made) - 1; i >= 0; i-- {
		_ = root.Remove(w.made[i])
	}
	w.made = nil
}
