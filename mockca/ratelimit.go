package mockca

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
)

// Rate limits: RFC 8555, Section 6.6. Names, figures and texts are those of
// Let's Encrypt (https://letsencrypt.org/docs/rate-limits/), buckets fill as
// its do: a token each Period/Count, up to Burst.

// The names of limits.
const (
	LimitNewRegistrationsPerIPAddress            = "NewRegistrationsPerIPAddress"
	LimitNewRegistrationsPerIPv6Range            = "NewRegistrationsPerIPv6Range" // a /48
	LimitNewOrdersPerAccount                     = "NewOrdersPerAccount"
	LimitFailedAuthorizationsPerDomainPerAccount = "FailedAuthorizationsPerDomainPerAccount"
	// LimitFailedAuthorizationsForPausing pauses an account's issuance for a
	// name, until CA.Unpause.
	LimitFailedAuthorizationsForPausing = "FailedAuthorizationsForPausingPerDomainPerAccount"
	LimitCertificatesPerDomain          = "CertificatesPerDomain" // a registered domain: example.co.uk
	LimitCertificatesPerFQDNSet         = "CertificatesPerFQDNSet"
)

// RateLimit is one limit of a policy.
type RateLimit struct {
	Name   string // one of the Limit constants
	Count  int    // tokens that come back in each Period
	Burst  int    // tokens that a full bucket has; default Count
	Period time.Duration
	// Overrides replaces Count and Burst for some: an address or range, the URL
	// of an account as CA.Accounts has it, a domain, by what the limit counts;
	// negative: no limit.
	Overrides map[string]int
}

// LetsEncryptLimits are those of Let's Encrypt's production. Renewals are let
// off as there: all limits for orders that say what they replace (RFC 9773),
// those on orders and on domains for names that were issued together before.
func LetsEncryptLimits() []RateLimit {
	week := 7 * 24 * time.Hour
	return []RateLimit{
		{Name: LimitNewRegistrationsPerIPAddress, Count: 10, Burst: 10, Period: 3 * time.Hour},
		{Name: LimitNewRegistrationsPerIPv6Range, Count: 500, Burst: 500, Period: 3 * time.Hour},
		{Name: LimitNewOrdersPerAccount, Count: 300, Burst: 300, Period: 3 * time.Hour},
		{Name: LimitFailedAuthorizationsPerDomainPerAccount, Count: 5, Burst: 5, Period: time.Hour},
		{Name: LimitFailedAuthorizationsForPausing, Count: 1, Burst: 1152, Period: 24 * time.Hour},
		{Name: LimitCertificatesPerDomain, Count: 50, Burst: 50, Period: week},
		{Name: LimitCertificatesPerFQDNSet, Count: 5, Burst: 5, Period: week},
	}
}

// limitTexts are what a client gets to read, and where it is explained.
var limitTexts = map[string]struct{ format, anchor string }{
	LimitNewRegistrationsPerIPAddress:            {"too many new registrations (%d) from this IP address in the last %s, retry after %s", "new-registrations-per-ip-address"},
	LimitNewRegistrationsPerIPv6Range:            {"too many new registrations (%d) from this /48 subnet of IPv6 addresses in the last %s, retry after %s", "new-registrations-per-ipv6-range"},
	LimitNewOrdersPerAccount:                     {"too many new orders (%d) from this account in the last %s, retry after %s", "new-orders-per-account"},
	LimitFailedAuthorizationsPerDomainPerAccount: {"too many failed authorizations (%d) for %q in the last %s, retry after %s", "authorization-failures-per-identifier-per-account"},
	LimitCertificatesPerDomain:                   {"too many certificates (%d) already issued for %q in the last %s, retry after %s", "new-certificates-per-registered-domain"},
	LimitCertificatesPerFQDNSet:                  {"too many certificates (%d) already issued for this exact set of identifiers in the last %s, retry after %s", "new-certificates-per-exact-set-of-identifiers"},
}

const limitDocs = "https://letsencrypt.org/docs/rate-limits/"

type bucketKey struct{ limit, who string }

// limits is how full the buckets are. A bucket is the time at which it will be
// full (the generic cell rate algorithm); one that is full is not kept.
type limits struct {
	mu      sync.Mutex
	full    map[bucketKey]time.Time
	sweep   int                  // size at which full buckets are thrown out
	sets    map[string]struct{}  // of identifiers that were issued together
	paused  map[bucketKey]string // names, by account and name
	unpause int                  // counts the links
}

// spending is one bucket that a request takes from.
type spending struct {
	limit RateLimit
	who   string // the bucket, in the limit's own terms
	shown string // in the text, where it names something
	only  bool   // look, don't take
}

// limit finds a limit of the policy.
func (p *Policy) limit(name string) (RateLimit, bool) {
	for _, l := range p.RateLimits {
		if l.Name == name && l.Count > 0 && l.Period > 0 {
			or(&l.Burst, l.Count)
			return l, true
		}
	}
	return RateLimit{}, false
}

