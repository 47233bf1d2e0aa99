package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Orders: RFC 8555, Sections 7.1.3 and 7.4; replaces: RFC 9773, Section 5;
// profiles: draft-ietf-acme-profiles.

// The statuses of orders, authorizations and challenges (RFC 8555, Section 7.1.6).
const (
	StatusPending     = "pending"
	StatusReady       = "ready"
	StatusProcessing  = "processing"
	StatusValid       = "valid"
	StatusInvalid     = "invalid"
	StatusDeactivated = "deactivated"
	StatusExpired     = "expired"
	StatusRevoked     = "revoked"
)

// OrderRequest is what to order. Only Identifiers is required.
type OrderRequest struct {
	Identifiers         []Identifier
	NotBefore, NotAfter time.Time // zero: the CA's choice; many CAs refuse these
	Profile             string    // one of Directory.Profiles
	Replaces            string    // CertID of the certificate that this renews
}

// Order is the CA's order object.
type Order struct {
	URL                 string
	Status              string
	Expires             time.Time // zero when unknown
	Identifiers         []Identifier
	NotBefore, NotAfter time.Time
	Authorizations      []string // URLs
	FinalizeURL         string
	CertificateURL      string // once valid
	Profile, Replaces   string
	Error               *Problem
	RetryAfter          time.Time // when to look again; zero when the CA didn't say
}

type wireOrder struct {
	Status         string       `json:"status"`
	Expires        timestamp    `json:"expires"`
	Identifiers    []Identifier `json:"identifiers"`
	NotBefore      timestamp    `json:"notBefore"`
	NotAfter       timestamp    `json:"notAfter"`
	Authorizations []string     `json:"authorizations"`
	Finalize       string       `json:"finalize"`
	Certificate    string       `json:"certificate"`
	Profile        string       `json:"profile"`
	Replaces       string       `json:"replaces"`
	Error          *Problem     `json:"error"`
}

type wireNewOrder struct {
	Identifiers []Identifier `json:"identifiers"`
	NotBefore   string       `json:"notBefore,omitempty"`
	NotAfter    string       `json:"notAfter,omitempty"`
	Profile     string       `json:"profile,omitempty"`
	Replaces    string       `json:"replaces,omitempty"`
}

// timestamp reads what RFC 3339 allows, and ignores what it doesn't.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(b []byte) error {
	if len(b) > 2 && b[0] == '"' { // no time has a character that JSON escapes
		t.Time, _ = time.Parse(time.RFC3339Nano, strings.ToUpper(string(b[1:len(b)-1])))
	}
	return nil
}

const maxAuthorizations = 1000

// readOrder checks an order object against itself.
func (c *Client) readOrder(a *answer, url string) (*Order, error) {
	var w wireOrder
	if err := a.object(&w); err != nil {
		return nil, err
	}
	o := &Order{URL: url, Status: w.Status, Expires: w.Expires.Time, Identifiers: w.Identifiers, NotBefore: w.NotBefore.Time,
		NotAfter: w.NotAfter.Time, FinalizeURL: w.Finalize, CertificateURL: w.Certificate, Profile: printable(w.Profile),
		Replaces: w.Replaces, Error: w.Error, RetryAfter: a.retryAfter()}
	switch w.Status {
	case StatusPending, StatusReady, StatusProcessing, StatusValid, StatusInvalid:
	default:
		return nil, wrapf(ErrRefused, "order in unknown status %q", printable(w.Status))
	}
	if len(w.Authorizations) > maxAuthorizations {
		return nil, wrapf(ErrRefused, "order with %d authorizations", len(w.Authorizations))
	}
	for _, u := range w.Authorizations {
		if err := c.checkURL(u); err != nil {
			return nil, fmt.Errorf("order's authorization: %w", err)
		}
	}
	o.Authorizations = unique(w.Authorizations)
	for _, u := range [...]string{w.Finalize, w.Certificate} {
		if u != "" {
			if err := c.checkURL(u); err != nil {
				return nil, fmt.Errorf("order: %w", err)
			}
		}
	}
	if w.Finalize == "" && (o.Status == StatusPending || o.Status == StatusReady) {
		return nil, wrapf(ErrNotACME, "order without a finalize URL")
	}
	return o, nil
}

// unique drops repetitions, in place.
func unique(list []string) []string {
	if len(list) < 2 {
		return list
	}
	seen := make(map[string]struct{}, len(list))
	return slices.DeleteFunc(list, func(s string) bool {
		_, dup := seen[s]
		seen[s] = struct{}{}
		return dup
	})
}

// matches refuses an order for other identifiers than those asked for.
func (o *Order) matches(ids []Identifier) error {
	if sameIdentifiers(o.Identifiers, ids) {
		return nil
	}
	return wrapf(ErrRefused, "the order is for %s, not for %s", printable(joinIdentifiers(o.Identifiers)), joinIdentifiers(ids))
}

