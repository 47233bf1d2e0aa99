package dnsserver

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// RFC 2136: dynamic updates.

// update checks and carries out an update, all of it or nothing, and sets the
// answer's code.
func (s *Server) update(q, m *dns.Msg, sig signature, entry *Query) {
	zone := dns.CanonicalName(q.Question[0].Name)
	switch {
	case q.Question[0].Qtype != dns.TypeSOA || q.Question[0].Qclass != dns.ClassINET:
		m.Rcode = dns.RcodeFormatError // Section 3.1.1
		return
	case !sig.verified() && !s.opts.UnsignedUpdates:
		m.Rcode = dns.RcodeRefused // Section 3.3
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Rcode = s.prerequisites(zone, q.Answer); m.Rcode != dns.RcodeSuccess {
		return
	}
	if m.Rcode = prescan(zone, q.Ns); m.Rcode != dns.RcodeSuccess {
		return
	}
	for _, rr := range q.Ns {
		if s.apply(zone, rr) {
			name := strings.TrimSuffix(dns.CanonicalName(rr.Header().Name), ".")
			if !slices.Contains(entry.Changed, name) {
				entry.Changed = append(entry.Changed, name)
			}
		}
	}
	if len(entry.Changed) > 0 {
		s.serial++
	}
}

// prerequisites is Section 3.2.
func (s *Server) prerequisites(zone string, list []dns.RR) int {
	type rrset struct {
		name string
		typ  uint16
	}
	exact := map[rrset][]dns.RR{} // to be compared whole (Section 3.2.3)
	for _, rr := range list {
		h := rr.Header()
		name := dns.CanonicalName(h.Name)
		if !dns.IsSubDomain(zone, name) {
			return dns.RcodeNotZone
		}
		inUse := len(s.names[name]) > 0 || name == s.apex(name)
		present := len(s.names[name][h.Rrtype]) > 0
		switch {
		case h.Ttl != 0 || h.Class != dns.ClassINET && h.Rdlength != 0:
			return dns.RcodeFormatError
		case h.Class == dns.ClassANY && h.Rrtype == dns.TypeANY:
			if !inUse {
				return dns.RcodeNameError
			}
		case h.Class == dns.ClassANY:
			if !present {
				return dns.RcodeNXRrset
			}
		case h.Class == dns.ClassNONE && h.Rrtype == dns.TypeANY:
			if inUse {
				return dns.RcodeYXDomain
			}
		case h.Class == dns.ClassNONE:
			if present {
				return dns.RcodeYXRrset
			}
		case h.Class == dns.ClassINET:
			key := rrset{name, h.Rrtype}
			exact[key] = append(exact[key], rr)
		default:
			return dns.RcodeFormatError
		}
	}
	for key, want := range exact {
		if !sameSet(want, s.names[key.name][key.typ]) {
			return dns.RcodeNXRrset
		}
	}
	return dns.RcodeSuccess
}

func sameSet(a, b []dns.RR) bool {
	in := func(list []dns.RR) func(dns.RR) bool {
		return func(rr dns.RR) bool {
			return !slices.ContainsFunc(list, func(other dns.RR) bool { return dns.IsDuplicate(inet(rr), inet(other)) })
		}
	}
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}

// inet is a record as it would be stored.
func inet(rr dns.RR) dns.RR {
	c := dns.Copy(rr)
	c.Header().Class = dns.ClassINET
	return c
}

// prescan is Section 3.4.1: nothing is done when anything is wrong.
func prescan(zone string, list []dns.RR) int {
	for _, rr := range list {
		h := rr.Header()
		if !dns.IsSubDomain(zone, dns.CanonicalName(h.Name)) {
			return dns.RcodeNotZone
		}
		meta := h.Rrtype == dns.TypeAXFR || h.Rrtype == dns.TypeMAILA || h.Rrtype == dns.TypeMAILB ||
			h.Rrtype == dns.TypeOPT || h.Rrtype == dns.TypeTSIG
		_, empty := rr.(*dns.ANY)
		switch h.Class {
		case dns.ClassINET:
			if meta || h.Rrtype == dns.TypeANY || h.Rdlength == 0 {
				return dns.RcodeFormatError
			}
		case dns.ClassANY:
			if h.Ttl != 0 || h.Rdlength != 0 || meta {
				return dns.RcodeFormatError
			}
		case dns.ClassNONE:
			if h.Ttl != 0 || meta || h.Rrtype == dns.TypeANY || empty {
				return dns.RcodeFormatError
			}
		default:
			return dns.RcodeFormatError
		}
	}
	return dns.RcodeSuccess
}

// apply is Section 3.4.2, for one record; it tells whether anything changed.
func (s *Server) apply(zone string, rr dns.RR) bool {
	h := rr.Header()
	name := dns.CanonicalName(h.Name)
	switch h.Class {
	case dns.ClassINET:
		return s.addByUpdate(name, rr)
	case dns.ClassNONE:
		return s.removeOne(inet(rr))
	case dns.ClassANY:
		changed := false
		for typ := range s.names[name] {
			apexes := name == zone && (typ == dns.TypeSOA || typ == dns.TypeNS) // stay (Section 3.4.2.3)
			if (h.Rrtype == dns.TypeANY || h.Rrtype == typ) && !apexes {
				changed = s.remove(name, typ) || changed
			}
		}
		return changed
	}
	return false
}

// addByUpdate keeps aliases and other records apart (Section 3.4.2.2).
func (s *Server) addByUpdate(name string, rr dns.RR) bool {
	set, isAlias := s.names[name], rr.Header().Rrtype == dns.TypeCNAME
	hasAlias := len(set[dns.TypeCNAME]) > 0
	switch {
	case isAlias && len(set) > 0 && !hasAlias, !isAlias && hasAlias:
		return false
	case isAlias || rr.Header().Rrtype == dns.TypeSOA:
		for _, old := range set[rr.Header().Rrtype] {
			if dns.IsDuplicate(old, rr) {
				return s.add(rr)
			}
		}
		s.remove(name, rr.Header().Rrtype)
	}
	return s.add(rr)
}
