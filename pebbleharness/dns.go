package pebbleharness

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// DNS is the server that the harness's Pebble asks: authoritative for every
// name, over UDP and TCP on one port of loopback. A name has the default
// address, 127.0.0.1, until a record of that type is set for it. Names are taken with or without a dot at the end, in any case. Its
// methods are safe for concurrent use, and take effect with the next question.
type DNS struct {
	addr     string
	udp, tcp *dns.Server
	stopped  sync.WaitGroup

	mu       sync.RWMutex
	defaults map[RecordType][]netip.Addr
	zone     map[string]map[RecordType][]dns.RR
	failing  map[string]bool
}

// RecordType names the type of a record for Clear.
type RecordType string

// What can be set for a name. ServFail is no record: all questions about the
// name are answered SERVFAIL.
const (
	A        RecordType = "A"
	AAAA     RecordType = "AAAA"
	TXT      RecordType = "TXT"
	CNAME    RecordType = "CNAME"
	CAA      RecordType = "CAA"
	MX       RecordType = "MX"
	ServFail RecordType = "SERVFAIL"
)

// CAARecord is the data of a CAA record (RFC 8659, Section 4.1).
type CAARecord struct {
	Critical   bool
	Tag, Value string
}

// MXRecord is the data of an MX record.
type MXRecord struct {
	Preference uint16
	Host       string
}

// Addr is host:port of the server.
func (d *DNS) Addr() string { return d.addr }

// SetDefault sets the addresses of all names that have none set, instead of
// 127.0.0.1 and no IPv6 address. An invalid Addr stands for none. Pebble
// connects to the IPv6 address alone when a name has both.
func (d *DNS) SetDefault(v4, v6 netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.defaults = map[RecordType][]netip.Addr{}
	if v4.IsValid() {
		d.defaults[A] = []netip.Addr{v4}
	}
	if v6.IsValid() {
		d.defaults[AAAA] = []netip.Addr{v6}
	}
}

// SetA sets the IPv4 addresses of name; without addrs it has none.
func (d *DNS) SetA(name string, addrs ...netip.Addr) { set(d, name, A, addrs, addressRecord) }

// SetAAAA sets the IPv6 addresses of name; without addrs it has none.
func (d *DNS) SetAAAA(name string, addrs ...netip.Addr) { set(d, name, AAAA, addrs, addressRecord) }

// SetTXT sets the TXT records of name, one for each value.
func (d *DNS) SetTXT(name string, values ...string) { set(d, name, TXT, values, textRecord) }

// AddTXT adds a TXT record to those of name.
func (d *DNS) AddTXT(name, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(name, TXT, append(slices.Clone(d.zone[canonical(name)][TXT]), textRecord(canonical(name), value)))
}

// SetCNAME makes name an alias of target. Answers follow it.
func (d *DNS) SetCNAME(name, target string) { set(d, name, CNAME, []string{target}, aliasRecord) }

// SetCAA sets the CAA records of name. Pebble itself checks none.
func (d *DNS) SetCAA(name string, records ...CAARecord) { set(d, name, CAA, records, caaRecord) }

// SetMX sets the MX records of name.
func (d *DNS) SetMX(name string, records ...MXRecord) { set(d, name, MX, records, mxRecord) }

// SetServFail answers all questions about name with SERVFAIL until it is
// cleared.
func (d *DNS) SetServFail(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing[canonical(name)] = true
}

// Clear forgets what was set for name: the types named, or all. Its addresses
// are then the default ones again.
func (d *DNS) Clear(name string, types ...RecordType) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = canonical(name)
	if len(types) == 0 {
		delete(d.zone, name)
		delete(d.failing, name)
		return
	}
	for _, t := range types {
		if t == ServFail {
			delete(d.failing, name)
		} else {
			delete(d.zone[name], t)
		}
	}
}

func startDNS() (*DNS, error) {
	tcp, udp, err := listenBoth()
	if err != nil {
		return nil, err
	}
	d := &DNS{
		addr:    tcp.Addr().String(),
		zone:    map[string]map[RecordType][]dns.RR{},
		failing: map[string]bool{},
	}
	d.SetDefault(netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.Addr{})
	handler := dns.HandlerFunc(d.answer)
	d.tcp = &dns.Server{Listener: tcp, Handler: handler}
	d.udp = &dns.Server{PacketConn: udp, Handler: handler}
	for _, server := range []*dns.Server{d.tcp, d.udp} {
		// Shutdown of a server that has not begun to serve does nothing, so
		// wait for it.
		began := make(chan struct{})
		server.NotifyStartedFunc = func() { close(began) }
		d.stopped.Go(func() { _ = server.ActivateAndServe() })
		<-began
	}
	return d, nil
}

