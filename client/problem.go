package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Problem documents: RFC 8555, Section 6.7, and RFC 9457.

const errorURN = "urn:ietf:params:acme:error:"

// ErrorType is an error type of the IANA registry of RFC 8555, Section 9.7.4.
// It is a sentinel: errors.Is(err, client.ErrRateLimited).
type ErrorType string

func (t ErrorType) Error() string { return string(t) }

// The error types of RFC 8555, Section 6.7, and of the documents named.
const (
	ErrAccountDoesNotExist               ErrorType = "accountDoesNotExist"
	ErrAlreadyReplaced                   ErrorType = "alreadyReplaced" // RFC 9773, Section 7.4
	ErrAlreadyRevoked                    ErrorType = "alreadyRevoked"
	ErrAutoRenewalCanceled               ErrorType = "autoRenewalCanceled" // RFC 8739, and the next three
	ErrAutoRenewalCancellationInvalid    ErrorType = "autoRenewalCancellationInvalid"
	ErrAutoRenewalExpired                ErrorType = "autoRenewalExpired"
	ErrAutoRenewalRevocationNotSupported ErrorType = "autoRenewalRevocationNotSupported"
	ErrBadCSR                            ErrorType = "badCSR"
	ErrBadNonce                          ErrorType = "badNonce"
	ErrBadPublicKey                      ErrorType = "badPublicKey"
	ErrBadRevocationReason               ErrorType = "badRevocationReason"
	ErrBadSignatureAlgorithm             ErrorType = "badSignatureAlgorithm"
	ErrCAA                               ErrorType = "caa"
	ErrCompound                          ErrorType = "compound"
	ErrConnection                        ErrorType = "connection"
	ErrDNS                               ErrorType = "dns"
	ErrExternalAccountRequired           ErrorType = "externalAccountRequired"
	ErrIncorrectResponse                 ErrorType = "incorrectResponse"
	ErrInvalidContact                    ErrorType = "invalidContact"
	ErrInvalidProfile                    ErrorType = "invalidProfile" // draft-ietf-acme-profiles
	ErrMalformed                         ErrorType = "malformed"
	ErrOnionCAARequired                  ErrorType = "onionCAARequired" // RFC 9799
	ErrOrderNotReady                     ErrorType = "orderNotReady"
	ErrRateLimited                       ErrorType = "rateLimited"
	ErrRejectedIdentifier                ErrorType = "rejectedIdentifier"
	ErrServerInternal                    ErrorType = "serverInternal"
	ErrTLS                               ErrorType = "tls"
	ErrUnauthorized                      ErrorType = "unauthorized"
	ErrUnknownDelegation                 ErrorType = "unknownDelegation" // RFC 9115
	ErrUnsupportedContact                ErrorType = "unsupportedContact"
	ErrUnsupportedIdentifier             ErrorType = "unsupportedIdentifier"
	ErrUserActionRequired                ErrorType = "userActionRequired"
)

// Problem is an error that the CA reported. Find it with errors.As; compare its
// type with errors.Is and the ErrorType constants. All text is free of control
// characters. Status is the HTTP status where there was one, whatever the
// document says.
type Problem struct {
	Type     string // the whole URN; "about:blank" when the CA gave none
	Title    string
	Detail   string
	Instance string // a page for people, with userActionRequired (RFC 8555, Section 7.3.3)
	Status   int

	Identifier  *Identifier // in subproblems (RFC 8555, Section 6.7.1)
	Subproblems []Problem

	Algorithms     []string  // with badSignatureAlgorithm (RFC 8555, Section 6.2)
	RetryAfter     time.Time // from the answer's header; zero without
	Help           string    // Link rel="help": what the rate limit means (RFC 8555, Section 6.6)
	TermsOfService string    // Link rel="terms-of-service" (RFC 8555, Section 7.3.3)
	Location       string    // with 409: the account that has the key already (RFC 8555, Section 7.3.5)

	garbled bool // it was said to be a problem document, and could not be read
}

