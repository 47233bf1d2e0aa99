package challenge

import (
	"context"
	"sync"
)

// A TokenStore shares pending responses among the nodes of a fleet, so that
// whichever node the CA reaches can answer: for http-01 the key is "http-01/"
// and the token, for tls-alpn-01 "tls-alpn-01/" and the server name the CA
// sends. The value is the key authorization, which is no secret.
//
// Implementations are safe for concurrent use. Only the node that presents
// calls Put and Delete; any node calls Get.
type TokenStore interface {
	Put(ctx context.Context, key, value string) error
	// Get reports with false, and not with an error, that there is no such key.
	Get(ctx context.Context, key string) (value string, ok bool, err error)
	// Delete of a key that is not there is no error.
	Delete(ctx context.Context, key string) error
}

// pending is the set of responses this process presents, by key. Two orders may
// share a challenge, so that each entry counts its users.
type pending[V any] struct {
	mu      sync.Mutex
	entries map[string][]*entry[V]
}

type entry[V any] struct {
	keyAuthorization string
	value            V
	uses             int
	seen             chan struct{}
	once             sync.Once
}

func (e *entry[V]) hit() { e.once.Do(func() { close(e.seen) }) }

// add counts one use more of the entry for key and keyAuthorization.
func (p *pending[V]) add(key, keyAuthorization string, value V) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries[key] {
		if e.keyAuthorization == keyAuthorization {
			e.uses++
			return
		}
	}
	if p.entries == nil {
		p.entries = make(map[string][]*entry[V])
	}
	e := &entry[V]{keyAuthorization: keyAuthorization, value: value, uses: 1, seen: make(chan struct{})}
	p.entries[key] = append(p.entries[key], e)
}

// remove takes back one use: was there one, and was it the entry's last?
func (p *pending[V]) remove(key, keyAuthorization string) (was, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.entries[key]
	for i, e := range list {
		if e.keyAuthorization != keyAuthorization {
			continue
		}
		if e.uses--; e.uses > 0 {
			return true, false
		}
		p.entries[key] = append(list[:i:i], list[i+1:]...)
		if len(p.entries[key]) == 0 {
			delete(p.entries, key)
		}
		return true, true
	}
	return false, false
}

// get is the entry added last for key.
func (p *pending[V]) get(key string) (*entry[V], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.entries[key]
	if len(list) == 0 {
		return nil, false
	}
	return list[len(list)-1], true
}

// seen is nil, which blocks for ever, for what is not pending.
func (p *pending[V]) seen(key, keyAuthorization string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries[key] {
		if e.keyAuthorization == keyAuthorization {
			return e.seen
		}
	}
	return nil
}

// lookup asks the fleet for what is not pending here.
func lookup(ctx context.Context, store TokenStore, key string) (string, bool) {
	if store == nil {
		return "", false
	}
	value, ok, err := store.Get(ctx, key)
	return value, ok && err == nil && value != ""
}
