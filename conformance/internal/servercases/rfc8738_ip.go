package servercases

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
)

// RFC 8738: identifiers of type ip.

// address is one that leads the server to the run, or any when nobody goes
// there.
func (s *scene) address() netip.Addr {
	if len(s.env.Addresses) > 0 {
		return s.env.Addresses[0]
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, 1})
}

// orderIP orders an address; the case is skipped when the server takes none.
func (s *scene) orderIP(a *account, value string) *order {
	r := s.newOrder(a, []id{{"ip", value}}, nil)
	if kind := shortType(r); r.Status >= 400 && (kind == "unsupportedIdentifier" || kind == "rejectedIdentifier") {
		s.skip("the server does not take identifiers of type ip, as it may (RFC 8555, Section 7.4, lets it refuse what it cannot fulfill): %s", r.Excerpt())
	}
	o := &order{object: objectOf(r), url: r.Location(), created: r}
	if r.Status != 201 || o.object == nil {
		s.inconclusive("no order could be had: newOrder answered %s", r.Excerpt())
	}
	return o
}

func ipCases() []spec {
	cases := []spec{
		{
			id: "rfc8738/3/authorization", title: "Authorizations for addresses have type ip",
			requirements: []string{"RFC8738-3-01", "RFC8738-3-03", "RFC8738-7-01", "RFC8738-4-01", "RFC8738-4-02"},
			does:         "Orders an IPv4 and an IPv6 address.",
			expects:      "Authorizations of type ip with the same text, http-01 and tls-alpn-01 perhaps, and no dns-01.",
			cost:         cost{accounts: 1, orders: 2},
			run: func(s *scene) {
				a := s.account()
				for _, value := range []string{s.address().String(), "2001:db8::1"} {
					z := s.authorizations(a, s.orderIP(a, value))[0]
					s.must("RFC8738-3-01", z.member("identifier").text("type") == "ip", "type ip", "%v", z.object["identifier"])
					s.must("RFC8738-3-03", z.name() == value, value, "%q", z.name())
					s.must("RFC8738-7-01", z.challenge(dns01) == nil, "no dns-01", "it is offered")
					s.may("RFC8738-4-01", "http-01 offered: %v", z.challenge(http01) != nil)
					s.may("RFC8738-4-02", "tls-alpn-01 offered: %v", z.challenge(tlsalpn01) != nil)
				}
			},
		},
		{
			id: "rfc8738/4/http-01", title: "http-01 goes to the address itself",
			requirements: []string{"RFC8738-4-04", "RFC8738-4-03", "RFC8738-5-01", "RFC8738-5-02"},
			does:         "Validates an address by http-01.",
			expects:      "A request to the address with it as Host; no question to DNS; valid.",
			needs:        []need{needsHTTP, needsAddress}, cost: cost{accounts: 1, orders: 1},
			run: ipByHTTP,
		},
		{
			id: "rfc8738/6/tls-alpn-01", title: "tls-alpn-01 names the address in reverse",
			requirements: []string{"RFC8738-6-03", "RFC8738-6-04"},
			does:         "Validates an address by tls-alpn-01.",
			expects:      "SNI is the reverse name without a dot at the end; valid.",
			needs:        []need{needsTLS, needsAddress}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				z := s.ipByALPN(nil)
				s.must("RFC8738-6-03", z.status() == "valid", "valid by an answer for "+serverName(z.name()), "%s: %s", z.status(), explain(z))
				for _, each := range s.env.Responder.TLSSeen(serverName(z.name())) {
					s.should("RFC8738-6-04", !strings.HasSuffix(each.SNI, "."), "SNI without a dot at the end", "%q", each.SNI)
				}
			},
		},
		{
			id: "rfc8738/4/certificate", title: "Addresses stand in the certificate as such",
			requirements: []string{"RFC8738-4-06"},
			does:         "Obtains a certificate for an address.",
			expects:      "An iPAddress in subjectAltName, and no dNSName.",
			needs:        []need{needsValidation, needsAddress}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				leaf := s.issueFor(a, s.makeReady(a, s.orderIP(a, s.address().String()))).leaf()
				s.must("RFC8738-4-06", len(leaf.IPAddresses) == 1 && leaf.IPAddresses[0].String() == s.address().String() && len(leaf.DNSNames) == 0,
					"iPAddress "+s.address().String()+" alone", "%v %q", leaf.IPAddresses, leaf.DNSNames)
			},
		},
		{
			id: "rfc8738/3/as-dns", title: "An address is no DNS name",
			requirements: []string{"RFC8738-3-06"},
			does:         "Orders an address with type dns.",
			expects:      "It is refused.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				r := s.newOrder(s.account(), dnsIDs([]string{"192.0.2.1"}), nil)
				s.should("RFC8738-3-06", r.Status >= 400 && r.Status < 500, "it is refused", "%s", r.Excerpt())
			},
		},
	}
	for _, bad := range []struct{ name, what, value string }{
		{"capitals", "in capitals", "2001:DB8::1"}, {"zone", "with a zone", "fe80::1%eth0"}, {"prefix", "with a prefix length", "192.0.2.0/24"},
		{"zeros", "with leading zeros", "192.000.002.001"}, {"long", "that could be shorter", "2001:db8:0:0:0:0:0:1"},
	} {
		cases = append(cases, spec{
			id: "rfc8738/3/" + bad.name, title: "No order for an address " + bad.what, requirements: []string{"RFC8738-3-05"},
			does: "Orders " + bad.value + ".", expects: "It is refused.", cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				s.orderIP(a, s.address().String())
				r := s.newOrder(a, []id{{"ip", bad.value}}, nil)
				s.should("RFC8738-3-05", r.Status >= 400 && r.Status < 500, bad.value+" is refused", "%s", r.Excerpt())
			},
		})
	}
	for _, bad := range []struct {
		name, what string
		edit       func(*responder.TLSCertificate, netip.Addr)
	}{
		{"as-name", "the address as a dNSName", func(c *responder.TLSCertificate, addr netip.Addr) { c.DNS = []string{addr.String()} }},
		{"other-address", "another address", func(c *responder.TLSCertificate, _ netip.Addr) {
			c.IPs = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
		}},
		{"extra-name", "the address and a name", func(c *responder.TLSCertificate, addr netip.Addr) {
			c.IPs, c.DNS = []netip.Addr{addr}, []string{"other.example"}
		}},
	} {
		cases = append(cases, spec{
			id: "rfc8738/6/" + bad.name, title: "tls-alpn-01 for an address with " + bad.what + " is invalid", requirements: []string{"RFC8738-6-02"},
			does: "Validates an address by tls-alpn-01 with a certificate for " + bad.what + ".", expects: "The authorization becomes invalid.",
			needs: []need{needsTLS, needsAddress}, cost: cost{accounts: 1, orders: 1, failures: 1},
			run: func(s *scene) {
				z := s.ipByALPN(bad.edit)
				s.must("RFC8738-6-02", z.status() == "invalid", "the authorization becomes invalid", "%s", z.status())
			},
		})
	}
	return cases
}

