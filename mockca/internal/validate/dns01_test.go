package validate_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/clock"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

func digest() string {
	sum := sha256.Sum256([]byte(keyAuth))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestDNS01WantsOneOfTheRecords(t *testing.T) {
	for name, tc := range map[string]struct {
		set         func(w *world)
		typ, detail string
	}{
		"right":        {func(w *world) { w.SetTXT("_acme-challenge.a.example", digest()) }, "", ""},
		"among others": {func(w *world) { w.SetTXT("_acme-challenge.a.example", "x", digest(), "y") }, "", ""},
		"behind aliases": {func(w *world) {
			w.SetCNAME("_acme-challenge.a.example", "x.b.example")
			w.SetCNAME("x.b.example", "y.c.example")
			w.SetTXT("y.c.example", digest())
		}, "", ""},
		"with spaces":              {func(w *world) { w.SetTXT("_acme-challenge.a.example", digest()+" ") }, "incorrectResponse", "Incorrect TXT record"},
		"another":                  {func(w *world) { w.SetTXT("_acme-challenge.a.example", `other "value"`, "b") }, "incorrectResponse", `Incorrect TXT record "other \"value\"" (and 1 more) found at _acme-challenge.a.example`},
		"one alone":                {func(w *world) { w.SetTXT("_acme-challenge.a.example", "x") }, "incorrectResponse", `Incorrect TXT record "x" found at _acme-challenge.a.example`},
		"key authorization itself": {func(w *world) { w.SetTXT("_acme-challenge.a.example", keyAuth) }, "incorrectResponse", "Incorrect TXT record"},
		"no TXT":                   {func(w *world) { w.SetMX("_acme-challenge.a.example", "m.example") }, "incorrectResponse", "No TXT record found at _acme-challenge.a.example"},
		"no name":                  {func(*world) {}, "dns", "NXDOMAIN looking up TXT for _acme-challenge.a.example"},
		"at the name":              {func(w *world) { w.SetTXT("a.example", digest()) }, "dns", "NXDOMAIN"},
		"SERVFAIL": {func(w *world) {
			w.SetBehavior("_acme-challenge.a.example", dnsserver.Behavior{Rcode: dns.RcodeServerFailure})
		}, "dns", "SERVFAIL looking up TXT"},
		"odd code":        {func(w *world) { w.SetBehavior("_acme-challenge.a.example", dnsserver.Behavior{Rcode: 24}) }, "dns", "RCODE24"},
		"alias to itself": {func(w *world) { w.SetCNAME("_acme-challenge.a.example", "_acme-challenge.a.example") }, "dns", "too many aliases"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tc.set(w)
			r := request(validate.DNS01, "a.example")
			r.Wildcard = true
			result := w.validator(validate.Config{}).Validate(t.Context(), r)
			requireProblem(t, result.Problem, tc.typ, tc.detail)
			require.Equal(t, "_acme-challenge.a.example", result.Records[0].URL)
		})
	}
}

// The example of the draft.
func TestDNSAccountLabel(t *testing.T) {
	require.Equal(t, "_ujmmovf2vn55tgye", validate.DNSAccountLabel("https://example.com/acme/acct/ExampleAccount"))
}

func TestDNSAccount01LooksBelowTheAccountsLabel(t *testing.T) {
	name := validate.DNSAccountLabel(account) + "._acme-challenge.a.example"
	w := newWorld()
	v := w.validator(validate.Config{})
	requireProblem(t, v.Validate(t.Context(), request(validate.DNSAccount01, "a.example")).Problem, "dns", "(for account "+account+")")
	w.SetTXT("_acme-challenge.a.example", digest())
	requireProblem(t, v.Validate(t.Context(), request(validate.DNSAccount01, "a.example")).Problem, "dns", "NXDOMAIN")
	w.SetTXT(name, "other")
	requireProblem(t, v.Validate(t.Context(), request(validate.DNSAccount01, "a.example")).Problem, "incorrectResponse", name+" (for account "+account+")")
	w.SetTXT(name, digest())
	requireProblem(t, v.Validate(t.Context(), request(validate.DNSAccount01, "a.example")).Problem, "", "")
	other := request(validate.DNSAccount01, "a.example")
	other.AccountURL = account + "8"
	requireProblem(t, v.Validate(t.Context(), other).Problem, "dns", account+"8")
}

