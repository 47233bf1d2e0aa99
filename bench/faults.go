package main

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
)

// faultKind is a way in which requests fail, each with a probability of its own.
type faultKind string

const (
	noFault          faultKind = ""
	badNonces        faultKind = "badNonce on 50 % of the POSTs"
	busyHTML         faultKind = "503 as HTML on 20 % of the POSTs"
	busyProblem      faultKind = "503 as a problem with Retry-After: 1 on 20 % of the POSTs"
	resetBefore      faultKind = "connection reset on 10 % of the requests, before they are handled"
	resetAfter       faultKind = "connection reset on 10 % of the requests, after they were handled"
	noncePath                  = "/nonce-plz"
	problemType                = "application/problem+json"
	badNonceDocument           = `{"type":"urn:ietf:params:acme:error:badNonce","detail":"nonce refused","status":400}`
	busyDocument               = `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"service busy; retry later","status":503}`
	busyPage                   = "<html><head><title>503</title></head><body>upstream unavailable</body></html>"
)

// faults decides, from a seed, which requests fail.
type faults struct {
	kind faultKind
	mu   sync.Mutex
	rand *rand.Rand
	hit  int
}

func newFaults(kind faultKind, seed uint64) *faults {
	if kind == noFault {
		return nil
	}
	return &faults{kind: kind, rand: rand.New(rand.NewPCG(seed, 0))}
}

func (f *faults) strikes(method string) bool {
	probability, all := 0.0, false
	switch f.kind {
	case badNonces:
		probability = 0.5
	case busyHTML, busyProblem:
		probability = 0.2
	case resetBefore, resetAfter:
		probability, all = 0.1, true
	}
	if method != http.MethodPost && !all {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rand.Float64() >= probability {
		return false
	}
	f.hit++
	return true
}

func (f *faults) hits() int {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// serve lets next handle the request, or not. A nil f is no fault.
func (f *faults) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f == nil || !f.strikes(r.Method) {
		next.ServeHTTP(w, r)
		return
	}
	switch f.kind {
	case badNonces:
		fresh := httptest.NewRecorder()
		next.ServeHTTP(fresh, httptest.NewRequest(http.MethodHead, noncePath, nil))
		w.Header().Set("Replay-Nonce", fresh.Header().Get("Replay-Nonce"))
		answer(w, http.StatusBadRequest, problemType, badNonceDocument)
	case busyHTML:
		answer(w, http.StatusServiceUnavailable, "text/html; charset=utf-8", busyPage)
	case busyProblem:
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, problemType, busyDocument)
	case resetBefore:
		reset(r)
	case resetAfter:
		next.ServeHTTP(httptest.NewRecorder(), r)
		reset(r)
	}
}

func answer(w http.ResponseWriter, status int, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// reset cuts the connection that the request came on: the peer sees a TCP RST,
// also for whatever else is under way there.
func reset(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(interface{ NetConn() net.Conn }); ok {
		if tcp, ok := c.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
	panic(http.ErrAbortHandler)
}
