package mockca

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The CA's books, for tests and management: copies that nothing changes.

// Account is an account as it is now.
type Account struct {
	URL         string           `json:"url"`
	Status      string           `json:"status"`
	Contact     []string         `json:"contact,omitempty"`
	TermsAgreed string           `json:"termsAgreed,omitempty"` // their URL, "none" when there were none
	Key         *jose.JSONWebKey `json:"key"`
	Thumbprint  string           `json:"thumbprint"`
	EAB         string           `json:"eab,omitempty"` // key id
	Created     time.Time        `json:"created"`
	Orders      []string         `json:"orders"` // URLs
}

// Order is an order as it is now.
type Order struct {
	URL            string       `json:"url"`
	Account        string       `json:"account"`
	Status         string       `json:"status"`
	Identifiers    []Identifier `json:"identifiers"`
	Authorizations []string     `json:"authorizations"`
	Certificate    string       `json:"certificate,omitempty"`
	Profile        string       `json:"profile,omitempty"`
	Replaces       string       `json:"replaces,omitempty"` // RFC 9773's identifier
	Created        time.Time    `json:"created"`
	Expires        time.Time    `json:"expires"`
	NotBefore      time.Time    `json:"notBefore,omitzero"` // as asked
	NotAfter       time.Time    `json:"notAfter,omitzero"`
	Error          *Problem     `json:"error,omitempty"`
}

// Authorization is an authorization as it is now.
type Authorization struct {
	URL        string      `json:"url"`
	Account    string      `json:"account"`
	Status     string      `json:"status"`
	Identifier Identifier  `json:"identifier"`
	Wildcard   bool        `json:"wildcard,omitempty"`
	Expires    time.Time   `json:"expires"`
	Challenges []Challenge `json:"challenges"`
}

// Challenge is a challenge as it is now.
type Challenge struct {
	URL       string    `json:"url"`
	Type      string    `json:"type"`
	Status    string    `json:"status"`
	Token     string    `json:"token,omitempty"`
	Validated time.Time `json:"validated,omitzero"`
	Error     *Problem  `json:"error,omitempty"`
	Attempts  int       `json:"attempts,omitempty"` // that failed and were not the last
}

// IssuedCertificate is a certificate as it is now.
type IssuedCertificate struct {
	URL         string       `json:"url"`
	Account     string       `json:"account"`
	Order       string       `json:"order"`
	Identifiers []Identifier `json:"identifiers"`
	Serial      string       `json:"serial"` // hex
	CertID      string       `json:"certID"` // RFC 9773, Section 4.1
	DER         []byte       `json:"der"`
	Issued      time.Time    `json:"issued"`
	NotBefore   time.Time    `json:"notBefore"`
	NotAfter    time.Time    `json:"notAfter"`
	Revoked     time.Time    `json:"revoked,omitzero"`
	Reason      int          `json:"reason,omitempty"`
	ReplacedBy  string       `json:"replacedBy,omitempty"` // URL of the order
}

// Leaf parses the certificate.
func (c IssuedCertificate) Leaf() (*x509.Certificate, error) { return x509.ParseCertificate(c.DER) }

// Totals are how many objects are kept.
type Totals struct{ Accounts, Orders, Authorizations, Certificates int }

// Totals counts the objects.
func (ca *CA) Totals() Totals {
	b := &ca.books
	return Totals{b.accounts.size(), b.orders.size(), b.authzs.size(), b.certs.size()}
}

// Accounts lists all accounts, in the order in which they were made.
func (ca *CA) Accounts() []Account {
	return listed(&ca.books.accounts, func(a *account) (uint64, Account) { return a.id, ca.viewAccount(ca.base, a) })
}

// Orders lists all orders that are kept.
func (ca *CA) Orders() []Order {
	return listed(&ca.books.orders, func(o *order) (uint64, Order) { return o.id, ca.viewOrder(ca.base, o) })
}

// Authorizations lists all authorizations that are kept.
func (ca *CA) Authorizations() []Authorization {
	return listed(&ca.books.authzs, func(z *authz) (uint64, Authorization) { return z.id, ca.viewAuthz(ca.base, z) })
}

