package servercases

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Sections 7.4, 10.5 and 11.1: the CSR.

func finalizeCases() []spec {
	cases := []spec{
		{
			id: "rfc8555/7.4/finalize-not-ready", title: "Only a ready order can be finalized",
			requirements: []string{"RFC8555-7.4-27", "RFC8555-7.4-28"},
			does:         "Finalizes an order that is pending, and one that is valid.",
			expects:      "403 orderNotReady.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 2},
			run: func(s *scene) {
				a := s.account()
				pending := s.order(a, s.name())
				done := s.issue(a, s.name())
				for _, each := range []step{
					{"finalize of a pending order", s.finalize(a, pending, s.csrFor(pending, s.newKey()))},
					{"finalize of a valid order", s.finalize(a, done.order, s.csrFor(done.order, s.newKey()))},
				} {
					s.succeeds("RFC8555-7.4-27", each.response, each.what, 403)
					s.must("RFC8555-7.4-28", shortType(each.response) == "orderNotReady", each.what+" is refused as orderNotReady", "%s", each.response.Excerpt())
				}
			},
		},
		{
			id: "rfc8555/7.4/finalize-foreign", title: "Only its account finalizes an order",
			requirements: []string{"RFC8555-7.4-22"},
			does:         "Finalizes a ready order as another account.",
			expects:      "It is refused, and the order stays ready.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, own: 1, orders: 1},
			run: func(s *scene) {
				a, stranger := s.account(), s.ownAccount()
				o := s.ready(a, s.name())
				s.refuses("RFC8555-7.4-22", s.finalize(stranger, o, s.csrFor(o, s.newKey())), "finalize by another account")
				s.must("RFC8555-7.4-22", s.read(a, o.url).status() == "ready", "the order is still ready", "%s", s.read(a, o.url).status())
			},
		},
		{
			id: "rfc8555/7.4/csr-order", title: "The order of names in the CSR does not matter",
			requirements: []string{"RFC8555-7.4-20", "RFC8555-7.4-03"},
			does:         "Finalizes with the names in reverse, and downloads the certificate.",
			expects:      "A certificate for just these names and the CSR's key.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				o := s.ready(a, s.name(), s.name(), s.name())
				key := s.newKey()
				csr := s.csrFor(o, key)
				slices.Reverse(csr.DNS)
				r := s.finalize(a, o, csr)
				s.demand("RFC8555-7.4-20", r.Status == 200, "names in reverse are accepted", "%s", r.Excerpt())
				s.matches("RFC8555-7.4-03", s.download(a, o, key))
			},
		},
		{
			id: "rfc8555/7.4/csr-common-name", title: "A CSR may name its only identifier in the common name",
			requirements: []string{"RFC8555-7.4-19"},
			does:         "Finalizes with a CSR that has no subjectAltName.",
			expects:      "It is accepted.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				o := s.ready(a, s.name())
				csr := s.csrFor(o, s.newKey())
				csr.CommonName, csr.DNS = csr.DNS[0], nil
				r := s.finalize(a, o, csr)
				s.should("RFC8555-7.4-19", r.Status == 200, "a CSR with its only name in the common name is accepted", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.4/csr-ca", title: "No CA certificate for the asking",
			requirements: []string{"RFC8555-7.4-23"},
			does:         "Finalizes with a CSR that asks for a CA certificate.",
			expects:      "It is refused, or the certificate is none of a CA.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				o := s.ready(a, s.name())
				key := s.newKey()
				csr := s.csrFor(o, key)
				csr.CA = true
				r := s.finalize(a, o, csr)
				if r.Status != 200 {
					s.refuses("RFC8555-7.4-23", r, "a CSR for a CA certificate")
					return
				}
				s.must("RFC8555-7.4-23", !s.download(a, o, key).leaf().IsCA, "a certificate that is none of a CA", "CA:TRUE")
			},
		},
		{
			id: "rfc8555/7.4/csr-encoding", title: "The CSR has to be DER in base64url",
			requirements: []string{"RFC8555-7.4-15", "RFC8555-6.1-13"},
			does:         "Finalizes with PEM, with padding, and with something that is no CSR.",
			expects:      "Each is refused as malformed or badCSR.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: csrEncoding,
		},
		{
			id: "rfc8555/7.4/bad-csr-again", title: "After a bad CSR a good one is accepted",
			requirements: []string{"RFC8555-7.4-26", "RFC8555-7.4-25"},
			does:         "Finalizes with a CSR for another name, then with a right one.",
			expects:      "The first is refused with a detail, the order stays ready, the second is accepted.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				o := s.ready(a, s.name())
				bad := s.finalize(a, o, wire.CSR{Key: s.newKey(), DNS: []string{s.name()}})
				if bad.Status < 400 {
					s.inconclusive("the bad CSR was accepted")
				}
				problem, err := bad.Problem()
				s.should("RFC8555-7.4-25", err == nil && problem.Detail != "", "a detail that says why", "%s", bad.Excerpt())
				s.should("RFC8555-7.4-26", s.read(a, o.url).status() == "ready", "the order stays ready", "%s", s.read(a, o.url).status())
				r := s.finalize(a, o, s.csrFor(o, s.newKey()))
				s.should("RFC8555-7.4-26", r.Status == 200, "a good CSR is accepted afterwards", "%s", r.Excerpt())
			},
		},
	}
	for _, bad := range []struct {
		name, what   string
		requirements []string
		should       bool
		edit         func(*scene, *account, *wire.CSR)
	}{
		{"extra-name", "a CSR with a name more than the order", []string{"RFC8555-7.4-21"}, false, func(s *scene, _ *account, c *wire.CSR) { c.DNS = append(c.DNS, s.name()) }},
		{"missing-name", "a CSR with a name less than the order", []string{"RFC8555-7.4-21"}, false, func(_ *scene, _ *account, c *wire.CSR) { c.DNS = c.DNS[1:] }},
		{"other-name", "a CSR with another name", []string{"RFC8555-7.4-21"}, false, func(s *scene, _ *account, c *wire.CSR) { c.DNS[0] = s.name() }},
		{"signature", "a CSR with a broken signature", []string{"RFC8555-7.4-16"}, false, func(_ *scene, _ *account, c *wire.CSR) { c.Corrupt = true }},
		{"weak-key", "a CSR with a key of RSA with 1024 bits", []string{"RFC8555-10.5-02"}, true, func(s *scene, _ *account, c *wire.CSR) { c.Key = s.newKey(wire.RSA1024) }},
		{"account-key", "a CSR with the account's key", []string{"RFC8555-11.1-07"}, false, func(_ *scene, a *account, c *wire.CSR) { c.Key = a.key }},
		{"other-account-key", "a CSR with the key of another account", []string{"RFC8555-11.1-06"}, false, func(s *scene, _ *account, c *wire.CSR) { c.Key = s.ownAccount().key }},
	} {
		requirements := append(slices.Clone(bad.requirements), "RFC8555-7.4-24")
		cases = append(cases, spec{
			id: "rfc8555/7.4/csr-" + bad.name, title: "No certificate for " + bad.what,
			requirements: requirements, does: "Finalizes with " + bad.what + ".", expects: "It is refused as badCSR.",
			needs: []need{needsValidation}, cost: cost{accounts: 1, own: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				o := s.ready(a, s.name(), s.name())
				csr := s.csrFor(o, s.newKey())
				bad.edit(s, a, &csr)
				r := s.finalize(a, o, csr)
				check := s.must
				if bad.should {
					check = s.should
				}
				if check(requirements[0], r.Status >= 400 && r.Status < 500, bad.what+" is refused", "%s", r.Excerpt()) {
					s.should("RFC8555-7.4-24", shortType(r) == "badCSR", bad.what+" is refused as badCSR", "%s", r.Excerpt())
				}
			},
		})
	}
	return cases
}

