package dnsserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Add adds records, each a line as in a zone file, such as
//
//	a.example. 60 IN CAA 0 issue "ca.example"
//
// A record that is there already is not added again. All are added, or none
// when one cannot be read.
func (s *Server) Add(records ...string) error {
	list, err := s.parse(records)
	if err != nil {
		return err
	}
	s.change(func() {
		for _, rr := range list {
			s.add(rr)
		}
	})
	return nil
}

// Set is Add after all records of the same names and types have been removed.
func (s *Server) Set(records ...string) error {
	list, err := s.parse(records)
	if err != nil {
		return err
	}
	s.set(list)
	return nil
}

func (s *Server) set(list []dns.RR) {
	s.change(func() {
		for _, rr := range list {
			s.remove(rr.Header().Name, rr.Header().Rrtype)
		}
		for _, rr := range list {
			s.add(rr)
		}
	})
}

// Clear removes the records of a name, or those of some types: "A", "TXT".
func (s *Server) Clear(name string, types ...string) {
	name = dns.CanonicalName(name)
	s.change(func() {
		if len(types) == 0 {
			delete(s.names, name)
		}
		for _, t := range types {
			s.remove(name, dns.StringToType[strings.ToUpper(t)])
		}
	})
}

// Reset removes all records and Behaviors, and restores the default addresses.
func (s *Server) Reset() {
	s.change(func() {
		clear(s.names)
		clear(s.behaviors)
		s.v4, s.v6 = s.opts.defaults()
	})
}

// SetDefaults changes the addresses of names that have none of their own. The
// zero Addr stands for no address of that kind.
func (s *Server) SetDefaults(v4, v6 netip.Addr) {
	s.change(func() { s.v4, s.v6 = v4, v6 })
}

// Defaults are the addresses of names that have none of their own.
func (s *Server) Defaults() (v4, v6 netip.Addr) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.v4, s.v6
}

// Records are all that have been set, as lines of a zone file, sorted.
func (s *Server) Records() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []string
	for _, set := range s.names {
		for _, rrs := range set {
			for _, rr := range rrs {
				list = append(list, rr.String())
			}
		}
	}
	slices.Sort(list)
	return list
}

// SetA sets the addresses of a name, of both kinds. Without any it has the
// default ones again.
func (s *Server) SetA(name string, addrs ...netip.Addr) {
	s.change(func() {
		s.remove(name, dns.TypeA)
		s.remove(name, dns.TypeAAAA)
		s.addAddrs(name, addrs)
	})
}

// AddA adds addresses to those of a name.
func (s *Server) AddA(name string, addrs ...netip.Addr) {
	s.change(func() { s.addAddrs(name, addrs) })
}

