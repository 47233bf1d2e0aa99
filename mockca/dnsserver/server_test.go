package dnsserver_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// ask sends one question over a network and returns the answer.
func ask(t testing.TB, s *dnsserver.Server, network, name string, typ uint16) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), typ)
	if network == "process" {
		r, err := s.Exchange(t.Context(), m)
		require.NoError(t, err)
		return r
	}
	c := &dns.Client{Net: network, Timeout: 10 * time.Second}
	r, _, err := c.ExchangeContext(t.Context(), m, s.Addr())
	require.NoError(t, err)
	return r
}

// answers are the records of an answer, without TTL and class.
func answers(m *dns.Msg) []string {
	list := []string{}
	for _, rr := range m.Answer {
		f := strings.Fields(rr.String())
		list = append(list, strings.Join(append([]string{f[0], f[3]}, f[4:]...), " "))
	}
	return list
}

func TestEveryNameIsAnswered(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{Zones: []string{"example.co.uk"}})
	require.NoError(t, s.Add(
		"set.example. A 192.0.2.1", "set.example. 60 IN AAAA 2001:db8::1", "only4.example. A 192.0.2.4",
		"alias.example. CNAME alias2.example.", "alias2.example. CNAME set.example.", "loop.example. CNAME loop.example.",
		`set.example. CAA 0 issue "ca.example"`, "set.example. MX 10 mail.example.", "set.example. TXT one", `set.example. TXT "two words"`,
		"*.wild.example. TXT any", "here.wild.example. A 192.0.2.9", "own.zone.example. SOA ns.zone.example. me.zone.example. 7 1 1 1 1",
	))
	for name, tc := range map[string]struct {
		name string
		typ  uint16
		want []string
	}{
		"default address":           {"whatever.example", dns.TypeA, []string{"whatever.example. A 127.0.0.1"}},
		"default IPv6 address":      {"whatever.example", dns.TypeAAAA, []string{"whatever.example. AAAA ::1"}},
		"address set":               {"set.example", dns.TypeA, []string{"set.example. A 192.0.2.1"}},
		"no default beside another": {"only4.example", dns.TypeAAAA, []string{}},
		"case of the question":      {"SeT.ExAmPlE", dns.TypeA, []string{"SeT.ExAmPlE. A 192.0.2.1"}},
		"alias of an alias":         {"alias.example", dns.TypeAAAA, []string{"alias.example. CNAME alias2.example.", "alias2.example. CNAME set.example.", "set.example. AAAA 2001:db8::1"}},
		"the alias itself":          {"alias.example", dns.TypeCNAME, []string{"alias.example. CNAME alias2.example."}},
		"CAA":                       {"set.example", dns.TypeCAA, []string{`set.example. CAA 0 issue "ca.example"`}},
		"MX":                        {"set.example", dns.TypeMX, []string{"set.example. MX 10 mail.example."}},
		"several TXT":               {"set.example", dns.TypeTXT, []string{`set.example. TXT "one"`, `set.example. TXT "two words"`}},
		"no such type":              {"whatever.example", dns.TypeTXT, []string{}},
		"wildcard":                  {"a.b.wild.example", dns.TypeTXT, []string{`a.b.wild.example. TXT "any"`}},
		"beside a wildcard":         {"here.wild.example", dns.TypeTXT, []string{}},
		"wildcard further up":       {"a.here.wild.example", dns.TypeTXT, []string{}},
		"NS of the apex":            {"a.example", dns.TypeNS, []string{"a.example. NS ns1.a.example."}},
		"NS below the apex":         {"b.a.example", dns.TypeNS, []string{}},
		"SOA below the apex":        {"_acme-challenge.b.a.example", dns.TypeSOA, []string{}},
		"SOA set":                   {"own.zone.example", dns.TypeSOA, []string{"own.zone.example. SOA ns.zone.example. me.zone.example. 7 1 1 1 1"}},
	} {
		for _, network := range []string{"udp", "tcp", "process"} {
			t.Run(name+" "+network, func(t *testing.T) {
				m := ask(t, s, network, tc.name, tc.typ)
				require.Equal(t, dns.RcodeSuccess, m.Rcode)
				require.True(t, m.Authoritative)
				require.Equal(t, tc.want, answers(m))
				if len(tc.want) == 0 {
					require.Len(t, m.Ns, 1, "the zone")
				}
			})
		}
	}
	loop := ask(t, s, "udp", "loop.example", dns.TypeA)
	require.NotEmpty(t, loop.Answer)
	require.LessOrEqual(t, len(loop.Answer), 16)
	require.Equal(t, dns.RcodeRefused, ask(t, s, "tcp", "set.example", dns.TypeAXFR).Rcode)
	require.Len(t, ask(t, s, "tcp", "set.example", dns.TypeANY).Answer, 6)
}

