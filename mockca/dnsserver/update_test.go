package dnsserver_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

const secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

func rr(t testing.TB, line string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(line)
	require.NoError(t, err)
	return r
}

// send sends an update, signed by a key when it has a name.
func send(t testing.TB, s *dnsserver.Server, network string, m *dns.Msg, key dnsserver.Key) (*dns.Msg, error) {
	t.Helper()
	c := &dns.Client{Net: network, Timeout: 10 * time.Second}
	if key.Name != "" {
		name := dns.CanonicalName(key.Name)
		c.TsigSecret = map[string]string{name: key.Secret}
		m.SetTsig(name, dns.CanonicalName(key.Algorithm), 300, time.Now().Unix())
	}
	r, _, err := c.ExchangeContext(t.Context(), m, s.Addr())
	return r, err
}

func TestUpdatesAreSignedByAKnownKey(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{Keys: []dnsserver.Key{
		{Name: "any.example", Secret: secret}, {Name: "One.example.", Secret: "b3RoZXI=", Algorithm: "hmac-sha512"},
	}})
	update := func() *dns.Msg {
		m := new(dns.Msg)
		m.SetUpdate("a.example.")
		m.Insert([]dns.RR{rr(t, "_acme-challenge.a.example. 60 IN TXT value")})
		return m
	}
	for name, tc := range map[string]struct {
		key  dnsserver.Key
		want int
	}{
		"SHA-1":             {dnsserver.Key{Name: "any.example", Secret: secret, Algorithm: "hmac-sha1"}, 0},
		"SHA-224":           {dnsserver.Key{Name: "any.example", Secret: secret, Algorithm: "hmac-sha224"}, 0},
		"SHA-256":           {dnsserver.Key{Name: "any.example", Secret: secret, Algorithm: "hmac-sha256"}, 0},
		"SHA-384":           {dnsserver.Key{Name: "any.example", Secret: secret, Algorithm: "hmac-sha384"}, 0},
		"SHA-512":           {dnsserver.Key{Name: "any.example", Secret: secret, Algorithm: "hmac-sha512"}, 0},
		"another key":       {dnsserver.Key{Name: "one.example", Secret: "b3RoZXI=", Algorithm: "hmac-sha512"}, 0},
		"not its algorithm": {dnsserver.Key{Name: "one.example", Secret: "b3RoZXI=", Algorithm: "hmac-sha256"}, dns.RcodeBadKey},
		"unknown key":       {dnsserver.Key{Name: "no.example", Secret: secret, Algorithm: "hmac-sha256"}, dns.RcodeBadKey},
		"wrong secret":      {dnsserver.Key{Name: "any.example", Secret: "b3RoZXI=", Algorithm: "hmac-sha256"}, dns.RcodeBadSig},
		"unsigned":          {dnsserver.Key{}, -1},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(name+" "+network, func(t *testing.T) {
				s.Clear("_acme-challenge.a.example")
				s.ClearQueries()
				r, err := send(t, s, network, update(), tc.key)
				if tc.want == 0 {
					require.NoError(t, err, "the answer's signature is checked too")
					require.Equal(t, dns.RcodeSuccess, r.Rcode)
					require.Len(t, s.Records(), 1)
					q := s.Queries()[0]
					require.True(t, q.Update)
					require.Equal(t, "a.example", q.Name)
					require.Equal(t, tc.key.Name, q.Key)
					require.Equal(t, []string{"_acme-challenge.a.example"}, q.Changed)
					return
				}
				require.Empty(t, s.Records())
				if tc.want < 0 {
					require.NoError(t, err)
					require.Equal(t, dns.RcodeRefused, r.Rcode)
					return
				}
				require.Equal(t, dns.RcodeNotAuth, r.Rcode)
				require.Equal(t, uint16(tc.want), r.IsTsig().Error)
			})
		}
	}
	s.RemoveKey("any.example")
	r, _ := send(t, s, "udp", update(), dnsserver.Key{Name: "any.example", Secret: secret, Algorithm: "hmac-sha256"})
	require.Equal(t, uint16(dns.RcodeBadKey), r.IsTsig().Error)
}

func TestUpdatesSignedLongAgoAreRefused(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{Keys: []dnsserver.Key{{Name: "k.example", Secret: secret}}})
	m := new(dns.Msg)
	m.SetUpdate("a.example.")
	m.SetTsig("k.example.", dns.HmacSHA256, 300, time.Now().Add(-time.Hour).Unix())
	c := &dns.Client{Net: "tcp", TsigSecret: map[string]string{"k.example.": secret}, Timeout: 10 * time.Second}
	r, _, _ := c.ExchangeContext(t.Context(), m, s.Addr())
	require.NotNil(t, r)
	require.Equal(t, dns.RcodeNotAuth, r.Rcode)
	require.Equal(t, uint16(dns.RcodeBadTime), r.IsTsig().Error)
	require.Len(t, r.IsTsig().OtherData, 12, "the server's time")
}

