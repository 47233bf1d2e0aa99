package mockca

import (
	"maps"
	"slices"
	"strings"
)

// Endpoint names a resource of the CA, for rules and the transcript.
type Endpoint string

// The endpoints: those of the directory (RFC 8555, Section 7.1.1), the objects
// that they lead to, and what certificates point at.
const (
	Directory    Endpoint = "directory"
	NewNonce     Endpoint = "newNonce"
	NewAccount   Endpoint = "newAccount"
	AccountURL   Endpoint = "account"
	OrdersList   Endpoint = "orders"
	NewOrder     Endpoint = "newOrder"
	OrderURL     Endpoint = "order"
	Finalize     Endpoint = "finalize"
	NewAuthz     Endpoint = "newAuthz"
	Authz        Endpoint = "authz"
	ChallengeURL Endpoint = "challenge"
	Certificate  Endpoint = "certificate"
	RevokeCert   Endpoint = "revokeCert"
	KeyChange    Endpoint = "keyChange"
	RenewalInfo  Endpoint = "renewalInfo"

	Terms   Endpoint = "terms"  // the terms of service, for people
	CRL     Endpoint = "crl"    // revocation list, RFC 5280
	OCSP    Endpoint = "ocsp"   // RFC 6960
	Issuer  Endpoint = "issuer" // the issuing certificate, in DER
	Unknown Endpoint = "unknown"
)

// Endpoints are all endpoints but Unknown, in the order of an issuance.
func Endpoints() []Endpoint {
	return []Endpoint{Directory, NewNonce, NewAccount, AccountURL, OrdersList, NewOrder, OrderURL, Finalize, NewAuthz, Authz,
		ChallengeURL, Certificate, RevokeCert, KeyChange, RenewalInfo, Terms, CRL, OCSP, Issuer}
}

// Paths are the URL paths of the endpoints. An object's identifier follows after
// a slash. Endpoints that are not in it have the path of DefaultPaths.
type Paths map[Endpoint]string

// DefaultPaths are the paths of a CA that is not told otherwise.
func DefaultPaths() Paths {
	return Paths{
		Directory: "/directory", NewNonce: "/acme/new-nonce", NewAccount: "/acme/new-acct", AccountURL: "/acme/acct",
		OrdersList: "/acme/orders", NewOrder: "/acme/new-order", OrderURL: "/acme/order", Finalize: "/acme/finalize",
		NewAuthz: "/acme/new-authz", Authz: "/acme/authz", ChallengeURL: "/acme/chall", Certificate: "/acme/cert",
		RevokeCert: "/acme/revoke-cert", KeyChange: "/acme/key-change", RenewalInfo: "/acme/renewal-info",
		Terms: "/terms", CRL: "/crl", OCSP: "/ocsp", Issuer: "/issuer",
	}
}

// PebblePaths are Pebble's.
func PebblePaths() Paths {
	return Paths{
		Directory: "/dir", NewNonce: "/nonce-plz", NewAccount: "/sign-me-up", AccountURL: "/my-account",
		OrdersList: "/list-orderz", NewOrder: "/order-plz", OrderURL: "/my-order", Finalize: "/finalize-order",
		NewAuthz: "/authz-plz", Authz: "/authZ", ChallengeURL: "/chalZ", Certificate: "/certZ",
		RevokeCert: "/revoke-cert", KeyChange: "/rollover-account-key", RenewalInfo: "/draft-ietf-acme-ari-03/renewalInfo",
	}
}

// routes finds the endpoint of a path.
type routes struct {
	path  map[Endpoint]string
	exact map[string]Endpoint
}

func newRoutes(p Paths) *routes {
	r := &routes{path: DefaultPaths(), exact: make(map[string]Endpoint)}
	maps.Copy(r.path, p)
	for e, path := range r.path {
		r.exact[path] = e
	}
	return r
}

// find cuts a path into its endpoint and what follows.
func (r *routes) find(path string) (Endpoint, string) {
	if e, ok := r.exact[path]; ok {
		return e, ""
	}
	found, rest := Unknown, ""
	for i, cuts := 1, 0; i < len(path) && cuts < 8; i++ { // the longest prefix wins
		if path[i] != '/' {
			continue
		}
		cuts++
		if e, ok := r.exact[path[:i]]; ok {
			found, rest = e, path[i+1:]
		}
	}
	return found, rest
}

func (p Paths) problems() []string {
	var wrong []string
	seen := make(map[string]Endpoint)
	for _, e := range slices.Sorted(maps.Keys(p)) {
		path := p[e]
		if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
			wrong = append(wrong, "path of "+string(e)+" must begin with a slash and not end with one")
		}
		if other, twice := seen[path]; twice {
			wrong = append(wrong, "path "+path+" is that of "+string(e)+" and of "+string(other))
		}
		seen[path] = e
		if !slices.Contains(Endpoints(), e) {
			wrong = append(wrong, "there is no endpoint "+string(e))
		}
	}
	return wrong
}