func TestZoneIsFoundBySOA(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{Zones: []string{"Example.co.uk", "deep.a.example"}})
	for name, zone := range map[string]string{
		"_acme-challenge.www.b.example": "b.example.", "b.example": "b.example.", "example": "example.",
		"x.example.co.uk": "example.co.uk.", "other.co.uk": "co.uk.", "x.deep.a.example": "deep.a.example.", "x.a.example": "a.example.", "": ".",
	} {
		m := ask(t, s, "udp", name, dns.TypeSOA)
		soa := append(m.Answer, m.Ns...)
		require.Len(t, soa, 1, name)
		require.Equal(t, zone, soa[0].Header().Name, name)
		require.Equal(t, dns.Fqdn(name) == zone, len(m.Answer) == 1, "in the answer at the apex alone: %s", name)
	}
}

func TestNamesWithoutAnythingDontExistWithoutDefaults(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{NoDefaults: true})
	require.NoError(t, s.Add("a.b.c.example. A 192.0.2.1"))
	for name, want := range map[string]int{"a.b.c.example": 0, "b.c.example": 0, "x.c.example": dns.RcodeNameError, "c.example": 0, "d.example": 0, "x.d.example": dns.RcodeNameError} {
		require.Equal(t, want, ask(t, s, "process", name, dns.TypeTXT).Rcode, name)
	}
	s.SetDefaults(netip.MustParseAddr("192.0.2.7"), netip.Addr{})
	v4, v6 := s.Defaults()
	require.Equal(t, "192.0.2.7", v4.String())
	require.False(t, v6.IsValid())
	require.Equal(t, []string{"x.d.example. A 192.0.2.7"}, answers(ask(t, s, "process", "x.d.example", dns.TypeA)))
	require.Empty(t, answers(ask(t, s, "process", "x.d.example", dns.TypeAAAA)))
	require.Equal(t, dns.RcodeSuccess, ask(t, s, "process", "x.d.example", dns.TypeAAAA).Rcode, "it exists")
	s.Reset()
	require.Equal(t, dns.RcodeNameError, ask(t, s, "process", "x.d.example", dns.TypeA).Rcode)
}

func TestRecordsAreChangedFromGo(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{})
	txt := func() []string { return answers(ask(t, s, "process", "a.example", dns.TypeTXT)) }
	s.SetTXT("A.example", "one", `q"uo\te`)
	require.Equal(t, []string{`a.example. TXT "one"`, `a.example. TXT "q\"uo\\te"`}, txt())
	s.AddTXT("a.example.", "two", "one")
	require.Len(t, txt(), 3, "the one that is there is not added")
	s.RemoveTXT("a.example", `q"uo\te`, "two", "none")
	require.Equal(t, []string{`a.example. TXT "one"`}, txt())
	s.RemoveTXT("a.example", "one")
	require.Empty(t, s.Records())

	long := strings.Repeat("x", 600)
	s.SetTXT("a.example", long)
	got := ask(t, s, "process", "a.example", dns.TypeTXT).Answer[0].(*dns.TXT)
	require.Len(t, got.Txt, 3)
	require.Equal(t, long, strings.Join(got.Txt, ""))

	s.SetA("a.example", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.2"), netip.MustParseAddr("2001:db8::1"))
	s.AddA("a.example", netip.MustParseAddr("2001:db8::2"), netip.Addr{})
	require.Len(t, ask(t, s, "process", "a.example", dns.TypeA).Answer, 2)
	require.Len(t, ask(t, s, "process", "a.example", dns.TypeAAAA).Answer, 2)
	s.SetA("a.example")
	require.Equal(t, []string{"a.example. A 127.0.0.1"}, answers(ask(t, s, "process", "a.example", dns.TypeA)))

	s.SetCAA("a.example", dnsserver.CAA{Flag: 128, Tag: "issue", Value: "ca.example; accounturi=x"}, dnsserver.CAA{Tag: "iodef", Value: "mailto:a"})
	require.Equal(t, []string{`a.example. CAA 128 issue "ca.example; accounturi=x"`, `a.example. CAA 0 iodef "mailto:a"`}, answers(ask(t, s, "process", "a.example", dns.TypeCAA)))
	s.SetMX("a.example", "m1.example", "m2.example")
	require.Equal(t, []string{"a.example. MX 10 m1.example.", "a.example. MX 20 m2.example."}, answers(ask(t, s, "process", "a.example", dns.TypeMX)))
	s.SetNS("a.example", "n1.example")
	require.Equal(t, []string{"a.example. NS n1.example."}, answers(ask(t, s, "process", "a.example", dns.TypeNS)))
	require.NoError(t, s.Set("a.example. MX 5 m3.example."))
	require.Equal(t, []string{"a.example. MX 5 m3.example."}, answers(ask(t, s, "process", "a.example", dns.TypeMX)))
	s.Clear("a.example", "mx", "NS")
	require.Len(t, s.Records(), 3)
	s.SetCNAME("a.example", "b.example")
	require.Equal(t, []string{"a.example.\t1\tIN\tCNAME\tb.example."}, s.Records())
	s.SetCNAME("a.example", "")
	require.Empty(t, s.Records())

	require.ErrorContains(t, s.Add("a.example. A 192.0.2.1", "what is this"), "what is this")
	require.Error(t, s.Set("a.example. A x"))
	require.Empty(t, s.Records(), "all or none")
	s.SetTXT(strings.Repeat("a", 64)+".example", "a label too long")
	s.SetTXT("a..example", "an empty label")
	require.Empty(t, s.Records())
}

