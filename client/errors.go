package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// textError is the type of the sentinels that do not come from the CA.
type textError string

func (e textError) Error() string { return string(e) }

// What errors.Is finds in errors of this package, besides the CA's own error
// types (see ErrorType).
const (
	ErrUnreachable    = textError("the CA did not answer")                             // no HTTP answer at all, after every attempt
	ErrNotACME        = textError("not an ACME answer")                                // a captive portal, an ACMEv1 directory, truncated JSON
	ErrNotOffered     = textError("not offered by this CA")                            // the directory has no such entry
	ErrRefused        = textError("refused")                                           // the CA's answer contradicts itself or the request, or is dangerous
	ErrTermsNotAgreed = textError("the CA's terms of service have not been agreed to") // set AgreeTerms after reading them
	ErrNoSolver       = textError("no solver for any offered challenge")
	ErrKeyInUse       = textError("the account key must not be used for anything else") // RFC 8555, Section 11.1
	ErrTimeout        = textError("the CA did not finish in time")                      // Config.PollTimeout passed
)

// Error tells the whole story of a request that did not succeed.
type Error struct {
	Step        string    // what was being done: "creating order"
	Identifier  string    // for which identifiers, if any
	Method, URL string    // the request
	Attempts    int       // how often it was sent
	RetryAt     time.Time // when the CA asked to come back; zero if it didn't
	Err         error     // the last answer: a *Problem, a transport error, one of the sentinels
}

func (e *Error) Error() string { return "acme: " + e.text() }

func (e *Error) text() string {
	var b strings.Builder
	b.WriteString(e.Step)
	if e.Identifier != "" {
		b.WriteString(" for " + printable(e.Identifier))
	}
	if e.URL != "" {
		fmt.Fprintf(&b, ": %s %s", e.Method, printable(e.URL))
	}
	b.WriteString(": " + plain(e.Err))
	if e.Attempts > 1 {
		b.WriteString("; after " + strconv.Itoa(e.Attempts) + " attempts")
	}
	switch {
	case !e.RetryAt.IsZero():
		b.WriteString("; try again at " + e.RetryAt.UTC().Format(time.RFC3339))
	case CallerFault(e):
		b.WriteString("; the same again will not help")
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As the last answer.
func (e *Error) Unwrap() error { return e.Err }

// plain is err's text without the prefix that only the outermost error carries.
func plain(err error) string {
	if err == nil {
		return "unknown error"
	}
	return strings.ReplaceAll(err.Error(), "acme: ", "")
}

// Failure is why one identifier could not be validated.
type Failure struct {
	Identifier Identifier
	Challenge  string // the challenge type tried; empty when none was
	Err        error  // the CA's *Problem, the solver's error, ErrNoSolver
}

// ObtainError says why an issuance failed, name by name where the CA, or a
// solver, gave reasons per name.
type ObtainError struct {
	Identifiers []Identifier
	OrderURL    string // empty when no order was made
	Failed      []Failure
	Err         error // what ended the issuance, when it was not the names
}

func (e *ObtainError) Error() string {
	var b strings.Builder
	b.WriteString("acme: obtaining certificate for " + printable(joinIdentifiers(e.Identifiers)))
	if e.Err != nil {
		b.WriteString(": " + plain(e.Err))
	}
	for _, f := range e.Failed {
		b.WriteString("; " + printable(f.Identifier.Value))
		if f.Challenge != "" {
			b.WriteString(" (" + f.Challenge + ")")
		}
		b.WriteString(": " + plain(f.Err))
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As every failure.
func (e *ObtainError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed)+1)
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	for _, f := range e.Failed {
		errs = append(errs, f.Err)
	}
	return errs
}

// RateLimited reports whether err comes from the CA's rate limits, and until
// when, if it said so.
func RateLimited(err error) (until time.Time, ok bool) {
	if !errors.Is(err, ErrRateLimited) {
		return time.Time{}, false
	}
	until, _ = RetryAt(err)
	return until, true
}

// RetryAt is when the CA asked to come back; ok is false when it did not.
func RetryAt(err error) (at time.Time, ok bool) {
	if e, found := errors.AsType[*Error](err); found && !e.RetryAt.IsZero() {
		return e.RetryAt, true
	}
	if p, found := errors.AsType[*Problem](err); found && !p.RetryAfter.IsZero() {
		return p.RetryAfter, true
	}
	return time.Time{}, false
}

// Temporary reports whether the same call may succeed later without anyone
// changing anything: the CA was unreachable, failing, busy or rate limiting.
func Temporary(err error) bool {
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTimeout) || errors.Is(err, ErrRateLimited) ||
		errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	p, ok := errors.AsType[*Problem](err)
	return ok && (p.Status >= 500 || p.Status == 429 || p.is(ErrServerInternal) || p.is(ErrBadNonce))
}

// CallerFault reports whether the CA blames the request: the same call will
// fail again until its input, the DNS or the account is changed.
func CallerFault(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && !Temporary(err) && p.Status >= 400 && p.Status < 500
}
