package dns01

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// DNS tells how to ask the DNS. The zero value asks the resolvers that
// /etc/resolv.conf names; elsewhere Resolvers is required.
type DNS struct {
	Resolvers []string // recursive resolvers, "192.0.2.1" or "192.0.2.1:53"

	// Nameservers, where set, are asked for propagation instead of those that
	// the zone's NS records name: a hidden primary, a split horizon.
	Nameservers []string

	// Dial connects over "udp" and "tcp"; default: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	QueryTimeout time.Duration // for one question; default five seconds
}

const maxCNAMEs = 10 // a chain longer than this is an error

func (d DNS) resolvers() ([]string, error) {
	if len(d.Resolvers) > 0 {
		return withPorts(d.Resolvers), nil
	}
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil, fmt.Errorf("no resolver given and none found: %w", err)
	}
	if len(conf.Servers) == 0 {
		return nil, errors.New("no resolver given and none in /etc/resolv.conf")
	}
	var list []string
	for _, s := range conf.Servers {
		list = append(list, net.JoinHostPort(s, conf.Port))
	}
	return list, nil
}

func withPorts(addresses []string) []string {
	var list []string
	for _, a := range addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			a = net.JoinHostPort(strings.Trim(a, "[]"), "53")
		}
		list = append(list, a)
	}
	return list
}

// exchange asks one server over UDP, and over TCP when the answer is truncated.
func (d DNS) exchange(ctx context.Context, m *dns.Msg, server string) (*dns.Msg, error) {
	answer, err := d.over(ctx, "udp", m, server)
	if err == nil && !answer.Truncated {
		return answer, nil
	}
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	// Truncated, or UDP is filtered on the way.
	if byTCP, tcpErr := d.over(ctx, "tcp", m, server); tcpErr == nil {
		return byTCP, nil
	} else if err == nil {
		return nil, fmt.Errorf("answer over UDP is truncated, and over TCP: %w", tcpErr)
	}
	return nil, err
}

func (d DNS) over(ctx context.Context, network string, m *dns.Msg, server string) (*dns.Msg, error) {
	timeout := d.QueryTimeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dial := d.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &dns.Client{Net: network, Timeout: timeout}
	answer, _, err := c.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: conn, UDPSize: 1232})
	if err != nil {
		return nil, err
	}
	if len(answer.Question) != 1 || !strings.EqualFold(answer.Question[0].Name, m.Question[0].Name) || answer.Question[0].Qtype != m.Question[0].Qtype {
		return nil, errors.New("the answer is to another question")
	}
	return answer, nil
}

func question(name string, typ uint16, recurse bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, typ)
	m.RecursionDesired = recurse
	m.SetEdns0(1232, false)
	return m
}

// ask asks the resolvers in turn for an answer that says yes or no.
func (d DNS) ask(ctx context.Context, name string, typ uint16) (*dns.Msg, error) {
	servers, err := d.resolvers()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, server := range servers {
		answer, err := d.exchange(ctx, question(name, typ, true), server)
		if err == nil && answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
			err = fmt.Errorf("answered %s", dns.RcodeToString[answer.Rcode])
		}
		if err == nil {
			return answer, nil
		}
		errs = append(errs, fmt.Errorf("resolver %s: %w", server, err))
	}
	return nil, fmt.Errorf("asking for %s %s: %w", dns.TypeToString[typ], name, errors.Join(errs...))
}

// follow goes along CNAME records to where the TXT record has to be.
func (d DNS) follow(ctx context.Context, name string) (string, error) {
	seen := []string{name}
	for {
		answer, err := d.ask(ctx, name, dns.TypeCNAME)
		if err != nil {
			return "", err
		}
		target := ""
		for _, rr := range answer.Answer {
			if c, ok := rr.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, name) {
				target = dns.CanonicalName(c.Target)
			}
		}
		if target == "" {
			return name, nil
		}
		if slices.Contains(seen, target) {
			return "", fmt.Errorf("CNAME records go in a circle: %s", strings.Join(append(seen, target), " -> "))
		}
		if len(seen) > maxCNAMEs {
			return "", fmt.Errorf("more than %d CNAME records from %s", maxCNAMEs, seen[0])
		}
		seen, name = append(seen, target), target
	}
}

// zone is the closest name at or above name with a SOA record.
func (d DNS) zone(ctx context.Context, name string) (string, error) {
	for at := name; at != "." && at != ""; {
		answer, err := d.ask(ctx, at, dns.TypeSOA)
		if err != nil {
			return "", fmt.Errorf("finding the zone of %s: %w", name, err)
		}
		for _, rr := range append(answer.Answer, answer.Ns...) {
			owner := dns.CanonicalName(rr.Header().Name)
			if rr.Header().Rrtype == dns.TypeSOA && owner != "." && dns.IsSubDomain(owner, name) {
				return owner, nil
			}
		}
		next, end := dns.NextLabel(at, 0)
		if end {
			break
		}
		at = at[next:]
	}
	return "", fmt.Errorf("no zone found for %s: no SOA record there or above", name)
}

// server is one authoritative server with all its addresses.
type server struct {
	name      string
	addresses []string
}

func (d DNS) authoritative(ctx context.Context, zone string) ([]server, error) {
	var list []server
	for _, a := range withPorts(d.Nameservers) {
		list = append(list, server{name: a, addresses: []string{a}})
	}
	if len(list) > 0 {
		return list, nil
	}
	answer, err := d.ask(ctx, zone, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	for _, rr := range answer.Answer {
		if ns, ok := rr.(*dns.NS); ok && strings.EqualFold(ns.Hdr.Name, zone) {
			host := dns.CanonicalName(ns.Ns)
			addresses, err := d.addresses(ctx, host)
			if err != nil {
				return nil, err
			}
			list = append(list, server{name: host, addresses: addresses})
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("zone %s has no NS records", zone)
	}
	return list, nil
}

func (d DNS) addresses(ctx context.Context, host string) ([]string, error) {
	var list []string
	var errs []error
	for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := d.ask(ctx, host, typ)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, rr := range answer.Answer {
			switch a := rr.(type) {
			case *dns.A:
				list = append(list, net.JoinHostPort(a.A.String(), "53"))
			case *dns.AAAA:
				list = append(list, net.JoinHostPort(a.AAAA.String(), "53"))
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("nameserver %s has no address: %w", host, errors.Join(errs...))
	}
	return list, nil
}