func ipByHTTP(s *scene) {
	a := s.account()
	z := s.authorizations(a, s.orderIP(a, s.address().String()))[0]
	challenge := s.offered(z, http01)
	s.publish(a, z, challenge)
	s.respond(a, challenge)
	final := s.settle(a, z)
	s.must("RFC8738-4-04", final.status() == "valid", "valid by an answer at the address", "%s: %s", final.status(), explain(final))
	seen := s.env.Responder.HTTPSeen(responder.WellKnown + challenge.text("token"))
	s.demand("RFC8738-4-04", len(seen) > 0, "a request at the address", "none")
	for _, each := range seen {
		host := each.Host
		if at, err := netip.ParseAddrPort(host); err == nil {
			host = at.Addr().String()
		}
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		s.must("RFC8738-5-01", err == nil && addr == s.address(), "Host: "+s.address().String(), "%q", each.Host)
		s.must("RFC8738-5-02", err == nil && strings.Trim(host, "[]") == addr.String(), "the address in canonical text", "%q", each.Host)
	}
	asked := s.env.Responder.DNSSeen(s.address().String())
	asked = slices.Concat(asked, s.env.Responder.DNSSeen(serverName(s.address().String())))
	s.must("RFC8738-4-03", len(asked) == 0, "no question to DNS about the address", "%d", len(asked))
}

// ipByALPN validates the address by tls-alpn-01. The key authorization differs
// for each case, so that cases can share the address's server name one after
// the other.
func (s *scene) ipByALPN(edit func(*responder.TLSCertificate, netip.Addr)) *authorization {
	s.env.addressBusy.Lock()
	s.cleanup(s.env.addressBusy.Unlock)
	a := s.account()
	z := s.authorizations(a, s.orderIP(a, s.address().String()))[0]
	challenge := s.offered(z, tlsalpn01)
	certificate := responder.TLSCertificate{KeyAuthorization: a.key.KeyAuthorization(challenge.text("token"))}
	if edit != nil {
		edit(&certificate, s.address())
	}
	s.serveTLS(z, certificate)
	s.respond(a, challenge)
	return s.settle(a, z)
}
