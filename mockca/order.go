package mockca

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Orders: RFC 8555, Sections 7.1.3, 7.1.6 and 7.4; draft-ietf-acme-profiles;
// RFC 9773, Section 5.

type order struct {
	id          uint64
	account     *account
	identifiers []Identifier
	authzs      []*authz
	profile     string
	shape       Profile
	replaces    *certificate
	reuseKey    string
	created     time.Time
	notBefore   time.Time // as asked
	notAfter    time.Time
	expires     time.Time

	forgotten bool // guarded by the account's mutex

	mu     sync.Mutex
	status string
	err    *Problem
	cert   *certificate
	ready  time.Time // not ready before; by a fault
	csr    []byte    // while it is processing
}

type orderJSON struct {
	Status         string       `json:"status"`
	Expires        *time.Time   `json:"expires,omitempty"`
	Identifiers    []Identifier `json:"identifiers"`
	Profile        string       `json:"profile,omitempty"`
	NotBefore      *time.Time   `json:"notBefore,omitempty"`
	NotAfter       *time.Time   `json:"notAfter,omitempty"`
	Replaces       string       `json:"replaces,omitempty"`
	Error          *Problem     `json:"error,omitempty"`
	Authorizations []string     `json:"authorizations"`
	Finalize       string       `json:"finalize"`
	Certificate    string       `json:"certificate,omitempty"`
}

func (r *request) orderResponse(status int, o *order) *Response {
	state, problem, cert := r.ca.settleOrder(r.x, r.now, o)
	out := orderJSON{Status: state, Identifiers: o.identifiers, Profile: r.shownProfile(o), Error: problem,
		NotBefore: optional(o.notBefore), NotAfter: optional(o.notAfter), Finalize: r.url(Finalize, o.id)}
	if r.ca.on(HabitExpires) {
		out.Expires = optional(o.expires)
	}
	out.Authorizations = make([]string, len(o.authzs))
	for i, z := range o.authzs {
		out.Authorizations[i] = r.url(Authz, z.id)
	}
	if o.replaces != nil {
		out.Replaces = o.replaces.id
	}
	if cert != nil {
		out.Certificate = r.ca.certificateURL(r.base, cert, 0)
	}
	resp := JSONResponse(status, out)
	if state == statusProcessing && r.policy.PollRetryAfter > 0 && r.ca.on(HabitRetryAfter) {
		resp.retryAfter(r.policy.PollRetryAfter)
	}
	return resp
}

// shownProfile is the profile that an order has, as far as the directory names
// it: draft-ietf-acme-profiles, Section 4.
func (r *request) shownProfile(o *order) string {
	if o.profile != "" || r.policy.HideProfiles || !r.ca.on(HabitShowProfile) {
		return o.profile
	}
	if _, listed := r.policy.Profiles[r.policy.DefaultProfile]; !listed {
		return ""
	}
	return r.policy.DefaultProfile
}

// optional is nil for no time; times are shown in UTC and whole seconds.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// settleOrder brings an order's status up to what its authorizations and the
// clock say, and returns it. x is nil when nobody asked.
func (ca *CA) settleOrder(x *Exchange, now time.Time, o *order) (status string, problem *Problem, cert *certificate) {
	o.mu.Lock()
	status, problem, cert = o.status, o.err, o.cert
	late := now.Before(o.ready)
	o.mu.Unlock()
	if status != statusPending && status != statusReady {
		return status, problem, cert
	}
	to, why := status, (*Problem)(nil)
	if !now.Before(o.expires) && ca.on(CheckOrderExpiry) {
		to, why = statusInvalid, problemOf(TypeMalformed, "the order has expired")
	} else if failed, all := ca.settleAuthzs(x, now, o); len(failed) > 0 {
		to, why = statusInvalid, compound("some identifiers could not be authorized", failed)
		if len(o.identifiers) > 1 && len(failed) == 1 {
			why = &Problem{Type: failed[0].Type, Detail: failed[0].Detail, Subproblems: failed}
		}
	} else if all && status == statusPending && !late {
		to = statusReady
	}
	if to == status {
		return status, problem, cert
	}
	o.mu.Lock()
	changed := o.status == status // or somebody else was quicker
	if changed {
		o.status, o.err = to, why
	}
	status, problem, cert = o.status, o.err, o.cert
	o.mu.Unlock()
	if changed {
		ca.orderChanged(x, now, o, statusPending, to, why)
	}
	return status, problem, cert
}

