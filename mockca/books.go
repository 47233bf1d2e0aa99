package mockca

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/store"
)

// The CA's memory. Every object has a mutex of its own, held for a few
// assignments; nobody who holds one takes another, and no lookup goes over all
// objects.

const (
	statusPending     = "pending"
	statusReady       = "ready"
	statusProcessing  = "processing"
	statusValid       = "valid"
	statusInvalid     = "invalid"
	statusDeactivated = "deactivated"
	statusExpired     = "expired"
	statusRevoked     = "revoked"
)

type books struct {
	accounts index[uint64, *account]
	byKey    index[string, *account] // by thumbprint
	orders   index[uint64, *order]
	authzs   index[uint64, *authz]
	certs    index[string, *certificate] // by serial, as octets
	eab      index[string, *eabKey]
	lastID   [4]atomic.Uint64
	kept     store.Queue[*order]
}

const (
	accountIDs = iota
	orderIDs
	authzIDs
	certIDs
)

const defaultMaxOrders = 100_000

func (b *books) init(maxOrders int) {
	if maxOrders == 0 {
		maxOrders = defaultMaxOrders
	}
	b.kept.Limit = maxOrders
}

// newID is a number above those before: the next one, or one that can't be
// guessed (RFC 8555, Section 10.5).
func (r *request) newID(kind int) uint64 {
	step := uint64(1)
	if r.policy.UnguessableURLs {
		step += rand.Uint64N(1 << 40)
	}
	return r.ca.books.lastID[kind].Add(step)
}

func (b *books) account(id uint64) *account         { return b.accounts.get(id) }
func (b *books) accountByKey(thumb string) *account { return b.byKey.get(thumb) }
func (b *books) order(id uint64) *order             { return b.orders.get(id) }
func (b *books) authz(id uint64) *authz             { return b.authzs.get(id) }
func (b *books) certificate(serial []byte) *certificate {
	return b.certs.get(string(trimZeros(serial)))
}

func (b *books) bySerialHex(s string) *certificate {
	if len(s)%2 == 1 {
		s = "0" + s
	}
	serial, err := hex.DecodeString(s)
	if err != nil || len(serial) == 0 || s != strings.ToLower(s) {
		return nil
	}
	return b.certificate(serial)
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// keep remembers an order and forgets the oldest when there are too many:
// finished ones, as long as there are any among the oldest.
func (b *books) keep(o *order, now time.Time) {
	b.orders.put(o.id, o)
	for range 16 {
		oldest, full := b.kept.Push(o)
		if !full {
			return
		}
		oldest.mu.Lock()
		unfinished := (oldest.status == statusPending || oldest.status == statusReady || oldest.status == statusProcessing) && now.Before(oldest.expires)
		oldest.mu.Unlock()
		if !unfinished {
			b.forget(oldest)
			return
		}
		o = oldest // comes to the end of the queue
	}
	b.forget(o)
}

// forget removes an order with what only it has.
func (b *books) forget(o *order) {
	b.orders.remove(o.id)
	o.mu.Lock()
	cert := o.cert
	o.mu.Unlock()
	if cert != nil {
		b.certs.remove(string(trimZeros(cert.serial)))
	}
	for _, z := range o.account.dropOrder(o) {
		b.authzs.remove(z.id)
	}
}

// index is a map that several may use at once.
type index[K comparable, V any] struct {
	mu sync.RWMutex
	m  map[K]V
}

func (i *index[K, V]) get(k K) V {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.m[k]
}

func (i *index[K, V]) put(k K, v V) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.m == nil {
		i.m = make(map[K]V)
	}
	i.m[k] = v
}

// add puts v unless there is one already, which it returns.
func (i *index[K, V]) add(k K, v V) (existing V, added bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.m == nil {
		i.m = make(map[K]V)
	}
	if existing, ok := i.m[k]; ok {
		return existing, false
	}
	i.m[k] = v
	return v, true
}

// move gives the entry of one key another, unless that has one, which is
// returned.
func (i *index[K, V]) move(from, to K, v V) (existing V, moved bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if existing, ok := i.m[to]; ok {
		return existing, false
	}
	delete(i.m, from)
	i.m[to] = v
	return v, true
}

func (i *index[K, V]) remove(k K) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.m, k)
}

func (i *index[K, V]) values() []V {
	i.mu.RLock()
	defer i.mu.RUnlock()
	all := make([]V, 0, len(i.m))
	for _, v := range i.m {
		all = append(all, v)
	}
	return all
}

func (i *index[K, V]) size() int {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return len(i.m)
}

func (i *index[K, V]) clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.m = nil
}

// changed notes that an object got another state, by an exchange or, when x is
// nil, by itself.
func (ca *CA) changed(x *Exchange, now time.Time, kind, url, from, to, detail string) {
	c := Change{Time: now, Kind: kind, URL: url, From: from, To: to, Detail: detail}
	if x != nil {
		c.Exchange = x.ID
		x.Changes = append(x.Changes, c)
	}
	ca.record.changed(c)
	ca.journal.note(kind, url)
}
