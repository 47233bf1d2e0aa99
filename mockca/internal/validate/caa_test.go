package validate_test

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

func TestCAADecides(t *testing.T) {
	for name, tc := range map[string]struct {
		records     []string
		wildcard    bool
		typ, detail string
	}{
		"no records":                     {nil, false, "", ""},
		"this CA":                        {[]string{`www.a.example. CAA 0 issue "ca.example"`}, false, "", ""},
		"this CA by its other name":      {[]string{`www.a.example. CAA 0 issue "ca2.example"`}, false, "", ""},
		"in capitals":                    {[]string{`www.a.example. CAA 0 ISSUE "CA.Example"`}, false, "", ""},
		"another CA":                     {[]string{`www.a.example. CAA 0 issue "other.example"`}, false, "caa", `CAA record for www.a.example prevents issuance: it names "other.example" and not this CA`},
		"one of two":                     {[]string{`www.a.example. CAA 0 issue "other.example"`, `www.a.example. CAA 0 issue "ca.example"`}, false, "", ""},
		"nobody":                         {[]string{`www.a.example. CAA 0 issue ";"`}, false, "caa", "nobody"},
		"empty":                          {[]string{`www.a.example. CAA 0 issue ""`}, false, "caa", "nobody"},
		"at the parent":                  {[]string{`a.example. CAA 0 issue "other.example"`}, false, "caa", "CAA record for a.example"},
		"at the top":                     {[]string{`example. CAA 0 issue "other.example"`}, false, "caa", "CAA record for example"},
		"at the root":                    {[]string{`. CAA 0 issue "other.example"`}, false, "", ""},
		"the nearest counts":             {[]string{`www.a.example. CAA 0 issue "ca.example"`, `a.example. CAA 0 issue "other.example"`}, false, "", ""},
		"beside the path":                {[]string{`b.example. CAA 0 issue "other.example"`, `x.www.a.example. CAA 0 issue "other.example"`}, false, "", ""},
		"behind an alias":                {[]string{"www.a.example. CNAME x.b.example.", `x.b.example. CAA 0 issue "other.example"`}, false, "caa", "other.example"},
		"alias climbs from its own name": {[]string{"www.a.example. CNAME x.b.example.", `b.example. CAA 0 issue "other.example"`}, false, "", ""},
		"issuewild is not for names":     {[]string{`www.a.example. CAA 0 issuewild ";"`}, false, "", ""},
		"issue is for wildcards too":     {[]string{`www.a.example. CAA 0 issue "other.example"`}, true, "caa", "other.example"},
		"issuewild goes before issue":    {[]string{`www.a.example. CAA 0 issue ";"`, `www.a.example. CAA 0 issuewild "ca.example"`}, true, "", ""},
		"issuewild refuses":              {[]string{`www.a.example. CAA 0 issue "ca.example"`, `www.a.example. CAA 0 issuewild ";"`}, true, "caa", "nobody"},
		"only iodef":                     {[]string{`www.a.example. CAA 0 iodef "mailto:a@a.example"`, `a.example. CAA 0 issue ";"`}, false, "", ""},
		"unknown property":               {[]string{`www.a.example. CAA 0 future "x"`}, false, "", ""},
		"unknown critical property":      {[]string{`www.a.example. CAA 128 future "x"`, `www.a.example. CAA 0 issue "ca.example"`}, false, "caa", "critical property future"},
		"known critical property":        {[]string{`www.a.example. CAA 128 issue "ca.example"`}, false, "", ""},
		"other flags":                    {[]string{`www.a.example. CAA 1 future "x"`}, false, "", ""},
		"this account":                   {[]string{`www.a.example. CAA 0 issue "ca.example; accounturi=` + account + `"`}, false, "", ""},
		"another account":                {[]string{`www.a.example. CAA 0 issue "ca.example; accounturi=` + account + `8"`}, false, "caa", "accounturi is not this account's"},
		"two accounts":                   {[]string{`www.a.example. CAA 0 issue "ca.example; accounturi=` + account + `; accounturi=` + account + `"`}, false, "caa", "accounturi"},
		"another account, or any":        {[]string{`www.a.example. CAA 0 issue "ca.example; accounturi=x"`, `www.a.example. CAA 0 issue "ca.example"`}, false, "", ""},
		"this method":                    {[]string{`www.a.example. CAA 0 issue "ca.example; validationmethods=dns-01,http-01"`}, false, "", ""},
		"another method":                 {[]string{`www.a.example. CAA 0 issue "ca.example; ValidationMethods=dns-01"`}, false, "caa", "validationmethods does not have http-01"},
		"two lists of methods":           {[]string{`www.a.example. CAA 0 issue "ca.example; validationmethods=http-01; validationmethods=http-01"`}, false, "caa", "validationmethods"},
		"both must fit":                  {[]string{`www.a.example. CAA 0 issue "ca.example; accounturi=` + account + `; validationmethods=dns-01"`}, false, "caa", "validationmethods"},
		"unknown parameter":              {[]string{`www.a.example. CAA 0 issue "ca.example; what=ever"`}, false, "", ""},
		"malformed parameter":            {[]string{`www.a.example. CAA 0 issue "ca.example; what"`}, false, "caa", "want tag=value"},
		"malformed issuer":               {[]string{`www.a.example. CAA 0 issue "ca_example"`}, false, "caa", "malformed issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			require.NoError(t, w.Add(tc.records...))
			v := w.validator(validate.Config{CAAIdentities: []string{"ca.example", "CA2.example."}})
			p := v.CheckCAA(t.Context(), validate.CAARequest{Domain: "www.a.example", Wildcard: tc.wildcard, Method: validate.HTTP01, AccountURL: account})
			requireProblem(t, p, tc.typ, tc.detail)
		})
	}
}

func TestCAAThatCannotBeLookedUpForbids(t *testing.T) {
	for _, name := range []string{"www.a.example", "a.example", "example"} {
		w := newWorld()
		w.SetBehavior(name, dnsserver.Behavior{Rcode: dns.RcodeServerFailure, Types: []string{"CAA"}})
		p := w.validator(validate.Config{}).CheckCAA(t.Context(), validate.CAARequest{Domain: "www.a.example"})
		requireProblem(t, p, "dns", "While processing CAA for www.a.example: DNS problem: SERVFAIL looking up CAA for "+name)
	}
}

func TestCAAIsCheckedFromAllPerspectives(t *testing.T) {
	w, elsewhere := newWorld(), newWorld()
	elsewhere.SetCAA("a.example", dnsserver.CAA{Tag: "issue", Value: ";"})
	v := w.validator(validate.Config{Perspectives: []validate.Perspective{{Name: "here"}, {Name: "there", DNS: elsewhere}}})
	require.Nil(t, v.CheckCAA(t.Context(), validate.CAARequest{Domain: "a.example"}), "one of two may fail")
	v = w.validator(validate.Config{Quorum: 2, Perspectives: []validate.Perspective{{Name: "here"}, {Name: "there", DNS: elsewhere}}})
	requireProblem(t, v.CheckCAA(t.Context(), validate.CAARequest{Domain: "a.example"}), "caa", "During secondary validation (there): ")
	v = elsewhere.validator(validate.Config{Perspectives: []validate.Perspective{{DNS: w}}})
	requireProblem(t, v.CheckCAA(t.Context(), validate.CAARequest{Domain: "a.example"}), "caa", "While processing")
}
