package clientcases

import (
	"fmt"
	"strings"
	"sync"
)

// tail keeps the beginning and the end of what is written to it.
type tail struct {
	mu         sync.Mutex
	half       int
	head, last []byte
	dropped    int
}

func newTail(limit int) *tail { return &tail{half: limit / 2} }

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	if free := w.half - len(w.head); free > 0 {
		take := min(free, len(p))
		w.head = append(w.head, p[:take]...)
		p = p[take:]
	}
	w.last = append(w.last, p...)
	if over := len(w.last) - w.half; over > 0 {
		w.dropped += over
		w.last = append(w.last[:0], w.last[over:]...)
	}
	return n, nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := string(w.head)
	if w.dropped > 0 {
		text += fmt.Sprintf("\n[... %d bytes left out ...]\n", w.dropped)
	}
	return strings.ToValidUTF8(text+string(w.last), "\uFFFD")
}
