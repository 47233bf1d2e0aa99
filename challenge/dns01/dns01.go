// Package dns01 proves control over names by TXT records: dns-01 (RFC 8555,
// Section 8.4), dns-account-01 (draft-ietf-acme-dns-account-label) and, by
// Persist, dns-persist-01 (draft-ietf-acme-dns-persist).
//
// A Solver follows CNAME records from the challenge's name, finds the zone that
// the name is in, has a Provider add the value beside those that are there,
// waits until every authoritative server of the zone answers with it, and
// removes that value again. Providers are Libdns, for any provider of the
// libdns ecosystem, RFC2136 and Exec.
//
// With a Journal, values that a crashed run left behind are removed by the next.
package dns01

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// Record is one value of a TXT record set. Names are absolute, in lower case,
// with the final dot.
type Record struct {
	Zone  string
	Name  string // within Zone, after CNAMEs have been followed
	Value string
	TTL   time.Duration

	Domain     string   // the identifier to prove, without "*."
	Token      string   // the challenge's token
	Remaining  int      // challenges of the order presented after this one
	AllDomains []string // the identifiers of the order's challenges
}

// A Provider changes a zone. Its methods may be called from several goroutines
// at once.
type Provider interface {
	// Append adds the value and leaves other values at the name as they are.
	Append(ctx context.Context, r Record) error
	// Remove removes the value alone; one that is not there is no error.
	Remove(ctx context.Context, r Record) error
}

// Clock is what waits go through; internal clocks and fakes satisfy it.
type Clock = clock.Clock

// Options tell a Solver how to change and watch the DNS. Provider is required.
type Options struct {
	Provider Provider

	DNS DNS // how to ask the DNS

	TTL             time.Duration // of the records; default one minute
	Timeout         time.Duration // for propagation; default two minutes
	Interval        time.Duration // between looks at the servers; default two seconds
	SkipPropagation bool          // return once the provider has answered

	// Journal is a file that lists the values which are out. It belongs to one
	// process at a time. Empty: leftovers of a crash stay in the zone.
	Journal string

	Clock  Clock        // default: the machine's
	Logger *slog.Logger // default: silent
}

