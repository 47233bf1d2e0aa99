package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/internal/durable"
)

// FileOptions say where a File keeps its values. Only CertPath and KeyPath are
// required.
type FileOptions struct {
	CertPath       string // the chain, PEM, mode 0644
	KeyPath        string // its private key, PEM, mode 0600
	AccountKeyPath string // default: account.key in StateDir; mode 0600
	// StateDir is for everything else: the lock, the pending order, the pair
	// while it is being replaced. It is made, with mode 0700, when something is
	// to be kept; its parent must exist. Default: CertPath + ".acme".
	StateDir string

	// Sleep waits between two looks at a lock that another holds. Default: by
	// the machine's clock.
	Sleep func(context.Context, time.Duration) error
	// Trace, when set, is called at each step that changes a file, with the
	// step's name and the file. It is how tests end a process right there.
	Trace func(step, path string)
}

// File is a Store in files. Certificate and key are where servers expect them,
// in two files that no rename can replace at once. So the new pair is first
// made durable, as one file, in the state directory (the moment from which the
// new pair counts), then written to the two files, and then removed there.
// Load prefers the pair in the state directory, and Lock completes what a crash
// interrupted; programs that read the two files by themselves can see halves of
// two pairs in between, and should check, as tls.LoadX509KeyPair does.
type File struct {
	o     FileOptions
	files durable.Files
}