// NewOrder orders a certificate (RFC 8555, Section 7.4). When the answer is lost
// the account's list of orders is asked for the order before it is made again.
// The CA may return an order that exists already, in any status.
func (a *Account) NewOrder(ctx context.Context, r OrderRequest) (*Order, error) {
	ids, err := normalise(r.Identifiers)
	if err != nil {
		return nil, err
	}
	if err := a.c.checkProfile(ctx, r.Profile); err != nil {
		return nil, err
	}
	body := wireNewOrder{Identifiers: ids, Profile: r.Profile}
	if !r.NotBefore.IsZero() {
		body.NotBefore = r.NotBefore.UTC().Format(time.RFC3339)
	}
	if !r.NotAfter.IsZero() {
		body.NotAfter = r.NotAfter.UTC().Format(time.RFC3339)
	}
	if r.Replaces != "" {
		if d, err := a.c.Directory(ctx); err == nil && d.RenewalInfo != "" { // RFC 9773, Section 5: not to other CAs
			body.Replaces = r.Replaces
		}
	}
	payload, err := json.Marshal(&body)
	if err != nil {
		return nil, err
	}
	var o, found *Order
	ans, err := a.post(ctx, &call{
		step: "creating order", ids: ids, endpoint: endpointNewOrder, payload: payload,
		decode: func(ans *answer) (err error) {
			url := ans.location()
			if err := a.c.checkURL(url); err != nil {
				return wrapf(ErrNotACME, "no order URL in Location: %v", err)
			}
			if o, err = a.c.readOrder(ans, url); err != nil {
				return err
			}
			return o.matches(ids)
		},
		lost: func(ctx context.Context) (bool, error) {
			found = a.lostOrder(ctx, ids)
			return found != nil, nil
		},
	})
	if errors.Is(err, ErrInvalidProfile) {
		return nil, a.c.withProfiles(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	if ans == nil {
		return found, nil
	}
	return o, nil
}

const (
	lostOrderSearch = 20
	lostTries       = 2 // of each look: it comes on top of attempts to order
)

// lostOrder looks for an order whose creation was carried out although the
// answer was lost. Not finding it is no error: another order does no harm.
func (a *Account) lostOrder(ctx context.Context, ids []Identifier) *Order {
	a.mu.Lock()
	list := a.orders
	a.mu.Unlock()
	if list == "" {
		info, err := a.account(ctx, "reading account", nil, lostTries)
		if err != nil || info.OrdersURL == "" {
			return nil
		}
		list = info.OrdersURL
	}
	urls, _, err := a.ordersPage(ctx, list, lostTries)
	if err != nil {
		return nil
	}
	for i := range min(len(urls), lostOrderSearch) {
		url := urls[len(urls)-1-i] // CAs append
		if a.isClaimed(url) {
			continue
		}
		o, err := a.Order(ctx, url)
		if err == nil && (o.Status == StatusPending || o.Status == StatusReady) && sameIdentifiers(o.Identifiers, ids) && o.Replaces == "" {
			return o
		}
	}
	return nil
}

// claim marks an order as being worked on; it reports false if it was already.
func (a *Account) claim(url string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.claimed[url]; taken {
		return false
	}
	if a.claimed == nil {
		a.claimed = make(map[string]struct{})
	}
	a.claimed[url] = struct{}{}
	return true
}

func (a *Account) release(url string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.claimed, url)
}

func (a *Account) isClaimed(url string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, taken := a.claimed[url]
	return taken
}

// Order reads an order.
func (a *Account) Order(ctx context.Context, url string) (*Order, error) {
	return a.readOrder(ctx, url, nil)
}

func (a *Account) readOrder(ctx context.Context, url string, ids []Identifier) (*Order, error) {
	var o *Order
	_, err := a.post(ctx, &call{step: "reading order", ids: ids, url: url,
		decode: func(ans *answer) (err error) {
			o, err = a.c.readOrder(ans, url)
			return err
		}})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Finalize sends the CSR (DER) for an order that is ready and returns the order
// as it is then, often processing: see WaitOrder. When the answer is lost the
// order is read before the CSR is sent again (RFC 8555, Section 7.4). An order
// that was finalized already is returned as it is.
func (a *Account) Finalize(ctx context.Context, o *Order, csr []byte) (*Order, error) {
	enc := base64.RawURLEncoding
	payload := make([]byte, 0, enc.EncodedLen(len(csr))+len(`{"csr":""}`))
	payload = append(enc.AppendEncode(append(payload, `{"csr":"`...), csr), `"}`...)
	if o.FinalizeURL == "" {
		return nil, wrapf(ErrRefused, "order %s has no finalize URL", printable(o.URL))
	}
	var done, found *Order
	ans, err := a.post(ctx, &call{
		step: "finalizing order", ids: o.Identifiers, url: o.FinalizeURL, payload: payload,
		decode: func(ans *answer) (err error) { // its Location, if any, is not needed: erratum 5979
			if done, err = a.c.readOrder(ans, o.URL); err != nil {
				return err
			}
			return done.matches(o.Identifiers)
		},
		lost: func(ctx context.Context) (bool, error) {
			now, err := a.Order(ctx, o.URL)
			if err != nil {
				return false, err
			}
			found = now
			return now.Status != StatusPending && now.Status != StatusReady, nil
		},
	})
	if err == nil && ans == nil {
		return found, nil
	}
	if errors.Is(err, ErrOrderNotReady) || isConflict(err) {
		now, rerr := a.Order(ctx, o.URL) // RFC 8555, Section 7.4: look at its status and act on it
		if rerr == nil && (now.Status == StatusProcessing || now.Status == StatusValid) {
			return now, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return done, nil
}

// WaitOrder polls an order by Retry-After until it is neither pending nor
// processing. It ends with ErrTimeout after Config.PollTimeout.
func (a *Account) WaitOrder(ctx context.Context, url string) (*Order, error) {
	poll := a.c.newPoller()
	for {
		o, err := a.Order(ctx, url)
		if err != nil {
			return nil, err
		}
		if o.Status != StatusPending && o.Status != StatusProcessing {
			return o, nil
		}
		if err := poll.wait(ctx, o.RetryAfter); err != nil {
			return nil, pollError(o, err)
		}
	}
}

func pollError(o *Order, err error) error {
	return &Error{Step: "waiting for order", Identifier: joinIdentifiers(o.Identifiers), Method: "POST", URL: o.URL,
		RetryAt: o.RetryAfter, Err: fmt.Errorf("%w: it is %s still", err, o.Status)}
}

func isConflict(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == 409
}
