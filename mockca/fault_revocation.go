package mockca

import "crypto/x509"

// Faults of revocation: RFC 8555, Section 7.6.

func revocationFaults() []FaultInfo {
	return []FaultInfo{simple(AlreadyRevoked), simple(BadRevocationReason), simple(RevokeUnauthorized)}
}

// AlreadyRevoked has the CA revoke certificates just before they are asked to
// be.
func AlreadyRevoked() Fault {
	return Fault{
		Name: "already-revoked", Doc: "the certificate is revoked already: alreadyRevoked", Duty: "take it for success",
		Endpoints: []Endpoint{RevokeCert},
		Request: func(x *Exchange) *Response {
			var in struct{ Certificate string }
			x.asks(&in)
			der, _ := strictBase64(in.Certificate)
			if leaf, err := x509.ParseCertificate(der); err == nil {
				if c := x.r.ca.books.certificate(leaf.SerialNumber.Bytes()); c != nil {
					_ = x.CA().Revoke(c.serialHex(), 0) // it is there
				}
			}
			return nil
		},
	}
}

// BadRevocationReason takes no reasons.
func BadRevocationReason() Fault {
	return Fault{
		Name: "bad-revocation-reason", Doc: "badRevocationReason to every reason but none", Duty: "fail, or try without a reason if that is allowed",
		Requirements: []string{"RFC8555-7.6-02"},
		Endpoints:    []Endpoint{RevokeCert},
		Request: func(x *Exchange) *Response {
			var in struct{ Reason *int }
			if x.asks(&in); in.Reason == nil {
				return nil
			}
			return ProblemResponse(problem(TypeBadRevocationReason, "the reason %d is not taken here", *in.Reason))
		},
	}
}

// RevokeUnauthorized refuses to revoke.
func RevokeUnauthorized() Fault {
	return Fault{
		Name: "revoke-unauthorized", Doc: "unauthorized to revocations", Duty: "fail",
		Requirements: []string{"RFC8555-6.7-05"},
		Endpoints:    []Endpoint{RevokeCert},
		Request: func(*Exchange) *Response {
			return ProblemResponse(problem(TypeUnauthorized, "the account may not revoke this certificate"))
		},
	}
}
