package mockca

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Authorizations and challenges: RFC 8555, Sections 7.1.4, 7.1.5, 7.4.1, 7.5 and
// 8; RFC 8737; RFC 8738.

type authz struct {
	id         uint64
	account    *account
	identifier Identifier // without "*."
	wildcard   bool
	created    time.Time
	lifetime   time.Duration // once valid

	orders int // that have it; guarded by the account's mutex

	mu         sync.Mutex
	expires    time.Time
	status     string
	challenges []*challenge // fixed; which are shown depends on the status
	decisive   *challenge   // that made it valid, or invalid
}

// challenge is guarded by its authorization's mutex, but for what never changes.
type challenge struct {
	number int // in its authorization
	typ    string
	token  string

	status    string
	validated time.Time
	err       *Problem
	records   any // of the validation
	tries     int
	next      time.Time // try that is planned; zero when none is
}

func (z *authz) expiry() time.Time {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.expires
}

func (z *authz) orderedIdentifier() Identifier {
	if z.wildcard {
		return Identifier{Type: z.identifier.Type, Value: "*." + z.identifier.Value}
	}
	return z.identifier
}

// challenge finds one by what stands in its URL.
func (z *authz) challenge(n string) *challenge {
	i := number(n)
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, c := range z.challenges {
		if uint64(c.number) == i {
			return c
		}
	}
	return nil
}

func (ca *CA) challengeURL(base string, z *authz, c *challenge) string {
	return ca.objectURL(base, ChallengeURL, z.id) + "/" + strconv.Itoa(c.number)
}

// makeAuthz makes an authorization that is in no book yet.
func (r *request) makeAuthz(id Identifier, shape Profile) *authz {
	z := &authz{id: r.newID(authzIDs), account: r.account, identifier: id, created: r.now, status: statusPending,
		expires: r.now.Add(r.policy.PendingAuthzLifetime), lifetime: shape.AuthzLifetime}
	if base, ok := strings.CutPrefix(id.Value, "*."); ok && id.Type == "dns" {
		z.identifier.Value, z.wildcard = base, true
	}
	types := slices.DeleteFunc(slices.Clone(r.policy.ChallengeTypes), func(t string) bool { return !fits(t, id.Type, z.wildcard) })
	if r.knobs.Challenges != nil {
		types = r.knobs.Challenges(types)
	}
	list := make([]challenge, len(types))
	z.challenges = make([]*challenge, len(types))
	for i, t := range types {
		list[i] = challenge{number: i + 1, typ: t, status: statusPending}
		if t != "dns-persist-01" {
			list[i].token = r.token()
		}
		z.challenges[i] = &list[i]
	}
	if r.knobs.AuthzStatus != "" {
		z.status = r.knobs.AuthzStatus
		if len(z.challenges) > 0 && (z.status == statusValid || z.status == statusInvalid) {
			z.decisive = z.challenges[0]
			z.decisive.status = z.status
			if z.status == statusValid {
				z.decisive.validated = r.now
			} else {
				z.decisive.err = problemOf(TypeUnauthorized, "validation failed")
			}
		}
	}
	return z
}

// fits tells which challenges can prove which identifiers: RFC 8555, Sections
// 7.1.3 and 8.4; RFC 8738, Section 7.
func fits(typ, identifier string, wildcard bool) bool {
	isDNS := strings.HasPrefix(typ, "dns-")
	return (!wildcard || isDNS) && (identifier != "ip" || !isDNS)
}

