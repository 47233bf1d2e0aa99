// Package pebbleharness runs Pebble, Let's Encrypt's test CA, inside the
// process: for Go tests, and for programs that want a real ACME CA at hand.
//
//	func TestIssuance(t *testing.T) {
//		ca := pebbleharness.New(t, pebbleharness.Options{})
//		// ca.DirectoryURL(), ca.HTTPClient(), ca.HTTPPort ...
//	}
//
// Every harness has its own certificate, ports, DNS and hierarchy, so that any
// number of them run side by side in one test binary. By default it is a CA on
// a good day: it does not sleep, rejects no nonces, and every name resolves to
// loopback. Options bring back Pebble's own habits one by one.
//
// What Pebble allows to be stopped is stopped by Close; two things it does not:
// the goroutine that waits for validation tasks stays, about 2 KiB, and so does
// a validation that is under way until Pebble's own limits end it.
//
// Pebble can deadlock under concurrent requests. The harness keeps the requests
// that do it apart, and turns a hang that is left into an error: see ErrHung
// and docs/findings/pebble.md.
package pebbleharness

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// Harness is a running Pebble. Its methods are safe for concurrent use.
type Harness struct {
	// HTTPPort and TLSPort are where Pebble connects to validate http-01 and
	// tls-alpn-01. Nobody listens there until a solver does. Unless Options
	// named them they lie outside of the range that systems hand out to
	// clients, and no other harness of the process has them.
	HTTPPort, TLSPort int

	// DNS answers all that Pebble asks, unless Options.Resolver is set.
	DNS *DNS

	store      *db.MemoryStore
	authority  *ca.CAImpl
	options    Options
	identity   identity
	acme       *server
	management *server
	guard      *guard
	client     *http.Client
	closing    sync.Once
}

// New starts Pebble for a test and stops it when the test ends. Pebble's log is
// shown only when the test fails, unless Options.Logger takes it. A hang of
// Pebble fails the test.
func New(t testing.TB, options Options) *Harness {
	t.Helper()
	var lines *tail
	if options.Logger == nil {
		lines = &tail{}
		options.Logger = slog.New(slog.NewTextHandler(lines, nil))
	}
	h, err := Start(context.WithoutCancel(t.Context()), options)
	if err != nil {
		t.Fatalf("pebbleharness: %v", err)
	}
	t.Cleanup(func() {
		h.Close()
		if err := h.Err(); err != nil {
			t.Errorf("pebbleharness: %v", err)
		}
		if t.Failed() && lines != nil {
			t.Logf("Pebble's log:\n%s", lines)
		}
	})
	return h
}

// Start starts Pebble for a program. It runs until Close or until ctx ends.
// The error lists all that is wrong with options, or says which port could not
// be had.
func Start(ctx context.Context, options Options) (*Harness, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Harness{options: options, store: db.NewMemoryStore()}
	if err := h.prepare(); err != nil {
		h.Close()
		return nil, err
	}
	front := h.construct()
	h.guard = newGuard(front.Handler(), h.store, options.HangAfter, options.Logger)
	var handler http.Handler = h.guard
	if options.unguarded {
		handler = front.Handler()
	}
	if options.Middleware != nil {
		handler = options.Middleware(handler)
	}
	if h.acme, err = serve(handler, options.Address, h.identity, options.Logger); err != nil {
		h.Close()
		return nil, fmt.Errorf("starting the ACME server: %w", err)
	}
	if h.management, err = serve(h.guard.manage(front.ManagementHandler()), options.ManagementAddress, h.identity, options.Logger); err != nil {
		h.Close()
		return nil, fmt.Errorf("starting the management server: %w", err)
	}
	h.client = h.identity.client()
	context.AfterFunc(ctx, h.Close)
	return h, nil
}

// prepare makes what Pebble is constructed from.
func (h *Harness) prepare() (err error) {
	if h.HTTPPort, err = h.validationPort(h.options.HTTPPort); err != nil {
		return fmt.Errorf("choosing the http-01 port: %w", err)
	}
	if h.TLSPort, err = h.validationPort(h.options.TLSPort); err != nil {
		return fmt.Errorf("choosing the tls-alpn-01 port: %w", err)
	}
	if h.identity, err = newIdentity(); err != nil {
		return fmt.Errorf("making the API's certificate: %w", err)
	}
	if h.DNS, err = startDNS(); err != nil {
		return fmt.Errorf("starting the DNS server: %w", err)
	}
	for id, key := range h.options.EABKeys {
		if err := h.store.AddExternalAccountKeyByID(id, key); err != nil {
			return fmt.Errorf("adding the external account key %q: %w", id, err)
		}
	}
	for _, name := range h.options.Blocklist {
		if err := h.store.AddBlockedDomain(name); err != nil {
			return fmt.Errorf("blocking %q: %w", name, err)
		}
	}
	return nil
}

func (h *Harness) validationPort(wanted int) (int, error) {
	if wanted != 0 {
		return wanted, nil
	}
	return ports.reserve()
}

// construct makes Pebble's parts, with its environment variables in place.
func (h *Harness) construct() wfe.WebFrontEndImpl {
	o := h.options
	logger := o.pebbleLogger()
	resolver := o.Resolver
	if resolver == "" {
		resolver = h.DNS.Addr()
	}
	restore := lockEnvironment(o.environment())
	defer restore()
	h.authority = ca.New(logger, h.store, o.OCSPURL, o.KeyAlgorithm, o.AlternateRoots, o.ChainLength, o.profiles())
	validator := va.New(logger, h.HTTPPort, h.TLSPort, o.Strict, resolver, h.store)
	return wfe.New(logger, h.store, validator, h.authority, o.CAAIdentities, o.Strict, o.EABRequired,
		int(o.RetryAfterAuthz/time.Second), int(o.RetryAfterOrder/time.Second))
}

// Close stops the servers and waits for the requests that they are answering.
// It may be called more than once.
func (h *Harness) Close() {
	h.closing.Do(func() {
		if h.client != nil {
			h.client.CloseIdleConnections()
		}
		for _, s := range []*server{h.acme, h.management} {
			if s != nil {
				s.close()
			}
		}
		if h.DNS != nil {
			h.DNS.close()
		}
		ports.release(h.HTTPPort)
		ports.release(h.TLSPort)
	})
}

// Err is ErrHung, with what hung, after Pebble has stopped answering; else nil.
func (h *Harness) Err() error { return h.guard.err() }

// DirectoryURL is where an ACME client begins (RFC 8555, Section 7.1.1).
func (h *Harness) DirectoryURL() string { return h.acme.url + wfe.DirectoryPath }

// ManagementURL is the base of Pebble's management interface, without a slash
// at its end.
func (h *Harness) ManagementURL() string { return h.management.url }

// HTTPClient returns a client that trusts the API's certificate. It is shared:
// clone it to change it.
func (h *Harness) HTTPClient() *http.Client { return h.client }

// Pool holds the root that the API's certificate chains to: what an ACME client
// must trust to talk to this CA. It says nothing about what the CA issues.
func (h *Harness) Pool() *x509.CertPool { return h.identity.pool.Clone() }

// RootPEM is the root of the API's certificate in PEM.
func (h *Harness) RootPEM() []byte { return h.identity.rootPEM }

// ErrHung is what Err wraps when Pebble did not answer a request in time.
var ErrHung = errors.New("pebble hangs")

// loopback turns "" into a free port of the loopback interface.
func loopback(address string) string {
	if address == "" {
		return net.JoinHostPort("127.0.0.1", "0")
	}
	return address
}