func (l RateLimit) override(who string) (RateLimit, bool) {
	n, ok := l.Overrides[who]
	if !ok {
		return l, true
	}
	if n < 0 {
		return l, false
	}
	l.Count, l.Burst = n, n
	return l, true
}

// spend takes from all buckets or, when one is empty, from none.
func (l *limits) spend(now time.Time, all []spending) *Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full == nil {
		l.full = make(map[bucketKey]time.Time)
	}
	var denied *spending
	var wait time.Duration
	for i := range all {
		s := &all[i]
		if w := l.wait(now, s); w > wait {
			denied, wait = s, w
		}
	}
	if denied != nil {
		return denied.problem(now, wait)
	}
	for i := range all {
		if s := &all[i]; !s.only {
			l.take(now, s)
		}
	}
	return nil
}

// wait is how long until the bucket has a token.
func (l *limits) wait(now time.Time, s *spending) time.Duration {
	each := s.limit.Period / time.Duration(max(s.limit.Count, 1))
	next := latest(l.full[bucketKey{s.limit.Name, s.who}], now).Add(each)
	return next.Add(-each * time.Duration(s.limit.Burst)).Sub(now)
}

func (l *limits) take(now time.Time, s *spending) {
	each := s.limit.Period / time.Duration(max(s.limit.Count, 1))
	key := bucketKey{s.limit.Name, s.who}
	until := latest(l.full[key], now).Add(each)
	if most := now.Add(each * time.Duration(s.limit.Burst)); until.After(most) {
		until = most // what is over is forgiven
	}
	l.full[key] = until
	if len(l.full) > max(l.sweep, 1024) {
		for k, t := range l.full {
			if !t.After(now) {
				delete(l.full, k)
			}
		}
		l.sweep = 2 * len(l.full)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *spending) problem(now time.Time, wait time.Duration) *Problem {
	text := limitTexts[s.limit.Name]
	args := []any{s.limit.Burst}
	if s.shown != "" {
		args = append(args, s.shown)
	}
	args = append(args, s.limit.Period, now.Add(wait).UTC().Format("2006-01-02 15:04:05 MST"))
	p := fails(CheckRateLimits, TypeRateLimited, text.format+": see %s#%s", append(args, limitDocs, text.anchor)...)
	p.RetryAfter = wait
	p.Links = []string{"<" + limitDocs + `>;rel="help"`}
	return p
}

func (r *request) limited() bool { return len(r.policy.RateLimits) > 0 && r.ca.on(CheckRateLimits) }

// spendings makes the list, of those limits that the policy has.
func (p *Policy) spendings(list *[]spending, name, who, shown string, only bool) {
	l, ok := p.limit(name)
	if !ok {
		return
	}
	if l, ok = l.override(who); ok {
		*list = append(*list, spending{l, who, shown, only})
	}
}

func (r *request) spendAccount() *Problem {
	if !r.limited() {
		return nil
	}
	var list []spending
	at, err := netip.ParseAddrPort(r.http.RemoteAddr)
	if err != nil {
		return nil
	}
	addr := at.Addr().Unmap()
	r.policy.spendings(&list, LimitNewRegistrationsPerIPAddress, addr.String(), "", false)
	if addr.Is6() {
		if prefix, err := addr.Prefix(48); err == nil {
			r.policy.spendings(&list, LimitNewRegistrationsPerIPv6Range, prefix.String(), "", false)
		}
	}
	return r.ca.limits.spend(r.now, list)
}

func (r *request) spendOrder(o *order) *Problem {
	if !r.limited() {
		return nil
	}
	if p := r.checkPaused(o.identifiers); p != nil {
		return p
	}
	if o.replaces != nil {
		return nil
	}
	account := r.ca.objectURL(r.ca.base, AccountURL, r.account.id)
	set := identifierSet(o.identifiers)
	r.ca.limits.mu.Lock()
	_, renewal := r.ca.limits.sets[set]
	r.ca.limits.mu.Unlock()
	var list []spending
	if !renewal {
		r.policy.spendings(&list, LimitNewOrdersPerAccount, account, "", false)
		for _, d := range registeredDomains(o.identifiers) {
			r.policy.spendings(&list, LimitCertificatesPerDomain, d, d, true)
		}
	}
	r.policy.spendings(&list, LimitCertificatesPerFQDNSet, set, "", true)
	for _, id := range o.identifiers {
		r.policy.failures(&list, account, id.Value, true)
	}
	return r.ca.limits.spend(r.now, list)
}

// failures is the bucket of failed authorizations.
func (p *Policy) failures(list *[]spending, account, name string, only bool) {
	name = strings.TrimPrefix(name, "*.")
	if l, ok := p.limit(LimitFailedAuthorizationsPerDomainPerAccount); ok {
		if l, ok = l.override(account); ok {
			*list = append(*list, spending{l, account + " " + name, name, only})
		}
	}
}

func (r *request) spendAuthz(ids []Identifier) *Problem {
	if !r.limited() {
		return nil
	}
	if p := r.checkPaused(ids); p != nil {
		return p
	}
	var list []spending
	r.policy.failures(&list, r.ca.objectURL(r.ca.base, AccountURL, r.account.id), ids[0].Value, true)
	return r.ca.limits.spend(r.now, list)
}

// spendCertificate counts what is issued. Whether it may be was decided when it
// was ordered.
func (r *request) spendCertificate(o *order) {
	if !r.limited() {
		return
	}
	set := identifierSet(o.identifiers)
	l := &r.ca.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sets == nil {
		l.sets, l.full = make(map[string]struct{}), make(map[bucketKey]time.Time)
	}
	_, renewal := l.sets[set]
	l.sets[set] = struct{}{}
	if o.replaces != nil {
		return
	}
	var list []spending
	if !renewal {
		for _, d := range registeredDomains(o.identifiers) {
			r.policy.spendings(&list, LimitCertificatesPerDomain, d, d, false)
		}
	}
	r.policy.spendings(&list, LimitCertificatesPerFQDNSet, set, "", false)
	for i := range list {
		l.take(r.now, &list[i])
	}
}

// failedValidation counts a validation that failed, and pauses who fails for
// ever.
func (ca *CA) failedValidation(now time.Time, z *authz) {
	policy := ca.policy.Load()
	if len(policy.RateLimits) == 0 {
		return
	}
	account := ca.objectURL(ca.base, AccountURL, z.account.id)
	var list []spending
	policy.failures(&list, account, z.identifier.Value, false)
	l := &ca.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full == nil {
		l.full = make(map[bucketKey]time.Time)
	}
	for i := range list {
		l.take(now, &list[i])
	}
	if limit, ok := policy.limit(LimitFailedAuthorizationsForPausing); ok {
		s := &spending{limit: limit, who: account + " " + z.identifier.Value}
		if l.wait(now, s) > 0 {
			if l.paused == nil {
				l.paused = make(map[bucketKey]string)
			}
			l.paused[bucketKey{account, z.identifier.Value}] = z.identifier.Value
			delete(l.full, bucketKey{limit.Name, s.who})
			return
		}
		l.take(now, s)
	}
}

// passedValidation lets the count of failures in a row begin anew.
func (ca *CA) passedValidation(z *authz) {
	l := &ca.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.full) > 0 {
		delete(l.full, bucketKey{LimitFailedAuthorizationsForPausing, ca.objectURL(ca.base, AccountURL, z.account.id) + " " + z.identifier.Value})
	}
}

