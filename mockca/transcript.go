package mockca

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// TranscriptOptions bound the transcript. The zero value keeps the newest
// 10,000 exchanges, as long as they have no more than 64 MiB.
type TranscriptOptions struct {
	Off   bool // nothing is kept, but counted, and shown to subscribers
	Limit int  // exchanges
	Bytes int  // of bodies
}

// Transcript is what went on: every exchange with its bytes, and every object
// that got another state. It is safe for concurrent use.
type Transcript struct {
	off   bool
	limit int
	bytes int
	ids   atomic.Int64

	counts [len(endpointList)]atomic.Int64

	mu        sync.Mutex
	exchanges []*Exchange // a ring once it is full
	head      int
	size      int // of their bodies
	changes   []Change
	changed0  int
	listeners map[*subscription[*Exchange]]struct{}
	watchers  map[*subscription[Change]]struct{}
	closed    bool
}

var endpointList = [...]Endpoint{Directory, NewNonce, NewAccount, AccountURL, OrdersList, NewOrder, OrderURL, Finalize, NewAuthz, Authz,
	ChallengeURL, Certificate, RevokeCert, KeyChange, RenewalInfo, Terms, CRL, OCSP, Issuer, Unknown}

func (t *Transcript) init(o TranscriptOptions) {
	t.off, t.limit, t.bytes = o.Off, o.Limit, o.Bytes
	or(&t.limit, 10_000)
	or(&t.bytes, 64<<20)
}

// Transcript is what went on so far, and goes on.
func (ca *CA) Transcript() *Transcript { return &ca.record }

func (t *Transcript) next() int64 { return t.ids.Add(1) }

func (t *Transcript) add(x *Exchange) {
	if i := slices.Index(endpointList[:], x.Endpoint); i >= 0 {
		t.counts[i].Add(1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.listeners {
		s.put(x)
	}
	if t.off {
		return
	}
	t.exchanges = append(t.exchanges, x)
	t.size += x.weight()
	for len(t.exchanges)-t.head > t.limit || t.size > t.bytes && len(t.exchanges)-t.head > 1 {
		t.size -= t.exchanges[t.head].weight()
		t.exchanges[t.head] = nil
		t.head++
	}
	if t.head > 64 && t.head > len(t.exchanges)/2 { // moved seldom, so that each costs the same
		t.exchanges = slices.Clone(t.exchanges[t.head:])
		t.head = 0
	}
}

func (x *Exchange) weight() int { return len(x.RequestBody) + len(x.ResponseBody) + 1024 }

func (t *Transcript) changed(c Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.watchers {
		s.put(c)
	}
	if t.off {
		return
	}
	t.changes = append(t.changes, c)
	if len(t.changes)-t.changed0 > t.limit {
		t.changed0++
	}
	if t.changed0 > 64 && t.changed0 > len(t.changes)/2 {
		t.changes = slices.Clone(t.changes[t.changed0:])
		t.changed0 = 0
	}
}

// Count is how many requests there were to the endpoints given, or to all,
// since the beginning or the last Reset; also those that are not kept.
func (t *Transcript) Count(endpoints ...Endpoint) int {
	n := int64(0)
	for i, e := range endpointList {
		if len(endpoints) == 0 || slices.Contains(endpoints, e) {
			n += t.counts[i].Load()
		}
	}
	return int(n)
}

// Exchanges are those that are kept, in the order in which they were answered.
func (t *Transcript) Exchanges() []*Exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.exchanges[t.head:])
}

// For are the exchanges with the endpoints given.
func (t *Transcript) For(endpoints ...Endpoint) []*Exchange {
	return slices.DeleteFunc(t.Exchanges(), func(x *Exchange) bool { return !slices.Contains(endpoints, x.Endpoint) })
}

// Last is the latest exchange with the endpoint; nil when there is none.
func (t *Transcript) Last(endpoint Endpoint) *Exchange {
	all := t.For(endpoint)
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// Changes are what happened to objects, by exchanges or by itself.
func (t *Transcript) Changes() []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.changes[t.changed0:])
}

// Reset forgets everything and counts anew. Exchanges' numbers go on.
func (t *Transcript) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exchanges, t.changes, t.head, t.changed0, t.size = nil, nil, 0, 0, 0
	for i := range t.counts {
		t.counts[i].Store(0)
	}
}