func (r *request) token() string {
	if r.knobs.Token != nil {
		return r.knobs.Token()
	}
	if !r.ca.on(HabitSingleUseToken) {
		return "AAAAAAAAAAAAAAAAAAAAAA"
	}
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// remember makes z the account's authorization for its identifier. The account
// is locked.
func (a *account) remember(z *authz) {
	if a.reuse == nil {
		a.reuse = make(map[string]*authz)
	}
	a.reuse[z.orderedIdentifier().String()] = z
}

// reusableAuthz finds an authorization for another order: valid ones, and
// pending ones where the policy says so (RFC 8555, Section 7.1.3).
func (r *request) reusableAuthz(id Identifier, o *order) *authz {
	r.account.mu.Lock()
	z := r.account.reuse[id.String()]
	unused := z != nil && z.orders == 0 // made in advance
	r.account.mu.Unlock()
	if z == nil || r.knobs.AuthzStatus != "" || r.knobs.Challenges != nil || r.knobs.Token != nil {
		return nil
	}
	status, _ := r.ca.settleAuthz(r.x, r.now, z)
	z.mu.Lock()
	left := z.expires.Sub(r.now)
	z.mu.Unlock()
	switch {
	case left < time.Minute:
		return nil
	case status == statusValid && (r.policy.ReuseAuthz || unused):
		return z
	case status == statusPending && (r.policy.ReusePending || unused):
		return z
	}
	return nil
}

// settleAuthz brings an authorization's status up to what the clock says.
func (ca *CA) settleAuthz(x *Exchange, now time.Time, z *authz) (status string, why *Problem) {
	z.mu.Lock()
	from := z.status
	if !now.Before(z.expires) && ca.on(CheckAuthzExpiry) {
		switch z.status {
		case statusPending:
			z.status = statusInvalid
		case statusValid:
			z.status = statusExpired
		}
	}
	status = z.status
	if z.decisive != nil {
		why = z.decisive.err
	}
	if why == nil && status == statusInvalid {
		why = problemOf(TypeMalformed, "the authorization expired before it was validated")
	}
	z.mu.Unlock()
	if from != status {
		ca.changed(x, now, "authorization", ca.objectURL(ca.base, Authz, z.id), from, status, "expired")
	}
	return status, why
}

type authzJSON struct {
	Status     string          `json:"status"`
	Expires    *time.Time      `json:"expires,omitempty"`
	Identifier Identifier      `json:"identifier"`
	Wildcard   bool            `json:"wildcard,omitempty"`
	Challenges []challengeJSON `json:"challenges"`
}

type challengeJSON struct {
	Type          string     `json:"type"`
	URL           string     `json:"url"`
	Status        string     `json:"status"`
	Token         string     `json:"token,omitempty"`
	Validated     *time.Time `json:"validated,omitempty"`
	Error         *Problem   `json:"error,omitempty"`
	Records       any        `json:"validationRecord,omitempty"`
	AccountURI    string     `json:"accounturi,omitempty"`
	IssuerDomains []string   `json:"issuer-domain-names,omitempty"`
}

// challengeJSON shows a challenge; the authorization is locked.
func (r *request) challengeJSON(z *authz, c *challenge) challengeJSON {
	j := challengeJSON{Type: c.typ, URL: r.ca.challengeURL(r.base, z, c), Status: c.status, Token: c.token,
		Validated: optional(c.validated), Error: c.err, Records: c.records}
	if c.typ == "dns-persist-01" {
		j.AccountURI, j.IssuerDomains = r.url(AccountURL, z.account.id), r.policy.CAAIdentities
	}
	return j
}

func (r *request) authzResponse(status int, z *authz) *Response {
	r.ca.settleAuthz(r.x, r.now, z)
	z.mu.Lock()
	out := authzJSON{Status: z.status, Identifier: z.identifier, Challenges: make([]challengeJSON, 0, len(z.challenges))}
	if r.ca.on(HabitWildcardFlag) {
		out.Wildcard = z.wildcard
	}
	if r.ca.on(HabitExpires) {
		out.Expires = optional(z.expires)
	}
	waiting := false
	for _, c := range z.challenges {
		if z.status == statusPending || z.decisive == nil || z.decisive == c {
			out.Challenges = append(out.Challenges, r.challengeJSON(z, c))
		}
		waiting = waiting || c.status == statusProcessing
	}
	z.mu.Unlock()
	resp := JSONResponse(status, out)
	if waiting && r.policy.PollRetryAfter > 0 && r.ca.on(HabitRetryAfter) {
		resp.retryAfter(r.policy.PollRetryAfter)
	}
	return resp
}

// newAuthz: RFC 8555, Section 7.4.1.
func (r *request) newAuthz() (*Response, *Problem) {
	var in struct {
		Identifier Identifier `json:"identifier"`
	}
	if p := r.decode(&in); p != nil {
		return nil, p
	}
	r.x.Identifiers = []Identifier{in.Identifier}
	shape := r.policy.profile("")
	ids, p := r.checkIdentifiers(r.x.Identifiers, shape)
	if p != nil {
		return nil, p.withStatus(http.StatusForbidden)
	}
	if strings.HasPrefix(ids[0].Value, "*.") && r.ca.on(CheckNewAuthzAllowed) {
		return nil, fails(CheckNewAuthzAllowed, TypeMalformed, "authorizations for wildcards can't be made in advance: order %q", ids[0].Value)
	}
	z := r.reusableAuthz(ids[0], nil)
	status := http.StatusOK
	if z == nil {
		if p := r.spendAuthz(ids); p != nil {
			return nil, p
		}
		status = http.StatusCreated
		z = r.makeAuthz(ids[0], shape)
		r.ca.books.authzs.put(z.id, z)
		r.ca.changed(r.x, r.now, "authorization", r.url(Authz, z.id), "", statusPending, "")
		r.account.mu.Lock()
		r.account.remember(z)
		r.account.mu.Unlock()
	}
	r.authz = z
	r.x.Object = r.url(Authz, z.id)
	return r.located(r.authzResponse(status, z), r.x.Object), nil
}

// authzObject reads or deactivates: RFC 8555, Sections 7.5 and 7.5.2.
func (r *request) authzObject() (*Response, *Problem) {
	z := r.authz
	if z == nil {
		return nil, r.missing("authorization")
	}
	if p := r.mine(z.account, "authorization"); p != nil {
		return nil, p
	}
	if len(r.message.Payload) == 0 {
		return r.authzResponse(http.StatusOK, z), nil
	}
	var in struct {
		Status string `json:"status"`
	}
	if p := r.decode(&in); p != nil {
		return nil, p
	}
	if in.Status != statusDeactivated && r.ca.on(CheckPostAsGet) {
		return nil, fails(CheckPostAsGet, TypeMalformed, `an authorization is read with an empty payload, or deactivated with {"status":"deactivated"}`)
	}
	if in.Status == statusDeactivated {
		status, _ := r.ca.settleAuthz(r.x, r.now, z)
		if status != statusPending && status != statusValid {
			return nil, problem(TypeMalformed, "the authorization is %s and can't be deactivated", status)
		}
		z.mu.Lock()
		z.status = statusDeactivated
		z.mu.Unlock()
		r.ca.changed(r.x, r.now, "authorization", r.url(Authz, z.id), status, statusDeactivated, "")
	}
	return r.authzResponse(http.StatusOK, z), nil
}

// challengeObject reads or answers: RFC 8555, Section 7.5.1.
func (r *request) challengeObject() (*Response, *Problem) {
	z, c := r.authz, r.chall
	if z == nil || c == nil {
		return nil, r.missing("challenge")
	}
	if p := r.mine(z.account, "challenge"); p != nil {
		return nil, p
	}
	if len(r.message.Payload) != 0 {
		var in struct{}
		if p := r.decode(&in); p != nil {
			return nil, p
		}
		if p := r.accept(z, c); p != nil {
			return nil, p
		}
	}
	z.mu.Lock()
	out, next := r.challengeJSON(z, c), c.next
	z.mu.Unlock()
	resp := JSONResponse(http.StatusOK, out)
	if r.ca.on(HabitUpLink) {
		resp.link(r.url(Authz, z.id), "up")
	}
	if out.Status == statusProcessing && r.policy.PollRetryAfter > 0 && r.ca.on(HabitRetryAfter) {
		resp.retryAfter(max(r.policy.PollRetryAfter, next.Sub(r.now)+time.Second)) // Section 8.2: once the next try is over
	}
	return resp, nil
}

// accept begins a validation. Answering again, while the CA is at it, is no
// error: RFC 8555, Section 8.2.
func (r *request) accept(z *authz, c *challenge) *Problem {
	status, _ := r.ca.settleAuthz(r.x, r.now, z)
	z.mu.Lock()
	if c.status == statusProcessing || c.status == statusValid && status == statusValid {
		z.mu.Unlock()
		return nil
	}
	if (status != statusPending || c.status != statusPending) && r.ca.on(CheckChallengeState) {
		state := c.status
		z.mu.Unlock()
		return fails(CheckChallengeState, TypeMalformed, "the challenge is %s and its authorization %s: it can't be answered any more", state, status)
	}
	from := c.status
	c.status = statusProcessing
	z.mu.Unlock()
	r.ca.changed(r.x, r.now, "challenge", r.ca.challengeURL(r.base, z, c), from, statusProcessing, c.typ)
	r.ca.beginValidation(r, z, c)
	return nil
}