// Certificates lists all certificates that are kept, in the order of their
// orders.
func (ca *CA) Certificates() []IssuedCertificate {
	return listed(&ca.books.certs, func(c *certificate) (uint64, IssuedCertificate) {
		return c.order.id, ca.viewCertificate(ca.base, c)
	})
}

func listed[K comparable, T, V any](i *index[K, T], view func(T) (uint64, V)) []V {
	type numbered struct {
		id uint64
		v  V
	}
	var all []numbered
	for _, o := range i.values() {
		id, v := view(o)
		all = append(all, numbered{id, v})
	}
	slices.SortFunc(all, func(a, b numbered) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	out := make([]V, len(all))
	for i, n := range all {
		out[i] = n.v
	}
	return out
}

// Account finds an account by its URL, whatever host it names.
func (ca *CA) Account(url string) (Account, bool) {
	a, base := lookup(ca, AccountURL, url, &ca.books.accounts)
	if a == nil {
		return Account{}, false
	}
	return ca.viewAccount(base, *a), true
}

// Order finds an order by its URL.
func (ca *CA) Order(url string) (Order, bool) {
	o, base := lookup(ca, OrderURL, url, &ca.books.orders)
	if o == nil {
		return Order{}, false
	}
	return ca.viewOrder(base, *o), true
}

// Authorization finds an authorization by its URL.
func (ca *CA) Authorization(url string) (Authorization, bool) {
	z, base := lookup(ca, Authz, url, &ca.books.authzs)
	if z == nil {
		return Authorization{}, false
	}
	return ca.viewAuthz(base, *z), true
}

// Certificate finds a certificate by its serial, in hex.
func (ca *CA) Certificate(serial string) (IssuedCertificate, bool) {
	c := ca.books.bySerialHex(strings.ToLower(serial))
	if c == nil {
		return IssuedCertificate{}, false
	}
	return ca.viewCertificate(ca.base, c), true
}

// lookup finds an object by its URL, and what stands in front of the URL's path.
func lookup[V any](ca *CA, e Endpoint, raw string, i *index[uint64, *V]) (**V, string) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, ""
	}
	id, ok := ca.pathID(e, u.Path)
	if !ok {
		return nil, ""
	}
	v := i.get(id)
	if v == nil {
		return nil, ""
	}
	if u.Host == "" {
		return &v, ca.base
	}
	return &v, u.Scheme + "://" + u.Host
}

func (ca *CA) viewAccount(base string, a *account) Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := Account{URL: ca.objectURL(base, AccountURL, a.id), Status: a.status, Contact: a.contact, TermsAgreed: a.agreed,
		Key: &jose.JSONWebKey{Key: a.key}, Thumbprint: a.thumb, EAB: a.eab, Created: a.created}
	for _, o := range a.orders {
		if !o.forgotten {
			v.Orders = append(v.Orders, ca.objectURL(base, OrderURL, o.id))
		}
	}
	return v
}

func (ca *CA) viewOrder(base string, o *order) Order {
	status, problem, cert := ca.settleOrder(nil, ca.clock.Now(), o)
	v := Order{URL: ca.objectURL(base, OrderURL, o.id), Account: ca.objectURL(base, AccountURL, o.account.id), Status: status,
		Identifiers: o.identifiers, Profile: o.profile, Created: o.created, Expires: o.expires, NotBefore: o.notBefore, NotAfter: o.notAfter, Error: problem}
	for _, z := range o.authzs {
		v.Authorizations = append(v.Authorizations, ca.objectURL(base, Authz, z.id))
	}
	if cert != nil {
		v.Certificate = ca.certificateURL(base, cert, 0)
	}
	if o.replaces != nil {
		v.Replaces = o.replaces.id
	}
	return v
}

func (ca *CA) viewAuthz(base string, z *authz) Authorization {
	ca.settleAuthz(nil, ca.clock.Now(), z)
	z.mu.Lock()
	defer z.mu.Unlock()
	v := Authorization{URL: ca.objectURL(base, Authz, z.id), Account: ca.objectURL(base, AccountURL, z.account.id), Status: z.status,
		Identifier: z.identifier, Wildcard: z.wildcard, Expires: z.expires}
	for _, c := range z.challenges {
		v.Challenges = append(v.Challenges, Challenge{URL: ca.challengeURL(base, z, c), Type: c.typ, Status: c.status, Token: c.token,
			Validated: c.validated, Error: c.err, Attempts: c.tries})
	}
	return v
}