// checkPaused refuses orders for names that the account is paused for.
func (r *request) checkPaused(ids []Identifier) *Problem {
	account := r.ca.objectURL(r.ca.base, AccountURL, r.account.id)
	l := &r.ca.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.paused) == 0 {
		return nil
	}
	var names []string
	for _, id := range ids {
		if name, ok := l.paused[bucketKey{account, strings.TrimPrefix(id.Value, "*.")}]; ok {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	l.unpause++
	return fails(CheckRateLimits, TypeRateLimited, "Your account is temporarily prevented from requesting certificates for %s and possibly others. Please visit: %s/sfe/v1/unpause?jwt=%d",
		strings.Join(names, ", "), r.base, l.unpause)
}

// Pause prevents an account, by URL, from ordering for names, as too many failed
// authorizations in a row do under LimitFailedAuthorizationsForPausing. It works
// with a policy that has limits.
func (ca *CA) Pause(account string, names ...string) error {
	a, _ := lookup(ca, AccountURL, account, &ca.books.accounts)
	if a == nil {
		return fmt.Errorf("there is no account %s", account)
	}
	ca.limits.mu.Lock()
	defer ca.limits.mu.Unlock()
	if ca.limits.paused == nil {
		ca.limits.paused = make(map[bucketKey]string)
	}
	for _, n := range names {
		ca.limits.paused[bucketKey{ca.objectURL(ca.base, AccountURL, (*a).id), n}] = n
	}
	return nil
}

// Unpause lets an account order again for all names: what the link in the error
// leads to.
func (ca *CA) Unpause(account string) error {
	a, _ := lookup(ca, AccountURL, account, &ca.books.accounts)
	if a == nil {
		return fmt.Errorf("there is no account %s", account)
	}
	url := ca.objectURL(ca.base, AccountURL, (*a).id)
	ca.limits.mu.Lock()
	defer ca.limits.mu.Unlock()
	for k := range ca.limits.paused {
		if k.limit == url {
			delete(ca.limits.paused, k)
		}
	}
	return nil
}

// identifierSet names a set of identifiers, in whatever order.
func identifierSet(ids []Identifier) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, ",")))
	return string(sum[:16])
}

// registeredDomains are the domains below public suffixes, and addresses.
func registeredDomains(ids []Identifier) []string {
	var list []string
	for _, id := range ids {
		domain := strings.TrimPrefix(id.Value, "*.")
		if id.Type == "dns" {
			if d, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
				domain = d
			}
		} else if a, err := netip.ParseAddr(domain); err == nil && a.Is6() {
			if prefix, err := a.Prefix(64); err == nil {
				domain = prefix.String()
			}
		}
		if !slices.Contains(list, domain) {
			list = append(list, domain)
		}
	}
	return list
}