func TestSerialCountsChanges(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{})
	serial := func() uint32 { return ask(t, s, "process", "a.example", dns.TypeSOA).Answer[0].(*dns.SOA).Serial }
	before := serial()
	s.SetTXT("b.example", "x")
	require.Greater(t, serial(), before)
}

func TestLongAnswersAreCutOverUDP(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{})
	s.SetTXT("a.example", strings.Repeat("x", 250), strings.Repeat("y", 250), strings.Repeat("z", 250))
	require.True(t, ask(t, s, "udp", "a.example", dns.TypeTXT).Truncated)
	require.Len(t, ask(t, s, "tcp", "a.example", dns.TypeTXT).Answer, 3)
	m := new(dns.Msg)
	m.SetQuestion("a.example.", dns.TypeTXT)
	m.SetEdns0(1232, true)
	r, _, err := new(dns.Client).ExchangeContext(t.Context(), m, s.Addr())
	require.NoError(t, err)
	require.Len(t, r.Answer, 3)
	require.NotNil(t, r.IsEdns0())
}

func TestBehaviorsMakeNamesIll(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{})
	s.SetBehavior("fail.example", dnsserver.Behavior{Rcode: dns.RcodeServerFailure})
	s.SetBehavior("caa.example", dnsserver.Behavior{Rcode: dns.RcodeRefused, Types: []string{"CAA"}})
	s.SetBehavior("drop.example", dnsserver.Behavior{Drop: true})
	s.SetBehavior("late.example", dnsserver.Behavior{Latency: 80 * time.Millisecond})
	s.SetBehavior("cut.example", dnsserver.Behavior{Truncate: true})

	require.Equal(t, dns.RcodeServerFailure, ask(t, s, "udp", "Fail.example", dns.TypeA).Rcode)
	require.Equal(t, dns.RcodeRefused, ask(t, s, "udp", "caa.example", dns.TypeCAA).Rcode)
	require.Len(t, ask(t, s, "udp", "caa.example", dns.TypeA).Answer, 1)
	for _, network := range []string{"udp", "tcp"} {
		c := &dns.Client{Net: network, Timeout: 50 * time.Millisecond}
		m := new(dns.Msg)
		m.SetQuestion("drop.example.", dns.TypeA)
		_, _, err := c.Exchange(m, s.Addr())
		require.Error(t, err, network)
		require.Equal(t, network, s.Queries("drop.example")[len(s.Queries("drop.example"))-1].Network)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	m := new(dns.Msg)
	m.SetQuestion("drop.example.", dns.TypeA)
	_, err := s.Exchange(ctx, m)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	begun := time.Now()
	require.Len(t, ask(t, s, "udp", "late.example", dns.TypeA).Answer, 1)
	require.GreaterOrEqual(t, time.Since(begun), 80*time.Millisecond)
	require.True(t, ask(t, s, "udp", "cut.example", dns.TypeA).Truncated)
	require.Len(t, ask(t, s, "tcp", "cut.example", dns.TypeA).Answer, 1)

	s.SetBehavior("", dnsserver.Behavior{Rcode: dns.RcodeNameError})
	require.Equal(t, dns.RcodeNameError, ask(t, s, "udp", "other.example", dns.TypeA).Rcode)
	require.Equal(t, dns.RcodeServerFailure, ask(t, s, "udp", "fail.example", dns.TypeA).Rcode, "its own goes before")
	s.ClearBehavior(".")
	s.ClearBehavior("fail.example")
	require.Len(t, ask(t, s, "udp", "fail.example", dns.TypeA).Answer, 1)
}

