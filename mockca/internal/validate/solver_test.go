package validate_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/challenge/dns01"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

// The module's own solvers, of which this package knows nothing, are found valid.
func TestSolversOfTheClientAreFoundValid(t *testing.T) {
	d := dnsserver.New(t, dnsserver.Options{Keys: []dnsserver.Key{{Name: "key.example", Secret: "c2VjcmV0"}}})
	web := challenge.NewHTTP01(challenge.HTTP01Options{Address: "127.0.0.1:0"})
	secure := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: "127.0.0.1:0"})
	zone, err := dns01.New(dns01.Options{
		Provider: &dns01.RFC2136{Server: d.Addr(), KeyName: "key.example", Secret: "c2VjcmV0"},
		DNS:      dns01.DNS{Resolvers: []string{d.Addr()}, Nameservers: []string{d.Addr()}},
	})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		request validate.Request
		solver  challenge.Solver
	}{
		"http-01":                    {request(validate.HTTP01, "a.example"), web},
		"tls-alpn-01":                {request(validate.TLSALPN01, "a.example"), secure},
		"http-01 for an address":     {withType(address("127.0.0.1"), validate.HTTP01), web},
		"tls-alpn-01 for an address": {withType(address("127.0.0.1"), validate.TLSALPN01), secure},
		"dns-01":                     {request(validate.DNS01, "www.a.example"), zone},
		"dns-account-01":             {request(validate.DNSAccount01, "www.a.example"), zone},
	} {
		t.Run(name, func(t *testing.T) {
			r := tc.request
			c := []challenge.Challenge{{
				Type: r.Type, URL: "https://ca.example/chall/1", IdentifierType: r.Identifier.Type, Identifier: r.Identifier.Value,
				Token: r.Token, KeyAuthorization: r.KeyAuthorization, AccountURL: r.AccountURL,
			}}
			require.NoError(t, tc.solver.Present(t.Context(), c))
			v := validate.New(validate.Config{DNS: validate.NewDNS(d.Addr(), nil), HTTPPort: port(t, web.Addr()), TLSPort: port(t, secure.Addr())})
			requireProblem(t, v.Validate(t.Context(), r).Problem, "", "")
			require.NoError(t, tc.solver.CleanUp(t.Context(), c))
			require.NotNil(t, v.Validate(t.Context(), r).Problem)
		})
	}
}

func withType(r validate.Request, typ string) validate.Request {
	r.Type = typ
	return r
}

// port is that of an address, or one where nobody listens.
func port(t *testing.T, a net.Addr) int {
	if a == nil {
		return 1
	}
	_, p, err := net.SplitHostPort(a.String())
	require.NoError(t, err)
	n, err := strconv.Atoi(p)
	require.NoError(t, err)
	return n
}