func TestDNSPersist01WantsARecordThatAllowsIt(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	good := "ca.example; accounturi=" + account
	for name, tc := range map[string]struct {
		records     []string
		wildcard    bool
		typ, detail string
	}{
		"right":                         {[]string{good}, false, "", ""},
		"spaces":                        {[]string{" ca.example ;\taccounturi = " + account + " "}, false, "", ""},
		"issuer in capitals":            {[]string{"CA.Example.; AccountURI=" + account}, false, "", ""},
		"unknown parameter":             {[]string{good + "; what=ever"}, false, "", ""},
		"beside another CA's":           {[]string{"other.example; nonsense", good}, false, "", ""},
		"beside a bad one":              {[]string{good + "x", "ca.example", good}, false, "", ""},
		"wildcard":                      {[]string{good + "; policy=wildcard"}, true, "", ""},
		"wildcard in capitals":          {[]string{good + "; Policy=WildCard"}, true, "", ""},
		"wildcard not allowed":          {[]string{good}, true, "unauthorized", "policy=wildcard"},
		"another policy":                {[]string{good + "; policy=all"}, true, "unauthorized", "policy=wildcard"},
		"another policy for the name":   {[]string{good + "; policy=all"}, false, "", ""},
		"until later":                   {[]string{good + "; persistUntil=1893456000"}, false, "", ""},
		"until before":                  {[]string{good + "; persistUntil=1893455999"}, false, "unauthorized", "persistUntil 2029-12-31T23:59:59Z has passed"},
		"until is no number":            {[]string{good + "; persistUntil=tomorrow"}, false, "malformed", "persistUntil"},
		"until is negative":             {[]string{good + "; persistUntil=-1"}, false, "malformed", "persistUntil"},
		"another account":               {[]string{good + "8"}, false, "unauthorized", "accounturi mismatch"},
		"no account":                    {[]string{"ca.example"}, false, "malformed", "missing mandatory accounturi"},
		"empty account":                 {[]string{"ca.example; accounturi="}, false, "malformed", "missing mandatory accounturi"},
		"twice the same":                {[]string{good + "; ACCOUNTURI=x"}, false, "malformed", `duplicate parameter "accounturi"`},
		"semicolon at the end":          {[]string{good + ";"}, false, "malformed", "empty parameter"},
		"no value":                      {[]string{good + "; policy"}, false, "malformed", "want tag=value"},
		"space in the value":            {[]string{good + "; policy=wild card"}, false, "malformed", "malformed value"},
		"tag of odd letters":            {[]string{good + "; po_licy=wildcard"}, false, "malformed", "want tag=value"},
		"another CA's alone":            {[]string{"other.example; accounturi=" + account}, false, "unauthorized", "names one of ca.example"},
		"nobody's":                      {[]string{"; accounturi=" + account, ""}, false, "unauthorized", "names one of ca.example"},
		"nothing":                       {nil, false, "unauthorized", "No TXT record found at _validation-persist.a.example"},
		"malformed goes before refused": {[]string{good + "8", "ca.example"}, false, "malformed", "missing mandatory"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.SetMX("_validation-persist.a.example", "m.example")
			w.AddTXT("_validation-persist.a.example", tc.records...)
			r := request(validate.DNSPersist01, "a.example")
			r.Wildcard = tc.wildcard
			result := w.validator(validate.Config{Clock: clock.NewVirtual(now)}).Validate(t.Context(), r)
			requireProblem(t, result.Problem, tc.typ, tc.detail)
			if tc.typ == "" {
				require.Equal(t, time.Second, result.TTL, "that of the server's records")
			}
		})
	}
	w := newWorld()
	requireProblem(t, w.validator(validate.Config{}).Validate(t.Context(), request(validate.DNSPersist01, "a.example")).Problem, "dns", "NXDOMAIN")
}

func TestLongValuesAreJoined(t *testing.T) {
	w := newWorld()
	r := request(validate.DNSPersist01, "a.example")
	r.AccountURL = "https://ca.example/" + strings.Repeat("x", 600) + `/\012"`
	w.SetTXT("_validation-persist.a.example", "ca.example; accounturi="+r.AccountURL)
	requireProblem(t, w.validator(validate.Config{}).Validate(t.Context(), r).Problem, "", "")
}