// NewFile returns a store in files. It touches none of them.
func NewFile(o FileOptions) (*File, error) {
	if o.CertPath == "" || o.KeyPath == "" {
		return nil, errors.New("storage: the paths of certificate and key are required")
	}
	if filepath.Clean(o.CertPath) == filepath.Clean(o.KeyPath) {
		return nil, fmt.Errorf("storage: certificate and key need two files, not %q for both", o.CertPath)
	}
	if o.StateDir == "" {
		o.StateDir = o.CertPath + ".acme"
	}
	if o.AccountKeyPath == "" {
		o.AccountKeyPath = filepath.Join(o.StateDir, "account.key")
	}
	for _, p := range []string{o.CertPath, o.KeyPath} {
		if filepath.Clean(p) == filepath.Clean(o.AccountKeyPath) {
			return nil, fmt.Errorf("storage: the account's key needs a file of its own, not %q", p)
		}
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &File{o: o, files: durable.Files{Point: o.Trace}}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// path is where a value is; Certificate is in journal, cert and key.
func (s *File) path(name string) (string, error) {
	if name == AccountKey {
		return s.o.AccountKeyPath, nil
	}
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || name[0] == '.' {
		return "", fmt.Errorf("storage: %q is not a name for a value", name)
	}
	return filepath.Join(s.o.StateDir, name), nil
}

// journal is the file that makes a pair count before it is in its places.
func (s *File) journal() string { return filepath.Join(s.o.StateDir, "next-pair.pem") }

// Load implements Store. The error of a file that is there and can't be read
// names it.
func (s *File) Load(_ context.Context, name string) ([]byte, error) {
	if name == Certificate {
		pair, err := s.loadPair()
		return pair.Encode(), err
	}
	path, err := s.path(name)
	if err != nil {
		return nil, err
	}
	return read(path)
}

// read refuses what would block or never end: named pipes, devices.
func read(path string) ([]byte, error) {
	if _, err := durable.Target(path); err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return data, nil
}

// LoadPair returns the two halves as they are, with fs.ErrNotExist when neither
// is there; a half that is missing by itself is empty.
func (s *File) LoadPair() (Pair, error) { return s.loadPair() }

func (s *File) loadPair() (p Pair, err error) {
	for range 5 { // a writer may be between the two
		if p, ok := s.next(); ok {
			return p, nil
		}
		if p, err = s.twoFiles(); err != nil || matches(p) {
			return p, err
		}
	}
	return p, nil
}

// next is the pair that is on its way to its places, if there is one.
func (s *File) next() (Pair, bool) {
	data, err := os.ReadFile(s.journal())
	if err != nil {
		return Pair{}, false
	}
	p, err := DecodePair(data)
	return p, err == nil && matches(p)
}

func (s *File) twoFiles() (p Pair, err error) {
	chain, chainErr := read(s.o.CertPath)
	key, keyErr := read(s.o.KeyPath)
	if errors.Is(chainErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		return p, chainErr
	}
	for _, err := range []error{chainErr, keyErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	return Pair{Chain: chain, Key: key}, nil
}

func matches(p Pair) bool {
	_, err := tls.X509KeyPair(p.Chain, p.Key)
	return err == nil
}

// Save implements Store. A key that is to be replaced, and does not belong to
// the certificate beside it, is somebody's: it is kept under another name.
func (s *File) Save(_ context.Context, name string, value []byte) error {
	if name != Certificate {
		path, err := s.path(name)
		if err != nil {
			return err
		}
		if err := s.makeDir(path); err != nil {
			return err
		}
		return wrap(s.files.Write(path, value, 0o600))
	}
	p, err := DecodePair(value)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if !matches(p) {
		return errors.New("storage: certificate and key do not belong together; nothing was changed")
	}
	if err := s.makeDir(s.journal()); err != nil {
		return err
	}
	if err := s.files.Write(s.journal(), p.Encode(), 0o600); err != nil {
		return wrap(err)
	}
	return s.settle(p)
}

// settle brings a pair that counts already to its places.
func (s *File) settle(p Pair) error {
	if err := s.setAside(p); err != nil {
		return wrap(err)
	}
	if err := s.files.Write(s.o.KeyPath, p.Key, 0o600); err != nil {
		return wrap(err)
	}
	if err := s.files.Write(s.o.CertPath, p.Chain, 0o644); err != nil {
		return wrap(err)
	}
	return wrap(s.files.Remove(s.journal()))
}

// setAside renames a key that is nobody's predecessor.
func (s *File) setAside(p Pair) error {
	old, err := s.twoFiles()
	if err != nil || len(old.Key) == 0 || string(old.Key) == string(p.Key) || matches(old) {
		return nil //nolint:nilerr // what can't be read can't be kept, and Write will say so
	}
	target, err := durable.Target(s.o.KeyPath)
	if err != nil {
		return err
	}
	to := target + ".replaced-" + time.Now().UTC().Format("20060102T150405.000Z")
	return s.files.Rename(target, to)
}

// Create implements Store.
func (s *File) Create(_ context.Context, name string, value []byte) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if name == Certificate {
		return errors.New("storage: the certificate is saved, not created")
	}
	if err := s.makeDir(path); err != nil {
		return err
	}
	return wrap(s.files.Create(path, value, 0o600))
}

// Delete implements Store. The certificate's two files stay.
func (s *File) Delete(_ context.Context, name string) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if name == Certificate {
		return errors.New("storage: the certificate is not deleted")
	}
	return wrap(s.files.Remove(path))
}

// Lock implements Store. Once it has the lock it completes what a crash
// interrupted.
func (s *File) Lock(ctx context.Context, waiting func()) (func() error, error) {
	path := filepath.Join(s.o.StateDir, "lock")
	if err := s.makeDir(path); err != nil {
		return nil, err
	}
	l, err := durable.WaitLock(ctx, path, s.o.Sleep, waiting)
	if err != nil {
		return nil, wrap(err)
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	return l.Unlock, nil
}

// recover completes the replacement that a crash interrupted and removes its
// debris.
func (s *File) recover() error {
	inState := func(name string) string { return filepath.Join(s.o.StateDir, name) }
	for path, age := range map[string]time.Duration{
		s.journal(): 0, s.o.KeyPath: 0, s.o.CertPath: 0, inState(Pending): 0,
		// these are written without the lock, or are another certificate's too
		inState(Renewal): time.Hour, inState(Accounts): time.Hour, s.o.AccountKeyPath: time.Hour,
	} {
		if err := durable.Sweep(path, age); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrap(err)
		}
	}
	p, ok := s.next()
	if !ok {
		return nil
	}
	return s.settle(p)
}

func (s *File) makeDir(path string) error {
	if filepath.Dir(path) != filepath.Clean(s.o.StateDir) {
		return nil
	}
	if err := os.Mkdir(s.o.StateDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return wrap(err)
	}
	return nil
}

// Check implements Checker: every directory that Save writes to takes a new
// file, and nothing but regular files is in the places.
func (s *File) Check(context.Context) error {
	if err := s.makeDir(s.journal()); err != nil {
		return err
	}
	var dirs []string
	for _, path := range []string{s.o.CertPath, s.o.KeyPath, s.journal()} {
		target, err := durable.Target(path)
		if err != nil {
			return wrap(err)
		}
		if dir := filepath.Dir(target); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		if err := writable(dir); err != nil {
			return wrap(err)
		}
	}
	return nil
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".acme-check-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Stamp implements Stamper, by the files' sizes, times and identities.
func (s *File) Stamp(_ context.Context, name string) (string, error) {
	paths := []string{s.journal(), s.o.CertPath, s.o.KeyPath}
	if name != Certificate {
		path, err := s.path(name)
		if err != nil {
			return "", err
		}
		paths = []string{path}
	}
	var b strings.Builder
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			b.WriteString("- ")
		case err != nil:
			return "", wrap(err)
		default:
			fmt.Fprintf(&b, "%d/%d/%s ", info.Size(), info.ModTime().UnixNano(), identity(info))
		}
	}
	return b.String(), nil
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("storage: %w", err)
}

// Unsettled reports whether a crash left a replacement half done, which the next
// Lock completes.
func (s *File) Unsettled() bool {
	_, ok := s.next()
	return ok
}
