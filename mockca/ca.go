package mockca

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
	"github.com/acme-e2e/acme-e2e/mockca/internal/store"
)

// CA is a simulated certificate authority. Make it with New, Start or
// NewUnstarted. All methods are safe for concurrent use.
type CA struct {
	options  Options
	base     string // of URLs, when the client's request does not decide
	seed     uint64
	clock    *Clock
	log      *slog.Logger
	routes   *routes
	policy   atomic.Pointer[Policy]
	disabled atomic.Pointer[map[Check]bool]

	nonces    *store.Nonces
	hierarchy *issue.Hierarchy
	validator validator
	books     books
	rules     rules
	limits    limits
	record    Transcript
	apiOnce   func() (*apiCertificate, error)
	state     *state   // nil without Options.StateDir
	journal   *journal // nil without Options.KeepObjects

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work inFlight

	mu        sync.Mutex
	servers   []*http.Server
	listeners []net.Listener
	unwatch   func() bool
	client    *http.Client
	closed    bool
}

// New starts a CA that stops with the test. It fails the test when the options
// are wrong.
func New(t testing.TB, o Options) *CA {
	t.Helper()
	ca, err := Start(context.Background(), o)
	if err != nil {
		t.Fatalf("mockca: %v", err)
	}
	t.Cleanup(func() { ca.Close() })
	return ca
}

// Start starts a CA. It runs until ctx ends or Close is called.
func Start(ctx context.Context, o Options) (*CA, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("starting the CA: %w", err)
	}
	ca, err := NewUnstarted(o)
	if err != nil {
		return nil, err
	}
	addr := o.Addr
	or(&addr, "127.0.0.1:0")
	if _, err := ca.Listen(addr); err != nil {
		ca.Close()
		return nil, fmt.Errorf("starting the CA: %w", err)
	}
	ca.mu.Lock()
	ca.unwatch = context.AfterFunc(ctx, func() { ca.Close() })
	ca.mu.Unlock()
	return ca, nil
}

// NewUnstarted returns a CA that listens nowhere: see Handler and Serve. Close
// it all the same.
func NewUnstarted(o Options) (*CA, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("making the CA: %w", err)
	}
	ca := &CA{options: o, clock: o.Clock, log: o.Logger, seed: o.Seed, routes: newRoutes(o.Paths), nonces: store.NewNonces()}
	if ca.clock == nil {
		ca.clock = NewRunningClock()
	}
	if ca.log == nil {
		ca.log = slog.New(slog.DiscardHandler)
	}
	for ca.seed == 0 {
		var b [8]byte
		rand.Read(b[:])
		ca.seed = binary.BigEndian.Uint64(b[:])
	}
	ca.base = strings.TrimSuffix(o.BaseURL, "/")
	or(&ca.base, ca.scheme()+"://ca.test")
	policy, err := PolicyOf(o.Personality)
	if err != nil {
		return nil, fmt.Errorf("making the CA: %w", err)
	}
	if o.Policy != nil {
		policy = *o.Policy
	}
	ca.policy.Store(policy.filled())
	ca.Disable(o.Disabled...)
	if o.StateDir != "" {
		if ca.state, err = openState(o.StateDir); err != nil {
			return nil, fmt.Errorf("making the CA: %w", err)
		}
		defer func() {
			if err != nil {
				ca.state.close()
			}
		}()
	}
	if err = ca.restoreHierarchy(); err != nil {
		return nil, fmt.Errorf("making the CA: %w", err)
	}
	ca.apiOnce = ca.lazyAPICertificate()
	ca.books.init(o.MaxOrders)
	ca.record.init(o.Transcript)
	ca.validator = newValidator(ca, o.Validation)
	for _, rule := range o.Rules {
		if _, err = ca.AddRule(rule); err != nil {
			return nil, fmt.Errorf("making the CA: %w", err)
		}
	}
	if o.KeepObjects {
		if err = ca.openJournal(); err != nil {
			return nil, fmt.Errorf("making the CA: %w", err)
		}
	}
	ca.ctx, ca.stop = context.WithCancel(context.Background())
	return ca, nil
}

// Listen listens on an address, "127.0.0.1:14000", and serves the CA there, as
// Start does: unless Options.BaseURL is set, URLs are shown with this address.
// It is for a CA of NewUnstarted, once it has been set up, and to be called
// before anybody else uses the CA.
func (ca *CA) Listen(addr string) (net.Addr, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	if ca.options.BaseURL == "" {
		host, port, _ := net.SplitHostPort(l.Addr().String())
		if ca.options.Host != "" {
			host = ca.options.Host
		} else if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		ca.base = ca.scheme() + "://" + net.JoinHostPort(host, port)
	}
	return l.Addr(), ca.Serve(l)
}

func (ca *CA) scheme() string {
	if ca.options.HTTP {
		return "http"
	}
	return "https"
}

