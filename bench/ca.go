package main

import (
	"context"
	"encoding/pem"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// front is a Pebble in this process behind a server of our own, which counts
// what comes, delays it, and breaks it.
type front struct {
	pebble *pebbleharness.Harness
	server *httptest.Server
	inner  http.Handler

	latency time.Duration
	fault   atomic.Pointer[faults]

	requests, nonces, connections atomic.Int64
}

// startFront starts the CA of a row. Every client of a row gets a fresh one.
func startFront(r row) (*front, error) {
	f := &front{latency: r.Latency}
	o := pebbleharness.Options{
		AlwaysValid:     r.AlwaysValid,
		RetryAfterAuthz: r.RetryAfterAuthz,
		RetryAfterOrder: r.RetryAfterOrder,
		Middleware:      func(pebble http.Handler) http.Handler { f.inner = pebble; return pebble },
	}
	var err error
	if f.pebble, err = pebbleharness.Start(context.Background(), o); err != nil {
		return nil, err
	}
	f.server = httptest.NewUnstartedServer(f)
	f.server.EnableHTTP2 = true
	f.server.Config.ErrorLog = log.New(discard{}, "", 0)
	f.server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		f.connections.Add(1)
		return context.WithValue(ctx, connKey{}, c)
	}
	f.server.StartTLS()
	return f, nil
}

type (
	connKey struct{}
	discard struct{}
)

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func (f *front) close() {
	f.server.CloseClientConnections()
	f.server.Close()
	f.pebble.Close()
}

func (f *front) directory() string { return f.server.URL + "/dir" }

func (f *front) rootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
}

// begin forgets what was counted so far and turns the row's faults on.
func (f *front) begin(r row) {
	f.requests.Store(0)
	f.nonces.Store(0)
	f.connections.Store(0)
	f.fault.Store(newFaults(r.Fault, r.Seed))
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	if r.URL.Path == noncePath {
		f.nonces.Add(1)
	}
	if f.latency > 0 {
		time.Sleep(f.latency)
	}
	f.fault.Load().serve(w, r, f.inner)
}
