package mockca

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Records are objects as the journal has them.

// bookRecord is a line: one of its members.
type bookRecord struct {
	Account     *accountRecord `json:"account,omitempty"`
	Authz       *authzRecord   `json:"authz,omitempty"`
	Certificate *certRecord    `json:"certificate,omitempty"`
	Order       *orderRecord   `json:"order,omitempty"`
	EAB         *eabRecord     `json:"eab,omitempty"`
	Gone        *goneRecord    `json:"gone,omitempty"`
	Clock       *time.Duration `json:"clock,omitempty"` // ahead of the machine's
	LastIDs     []uint64       `json:"lastIDs,omitempty"`
}

// goneRecord is an object that was removed, or with the kind "everything" all.
type goneRecord struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
}

type accountRecord struct {
	ID      uint64          `json:"id"`
	Created time.Time       `json:"created"`
	Key     jose.JSONWebKey `json:"key"`
	Status  string          `json:"status"`
	Contact []string        `json:"contact,omitempty"`
	Agreed  string          `json:"agreed,omitempty"`
	EAB     string          `json:"eab,omitempty"`
	Binding json.RawMessage `json:"binding,omitempty"`
}

type authzRecord struct {
	ID         uint64            `json:"id"`
	Account    uint64            `json:"account"`
	Identifier Identifier        `json:"identifier"`
	Wildcard   bool              `json:"wildcard,omitempty"`
	Created    time.Time         `json:"created"`
	Expires    time.Time         `json:"expires"`
	Lifetime   time.Duration     `json:"lifetime"`
	Status     string            `json:"status"`
	Challenges []challengeRecord `json:"challenges"`
	Decisive   int               `json:"decisive,omitempty"`
}

type challengeRecord struct {
	Number    int             `json:"number"`
	Type      string          `json:"type"`
	Token     string          `json:"token,omitempty"`
	Status    string          `json:"status"`
	Validated time.Time       `json:"validated,omitzero"`
	Error     *Problem        `json:"error,omitempty"`
	Records   json.RawMessage `json:"records,omitempty"`
	Tries     int             `json:"tries,omitempty"`
}

type orderRecord struct {
	ID          uint64       `json:"id"`
	Account     uint64       `json:"account"`
	Identifiers []Identifier `json:"identifiers"`
	Authzs      []uint64     `json:"authzs"`
	Profile     string       `json:"profile,omitempty"`
	Shape       Profile      `json:"shape"`
	Replaces    string       `json:"replaces,omitempty"` // serial
	ReuseKey    string       `json:"reuseKey,omitempty"`
	Created     time.Time    `json:"created"`
	NotBefore   time.Time    `json:"notBefore,omitzero"`
	NotAfter    time.Time    `json:"notAfter,omitzero"`
	Expires     time.Time    `json:"expires"`
	Status      string       `json:"status"`
	Error       *Problem     `json:"error,omitempty"`
	Certificate string       `json:"certificate,omitempty"` // serial
	Ready       time.Time    `json:"ready,omitzero"`
	CSR         []byte       `json:"csr,omitempty"`
}

type certRecord struct {
	Serial      string         `json:"serial"`
	CertID      string         `json:"certID"`
	Account     uint64         `json:"account"`
	Order       uint64         `json:"order"`
	Identifiers []Identifier   `json:"identifiers"`
	DER         []byte         `json:"der"`
	Issued      time.Time      `json:"issued"`
	NotBefore   time.Time      `json:"notBefore"`
	NotAfter    time.Time      `json:"notAfter"`
	Revoked     time.Time      `json:"revoked,omitzero"`
	Reason      int            `json:"reason,omitempty"`
	Replaced    uint64         `json:"replaced,omitempty"` // by this order
	Renewal     *RenewalAnswer `json:"renewal,omitempty"`
}

type eabRecord struct {
	KeyID     string `json:"kid"`
	Key       []byte `json:"key"`
	Algorithm string `json:"algorithm,omitempty"`
	Account   uint64 `json:"account,omitempty"`
}

func recordAccount(a *account) *accountRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &accountRecord{ID: a.id, Created: a.created, Key: jose.JSONWebKey{Key: a.key}, Status: a.status, Contact: a.contact,
		Agreed: a.agreed, EAB: a.eab, Binding: a.binding}
}

func recordAuthz(z *authz) *authzRecord {
	z.mu.Lock()
	defer z.mu.Unlock()
	r := &authzRecord{ID: z.id, Account: z.account.id, Identifier: z.identifier, Wildcard: z.wildcard, Created: z.created,
		Expires: z.expires, Lifetime: z.lifetime, Status: z.status}
	for _, c := range z.challenges {
		one := challengeRecord{Number: c.number, Type: c.typ, Token: c.token, Status: c.status, Validated: c.validated, Error: c.err, Tries: c.tries}
		if c.records != nil {
			one.Records, _ = json.Marshal(c.records) // as in answers
		}
		r.Challenges = append(r.Challenges, one)
	}
	if z.decisive != nil {
		r.Decisive = z.decisive.number
	}
	return r
}

