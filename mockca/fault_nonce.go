package mockca

// Faults of nonces: RFC 8555, Section 6.5.

// signedEndpoints are the endpoints that take signed requests.
func signedEndpoints() []Endpoint {
	return []Endpoint{NewAccount, AccountURL, OrdersList, NewOrder, OrderURL, Finalize, NewAuthz, Authz, ChallengeURL, Certificate, RevokeCert, KeyChange}
}

// BadNonce refuses the nonce of signed requests, and sends a good one along.
func BadNonce() Fault {
	return Fault{
		Name: "bad-nonce", Doc: "badNonce with a fresh Replay-Nonce", Duty: "sign anew with the nonce that came with the error, a bounded number of times",
		Endpoints: signedEndpoints(),
		Request: func(*Exchange) *Response {
			return ProblemResponse(problem(TypeBadNonce, "the nonce is not one of this CA's"))
		},
	}
}
