// Package life walks a certificate through its whole life at an ACME CA, with
// the parts that production uses: the client, the manager, a real TLS server
// with real visitors, and the CA that is embedded or another one.
package life

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
)

// CA is the certification authority that the life is lived at.
type CA struct {
	DirectoryURL string
	Transport    http.RoundTripper // trusts the CA's API
	HTTPPort     int               // where the CA validates http-01

	// Roots are what issued certificates must chain to. When nil, and the
	// system's roots don't do, the root is taken from the chain itself.
	Roots *x509.CertPool

	// SuggestRenewal makes the CA suggest to renew the certificate at once; nil
	// when this CA can't be told to.
	SuggestRenewal func(*x509.Certificate) error

	// Revoked asks the CA, outside of ACME, whether the certificate is revoked;
	// nil when there is no such way.
	Revoked func(*x509.Certificate) (bool, error)
}

// Options are for Run.
type Options struct {
	CA        CA
	Names     []string
	Email     string
	EAB       *client.ExternalAccountBinding
	AllowHTTP bool
	Dir       string     // where account key, certificate and key are kept
	OnStep    func(Step) // called after each step
	Logger    *slog.Logger
}

// Certificate is one of the certificates that the life had.
type Certificate struct {
	Serial    string    `json:"serial"`
	Names     []string  `json:"names"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Replaces  string    `json:"replaces,omitempty"` // RFC 9773, Section 5
	Revoked   bool      `json:"revoked"`
}

// Result is what Run did, also when it failed.
type Result struct {
	Steps        []Step
	Certificates []Certificate
	Visits       Visits
	ACMERequests int
	Took         time.Duration
}

// Run walks the life. The error is that of the step that failed, after which no
// other is tried. ErrEnvironment marks one that the CA had no part in.
func Run(ctx context.Context, o Options) (*Result, error) {
	w := &walk{Options: o, result: &Result{}, wire: &wiretap{RoundTripper: o.CA.Transport}}
	if w.Logger == nil {
		w.Logger = slog.New(slog.DiscardHandler)
	}
	began := time.Now()
	w.diary = diary{last: began, onStep: o.OnStep}
	err := w.walk(ctx)
	w.close()
	w.result.Steps, w.result.ACMERequests, w.result.Took = w.diary.steps, w.wire.count(), time.Since(began)
	return w.result, err
}

type walk struct {
	Options
	diary  diary
	result *Result
	wire   *wiretap

	manager *manager.Manager
	account *client.Account
	server  *webServer
	roots   *x509.CertPool
	first   *x509.Certificate
	proved  int    // challenges answered for the order at hand
	renewed string // what the order at hand replaces
}

// walk is the life, step by step.
func (w *walk) walk(ctx context.Context) error {
	for _, step := range []struct {
		name, section string
		do            func(context.Context) error
	}{
		{"directory", "RFC 8555, Section 7.1.1", w.directory},
		{"issuance", "RFC 8555, Section 7.4", w.provision},
		{"server", "RFC 8446", w.serve},
		{"renewal information", "RFC 9773, Section 4", w.suggest},
		{"renewal", "RFC 9773, Section 5", w.renew},
		{"revocation", "RFC 8555, Section 7.6", w.revoke},
		{"deactivation", "RFC 8555, Section 7.3.6", w.deactivate},
	} {
		if err := step.do(ctx); err != nil {
			w.diary.add(Step{Name: step.name, Section: step.section, Verdict: Failed, Error: err.Error()})
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (w *walk) directory(ctx context.Context) error {
	m, err := manager.New(manager.Config{
		Domains:        w.Names,
		Email:          w.Email,
		DirectoryURL:   w.CA.DirectoryURL,
		AgreeTerms:     true,
		EAB:            w.EAB,
		CertPath:       w.path("cert.pem"),
		KeyPath:        w.path("key.pem"),
		AccountKeyPath: w.path("account.key"),
		StateDir:       w.path("state"),
	}, manager.Options{
		HTTP01:    challenge.HTTP01Options{Address: fmt.Sprintf(":%d", w.CA.HTTPPort)},
		Observer:  w.observe,
		Logger:    w.Logger,
		Transport: w.wire,
		AllowHTTP: w.AllowHTTP,
		NoSignals: true,
	})
	if err != nil {
		return err
	}
	w.manager = m
	if _, err := m.Client().Directory(ctx); err != nil {
		return err
	}
	w.diary.passed("directory", "RFC 8555, Section 7.1.1", w.CA.DirectoryURL)
	return nil
}

// provision gets the first certificate. Its steps are noted by observe.
func (w *walk) provision(ctx context.Context) error {
	if err := w.manager.Provision(ctx); err != nil {
		return err
	}
	account, err := w.manager.Account(ctx)
	if err != nil {
		return err
	}
	w.account = account
	return w.checkFiles()
}

// observe turns what the manager does into steps.
func (w *walk) observe(e manager.Event) {
	switch e.Kind {
	case manager.EventAccount:
		w.diary.passed("account", "RFC 8555, Section 7.3", e.URL)
	case manager.EventOrdering:
		w.proved, w.renewed = 0, e.Replaces
	case manager.EventOrder:
		detail := strings.Join(w.Names, ", ")
		if w.renewed != "" {
			w.diary.passed("order with replaces", "RFC 9773, Section 5", "replaces "+w.renewed)
			return
		}
		w.diary.passed("order", "RFC 8555, Section 7.4", detail)
	case manager.EventChallenge:
		w.proved++
	case manager.EventFinalizing:
		w.diary.passed("challenges", "RFC 8555, Section 8.3", w.howProved())
	case manager.EventIssued:
		w.remember(e.Certificate)
		w.diary.passed("certificate", "RFC 8555, Section 7.4.2", fmt.Sprintf("serial %x, until %s; key, names, dates and chain verified", e.Certificate.SerialNumber, e.Certificate.NotAfter.UTC().Format(time.DateOnly)))
	}
}

func (w *walk) howProved() string {
	if w.proved == 0 {
		return fmt.Sprintf("none was needed: the authorizations of all %d names still hold", len(w.Names))
	}
	return fmt.Sprintf("%d of %d names proved by http-01 on port %d", w.proved, len(w.Names), w.CA.HTTPPort)
}

func (w *walk) remember(cert *x509.Certificate) {
	if w.first == nil {
		w.first = cert
	}
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	w.result.Certificates = append(w.result.Certificates, Certificate{
		Serial:    cert.SerialNumber.Text(16),
		Names:     names,
		NotBefore: cert.NotBefore.UTC(),
		NotAfter:  cert.NotAfter.UTC(),
		Replaces:  w.renewed,
	})
}

// checkFiles looks at what is on the disk, as another program would.
func (w *walk) checkFiles() error {
	for _, name := range []string{"cert.pem", "key.pem", "account.key"} {
		info, err := os.Stat(w.path(name))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrEnvironment, err)
		}
		if info.Size() == 0 {
			return fmt.Errorf("%s is empty", w.path(name))
		}
	}
	return nil
}

// serve starts the server and visits it under every name.
func (w *walk) serve(ctx context.Context) error {
	var err error
	if w.server, err = serveTLS(w.manager.TLSConfig()); err != nil {
		return fmt.Errorf("%w: starting the server: %w", ErrEnvironment, err)
	}
	cert := w.manager.Certificate()
	trust := ""
	if w.roots = w.CA.Roots; w.roots == nil {
		if w.roots, trust, err = rootsOf(cert.Certificate, cert.Leaf); err != nil {
			return err
		}
	}
	if err := w.fetchAll(ctx, cert.Leaf.SerialNumber); err != nil {
		return err
	}
	w.diary.passed("server", "RFC 8446, Section 4.4.2", fmt.Sprintf("https://%s serves it, verified for %d names%s", w.server.addr, len(w.Names), trust))
	return nil
}

// rootsOf finds roots for a CA of which only the API is known: the system's, or
// else the last certificate of the chain.
func rootsOf(chain [][]byte, leaf *x509.Certificate) (*x509.CertPool, string, error) {
	intermediates, last := x509.NewCertPool(), leaf
	for _, der := range chain[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, "", err
		}
		intermediates.AddCert(c)
		last = c
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: intermediates}); err == nil {
		return nil, " against the system's roots", nil
	}
	if len(chain) == 1 {
		return nil, "", errors.New("the chain has no issuer, and the system knows none: name the CA's roots with --roots")
	}
	roots := x509.NewCertPool()
	roots.AddCert(last)
	return roots, fmt.Sprintf(", up to %q (no --roots were given)", last.Subject.CommonName), nil
}

// fetchAll visits the server anew under each name, and wants the certificate.
func (w *walk) fetchAll(ctx context.Context, serial *big.Int) error {
	b := w.server.browser(w.roots)
	defer b.close()
	for _, name := range w.Names {
		cert, err := b.fetch(ctx, name)
		if err != nil {
			return err
		}
		if cert.SerialNumber.Cmp(serial) != 0 {
			return fmt.Errorf("the server shows certificate %x under %s, not %x", cert.SerialNumber, name, serial)
		}
		b.close()
	}
	return nil
}

// suggest lets the CA suggest early renewal.
func (w *walk) suggest(ctx context.Context) error {
	const name, section = "renewal information", "RFC 9773, Section 4.2"
	leaf := w.manager.Certificate().Leaf
	info, err := w.manager.Client().RenewalInfo(ctx, leaf)
	if errors.Is(err, client.ErrNotOffered) {
		w.diary.notOffered(name, section, "the directory has no renewalInfo")
		return nil
	}
	if err != nil {
		return err
	}
	window := fmt.Sprintf("from %s to %s", info.SuggestedWindow.Start.UTC().Format(time.DateOnly), info.SuggestedWindow.End.UTC().Format(time.DateOnly))
	if w.CA.SuggestRenewal == nil {
		w.diary.passed(name, section, "the CA suggests to renew "+window+"; only the embedded CA can be told to suggest earlier")
		return nil
	}
	if err := w.CA.SuggestRenewal(leaf); err != nil {
		return err
	}
	w.diary.passed(name, section, "the CA suggested to renew "+window+"; now it suggests to renew at once")
	return nil
}

// renew waits for the manager to renew while visitors come to the server.
func (w *walk) renew(ctx context.Context) error {
	old := w.manager.Certificate().Leaf
	visitors := w.server.visit(ctx, w.roots, w.Names[0], old.SerialNumber)
	defer func() { w.result.Visits, _ = visitors.leave() }()
	if err := visitors.came(ctx); err != nil {
		return err
	}
	if err := w.replace(ctx); err != nil {
		return err
	}
	renewed := w.manager.Certificate().Leaf
	if err := w.fetchAll(ctx, renewed.SerialNumber); err != nil {
		return err
	}
	if err := visitors.came(ctx); err != nil {
		return err
	}
	visits, failed := visitors.leave()
	if failed != nil {
		return fmt.Errorf("%d of %d visits failed during the renewal: %w", visits.Failed, visits.Requests, failed)
	}
	w.diary.passed("hot reload", "RFC 8446, Section 4.4.2", fmt.Sprintf("serial %x from now on; %d requests, %d handshakes, none failed", renewed.SerialNumber, visits.Requests, visits.Handshakes))
	return nil
}

// replace lets the manager find out that it should renew, or tells it to where
// the CA can't be made to suggest it.
func (w *walk) replace(ctx context.Context) error {
	if w.CA.SuggestRenewal == nil {
		return w.manager.Provision(ctx)
	}
	outcome, err := w.manager.CheckNow(ctx)
	if err == nil && !outcome.Renewed {
		err = errors.New("the manager did not follow the CA's suggestion to renew at once")
	}
	return err
}

// revoke takes the first certificate back.
func (w *walk) revoke(ctx context.Context) error {
	cert, serial := w.first, w.result.Certificates[0].Serial
	if err := w.account.Revoke(ctx, cert.Raw, client.Superseded); err != nil {
		return err
	}
	const says = "alreadyRevoked" // to whoever asks once more; Revoke forgives that
	if err := w.account.Revoke(ctx, cert.Raw, client.Superseded); err != nil || w.wire.said() != says {
		return fmt.Errorf("revoking certificate %s once more should be answered %s, but is %q (%v)", serial, says, w.wire.said(), err)
	}
	confirmed := says
	if w.CA.Revoked != nil {
		revoked, err := w.CA.Revoked(cert)
		if err != nil {
			return err
		}
		if !revoked {
			return fmt.Errorf("the CA does not list certificate %s as revoked", serial)
		}
		confirmed += ", and its status is revoked"
	}
	w.result.Certificates[0].Revoked = true
	w.diary.passed("revocation", "RFC 8555, Section 7.6", fmt.Sprintf("serial %s, reason superseded; the CA says %s", serial, confirmed))
	return nil
}

// deactivate ends the account, and sees that it is ended.
func (w *walk) deactivate(ctx context.Context) error {
	if err := w.account.Deactivate(ctx); err != nil {
		return err
	}
	identifiers, err := client.ParseIdentifiers(w.Names...)
	if err != nil {
		return err
	}
	_, err = w.account.NewOrder(ctx, client.OrderRequest{Identifiers: identifiers})
	if !errors.Is(err, client.ErrUnauthorized) && !errors.Is(err, client.ErrAccountDoesNotExist) {
		return fmt.Errorf("an order of a deactivated account should be refused as unauthorized, but: %v", err)
	}
	w.diary.passed("deactivation", "RFC 8555, Section 7.3.6", "a further order is refused: unauthorized")
	return nil
}

func (w *walk) close() {
	if w.server != nil {
		w.server.close()
	}
	if w.manager != nil {
		w.manager.Close()
	}
}

func (w *walk) path(name string) string { return filepath.Join(w.Dir, name) }

// ErrEnvironment is wrapped by errors that are about neither CA nor client.
var ErrEnvironment = errors.New("environment")
