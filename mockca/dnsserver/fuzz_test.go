package dnsserver

import (
	"context"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// FuzzMessage feeds bytes as a datagram: whatever they are, the server lives,
// answers with something that can be read, and can still write all its records.
func FuzzMessage(f *testing.F) {
	seed := func(m *dns.Msg) {
		raw, err := m.Pack()
		require.NoError(f, err)
		f.Add(raw)
	}
	q := new(dns.Msg)
	q.SetQuestion("_acme-challenge.a.example.", dns.TypeTXT)
	seed(q)
	q.SetEdns0(600, true)
	seed(q)
	record := func(line string) []dns.RR {
		rr, err := dns.NewRR(line)
		require.NoError(f, err)
		return []dns.RR{rr}
	}
	for _, line := range []string{"b.a.example. 60 IN TXT x", "a.example. CNAME b.example.", `a.example. CAA 128 issue "x"`, "*.a.example. 0 IN AAAA ::1"} {
		u := new(dns.Msg)
		u.SetUpdate("a.example.")
		u.Insert(record(line))
		seed(u)
		u.Remove(record(line))
		u.NameUsed(record(line))
		seed(u)
		u.SetTsig("k.example.", dns.HmacSHA256, 300, 0)
		seed(u)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := NewUnstarted(Options{UnsignedUpdates: true, Keys: []Key{{Name: "k.example", Secret: "AAAA"}}})
		require.NoError(t, s.Add("a.example. TXT x", "b.example. CNAME a.example."))
		for _, network := range []string{"udp", "tcp"} {
			answer := s.serve(context.Background(), append([]byte(nil), raw...), network, "")
			if answer == nil {
				continue
			}
			if network == "udp" {
				require.LessOrEqual(t, len(answer), dns.MaxMsgSize)
			}
			m := new(dns.Msg)
			require.NoError(t, m.Unpack(answer))
			require.True(t, m.Response)
		}
		for _, line := range s.Records() {
			rr, err := dns.NewRR(line)
			if err != nil || rr == nil {
				continue // types that have no form as text
			}
			again := NewUnstarted(Options{})
			_ = again.Add(line)
		}
	})
}
