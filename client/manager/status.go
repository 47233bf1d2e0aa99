package manager

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// State is what is the matter with the certificate.
type State string

// The states. All but Good and NotYet are reasons to provision.
const (
	Good       State = "good"
	Missing    State = "missing"     // there is no certificate, or no key
	Broken     State = "broken"      // certificate or key do not parse
	Mismatched State = "mismatched"  // the key is not the certificate's
	WrongNames State = "wrong-names" // it is not for exactly the configured names
	NotYet     State = "not-yet"     // it is not valid yet, or the clock is wrong
	Expiring   State = "expiring"    // it is about to expire, or has
	Suggested  State = "suggested"   // the CA suggests to renew now
	Unfinished State = "unfinished"  // an order was being finalized when the process ended
	Forced     State = "forced"      // Provision was called
)

// Status is what is known of the certificate in the store.
type Status struct {
	State       State
	Detail      string            // in words; empty when all is good
	Certificate *x509.Certificate // nil when Missing or Broken
	// RenewAt is when it becomes due: by its lifetime, or before that by the CA's
	// suggestion. Zero when there is none.
	RenewAt time.Time
	// Window is what the CA suggested last; zero when it didn't.
	Window client.Window
	// IssuedBy is the directory that the certificate came from, where that is
	// known. Another than the configured one is no reason to provision.
	IssuedBy string
}

// Status looks at the pair in the store. It asks the CA for nothing and changes
// nothing; its error is that of a store that can't be read.
func (m *Manager) Status(ctx context.Context) (Status, error) {
	_, st, err := m.look(ctx)
	if err != nil || st.State != Good && st.State != NotYet {
		return st, err
	}
	n := m.loadNotes(ctx).of(st.Certificate)
	return m.judge(st, n, n.Pick), nil
}

// tolerableSkew is by how much this machine's clock may be behind the CA's: that
// of client.Verification, so that what was accepted counts as good.
const tolerableSkew = 5 * time.Minute

// look reads the pair and says what is wrong with it, without a look at the time
// it should be renewed.
func (m *Manager) look(ctx context.Context) (*tls.Certificate, Status, error) {
	value, err := m.store.Load(ctx, storage.Certificate)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Status{State: Missing, Detail: "there is no certificate"}, nil
	}
	if err != nil {
		return nil, Status{}, m.fileError("certificate and key", m.cfg.CertPath+", "+m.cfg.KeyPath, err)
	}
	cert, st := m.inspect(value)
	return cert, st, nil
}

// inspect judges a pair by itself.
func (m *Manager) inspect(value []byte) (*tls.Certificate, Status) {
	pair, err := storage.DecodePair(value)
	if err != nil {
		state, what := Missing, "certificate"
		if len(pair.Chain) > 0 {
			what = "private key"
		}
		if !onlyPEM(value) {
			state = Broken // one of the two is there, and is no PEM
		}
		return nil, Status{State: state, Detail: "there is no usable " + what}
	}
	leaf, err := firstCertificate(pair.Chain)
	if err != nil {
		return nil, Status{State: Broken, Detail: "the certificate does not parse: " + err.Error()}
	}
	if _, err := client.ParseKey(pair.Key); err != nil {
		return nil, Status{State: Broken, Detail: "the private key does not parse: " + reason(err)}
	}
	cert, err := tls.X509KeyPair(pair.Chain, pair.Key)
	if err != nil {
		return nil, Status{State: Mismatched, Detail: "the private key is not the certificate's", Certificate: leaf}
	}
	cert.Leaf = leaf
	if diff := m.namesDiffer(leaf); diff != "" {
		return &cert, Status{State: WrongNames, Detail: diff, Certificate: leaf}
	}
	if now := m.clock.Now(); now.Add(tolerableSkew).Before(leaf.NotBefore) {
		return &cert, Status{State: NotYet, Detail: fmt.Sprintf("it is valid from %s only; check the clock, which says %s", stamp(leaf.NotBefore), stamp(now)), Certificate: leaf}
	}
	return &cert, Status{State: Good, Certificate: leaf}
}

// onlyPEM reports whether a value is PEM blocks from beginning to end, all whole.
func onlyPEM(value []byte) bool {
	begins, blocks := bytes.Count(value, []byte("-----BEGIN ")), 0
	for rest := value; ; blocks++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
	}
	text := bytes.TrimSpace(value)
	return blocks == begins && (len(text) == 0 || bytes.HasPrefix(text, []byte("-----BEGIN ")) && bytes.HasSuffix(text, []byte("-----")))
}

func firstCertificate(chain []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	return x509.ParseCertificate(block.Bytes)
}

// namesDiffer says how the certificate's names are not exactly the configured.
func (m *Manager) namesDiffer(leaf *x509.Certificate) string {
	surplus := make(map[string]bool)
	for _, name := range leaf.DNSNames {
		surplus[strings.ToLower(name)] = true
	}
	for _, ip := range leaf.IPAddresses {
		surplus[ip.String()] = true
	}
	var missing []string
	for _, id := range m.ids {
		if !surplus[id.Value] {
			missing = append(missing, id.Value)
		}
		delete(surplus, id.Value)
	}
	switch {
	case len(missing) > 0:
		return "it is not for " + strings.Join(missing, ", ")
	case len(surplus) > 0:
		return "it is also for " + strings.Join(slices.Sorted(maps.Keys(surplus)), ", ") + ", which is not configured"
	}
	return ""
}

// judge says whether a pair that is good in itself is due now. suggested is when
// the CA's window makes it due; zero when there is none.
func (m *Manager) judge(st Status, n notes, suggested time.Time) Status {
	now := m.clock.Now()
	expiring := dueByLifetime(st.Certificate, m.cfg.RenewBeforeDays)
	st.Window, st.IssuedBy = n.Window, n.Directory
	st.RenewAt = earliest(expiring, suggested)
	if !n.IssuedAt.IsZero() && n.Hasty > 0 {
		if free := freeAt(st.Certificate, n.IssuedAt, n.Hasty); free.After(st.RenewAt) {
			st.RenewAt = free
		}
	}
	if now.Before(st.RenewAt) {
		return st
	}
	if !now.Before(expiring) {
		st.State, st.Detail = Expiring, "it expires at "+stamp(st.Certificate.NotAfter)
		if now.After(st.Certificate.NotAfter) {
			st.Detail = "it expired at " + stamp(st.Certificate.NotAfter)
		}
	} else {
		st.State, st.Detail = Suggested, fmt.Sprintf("the CA suggests to renew it between %s and %s", stamp(n.Window.Start), stamp(n.Window.End))
	}
	return st
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// FileError is a file, or value of a store, that can't be used and has been left
// as it was.
type FileError struct {
	What   string // "account key"
	Path   string
	Advice string
	// Writing says that it could not be written: the disk is at fault, and not
	// what is in the file.
	Writing bool
	Err     error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("acme: %s in %s: %s; %s", e.What, e.Path, reason(e.Err), e.Advice)
}

// Unwrap gives errors.Is what the system said.
func (e *FileError) Unwrap() error { return e.Err }

func (m *Manager) fileError(what, path string, err error) error {
	advice := "it was left as it is: repair it, or move it away to get a new one"
	if errors.Is(err, fs.ErrPermission) {
		advice = "it was left as it is: let the user that this runs as read and write it"
	}
	return &FileError{What: what, Path: path, Advice: advice, Err: err}
}
