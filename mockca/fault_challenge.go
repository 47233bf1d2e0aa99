package mockca

import (
	"strconv"
	"strings"
	"time"
)

// Faults of challenges and their validation: RFC 8555, Sections 7.1.5, 7.5.1 and
// 8.

func challengeFaults() []FaultInfo {
	return []FaultInfo{
		simple(ChallengeTokenMissing), simple(ChallengeTokenShort), simple(ChallengeTokenBadChars), simple(ChallengeTokenPathTraversal),
		simple(ChallengeProcessing), timed(5*time.Second, ChallengeSlow),
		chosen(ChallengeInvalid, TypeIncorrectResponse, TypeUnauthorized, TypeConnection, TypeDNS, TypeTLS, TypeCAA, TypeMalformed, TypeRejectedIdentifier, TypeServerInternal),
		counted(2, ChallengeRetry), simple(ChallengeAlreadyAnswered), counted(5, ValidationMany), timed(time.Second, ValidationLate), simple(DNSStale),
	}
}

// token makes challenges with another token.
func token(name, doc, value string) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: "refuse it, without giving it to a solver",
		Requirements: []string{"RFC8555-8.3-17"},
		Endpoints:    []Endpoint{NewOrder, NewAuthz},
		Core:         func(_ *Exchange, k *Knobs) { k.Token = func() string { return value } },
	}
}

// ChallengeTokenMissing makes challenges without token.
func ChallengeTokenMissing() Fault {
	return token("challenge-token-missing", "the challenge has no token", "")
}

// ChallengeTokenShort makes challenges whose token can be guessed.
func ChallengeTokenShort() Fault {
	return token("challenge-token-short", "the challenge's token is too short: RFC 8555 wants 128 bits", "abc")
}

// ChallengeTokenBadChars makes challenges whose token has line ends and quotes.
func ChallengeTokenBadChars() Fault {
	return token("challenge-token-bad-chars", "the challenge's token has line ends and quotes", "evaGxfADs6pSRb2LAv9\r\nX-Injected: yes\r\n\r\n\"$(id)\"")
}

// ChallengeTokenPathTraversal makes challenges whose token leads out of a
// directory.
func ChallengeTokenPathTraversal() Fault {
	return token("challenge-token-path-traversal", "the challenge's token is a path that leads out of its directory", "../../../../../../tmp/evaGxfADs6pSRb2LAv9IZ")
}

// forEver is longer than any test.
const forEver = 100 * 365 * 24 * time.Hour

// ChallengeProcessing never ends a validation.
func ChallengeProcessing() Fault {
	return Fault{
		Name: "challenge-processing", Doc: "the challenge stays in processing for ever", Duty: "look again now and then, and give up after a time",
		Requirements: []string{"RFC8555-7.1.6-20", "RFC8555-7.5.1-15", "RFC8555-7.5.1-16"},
		Endpoints:    []Endpoint{ChallengeURL},
		Core:         func(_ *Exchange, k *Knobs) { k.ValidationDelay = forEver },
	}
}

// ChallengeSlow ends validations after d of the CA's time.
func ChallengeSlow(d time.Duration) Fault {
	return Fault{
		Name: "challenge-slow", Params: d.String(), Doc: "the challenge becomes valid after a while only", Duty: "look again, and don't answer it a second time",
		Requirements: []string{"RFC8555-7.1.6-20", "RFC8555-7.5.1-15", "RFC8555-7.5.1-16"},
		Endpoints:    []Endpoint{ChallengeURL},
		Core:         func(_ *Exchange, k *Knobs) { k.ValidationDelay = d },
	}
}

// ChallengeInvalid fails validations with an error of a type, and a record of
// what was looked at.
func ChallengeInvalid(typ string) Fault {
	return Fault{
		Name: "challenge-invalid", Params: typ, Doc: "the challenge becomes invalid, with an error and a validation record", Duty: "clean up, and fail with the CA's reason",
		Requirements: []string{"RFC8555-6.7-05", "RFC8555-7.5.1-07", "RFC8555-8-09"},
		Endpoints:    []Endpoint{ChallengeURL, Authz},
		Core: func(_ *Exchange, k *Knobs) {
			k.ValidationProblem = problem(typ, "192.0.2.1: the validation failed for the sake of a test")
		},
		Response: func(x *Exchange, r *Response) {
			record := func(m map[string]any) {
				if m["error"] != nil && m["validationRecord"] == nil {
					m["validationRecord"] = []any{map[string]any{"addressUsed": "192.0.2.1", "addressesResolved": []string{"192.0.2.1", "2001:db8::1"}}}
				}
			}
			r.Edit(func(m map[string]any) {
				record(m)
				list, _ := m["challenges"].([]any)
				for _, c := range list {
					if c, ok := c.(map[string]any); ok {
						record(c)
					}
				}
			})
		},
	}
}