func (s *Server) addAddrs(name string, addrs []netip.Addr) {
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			s.add(&dns.A{Hdr: s.header(name, dns.TypeA), A: a.AsSlice()})
		} else if a.IsValid() {
			s.add(&dns.AAAA{Hdr: s.header(name, dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
}

// SetTXT sets the TXT records of a name, one for each value, of any length.
func (s *Server) SetTXT(name string, values ...string) {
	s.change(func() {
		s.remove(name, dns.TypeTXT)
		s.addTXT(name, values)
	})
}

// AddTXT adds TXT records.
func (s *Server) AddTXT(name string, values ...string) {
	s.change(func() { s.addTXT(name, values) })
}

func (s *Server) addTXT(name string, values []string) {
	for _, v := range values {
		s.add(s.txt(name, v))
	}
}

// RemoveTXT removes the TXT records of a name with these values.
func (s *Server) RemoveTXT(name string, values ...string) {
	s.change(func() {
		for _, v := range values {
			s.removeOne(s.txt(name, v))
		}
	})
}

// SetCNAME makes a name an alias; its other records are gone. An empty target
// ends that.
func (s *Server) SetCNAME(name, target string) {
	s.change(func() {
		delete(s.names, dns.CanonicalName(name))
		if target != "" {
			s.add(&dns.CNAME{Hdr: s.header(name, dns.TypeCNAME), Target: dns.Fqdn(target)})
		}
	})
}

// CAA is one property of RFC 8659, Section 4.1.
type CAA struct {
	Flag  uint8 // 128: critical
	Tag   string
	Value string
}

// SetCAA sets the CAA records of a name.
func (s *Server) SetCAA(name string, properties ...CAA) {
	s.change(func() {
		s.remove(name, dns.TypeCAA)
		for _, p := range properties {
			s.add(&dns.CAA{Hdr: s.header(name, dns.TypeCAA), Flag: p.Flag, Tag: p.Tag, Value: p.Value})
		}
	})
}

// SetMX sets the mail exchangers of a name, the first being preferred.
func (s *Server) SetMX(name string, hosts ...string) {
	s.change(func() {
		s.remove(name, dns.TypeMX)
		for i, h := range hosts {
			s.add(&dns.MX{Hdr: s.header(name, dns.TypeMX), Preference: uint16(10 * (i + 1)), Mx: dns.Fqdn(h)})
		}
	})
}

// SetNS sets the name servers of a name.
func (s *Server) SetNS(name string, hosts ...string) {
	s.change(func() {
		s.remove(name, dns.TypeNS)
		for _, h := range hosts {
			s.add(&dns.NS{Hdr: s.header(name, dns.TypeNS), Ns: dns.Fqdn(h)})
		}
	})
}

func (s *Server) parse(records []string) ([]dns.RR, error) {
	var list []dns.RR
	var errs []error
	for _, line := range records {
		p := dns.NewZoneParser(strings.NewReader(line+"\n"), ".", "")
		p.SetDefaultTTL(s.opts.TTL)
		for rr, ok := p.Next(); ok; rr, ok = p.Next() {
			list = append(list, rr)
		}
		if err := p.Err(); err != nil {
			errs = append(errs, fmt.Errorf("record %q: %w", line, err))
		}
	}
	return list, errors.Join(errs...)
}

func (s *Server) header(name string, typ uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: typ, Class: dns.ClassINET, Ttl: s.opts.TTL}
}

// txt cuts a value into strings of at most 255 octets (RFC 1035, Section 3.3).
func (s *Server) txt(name, value string) *dns.TXT {
	t := &dns.TXT{Hdr: s.header(name, dns.TypeTXT)}
	for ; len(value) > 255; value = value[255:] {
		t.Txt = append(t.Txt, escape(value[:255]))
	}
	t.Txt = append(t.Txt, escape(value))
	return t
}

// escape protects what the library would take for an escape.
func escape(v string) string { return strings.ReplaceAll(v, `\`, `\\`) }

// change runs f under the lock and counts a change.
func (s *Server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.serial++
}

// wired is a record as it comes out of a message, with a canonical owner, so
// that what is set by hand and what is sent in an update compare equal.
func (s *Server) wired(rr dns.RR) (dns.RR, bool) {
	c := dns.Copy(rr)
	c.Header().Name = dns.CanonicalName(c.Header().Name)
	buffer := make([]byte, dns.MaxMsgSize)
	n, err := dns.PackRR(c, buffer, 0, nil, false)
	if err == nil {
		c, _, err = dns.UnpackRR(buffer[:n], 0)
	}
	if err != nil {
		s.log.Warn("dnsserver: not a record", "record", rr.String(), "error", err)
		return nil, false
	}
	return c, true
}

// add stores a record unless it is there. The caller holds mu, here and below.
func (s *Server) add(rr dns.RR) bool {
	rr, ok := s.wired(rr)
	if !ok {
		return false
	}
	h := rr.Header()
	set := s.names[h.Name]
	if set == nil {
		set = map[uint16][]dns.RR{}
		s.names[h.Name] = set
	}
	for i, have := range set[h.Rrtype] {
		if dns.IsDuplicate(have, rr) {
			if have.Header().Ttl == h.Ttl {
				return false
			}
			set[h.Rrtype] = slices.Clone(set[h.Rrtype])
			set[h.Rrtype][i] = rr
			return true
		}
	}
	set[h.Rrtype] = append(slices.Clip(set[h.Rrtype]), rr)
	return true
}

func (s *Server) remove(name string, typ uint16) bool {
	name = dns.CanonicalName(name)
	set := s.names[name]
	if len(set[typ]) == 0 {
		return false
	}
	delete(set, typ)
	if len(set) == 0 {
		delete(s.names, name)
	}
	return true
}

// removeOne removes one record, whatever its TTL.
func (s *Server) removeOne(rr dns.RR) bool {
	rr, ok := s.wired(rr)
	if !ok {
		return false
	}
	h := rr.Header()
	have := s.names[h.Name][h.Rrtype]
	kept := slices.DeleteFunc(slices.Clone(have), func(old dns.RR) bool { return dns.IsDuplicate(old, rr) })
	switch {
	case len(kept) == len(have):
		return false
	case len(kept) == 0:
		return s.remove(h.Name, h.Rrtype)
	}
	s.names[h.Name][h.Rrtype] = kept
	return true
}
