package validate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// RFC 1034, Section 5.3.3: what a stub resolver makes of answers.

// Exchanger answers one DNS question, as a recursive resolver does. It returns
// when ctx ends.
type Exchanger interface {
	Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error)
}

// Everywhere is an Exchanger within the process, for which every name has the
// given addresses and nothing else; without any, 127.0.0.1 and ::1.
func Everywhere(addrs ...netip.Addr) Exchanger {
	if len(addrs) == 0 {
		addrs = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return everywhere(addrs)
}

type everywhere []netip.Addr

func (e everywhere) Exchange(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetReply(q)
	for _, question := range q.Question {
		for _, a := range e {
			header := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: 1}
			switch a = a.Unmap(); {
			case question.Qtype == dns.TypeA && a.Is4():
				m.Answer = append(m.Answer, &dns.A{Hdr: header, A: a.AsSlice()})
			case question.Qtype == dns.TypeAAAA && a.Is6():
				m.Answer = append(m.Answer, &dns.AAAA{Hdr: header, AAAA: a.AsSlice()})
			}
		}
	}
	return m, nil
}

// NewDNS asks the resolver at address, "host:port" or a host at port 53: over
// TCP, as RFC 8555, Section 11.2, advises, and then twice over UDP. A nil dial is
// net.Dialer's.
func NewDNS(address string, dial Dialer) Exchanger {
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), "53")
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &network{address: address, dial: dial}
}

type network struct {
	address string
	dial    Dialer
}

