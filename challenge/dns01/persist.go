package dns01

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// dns-persist-01: draft-ietf-acme-dns-persist.

// Persist is a challenge.Solver for dns-persist-01: a record that authorizes an
// account stays in the zone. Present looks whether the zone's servers have it;
// where they have not, the Provider adds it, or, without a Provider, the error
// says which record to set. CleanUp leaves it: it is there to stay.
type Persist struct {
	Options             // Provider may be nil here; Journal is not used
	Until     time.Time // persistUntil of records made here; zero: none
	IssuerFor string    // the issuer domain name to use; default: the first offered
}

// PersistValue is the TXT value that lets an account have certificates, for a
// wildcard also those below the name. It ends at until unless that is zero.
func PersistValue(issuer, accountURL string, wildcard bool, until time.Time) (string, error) {
	if issuer == "" || accountURL == "" || strings.ContainsAny(issuer+accountURL, "; \t\r\n") {
		return "", fmt.Errorf("%w: dns-persist-01 with issuer %q and account %q", challenge.ErrNotPresented, issuer, accountURL)
	}
	value := issuer + "; accounturi=" + accountURL
	if wildcard {
		value += "; policy=wildcard"
	}
	if !until.IsZero() {
		value += "; persistUntil=" + strconv.FormatInt(until.Unix(), 10)
	}
	return value, nil
}

func (p *Persist) record(ctx context.Context, o Options, c challenge.Challenge) (Record, error) {
	if c.Type != challenge.DNSPersist01 || len(c.IssuerDomainNames) == 0 {
		return Record{}, fmt.Errorf("%w: type %q with issuers %q", challenge.ErrNotPresented, c.Type, c.IssuerDomainNames)
	}
	issuer := c.IssuerDomainNames[0]
	if p.IssuerFor != "" {
		if issuer = p.IssuerFor; !slices.Contains(c.IssuerDomainNames, issuer) {
			return Record{}, fmt.Errorf("%w: the CA does not go by %q but by %q", challenge.ErrNotPresented, issuer, c.IssuerDomainNames)
		}
	}
	value, err := PersistValue(issuer, c.AccountURL, c.Wildcard, p.Until)
	if err != nil {
		return Record{}, err
	}
	name, err := Name(c)
	if err != nil {
		return Record{}, err
	}
	r := Record{Value: value, TTL: o.TTL, Domain: c.Identifier, Token: c.Token}
	if r.Name, err = o.DNS.follow(ctx, name); err != nil {
		return Record{}, err
	}
	r.Zone, err = o.DNS.zone(ctx, r.Name)
	return r, err
}

// Present implements challenge.Solver.
func (p *Persist) Present(ctx context.Context, challenges []challenge.Challenge) error {
	o := p.Options.withDefaults()
	var errs []error
	var added []challenge.Challenge
	var records []Record
	for _, c := range challenges {
		r, err := p.record(ctx, o, c)
		if err == nil && !slices.ContainsFunc(records, func(have Record) bool { return have.Name == r.Name && have.Value == r.Value }) {
			err = p.ensure(ctx, o, r)
		}
		if err != nil {
			errs = append(errs, &challenge.Error{Challenge: c, Err: err})
			continue
		}
		added, records = append(added, c), append(records, r)
	}
	if !o.SkipPropagation {
		for i, err := range o.propagated(ctx, records) {
			if err != nil {
				errs = append(errs, &challenge.Error{Challenge: added[i], Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// ensure adds the record where a server lacks it.
func (p *Persist) ensure(ctx context.Context, o Options, r Record) error {
	servers, err := o.DNS.authoritative(ctx, r.Zone)
	if err != nil {
		return err
	}
	lags := o.look(ctx, []Record{r}, map[string][]server{r.Zone: servers})[0]
	switch {
	case len(lags) == 0:
		return nil
	case o.Provider == nil:
		return fmt.Errorf("set this record and try again: %s TXT %q (missing at %s)", r.Name, r.Value, lags[0].Server)
	}
	if err := o.Provider.Append(ctx, r); err != nil {
		return fmt.Errorf("adding the TXT record %s in zone %s: %w", r.Name, r.Zone, err)
	}
	return nil
}

// CleanUp implements challenge.Solver. It does nothing.
func (p *Persist) CleanUp(context.Context, []challenge.Challenge) error { return nil }
