package responder

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// DNSSeen is a question that arrived.
type DNSSeen struct {
	Time       time.Time
	Name, Type string // the name in lower case, without a dot at the end
	Network    string // "udp" or "tcp"
}

// CAA is the data of a CAA record (RFC 8659, Section 4.1).
type CAA struct {
	Flag       uint8
	Tag, Value string
}

// zone is the DNS server: authoritative for every name.
type zone struct {
	addr       net.Addr
	ipv4, ipv6 netip.Addr

	mu       sync.Mutex
	records  map[string][]dns.RR
	rcodes   map[string]int
	addrless map[string]bool // names without default addresses
	seen     []DNSSeen
}

func newZone(ipv4, ipv6 netip.Addr) *zone {
	return &zone{ipv4: ipv4, ipv6: ipv6, records: map[string][]dns.RR{}, rcodes: map[string]int{}, addrless: map[string]bool{}}
}

func canonical(name string) string { return strings.ToLower(dns.Fqdn(name)) }

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: canonical(name), Rrtype: kind, Class: dns.ClassINET, Ttl: 0}
}

// set replaces the records of one type of a name.
func (z *zone) set(name string, kind uint16, records ...dns.RR) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name = canonical(name)
	kept := slices.DeleteFunc(slices.Clone(z.records[name]), func(rr dns.RR) bool { return rr.Header().Rrtype == kind })
	z.records[name] = append(kept, records...)
}

// SetTXT sets the TXT records of name, one for each value.
func (r *Responder) SetTXT(name string, values ...string) {
	var records []dns.RR
	for _, value := range values {
		var chunks []string
		for len(value) > 255 {
			chunks, value = append(chunks, value[:255]), value[255:]
		}
		records = append(records, &dns.TXT{Hdr: header(name, dns.TypeTXT), Txt: append(chunks, value)})
	}
	r.zone.set(name, dns.TypeTXT, records...)
}

// SetCAA sets the CAA records of name.
func (r *Responder) SetCAA(name string, values ...CAA) {
	var records []dns.RR
	for _, v := range values {
		records = append(records, &dns.CAA{Hdr: header(name, dns.TypeCAA), Flag: v.Flag, Tag: v.Tag, Value: v.Value})
	}
	r.zone.set(name, dns.TypeCAA, records...)
}

// SetCNAME makes name an alias of target.
func (r *Responder) SetCNAME(name, target string) {
	r.zone.set(name, dns.TypeCNAME, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: canonical(target)})
}

// SetAddrs gives name these addresses and no others; none is allowed.
func (r *Responder) SetAddrs(name string, addrs ...netip.Addr) {
	var v4, v6 []dns.RR
	for _, addr := range addrs {
		if addr.Is4() {
			v4 = append(v4, &dns.A{Hdr: header(name, dns.TypeA), A: net.IP(addr.AsSlice())})
		} else {
			v6 = append(v6, &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: net.IP(addr.AsSlice())})
		}
	}
	r.zone.set(name, dns.TypeA, v4...)
	r.zone.set(name, dns.TypeAAAA, v6...)
	r.zone.mu.Lock()
	defer r.zone.mu.Unlock()
	r.zone.addrless[canonical(name)] = true
}

// SetServFail answers all questions about name with SERVFAIL.
func (r *Responder) SetServFail(name string) { r.setRcode(name, dns.RcodeServerFailure) }

// SetNXDomain answers all questions about name with NXDOMAIN.
func (r *Responder) SetNXDomain(name string) { r.setRcode(name, dns.RcodeNameError) }

func (r *Responder) setRcode(name string, code int) {
	r.zone.mu.Lock()
	defer r.zone.mu.Unlock()
	r.zone.rcodes[canonical(name)] = code
}

// ClearDNS forgets what was set for name.
func (r *Responder) ClearDNS(name string) {
	r.zone.mu.Lock()
	defer r.zone.mu.Unlock()
	name = canonical(name)
	delete(r.zone.records, name)
	delete(r.zone.rcodes, name)
	delete(r.zone.addrless, name)
}

// DNSSeen lists the questions about name, oldest first.
func (r *Responder) DNSSeen(name string) []DNSSeen {
	r.zone.mu.Lock()
	defer r.zone.mu.Unlock()
	name = strings.TrimSuffix(canonical(name), ".")
	return slices.DeleteFunc(slices.Clone(r.zone.seen), func(s DNSSeen) bool { return s.Name != name })
}