func problemOf(typ, detail string) *Problem { return &Problem{Type: typ, Detail: detail} }

func (ca *CA) orderChanged(x *Exchange, now time.Time, o *order, from, to string, why *Problem) {
	detail := ""
	if why != nil {
		detail = why.Error()
	}
	ca.changed(x, now, "order", ca.objectURL(ca.base, OrderURL, o.id), from, to, detail)
	if to == statusInvalid && o.replaces != nil {
		o.replaces.release(o)
	}
}

// settleAuthzs tells whether all authorizations of an order are valid, and what
// is wrong with those that never will be.
func (ca *CA) settleAuthzs(x *Exchange, now time.Time, o *order) (failed []*Problem, all bool) {
	all = true
	for _, z := range o.authzs {
		status, why := ca.settleAuthz(x, now, z)
		switch status {
		case statusValid:
		case statusPending:
			all = false
		default:
			p := &Problem{Type: TypeUnauthorized, Detail: "the authorization is " + status}
			if why != nil {
				copied := *why
				p = &copied
			}
			id := z.orderedIdentifier()
			p.Identifier = &id
			failed = append(failed, p)
		}
	}
	return failed, all
}

type newOrderPayload struct {
	Identifiers []Identifier `json:"identifiers"`
	NotBefore   string       `json:"notBefore"`
	NotAfter    string       `json:"notAfter"`
	Profile     string       `json:"profile"`
	Replaces    string       `json:"replaces"`
}

// orderPayload reads a payload of newOrder once: rules for an identifier look at
// it, too.
func (r *request) orderPayload() (*newOrderPayload, *Problem) {
	if r.ordered == nil {
		r.ordered = new(newOrderPayload)
		r.misordered = r.decode(r.ordered)
	}
	return r.ordered, r.misordered
}

func (r *request) newOrder() (*Response, *Problem) {
	in, p := r.orderPayload()
	if p != nil {
		return nil, p
	}
	r.x.Identifiers = in.Identifiers
	shape, p := r.chooseProfile(in.Profile)
	if p != nil {
		return nil, p
	}
	ids, p := r.checkIdentifiers(in.Identifiers, shape)
	if p != nil {
		return nil, p
	}
	if r.knobs.Identifiers != nil {
		ids = r.knobs.Identifiers(ids)
	}
	o := &order{account: r.account, identifiers: ids, profile: in.Profile, shape: shape, created: r.now, status: statusPending,
		expires: r.now.Add(shape.OrderLifetime)}
	if o.notBefore, o.notAfter, p = r.checkDates(in.NotBefore, in.NotAfter, shape); p != nil {
		return nil, p
	}
	if o.replaces, p = r.checkReplaces(in.Replaces, ids); p != nil {
		return nil, p
	}
	if old := r.reusableOrder(o); old != nil {
		r.order = old
		r.x.Object = r.url(OrderURL, old.id)
		return r.located(r.orderResponse(http.StatusCreated, old), r.x.Object), nil
	}
	if p := r.spendOrder(o); p != nil {
		return nil, p
	}
	if r.knobs.ReadyDelay > 0 {
		o.ready = r.now.Add(r.knobs.ReadyDelay)
	}
	if o.replaces != nil && !o.replaces.claim(o) && r.ca.on(CheckAlreadyReplaced) {
		return nil, fails(CheckAlreadyReplaced, TypeAlreadyReplaced, "the certificate %s has been replaced by another order", in.Replaces)
	}
	r.place(o)
	r.order = o
	url := r.url(OrderURL, o.id)
	r.x.Object = url
	r.ca.changed(r.x, r.now, "order", url, "", statusPending, "")
	return r.located(r.orderResponse(http.StatusCreated, o), url), nil
}

