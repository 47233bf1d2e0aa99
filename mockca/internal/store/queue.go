package store

import "sync"

// Queue remembers what came in, up to a limit, and hands back the oldest beyond
// it. It is safe for concurrent use; the zero value has no limit.
type Queue[T any] struct {
	mu    sync.Mutex
	items []T
	head  int
	Limit int // none when zero or less; fixed before the first Push
}

// Push adds v. When that is one too many, the oldest is removed and returned.
func (q *Queue[T]) Push(v T) (oldest T, removed bool) {
	if q.Limit <= 0 {
		return oldest, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) < q.Limit {
		q.items = append(q.items, v)
		return oldest, false
	}
	oldest, q.items[q.head] = q.items[q.head], v
	q.head = (q.head + 1) % len(q.items)
	return oldest, true
}

// Reset forgets everything.
func (q *Queue[T]) Reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items, q.head = nil, 0
}
