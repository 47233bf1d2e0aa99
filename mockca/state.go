package mockca

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/acme-e2e/acme-e2e/internal/durable"
)

// What outlives the process: Options.StateDir.

// state is a directory that one CA has for itself.
type state struct {
	dir   string
	files durable.Files
	lock  *durable.Lock
}

const (
	hierarchyFile = "hierarchy.json" // what ExportHierarchy wrote
	apiRootFile   = "api-root.pem"   // certificate and key of the root that the API is reached by
	booksFile     = "books.jsonl"    // see journal
)

func openState(dir string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("Options.StateDir: %w", err)
	}
	lock, err := durable.TryLock(filepath.Join(dir, ".lock"))
	if errors.Is(err, durable.ErrLocked) {
		return nil, fmt.Errorf("Options.StateDir: another CA uses %s: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("Options.StateDir: %w", err)
	}
	return &state{dir: dir, lock: lock}, nil
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

// read returns nil when there is no such file.
func (s *state) read(name string) ([]byte, error) {
	data, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (s *state) close() {
	if s != nil {
		s.lock.Unlock() // which can only fail when it is gone already
	}
}

// restoreHierarchy makes the CA's own certificates: those in the state, or new
// ones, which it keeps there.
func (ca *CA) restoreHierarchy() (err error) {
	h := ca.options.Hierarchy
	if ca.state == nil {
		ca.hierarchy, err = h.make(ca.clock.Now())
		return err
	}
	kept, err := ca.state.read(hierarchyFile)
	if err != nil {
		return err
	}
	if kept != nil {
		h = Hierarchy{Import: kept}
	}
	if ca.hierarchy, err = h.make(ca.clock.Now()); err != nil {
		return fmt.Errorf("%s: %w", ca.state.path(hierarchyFile), err)
	}
	if kept != nil {
		return nil
	}
	made, err := ca.hierarchy.Export()
	if err != nil {
		return err
	}
	return ca.state.files.Write(ca.state.path(hierarchyFile), made, 0o600)
}

// apiRoot is the root of the API's certificate: that in the state, or a new one,
// which it keeps there.
func (ca *CA) apiRoot() (*apiCertificate, error) {
	if ca.state == nil {
		return makeAPIRoot(time.Now())
	}
	kept, err := ca.state.read(apiRootFile)
	if err != nil {
		return nil, err
	}
	if kept != nil {
		root, err := parseAPIRoot(kept)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ca.state.path(apiRootFile), err)
		}
		return root, nil
	}
	root, err := makeAPIRoot(time.Now())
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(root.rootKey)
	if err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.root})
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	return root, ca.state.files.Write(ca.state.path(apiRootFile), data, 0o600)
}

func parseAPIRoot(data []byte) (*apiCertificate, error) {
	cert, rest := pem.Decode(data)
	key, _ := pem.Decode(rest)
	if cert == nil || key == nil || cert.Type != "CERTIFICATE" || key.Type != "PRIVATE KEY" {
		return nil, errors.New("want a certificate and its private key, in PEM")
	}
	root, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(root.PublicKey) {
		return nil, errors.New("the private key is not the certificate's")
	}
	return &apiCertificate{root: cert.Bytes, rootKey: private}, nil
}
