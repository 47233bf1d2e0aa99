package client

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/mail"
	"slices"
	"strings"
	"sync"
)

// Accounts: RFC 8555, Sections 7.1.2, 7.1.2.1 and 7.3.

// Account acts for one account at the CA. Get it from NewAccount, FindAccount or
// Client.Account. It is safe for concurrent use.
type Account struct {
	c   *Client
	url string

	mu      sync.Mutex
	signer  *jwsSigner          // changed by ChangeKey
	orders  string              // URL of the orders list, once known
	claimed map[string]struct{} // orders that an Obtain is working on
}

// AccountOptions are for NewAccount. The zero value asks for an account without
// contact, and agrees to nothing.
type AccountOptions struct {
	// Contact are e-mail addresses or "mailto:" URLs.
	Contact []string
	// AgreeTerms says that the caller agrees to the CA's terms of service
	// (Directory.TermsOfService). It is never assumed.
	AgreeTerms bool
	// EAB binds the account to one that the CA knows by other means.
	EAB *ExternalAccountBinding
}

// AccountInfo is the CA's account object (RFC 8555, Section 7.1.2).
type AccountInfo struct {
	Status               string // "valid", "deactivated" or "revoked"
	Contact              []string
	TermsOfServiceAgreed bool
	OrdersURL            string // empty when the CA lists no orders
}

type wireAccount struct {
	Status  string   `json:"status"`
	Contact []string `json:"contact"`
	Agreed  bool     `json:"termsOfServiceAgreed"`
	Orders  string   `json:"orders"`
}

func (w *wireAccount) info() *AccountInfo {
	i := &AccountInfo{Status: printable(w.Status), TermsOfServiceAgreed: w.Agreed, OrdersURL: w.Orders}
	for _, s := range w.Contact {
		i.Contact = append(i.Contact, printable(s))
	}
	return i
}

// NewAccount makes an account for key, or finds the one that key has (RFC 8555,
// Section 7.3). Sending it twice does no harm: the CA knows an account by key.
func (c *Client) NewAccount(ctx context.Context, key crypto.Signer, opts AccountOptions) (*Account, error) {
	s, err := newJWSSigner(key)
	if err != nil {
		return nil, err
	}
	contact, err := contacts(opts.Contact)
	if err != nil {
		return nil, err
	}
	d, err := c.Directory(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case d.TermsOfService != "" && !opts.AgreeTerms:
		// The account may exist already; then no agreement is needed now.
		a, err := c.newAccount(ctx, s, map[string]any{"onlyReturnExisting": true}, nil)
		if errors.Is(err, ErrAccountDoesNotExist) {
			return nil, &Error{Step: "creating account", Method: "POST", URL: d.NewAccount,
				Err: wrapf(ErrTermsNotAgreed, "read %s and set AgreeTerms", d.TermsOfService)}
		}
		return a, err
	case d.ExternalAccountRequired && opts.EAB == nil:
		a, err := c.newAccount(ctx, s, map[string]any{"onlyReturnExisting": true}, nil)
		if errors.Is(err, ErrAccountDoesNotExist) {
			return nil, &Error{Step: "creating account", Method: "POST", URL: d.NewAccount,
				Err: fmt.Errorf("%w: this CA wants an external account binding; set EAB to the key that it gave you", ErrExternalAccountRequired)}
		}
		return a, err
	}
	body := map[string]any{}
	if len(contact) > 0 {
		body["contact"] = contact
	}
	if opts.AgreeTerms {
		body["termsOfServiceAgreed"] = true
	}
	return c.newAccount(ctx, s, body, opts.EAB)
}

// FindAccount finds the account of key (RFC 8555, Section 7.3.1). The error is
// ErrAccountDoesNotExist when there is none.
func (c *Client) FindAccount(ctx context.Context, key crypto.Signer) (*Account, error) {
	s, err := newJWSSigner(key)
	if err != nil {
		return nil, err
	}
	return c.newAccount(ctx, s, map[string]any{"onlyReturnExisting": true}, nil)
}