func TestSignedQuestionsGetSignedAnswers(t *testing.T) {
	s := dnsserver.New(t, dnsserver.Options{Keys: []dnsserver.Key{{Name: "k.example", Secret: secret}}})
	m := new(dns.Msg)
	m.SetQuestion("a.example.", dns.TypeA)
	r, err := send(t, s, "udp", m, dnsserver.Key{Name: "k.example", Secret: secret, Algorithm: "hmac-sha256"})
	require.NoError(t, err)
	require.NotNil(t, r.IsTsig())
	require.Len(t, r.Answer, 1)
}

func TestKeysThatCannotBeUsedAreRefused(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{})
	for _, k := range []dnsserver.Key{{}, {Name: "k", Secret: ""}, {Name: "k", Secret: "???"}, {Name: "k", Secret: secret, Algorithm: "hmac-md5"}} {
		require.Error(t, s.AddKey(k))
	}
}

func TestUpdateEditsRecords(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(t *testing.T, m *dns.Msg)
		want []string
	}{
		"insert":                   {func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "b.a.example. 60 IN TXT new")}) }, []string{"a.example. TXT old", "a.example. TXT older", "b.a.example. TXT new", "c.a.example. CNAME d.example."}},
		"insert again":             {func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "a.example. 1 IN TXT old")}) }, []string{"a.example. TXT old", "a.example. TXT older", "c.a.example. CNAME d.example."}},
		"remove one":               {func(t *testing.T, m *dns.Msg) { m.Remove([]dns.RR{rr(t, "A.Example. 60 IN TXT old")}) }, []string{"a.example. TXT older", "c.a.example. CNAME d.example."}},
		"remove a set":             {func(t *testing.T, m *dns.Msg) { m.RemoveRRset([]dns.RR{rr(t, "a.example. TXT x")}) }, []string{"c.a.example. CNAME d.example."}},
		"remove a name":            {func(t *testing.T, m *dns.Msg) { m.RemoveName([]dns.RR{rr(t, "c.a.example. TXT x")}) }, []string{"a.example. TXT old", "a.example. TXT older"}},
		"remove what is not there": {func(t *testing.T, m *dns.Msg) { m.Remove([]dns.RR{rr(t, "x.a.example. TXT x")}) }, []string{"a.example. TXT old", "a.example. TXT older", "c.a.example. CNAME d.example."}},
		"beside an alias":          {func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "c.a.example. TXT x")}) }, []string{"a.example. TXT old", "a.example. TXT older", "c.a.example. CNAME d.example."}},
		"an alias beside":          {func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "a.example. CNAME x.example.")}) }, []string{"a.example. TXT old", "a.example. TXT older", "c.a.example. CNAME d.example."}},
		"another alias":            {func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "c.a.example. CNAME x.example.")}) }, []string{"a.example. TXT old", "a.example. TXT older", "c.a.example. CNAME x.example."}},
		"insert and remove, in order": {func(t *testing.T, m *dns.Msg) {
			m.RemoveRRset([]dns.RR{rr(t, "a.example. TXT x")})
			m.Insert([]dns.RR{rr(t, "a.example. TXT new")})
		}, []string{"a.example. TXT new", "c.a.example. CNAME d.example."}},
	} {
		t.Run(name, func(t *testing.T) {
			s := dnsserver.NewUnstarted(dnsserver.Options{UnsignedUpdates: true})
			require.NoError(t, s.Add("a.example. TXT old", "a.example. TXT older", "c.a.example. CNAME d.example."))
			m := new(dns.Msg)
			m.SetUpdate("a.example.")
			tc.edit(t, m)
			r, err := s.Exchange(t.Context(), m)
			require.NoError(t, err)
			require.Equal(t, dns.RcodeSuccess, r.Rcode)
			want := dnsserver.NewUnstarted(dnsserver.Options{})
			require.NoError(t, want.Add(tc.want...))
			require.Equal(t, stripped(want.Records()), stripped(s.Records()))
		})
	}
}

// stripped leaves out the TTLs.
func stripped(lines []string) []string {
	var list []string
	for _, l := range lines {
		r, err := dns.NewRR(l)
		if err != nil {
			return append(list, err.Error())
		}
		r.Header().Ttl = 0
		list = append(list, r.String())
	}
	return list
}

