package client

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Identifiers: RFC 8555, Section 7.1.3 and 9.7.7; RFC 8738 for addresses.

// Identifier is a name that a certificate is for.
type Identifier struct {
	Type  string `json:"type"`  // "dns" or "ip"
	Value string `json:"value"` // A-labels in lower case, "*." in front for a wildcard; or an address
}

// Identifier types.
const (
	TypeDNS = "dns"
	TypeIP  = "ip"
)

// DNS makes an identifier of a host name, also an internationalised one, or of a
// wildcard "*.example.org". A trailing dot is dropped.
func DNS(name string) (Identifier, error) {
	rest, wildcard := strings.CutPrefix(strings.TrimSuffix(strings.TrimSpace(name), "."), "*.")
	if plainHost(rest) {
		if wildcard {
			rest = "*." + rest
		}
		return Identifier{TypeDNS, rest}, nil
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.BidiRule())
	ascii, err := profile.ToASCII(rest)
	switch {
	case err != nil:
		return Identifier{}, fmt.Errorf("acme: %q is not a host name: %s", printable(name), plain(err))
	case strings.Contains(ascii, "*"):
		return Identifier{}, fmt.Errorf("acme: %q: a wildcard can only be the whole first label", printable(name))
	}
	if _, err := netip.ParseAddr(ascii); err == nil {
		return Identifier{}, fmt.Errorf("acme: %q is an address, not a host name; use IP", printable(name))
	}
	if isDigits(ascii[strings.LastIndexByte(ascii, '.')+1:]) { // RFC 1123, Section 2.1
		return Identifier{}, fmt.Errorf("acme: %q ends in a number: it is neither a host name nor an address", printable(name))
	}
	if wildcard {
		ascii = "*." + ascii
	}
	return Identifier{TypeDNS, ascii}, nil
}

// plainHost reports whether a name needs no mapping: letters in lower case,
// digits and single hyphens, in labels of legal length, not all digits at the end.
func plainHost(name string) bool {
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	length, letters := 0, false
	for i := range len(name) {
		switch b := name[i]; {
		case 'a' <= b && b <= 'z':
			letters = true
			length++
		case '0' <= b && b <= '9':
			length++
		case b == '-' && length > 0 && i+1 < len(name) && name[i+1] != '.' && name[i+1] != '-':
			length++
		case b == '.' && length > 0:
			length, letters = 0, false
		default:
			return false
		}
		if length > 63 {
			return false
		}
	}
	return length > 0 && letters
}

// IP makes an identifier of an address, IPv4 or IPv6 without a zone (RFC 8738).
func IP(addr netip.Addr) Identifier {
	return Identifier{TypeIP, addr.Unmap().WithZone("").String()}
}

// ParseIdentifier makes an identifier of what a person types: an address, or
// else a host name.
func ParseIdentifier(s string) (Identifier, error) {
	s = strings.TrimSpace(s)
	bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if addr, err := netip.ParseAddr(bare); err == nil {
		if addr.Zone() != "" {
			return Identifier{}, fmt.Errorf("acme: address %q has a zone; no certificate can have one", printable(s))
		}
		return IP(addr), nil
	}
	return DNS(s)
}

// ParseIdentifiers does ParseIdentifier for each, drops repetitions, and
// reports everything that is wrong at once.
func ParseIdentifiers(names ...string) ([]Identifier, error) {
	var ids []Identifier
	var errs []error
	for _, s := range names {
		id, err := ParseIdentifier(s)
		if err != nil {
			errs = append(errs, err)
		} else if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return ids, nil
}

// Wildcard reports whether the identifier is a "*." name.
func (id Identifier) Wildcard() bool { return id.Type == TypeDNS && strings.HasPrefix(id.Value, "*.") }

// base is the identifier that its authorization is for: RFC 8555, Section 7.1.3.
func (id Identifier) base() Identifier {
	if id.Type == TypeDNS {
		id.Value = strings.TrimPrefix(id.Value, "*.")
	}
	return id
}

// normal is the identifier in the spelling to compare by.
func (id Identifier) normal() Identifier {
	if id.Type == TypeIP {
		if a, err := netip.ParseAddr(id.Value); err == nil {
			return IP(a)
		}
		return id
	}
	return Identifier{id.Type, strings.ToLower(strings.TrimSuffix(id.Value, "."))}
}

// normalise checks identifiers that a caller may have written by hand.
func normalise(ids []Identifier) ([]Identifier, error) {
	out := make([]Identifier, 0, len(ids))
	seen := make(map[Identifier]struct{}, len(ids))
	for _, id := range ids {
		switch id.Type {
		case TypeDNS:
			var err error
			if id, err = DNS(id.Value); err != nil {
				return nil, err
			}
		case TypeIP:
			a, err := netip.ParseAddr(id.Value)
			if err != nil || a.Zone() != "" {
				return nil, fmt.Errorf("acme: %q is not an address", printable(id.Value))
			}
			id = IP(a)
		default:
			return nil, fmt.Errorf("acme: identifier type %q: only dns and ip can be ordered", printable(id.Type))
		}
		if _, dup := seen[id]; !dup {
			seen[id] = struct{}{}
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("acme: no identifiers")
	}
	return out, nil
}

// sameIdentifiers compares as sets: a CA may reorder and change letter case
// (RFC 8555, Section 7.4).
func sameIdentifiers(a, b []Identifier) bool {
	if slices.Equal(a, b) {
		return true
	}
	set := make(map[Identifier]int, len(a))
	for _, id := range a {
		set[id.normal()] |= 1
	}
	for _, id := range b {
		set[id.normal()] |= 2
	}
	for _, in := range set {
		if in != 3 {
			return false
		}
	}
	return true
}

func joinIdentifiers(ids []Identifier) string {
	var b strings.Builder
	for i, id := range ids {
		if i == 5 && len(ids) > 6 {
			fmt.Fprintf(&b, " and %d more", len(ids)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(id.Value)
	}
	return b.String()
}