// place gives an order its authorizations, old or new, and its number.
func (r *request) place(o *order) {
	a := r.account
	o.authzs = make([]*authz, len(o.identifiers))
	fresh := make([]*authz, 0, len(o.identifiers))
	// What is made new is made before the lock is taken.
	for i, id := range o.identifiers {
		if z := r.reusableAuthz(id, o); z != nil {
			o.authzs[i] = z
			continue
		}
		z := r.makeAuthz(id, o.shape)
		o.authzs[i] = z
		fresh = append(fresh, z)
	}
	for _, z := range fresh {
		r.ca.books.authzs.put(z.id, z)
		r.ca.changed(r.x, r.now, "authorization", r.url(Authz, z.id), "", z.status, "")
	}
	for _, z := range o.authzs {
		if until := z.expiry(); until.Before(o.expires) {
			o.expires = until
		}
	}
	a.mu.Lock()
	o.id = r.newID(orderIDs)
	a.orders = append(a.orders, o)
	for _, z := range o.authzs {
		z.orders++
	}
	for _, z := range fresh {
		a.remember(z)
	}
	if o.reuseKey != "" {
		if a.open == nil {
			a.open = make(map[string]*order)
		}
		a.open[o.reuseKey] = o
	}
	a.mu.Unlock()
	r.ca.books.keep(o, r.now)
}

// reusableOrder finds an unfinished order for the same things.
func (r *request) reusableOrder(o *order) *order {
	if !r.policy.ReuseOrders || o.replaces != nil || !o.notBefore.IsZero() || !o.notAfter.IsZero() {
		return nil
	}
	names := make([]string, 0, len(o.identifiers)+1)
	for _, id := range o.identifiers {
		names = append(names, id.String())
	}
	slices.Sort(names)
	o.reuseKey = strings.Join(append(names, o.profile), " ")
	r.account.mu.Lock()
	old := r.account.open[o.reuseKey]
	r.account.mu.Unlock()
	if old == nil {
		return nil
	}
	if status, _, _ := r.ca.settleOrder(r.x, r.now, old); status != statusPending && status != statusReady {
		return nil
	}
	return old
}

// chooseProfile: draft-ietf-acme-profiles, Section 4.
func (r *request) chooseProfile(name string) (Profile, *Problem) {
	if name == "" {
		return r.policy.profile(""), nil
	}
	f, ok := r.policy.Profiles[name]
	if (!ok || r.policy.HideProfiles) && r.ca.on(CheckProfile) {
		return Profile{}, fails(CheckProfile, TypeInvalidProfile, "there is no profile %q", name)
	}
	if len(f.Accounts) > 0 && r.ca.on(CheckProfile) && !slices.Contains(f.Accounts, r.x.Account) {
		return Profile{}, fails(CheckProfile, TypeInvalidProfile, "the account may not use the profile %q", name)
	}
	return r.policy.profile(name), nil
}