// WriteJSONL writes an exchange per line, as Exchange.MarshalJSON does.
func (t *Transcript) WriteJSONL(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	for _, x := range t.Exchanges() {
		if err := e.Encode(x); err != nil {
			return err
		}
	}
	return b.Flush()
}

// MarshalJSON writes the exchange with the request's protected header and
// payload decoded, and bodies as JSON where they are, as text where they can be
// and in base64 otherwise (members "...Base64").
func (x *Exchange) MarshalJSON() ([]byte, error) {
	type plain Exchange
	out := struct {
		*plain
		Protected          map[string]any  `json:"protected,omitempty"`
		Payload            json.RawMessage `json:"payload,omitempty"`
		RequestBody        json.RawMessage `json:"requestBody,omitempty"`
		RequestBodyBase64  []byte          `json:"requestBodyBase64,omitempty"`
		ResponseBody       json.RawMessage `json:"responseBody,omitempty"`
		ResponseBodyBase64 []byte          `json:"responseBodyBase64,omitempty"`
	}{plain: (*plain)(x), Protected: x.Protected()}
	if payload := x.Payload(); len(payload) > 0 {
		out.Payload, _ = shown(payload)
	}
	out.RequestBody, out.RequestBodyBase64 = shown(x.RequestBody)
	out.ResponseBody, out.ResponseBodyBase64 = shown(x.ResponseBody)
	return json.Marshal(out)
}

func shown(body []byte) (asJSON json.RawMessage, raw []byte) {
	switch {
	case len(body) == 0:
		return nil, nil
	case json.Valid(body):
		return body, nil
	case utf8.Valid(body):
		text, _ := json.Marshal(string(body))
		return text, nil
	}
	return nil, body
}

type subscription[T any] struct {
	mu      sync.Mutex
	waiting []T
	more    chan struct{}
}

func (s *subscription[T]) put(v T) {
	s.mu.Lock()
	s.waiting = append(s.waiting, v)
	if len(s.waiting) > 100_000 { // nobody reads
		s.waiting = slices.Clone(s.waiting[50_000:])
	}
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Subscribe hands out every exchange from now on, until ctx ends or the CA
// closes; then the channel is closed. Who does not read holds nobody up, and
// loses the oldest after 100,000.
func (t *Transcript) Subscribe(ctx context.Context) <-chan *Exchange {
	return subscribe(ctx, t, &t.listeners)
}

// SubscribeChanges is Subscribe for what happens to objects, by exchanges or by
// itself.
func (t *Transcript) SubscribeChanges(ctx context.Context) <-chan Change {
	return subscribe(ctx, t, &t.watchers)
}

func subscribe[T any](ctx context.Context, t *Transcript, all *map[*subscription[T]]struct{}) <-chan T {
	s := &subscription[T]{more: make(chan struct{}, 1)}
	out := make(chan T)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		close(out)
		return out
	}
	if *all == nil {
		*all = make(map[*subscription[T]]struct{})
	}
	(*all)[s] = struct{}{}
	go func() {
		defer close(out)
		defer func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(*all, s)
		}()
		s.feed(ctx, out)
	}()
	return out
}

func (s *subscription[T]) feed(ctx context.Context, out chan<- T) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-s.more:
			s.mu.Lock()
			batch := s.waiting
			s.waiting = nil
			s.mu.Unlock()
			for _, v := range batch {
				select {
				case out <- v:
				case <-ctx.Done():
					return
				}
			}
			if !open {
				return
			}
		}
	}
}

// close ends all subscriptions, once they have handed out what they have.
func (t *Transcript) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	for s := range t.listeners {
		close(s.more)
	}
	for s := range t.watchers {
		close(s.more)
	}
	t.listeners, t.watchers = nil, nil
}

func (x *Exchange) logAttrs() []slog.Attr {
	attrs := []slog.Attr{slog.Int64("id", x.ID), slog.String("method", x.Method), slog.String("endpoint", string(x.Endpoint)), slog.Int("status", x.Status)}
	if x.Problem != "" {
		attrs = append(attrs, slog.String("problem", x.Problem))
	}
	if len(x.Rules) > 0 {
		attrs = append(attrs, slog.Any("faults", x.Rules))
	}
	return attrs
}
