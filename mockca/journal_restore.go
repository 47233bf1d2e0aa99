package mockca

import (
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"
)

// records are the latest ones about each object.
type records struct {
	accounts map[uint64]*accountRecord
	authzs   map[uint64]*authzRecord
	orders   map[uint64]*orderRecord
	certs    map[string]*certRecord
	eabs     map[string]*eabRecord
	clock    *time.Duration
	lastIDs  []uint64
}

func (k *records) init() {
	k.accounts, k.authzs, k.orders = make(map[uint64]*accountRecord), make(map[uint64]*authzRecord), make(map[uint64]*orderRecord)
	k.certs, k.eabs = make(map[string]*certRecord), make(map[string]*eabRecord)
}

func (k *records) put(r bookRecord) {
	switch {
	case r.Account != nil:
		k.accounts[r.Account.ID] = r.Account
	case r.Authz != nil:
		k.authzs[r.Authz.ID] = r.Authz
	case r.Order != nil:
		k.orders[r.Order.ID] = r.Order
	case r.Certificate != nil:
		k.certs[r.Certificate.Serial] = r.Certificate
	case r.EAB != nil:
		k.eabs[r.EAB.KeyID] = r.EAB
	case r.Clock != nil:
		k.clock = r.Clock
	case r.LastIDs != nil:
		k.lastIDs = r.LastIDs
	case r.Gone != nil:
		k.drop(r.Gone)
	}
}

func (k *records) drop(gone *goneRecord) {
	switch gone.Kind {
	case "everything":
		eabs := k.eabs
		k.init()
		k.eabs = eabs
	case "account":
		delete(k.accounts, number(gone.ID))
	case "authorization", "challenge":
		delete(k.authzs, number(gone.ID))
	case "order":
		if o := k.orders[number(gone.ID)]; o != nil {
			delete(k.certs, o.Certificate)
		}
		delete(k.orders, number(gone.ID))
	case "certificate":
		delete(k.certs, gone.ID)
	case "eab":
		delete(k.eabs, gone.ID)
	}
}

// restore makes objects of records, and returns what a crash ended and is to be
// begun again.
func (ca *CA) restore(k records) (again []func()) {
	b := &ca.books
	accounts := make(map[uint64]*account) // also those that are gone, for what is left of them
	owner := func(id uint64) *account {
		if accounts[id] == nil {
			accounts[id] = &account{id: id, status: statusDeactivated}
		}
		return accounts[id]
	}
	for id, r := range k.accounts {
		a := owner(id)
		a.created, a.key, a.thumb, a.status = r.Created, r.Key.Key, thumbprint(r.Key.Key), r.Status
		a.contact, a.agreed, a.eab, a.binding = r.Contact, r.Agreed, r.EAB, r.Binding
		b.accounts.put(id, a)
		b.byKey.put(a.thumb, a)
	}
	for _, r := range sortedRecords(k.authzs, func(r *authzRecord) uint64 { return r.ID }) {
		z := r.restore(owner(r.Account))
		b.authzs.put(z.id, z)
		z.account.remember(z)
		for _, c := range z.challenges {
			if c.status == statusProcessing {
				again = append(again, func() { ca.validateAgain(z, c) })
			}
		}
	}
	certs := make(map[string]*certificate)
	for serial, r := range k.certs {
		c := &certificate{account: owner(r.Account), identifiers: r.Identifiers, der: r.DER, id: r.CertID, issued: r.Issued,
			notBefore: r.NotBefore, notAfter: r.NotAfter, revoked: r.Revoked, reason: r.Reason, renewal: r.Renewal}
		c.serial, _ = hex.DecodeString(serial)
		certs[serial] = c
	}
	for _, r := range sortedRecords(k.orders, func(r *orderRecord) uint64 { return r.ID }) {
		o := r.restore(owner(r.Account), b, certs)
		if c := o.cert; c != nil {
			c.order = o
			b.certs.put(string(trimZeros(c.serial)), c)
		}
		b.keep(o, ca.clock.Now())
		if o.status == statusProcessing {
			again = append(again, func() { ca.issueAgain(o) })
		}
	}
	for serial, r := range k.certs {
		certs[serial].replacedBy = b.order(r.Replaced)
	}
	for kid, r := range k.eabs {
		e := &eabKey{EAB: EAB{KeyID: kid, Key: r.Key, Algorithm: r.Algorithm}}
		if r.Account != 0 {
			e.account = owner(r.Account)
		}
		b.eab.put(kid, e)
	}
	b.restoreIDs(k)
	return again
}

// restoreIDs has numbers go on where they were.
func (b *books) restoreIDs(k records) {
	for i, id := range k.lastIDs {
		if i < len(b.lastID) {
			b.lastID[i].Store(id)
		}
	}
	for kind, ids := range map[int][]uint64{accountIDs: keysOf(k.accounts), orderIDs: keysOf(k.orders), authzIDs: keysOf(k.authzs)} {
		for _, id := range ids {
			b.lastID[kind].Store(max(id, b.lastID[kind].Load()))
		}
	}
}

func keysOf[V any](m map[uint64]V) (ids []uint64) {
	for id := range m {
		ids = append(ids, id)
	}
	return ids
}

func sortedRecords[V any](m map[uint64]V, id func(V) uint64) []V {
	list := make([]V, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	return sorted(list, id)
}

func (r *authzRecord) restore(owner *account) *authz {
	z := &authz{id: r.ID, account: owner, identifier: r.Identifier, wildcard: r.Wildcard, created: r.Created, lifetime: r.Lifetime,
		expires: r.Expires, status: r.Status}
	for _, one := range r.Challenges {
		c := &challenge{number: one.Number, typ: one.Type, token: one.Token, status: one.Status, validated: one.Validated, err: one.Error, tries: one.Tries}
		if one.Records != nil {
			c.records = one.Records
		}
		z.challenges = append(z.challenges, c)
		if one.Number == r.Decisive {
			z.decisive = c
		}
	}
	return z
}

func (r *orderRecord) restore(owner *account, b *books, certs map[string]*certificate) *order {
	o := &order{id: r.ID, account: owner, identifiers: r.Identifiers, profile: r.Profile, shape: r.Shape, replaces: certs[r.Replaces],
		reuseKey: r.ReuseKey, created: r.Created, notBefore: r.NotBefore, notAfter: r.NotAfter, expires: r.Expires, status: r.Status,
		err: r.Error, cert: certs[r.Certificate], ready: r.Ready, csr: r.CSR}
	for _, id := range r.Authzs {
		if z := b.authz(id); z != nil {
			z.orders++
			o.authzs = append(o.authzs, z)
		}
	}
	owner.orders = append(owner.orders, o)
	if o.reuseKey != "" && slices.Contains([]string{statusPending, statusReady}, o.status) {
		if owner.open == nil {
			owner.open = make(map[string]*order)
		}
		owner.open[o.reuseKey] = o
	}
	return o
}

// validateAgain validates a challenge that was being validated.
func (ca *CA) validateAgain(z *authz, c *challenge) {
	ca.beginValidation(&request{ca: ca, base: ca.base, policy: ca.policy.Load(), now: ca.clock.Now(), account: z.account}, z, c)
}

// issueAgain finalizes an order that was being finalized.
func (ca *CA) issueAgain(o *order) {
	csr, err := x509.ParseCertificateRequest(o.csr)
	if err != nil {
		ca.log.Error("an order can't be finalized any more", "order", o.id, "error", err)
		return
	}
	ca.endIssuance(nil, ca.clock.Now(), ca.base, ca.policy.Load(), o, csr, Knobs{})
}
