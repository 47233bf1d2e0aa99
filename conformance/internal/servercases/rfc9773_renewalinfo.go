package servercases

import (
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 9773: renewal information.

// certificateID is the identifier of RFC 9773, Section 4.1. The serial number
// goes as the octets of its DER, a leading zero included.
func certificateID(leaf *x509.Certificate) string {
	der, err := asn1.Marshal(leaf.SerialNumber)
	if err != nil || len(der) < 2 {
		return ""
	}
	return wire.Encode(leaf.AuthorityKeyId) + "." + wire.Encode(der[2:])
}

func (s *scene) renewalInfo(id string) *wire.Response {
	return s.get(strings.TrimSuffix(s.url("renewalInfo"), "/") + "/" + id)
}

func renewalInfoCases() []spec {
	return []spec{
		{
			id: "rfc9773/4.2/renewal-info", title: "Renewal information has the right form",
			requirements: []string{"RFC9773-3-01", "RFC9773-4.1-02", "RFC9773-4.2-01", "RFC9773-4.2-02", "RFC9773-4.2-03", "RFC9773-4.2-13", "RFC9773-4.3-02", "RFC9110-10.2.3-02", "RFC9773-6-01"},
			does:         "Obtains a certificate and asks for its renewal information by GET.",
			expects:      "200, application/json, a window with an end after its start, and Retry-After.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: renewalInfoForm,
		},
		{
			id: "rfc9773/4.1/leading-zero", title: "Serial numbers with a leading zero are found",
			requirements: []string{"RFC9773-4.1-07"},
			does:         "Obtains certificates until one's serial number has a leading zero octet in DER, 30 at most, and asks for its renewal information.",
			expects:      "200.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 30},
			run: func(s *scene) {
				s.url("renewalInfo")
				a, name := s.account(), s.name()
				for range 30 {
					leaf := s.issue(a, name).leaf()
					if leaf.SerialNumber.BitLen() < 64 {
						s.skip("serial numbers of less than 64 bits hardly ever have a leading zero octet")
					}
					if leaf.SerialNumber.BitLen()%8 != 0 {
						continue
					}
					r := s.renewalInfo(certificateID(leaf))
					s.succeeds("RFC9773-4.1-07", r, "renewal information of serial number "+leaf.SerialNumber.Text(16), 200)
					return
				}
				s.skip("the server gives no serial numbers with a leading zero octet: none of 30")
			},
		},
		{
			id: "rfc9773/4.1/bad-identifiers", title: "Identifiers of nothing are refused",
			requirements: []string{"RFC9773-4.1-08"},
			does:         "Asks for renewal information of an unknown serial number, without the dot, and with padding.",
			expects:      "404 or 400 each time.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				s.url("renewalInfo")
				known := certificateID(s.toured().issued.leaf())
				key, serial, _ := strings.Cut(known, ".")
				for what, id := range map[string]string{
					"an unknown serial number": key + "." + wire.Encode(big.NewInt(0x1122334455667788).Bytes()), "no dot": key + serial, "padding": key + "==." + serial + "==",
				} {
					r := s.renewalInfo(id)
					s.should("RFC9773-4.1-08", r.Status >= 400 && r.Status < 500, "an identifier with "+what+" is refused", "%s", r.Excerpt())
				}
			},
		},
		{
			id: "rfc9773/5/replaces", title: "Orders can say what they replace",
			requirements: []string{"RFC9773-5-11", "RFC9773-5-12"},
			does:         "Obtains a certificate and orders another that replaces it, up to the certificate.",
			expects:      "replaces in each answer.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 2},
			run: func(s *scene) {
				s.url("renewalInfo")
				a, name := s.account(), s.name()
				id := certificateID(s.issue(a, name).leaf())
				r := s.newOrder(a, dnsIDs([]string{name}), map[string]any{"replaces": id})
				if r.Status != 201 {
					s.demand("RFC9773-5-11", false, "an order that replaces a certificate of the account is accepted", "%s", r.Excerpt())
				}
				s.must("RFC9773-5-11", objectOf(r).text("replaces") == id, "replaces: "+id, "%v", objectOf(r)["replaces"])
				o := s.makeReady(a, &order{object: objectOf(r), url: r.Location(), created: r})
				s.must("RFC9773-5-12", o.text("replaces") == id, "replaces in the order when it is ready", "%v", o.object["replaces"])
				final := s.finalize(a, o, s.csrFor(o, s.newKey()))
				s.must("RFC9773-5-12", objectOf(final).text("replaces") == id, "replaces in the answer to finalize", "%s", final.Excerpt())
			},
		},
		{
			id: "rfc9773/5/replaced-twice", title: "A certificate is replaced once",
			requirements: []string{"RFC9773-5-06", "RFC9773-5-07", "RFC9773-5-08", "RFC9773-5-09"},
			does:         "Orders twice what replaces the same certificate.",
			expects:      "409 alreadyReplaced for the second.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 3},
			run: func(s *scene) {
				s.url("renewalInfo")
				a, name := s.account(), s.name()
				id := certificateID(s.issue(a, name).leaf())
				first := s.orderWith(a, dnsIDs([]string{name}), map[string]any{"replaces": id})
				s.issueFor(a, s.makeReady(a, first))
				r := s.newOrder(a, dnsIDs([]string{name}), map[string]any{"replaces": id})
				if s.should("RFC9773-5-06", r.Status >= 400, "the second is refused", "%s", r.Excerpt()) {
					s.must("RFC9773-5-08", r.Status == 409, "409", "%s", r.Excerpt())
					s.must("RFC9773-5-09", shortType(r) == "alreadyReplaced", "alreadyReplaced", "%s", r.Excerpt())
				} else {
					s.should("RFC9773-5-07", false, "no order", "%s", r.Excerpt())
				}
			},
		},
		{
			id: "rfc9773/5/replaced-after-failure", title: "A replacement that failed is none",
			requirements: []string{"RFC9773-5-10"},
			does:         "Lets an order that replaces a certificate fail, and orders again.",
			expects:      "201.",
			needs:        []need{needsValidation, needsFailures}, cost: cost{accounts: 1, orders: 3, failures: 1},
			run: func(s *scene) {
				s.url("renewalInfo")
				a, name := s.account(), s.name()
				id := certificateID(s.issue(a, name).leaf())
				other := s.name()
				first := s.orderWith(a, dnsIDs([]string{name, other}), map[string]any{"replaces": id})
				for _, z := range s.authorizations(a, first) {
					if z.name() == other {
						s.respond(a, s.breakAnswer(a, z))
						s.settle(a, z)
					}
				}
				if status := s.poll(a, first.url, func(status string) bool { return status != "pending" }).status(); status != "invalid" {
					s.inconclusive("the order became %s instead of invalid", status)
				}
				r := s.newOrder(a, dnsIDs([]string{name}), map[string]any{"replaces": id})
				s.should("RFC9773-5-10", r.Status == 201, "an order", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc9773/5/bad-replaces", title: "Only what can be replaced is",
			requirements: []string{"RFC9773-5-04", "RFC9773-5-05", "RFC9773-5-07", "RFC9773-5-13"},
			does:         "Orders what replaces another account's certificate, one with other names, and nothing at all.",
			expects:      "Each is refused.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, own: 1, orders: 4},
			run: func(s *scene) {
				s.url("renewalInfo")
				a, stranger, name := s.account(), s.ownAccount(), s.name()
				id := certificateID(s.issue(a, name).leaf())
				for _, each := range []struct {
					requirement, what string
					response          *wire.Response
				}{
					{"RFC9773-5-04", "replaces by another account", s.newOrder(stranger, dnsIDs([]string{name}), map[string]any{"replaces": id})},
					{"RFC9773-5-05", "replaces with other names", s.newOrder(a, dnsIDs([]string{s.name()}), map[string]any{"replaces": id})},
					{"RFC9773-5-13", "replaces that is no identifier", s.newOrder(a, dnsIDs([]string{name}), map[string]any{"replaces": "x"})},
				} {
					r := each.response
					s.at(r)
					if s.should(each.requirement, r.Status >= 400 && r.Status < 500, each.what+" is refused", "%s", r.Excerpt()) {
						continue
					}
					s.should("RFC9773-5-07", r.Status >= 400, "no order", "%s", r.Excerpt())
				}
			},
		},
	}
}

func renewalInfoForm(s *scene) {
	s.url("renewalInfo")
	r := s.renewalInfo(certificateID(s.toured().issued.leaf()))
	s.must("RFC9773-3-01", s.directory().URL("renewalInfo") != "", "renewalInfo in the directory", "none")
	s.demand("RFC9773-4.1-02", r.Status == 200, "200 for an unsigned GET", "%s", r.Excerpt())
	s.must("RFC9773-4.2-02", r.MediaType() == "application/json", "application/json", "%q", r.Header.Get("Content-Type"))
	o := objectOf(r)
	window := o.member("suggestedWindow")
	start, startOK := window.time("start")
	end, endOK := window.time("end")
	s.must("RFC9773-4.2-01", startOK && endOK, "a window with start and end in RFC 3339", "%s", r.Excerpt())
	s.must("RFC9773-4.2-13", !startOK || !endOK || end.After(start), "an end after the start", "%v to %v", start, end)
	if o.has("explanationURL") {
		s.must("RFC9773-4.2-03", isURL(o.text("explanationURL")), "explanationURL is a URL", "%v", o["explanationURL"])
	}
	_, there, err := r.RetryAfter()
	s.should("RFC9773-4.3-02", there, "Retry-After", "none")
	if there {
		s.must("RFC9110-10.2.3-02", err == nil, "Retry-After in seconds or as a date", "%v", err)
	}
	s.may("RFC9773-6-01", "Cache-Control: %q", r.Header.Values("Cache-Control"))
}