func TestSomeThingsCannotBeValidated(t *testing.T) {
	v := newWorld().validator(validate.Config{})
	wildcard := request(validate.HTTP01, "a.example")
	wildcard.Wildcard = true
	byDNS := address("192.0.2.1")
	byDNS.Type = validate.DNS01
	other := request(validate.HTTP01, "a.example")
	other.Identifier.Type = "email"
	for detail, r := range map[string]validate.Request{
		"cannot be validated by http-01": wildcard, "cannot be validated by dns-01": byDNS,
		`identifier type "email"`: other, `challenge type "x"`: request("x", "a.example"),
	} {
		requireProblem(t, v.Validate(t.Context(), r).Problem, "malformed", detail)
	}
}

func TestDNSOverTheNetwork(t *testing.T) {
	d := dnsserver.New(t, dnsserver.Options{})
	d.SetTXT("_acme-challenge.a.example", digest())
	d.SetTXT("_acme-challenge.long.example", strings.Repeat("x", 250), strings.Repeat("y", 250), strings.Repeat("z", 250), strings.Repeat("w", 250), strings.Repeat("v", 250), digest())
	d.SetBehavior("_acme-challenge.fail.example", dnsserver.Behavior{Rcode: dns.RcodeRefused})
	v := validate.New(validate.Config{DNS: validate.NewDNS(d.Addr(), nil)})
	requireProblem(t, v.Validate(t.Context(), request(validate.DNS01, "a.example")).Problem, "", "")
	requireProblem(t, v.Validate(t.Context(), request(validate.DNS01, "long.example")).Problem, "", "")
	for _, q := range d.Queries("_acme-challenge.long.example") {
		require.Equal(t, "tcp", q.Network)
	}
	udp := validate.New(validate.Config{DNS: validate.NewDNS(d.Addr(), func(ctx context.Context, network, address string) (net.Conn, error) {
		if network == "tcp" {
			return nil, fmt.Errorf("no TCP")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	})})
	requireProblem(t, udp.Validate(t.Context(), request(validate.DNS01, "a.example")).Problem, "", "")
	requireProblem(t, udp.Validate(t.Context(), request(validate.DNS01, "long.example")).Problem, "dns", "cut off")
	requireProblem(t, v.Validate(t.Context(), request(validate.DNS01, "fail.example")).Problem, "dns", "REFUSED")
	gone := validate.New(validate.Config{DNS: validate.NewDNS("192.0.2.1", func(context.Context, string, string) (net.Conn, error) { return nil, fmt.Errorf("no network") })})
	requireProblem(t, gone.Validate(t.Context(), request(validate.DNS01, "a.example")).Problem, "dns", "no network")
}

func TestDNSThatDoesNotAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tried []string
		v := validate.New(validate.Config{DNS: validate.NewDNS("[2001:db8::1]", func(_ context.Context, network, address string) (net.Conn, error) {
			tried = append(tried, network+" "+address)
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				buffer := make([]byte, 1024)
				for {
					if _, err := far.Read(buffer); err != nil {
						return
					}
				}
			}()
			return near, nil
		})})
		result := v.Validate(t.Context(), request(validate.DNS01, "a.example"))
		requireProblem(t, result.Problem, "dns", "query timed out looking up TXT for _acme-challenge.a.example")
		require.Equal(t, []string{"tcp [2001:db8::1]:53", "udp [2001:db8::1]:53", "udp [2001:db8::1]:53"}, tried)
		require.Equal(t, 9500*time.Millisecond, result.Ended.Sub(result.Started))
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.SetBehavior(".", dnsserver.Behavior{Drop: true})
		result := w.validator(validate.Config{Timeout: time.Minute}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
		requireProblem(t, result.Problem, "dns", "timed out")
		require.Equal(t, time.Minute, result.Ended.Sub(result.Started))
	})
}

// exchanger answers with whatever it is.
type exchanger func(q *dns.Msg) *dns.Msg

func (e exchanger) Exchange(_ context.Context, q *dns.Msg) (*dns.Msg, error) { return e(q), nil }

