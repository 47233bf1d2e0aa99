package validate

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// RFC 8659: CAA; RFC 8657: accounturi and validationmethods.

// CAARequest is what is to be issued. Addresses have no CAA.
type CAARequest struct {
	Domain     string // without "*."
	Wildcard   bool
	Method     string // the challenge type that validated it
	AccountURL string
}

// CheckCAA looks, from all perspectives, whether the domain lets this CA issue.
// Nil means that it does.
func (v *Validator) CheckCAA(ctx context.Context, r CAARequest) *Problem {
	check := func(p Perspective) func(context.Context) *Problem {
		l := &look{Validator: v, Perspective: p}
		return func(ctx context.Context) *Problem { return l.checkCAA(ctx, r) }
	}
	if p := v.within(ctx, check(v.primary)); p != nil || len(v.c.Perspectives) == 0 {
		return p
	}
	_, p := v.corroborate(ctx, func(_ int, p Perspective) func(context.Context) *Problem { return check(p) })
	return p
}

func (l *look) checkCAA(ctx context.Context, r CAARequest) *Problem {
	set, at, err := l.relevant(ctx, r.Domain)
	if err != nil {
		p := err.problem()
		p.Detail = "While processing CAA for " + r.Domain + ": " + p.Detail
		return p
	}
	if reason := l.forbids(set, r); reason != "" {
		return problem(CAA, "While processing CAA for %s: CAA record for %s prevents issuance: %s", r.Domain, at, reason)
	}
	return nil
}

// relevant is Section 3: the records of the name itself, or of the nearest name
// above it that has any. The root's are not asked for.
func (l *look) relevant(ctx context.Context, domain string) ([]*dns.CAA, string, *dnsError) {
	name := strings.TrimSuffix(domain, ".")
	for {
		rrs, err := l.query(ctx, name, dns.TypeCAA)
		if err != nil && err.rcode != dns.RcodeNameError {
			return nil, name, err
		}
		var set []*dns.CAA
		for _, rr := range rrs {
			if c, ok := rr.(*dns.CAA); ok {
				set = append(set, c)
			}
		}
		if len(set) > 0 {
			return set, name, nil
		}
		_, parent, ok := strings.Cut(name, ".")
		if !ok || parent == "" {
			return nil, "", nil
		}
		name = parent
	}
}

// forbids says why a set of records does not let this CA issue, or nothing.
func (l *look) forbids(set []*dns.CAA, r CAARequest) string {
	var issue, issueWild []string
	for _, c := range set {
		switch tag := strings.ToLower(c.Tag); tag {
		case "issue":
			issue = append(issue, c.Value)
		case "issuewild":
			issueWild = append(issueWild, c.Value)
		case "iodef", "issuemail", "issuevmc", "contactemail", "contactphone":
		default:
			if c.Flag&128 != 0 {
				return "critical property " + tag + " is not known"
			}
		}
	}
	if r.Wildcard && len(issueWild) > 0 {
		issue = issueWild // Section 4.3: takes precedence
	}
	if len(issue) == 0 {
		return ""
	}
	reasons := []string{}
	for _, value := range issue {
		reason := l.excludes(value, r)
		if reason == "" {
			return ""
		}
		reasons = append(reasons, reason)
	}
	return strings.Join(slices.Compact(reasons), "; ")
}

// excludes says why one property does not authorize this issuance, or nothing.
func (l *look) excludes(value string, r CAARequest) string {
	name, parameters, err := parseIssueValue(value)
	switch {
	case err != nil:
		return err.Error() // authorizes nobody
	case name == "" || !slices.ContainsFunc(l.c.CAAIdentities, func(id string) bool { return strings.EqualFold(strings.TrimSuffix(id, "."), name) }):
		return "it names " + quoted(name) + " and not this CA"
	}
	if uris := values(parameters, "accounturi"); len(uris) > 1 || len(uris) == 1 && uris[0] != r.AccountURL {
		return "accounturi is not this account's"
	}
	for i, value := range values(parameters, "validationmethods") {
		methods := strings.Split(value, ",")
		switch {
		case i > 0 || value != "" && slices.ContainsFunc(methods, func(m string) bool { return !ldh(m) }):
			return "validationmethods can't be read"
		case !slices.Contains(methods, r.Method):
			return "validationmethods does not have " + r.Method
		}
	}
	return ""
}

func quoted(name string) string {
	if name == "" {
		return "nobody"
	}
	return `"` + name + `"`
}