func recordOrder(o *order) (r *orderRecord, cert *certificate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r = &orderRecord{ID: o.id, Account: o.account.id, Identifiers: o.identifiers, Profile: o.profile, Shape: o.shape, ReuseKey: o.reuseKey,
		Created: o.created, NotBefore: o.notBefore, NotAfter: o.notAfter, Expires: o.expires, Status: o.status, Error: o.err, Ready: o.ready, CSR: o.csr}
	for _, z := range o.authzs {
		r.Authzs = append(r.Authzs, z.id)
	}
	if o.replaces != nil {
		r.Replaces = o.replaces.serialHex()
	}
	if o.cert != nil {
		r.Certificate = o.cert.serialHex()
	}
	return r, o.cert
}

func recordCertificate(c *certificate) *certRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &certRecord{Serial: c.serialHex(), CertID: c.id, Account: c.account.id, Order: c.order.id, Identifiers: c.identifiers, DER: c.der,
		Issued: c.issued, NotBefore: c.notBefore, NotAfter: c.notAfter, Revoked: c.revoked, Reason: c.reason, Renewal: c.renewal}
	if c.replacedBy != nil {
		r.Replaced = c.replacedBy.id
	}
	return r
}

func recordEAB(k *eabKey) *eabRecord {
	r := &eabRecord{KeyID: k.KeyID, Key: k.Key, Algorithm: k.Algorithm}
	if k.account != nil {
		r.Account = k.account.id
	}
	return r
}

// recordsOf are the lines that say what became of an object.
func (ca *CA) recordsOf(n note) []bookRecord {
	b := &ca.books
	id := n.url
	switch n.kind {
	case "everything":
		return []bookRecord{{Gone: &goneRecord{Kind: n.kind}}}
	case "eab":
		b.eab.mu.RLock()
		defer b.eab.mu.RUnlock()
		if k := b.eab.m[id]; k != nil {
			return []bookRecord{{EAB: recordEAB(k)}}
		}
		return []bookRecord{{Gone: &goneRecord{n.kind, id}}}
	}
	id = ca.identify(n.url)
	switch n.kind {
	case "account":
		if a := b.account(number(id)); a != nil {
			return []bookRecord{{Account: recordAccount(a)}}
		}
	case "authorization", "challenge":
		if z := b.authz(number(id)); z != nil {
			return []bookRecord{{Authz: recordAuthz(z)}}
		}
	case "certificate":
		if c := b.bySerialHex(id); c != nil {
			return []bookRecord{{Certificate: recordCertificate(c)}}
		}
	case "order":
		if o := b.order(number(id)); o != nil {
			r, cert := recordOrder(o)
			lines := []bookRecord{{Order: r}}
			if cert != nil { // before the order that names it
				lines = append([]bookRecord{{Certificate: recordCertificate(cert)}}, lines...)
			}
			if o.replaces != nil {
				lines = append(lines, bookRecord{Certificate: recordCertificate(o.replaces)})
			}
			return lines
		}
	}
	return []bookRecord{{Gone: &goneRecord{n.kind, id}}}
}

// allRecords are lines about everything there is.
func (ca *CA) allRecords() []bookRecord {
	b := &ca.books
	last := make([]uint64, len(b.lastID))
	for i := range b.lastID {
		last[i] = b.lastID[i].Load()
	}
	d := ca.distance()
	lines := []bookRecord{{LastIDs: last}, {Clock: &d}}
	for _, a := range sorted(b.accounts.values(), func(a *account) uint64 { return a.id }) {
		lines = append(lines, bookRecord{Account: recordAccount(a)})
	}
	for _, z := range sorted(b.authzs.values(), func(z *authz) uint64 { return z.id }) {
		lines = append(lines, bookRecord{Authz: recordAuthz(z)})
	}
	for _, c := range sorted(b.certs.values(), func(c *certificate) uint64 { return c.order.id }) {
		lines = append(lines, bookRecord{Certificate: recordCertificate(c)})
	}
	for _, o := range sorted(b.orders.values(), func(o *order) uint64 { return o.id }) {
		r, _ := recordOrder(o)
		lines = append(lines, bookRecord{Order: r})
	}
	b.eab.mu.RLock()
	defer b.eab.mu.RUnlock()
	for _, kid := range slices.Sorted(maps.Keys(b.eab.m)) {
		lines = append(lines, bookRecord{EAB: recordEAB(b.eab.m[kid])})
	}
	return lines
}

func sorted[V any](list []V, id func(V) uint64) []V {
	slices.SortFunc(list, func(a, b V) int { return cmp.Compare(id(a), id(b)) })
	return list
}
