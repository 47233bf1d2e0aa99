package mockca

import (
	"cmp"
	"crypto"
	"encoding/base64"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Accounts: RFC 8555, Sections 7.1.2, 7.1.2.1, 7.3 to 7.3.3 and 7.3.6.

type account struct {
	id      uint64
	created time.Time

	mu      sync.Mutex
	key     any // public
	thumb   string
	status  string
	contact []string
	agreed  string // the URL of the terms that it agreed to
	eab     string // key id
	binding []byte // the externalAccountBinding, as sent
	orders  []*order
	dropped int               // of orders, forgotten
	reuse   map[string]*authz // the latest authorization by identifier
	open    map[string]*order // the latest unfinished order by identifiers, with Policy.ReuseOrders
}

func (a *account) publicKey() any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.key
}

func (a *account) thumbprint() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.thumb
}

// dropOrder takes a forgotten order off the account's list, and returns the
// authorizations that no other order has.
func (a *account) dropOrder(o *order) []*authz {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.forgotten {
		return nil
	}
	o.forgotten = true
	if a.dropped++; a.dropped > len(a.orders)/2 {
		a.orders = slices.Clip(slices.DeleteFunc(a.orders, func(o *order) bool { return o.forgotten }))
		a.dropped = 0
	}
	if a.open[o.reuseKey] == o {
		delete(a.open, o.reuseKey)
	}
	var unused []*authz
	for _, z := range o.authzs {
		if z.orders--; z.orders == 0 {
			unused = append(unused, z)
			if key := z.orderedIdentifier().String(); a.reuse[key] == z {
				delete(a.reuse, key)
			}
		}
	}
	return unused
}