// Exchange answers in process what the server answers on its port, whether it
// has one or not.
func (r *Responder) Exchange(_ context.Context, question *dns.Msg) (*dns.Msg, error) {
	return r.zone.answer(question, "tcp"), nil
}

func (r *Responder) startDNS(addr string) error {
	packets, stream, err := listenBoth(addr)
	if err != nil {
		return err
	}
	r.zone.addr = stream.Addr()
	udp := &dns.Server{PacketConn: packets, Handler: handler(r.zone, "udp")}
	tcp := &dns.Server{Listener: stream, Handler: handler(r.zone, "tcp")}
	for _, server := range []*dns.Server{udp, tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		failed := make(chan error, 1)
		r.running.Go(func() { failed <- server.ActivateAndServe() })
		select {
		case <-started:
		case err := <-failed:
			packets.Close()
			stream.Close()
			return err
		}
		r.closers = append(r.closers, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_ = server.ShutdownContext(ctx) // it is stopped one way or the other
		})
	}
	return nil
}

// listenBoth opens one port for UDP and TCP. A free port of TCP may be taken
// for UDP, so it tries a few.
func listenBoth(addr string) (net.PacketConn, net.Listener, error) {
	for attempt := 0; ; attempt++ {
		stream, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		packets, err := net.ListenPacket("udp", stream.Addr().String())
		if err == nil {
			return packets, stream, nil
		}
		stream.Close()
		if attempt == 20 {
			return nil, nil, err
		}
	}
}

func handler(z *zone, network string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, question *dns.Msg) {
		answer := z.answer(question, network)
		if network == "udp" {
			size := dns.MinMsgSize
			if edns := question.IsEdns0(); edns != nil {
				size = int(max(edns.UDPSize(), dns.MinMsgSize))
			}
			answer.Truncate(size)
		}
		_ = w.WriteMsg(answer) // the server asks again if it got nothing
	}
}

const seenLimit = 20_000

func (z *zone) answer(question *dns.Msg, network string) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(question)
	reply.Authoritative = true
	if len(question.Question) != 1 {
		reply.Rcode = dns.RcodeFormatError
		return reply
	}
	q := question.Question[0]
	z.mu.Lock()
	defer z.mu.Unlock()
	if len(z.seen) >= seenLimit {
		z.seen = slices.Delete(z.seen, 0, seenLimit/2)
	}
	name := canonical(q.Name)
	z.seen = append(z.seen, DNSSeen{Time: time.Now(), Name: strings.TrimSuffix(name, "."), Type: dns.TypeToString[q.Qtype], Network: network})
	for range 8 { // follow aliases
		if code, ok := z.rcodes[name]; ok {
			reply.Rcode = code
			return reply
		}
		found, alias := z.find(name, q.Qtype)
		reply.Answer = append(reply.Answer, found...)
		if alias == "" {
			break
		}
		name = alias
	}
	if len(reply.Answer) == 0 {
		reply.Ns = append(reply.Ns, z.soa(q.Name))
	}
	return reply
}

func (z *zone) find(name string, kind uint16) (found []dns.RR, alias string) {
	for _, rr := range z.records[name] {
		if cname, ok := rr.(*dns.CNAME); ok && kind != dns.TypeCNAME {
			return []dns.RR{rr}, cname.Target
		}
		if rr.Header().Rrtype == kind {
			found = append(found, rr)
		}
	}
	if len(found) == 0 && !z.addrless[name] {
		switch {
		case kind == dns.TypeA && z.ipv4.IsValid():
			found = append(found, &dns.A{Hdr: header(name, kind), A: net.IP(z.ipv4.AsSlice())})
		case kind == dns.TypeAAAA && z.ipv6.IsValid():
			found = append(found, &dns.AAAA{Hdr: header(name, kind), AAAA: net.IP(z.ipv6.AsSlice())})
		}
	}
	return found, ""
}

func (z *zone) soa(name string) dns.RR {
	labels := dns.SplitDomainName(name)
	apex := dns.Fqdn(strings.Join(labels[max(0, len(labels)-2):], "."))
	return &dns.SOA{Hdr: header(apex, dns.TypeSOA), Ns: "ns." + apex, Mbox: "nobody." + apex, Serial: 1, Refresh: 60, Retry: 60, Expire: 60}
}
