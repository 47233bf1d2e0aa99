package mockca

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Identifiers: RFC 8555, Sections 7.1.3 and 7.1.4; RFC 8738, Section 3.

// checkIdentifiers judges what was asked for and returns it in the CA's
// spelling: lower case, without repetitions.
func (r *request) checkIdentifiers(ids []Identifier, profile Profile) ([]Identifier, *Problem) {
	if len(ids) == 0 {
		return nil, fails(CheckIdentifierCount, TypeMalformed, "the order names no identifiers")
	}
	if len(ids) > profile.MaxNames && r.ca.on(CheckIdentifierCount) {
		return nil, fails(CheckIdentifierCount, TypeMalformed, "the order names %d identifiers, at most %d are possible", len(ids), profile.MaxNames)
	}
	out := make([]Identifier, 0, len(ids))
	seen := make(map[Identifier]bool, len(ids))
	var problems []*Problem
	for _, id := range ids {
		id, p := r.checkIdentifier(id, profile)
		if p != nil {
			p.Identifier = &id
			problems = append(problems, p)
			continue
		}
		if seen[id] {
			if r.ca.on(CheckIdentifierDuplicate) {
				return nil, fails(CheckIdentifierDuplicate, TypeMalformed, "the order names %s twice", id.Value)
			}
			continue
		}
		seen[id] = true
		out = append(out, id)
	}
	if problems != nil {
		if len(problems) == 1 && len(ids) == 1 {
			problems[0].Identifier = nil
		}
		return nil, compound("some identifiers can't be had", problems)
	}
	return out, nil
}

func (r *request) checkIdentifier(id Identifier, profile Profile) (Identifier, *Problem) {
	if !slices.Contains(r.policy.IdentifierTypes, id.Type) && r.ca.on(CheckIdentifierType) || id.Type != "dns" && id.Type != "ip" {
		return id, fails(CheckIdentifierType, TypeUnsupportedIdentifier, "identifiers of the type %q are not supported", id.Type)
	}
	if id.Type == "ip" {
		return r.checkIP(id, profile)
	}
	lower := Identifier{Type: "dns", Value: strings.ToLower(id.Value)}
	base, wildcard := strings.CutPrefix(lower.Value, "*.")
	if r.ca.on(CheckIdentifierSyntax) {
		if wrong := wrongName(base); wrong != "" {
			return id, fails(CheckIdentifierSyntax, rejectedOrMalformed(base), "the name %q %s", id.Value, wrong)
		}
	}
	if wildcard && (r.policy.NoWildcards || profile.NoWildcards) && r.ca.on(CheckIdentifierSyntax) {
		return id, fails(CheckIdentifierSyntax, TypeRejectedIdentifier, "the name %q: wildcards are not possible here", id.Value)
	}
	if r.ca.on(CheckBlocked) && blocked(base, r.policy.Blocked) {
		return id, fails(CheckBlocked, TypeRejectedIdentifier, "the CA does not issue for %q by policy", id.Value)
	}
	return lower, nil
}

func (r *request) checkIP(id Identifier, profile Profile) (Identifier, *Problem) {
	a, err := netip.ParseAddr(id.Value)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return id, fails(CheckIdentifierSyntax, TypeMalformed, "%q is not an IP address", id.Value)
	}
	if a.String() != id.Value && r.ca.on(CheckIdentifierSyntax) {
		return id, fails(CheckIdentifierSyntax, TypeMalformed, "the address %q must be written as %q", id.Value, a.String())
	}
	if profile.NoIPs && r.ca.on(CheckIdentifierType) {
		return id, fails(CheckIdentifierType, TypeRejectedIdentifier, "the profile has no IP addresses")
	}
	if r.ca.on(CheckBlocked) && slices.Contains(r.policy.Blocked, a.String()) {
		return id, fails(CheckBlocked, TypeRejectedIdentifier, "the CA does not issue for %s by policy", a)
	}
	return Identifier{Type: "ip", Value: a.String()}, nil
}

// rejectedOrMalformed tells names that no CA could read from those that this one
// does not want.
func rejectedOrMalformed(name string) string {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f {
			return TypeMalformed
		}
	}
	if name == "" {
		return TypeMalformed
	}
	return TypeRejectedIdentifier
}

// wrongName says what is wrong with a host name, without "*."; "" is nothing.
func wrongName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > 253:
		return "is longer than 253 octets"
	case strings.HasSuffix(name, "."):
		return "ends with a dot"
	case !isASCII(name):
		return "is not written in A-labels"
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "is an address; order it as type ip"
	}
	labels := strings.Split(name, ".")
	if len(labels) < 2 {
		return "has one label only"
	}
	for _, l := range labels {
		if wrong := wrongLabel(l); wrong != "" {
			return wrong
		}
	}
	if top := labels[len(labels)-1]; strings.Trim(top, "0123456789") == "" {
		return "ends with a label of digits"
	}
	return ""
}

func wrongLabel(l string) string {
	switch {
	case l == "":
		return "has an empty label"
	case len(l) > 63:
		return "has a label of more than 63 octets"
	case l[0] == '-' || l[len(l)-1] == '-':
		return "has a label that begins or ends with a hyphen"
	case l == "*":
		return "has a wildcard that is not its first label alone"
	}
	for _, c := range []byte(l) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "has a character that host names can't have"
		}
	}
	if len(l) >= 4 && l[2:4] == "--" {
		if !strings.HasPrefix(l, "xn--") {
			return "has a reserved label, with hyphens in the third and fourth place"
		}
		if _, err := idna.Registration.ToUnicode(l); err != nil {
			return "has a label that is not a valid A-label"
		}
	}
	return ""
}

func blocked(name string, list []string) bool {
	for _, b := range list {
		exact, only := strings.CutPrefix(b, "=")
		if name == exact || !only && strings.HasSuffix(name, "."+exact) {
			return true
		}
	}
	return false
}

// Block adds names to Policy.Blocked.
func (ca *CA) Block(names ...string) {
	ca.ChangePolicy(func(p *Policy) { p.Blocked = append(slices.Clip(p.Blocked), names...) })
}

// Unblock removes names from Policy.Blocked; none: all.
func (ca *CA) Unblock(names ...string) {
	ca.ChangePolicy(func(p *Policy) {
		if len(names) == 0 {
			p.Blocked = nil
			return
		}
		p.Blocked = slices.DeleteFunc(slices.Clone(p.Blocked), func(b string) bool { return slices.Contains(names, b) })
	})
}