func TestQueriesAreRecorded(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{})
	ask(t, s, "udp", "A.example", dns.TypeTXT)
	ask(t, s, "process", "b.example", dns.TypeA)
	all := s.Queries()
	require.Len(t, all, 2)
	require.Equal(t, "a.example", all[0].Name)
	require.Equal(t, "TXT", all[0].Type)
	require.Equal(t, "udp", all[0].Network)
	require.NotEmpty(t, all[0].Remote)
	require.False(t, all[0].Time.IsZero())
	asked := []string{"B.example."}
	require.Len(t, s.Queries(asked...), 1)
	require.Equal(t, []string{"B.example."}, asked)
	s.ClearQueries()
	require.Empty(t, s.Queries())
	for range 10_050 {
		ask(t, s, "process", "a.example", dns.TypeA)
	}
	ask(t, s, "process", "last.example", dns.TypeA)
	all = s.Queries()
	require.Len(t, all, 10_000, "the newest are kept")
	require.Equal(t, "last.example", all[len(all)-1].Name)
}

func TestUnreadableMessagesAreAnsweredWithFormErrOrNotAtAll(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{})
	c, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	header := []byte{0x12, 0x34, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0} // nine questions that are not there
	twoQuestions := new(dns.Msg)
	twoQuestions.SetQuestion("a.example.", dns.TypeA)
	twoQuestions.Question = append(twoQuestions.Question, twoQuestions.Question[0])
	two, err := twoQuestions.Pack()
	require.NoError(t, err)
	notify := new(dns.Msg)
	notify.SetNotify("a.example.")
	note, err := notify.Pack()
	require.NoError(t, err)
	for _, tc := range []struct {
		raw   []byte
		rcode int // below zero: no answer
	}{{[]byte{1, 2, 3}, -1}, {append([]byte{0x12, 0x34, 0x81}, header[3:]...), -1}, {header, dns.RcodeFormatError}, {two, dns.RcodeFormatError}, {note, dns.RcodeNotImplemented}} {
		_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(tc.raw))), tc.raw...))
		require.NoError(t, err)
		if tc.rcode < 0 {
			continue
		}
		var length [2]byte
		_, err = io.ReadFull(c, length[:])
		require.NoError(t, err)
		answer := make([]byte, binary.BigEndian.Uint16(length[:]))
		_, err = io.ReadFull(c, answer)
		require.NoError(t, err)
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(answer))
		require.Equal(t, tc.rcode, m.Rcode)
		require.Equal(t, binary.BigEndian.Uint16(tc.raw), m.Id)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	byContext, err := dnsserver.Start(ctx, dnsserver.Options{})
	require.NoError(t, err)
	s, err := dnsserver.Start(t.Context(), dnsserver.Options{})
	require.NoError(t, err)
	s.SetBehavior("late.example", dnsserver.Behavior{Latency: time.Hour})
	for _, network := range []string{"tcp", "udp"} {
		c, err := net.Dial(network, s.Addr())
		require.NoError(t, err)
		defer c.Close()
		m := new(dns.Msg)
		m.SetQuestion("late.example.", dns.TypeA)
		require.NoError(t, (&dns.Conn{Conn: c}).WriteMsg(m))
	}
	require.Eventually(t, func() bool { return len(s.Queries()) == 2 }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "again")
	cancel()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", byContext.Addr())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, byContext.Close())
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "goroutines are left: %d, before: %d", runtime.NumGoroutine(), before)
	}
	require.Error(t, s.Listen())
}

func TestListenTellsWhatIsWrong(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{})
	require.ErrorContains(t, s.Listen(), "already")
	_, err := dnsserver.Start(t.Context(), dnsserver.Options{Addr: s.Addr()})
	require.Error(t, err)
	_, err = dnsserver.Start(t.Context(), dnsserver.Options{Keys: []dnsserver.Key{{}}})
	require.ErrorContains(t, err, "name")
	require.Empty(t, dnsserver.NewUnstarted(dnsserver.Options{Keys: []dnsserver.Key{{}}}).Addr())
	later := dnsserver.NewUnstarted(dnsserver.Options{})
	_, err = later.Resolver().LookupHost(t.Context(), "a.example")
	require.Error(t, err)
	require.NoError(t, later.Listen())
	require.Len(t, ask(t, later, "udp", "a.example", dns.TypeA).Answer, 1)
	require.NoError(t, later.Close())
}

func TestStandardResolverCanUseIt(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{})
	s.SetTXT("a.example", "hello")
	txt, err := s.Resolver().LookupTXT(t.Context(), "a.example")
	require.NoError(t, err)
	require.Equal(t, []string{"hello"}, txt)
}

func TestServersAreSafeToUseAtOnce(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := "a" + string(rune('0'+i%3)) + ".example"
			for range 20 {
				s.AddTXT(name, "v")
				ask(t, s, []string{"udp", "tcp", "process"}[i%3], name, dns.TypeTXT)
				s.RemoveTXT(name, "v")
				s.SetBehavior(name, dnsserver.Behavior{})
				s.Queries(name)
				s.Records()
			}
		})
	}
	wg.Wait()
}