func TestApexKeepsItsSOAAndNS(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{UnsignedUpdates: true})
	require.NoError(t, s.Add("a.example. SOA n.example. m.example. 1 1 1 1 1", "a.example. NS n.example.", "a.example. TXT x"))
	for _, edit := range []func(*dns.Msg){
		func(m *dns.Msg) { m.RemoveName([]dns.RR{rr(t, "a.example. TXT x")}) },
		func(m *dns.Msg) { m.RemoveRRset([]dns.RR{rr(t, "a.example. NS x.")}) },
	} {
		m := new(dns.Msg)
		m.SetUpdate("a.example.")
		edit(m)
		r, err := s.Exchange(t.Context(), m)
		require.NoError(t, err)
		require.Equal(t, dns.RcodeSuccess, r.Rcode)
		require.Len(t, s.Records(), 2)
	}
}

func TestUpdatesAreCheckedBeforeAnythingIsDone(t *testing.T) {
	raw := func(class, typ uint16, name string, ttl uint32) dns.RR {
		return &dns.ANY{Hdr: dns.RR_Header{Name: name, Class: class, Rrtype: typ, Ttl: ttl}}
	}
	for name, tc := range map[string]struct {
		edit func(t *testing.T, m *dns.Msg)
		want int
	}{
		"name in use":              {func(t *testing.T, m *dns.Msg) { m.NameUsed([]dns.RR{rr(t, "a.example. A 192.0.2.1")}) }, 0},
		"name not in use":          {func(t *testing.T, m *dns.Msg) { m.NameUsed([]dns.RR{rr(t, "x.a.example. A 192.0.2.1")}) }, dns.RcodeNameError},
		"name unexpectedly in use": {func(t *testing.T, m *dns.Msg) { m.NameNotUsed([]dns.RR{rr(t, "b.a.example. A 192.0.2.1")}) }, dns.RcodeYXDomain},
		"name is free":             {func(t *testing.T, m *dns.Msg) { m.NameNotUsed([]dns.RR{rr(t, "x.a.example. A 192.0.2.1")}) }, 0},
		"set is there":             {func(t *testing.T, m *dns.Msg) { m.RRsetUsed([]dns.RR{rr(t, "b.a.example. TXT x")}) }, 0},
		"set is missing":           {func(t *testing.T, m *dns.Msg) { m.RRsetUsed([]dns.RR{rr(t, "b.a.example. MX 1 x.")}) }, dns.RcodeNXRrset},
		"set is not there":         {func(t *testing.T, m *dns.Msg) { m.RRsetNotUsed([]dns.RR{rr(t, "b.a.example. MX 1 x.")}) }, 0},
		"set unexpectedly there":   {func(t *testing.T, m *dns.Msg) { m.RRsetNotUsed([]dns.RR{rr(t, "b.a.example. TXT x")}) }, dns.RcodeYXRrset},
		"set is exactly this":      {func(t *testing.T, m *dns.Msg) { m.Used([]dns.RR{zero(rr(t, "b.a.example. TXT old"))}) }, 0},
		"set has other data":       {func(t *testing.T, m *dns.Msg) { m.Used([]dns.RR{zero(rr(t, "b.a.example. TXT other"))}) }, dns.RcodeNXRrset},
		"set has more": {func(t *testing.T, m *dns.Msg) {
			m.Used([]dns.RR{zero(rr(t, "b.a.example. TXT old")), zero(rr(t, "b.a.example. TXT more"))})
		}, dns.RcodeNXRrset},
		"prerequisite outside":  {func(t *testing.T, m *dns.Msg) { m.NameUsed([]dns.RR{rr(t, "b.example. A 192.0.2.1")}) }, dns.RcodeNotZone},
		"prerequisite with TTL": {func(t *testing.T, m *dns.Msg) { m.Answer = append(m.Answer, rr(t, "b.a.example. 60 IN TXT old")) }, dns.RcodeFormatError},
		"prerequisite of no class": {func(t *testing.T, m *dns.Msg) {
			m.Answer = append(m.Answer, raw(dns.ClassCHAOS, dns.TypeTXT, "b.a.example.", 0))
		}, dns.RcodeFormatError},
		"outside the zone": {func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "b.example. TXT x")}) }, dns.RcodeNotZone},
		"second one outside": {func(t *testing.T, m *dns.Msg) {
			m.Insert([]dns.RR{rr(t, "n.a.example. TXT x"), rr(t, "b.example. TXT x")})
		}, dns.RcodeNotZone},
		"insert of nothing": {func(t *testing.T, m *dns.Msg) {
			m.Ns = append(m.Ns, raw(dns.ClassINET, dns.TypeTXT, "n.a.example.", 0))
		}, dns.RcodeFormatError},
		"insert of a TSIG": {func(t *testing.T, m *dns.Msg) {
			m.Ns = append(m.Ns, &dns.TSIG{Hdr: dns.RR_Header{Name: "a.example.", Rrtype: dns.TypeTSIG, Class: dns.ClassINET}, Algorithm: dns.HmacSHA256})
		}, dns.RcodeFormatError},
		"insert of ANY": {func(t *testing.T, m *dns.Msg) {
			m.Ns = append(m.Ns, raw(dns.ClassINET, dns.TypeANY, "n.a.example.", 0))
		}, dns.RcodeFormatError},
		"removal with TTL": {func(t *testing.T, m *dns.Msg) { m.Ns = append(m.Ns, raw(dns.ClassANY, dns.TypeTXT, "b.a.example.", 9)) }, dns.RcodeFormatError},
		"removal of one ANY": {func(t *testing.T, m *dns.Msg) {
			m.Ns = append(m.Ns, raw(dns.ClassNONE, dns.TypeANY, "b.a.example.", 0))
		}, dns.RcodeFormatError},
		"removal of a class": {func(t *testing.T, m *dns.Msg) {
			m.Ns = append(m.Ns, raw(dns.ClassCHAOS, dns.TypeTXT, "b.a.example.", 0))
		}, dns.RcodeFormatError},
		"removal of AXFR": {func(t *testing.T, m *dns.Msg) {
			m.Ns = append(m.Ns, raw(dns.ClassANY, dns.TypeAXFR, "b.a.example.", 0))
		}, dns.RcodeFormatError},
		"a zone that is no SOA": {func(t *testing.T, m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }, dns.RcodeFormatError},
		"two zones":             {func(t *testing.T, m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, dns.RcodeFormatError},
	} {
		t.Run(name, func(t *testing.T) {
			s := dnsserver.NewUnstarted(dnsserver.Options{UnsignedUpdates: true})
			require.NoError(t, s.Add("b.a.example. TXT old"))
			m := new(dns.Msg)
			m.SetUpdate("a.example.")
			tc.edit(t, m)
			m.Insert([]dns.RR{rr(t, "done.a.example. TXT x")})
			r, err := s.Exchange(t.Context(), m)
			require.NoError(t, err)
			require.Equal(t, dns.RcodeToString[tc.want], dns.RcodeToString[r.Rcode])
			if tc.want == 0 {
				require.Len(t, s.Records(), 2)
			} else {
				require.Len(t, s.Records(), 1, "nothing is done")
			}
		})
	}
}

