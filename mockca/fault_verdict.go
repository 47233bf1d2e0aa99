package mockca

import (
	"net/http"
)

// A CA's verdicts on what was asked for: RFC 8555, Sections 6.7 and 6.7.1; RFC
// 9773, Section 5; draft-ietf-acme-profiles, Section 4.

func verdictFaults() []FaultInfo {
	const alone, subproblems = "alone", "subproblems"
	return []FaultInfo{
		chosen(CAAForbids, alone, subproblems), chosen(RejectedIdentifier, alone, subproblems), chosen(UnsupportedIdentifier, alone, subproblems),
		chosen(DNSProblem, alone, subproblems), chosen(ConnectionProblem, alone, subproblems), chosen(IncorrectResponse, alone, subproblems),
		simple(AlreadyReplaced), simple(ReplacesMalformed), simple(ReplacesUnknown), simple(ProfileUnknown),
	}
}

// refusal refuses what an order asks for: alone, at the place where such errors
// come up, or newOrder with subproblems, one for each identifier.
func refusal(name, doc, typ, how, detail string, validation bool) Fault {
	f := Fault{
		Name: name, Params: how, Doc: doc, Duty: "fail, with the reason per identifier",
		Requirements: []string{"RFC8555-6.7-05", "RFC8555-6.7.1-05"},
	}
	switch {
	case how == "subproblems":
		f.Endpoints = []Endpoint{NewOrder}
		f.Request = func(x *Exchange) *Response {
			var in newOrderPayload
			x.asks(&in)
			return ProblemResponse(perIdentifier(typ, in.Identifiers))
		}
	case validation:
		f.Endpoints = []Endpoint{ChallengeURL}
		f.Core = func(_ *Exchange, k *Knobs) { k.ValidationProblem = problem(typ, "%s", detail) }
	default:
		f.Endpoints = []Endpoint{NewOrder}
		f.Request = func(*Exchange) *Response { return ProblemResponse(problem(typ, "%s", detail)) }
	}
	return f
}

// CAAForbids fails validations for a CAA record ("alone"), or new orders with
// "subproblems".
func CAAForbids(how string) Fault {
	return refusal("caa", "a CAA record forbids the CA to issue", TypeCAA, how, "the CAA record of the name does not allow this CA", true)
}

// RejectedIdentifier refuses new orders by policy, "alone" or with
// "subproblems".
func RejectedIdentifier(how string) Fault {
	return refusal("rejected-identifier", "the CA does not issue for the name", TypeRejectedIdentifier, how, "the CA does not issue for this name by policy", false)
}

// UnsupportedIdentifier refuses new orders for their type of identifier, "alone"
// or with "subproblems".
func UnsupportedIdentifier(how string) Fault {
	return refusal("unsupported-identifier", "the CA does not know the type of identifier", TypeUnsupportedIdentifier, how, "identifiers of this type are not supported", false)
}

// DNSProblem fails validations for the DNS ("alone"), or new orders with
// "subproblems".
func DNSProblem(how string) Fault {
	return refusal("dns-problem", "the CA could not look a name up", TypeDNS, how, "looking up the name: SERVFAIL", true)
}

// ConnectionProblem fails validations because the CA can't connect ("alone"), or
// new orders with "subproblems".
func ConnectionProblem(how string) Fault {
	return refusal("connection-problem", "the CA could not connect", TypeConnection, how, "connecting to 192.0.2.1: timeout, likely a firewall", true)
}

// IncorrectResponse fails validations for a wrong response ("alone"), or new
// orders with "subproblems".
func IncorrectResponse(how string) Fault {
	return refusal("incorrect-response", "the CA found another response than it expected", TypeIncorrectResponse, how, "the key authorization is not the one expected", true)
}

// refusesReplaces refuses orders that replace a certificate.
func refusesReplaces(name, doc string, p *Problem) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: "order again without replaces",
		Requirements: []string{"RFC9773-5-02"},
		Endpoints:    []Endpoint{NewOrder},
		Request: func(x *Exchange) *Response {
			var in newOrderPayload
			if x.asks(&in); in.Replaces == "" {
				return nil
			}
			return ProblemResponse(p)
		},
	}
}

// AlreadyReplaced refuses orders that replace a certificate, as one that was
// replaced before.
func AlreadyReplaced() Fault {
	return refusesReplaces("already-replaced", "409 alreadyReplaced to orders with replaces", problem(TypeAlreadyReplaced, "the certificate has been replaced by another order"))
}

// ReplacesMalformed refuses orders that replace a certificate, as malformed.
func ReplacesMalformed() Fault {
	return refusesReplaces("replaces-malformed", "malformed to orders with replaces", problem(TypeMalformed, "replaces is not a certificate identifier"))
}

// ReplacesUnknown refuses orders that replace a certificate, as one that the CA
// does not know.
func ReplacesUnknown() Fault {
	return refusesReplaces("replaces-unknown", "404 to orders with replaces", problem(TypeMalformed, "there is no certificate to be replaced").withStatus(http.StatusNotFound))
}

// ProfileUnknown refuses orders that name a profile.
func ProfileUnknown() Fault {
	return Fault{
		Name: "profile-unknown", Doc: "invalidProfile to orders that name a profile", Duty: "fail, listing those that the directory offers",
		Requirements: []string{"PROFILES-4-09"},
		Endpoints:    []Endpoint{NewOrder},
		Request: func(x *Exchange) *Response {
			var in newOrderPayload
			if x.asks(&in); in.Profile == "" {
				return nil
			}
			return ProblemResponse(problem(TypeInvalidProfile, "the profile %q is not offered any more", in.Profile))
		},
	}
}
