package servercases

import (
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Sections 6.6 and 6.7: rate limits and errors.

// registeredErrors are the types of IANA's registry "ACME Error Types".
var registeredErrors = []string{
	"accountDoesNotExist", "alreadyRevoked", "badCSR", "badNonce", "badPublicKey", "badRevocationReason",
	"badSignatureAlgorithm", "caa", "compound", "connection", "dns", "externalAccountRequired", "incorrectResponse",
	"invalidContact", "malformed", "orderNotReady", "rateLimited", "rejectedIdentifier", "serverInternal", "tls",
	"unauthorized", "unsupportedContact", "unsupportedIdentifier", "userActionRequired", "autoRenewalCanceled",
	"autoRenewalExpired", "autoRenewalCancellationInvalid", "autoRenewalRevocationNotSupported", "unknownDelegation",
	"alreadyReplaced", "invalidProfile", "onionCAARequired",
}

func errorCases() []spec {
	return []spec{
		{
			id: "rfc8555/6.7/documents", title: "Errors are problem documents",
			requirements: []string{"RFC8555-6.7-02", "RFC9457-3-01", "RFC9457-3.1.2-01", "RFC8555-6.7.1-04", "RFC8555-6.7-04", "RFC8555-6.7-03"},
			does:         "Provokes errors in ten ways.",
			expects:      "Each is application/problem+json, of a registered type if it is one of ACME's, with the status of the answer, and without a top-level identifier.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: problemDocuments,
		},
		{
			id: "rfc8555/6.7/methods", title: "Other methods are refused",
			requirements: []string{"RFC8555-6.7-01"},
			does:         "Sends PUT, DELETE and PATCH to newOrder.",
			expects:      "An error that blames the request.",
			run: func(s *scene) {
				for _, method := range []string{"PUT", "DELETE", "PATCH"} {
					r := s.do(wire.Request{Method: method, URL: s.url("newOrder"), Headers: map[string]string{"Content-Type": "application/jose+json"}, Body: []byte("{}")})
					s.must("RFC8555-6.7-01", r.Status >= 400 && r.Status < 500, method+" is refused", "%s", r.Excerpt())
				}
			},
		},
		{
			id: "rfc8555/6.7/malformed", title: "What can't be parsed is malformed",
			requirements: []string{"RFC8555-6.7-15"},
			does:         "Sends newOrder with payloads that are not JSON, no object, or have members of wrong types.",
			expects:      "400 malformed.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				for what, payload := range map[string]string{
					"half an object": `{"identifiers":`, "an array": `[]`, "identifiers of type string": `{"identifiers":"a.example"}`,
					"an identifier without value": `{"identifiers":[{"type":"dns"}]}`, "a value of type number": `{"identifiers":[{"type":"dns","value":1}]}`,
				} {
					r := s.post(a, s.url("newOrder"), payload)
					s.should("RFC8555-6.7-15", r.Status == 400 && shortType(r) == "malformed", "newOrder with "+what+" is refused as malformed", "%s", r.Excerpt())
				}
			},
		},
		{
			id: "rfc8555/6.7/unsupported-identifier", title: "An unknown identifier type is named as the error",
			requirements: []string{"RFC8555-6.7-14", "RFC8555-7.4-04"},
			does:         "Sends newOrder with an identifier type that nobody has.",
			expects:      "unsupportedIdentifier.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				r := s.newOrder(s.account(), []id{{"x-unknown", "value"}}, nil)
				s.should("RFC8555-6.7-14", shortType(r) == "unsupportedIdentifier", "unsupportedIdentifier", "%s", r.Excerpt())
				problem, err := r.Problem()
				s.should("RFC8555-7.4-04", err == nil && problem.Detail != "", "a detail", "%s", r.Excerpt())
			},
		},
		failure("connection", "RFC8555-6.7-08", "an http-01 answer whose connection is closed", needsHTTP, func(s *scene, _ *account, z *authorization) object {
			challenge := s.offered(z, http01)
			s.serveHTTP(challenge.text("token"), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			return challenge
		}, "connection"),
		failure("dns", "RFC8555-6.7-09", "an identifier whose zone answers SERVFAIL", needsDNS, func(s *scene, _ *account, z *authorization) object {
			for _, name := range []string{z.name(), "_acme-challenge." + z.name()} {
				s.env.Responder.SetServFail(name)
				s.cleanup(func() { s.env.Responder.ClearDNS(name) })
			}
			return s.offered(z, http01)
		}, "dns"),
		failure("incorrect", "RFC8555-6.7-10", "an http-01 answer with another key authorization", needsHTTP, func(s *scene, _ *account, z *authorization) object {
			challenge := s.offered(z, http01)
			s.serveHTTP(challenge.text("token"), responder.Text(s.newKey().KeyAuthorization(challenge.text("token"))))
			return challenge
		}, "incorrectResponse", "unauthorized"),
		failure("tls", "RFC8555-6.7-11", "a tls-alpn-01 handshake that is aborted", needsTLS, func(s *scene, _ *account, z *authorization) object {
			s.answerTLS(z, func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("refused on purpose") })
			return s.offered(z, tlsalpn01)
		}, "tls"),
		{
			id: "rfc8555/6.7.1/subproblems", title: "Subproblems have the right form",
			requirements: []string{"RFC8555-6.7.1-01", "RFC8555-6.7.1-02", "RFC8555-6.7.1-03"},
			does:         "Sends newOrder with two names that no CA may accept.",
			expects:      "If the problem has subproblems, each is an object whose identifier has a type and a value.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				r := s.newOrder(s.account(), dnsIDs([]string{"not a name." + s.env.Domain, "*.*." + s.env.Domain}), nil)
				o := objectOf(r)
				if !o.has("subproblems") {
					s.may("RFC8555-6.7.1-01", "no subproblems: %s", r.Excerpt())
					return
				}
				all, ok := o.objects("subproblems")
				s.must("RFC8555-6.7.1-01", ok, "an array of objects", "%v", o["subproblems"])
				for _, each := range all {
					if !each.has("identifier") {
						s.may("RFC8555-6.7.1-02", "a subproblem without identifier")
						continue
					}
					identifier := each.member("identifier")
					s.must("RFC8555-6.7.1-03", identifier.text("type") != "" && identifier.text("value") != "", "identifier with type and value", "%v", each["identifier"])
				}
			},
		},
	}
}