// matches compares a certificate with its order and key.
func (s *scene) matches(requirement string, c *issued) {
	leaf := c.leaf()
	var got []string
	for _, name := range leaf.DNSNames {
		got = append(got, "dns:"+name)
	}
	for _, ip := range leaf.IPAddresses {
		got = append(got, "ip:"+ip.String())
	}
	slices.Sort(got)
	s.must(requirement, slices.Equal(got, c.order.identifiers()), "a certificate for "+strings.Join(c.order.identifiers(), ", "), "%q", got)
	s.must(requirement, len(leaf.EmailAddresses)+len(leaf.URIs) == 0, "no other names", "%q %q", leaf.EmailAddresses, leaf.URIs)
	s.must(requirement, samePublicKey(leaf, c.key), "a certificate for the CSR's key", "another key")
}

func samePublicKey(leaf *x509.Certificate, key *wire.Key) bool {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return err == nil && string(der) == string(leaf.RawSubjectPublicKeyInfo)
}

func csrEncoding(s *scene) {
	a := s.account()
	o := s.ready(a, s.name())
	der, err := s.csrFor(o, s.newKey()).DER()
	s.noted(err)
	for len(der)%3 == 0 { // such that padding is due
		csr := s.csrFor(o, s.newKey())
		if der, err = csr.DER(); err != nil {
			s.inconclusive("%v", err)
		}
	}
	armored := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	for _, bad := range []struct{ what, requirement, csr string }{
		{"a CSR in PEM", "RFC8555-7.4-15", string(armored)},
		{"a CSR with padding", "RFC8555-6.1-13", base64.URLEncoding.EncodeToString(der)},
		{"what is no CSR", "RFC8555-7.4-15", wire.Encode([]byte("this is no CSR"))},
	} {
		r := s.post(a, o.text("finalize"), map[string]any{"csr": bad.csr})
		s.refuses(bad.requirement, r, bad.what, "malformed", "badCSR")
		if r.Status == 200 {
			return // the order is used up
		}
	}
}
