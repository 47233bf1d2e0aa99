package dns01_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

const tsigSecret = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

// nameserver is a DNS server on loopback: authoritative for its zones, with
// dynamic update, and a resolver for whoever asks it as one.
type nameserver struct {
	addr string

	mu       sync.Mutex
	zones    []string
	txt      map[string][]string
	cname    map[string]string
	frozen   bool // accepts updates, and goes on answering the old data
	stale    map[string][]string
	rcode    int  // of all answers
	truncate bool // over UDP
	updates  int
	tcp      int
}

func newNameserver(t testing.TB, zones ...string) *nameserver {
	n := &nameserver{zones: zones, txt: map[string][]string{}, cname: map[string]string{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n.addr = l.Addr().String()
	p, err := net.ListenPacket("udp", n.addr)
	require.NoError(t, err)
	secrets := map[string]string{"key.example.": tsigSecret}
	for _, s := range []*dns.Server{
		{Listener: l, TsigSecret: secrets, MsgAcceptFunc: accept},
		{PacketConn: p, TsigSecret: secrets, MsgAcceptFunc: accept},
	} {
		s.Handler = dns.HandlerFunc(n.serve)
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go func() { _ = s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return n
}

func accept(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }

func (n *nameserver) serve(w dns.ResponseWriter, q *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(q)
	m.Authoritative = true
	_, overUDP := w.LocalAddr().(*net.UDPAddr)
	if !overUDP {
		n.tcp++
	}
	switch {
	case q.Opcode == dns.OpcodeUpdate:
		if q.IsTsig() == nil || w.TsigStatus() != nil {
			m.Rcode = dns.RcodeNotAuth
			break
		}
		n.update(q)
		m.SetTsig("key.example.", dns.HmacSHA256, 300, int64(q.IsTsig().TimeSigned))
	case n.rcode != 0:
		m.Rcode = n.rcode
	case n.truncate && overUDP:
		m.Truncated = true
	default:
		n.answer(m, dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype)
	}
	_ = w.WriteMsg(m)
}

func (n *nameserver) update(q *dns.Msg) {
	n.updates++
	for _, rr := range q.Ns {
		t, ok := rr.(*dns.TXT)
		if !ok {
			continue
		}
		name, value := dns.CanonicalName(t.Hdr.Name), strings.Join(t.Txt, "")
		var kept []string
		for _, v := range n.txt[name] {
			if v != value {
				kept = append(kept, v)
			}
		}
		if t.Hdr.Class == dns.ClassINET {
			kept = append(kept, value)
		}
		n.txt[name] = kept
	}
}

func (n *nameserver) answer(m *dns.Msg, name string, typ uint16) {
	for typ != dns.TypeCNAME && n.cname[name] != "" {
		m.Answer = append(m.Answer, rr(name+" 60 CNAME "+n.cname[name]))
		name = n.cname[name]
	}
	var zone string
	for _, z := range n.zones {
		if dns.IsSubDomain(z, name) && len(z) > len(zone) {
			zone = z
		}
	}
	before := len(m.Answer)
	switch {
	case typ == dns.TypeCNAME && n.cname[name] != "":
		m.Answer = append(m.Answer, rr(name+" 60 CNAME "+n.cname[name]))
	case typ == dns.TypeTXT:
		data := n.txt
		if n.frozen {
			data = n.stale
		}
		for _, v := range data[name] {
			t := &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}}
			for ; len(v) > 255; v = v[255:] {
				t.Txt = append(t.Txt, v[:255])
			}
			t.Txt = append(t.Txt, v)
			m.Answer = append(m.Answer, t)
		}
	case typ == dns.TypeSOA && name == zone:
		m.Answer = append(m.Answer, rr(zone+" 60 SOA ns1."+zone+" admin."+zone+" 1 60 60 60 60"))
	case typ == dns.TypeNS && name == zone:
		m.Answer = append(m.Answer, rr(zone+" 60 NS ns1."+zone), rr(zone+" 60 NS ns2."+zone))
	case typ == dns.TypeA && strings.HasPrefix(name, "ns2."):
		m.Answer = append(m.Answer, rr(name+" 60 A 192.0.2.2"))
	case typ == dns.TypeA && strings.HasPrefix(name, "ns1."):
		m.Answer = append(m.Answer, rr(name+" 60 A 192.0.2.1"))
	case typ == dns.TypeA:
		m.Answer = append(m.Answer, rr(name+" 60 A 127.0.0.1"))
	}
	if len(m.Answer) == before && zone != "" {
		m.Ns = append(m.Ns, rr(zone+" 60 SOA ns1."+zone+" admin."+zone+" 1 60 60 60 60"))
	}
}

func rr(s string) dns.RR {
	r, err := dns.NewRR(s)
	if err != nil {
		panic(err)
	}
	return r
}

func (n *nameserver) values(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.txt[name]...)
}

func (n *nameserver) set(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// dialer sends what goes to 192.0.2.1 and 192.0.2.2 to the servers' real places.
func dialer(first, second *nameserver) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		switch address {
		case "192.0.2.1:53":
			address = first.addr
		case "192.0.2.2:53":
			address = second.addr
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}
