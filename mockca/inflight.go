package mockca

import (
	"context"
	"sync"
)

// inFlight counts what runs: servers, requests, and jobs, which are the
// validations and finalizations in the background.
type inFlight struct {
	mu      sync.Mutex
	running int // everything
	jobs    int
	closed  bool
	idle    chan struct{} // closed when jobs gets to zero; nil while nobody waits
	ended   chan struct{} // closed when running gets to zero after close; nil before
}

// enter begins something; false means that the CA is closed.
func (w *inFlight) enter(job bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.running++
	if job {
		w.jobs++
	}
	return true
}

func (w *inFlight) leave(job bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running--; w.running == 0 && w.ended != nil {
		close(w.ended)
		w.ended = nil
	}
	if !job {
		return
	}
	if w.jobs--; w.jobs == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// start runs f in the background, unless the CA is closed.
func (w *inFlight) start(job bool, f func()) bool {
	if !w.enter(job) {
		return false
	}
	go func() {
		defer w.leave(job)
		f()
	}()
	return true
}

// wait returns when there are no jobs.
func (w *inFlight) wait(ctx context.Context) error {
	w.mu.Lock()
	if w.jobs == 0 {
		w.mu.Unlock()
		return nil
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close lets nothing begin any more and waits for what runs.
func (w *inFlight) close() {
	w.mu.Lock()
	w.closed = true
	if w.running == 0 {
		w.mu.Unlock()
		return
	}
	if w.ended == nil {
		w.ended = make(chan struct{})
	}
	ended := w.ended
	w.mu.Unlock()
	<-ended
}