func (n *network) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	var last error
	for _, try := range []struct {
		network string
		timeout time.Duration
	}{{"tcp", 5 * time.Second}, {"udp", 1500 * time.Millisecond}, {"udp", 3 * time.Second}} {
		m, err := n.once(ctx, try.network, try.timeout, q)
		if err == nil && m.Truncated {
			err = errors.New("the answer was cut off, and TCP gave none")
		}
		if err == nil {
			return m, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func (n *network) once(ctx context.Context, network string, timeout time.Duration, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := n.dial(ctx, network, n.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &dns.Client{Net: network, Timeout: timeout}
	m, _, err := c.ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: conn, UDPSize: udpSize})
	return m, err
}

// udpSize is what DNS flag day 2020 recommends to announce.
const udpSize = 1232

// dnsError is a question without an answer.
type dnsError struct {
	name  string
	typ   uint16
	rcode int   // NXDOMAIN, SERVFAIL, ...
	err   error // or no answer at all
}

func (e *dnsError) Error() string {
	what := fmt.Sprintf("looking up %s for %s", dns.Type(e.typ), strings.TrimSuffix(e.name, "."))
	switch {
	case e.err != nil && isTimeout(e.err):
		return "DNS problem: query timed out " + what
	case e.err != nil:
		return fmt.Sprintf("DNS problem: %s: %v", what, e.err)
	case e.rcode == dns.RcodeNameError:
		return fmt.Sprintf("DNS problem: NXDOMAIN %s - check that a DNS record exists for this domain", what)
	}
	return fmt.Sprintf("DNS problem: %s %s - the domain's nameservers may be malfunctioning", rcodeName(e.rcode), what)
}

func (e *dnsError) Unwrap() error { return e.err }

func (e *dnsError) problem() *Problem { return &Problem{Type: DNS, Detail: e.Error(), Err: e} }

func rcodeName(rcode int) string {
	if s, ok := dns.RcodeToString[rcode]; ok {
		return s
	}
	return fmt.Sprintf("RCODE%d", rcode)
}

// The limits of following aliases: within one answer, and from answer to answer.
const (
	maxAliases = 16
	maxAsks    = 8
)

// query is the records of one type at the end of a name's aliases. None is not
// an error.
func (l *look) query(ctx context.Context, name string, typ uint16) ([]dns.RR, *dnsError) {
	asked := dns.CanonicalName(name)
	current := asked
	for range maxAsks {
		q := new(dns.Msg)
		q.SetQuestion(current, typ)
		q.SetEdns0(udpSize, false)
		m, err := l.DNS.Exchange(ctx, q)
		if err == nil {
			err = answers(m, q)
		}
		if err != nil {
			return nil, &dnsError{name: asked, typ: typ, err: err}
		}
		found, end := follow(m.Answer, current, typ)
		switch {
		case len(found) > 0:
			return found, nil
		case m.Rcode != dns.RcodeSuccess:
			return nil, &dnsError{name: asked, typ: typ, rcode: m.Rcode}
		case end == current:
			return nil, nil
		case end == "":
			return nil, &dnsError{name: asked, typ: typ, err: errors.New("too many aliases")}
		}
		current = end
	}
	return nil, &dnsError{name: asked, typ: typ, err: errors.New("too many aliases")}
}

// answers checks that m is about q.
func answers(m, q *dns.Msg) error {
	switch {
	case m == nil || !m.Response || m.Opcode != dns.OpcodeQuery:
		return errors.New("the server's message is not an answer")
	case len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess: // an error may leave it out
		return nil
	case len(m.Question) != 1 || m.Question[0].Qtype != q.Question[0].Qtype || dns.CanonicalName(m.Question[0].Name) != q.Question[0].Name:
		return errors.New("the server answers another question")
	}
	return nil
}

// follow goes along the aliases within one answer, and returns the records of
// the type at their end, and the end, which is empty when there are too many.
func follow(answer []dns.RR, name string, typ uint16) (found []dns.RR, end string) {
	aliases, records := map[string]string{}, map[string][]dns.RR{}
	for _, rr := range answer {
		owner := dns.CanonicalName(rr.Header().Name)
		if c, ok := rr.(*dns.CNAME); ok {
			aliases[owner] = dns.CanonicalName(c.Target)
		}
		if rr.Header().Rrtype == typ {
			records[owner] = append(records[owner], rr)
		}
	}
	for range maxAliases {
		if list := records[name]; len(list) > 0 {
			return list, name
		}
		next, ok := aliases[name]
		if !ok {
			return nil, name
		}
		name = next
	}
	return nil, ""
}

// addresses are those of a host, IPv6 first, at least one.
func (l *look) addresses(ctx context.Context, host string) ([]netip.Addr, *Problem) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	type reply struct {
		rrs []dns.RR
		err *dnsError
	}
	ask := func(typ uint16) <-chan reply {
		c := make(chan reply, 1)
		go func() {
			rrs, err := l.query(ctx, host, typ)
			c <- reply{rrs, err}
		}()
		return c
	}
	six, four := ask(dns.TypeAAAA), ask(dns.TypeA)
	r6, r4 := <-six, <-four
	var list []netip.Addr
	for _, rr := range append(r6.rrs, r4.rrs...) {
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.AAAA:
			ip = rr.AAAA
		case *dns.A:
			ip = rr.A.To4()
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			list = append(list, a.Unmap())
		}
	}
	switch {
	case len(list) > 0:
		return list, nil
	case r4.err != nil:
		return nil, r4.err.problem()
	case r6.err != nil:
		return nil, r6.err.problem()
	}
	return nil, problem(DNS, "no valid A records found for %s; no valid AAAA records found for %[1]s", host)
}

// preferred is the addresses to try, in order: the first IPv6 one if there is
// one, then the first IPv4 one (as RFC 8555 leaves open and Boulder does).
func preferred(addrs []netip.Addr) []netip.Addr {
	var six, four []netip.Addr
	for _, a := range addrs {
		if a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	return append(six[:min(1, len(six)):min(1, len(six))], four[:min(1, len(four))]...)
}

func texts(addrs []netip.Addr) []string {
	var list []string
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return list
}

// text is the value of a TXT record, its strings joined, as the octets that
// they are.
func text(t *dns.TXT) string {
	var b strings.Builder
	for _, s := range t.Txt {
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] != '\\' || i+1 == len(s):
				b.WriteByte(s[i])
			case i+3 < len(s) && digit(s[i+1]) && digit(s[i+2]) && digit(s[i+3]):
				b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + s[i+3] - '0')
				i += 3
			default:
				i++
				b.WriteByte(s[i])
			}
		}
	}
	return b.String()
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
