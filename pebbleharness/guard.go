package pebbleharness

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/letsencrypt/pebble/v2/db"
)

// guard keeps apart the requests that make Pebble 2.10.1 deadlock, and notices
// a hang that is left. docs/findings/pebble.md has the lines at fault.
//
// Pebble's handlers take two kinds of lock in both orders: the store's, and
// those of authorizations and orders. A reader of the store that waits for an
// object, and a holder of the object that waits to read the store, block each
// other for good as soon as a writer of the store queues between them. Handlers
// are sorted into rooms by the order they lock in, and only one room is in use
// at a time. Polls of one order also exclude each other, as each read-locks the
// order twice.
type guard struct {
	pebble    http.Handler
	hangAfter time.Duration
	logger    *slog.Logger
	rooms     rooms
	orders    keyed
	replaces  replacements
	renewals  sync.RWMutex // renewal information is read without the lock it is set under

	mu   sync.Mutex
	hung error
}

func newGuard(pebble http.Handler, store *db.MemoryStore, hangAfter time.Duration, logger *slog.Logger) *guard {
	return &guard{pebble: pebble, hangAfter: hangAfter, logger: logger, replaces: replacements{store: store}}
}

// The rooms. Requests that belong to none take no two locks.
const (
	noRoom     room = iota
	authzRoom       // hold an authorization, then read the store
	storeRoom       // hold the store, then read authorizations and write orders
	orderRoom       // as storeRoom, and read-lock an order twice
	roomsCount      // not a room
)

type room int

func roomOf(path string) room {
	switch {
	case strings.HasPrefix(path, "/authZ/"):
		return authzRoom
	case strings.HasPrefix(path, "/my-order/"):
		return orderRoom
	case path == "/order-plz", path == "/revoke-cert",
		strings.HasPrefix(path, "/chalZ/"), strings.HasPrefix(path, "/finalize-order/"), strings.HasPrefix(path, "/list-orderz/"):
		return storeRoom
	default:
		return noRoom
	}
}

const maxBody = 1 << 20

// ServeHTTP reads the request and writes the answer outside of any room, so
// that a slow peer holds nobody up.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := g.err(); err != nil {
		hungAnswer(w, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	answer := &answer{header: http.Header{}, status: http.StatusOK}
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.admit(answer, r, body)
	}()
	limit := time.NewTimer(g.hangAfter)
	defer limit.Stop()
	select {
	case <-done:
		answer.send(w)
	case <-limit.C:
		hungAnswer(w, g.declareHung(r))
	}
}

// admit lets Pebble handle the request in its room. A panic of Pebble is an
// answer of 500, as it would be without the guard.
func (g *guard) admit(w http.ResponseWriter, r *http.Request, body []byte) {
	defer func() {
		if p := recover(); p != nil {
			g.logger.Error("pebble panics", "method", r.Method, "path", r.URL.Path, "panic", p)
			http.Error(w, "pebble panics", http.StatusInternalServerError)
		}
	}()
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/my-order/"):
		defer g.orders.lock(path)()
	case path == "/order-plz":
		defer g.replaces.begin(body)()
	case strings.HasPrefix(path, "/draft-ietf-acme-ari-03/renewalInfo/"):
		g.renewals.RLock()
		defer g.renewals.RUnlock()
	}
	if in := roomOf(r.URL.Path); in != noRoom {
		g.rooms.enter(in)
		defer g.rooms.leave()
	}
	g.pebble.ServeHTTP(w, r)
}

// manage guards Pebble's management interface, which sets what the ACME
// interface reads.
func (g *guard) manage(pebble http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.renewals.Lock()
		defer g.renewals.Unlock()
		pebble.ServeHTTP(w, r)
	})
}

func (g *guard) err() error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hung
}

// declareHung is called by the first request that waits too long: it keeps the
// stacks, which name the locks, in the log.
func (g *guard) declareHung(r *http.Request) error {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hung == nil {
		g.hung = fmt.Errorf("%w: %s %s was not answered within %v; the log has the stacks of all goroutines", ErrHung, r.Method, r.URL.Path, g.hangAfter)
		g.logger.Error("pebble hangs", "method", r.Method, "path", r.URL.Path, "stacks", string(stacks))
	}
	return g.hung
}

func hungAnswer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:serverInternal","detail":%q,"status":500}`, err)
}

// answer holds a response until the room has been left.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

func (a *answer) send(w http.ResponseWriter) {
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the peer may have gone
}
