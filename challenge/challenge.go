// Package challenge proves control over identifiers to an ACME CA (RFC 8555,
// Section 8): it holds the contract between the client, which talks to the CA,
// and the solvers, which make the responses visible to it.
//
// A Solver is handed all challenges of an order at once, makes their responses
// visible, and takes them away again. It never talks to the CA.
package challenge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// The challenge types that this module has solvers for, spelt as in the CA's
// challenge objects (RFC 8555, Section 9.7.8).
const (
	HTTP01       = "http-01"        // RFC 8555, Section 8.3
	DNS01        = "dns-01"         // RFC 8555, Section 8.4
	TLSALPN01    = "tls-alpn-01"    // RFC 8737
	DNSAccount01 = "dns-account-01" // draft-ietf-acme-dns-account-label
	DNSPersist01 = "dns-persist-01" // draft-ietf-acme-dns-persist
)

// Challenge is all that a Solver needs to know of one challenge.
type Challenge struct {
	Type string // one of the constants above, or a type of the caller's own
	URL  string // the challenge's URL at the CA, unique within it

	// IdentifierType is "dns" or "ip" (RFC 8738); Identifier is the value: an
	// A-label name without "*.", or the textual address.
	IdentifierType string
	Identifier     string
	Wildcard       bool // the order asked for "*." + Identifier

	Token            string // base64url, checked by the client before it gets here
	KeyAuthorization string // RFC 8555, Section 8.1; empty for dns-persist-01

	AccountURL        string   // for dns-account-01 and dns-persist-01
	IssuerDomainNames []string // for dns-persist-01
}

// A Solver makes the responses to challenges of one type visible to the CA.
// Its methods are called from several goroutines at once, for different orders.
type Solver interface {
	// Present makes the responses visible and returns when the CA may look. It
	// is called once per order with all of the order's challenges for this
	// solver. When some could not be presented the error holds one *Error for
	// each of them, and the others are taken as presented; without any *Error
	// none is. CleanUp is called in either case.
	Present(ctx context.Context, challenges []Challenge) error

	// CleanUp takes the responses away, also those that Present failed on. It
	// is called exactly once for each Present, under a context of its own when
	// the caller's has ended.
	CleanUp(ctx context.Context, challenges []Challenge) error
}

// A Checker is a Solver that can tell beforehand whether it will be able to
// present: the port can be bound, the directory written, the zone found. It is
// asked before the order is made, so that a failure costs nothing at the CA.
type Checker interface {
	Check(ctx context.Context) error
}

// A Watcher is a Solver that notices the CA looking at a response.
type Watcher interface {
	// Seen returns a channel that is closed after the CA has fetched the
	// response of c for the first time since Present. A CA may look from
	// several places, so seen is a reason to ask the CA, not a verdict.
	Seen(c Challenge) <-chan struct{}
}

// Error says which challenge a Solver failed on.
type Error struct {
	Challenge Challenge
	Err       error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s for %s: %v", e.Challenge.Type, e.Challenge.Identifier, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Failed sorts out what Present's error means: the error for each challenge, by
// its URL, that was not presented. It is nil when err is nil.
func Failed(err error, challenges []Challenge) map[string]error {
	if err == nil {
		return nil
	}
	failed := make(map[string]error)
	collect(err, failed)
	if len(failed) == 0 {
		for _, c := range challenges {
			failed[c.URL] = err
		}
	}
	return failed
}

func collect(err error, into map[string]error) {
	if e, ok := err.(*Error); ok {
		into[e.Challenge.URL] = e
		return
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if inner := u.Unwrap(); inner != nil {
			collect(inner, into)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			collect(inner, into)
		}
	}
}

// ErrNotPresented is what a Solver wraps when asked to do what it can't: an ip
// identifier over dns-01, a wildcard over http-01.
var ErrNotPresented = errors.New("challenge cannot be presented by this solver")

// DNS01Value is the TXT value for a key authorization: the unpadded base64url
// of its SHA-256 (RFC 8555, Section 8.4).
func DNS01Value(keyAuthorization string) string {
	sum := sha256.Sum256([]byte(keyAuthorization))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
