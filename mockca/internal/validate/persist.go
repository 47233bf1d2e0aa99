package validate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// draft-ietf-acme-dns-persist: dns-persist-01, in the form that Pebble has.

// dnsPersist01 wants one of the TXT records to let the account have the name.
func (l *look) dnsPersist01(ctx context.Context) *Problem {
	name := "_validation-persist." + l.req.Identifier.Value
	l.record(Record{Hostname: l.req.Identifier.Value, URL: name})
	values, ttl, dnsErr := l.txt(ctx, name)
	if dnsErr != nil {
		return dnsErr.problem()
	}
	var malformed, refused []string
	for i, v := range values {
		who := issuer(v)
		if who == "" || !slices.ContainsFunc(l.req.IssuerDomains, func(d string) bool { return strings.EqualFold(strings.TrimSuffix(d, "."), who) }) {
			continue // another CA's
		}
		p, err := parsePersist(v)
		if err != nil {
			malformed = append(malformed, fmt.Sprintf("record for %s: %v", who, err))
			continue
		}
		if reason := l.refuses(p); reason != "" {
			refused = append(refused, fmt.Sprintf("record for %s: %s", who, reason))
			continue
		}
		l.ttl = time.Duration(ttl[i]) * time.Second
		return nil
	}
	switch {
	case len(malformed) > 0:
		return problem(Malformed, "TXT records at %s: %s", name, strings.Join(malformed, "; "))
	case len(refused) > 0:
		return problem(Unauthorized, "TXT records at %s: %s", name, strings.Join(refused, "; "))
	case len(values) == 0:
		return problem(Unauthorized, "No TXT record found at %s", name)
	}
	return problem(Unauthorized, "No TXT record found at %s that names one of %s", name, strings.Join(l.req.IssuerDomains, ", "))
}

// persist is what one record allows.
type persist struct {
	account  string
	wildcard bool
	until    time.Time // zero: for ever
}

func parsePersist(v string) (persist, error) {
	_, parameters, err := parseIssueValue(v)
	if err != nil {
		return persist{}, err
	}
	var p persist
	seen := map[string]bool{}
	for _, one := range parameters {
		if seen[one.tag] {
			return persist{}, fmt.Errorf("duplicate parameter %q", one.tag)
		}
		seen[one.tag] = true
		switch one.tag {
		case "accounturi":
			p.account = one.value
		case "policy": // any other value is as if it were not there
			p.wildcard = strings.EqualFold(one.value, "wildcard")
		case "persistuntil":
			seconds, err := strconv.ParseUint(one.value, 10, 63)
			if err != nil {
				return persist{}, fmt.Errorf("malformed persistUntil %q", one.value)
			}
			p.until = time.Unix(int64(seconds), 0).UTC()
		}
	}
	if p.account == "" {
		return persist{}, errors.New("missing mandatory accounturi")
	}
	return p, nil
}

// refuses says why a record does not allow what is asked for, or nothing.
func (l *look) refuses(p persist) string {
	switch {
	case p.account != l.req.AccountURL:
		return fmt.Sprintf("accounturi mismatch: expected %q, got %q", l.req.AccountURL, p.account)
	case l.req.Wildcard && !p.wildcard:
		return `a wildcard needs "policy=wildcard"`
	case !p.until.IsZero() && l.c.Clock.Now().After(p.until):
		return "persistUntil " + p.until.Format(time.RFC3339) + " has passed"
	}
	return ""
}