// failure is a validation that fails in one way, with the error types that
// name it.
func failure(name, requirement, does string, n need, prepare func(*scene, *account, *authorization) object, types ...string) spec {
	return spec{
		id: "rfc8555/6.7/validation-" + name, title: "A failed validation says why: " + name,
		requirements: []string{requirement}, does: "Lets the server validate " + does + ".",
		expects: "The challenge's error is of type " + strings.Join(types, " or ") + ".",
		needs:   []need{n}, cost: cost{accounts: 1, orders: 1, failures: 1},
		run: func(s *scene) {
			a := s.account()
			z := s.authorizations(a, s.order(a, s.name()))[0]
			challenge := prepare(s, a, z)
			if r := s.respond(a, challenge); r.Status != 200 {
				s.inconclusive("the challenge could not be answered: %s", r.Excerpt())
			}
			z = s.settle(a, z)
			s.demand(requirement, z.status() == "invalid", "the authorization becomes invalid", "%s", z.status())
			got := wire.ProblemOf(z.challenge(challenge.text("type")).member("error")).Short()
			s.should(requirement, slices.Contains(types, got), "an error of type "+strings.Join(types, " or "), "%s", explain(z))
		},
	}
}

func problemDocuments(s *scene) {
	for _, each := range s.toured().errors {
		r := each.response
		s.at(r)
		if !s.must("RFC8555-6.7-02", r.Status >= 400, each.what+" is refused", "%s", r.Excerpt()) {
			continue
		}
		problem, err := r.Problem()
		if !s.should("RFC8555-6.7-02", err == nil, each.what+" is answered with a problem document", "%s", r.Excerpt()) {
			continue
		}
		s.must("RFC9457-3-01", r.MediaType() == "application/problem+json", each.what+" is answered as application/problem+json", "%q", r.Header.Get("Content-Type"))
		s.must("RFC9457-3.1.2-01", problem.Status == 0 || problem.Status == r.Status, "the document's status is that of the answer", "%d in the document, %d in the answer", problem.Status, r.Status)
		_, top := problem.Members["identifier"]
		s.must("RFC8555-6.7.1-04", !top, "no identifier outside of subproblems", "%v", problem.Members["identifier"])
		if strings.HasPrefix(problem.Type, wire.ErrorPrefix) {
			s.must("RFC8555-6.7-04", slices.Contains(registeredErrors, problem.Short()), "a registered type", "%q", problem.Type)
		} else {
			s.may("RFC8555-6.7-03", "type %q", problem.Type)
		}
	}
}
