package clientcases

import (
	"slices"
	"sync"
)

// memory is what a validation saw, for the judge.
type memory struct {
	mu    sync.Mutex
	notes []string
}

func (m *memory) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, s)
}

func (m *memory) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.notes)
}
