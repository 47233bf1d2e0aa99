package dnsserver

import (
	"context"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// RFC 1034, Section 4.3.2 (answers), RFC 4592 (wildcards), RFC 2308 (negative answers).

// maxCNAMEs bounds how far aliases are followed in one answer.
const maxCNAMEs = 16

// respond answers a message, or returns nil when there is to be no answer, also
// when ctx ends while an answer is held back.
func (s *Server) respond(ctx context.Context, q *dns.Msg, sig signature, network, remote string) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true // there is nobody to pass a question on to
	entry := Query{Time: s.now(), Network: network, Remote: remote, Key: sig.name()}
	if len(q.Question) > 0 {
		entry.Name, entry.Type = strings.TrimSuffix(dns.CanonicalName(q.Question[0].Name), "."), dns.Type(q.Question[0].Qtype).String()
	}
	var b Behavior
	switch {
	case sig.problem != 0:
		m.Rcode = dns.RcodeNotAuth
	case len(q.Question) != 1 || q.Question[0].Qclass != dns.ClassINET && q.Question[0].Qclass != dns.ClassANY:
		m.Rcode = dns.RcodeFormatError
	case q.Opcode == dns.OpcodeUpdate:
		entry.Update = true
		if b = s.behavior(q.Question[0]); !b.interferes() {
			s.update(q, m, sig, &entry)
		}
	case q.Opcode != dns.OpcodeQuery:
		m.Rcode = dns.RcodeNotImplemented
	default:
		if b = s.behavior(q.Question[0]); !b.interferes() {
			s.answer(m, q.Question[0])
		}
	}
	if b.Rcode != 0 {
		m.Rcode = b.Rcode
	}
	entry.Rcode = m.Rcode
	entry.Dropped = b.Drop
	s.record(entry)
	s.log.Debug("dnsserver: answered", "name", entry.Name, "type", entry.Type, "rcode", dns.RcodeToString[m.Rcode], "network", network, "remote", remote)
	if b.Latency > 0 && !wait(ctx, b.Latency) || b.Drop {
		return nil
	}
	if b.Truncate && network == "udp" {
		m.Answer, m.Ns, m.Truncated = nil, nil, true
	}
	return m
}

// wait is false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer fills in the records for one question.
func (s *Server) answer(m *dns.Msg, q dns.Question) {
	if q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR {
		m.Rcode = dns.RcodeRefused
		return
	}
	m.Authoritative = true
	s.mu.RLock()
	defer s.mu.RUnlock()
	name, owner := dns.CanonicalName(q.Name), q.Name // owner keeps the question's case
	for range maxCNAMEs {
		set := s.lookup(name)
		alias := set[dns.TypeCNAME]
		if len(alias) == 0 || q.Qtype == dns.TypeCNAME || q.Qtype == dns.TypeANY {
			break
		}
		m.Answer = append(m.Answer, named(alias[0], owner))
		owner = alias[0].(*dns.CNAME).Target
		name = dns.CanonicalName(owner)
	}
	before := len(m.Answer)
	for _, rr := range s.records(name, q.Qtype) {
		m.Answer = append(m.Answer, named(rr, owner))
	}
	if len(m.Answer) > before {
		return
	}
	m.Ns = append(m.Ns, s.soa(s.apex(name)))
	if !s.exists(name) {
		m.Rcode = dns.RcodeNameError
	}
}

// records are those of a name and type, made up where none are set. The caller
// holds mu.
func (s *Server) records(name string, typ uint16) []dns.RR {
	set := s.lookup(name)
	if typ == dns.TypeANY {
		var all []dns.RR
		for _, rrs := range set {
			all = append(all, rrs...)
		}
		return all
	}
	if rrs := set[typ]; len(rrs) > 0 {
		return rrs
	}
	addressed := len(set[dns.TypeA])+len(set[dns.TypeAAAA])+len(set[dns.TypeCNAME]) > 0
	header := dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: s.opts.TTL}
	switch {
	case typ == dns.TypeSOA && s.apex(name) == name:
		return []dns.RR{s.soa(name)}
	case typ == dns.TypeNS && s.apex(name) == name:
		return []dns.RR{s.ns(name)}
	case typ == dns.TypeA && !addressed && s.v4.IsValid():
		return []dns.RR{&dns.A{Hdr: header, A: s.v4.AsSlice()}}
	case typ == dns.TypeAAAA && !addressed && s.v6.IsValid():
		return []dns.RR{&dns.AAAA{Hdr: header, AAAA: s.v6.AsSlice()}}
	}
	return nil
}

// lookup is what is set for a name, by itself or by a wildcard above it.
func (s *Server) lookup(name string) map[uint16][]dns.RR {
	if set, ok := s.names[name]; ok {
		return set
	}
	for at, end := dns.NextLabel(name, 0); !end; at, end = dns.NextLabel(name, at) {
		if set, ok := s.names["*."+name[at:]]; ok {
			return set
		}
		if _, ok := s.names[name[at:]]; ok {
			break // the closest encloser has no wildcard
		}
	}
	return nil
}

// exists tells an empty answer from a name that there is not.
func (s *Server) exists(name string) bool {
	if s.v4.IsValid() || s.v6.IsValid() || len(s.lookup(name)) > 0 || s.apex(name) == name {
		return true
	}
	for n := range s.names {
		if strings.HasSuffix(n, "."+name) {
			return true
		}
	}
	return false
}

// named is a copy of a record with another owner.
func named(rr dns.RR, owner string) dns.RR {
	c := dns.Copy(rr)
	c.Header().Name = owner
	return c
}
