package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// responder answers http-01 for all clients alike, on one server that stays
// open. The clients' solvers call present and remove.
type responder struct {
	unseen   bool // nobody fetches: the CA does not validate
	server   *http.Server
	listener net.Listener

	mu    sync.Mutex
	tasks map[string]*task
}

type task struct {
	keyAuthorization string
	fetched          chan struct{}
	once             sync.Once
}

func newResponder(port int, unseen bool) (*responder, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	r := &responder{unseen: unseen, listener: l, tasks: map[string]*task{}}
	r.server = &http.Server{Handler: r}
	r.server.SetKeepAlivesEnabled(false)
	go func() { _ = r.server.Serve(l) }() // ends with the process
	return r, nil
}

func (r *responder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	token := strings.TrimPrefix(q.URL.Path, challenge.HTTP01Path)
	r.mu.Lock()
	t := r.tasks[token]
	r.mu.Unlock()
	if t == nil {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(t.keyAuthorization)))
	_, _ = w.Write([]byte(t.keyAuthorization))
	_ = http.NewResponseController(w).Flush()
	t.once.Do(func() { close(t.fetched) })
}

func (r *responder) present(token, keyAuthorization string) <-chan struct{} {
	t := &task{keyAuthorization: keyAuthorization, fetched: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[token] = t
	if r.unseen {
		return nil
	}
	return t.fetched
}

func (r *responder) remove(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tasks, token)
}

// solver is the responder as this module's clients want it.
func (r *responder) solver() challenge.Solver {
	if r.unseen {
		return solver{r}
	}
	return watcher{solver{r}}
}

type solver struct{ r *responder }

func (s solver) Present(_ context.Context, list []challenge.Challenge) error {
	for _, c := range list {
		s.r.present(c.Token, c.KeyAuthorization)
	}
	return nil
}

func (s solver) CleanUp(_ context.Context, list []challenge.Challenge) error {
	for _, c := range list {
		s.r.remove(c.Token)
	}
	return nil
}

type watcher struct{ solver }

// Seen implements challenge.Watcher.
func (w watcher) Seen(c challenge.Challenge) <-chan struct{} {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if t := w.r.tasks[c.Token]; t != nil {
		return t.fetched
	}
	return nil
}
