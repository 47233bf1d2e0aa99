package mockca

import (
	"net/http"
	"slices"
	"strings"
)

// Faults of accounts: RFC 8555, Sections 7.3 to 7.3.6.

func accountFaults() []FaultInfo {
	return []FaultInfo{
		simple(AccountExists), simple(AccountGone), simple(AccountDeactivated), simple(AccountRevoked), simple(TermsChanged), simple(EABRequired),
		chosen(EABRejected, "mac", "kid", "used"), chosen(ContactInvalid, TypeInvalidContact, TypeUnsupportedContact),
		simple(NewAccountLost), simple(KeyChangeLost), simple(KeyChangeConflict),
		worded("ES256,RS256", func(list string) Fault { return BadSignatureAlgorithm(strings.Split(list, ",")...) }),
	}
}

// byAccounts are the endpoints that only accounts can use.
func byAccounts() []Endpoint {
	return slices.DeleteFunc(signedEndpoints(), func(e Endpoint) bool { return e == NewAccount || e == RevokeCert })
}

// AccountExists answers newAccount as for a key that has an account already.
func AccountExists() Fault {
	return Fault{
		Name: "account-exists", Doc: "newAccount finds an account for the key: 200 with its Location", Duty: "use it",
		Requirements: []string{"RFC8555-7.3.1-09", "RFC8555-7.3-22"},
		Endpoints:    []Endpoint{NewAccount},
		Response: func(_ *Exchange, r *Response) {
			if r.Status == http.StatusCreated {
				r.Status = http.StatusOK
			}
		},
	}
}

// AccountGone has the CA forget the account that asks, once: it answers
// accountDoesNotExist until the account is made again.
func AccountGone() Fault {
	return Fault{
		Name: "account-gone", Doc: "the CA has forgotten the account", Duty: "make it again with the same key, once and if that is allowed; else fail",
		Endpoints: byAccounts(), Times: 1,
		Request: func(x *Exchange) *Response {
			if x.CA().ForgetAccount(x.Account) != nil {
				return nil
			}
			return ProblemResponse(problem(TypeAccountDoesNotExist, "there is no account %s", x.Account))
		},
	}
}

// accountBecomes puts the account that asks into a status.
func accountBecomes(name, doc, status string) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: "fail; never make a new account without being told to",
		Endpoints: byAccounts(),
		Request: func(x *Exchange) *Response {
			_ = x.CA().SetAccountStatus(x.Account, status) // the CA answers as it does to who has no account
			return nil
		},
	}
}

// AccountDeactivated deactivates the account that asks.
func AccountDeactivated() Fault {
	return accountBecomes("account-deactivated", "the account is deactivated: unauthorized", statusDeactivated)
}

// AccountRevoked revokes the account that asks.
func AccountRevoked() Fault {
	return accountBecomes("account-revoked", "the CA has revoked the account: unauthorized", statusRevoked)
}

// TermsChanged changes the terms of service, once.
func TermsChanged() Fault {
	return Fault{
		Name: "tos-changed", Doc: "the terms of service have changed: userActionRequired until they are agreed to", Duty: "agree if the caller has said so, else fail with their URL",
		Requirements: []string{"RFC8555-7.3.3-05", "RFC8555-7.3-16"},
		Endpoints:    []Endpoint{NewOrder}, Times: 1,
		Core: func(x *Exchange, _ *Knobs) {
			x.CA().ChangeTerms("")
			x.decide(func(p *Policy) { p.TermsOfService = x.CA().Policy().TermsOfService })
		},
	}
}

// EABRequired wants external account bindings, and says so in the directory.
func EABRequired() Fault {
	return Fault{
		Name: "eab-required", Doc: "new accounts must be bound to an external one", Duty: "fail, naming the option, unless there is a binding",
		Endpoints: []Endpoint{Directory, NewAccount},
		Core:      func(x *Exchange, _ *Knobs) { x.decide(func(p *Policy) { p.RequireEAB, p.NoMeta = true, false }) },
	}
}

// EABRejected refuses new accounts for their binding: a wrong "mac", an unknown
// "kid", or one that was "used".
func EABRejected(why string) Fault {
	p := map[string]*Problem{
		"mac":  problem(TypeMalformed, "externalAccountBinding: the MAC is wrong"),
		"kid":  problem(TypeUnauthorized, "externalAccountBinding: there is no such key"),
		"used": problem(TypeUnauthorized, "externalAccountBinding: the key has been used"),
	}[why]
	return Fault{
		Name: "eab-rejected", Params: why, Doc: "the external account binding is refused: wrong MAC, unknown or used key", Duty: "fail",
		Requirements: []string{"RFC8555-6.7-05"},
		Endpoints:    []Endpoint{NewAccount},
		Request:      func(*Exchange) *Response { return ProblemResponse(p) },
	}
}

// ContactInvalid refuses contacts, as "invalidContact" or "unsupportedContact".
func ContactInvalid(typ string) Fault {
	return Fault{
		Name: "contact-invalid", Params: typ, Doc: "contacts are refused", Duty: "fail",
		Requirements: []string{"RFC8555-6.7-05"},
		Endpoints:    []Endpoint{NewAccount, AccountURL},
		Request: func(x *Exchange) *Response {
			var in struct{ Contact []string }
			if x.asks(&in); len(in.Contact) == 0 {
				return nil
			}
			return ProblemResponse(problem(typ, "the contact %q can't be used", in.Contact[0]))
		},
	}
}

// answerLost carries a request out and loses the answer, once.
func answerLost(name, doc, duty string, e Endpoint) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Endpoints: []Endpoint{e}, Times: 1,
		Response: func(_ *Exchange, r *Response) { r.Wire.Reset = true },
	}
}

// NewAccountLost makes the account and loses the answer.
func NewAccountLost() Fault {
	return answerLost("new-account-lost", "the account is made, and the answer lost", "find it by its key", NewAccount)
}

// KeyChangeLost changes the key and loses the answer.
func KeyChangeLost() Fault {
	f := answerLost("key-change-lost", "the account's key is changed, and the answer lost", "find out which key the account has, and never lose either", KeyChange)
	f.Requirements = []string{"RFC8555-7.3.5-25"}
	return f
}

// KeyChangeConflict refuses a new key as another account's.
func KeyChangeConflict() Fault {
	return Fault{
		Name: "key-change-conflict", Doc: "409 to keyChange, with the Location of another account", Duty: "fail, naming the other account",
		Endpoints: []Endpoint{KeyChange},
		Request: func(x *Exchange) *Response {
			p := problem(TypeMalformed, "the new key is that of another account").withStatus(http.StatusConflict)
			p.Location = x.r.url(AccountURL, 4711)
			return ProblemResponse(p)
		},
	}
}

// BadSignatureAlgorithm takes no other algorithms of JWS than those given.
func BadSignatureAlgorithm(algorithms ...string) Fault {
	return Fault{
		Name: "bad-signature-algorithm", Params: strings.Join(algorithms, ","), Doc: "badSignatureAlgorithm to all algorithms but those listed in it", Duty: "use a listed one if the key can, else fail",
		Endpoints: signedEndpoints(),
		Core:      func(x *Exchange, _ *Knobs) { x.decide(func(p *Policy) { p.Algorithms = algorithms }) },
	}
}
