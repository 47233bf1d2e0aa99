package dns01

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// RFC2136 is a Provider by dynamic update (RFC 2136), signed by TSIG
// (RFC 8945) when a key is given.
type RFC2136 struct {
	Server string // the primary, "192.0.2.1" or "ns.example:53"

	KeyName   string // TSIG key; empty: unsigned
	Secret    string // base64
	Algorithm string // default "hmac-sha256"

	// Dial connects over "tcp"; default: net.Dialer.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Timeout time.Duration // for one update; default ten seconds
}

// Append implements Provider.
func (p *RFC2136) Append(ctx context.Context, r Record) error {
	return p.update(ctx, r, (*dns.Msg).Insert)
}

// Remove implements Provider.
func (p *RFC2136) Remove(ctx context.Context, r Record) error {
	return p.update(ctx, r, (*dns.Msg).Remove)
}

// Check implements challenge.Checker: it looks at the settings alone.
func (p *RFC2136) Check(context.Context) error {
	if p.Server == "" {
		return errors.New("rfc2136: no server given")
	}
	if p.KeyName == "" {
		return nil
	}
	if secret, err := base64.StdEncoding.DecodeString(p.Secret); err != nil || len(secret) == 0 {
		return fmt.Errorf("rfc2136: the secret of TSIG key %q is not base64", p.KeyName)
	}
	switch p.algorithm() {
	case dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512:
		return nil
	}
	return fmt.Errorf("rfc2136: TSIG algorithm %q is not one of hmac-sha1, -sha224, -sha256, -sha384, -sha512", p.Algorithm)
}

func (p *RFC2136) algorithm() string {
	if p.Algorithm == "" {
		return dns.HmacSHA256
	}
	return dns.CanonicalName(p.Algorithm)
}

// update goes over TCP: a lost datagram would leave open whether it was done.
func (p *RFC2136) update(ctx context.Context, r Record, edit func(*dns.Msg, []dns.RR)) error {
	if err := p.Check(ctx); err != nil {
		return err
	}
	m := new(dns.Msg)
	m.SetUpdate(r.Zone)
	edit(m, []dns.RR{&dns.TXT{
		Hdr: dns.RR_Header{Name: r.Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: uint32(r.TTL / time.Second)},
		Txt: chunks(r.Value),
	}})
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	c := &dns.Client{Net: "tcp", Timeout: timeout}
	if p.KeyName != "" {
		name := dns.CanonicalName(p.KeyName)
		c.TsigSecret = map[string]string{name: p.Secret}
		m.SetTsig(name, p.algorithm(), 300, time.Now().Unix())
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dial := p.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	address := withPorts([]string{p.Server})[0]
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("rfc2136: server %s: %w", address, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answer, _, err := c.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: conn})
	if err != nil {
		return fmt.Errorf("rfc2136: update of %s at %s: %w", r.Zone, address, err)
	}
	if answer.Rcode != dns.RcodeSuccess {
		return fmt.Errorf("rfc2136: server %s answers %s to the update of %s: check the TSIG key and that it may change %s",
			address, dns.RcodeToString[answer.Rcode], r.Zone, r.Name)
	}
	return nil
}

// chunks cuts a value into strings of at most 255 octets.
func chunks(value string) []string {
	var list []string
	for len(value) > 255 {
		list, value = append(list, strings.Clone(value[:255])), value[255:]
	}
	return append(list, value)
}