func (c *Client) newAccount(ctx context.Context, s *jwsSigner, body map[string]any, eab *ExternalAccountBinding) (*Account, error) {
	step := "creating account"
	if body["onlyReturnExisting"] == true {
		step = "finding account"
	}
	acct := &Account{c: c, signer: s}
	_, err := c.do(ctx, &call{
		step: step, endpoint: endpointNewAccount, signer: s, limit: maxSmall,
		build: func(url string) ([]byte, error) {
			if eab != nil {
				bound, err := eab.sign(s, url)
				if err != nil {
					return nil, err
				}
				body["externalAccountBinding"] = json.RawMessage(bound)
			}
			return json.Marshal(body)
		},
		decode: func(a *answer) error {
			acct.url = a.location() // not from the body: RFC 8555, Section 7.3
			if err := c.checkURL(acct.url); err != nil {
				return wrapf(ErrNotACME, "no account URL in Location: %v", err)
			}
			var w wireAccount
			if a.object(&w) == nil { // some CAs answer a lookup without a body
				acct.orders = w.Orders
				if w.Status == "deactivated" || w.Status == "revoked" {
					return fmt.Errorf("account %s is %s: %w", acct.url, w.Status, ErrUnauthorized)
				}
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return acct, nil
}

// Account restores an account whose URL was kept from an earlier NewAccount. It
// does not touch the network.
func (c *Client) Account(key crypto.Signer, url string) (*Account, error) {
	s, err := newJWSSigner(key)
	if err != nil {
		return nil, err
	}
	if err := c.checkURL(url); err != nil {
		return nil, fmt.Errorf("acme: account URL: %w", err)
	}
	return &Account{c: c, signer: s, url: url}, nil
}

// Client is the client that the account belongs to.
func (a *Account) Client() *Client { return a.c }

// URL identifies the account at the CA; keep it, with the key.
func (a *Account) URL() string { return a.url }

// Key is the account's key, the new one after ChangeKey.
func (a *Account) Key() crypto.Signer { return a.jws().key }

// Thumbprint is the base64url SHA-256 thumbprint of the account's key (RFC 7638).
func (a *Account) Thumbprint() string { return a.jws().thumb }

// KeyAuthorization is the key authorization of a token (RFC 8555, Section 8.1).
func (a *Account) KeyAuthorization(token string) string { return token + "." + a.jws().thumb }

func (a *Account) jws() *jwsSigner {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.signer
}

// post sends q in the name of the account.
func (a *Account) post(ctx context.Context, q *call) (*answer, error) {
	q.signer, q.kid = a.jws(), a.url
	return a.c.do(ctx, q)
}

// Read returns the account as the CA has it.
func (a *Account) Read(ctx context.Context) (*AccountInfo, error) { // RFC 8555, Section 7.3.2, by POST-as-GET
	return a.account(ctx, "reading account", nil, 0)
}

// AccountUpdate says what to change.
type AccountUpdate struct {
	Contact    []string // nil leaves them; empty and not nil removes them all
	AgreeTerms bool     // agree to changed terms (RFC 8555, Section 7.3.3)
}

// Update changes the account and returns it as it is then (RFC 8555, Section
// 7.3.2).
func (a *Account) Update(ctx context.Context, u AccountUpdate) (*AccountInfo, error) {
	body := map[string]any{}
	if u.Contact != nil {
		list, err := contacts(u.Contact)
		if err != nil {
			return nil, err
		}
		body["contact"] = list
	}
	if u.AgreeTerms {
		body["termsOfServiceAgreed"] = true
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return a.account(ctx, "updating account", payload, 0)
}

// Deactivate ends the account for good (RFC 8555, Section 7.3.6). One that is
// deactivated already is no error.
func (a *Account) Deactivate(ctx context.Context) error {
	_, err := a.account(ctx, "deactivating account", []byte(`{"status":"deactivated"}`), 0)
	if e, ok := errors.AsType[*Error](err); ok && e.Attempts > 1 && errors.Is(err, ErrUnauthorized) {
		return nil // an earlier attempt, whose answer was lost, did it
	}
	return err
}

func (a *Account) account(ctx context.Context, step string, payload []byte, attempts int) (*AccountInfo, error) {
	var w wireAccount
	_, err := a.post(ctx, &call{step: step, url: a.url, payload: payload, limit: maxSmall, attempts: attempts,
		decode: func(ans *answer) error { return ans.object(&w) }})
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.orders = w.Orders
	a.mu.Unlock()
	return w.info(), nil
}

const maxOrderPages = 1000

// Orders lists the URLs of the account's orders, page after page as the caller
// goes on (RFC 8555, Section 7.1.2.1). An error ends the list; it is
// ErrNotOffered when the CA has no such list.
func (a *Account) Orders(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		info, err := a.Read(ctx)
		if err == nil && info.OrdersURL == "" {
			err = &Error{Step: "listing orders", Method: "POST", URL: a.url, Err: wrapf(ErrNotOffered, "the account has no list of orders")}
		}
		if err != nil {
			yield("", err)
			return
		}
		seen := make(map[string]struct{})
		for page := info.OrdersURL; page != ""; {
			if _, again := seen[page]; again || len(seen) == maxOrderPages {
				yield("", &Error{Step: "listing orders", Method: "POST", URL: page, Err: wrapf(ErrRefused, "the list has no end")})
				return
			}
			seen[page] = struct{}{}
			urls, next, err := a.ordersPage(ctx, page, 0)
			if err != nil {
				yield("", err)
				return
			}
			for _, u := range urls {
				if !yield(u, nil) {
					return
				}
			}
			page = next
		}
	}
}

func (a *Account) ordersPage(ctx context.Context, page string, attempts int) (urls []string, next string, err error) {
	var w struct {
		Orders []string `json:"orders"`
	}
	ans, err := a.post(ctx, &call{step: "listing orders", url: page, attempts: attempts, decode: func(ans *answer) error { return ans.object(&w) }})
	if err != nil {
		return nil, "", err
	}
	for _, l := range parseLinks(ans.header.Values("Link"), ans.url) {
		if l.has("next") {
			next = l.target
		}
	}
	return w.Orders, next, nil
}

// contacts makes "mailto:" URLs of e-mail addresses and checks them: exactly one
// address, no header fields (RFC 8555, Section 7.3).
func contacts(in []string) ([]string, error) {
	out := []string{}
	for _, s := range in {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		if scheme, _, ok := strings.Cut(s, ":"); ok && !strings.EqualFold(scheme, "mailto") && !strings.Contains(scheme, "@") {
			out = append(out, s) // another scheme is the CA's to accept or not
			continue
		}
		address := s
		if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
			address = s[7:]
		}
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address || strings.ContainsAny(address, "?,") {
			return nil, fmt.Errorf("acme: contact %q is not one e-mail address", printable(s))
		}
		if u := "mailto:" + address; !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out, nil
}