// Error is the type, status, detail and subproblems in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(p.Type, errorURN))
	if p.Status != 0 {
		fmt.Fprintf(&b, " (%d)", p.Status)
	}
	switch {
	case p.Detail != "":
		b.WriteString(": " + p.Detail)
	case p.Title != "":
		b.WriteString(": " + p.Title)
	}
	for _, s := range p.Subproblems {
		b.WriteString("; ")
		if s.Identifier != nil {
			b.WriteString(printable(s.Identifier.Value) + ": ")
		}
		b.WriteString(s.Error())
	}
	if p.Instance != "" && p.is(ErrUserActionRequired) {
		b.WriteString("; a person must visit " + p.Instance)
	}
	if p.Help != "" {
		b.WriteString("; see " + p.Help)
	}
	if p.Location != "" {
		b.WriteString("; that is " + p.Location)
	}
	return b.String()
}

// Is reports whether target is this problem's ErrorType.
func (p *Problem) Is(target error) bool {
	t, ok := target.(ErrorType)
	return ok && p.is(t)
}

func (p *Problem) is(t ErrorType) bool {
	short, ok := strings.CutPrefix(p.Type, errorURN)
	return ok && strings.EqualFold(short, string(t))
}

const maxSubproblems = 1000

// UnmarshalJSON reads a problem document as RFC 9457, Section 3, wants it:
// members of the wrong type, and unknown ones, are ignored.
func (p *Problem) UnmarshalJSON(data []byte) error { return p.unmarshal(data, 0) }

func (p *Problem) unmarshal(data []byte, depth int) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	text := func(name string) string {
		var s string
		_ = json.Unmarshal(m[name], &s) // of the wrong type: ignored
		return printable(s)
	}
	*p = Problem{Type: text("type"), Title: text("title"), Detail: text("detail"), Instance: text("instance")}
	if p.Type == "" {
		p.Type = "about:blank"
	}
	_ = json.Unmarshal(m["status"], &p.Status)
	_ = json.Unmarshal(m["algorithms"], &p.Algorithms)
	var id Identifier
	if json.Unmarshal(m["identifier"], &id) == nil && id.Value != "" {
		p.Identifier = &Identifier{Type: printable(id.Type), Value: printable(id.Value)}
	}
	var subs []json.RawMessage
	if json.Unmarshal(m["subproblems"], &subs) == nil && depth < 2 {
		for _, raw := range subs[:min(len(subs), maxSubproblems)] {
			var s Problem
			if s.unmarshal(raw, depth+1) == nil {
				p.Subproblems = append(p.Subproblems, s)
			}
		}
	}
	return nil
}

// readProblem makes a Problem of any answer that is not a success: a problem
// document whatever its content type, else a description of what came.
func readProblem(status int, h http.Header, body []byte, from string, now time.Time) *Problem {
	p := new(Problem)
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 || trimmed[0] != '{' || checkJSON(trimmed) != nil || json.Unmarshal(trimmed, p) != nil {
		*p = Problem{Type: "about:blank", Title: http.StatusText(status), Detail: describeBody(h, trimmed),
			garbled: strings.HasPrefix(h.Get("Content-Type"), "application/problem+json")}
	}
	p.Status = status
	if status == http.StatusTooManyRequests && p.Type == "about:blank" {
		p.Type = errorURN + string(ErrRateLimited)
	}
	if at, ok := retryAfter(h, now); ok {
		p.RetryAfter = at
	}
	if l, ok := resolve(from, h.Get("Location")); ok && status == http.StatusConflict {
		p.Location = printable(l)
	}
	for _, l := range parseLinks(h.Values("Link"), from) {
		switch {
		case l.has("help"):
			p.Help = printable(l.target)
		case l.has("terms-of-service"):
			p.TermsOfService = printable(l.target)
		}
	}
	return p
}

func describeBody(h http.Header, body []byte) string {
	mt, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if len(body) == 0 {
		return "empty answer"
	}
	return "the answer is of type " + strconv.Quote(printable(mt)) + " and begins " + strconv.Quote(clip(printable(string(body)), 120))
}

const maxText = 2000

// printable makes text from the CA fit for terminals and logs: control and
// formatting characters (bidirectional overrides among them) and invalid UTF-8
// become U+FFFD, and it is cut at a sane length.
func printable(s string) string {
	bad := len(s) > maxText
	for i := 0; i < len(s) && !bad; i++ {
		bad = s[i] < 0x20 || s[i] >= 0x7f
	}
	if !bad {
		return s
	}
	s = clip(s, maxText)
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