// thumbprint identifies a key: RFC 7638.
func thumbprint(key any) string {
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

type accountJSON struct {
	Status      string   `json:"status"`
	Contact     []string `json:"contact,omitempty"`
	TermsAgreed *bool    `json:"termsOfServiceAgreed,omitempty"`
	EAB         rawJSON  `json:"externalAccountBinding,omitempty"`
	Orders      string   `json:"orders,omitempty"`
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func (r *request) accountResponse(status int, a *account) *Response {
	a.mu.Lock()
	out := accountJSON{Status: a.status, Contact: a.contact, EAB: a.binding}
	if a.agreed != "" {
		agreed := a.agreed == r.policy.TermsOfService || r.policy.TermsOfService == ""
		out.TermsAgreed = &agreed
	}
	a.mu.Unlock()
	if r.policy.HideContacts {
		out.Contact = nil
	}
	if !r.policy.NoOrdersList {
		out.Orders = r.url(OrdersList, a.id)
	}
	resp := JSONResponse(status, out)
	if r.policy.TermsOfService != "" {
		resp.link(r.policy.TermsOfService, "terms-of-service")
	}
	return resp
}

type newAccountPayload struct {
	Contact            []string `json:"contact"`
	TermsAgreed        bool     `json:"termsOfServiceAgreed"`
	OnlyReturnExisting bool     `json:"onlyReturnExisting"`
	EAB                rawField `json:"externalAccountBinding"`
}

// rawField keeps a member's JSON.
type rawField []byte

func (f *rawField) UnmarshalJSON(b []byte) error { *f = slices.Clone(b); return nil }

func (r *request) newAccount() (*Response, *Problem) {
	var in newAccountPayload
	if p := r.decode(&in); p != nil {
		return nil, p
	}
	key := r.signingKey()
	thumb := thumbprint(key)
	if a := r.ca.books.accountByKey(thumb); a != nil {
		return r.existingAccount(a)
	}
	if in.OnlyReturnExisting && r.ca.on(CheckOnlyReturnExisting) {
		return nil, fails(CheckOnlyReturnExisting, TypeAccountDoesNotExist, "there is no account for this key")
	}
	if p := r.checkContacts(in.Contact); p != nil {
		return nil, p
	}
	terms := r.policy.TermsOfService
	if terms != "" && !in.TermsAgreed && r.ca.on(CheckTerms) {
		p := fails(CheckTerms, TypeUserActionRequired, "the terms of service at %s must be agreed to", terms)
		p.Instance = terms
		p.Links = []string{"<" + terms + `>;rel="terms-of-service"`}
		return nil, p
	}
	kid, p := r.checkEAB(in.EAB, key)
	if p != nil {
		return nil, p
	}
	if p := r.spendAccount(); p != nil {
		return nil, p
	}
	a := &account{id: r.newID(accountIDs), created: r.now, key: key, thumb: thumb, status: statusValid, contact: in.Contact, eab: kid}
	if kid != "" {
		a.binding = in.EAB
	}
	if in.TermsAgreed {
		a.agreed = cmp.Or(terms, "none")
	}
	if p := r.bindEAB(kid, a); p != nil {
		return nil, p
	}
	if other, added := r.ca.books.byKey.add(thumb, a); !added { // made meanwhile
		return r.existingAccount(other)
	}
	r.ca.books.accounts.put(a.id, a)
	url := r.url(AccountURL, a.id)
	r.account, r.x.Account, r.x.Object = a, url, url
	r.ca.changed(r.x, r.now, "account", url, "", statusValid, "")
	return r.located(r.accountResponse(http.StatusCreated, a), url), nil
}

func (r *request) located(resp *Response, url string) *Response {
	if r.ca.on(HabitLocation) {
		resp.Header.Set("Location", url)
	}
	return resp
}

func (r *request) existingAccount(a *account) (*Response, *Problem) {
	r.account, r.x.Account = a, r.url(AccountURL, a.id)
	r.x.Object = r.x.Account
	a.mu.Lock()
	status := a.status
	a.mu.Unlock()
	if status != statusValid && r.ca.on(CheckAccountStatus) {
		return nil, fails(CheckAccountStatus, TypeUnauthorized, "the account of this key is %s", status).withStatus(http.StatusUnauthorized)
	}
	return r.located(r.accountResponse(http.StatusOK, a), r.x.Account), nil
}

// checkContacts: RFC 8555, Section 7.3, with the mailto: rules of RFC 6068 that
// it names.
func (r *request) checkContacts(contacts []string) *Problem {
	if !r.ca.on(CheckContact) {
		return nil
	}
	if r.policy.RequireContact && len(contacts) == 0 {
		return fails(CheckContact, TypeInvalidContact, "a contact is required")
	}
	if len(contacts) > r.policy.MaxContacts {
		return fails(CheckContact, TypeMalformed, "%d contacts, at most %d are possible", len(contacts), r.policy.MaxContacts)
	}
	var problems []*Problem
	for _, c := range contacts {
		scheme, rest, ok := strings.Cut(c, ":")
		switch {
		case !ok || scheme == "":
			problems = append(problems, fails(CheckContact, TypeInvalidContact, "contact %q is not a URL", c))
		case !strings.EqualFold(scheme, "mailto"):
			problems = append(problems, fails(CheckContact, TypeUnsupportedContact, "contact %q: only mailto: is supported", c))
		case strings.Contains(rest, "?"):
			problems = append(problems, fails(CheckContact, TypeInvalidContact, "contact %q has header fields", c))
		case strings.Contains(rest, ","):
			problems = append(problems, fails(CheckContact, TypeInvalidContact, "contact %q names more than one address", c))
		default:
			if a, err := mail.ParseAddress(rest); err != nil || a.Address != rest || !isASCII(rest) {
				problems = append(problems, fails(CheckContact, TypeInvalidContact, "contact %q is not an e-mail address", c))
			}
		}
	}
	if problems == nil {
		return nil
	}
	return compound("some contacts can't be used", problems)
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

type accountUpdate struct {
	Contact     *[]string `json:"contact"`
	TermsAgreed bool      `json:"termsOfServiceAgreed"`
	Status      string    `json:"status"`
}

// accountObject reads, updates and deactivates an account.
func (r *request) accountObject() (*Response, *Problem) {
	a := r.ca.books.account(number(r.rest))
	if a == nil {
		return nil, r.missing("account")
	}
	if p := r.mine(a, "account"); p != nil {
		return nil, p
	}
	r.x.Object = r.x.URL
	if len(r.message.Payload) == 0 {
		return r.accountResponse(http.StatusOK, a), nil
	}
	var in accountUpdate
	if p := r.decode(&in); p != nil {
		return nil, p
	}
	if in.Status != "" && in.Status != statusValid && in.Status != statusDeactivated && r.ca.on(CheckPayload) {
		return nil, fails(CheckPayload, TypeMalformed, `an account's status can be changed to "deactivated" only, not to %q`, in.Status)
	}
	if in.Contact != nil {
		if p := r.checkContacts(*in.Contact); p != nil {
			return nil, p
		}
	}
	a.mu.Lock()
	if in.Contact != nil {
		a.contact = *in.Contact
	}
	if in.TermsAgreed {
		a.agreed = cmp.Or(r.policy.TermsOfService, "none")
	}
	from := a.status
	if in.Status == statusDeactivated {
		a.status = statusDeactivated
	}
	to := a.status
	a.mu.Unlock()
	if from != to || in.Contact != nil || in.TermsAgreed {
		r.ca.changed(r.x, r.now, "account", r.url(AccountURL, a.id), from, to, "updated")
	}
	return r.accountResponse(http.StatusOK, a), nil
}

// ordersList: RFC 8555, Section 7.1.2.1. A page begins after the order whose
// number is the cursor.
func (r *request) ordersList() (*Response, *Problem) {
	a := r.ca.books.account(number(r.rest))
	if a == nil {
		return nil, r.missing("list of orders")
	}
	if p := r.mine(a, "list of orders"); p != nil {
		return nil, p
	}
	var after uint64
	if cursor := r.http.URL.Query().Get("cursor"); cursor != "" {
		if after = number(cursor); after == 0 {
			return nil, problem(TypeMalformed, "the cursor %q is not one of this list's", cursor)
		}
	}
	size := r.policy.OrdersPageSize
	a.mu.Lock()
	i, _ := slices.BinarySearchFunc(a.orders, after+1, func(o *order, id uint64) int { return cmp.Compare(o.id, id) })
	later := slices.DeleteFunc(slices.Clone(a.orders[i:]), func(o *order) bool { return o.forgotten })
	a.mu.Unlock()
	page := make([]*order, 0, size+1)
	for _, o := range later {
		if status, _, _ := r.ca.settleOrder(r.x, r.now, o); status == statusInvalid && r.ca.on(HabitOpenOrders) {
			continue
		}
		if page = append(page, o); len(page) > size {
			break
		}
	}
	more := len(page) > size
	if more {
		page = page[:size]
	}
	out := struct {
		Orders []string `json:"orders"`
	}{make([]string, 0, len(page))}
	for _, o := range page {
		out.Orders = append(out.Orders, r.url(OrderURL, o.id))
	}
	resp := JSONResponse(http.StatusOK, out)
	if more {
		resp.link(r.url(OrdersList, a.id)+"?cursor="+strconv.FormatUint(page[len(page)-1].id, 10), "next")
	}
	return resp, nil
}