func (ca *CA) viewCertificate(base string, c *certificate) IssuedCertificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := IssuedCertificate{URL: ca.certificateURL(base, c, 0), Account: ca.objectURL(base, AccountURL, c.account.id),
		Order: ca.objectURL(base, OrderURL, c.order.id), Identifiers: c.identifiers, Serial: c.serialHex(), CertID: c.id, DER: c.der,
		Issued: c.issued, NotBefore: c.notBefore, NotAfter: c.notAfter, Revoked: c.revoked, Reason: c.reason}
	if c.replacedBy != nil {
		v.ReplacedBy = ca.objectURL(base, OrderURL, c.replacedBy.id)
	}
	return v
}

// The following change the books by hand, as a CA's people would.

// SetAccountStatus makes an account "valid", "deactivated" or "revoked".
func (ca *CA) SetAccountStatus(url, status string) error {
	a, base := lookup(ca, AccountURL, url, &ca.books.accounts)
	if a == nil {
		return fmt.Errorf("there is no account %s", url)
	}
	if !slices.Contains([]string{statusValid, statusDeactivated, statusRevoked}, status) {
		return fmt.Errorf("an account can't be %q", status)
	}
	(*a).mu.Lock()
	from := (*a).status
	(*a).status = status
	(*a).mu.Unlock()
	ca.changed(nil, ca.clock.Now(), "account", ca.objectURL(base, AccountURL, (*a).id), from, status, "by hand")
	return nil
}

// ForgetAccount removes an account: its requests get accountDoesNotExist. Its
// orders and certificates stay.
func (ca *CA) ForgetAccount(url string) error {
	a, base := lookup(ca, AccountURL, url, &ca.books.accounts)
	if a == nil {
		return fmt.Errorf("there is no account %s", url)
	}
	ca.books.byKey.remove((*a).thumbprint())
	ca.books.accounts.remove((*a).id)
	ca.changed(nil, ca.clock.Now(), "account", ca.objectURL(base, AccountURL, (*a).id), statusValid, "forgotten", "by hand")
	return nil
}

// ForgetEverything removes all accounts, orders, authorizations and
// certificates, as a CA does that was set up anew; its own certificates, keys
// for bindings, rules and the transcript stay.
func (ca *CA) ForgetEverything() {
	b := &ca.books
	b.byKey.clear()
	b.accounts.clear()
	b.orders.clear()
	b.authzs.clear()
	b.certs.clear()
	b.kept.Reset()
	ca.journal.note("everything", "")
}

// SetOrderStatus puts an order into a status, with an error if there is one.
func (ca *CA) SetOrderStatus(url, status string, why *Problem) error {
	o, _ := lookup(ca, OrderURL, url, &ca.books.orders)
	if o == nil {
		return fmt.Errorf("there is no order %s", url)
	}
	(*o).mu.Lock()
	from := (*o).status
	(*o).status, (*o).err = status, why
	(*o).mu.Unlock()
	ca.orderChanged(nil, ca.clock.Now(), *o, from, status, why)
	return nil
}

// ForgetOrder removes an order, with what only it has: asking for it gets 404.
func (ca *CA) ForgetOrder(url string) error {
	o, _ := lookup(ca, OrderURL, url, &ca.books.orders)
	if o == nil {
		return fmt.Errorf("there is no order %s", url)
	}
	ca.books.forget(*o)
	ca.journal.note("order", url)
	return nil
}

// SetAuthorizationStatus puts an authorization into a status; with an error its
// first challenge is the one that failed.
func (ca *CA) SetAuthorizationStatus(url, status string, why *Problem) error {
	z, base := lookup(ca, Authz, url, &ca.books.authzs)
	if z == nil {
		return fmt.Errorf("there is no authorization %s", url)
	}
	(*z).mu.Lock()
	from := (*z).status
	(*z).status = status
	if why != nil && len((*z).challenges) > 0 {
		c := (*z).challenges[0]
		c.status, c.err = statusInvalid, why
		(*z).decisive = c
	}
	(*z).mu.Unlock()
	ca.changed(nil, ca.clock.Now(), "authorization", ca.objectURL(base, Authz, (*z).id), from, status, "by hand")
	return nil
}
