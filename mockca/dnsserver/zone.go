package dnsserver

import (
	"github.com/miekg/dns"
)

// RFC 1034, Section 4.2: which name is the apex of which zone.

// apex is the name of the zone that a canonical name is in: the nearest name
// above it, or itself, that Options.Zones has or that has an SOA set; otherwise
// its last two labels. The caller holds mu.
func (s *Server) apex(name string) string {
	labels := dns.Split(name) // where each label begins
	for _, at := range labels {
		if n := name[at:]; s.zones[n] || len(s.names[n][dns.TypeSOA]) > 0 {
			return n
		}
	}
	if len(labels) <= 2 {
		return name
	}
	return name[labels[len(labels)-2]:]
}

// soa is the zone's SOA, whose serial counts changes. The caller holds mu.
func (s *Server) soa(zone string) dns.RR {
	if set := s.names[zone][dns.TypeSOA]; len(set) > 0 {
		return dns.Copy(set[0])
	}
	below := zone
	if below == "." {
		below = ""
	}
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: s.opts.TTL},
		Ns:  "ns1." + below, Mbox: "hostmaster." + below,
		Serial: s.serial, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: s.opts.TTL,
	}
}

// ns is the zone's one name server.
func (s *Server) ns(zone string) dns.RR {
	below := zone
	if below == "." {
		below = ""
	}
	return &dns.NS{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: s.opts.TTL}, Ns: "ns1." + below}
}