// Shutdown is Close that lets requests come to their end first, until ctx ends.
func (ca *CA) Shutdown(ctx context.Context) error {
	ca.mu.Lock()
	servers := ca.servers
	ca.mu.Unlock()
	var waiting sync.WaitGroup
	for _, s := range servers {
		waiting.Go(func() { _ = s.Shutdown(ctx) }) // Close ends what it left
	}
	waiting.Wait()
	return ca.Close()
}

// Close stops serving, ends validations and finalizations that are under way,
// and waits for them. It is safe to call more than once.
func (ca *CA) Close() error {
	ca.mu.Lock()
	servers, listeners, unwatch, client := ca.servers, ca.listeners, ca.unwatch, ca.client
	ca.servers, ca.listeners, ca.unwatch = nil, nil, nil
	ca.closed = true
	ca.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	ca.stop()
	if client != nil {
		client.CloseIdleConnections()
	}
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Close())
	}
	for _, l := range listeners {
		l.Close() // its server has done so already
	}
	ca.work.close()
	ca.record.close()
	errs = append(errs, ca.journal.close(ca))
	ca.state.close()
	return errors.Join(errs...)
}

// Serve serves the CA on one more listener, over TLS unless Options.HTTP says
// otherwise, until Close; it returns at once. The listener is closed with the
// CA.
func (ca *CA) Serve(l net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!ca.options.DisableHTTP2)
	s := &http.Server{
		Handler: ca, Protocols: protocols,
		ErrorLog:          slog.NewLogLogger(ca.log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: time.Minute,
		ConnContext:       rememberConn,
	}
	accept := net.Listener(&faultListener{Listener: l, ca: ca})
	if !ca.options.HTTP {
		cfg, err := ca.tlsConfig()
		if err != nil {
			return fmt.Errorf("serving the CA: %w", err)
		}
		s.TLSConfig = cfg
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if ca.closed {
		l.Close()
		return fmt.Errorf("serving the CA: %w", http.ErrServerClosed)
	}
	ca.servers = append(ca.servers, s)
	ca.listeners = append(ca.listeners, l)
	if ca.journal != nil {
		ca.journal.resume(ca)
	}
	ca.work.start(false, func() {
		var err error
		if ca.options.HTTP {
			err = s.Serve(accept)
		} else {
			err = s.ServeTLS(accept, "", "")
		}
		if !errors.Is(err, http.ErrServerClosed) {
			ca.log.Error("listener failed", "address", l.Addr().String(), "error", err)
		}
	})
	return nil
}

// Handler is the CA as an HTTP handler, for a server of one's own. Faults that
// disturb connections need that server's ConnContext and can't be used with it;
// they close the connection in the manner of http.ErrAbortHandler.
func (ca *CA) Handler() http.Handler { return ca }

// DirectoryURL is where clients begin.
func (ca *CA) DirectoryURL() string { return ca.URL(Directory) }

// URL is the address of an endpoint that is not an object.
func (ca *CA) URL(e Endpoint) string { return ca.base + ca.routes.path[e] }

// Clock is the CA's clock.
func (ca *CA) Clock() *Clock { return ca.clock }

// Seed is what the choices of rules with a probability come from: give it to
// another CA as Options.Seed to have the same ones.
func (ca *CA) Seed() uint64 { return ca.seed }

// Client returns an HTTP client that trusts the API's certificate. Its idle
// connections are closed with the CA.
func (ca *CA) Client() *http.Client {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if ca.client == nil {
		ca.client = &http.Client{Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: ca.Pool()},
			ForceAttemptHTTP2:   !ca.options.DisableHTTP2,
			MaxIdleConnsPerHost: 64,
		}}
	}
	return ca.client
}

// Pool holds what to trust in order to reach the API. What the CA issues is
// another matter: see Issuers.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.RootPEM())
	return pool
}

// Issuers holds the roots of what the CA issues.
func (ca *CA) Issuers() *x509.CertPool { return ca.hierarchy.Pool() }

// IssuingRoots are the roots of what the CA issues, that of the default chain
// first.
func (ca *CA) IssuingRoots() []*x509.Certificate { return ca.hierarchy.Roots() }

// IssuingRootsPEM is the same in PEM.
func (ca *CA) IssuingRootsPEM() []byte {
	var chain [][]byte
	for _, c := range ca.IssuingRoots() {
		chain = append(chain, c.Raw)
	}
	return issue.PEM(chain...)
}

// ExportHierarchy is the CA's own certificates with their private keys, for
// Hierarchy.Import. Keep it as one keeps a key.
func (ca *CA) ExportHierarchy() ([]byte, error) { return ca.hierarchy.Export() }

// Wait returns when no validation and no finalization is under way, or with
// ctx's cause when that ends first.
func (ca *CA) Wait(ctx context.Context) error { return ca.work.wait(ctx) }