func zero(r dns.RR) dns.RR {
	r.Header().Ttl = 0
	return r
}

func TestUpdatesTellWhatTheyChanged(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{UnsignedUpdates: true})
	require.NoError(t, s.Add("a.example. 60 IN TXT old", "b.a.example. TXT x", "b.a.example. A 192.0.2.1"))
	serial := func() uint32 { return ask(t, s, "process", "a.example", dns.TypeSOA).Answer[0].(*dns.SOA).Serial }
	for _, tc := range []struct {
		edit func(*dns.Msg)
		want []string
	}{
		{func(m *dns.Msg) { m.Insert([]dns.RR{rr(t, "a.example. 60 IN TXT old")}) }, nil},
		{func(m *dns.Msg) { m.Remove([]dns.RR{rr(t, "a.example. TXT other")}) }, nil},
		{func(m *dns.Msg) { m.RemoveRRset([]dns.RR{rr(t, "a.example. MX 1 x.")}) }, nil},
		{func(m *dns.Msg) { m.Insert([]dns.RR{rr(t, "a.example. 90 IN TXT old")}) }, []string{"a.example"}},
		{func(m *dns.Msg) {
			m.RemoveName([]dns.RR{rr(t, "B.a.example. TXT x")})
			m.Insert([]dns.RR{rr(t, "a.example. TXT new"), rr(t, "a.example. TXT newer")})
		}, []string{"b.a.example", "a.example"}},
	} {
		s.ClearQueries()
		before := serial()
		m := new(dns.Msg)
		m.SetUpdate("a.example.")
		tc.edit(m)
		_, err := s.Exchange(t.Context(), m)
		require.NoError(t, err)
		require.Equal(t, tc.want, s.Queries()[1].Changed)
		require.Equal(t, len(tc.want) > 0, serial() > before)
	}
	require.Contains(t, s.Records(), "a.example.\t90\tIN\tTXT\t\"old\"", "a new TTL replaces the old one")
}

func TestUpdatesInProcessAreRefusedUnlessAllowed(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{})
	m := new(dns.Msg)
	m.SetUpdate("a.example.")
	r, err := s.Exchange(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, dns.RcodeRefused, r.Rcode)
}

func TestUpdatesAreTreatedByTheBehaviorOfTheirZone(t *testing.T) {
	s := dnsserver.NewUnstarted(dnsserver.Options{UnsignedUpdates: true})
	s.SetBehavior("a.example", dnsserver.Behavior{Rcode: dns.RcodeServerFailure})
	m := new(dns.Msg)
	m.SetUpdate("a.example.")
	m.Insert([]dns.RR{rr(t, "a.example. TXT x")})
	r, err := s.Exchange(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, dns.RcodeServerFailure, r.Rcode)
	require.Empty(t, s.Records())
}