func TestAnswersToOtherQuestionsAreNotBelieved(t *testing.T) {
	txt := func(m *dns.Msg, name string) *dns.Msg {
		m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{digest()}})
		return m
	}
	for name, tc := range map[string]struct {
		answer      exchanger
		typ, detail string
	}{
		"right":            {func(q *dns.Msg) *dns.Msg { return txt(new(dns.Msg).SetReply(q), "_ACME-challenge.a.example.") }, "", ""},
		"no message":       {func(*dns.Msg) *dns.Msg { return nil }, "dns", "not an answer"},
		"a question":       {func(q *dns.Msg) *dns.Msg { return q }, "dns", "not an answer"},
		"another question": {func(q *dns.Msg) *dns.Msg { m := new(dns.Msg).SetReply(q); m.Question[0].Name = "b.example."; return m }, "dns", "another question"},
		"no question":      {func(q *dns.Msg) *dns.Msg { m := new(dns.Msg).SetReply(q); m.Question = nil; return m }, "dns", "another question"},
		"failure without": {func(q *dns.Msg) *dns.Msg {
			m := new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
			m.Question = nil
			return m
		}, "dns", "SERVFAIL"},
		"another owner": {func(q *dns.Msg) *dns.Msg { return txt(new(dns.Msg).SetReply(q), "b.example.") }, "incorrectResponse", "No TXT record"},
		"endless aliases": {func(q *dns.Msg) *dns.Msg {
			m := new(dns.Msg).SetReply(q)
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "x." + q.Question[0].Name})
			return m
		}, "dns", "too many aliases"},
	} {
		t.Run(name, func(t *testing.T) {
			v := validate.New(validate.Config{DNS: tc.answer})
			requireProblem(t, v.Validate(t.Context(), request(validate.DNS01, "a.example")).Problem, tc.typ, tc.detail)
		})
	}
}

func TestEverywhereHasTheAddressesGiven(t *testing.T) {
	w := newWorld()
	w.serve(t, "192.0.2.1:5002", keyAuthorization)
	v := w.validator(validate.Config{DNS: validate.Everywhere(netip.MustParseAddr("192.0.2.1"))})
	requireProblem(t, v.Validate(t.Context(), request(validate.HTTP01, "a.example")).Problem, "", "")
	require.Equal(t, []string{"192.0.2.1"}, v.Validate(t.Context(), request(validate.HTTP01, "a.example")).Records[0].Addresses)
	requireProblem(t, v.Validate(t.Context(), request(validate.DNS01, "a.example")).Problem, "incorrectResponse", "No TXT")
	require.Nil(t, v.CheckCAA(t.Context(), validate.CAARequest{Domain: "a.example"}))
}

// FuzzDNSAnswer feeds bytes as answers to every question.
func FuzzDNSAnswer(f *testing.F) {
	for _, records := range [][]string{{"_acme-challenge.a.example. TXT x"}, {"_acme-challenge.a.example. CNAME a.example.", `a.example. CAA 128 issue "ca.example; validationmethods=dns-01"`, `a.example. TXT "ca.example; persistUntil=1"`, "a.example. A 192.0.2.1"}} {
		m := new(dns.Msg)
		for _, line := range records {
			rr, err := dns.NewRR(line)
			require.NoError(f, err)
			m.Answer = append(m.Answer, rr)
		}
		raw, err := m.Pack()
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer := new(dns.Msg)
		if answer.Unpack(raw) != nil {
			return
		}
		v := validate.New(validate.Config{Timeout: time.Second, CAAIdentities: []string{"ca.example"}, DNS: exchanger(func(q *dns.Msg) *dns.Msg {
			m := answer.Copy()
			m.SetReply(q)
			m.Rcode = answer.Rcode
			return m
		}), Dial: func(context.Context, string, string) (net.Conn, error) { return nil, fmt.Errorf("no network") }})
		for _, typ := range []string{validate.DNS01, validate.DNSPersist01, validate.TLSALPN01} {
			if p := v.Validate(t.Context(), request(typ, "a.example")).Problem; p != nil {
				require.NotEmpty(t, p.Type)
				require.NotEmpty(t, p.Detail)
			}
		}
		_ = v.CheckCAA(t.Context(), validate.CAARequest{Domain: "a.example", Method: "dns-01"})
	})
}
