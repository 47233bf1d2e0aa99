package pebbleharness

import (
	"bytes"
	"strings"
	"sync"
)

// tail keeps the end of a log: what a failed test shows.
type tail struct {
	mu   sync.Mutex
	kept bytes.Buffer
	lost bool
}

const tailLimit = 256 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.Write(p)
	if over := t.kept.Len() - tailLimit; over > 0 {
		t.lost = true
		t.kept.Next(over + tailLimit/4) // drop a good piece, so that this is rare
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.kept.String()
	if !t.lost {
		return text
	}
	if _, whole, ok := strings.Cut(text, "\n"); ok {
		text = whole
	}
	return "(the beginning is left out)\n" + text
}
