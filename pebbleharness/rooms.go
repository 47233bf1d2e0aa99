package pebbleharness

import "sync"

// rooms lets any number of visitors into one room at a time, as long as they
// want the same. When a room empties, all who wait for the room of the one who
// has waited longest go in together, so nobody waits for ever. The zero value is
// ready.
type rooms struct {
	mu      sync.Mutex
	open    room
	inside  int
	waiting [roomsCount][]chan struct{}
	queue   []room // each room with somebody waiting, once, in order of arrival
}

func (r *rooms) enter(want room) {
	r.mu.Lock()
	if r.inside == 0 || (r.open == want && len(r.queue) == 0) {
		r.open = want
		r.inside++
		r.mu.Unlock()
		return
	}
	if len(r.waiting[want]) == 0 {
		r.queue = append(r.queue, want)
	}
	turn := make(chan struct{})
	r.waiting[want] = append(r.waiting[want], turn)
	r.mu.Unlock()
	<-turn
}

func (r *rooms) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
	if r.inside > 0 || len(r.queue) == 0 {
		return
	}
	r.open, r.queue = r.queue[0], r.queue[1:]
	r.inside = len(r.waiting[r.open])
	for _, turn := range r.waiting[r.open] {
		close(turn)
	}
	r.waiting[r.open] = nil
}

// keyed is a mutex for each key. The zero value is ready.
type keyed struct {
	mu    sync.Mutex
	locks map[string]*counted
}

type counted struct {
	sync.Mutex
	users int
}

// lock waits for the key's mutex and returns its release.
func (k *keyed) lock(key string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*counted{}
	}
	c := k.locks[key]
	if c == nil {
		c = &counted{}
		k.locks[key] = c
	}
	c.users++
	k.mu.Unlock()
	c.Lock()
	return func() {
		c.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if c.users--; c.users == 0 {
			delete(k.locks, key)
		}
	}
}
