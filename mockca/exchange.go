package mockca

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/jws"
)

// Exchange is one request with its answer: what rules look at while it goes on,
// and what the transcript keeps. Once it is in the transcript nothing changes it
// any more; don't write to its fields, headers and bodies.
type Exchange struct {
	ID       int64         `json:"id"` // counts from 1
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration"` // of real time
	Remote   string        `json:"remote,omitempty"`
	Proto    string        `json:"proto"`

	Method        string      `json:"method"`
	URL           string      `json:"url"`
	Endpoint      Endpoint    `json:"endpoint"`
	RequestHeader http.Header `json:"requestHeader,omitempty"`
	RequestBody   []byte      `json:"-"`

	Account     string       `json:"account,omitempty"`     // URL: the kid, or who was made or found
	Identifiers []Identifier `json:"identifiers,omitempty"` // that it is about
	Object      string       `json:"object,omitempty"`      // URL of the object made or asked for

	Status         int         `json:"status"`
	ResponseHeader http.Header `json:"responseHeader,omitempty"`
	ResponseBody   []byte      `json:"-"`
	Problem        string      `json:"problem,omitempty"` // type of the problem answered, without prefix
	Check          Check       `json:"check,omitempty"`   // the check that refused the request

	Rules   []string `json:"rules,omitempty"`   // faults that fired, by the rule's name or the fault's
	Wire    string   `json:"wire,omitempty"`    // how the answer was kept from the client: "reset", "cut", ...
	Changes []Change `json:"changes,omitempty"` // what the request changed

	r *request // while it goes on
}

// Change is an object that got another state.
type Change struct {
	Time     time.Time `json:"time"`               // the CA's
	Exchange int64     `json:"exchange,omitempty"` // by which it came; 0: by itself
	Kind     string    `json:"kind"`               // account, order, authorization, challenge, certificate
	URL      string    `json:"url"`
	From     string    `json:"from,omitempty"` // status; empty: it is new
	To       string    `json:"to"`
	Detail   string    `json:"detail,omitempty"`
}

// Protected is the request's protected header; nil when there is none.
func (x *Exchange) Protected() map[string]any {
	m, err := jws.Parse(x.RequestBody)
	if err != nil {
		return nil
	}
	var h map[string]any
	json.Unmarshal(m.Header.Raw, &h)
	return h
}

// Payload is the request's payload, decoded; nil when there is none.
func (x *Exchange) Payload() []byte {
	m, err := jws.Parse(x.RequestBody)
	if err != nil {
		return nil
	}
	return m.Payload
}

// JSON is the answer's body as a JSON object; nil when it is none.
func (x *Exchange) JSON() map[string]any {
	var m map[string]any
	if json.Unmarshal(x.ResponseBody, &m) != nil {
		return nil
	}
	return m
}

// The following serve faults, while an exchange goes on.

// CA is who answers; nil once the exchange is over.
func (x *Exchange) CA() *CA {
	if x.r == nil {
		return nil
	}
	return x.r.ca
}

// Request is the HTTP request, its body read already; nil once the exchange is
// over.
func (x *Exchange) Request() *http.Request {
	if x.r == nil {
		return nil
	}
	return x.r.http
}

// Nonce is a fresh nonce.
func (x *Exchange) Nonce() string {
	if x.r == nil {
		return ""
	}
	return x.r.ca.nonces.Issue(x.r.now)
}

// Time is the CA's time at which the request came.
func (x *Exchange) Time() time.Time { return x.Start }

// Base is what stands in front of the path in the CA's URLs.
func (x *Exchange) Base() string {
	if x.r != nil {
		return x.r.base
	}
	if i := strings.Index(x.URL, "://"); i >= 0 {
		if j := strings.IndexByte(x.URL[i+3:], '/'); j >= 0 {
			return x.URL[:i+3+j]
		}
	}
	return x.URL
}

// Order is the order that the request addresses, or made, as it is now.
func (x *Exchange) Order() (Order, bool) {
	if x.r == nil || x.r.order == nil {
		return Order{}, false
	}
	return x.r.ca.viewOrder(x.r.base, x.r.order), true
}

// Authorization is the authorization that the request addresses, also by a
// challenge, or made, as it is now.
func (x *Exchange) Authorization() (Authorization, bool) {
	if x.r == nil || x.r.authz == nil {
		return Authorization{}, false
	}
	return x.r.ca.viewAuthz(x.r.base, x.r.authz), true
}

// Certificate is the certificate that the request addresses, or that its order
// has.
func (x *Exchange) Certificate() (IssuedCertificate, bool) {
	if x.r == nil {
		return IssuedCertificate{}, false
	}
	c := x.r.cert
	if c == nil && x.r.order != nil {
		x.r.order.mu.Lock()
		c = x.r.order.cert
		x.r.order.mu.Unlock()
	}
	if c == nil {
		return IssuedCertificate{}, false
	}
	return x.r.ca.viewCertificate(x.r.base, c), true
}

// decide lets the policy be another one for this exchange.
func (x *Exchange) decide(change func(*Policy)) {
	p := *x.r.policy
	change(&p)
	x.r.policy = p.filled()
}

// asks reads members of the request's payload into v, a pointer to a struct;
// what can't be read stays as it is.
func (x *Exchange) asks(v any) { _ = json.Unmarshal(x.Payload(), v) }