// checkDates reads notBefore and notAfter.
func (r *request) checkDates(notBefore, notAfter string, shape Profile) (from, to time.Time, p *Problem) {
	if notBefore == "" && notAfter == "" {
		return from, to, nil
	}
	if r.policy.NoDates && r.ca.on(CheckOrderDates) {
		return from, to, fails(CheckOrderDates, TypeMalformed, "notBefore and notAfter are not supported")
	}
	for _, f := range []struct {
		name, value string
		to          *time.Time
	}{{"notBefore", notBefore, &from}, {"notAfter", notAfter, &to}} {
		if f.value == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, f.value)
		if err != nil && r.ca.on(CheckOrderDates) {
			return from, to, fails(CheckOrderDates, TypeMalformed, "%s: %q is not a date of RFC 3339", f.name, f.value)
		}
		*f.to = t.UTC().Truncate(time.Second)
	}
	if !r.ca.on(CheckOrderDates) {
		return from, to, nil
	}
	begin := from
	if begin.IsZero() {
		begin = r.now.Add(-shape.Backdate).Truncate(time.Second)
	}
	switch {
	case !to.IsZero() && !to.After(begin):
		return from, to, fails(CheckOrderDates, TypeMalformed, "notAfter, %s, is not after the beginning of the validity", notAfter)
	case !to.IsZero() && !to.After(r.now):
		return from, to, fails(CheckOrderDates, TypeMalformed, "notAfter, %s, has passed", notAfter)
	case !to.IsZero() && to.Sub(begin) > shape.Lifetime:
		return from, to, fails(CheckOrderDates, TypeMalformed, "the validity would be longer than %s, the profile's lifetime", shape.Lifetime)
	case !from.IsZero() && from.Before(r.now.Add(-24*time.Hour)):
		return from, to, fails(CheckOrderDates, TypeMalformed, "notBefore, %s, is more than a day past", notBefore)
	}
	return from, to, nil
}

// checkReplaces: RFC 9773, Section 5.
func (r *request) checkReplaces(id string, ids []Identifier) (*certificate, *Problem) {
	if id == "" {
		return nil, nil
	}
	if r.policy.NoRenewalInfo && r.ca.on(CheckReplaces) {
		return nil, fails(CheckReplaces, TypeMalformed, "replaces is not supported")
	}
	old, p := r.ca.certificateOfID(id)
	switch {
	case p != nil && r.ca.on(CheckReplaces):
		p.check = CheckReplaces
		p.Status = 0
		p.Detail = "replaces: " + p.Detail
		return nil, p
	case old == nil:
		return nil, nil
	case old.account != r.account && r.ca.on(CheckReplaces):
		return nil, fails(CheckReplaces, TypeUnauthorized, "replaces: the certificate %s belongs to another account", id)
	case old.replacement() != nil && r.ca.on(CheckAlreadyReplaced):
		return nil, fails(CheckAlreadyReplaced, TypeAlreadyReplaced, "the certificate %s has been replaced by another order", id)
	}
	shared := slices.ContainsFunc(ids, func(id Identifier) bool { return slices.Contains(old.identifiers, id) })
	if !shared && r.ca.on(CheckReplaces) {
		return nil, fails(CheckReplaces, TypeMalformed, "replaces: the certificate %s and the order have no identifier in common", id)
	}
	return old, nil
}

// certificateOfID finds a certificate by the identifier of RFC 9773.
func (ca *CA) certificateOfID(id string) (*certificate, *Problem) {
	aki, serial, ok := strings.Cut(id, ".")
	a, err := strictBase64(aki)
	s, err2 := strictBase64(serial)
	if !ok || err != nil || err2 != nil || len(a) == 0 || len(s) == 0 || len(s) > 1 && s[0] == 0 && s[1] < 0x80 || s[0] >= 0x80 {
		return nil, fails(CheckCertID, TypeMalformed, "%q is not a certificate identifier: two parts in base64url, with a dot in between, the second a DER integer's octets", id)
	}
	c := ca.books.certificate(s)
	if c == nil || c.id != id || issue.CertID(a, s) == "" {
		return nil, fails(CheckCertID, TypeMalformed, "there is no certificate %s", id).withStatus(http.StatusNotFound)
	}
	return c, nil
}

// orderObject: RFC 8555, Section 7.4.
func (r *request) orderObject() (*Response, *Problem) {
	if r.order == nil {
		return nil, r.missing("order")
	}
	if p := r.mine(r.order.account, "order"); p != nil {
		return nil, p
	}
	return r.orderResponse(http.StatusOK, r.order), nil
}
