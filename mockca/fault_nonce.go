package mockca

import (
	"net/http"
	"strconv"
	"sync"
)

// Faults of nonces: RFC 8555, Sections 6.5 and 7.2.

func nonceFaults() []FaultInfo {
	return []FaultInfo{
		counted(1, func(n int) Fault {
			f := BadNonce()
			f.Params, f.Times = strconv.Itoa(n), n
			return f
		}),
		simple(BadNonceForever), simple(BadNonceNoReplay), simple(NoNonce), simple(NonceInvalidChars), simple(NonceRepeated), simple(NonceExpired),
		simple(NewNonce405), simple(NewNonce200Head), simple(NewNonceNoHeader),
	}
}

// signedEndpoints are the endpoints that take signed requests.
func signedEndpoints() []Endpoint {
	return []Endpoint{NewAccount, AccountURL, OrdersList, NewOrder, OrderURL, Finalize, NewAuthz, Authz, ChallengeURL, Certificate, RevokeCert, KeyChange}
}

func badNonce(*Exchange) *Response {
	return ProblemResponse(problem(TypeBadNonce, "the nonce is not one of this CA's"))
}

// BadNonce refuses the nonce of signed requests, and sends a good one along: as
// often as the rule says, and once as "bad-nonce", n times as "bad-nonce:n".
func BadNonce() Fault {
	return Fault{
		Name: "bad-nonce", Doc: "badNonce with a fresh Replay-Nonce", Duty: "sign anew with the nonce that came with the error, a bounded number of times",
		Requirements: []string{"RFC8555-6.5-12", "RFC8555-6.5-13", "RFC8555-6.5-14"},
		Endpoints:    signedEndpoints(),
		Request:      badNonce,
	}
}

// BadNonceForever refuses every nonce.
func BadNonceForever() Fault {
	return Fault{
		Name: "bad-nonce-forever", Doc: "badNonce to every signed request", Duty: "give up after some, and fail",
		Requirements: []string{"RFC8555-6.5-12"},
		Endpoints:    signedEndpoints(),
		Request:      badNonce,
	}
}

// BadNonceNoReplay refuses the nonce once and sends none along.
func BadNonceNoReplay() Fault {
	return Fault{
		Name: "bad-nonce-no-replay", Doc: "badNonce without Replay-Nonce", Duty: "get a nonce from newNonce, and try again",
		Requirements: []string{"RFC8555-6.5-12"},
		Endpoints:    signedEndpoints(), Times: 1,
		Core:    func(_ *Exchange, k *Knobs) { k.NoNonce = true },
		Request: badNonce,
	}
}

// NoNonce answers signed requests without Replay-Nonce.
func NoNonce() Fault {
	return Fault{
		Name: "no-nonce", Doc: "signed requests are answered without Replay-Nonce", Duty: "get a nonce from newNonce for the next request",
		Requirements: []string{"RFC8555-7.2-01"},
		Endpoints:    signedEndpoints(),
		Core:         func(_ *Exchange, k *Knobs) { k.NoNonce = true },
	}
}

// NonceInvalidChars sends nonces that are not base64url with the answers to
// signed requests.
func NonceInvalidChars() Fault {
	return Fault{
		Name: "nonce-invalid-chars", Doc: "Replay-Nonce is not base64url", Duty: "ignore it, and get one from newNonce",
		Requirements: []string{"RFC8555-6.5.1-04"},
		Endpoints:    signedEndpoints(),
		Core:         func(_ *Exchange, k *Knobs) { k.Nonce = func(fresh string) string { return fresh[:8] + "+/ =" } },
	}
}

// NonceRepeated hands every nonce out twice.
func NonceRepeated() Fault {
	var mu sync.Mutex
	var last string
	return Fault{
		Name: "nonce-repeated", Doc: "every nonce is handed out twice", Duty: "sign anew with the nonce that comes with badNonce",
		Requirements: []string{"RFC8555-6.5-13"},
		Endpoints:    append(signedEndpoints(), NewNonce),
		Core: func(_ *Exchange, k *Knobs) {
			k.Nonce = func(fresh string) string {
				mu.Lock()
				defer mu.Unlock()
				if last != "" {
					fresh, last = last, ""
					return fresh
				}
				last = fresh
				return fresh
			}
		},
	}
}

// NonceExpired has all nonces that are outstanding expire at once, as after a
// long time without a request.
func NonceExpired() Fault {
	return Fault{
		Name: "nonce-expired", Doc: "all nonces handed out so far have expired", Duty: "sign anew with the nonce that comes with badNonce, and drop those that are as old as the refused one",
		Requirements: []string{"RFC8555-6.5-12", "RFC8555-6.5-13"},
		Endpoints:    signedEndpoints(), Times: 1,
		Request: func(x *Exchange) *Response {
			x.CA().ExpireNonces()
			return nil
		},
	}
}

// ExpireNonces makes all nonces useless that were handed out so far.
func (ca *CA) ExpireNonces() { ca.nonces.ExpireAll() }

// NewNonce405 refuses HEAD on newNonce.
func NewNonce405() Fault {
	return Fault{
		Name: "new-nonce-405", Doc: "newNonce does not take HEAD", Duty: "use GET",
		Requirements: []string{"RFC8555-7.2-01"},
		Endpoints:    []Endpoint{NewNonce},
		Core: func(x *Exchange, k *Knobs) {
			if x.Method == http.MethodHead {
				k.NoNonce = true
			}
		},
		Request: func(x *Exchange) *Response {
			if x.Method != http.MethodHead {
				return nil
			}
			r := ProblemResponse(problem(TypeMalformed, "HEAD is not a method of newNonce").withStatus(http.StatusMethodNotAllowed))
			r.Header.Set("Allow", http.MethodGet)
			return r
		},
	}
}

// NewNonce200Head answers GET on newNonce with 200 and HEAD with 204: the other
// way round than RFC 8555, Section 7.2, has it.
func NewNonce200Head() Fault {
	return Fault{
		Name: "new-nonce-200-head", Doc: "newNonce answers HEAD with 204 and GET with 200", Duty: "carry on",
		Requirements: []string{"RFC8555-7.2-07"},
		Endpoints:    []Endpoint{NewNonce},
		Response: func(x *Exchange, r *Response) {
			switch x.Method {
			case http.MethodHead:
				r.Status = http.StatusNoContent
			case http.MethodGet:
				r.Status = http.StatusOK
			}
		},
	}
}

// NewNonceNoHeader answers newNonce without a nonce.
func NewNonceNoHeader() Fault {
	return Fault{
		Name: "new-nonce-no-header", Doc: "newNonce answers without Replay-Nonce", Duty: "give up after some, and fail",
		Requirements: []string{"RFC8555-7.2-01"},
		Endpoints:    []Endpoint{NewNonce},
		Core:         func(_ *Exchange, k *Knobs) { k.NoNonce = true },
	}
}