// looksAs has the CA look through see, which gets the CA's own way of looking.
func looksAs(see func(v ValidationRequest, look func() *Problem) *Problem) func(*Exchange, *Knobs) {
	return func(x *Exchange, k *Knobs) {
		ca, policy := x.r.ca, x.r.policy
		k.Validate = func(v ValidationRequest) *Problem {
			return see(v, func() *Problem {
				why, _ := ca.validator.validate(ca.ctx, policy, v)
				return why
			})
		}
	}
}

// ChallengeRetry finds nothing n times, and looks again by itself each time, as
// RFC 8555, Section 8.2, lets it.
func ChallengeRetry(n int) Fault {
	see := looksAs(func(v ValidationRequest, look func() *Problem) *Problem {
		if v.Attempt <= n {
			return problem(TypeConnection, "connecting to 192.0.2.1: refused; trying again")
		}
		return look()
	})
	return Fault{
		Name: "challenge-retry", Params: strconv.Itoa(n), Doc: "the validation fails, and the CA tries again by itself", Duty: "keep the response in place till the end",
		Requirements: []string{"RFC8555-8.2-08", "RFC8555-7.5.1-16"},
		Endpoints:    []Endpoint{ChallengeURL},
		Core: func(x *Exchange, k *Knobs) {
			x.decide(func(p *Policy) {
				p.ValidationRetries = max(p.ValidationRetries, n)
				p.PollRetryAfter = max(p.PollRetryAfter, time.Second)
			})
			see(x, k)
		},
	}
}

// ChallengeAlreadyAnswered takes answers to challenges, and calls them malformed
// all the same.
func ChallengeAlreadyAnswered() Fault {
	return Fault{
		Name: "challenge-already-answered", Doc: "the answer to a challenge is taken, and called malformed", Duty: "go on and look at the authorization",
		Requirements: []string{"RFC8555-7.5.1-15"},
		Endpoints:    []Endpoint{ChallengeURL}, Stage: After,
		Request: func(x *Exchange) *Response {
			if len(x.Payload()) == 0 {
				return nil
			}
			return ProblemResponse(problem(TypeMalformed, "the challenge has been answered already"))
		},
	}
}

// ValidationMany looks n times instead of once, as many vantage points do; for
// http-01 each look begins with a HEAD.
func ValidationMany(n int) Fault {
	return Fault{
		Name: "validation-many", Params: strconv.Itoa(n), Doc: "the CA looks at the response many times, for http-01 with HEAD as well", Duty: "answer all of them",
		Requirements: []string{"RFC8555-8.3-16", "RFC8555-8.4-10"},
		Endpoints:    []Endpoint{ChallengeURL},
		Core: func(x *Exchange, k *Knobs) {
			k.ValidationTimes = n
			ca, policy := x.r.ca, x.r.policy
			looksAs(func(v ValidationRequest, look func() *Problem) *Problem {
				if l, ok := ca.validator.(*lookout); ok && v.Type == "http-01" {
					l.head(ca.ctx, policy, v)
				}
				return look()
			})(x, k)
		},
	}
}

// ValidationLate looks once more, d of the CA's time after the challenge became
// valid, and does not mind what it finds.
func ValidationLate(d time.Duration) Fault {
	return Fault{
		Name: "validation-late", Params: d.String(), Doc: "the CA looks again when the challenge is valid already", Duty: "the response may be gone: 404 is fine",
		Requirements: []string{"RFC8555-8.3-16"},
		Endpoints:    []Endpoint{ChallengeURL},
		Core: func(x *Exchange, k *Knobs) {
			ca := x.r.ca
			looksAs(func(_ ValidationRequest, look func() *Problem) *Problem {
				why := look()
				if why == nil {
					ca.work.start(false, func() {
						if ca.clock.Sleep(ca.ctx, d) == nil {
							look()
						}
					})
				}
				return why
			})(x, k)
		},
	}
}

// DNSStale fails validations of the dns types as one does that asks a name
// server which has not got the newest zone yet.
func DNSStale() Fault {
	return Fault{
		Name: "dns-stale", Doc: "one authoritative name server lags, and the CA asks that one", Duty: "wait for all servers before answering, or report which one lags",
		Requirements: []string{"RFC8555-8.2-01", "RFC8555-7.5.1-07"},
		Endpoints:    []Endpoint{ChallengeURL},
		Core: looksAs(func(v ValidationRequest, look func() *Problem) *Problem {
			if why := look(); why != nil || !strings.HasPrefix(v.Type, "dns-") {
				return why
			}
			return problem(TypeUnauthorized, "no TXT record for %s at ns2.%s (serial one behind ns1)", v.Identifier.Value, v.Identifier.Value)
		}),
	}
}
