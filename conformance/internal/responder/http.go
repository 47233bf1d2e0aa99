package responder

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// WellKnown is the path under which http-01 answers lie (RFC 8555, Section
// 8.3).
const WellKnown = "/.well-known/acme-challenge/"

// HTTPSeen is a request that arrived at the http-01 port.
type HTTPSeen struct {
	Time               time.Time
	Method, Host, Path string
	Remote             string
	UserAgent          string
}

type web struct {
	addr net.Addr

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	seen    map[string][]HTTPSeen
}

func newWeb() *web {
	return &web{answers: map[string]http.HandlerFunc{}, seen: map[string][]HTTPSeen{}}
}

// SetHTTP answers requests for path, of all hosts, with answer.
func (r *Responder) SetHTTP(path string, answer http.HandlerFunc) {
	r.web.mu.Lock()
	defer r.web.mu.Unlock()
	r.web.answers[path] = answer
}

// ClearHTTP forgets path and what was seen of it.
func (r *Responder) ClearHTTP(path string) {
	r.web.mu.Lock()
	defer r.web.mu.Unlock()
	delete(r.web.answers, path)
	delete(r.web.seen, path)
}

// HTTPSeen lists the requests for path, oldest first.
func (r *Responder) HTTPSeen(path string) []HTTPSeen {
	r.web.mu.Lock()
	defer r.web.mu.Unlock()
	return append([]HTTPSeen(nil), r.web.seen[path]...)
}

// Text answers with a body as it is.
func Text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.WriteString(w, body) // the server hung up: it is its loss
	}
}

func (w *web) ServeHTTP(out http.ResponseWriter, request *http.Request) {
	path := request.URL.Path
	w.mu.Lock()
	answer := w.answers[path]
	if answer != nil || strings.HasPrefix(path, WellKnown) && len(w.seen) < 10_000 {
		w.seen[path] = append(w.seen[path], HTTPSeen{Time: time.Now(), Method: request.Method, Host: request.Host,
			Path: path, Remote: request.RemoteAddr, UserAgent: request.UserAgent()})
	}
	w.mu.Unlock()
	if answer == nil {
		http.NotFound(out, request)
		return
	}
	answer(out, request)
}
