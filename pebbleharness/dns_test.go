package pebbleharness

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

func newDNS(t *testing.T) *DNS {
	d, err := startDNS()
	require.NoError(t, err)
	t.Cleanup(d.close)
	return d
}

// ask asks over both transports, which must agree, and returns the data of the
// answer's records.
func ask(t *testing.T, d *DNS, name string, kind uint16) (rcode int, data []string) {
	t.Helper()
	for _, network := range []string{"tcp", "udp"} {
		var got []string
		c := dns.Client{Net: network}
		reply, _, err := c.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion(dns.Fqdn(name), kind), d.Addr())
		require.NoError(t, err)
		for _, rr := range reply.Answer {
			fields := strings.SplitN(rr.String(), "\t", 5)
			got = append(got, fields[3]+" "+fields[4])
		}
		if network == "udp" {
			require.Equal(t, data, got)
			require.Equal(t, rcode, reply.Rcode)
		}
		rcode, data = reply.Rcode, got
	}
	return rcode, data
}

func TestNamesResolveToLoopbackUnlessToldOtherwise(t *testing.T) {
	d := newDNS(t)
	addr := netip.MustParseAddr
	long := strings.Repeat("x", 300)
	for _, step := range []struct {
		does string
		do   func()
		name string
		kind uint16
		want []string
	}{
		{"default A", func() {}, "any.example", dns.TypeA, []string{"A 127.0.0.1"}},
		{"no default AAAA", func() {}, "any.example", dns.TypeAAAA, nil},
		{"no default TXT", func() {}, "any.example", dns.TypeTXT, nil},
		{"set A", func() { d.SetA("a.example", addr("127.0.0.2"), addr("127.0.0.3")) }, "A.Example", dns.TypeA, []string{"A 127.0.0.2", "A 127.0.0.3"}},
		{"set no A", func() { d.SetA("a.example.") }, "a.example", dns.TypeA, nil},
		{"clear A", func() { d.Clear("a.example", A) }, "a.example", dns.TypeA, []string{"A 127.0.0.1"}},
		{"set AAAA", func() { d.SetAAAA("a.example", addr("::1")) }, "a.example", dns.TypeAAAA, []string{"AAAA ::1"}},
		{"clear AAAA", func() { d.Clear("a.example", AAAA) }, "a.example", dns.TypeAAAA, nil},
		{"set TXT", func() { d.SetTXT("_acme-challenge.a.example", "one", "two") }, "_acme-challenge.a.example", dns.TypeTXT, []string{`TXT "one"`, `TXT "two"`}},
		{"add TXT", func() { d.AddTXT("_acme-challenge.a.example", "three") }, "_acme-challenge.a.example", dns.TypeTXT, []string{`TXT "one"`, `TXT "two"`, `TXT "three"`}},
		{"long TXT", func() { d.SetTXT("long.example", long) }, "long.example", dns.TypeTXT, []string{`TXT "` + long[:255] + `" "` + long[255:] + `"`}},
		{"clear TXT", func() { d.Clear("_acme-challenge.a.example") }, "_acme-challenge.a.example", dns.TypeTXT, nil},
		{"follow CNAME", func() { d.SetCNAME("alias.example", "target.example"); d.SetTXT("target.example", "there") }, "alias.example", dns.TypeTXT, []string{"CNAME target.example.", `TXT "there"`}},
		{"CNAME to the default", func() {}, "alias.example", dns.TypeA, []string{"CNAME target.example.", "A 127.0.0.1"}},
		{"clear CNAME", func() { d.Clear("alias.example", CNAME) }, "alias.example", dns.TypeA, []string{"A 127.0.0.1"}},
		{"set CAA", func() { d.SetCAA("a.example", CAARecord{true, "issue", "ca.example"}) }, "a.example", dns.TypeCAA, []string{`CAA 128 issue "ca.example"`}},
		{"clear CAA", func() { d.Clear("a.example", CAA) }, "a.example", dns.TypeCAA, nil},
		{"set MX", func() { d.SetMX("a.example", MXRecord{10, "mail.example"}) }, "a.example", dns.TypeMX, []string{"MX 10 mail.example."}},
		{"clear MX", func() { d.Clear("a.example", MX) }, "a.example", dns.TypeMX, nil},
		{"zone's SOA", func() {}, "a.example", dns.TypeSOA, []string{"SOA ns.a.example. hostmaster.a.example. 1 3600 600 86400 0"}},
		{"no SOA below", func() {}, "www.a.example", dns.TypeSOA, nil},
		{"zone's NS", func() {}, "a.example", dns.TypeNS, []string{"NS ns.a.example."}},
		{"other default", func() { d.SetDefault(addr("127.0.0.9"), addr("::1")) }, "any.example", dns.TypeAAAA, []string{"AAAA ::1"}},
		{"no default", func() { d.SetDefault(netip.Addr{}, netip.Addr{}) }, "any.example", dns.TypeA, nil},
	} {
		step.do()
		rcode, got := ask(t, d, step.name, step.kind)
		require.Equal(t, dns.RcodeSuccess, rcode, step.does)
		require.Equal(t, step.want, got, step.does)
	}
}

func TestServFail(t *testing.T) {
	d := newDNS(t)
	d.SetCNAME("alias.example", "broken.example")
	for _, clear := range []func(){func() { d.Clear("broken.example", ServFail) }, func() { d.Clear("broken.example") }} {
		d.SetServFail("broken.example")
		for _, name := range []string{"broken.example", "alias.example"} {
			rcode, _ := ask(t, d, name, dns.TypeA)
			require.Equal(t, dns.RcodeServerFailure, rcode, name)
		}
		clear()
		rcode, got := ask(t, d, "broken.example", dns.TypeA)
		require.Equal(t, dns.RcodeSuccess, rcode)
		require.Equal(t, []string{"A 127.0.0.1"}, got)
	}
}

func TestAliasesInACircleEnd(t *testing.T) {
	d := newDNS(t)
	d.SetCNAME("a.example", "b.example")
	d.SetCNAME("b.example", "a.example")
	rcode, got := ask(t, d, "a.example", dns.TypeTXT)
	require.Equal(t, dns.RcodeSuccess, rcode)
	require.Len(t, got, longestAlias)
}

func TestDNSIsChangedWhileItAnswers(t *testing.T) {
	d := newDNS(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				d.AddTXT("a.example", "x")
				ask(t, d, "b.example", dns.TypeA)
				d.Clear("a.example")
			}
		})
	}
	all.Wait()
}

func TestQuestionsThatAreNone(t *testing.T) {
	d := newDNS(t)
	reply, err := dns.Exchange(new(dns.Msg), d.Addr())
	require.NoError(t, err)
	require.Equal(t, dns.RcodeFormatError, reply.Rcode)
}