func (o Options) withDefaults() Options {
	if o.TTL <= 0 {
		o.TTL = time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Interval <= 0 {
		o.Interval = 2 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Solver is a challenge.Solver and a challenge.Checker for dns-01 and
// dns-account-01. It is safe for concurrent use.
type Solver struct {
	opts    Options
	journal journal

	mu    sync.Mutex
	swept bool
	out   map[string]*presented // by the challenge's name and value
}

type presented struct {
	uses   int
	record Record
}

// New returns a Solver; it asks nothing of the network yet.
func New(o Options) (*Solver, error) {
	if o.Provider == nil {
		return nil, errors.New("dns-01: no provider given; use Libdns, RFC2136 or Exec")
	}
	o = o.withDefaults()
	return &Solver{opts: o, journal: journal{path: o.Journal}, out: make(map[string]*presented)}, nil
}

// Name is where the CA looks for the response to c: the absolute name, before
// any CNAME. dns-account-01 has a label of the account's own.
func Name(c challenge.Challenge) (string, error) {
	switch {
	case c.IdentifierType != "dns":
		return "", fmt.Errorf("%w: %s proves names only, not the %s identifier %q", challenge.ErrNotPresented, c.Type, c.IdentifierType, c.Identifier)
	case c.Type == challenge.DNS01:
		return fqdn("_acme-challenge." + c.Identifier)
	case c.Type == challenge.DNSAccount01 && c.AccountURL != "":
		sum := sha256.Sum256([]byte(c.AccountURL))
		label := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
		return fqdn("_" + label + "._acme-challenge." + c.Identifier)
	case c.Type == challenge.DNSPersist01:
		return fqdn("_validation-persist." + c.Identifier)
	}
	return "", fmt.Errorf("%w: type %q, account %q", challenge.ErrNotPresented, c.Type, c.AccountURL)
}

func fqdn(name string) (string, error) {
	if _, ok := dns.IsDomainName(name); !ok || strings.ContainsAny(name, " \t\r\n\\\"") {
		return "", fmt.Errorf("%w: %q is not a DNS name", challenge.ErrNotPresented, name)
	}
	return dns.CanonicalName(name), nil
}

func key(c challenge.Challenge) string {
	return c.Type + " " + c.AccountURL + " " + c.Identifier + " " + challenge.DNS01Value(c.KeyAuthorization)
}

// Check implements challenge.Checker: it asks the Provider, if that has a Check
// of its own, and whether the DNS can be asked at all.
func (s *Solver) Check(ctx context.Context) error {
	if p, ok := s.opts.Provider.(challenge.Checker); ok {
		if err := p.Check(ctx); err != nil {
			return err
		}
	}
	if _, err := s.opts.DNS.resolvers(); err != nil {
		return fmt.Errorf("dns-01: %w", err)
	}
	return nil
}

// Present implements challenge.Solver. It returns when every authoritative
// server has the values, or with a *PropagationError inside the *challenge.Error
// of each challenge that is not everywhere in time.
func (s *Solver) Present(ctx context.Context, challenges []challenge.Challenge) error {
	s.sweep(ctx)
	var all []string
	for _, c := range challenges {
		all = append(all, c.Identifier)
	}
	var errs []error
	var added []challenge.Challenge
	var records []Record
	located, failed := s.locate(ctx, challenges)
	for i, c := range challenges {
		r, err := located[i], failed[i]
		r.Remaining, r.AllDomains = len(challenges)-1-i, all
		if err == nil {
			err = s.add(ctx, c, r)
		}
		if err != nil {
			errs = append(errs, &challenge.Error{Challenge: c, Err: err})
			continue
		}
		added, records = append(added, c), append(records, r)
	}
	if !s.opts.SkipPropagation {
		for i, err := range s.opts.propagated(ctx, records) {
			if err != nil {
				errs = append(errs, &challenge.Error{Challenge: added[i], Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// locate finds out for all challenges at once, some at a time, where their
// records belong.
func (s *Solver) locate(ctx context.Context, challenges []challenge.Challenge) ([]Record, []error) {
	records, errs := make([]Record, len(challenges)), make([]error, len(challenges))
	var wg sync.WaitGroup
	gate := make(chan struct{}, 16)
	for i, c := range challenges {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			records[i], errs[i] = s.record(ctx, c)
		})
	}
	wg.Wait()
	return records, errs
}

func (s *Solver) record(ctx context.Context, c challenge.Challenge) (Record, error) {
	if c.Type == challenge.DNSPersist01 || c.KeyAuthorization == "" {
		return Record{}, fmt.Errorf("%w: type %q without a key authorization", challenge.ErrNotPresented, c.Type)
	}
	name, err := Name(c)
	if err != nil {
		return Record{}, err
	}
	r := Record{Value: challenge.DNS01Value(c.KeyAuthorization), TTL: s.opts.TTL, Domain: c.Identifier, Token: c.Token}
	if r.Name, err = s.opts.DNS.follow(ctx, name); err != nil {
		return Record{}, err
	}
	r.Zone, err = s.opts.DNS.zone(ctx, r.Name)
	return r, err
}

// add has the provider add one value, and notes it first: what a failed or
// interrupted Append has done is unknown, so that it is cleaned up all the same.
func (s *Solver) add(ctx context.Context, c challenge.Challenge, r Record) error {
	if !s.note(c, r) {
		return nil // another order has it out
	}
	if err := s.journal.add(r); err != nil {
		return err
	}
	if err := s.opts.Provider.Append(ctx, r); err != nil {
		return fmt.Errorf("adding the TXT record %s in zone %s: %w", r.Name, r.Zone, err)
	}
	return nil
}

// note counts a use and reports whether it is the first.
func (s *Solver) note(c challenge.Challenge, r Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.out[key(c)]
	if p == nil {
		p = &presented{record: r}
		s.out[key(c)] = p
	}
	p.uses++
	return p.uses == 1
}

// CleanUp implements challenge.Solver: it removes the values, also those that
// could not be added or seen everywhere. One that cannot be removed stays in
// the Journal.
func (s *Solver) CleanUp(ctx context.Context, challenges []challenge.Challenge) error {
	var errs []error
	for _, c := range challenges {
		r, ok := s.forget(c)
		if !ok {
			continue
		}
		if err := s.remove(ctx, r); err != nil {
			errs = append(errs, &challenge.Error{Challenge: c, Err: err})
		}
	}
	return errors.Join(errs...)
}

func (s *Solver) forget(c challenge.Challenge) (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.out[key(c)]
	if p == nil {
		return Record{}, false
	}
	if p.uses--; p.uses > 0 {
		return Record{}, false
	}
	delete(s.out, key(c))
	return p.record, true
}

func (s *Solver) remove(ctx context.Context, r Record) error {
	if err := s.opts.Provider.Remove(ctx, r); err != nil {
		return fmt.Errorf("removing the TXT record %s with value %q in zone %s; remove it by hand: %w", r.Name, r.Value, r.Zone, err)
	}
	return s.journal.remove(r)
}

// leftovers lists what an earlier run has left behind, to the first caller. No
// call of Present adds to the journal before it has been here.
func (s *Solver) leftovers() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.swept {
		return nil
	}
	s.swept = true
	left, err := s.journal.read()
	if err != nil {
		s.opts.Logger.Warn("dns-01: journal of presented records not readable", "file", s.opts.Journal, "error", err)
	}
	return left
}

// sweep removes the leftovers; what can't be removed stays in the journal.
func (s *Solver) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	for _, r := range s.leftovers() {
		if err := s.remove(ctx, r); err != nil {
			s.opts.Logger.Warn("dns-01: record of an earlier run stays", "name", r.Name, "error", err)
			continue
		}
		s.opts.Logger.Info("dns-01: removed the record of an earlier run", "name", r.Name)
	}
}