// listenBoth finds a port that is free for TCP and for UDP.
func listenBoth() (net.Listener, net.PacketConn, error) {
	var err error
	for range 20 {
		var tcp net.Listener
		var udp net.PacketConn
		if tcp, err = net.Listen("tcp", loopback("")); err != nil {
			continue
		}
		if udp, err = net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			return tcp, udp, nil
		}
		_ = tcp.Close()
	}
	return nil, nil, fmt.Errorf("no port free for both TCP and UDP: %w", err)
}

func (d *DNS) close() {
	_ = d.tcp.Shutdown()
	_ = d.udp.Shutdown()
	d.stopped.Wait()
}

func (d *DNS) answer(w dns.ResponseWriter, question *dns.Msg) {
	reply := new(dns.Msg).SetReply(question)
	reply.Authoritative = true
	if len(question.Question) != 1 {
		reply.Rcode = dns.RcodeFormatError
	} else {
		d.resolve(reply, question.Question[0])
	}
	_ = w.WriteMsg(reply) // the one who asked may have gone
}

const longestAlias = 8

// resolve fills the reply, following aliases within the server's own data.
func (d *DNS) resolve(reply *dns.Msg, q dns.Question) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	name, wanted := canonical(q.Name), RecordType(dns.TypeToString[q.Qtype])
	for range longestAlias {
		if d.failing[name] {
			reply.Rcode = dns.RcodeServerFailure
			return
		}
		if records := d.records(name, wanted); len(records) > 0 {
			reply.Answer = append(reply.Answer, records...)
			return
		}
		alias := d.zone[name][CNAME]
		if len(alias) == 0 {
			reply.Ns = append(reply.Ns, startOfAuthority(zoneOf(name)))
			return
		}
		reply.Answer = append(reply.Answer, alias...)
		name = alias[0].(*dns.CNAME).Target
	}
}

func (d *DNS) records(name string, wanted RecordType) []dns.RR {
	if records, set := d.zone[name][wanted]; set {
		return records
	}
	switch {
	case wanted == "SOA" && name == zoneOf(name):
		return []dns.RR{startOfAuthority(name)}
	case wanted == "NS" && name == zoneOf(name):
		return []dns.RR{&dns.NS{Hdr: header(name, dns.TypeNS), Ns: "ns." + name}}
	case d.zone[name][CNAME] != nil:
		return nil
	}
	var records []dns.RR
	for _, addr := range d.defaults[wanted] {
		records = append(records, addressRecord(name, addr))
	}
	return records
}

// set is the one way into the zone.
func set[V any](d *DNS, name string, t RecordType, values []V, record func(name string, value V) dns.RR) {
	records := make([]dns.RR, len(values))
	for i, v := range values {
		records[i] = record(canonical(name), v)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(name, t, records)
}

func (d *DNS) put(name string, t RecordType, records []dns.RR) {
	name = canonical(name)
	if d.zone[name] == nil {
		d.zone[name] = map[RecordType][]dns.RR{}
	}
	d.zone[name][t] = records
}

func canonical(name string) string { return dns.CanonicalName(name) }

// zoneOf takes the last two labels for the zone of a name, so that tools that
// look for the zone's cut find one.
func zoneOf(name string) string {
	labels := dns.SplitDomainName(name)
	return dns.Fqdn(strings.Join(labels[max(0, len(labels)-2):], "."))
}

func header(name string, t uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: t, Class: dns.ClassINET}
}

func addressRecord(name string, addr netip.Addr) dns.RR {
	if addr.Unmap().Is4() {
		return &dns.A{Hdr: header(name, dns.TypeA), A: addr.Unmap().AsSlice()}
	}
	return &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: addr.AsSlice()}
}

// textRecord splits the value into the strings of 255 bytes that the record is
// made of.
func textRecord(name, value string) dns.RR {
	var parts []string
	for len(value) > 255 {
		parts, value = append(parts, value[:255]), value[255:]
	}
	return &dns.TXT{Hdr: header(name, dns.TypeTXT), Txt: append(parts, value)}
}

func aliasRecord(name, target string) dns.RR {
	return &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: canonical(target)}
}

func caaRecord(name string, record CAARecord) dns.RR {
	var flag uint8
	if record.Critical {
		flag = 128
	}
	return &dns.CAA{Hdr: header(name, dns.TypeCAA), Flag: flag, Tag: record.Tag, Value: record.Value}
}

func mxRecord(name string, record MXRecord) dns.RR {
	return &dns.MX{Hdr: header(name, dns.TypeMX), Preference: record.Preference, Mx: canonical(record.Host)}
}

func startOfAuthority(zone string) dns.RR {
	return &dns.SOA{
		Hdr: header(zone, dns.TypeSOA), Ns: "ns." + zone, Mbox: "hostmaster." + zone,
		Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: 0,
	}
}
