package mockca

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Errors: RFC 8555, Sections 6.7 and 6.7.1; RFC 9457; RFC 9773, Section 7.4.

const urnPrefix = "urn:ietf:params:acme:error:"

// The registered error types, without their prefix.
const (
	TypeAccountDoesNotExist     = "accountDoesNotExist"
	TypeAlreadyReplaced         = "alreadyReplaced"
	TypeAlreadyRevoked          = "alreadyRevoked"
	TypeAutoRenewalCanceled     = "autoRenewalCanceled"
	TypeBadCSR                  = "badCSR"
	TypeBadNonce                = "badNonce"
	TypeBadPublicKey            = "badPublicKey"
	TypeBadRevocationReason     = "badRevocationReason"
	TypeBadSignatureAlgorithm   = "badSignatureAlgorithm"
	TypeCAA                     = "caa"
	TypeCompound                = "compound"
	TypeConnection              = "connection"
	TypeDNS                     = "dns"
	TypeExternalAccountRequired = "externalAccountRequired"
	TypeIncorrectResponse       = "incorrectResponse"
	TypeInvalidContact          = "invalidContact"
	TypeInvalidProfile          = "invalidProfile"
	TypeMalformed               = "malformed"
	TypeOrderNotReady           = "orderNotReady"
	TypeRateLimited             = "rateLimited"
	TypeRejectedIdentifier      = "rejectedIdentifier"
	TypeServerInternal          = "serverInternal"
	TypeTLS                     = "tls"
	TypeUnauthorized            = "unauthorized"
	TypeUnsupportedContact      = "unsupportedContact"
	TypeUnsupportedIdentifier   = "unsupportedIdentifier"
	TypeUserActionRequired      = "userActionRequired"
)

// statusOf is the HTTP status of a problem that names none; 400 if not listed.
var statusOf = map[string]int{
	TypeAlreadyReplaced:         http.StatusConflict,
	TypeCAA:                     http.StatusForbidden,
	TypeExternalAccountRequired: http.StatusForbidden,
	TypeIncorrectResponse:       http.StatusForbidden,
	TypeOrderNotReady:           http.StatusForbidden,
	TypeRateLimited:             http.StatusTooManyRequests,
	TypeServerInternal:          http.StatusInternalServerError,
	TypeUnauthorized:            http.StatusForbidden,
	TypeUserActionRequired:      http.StatusForbidden,
}

// Identifier is what a certificate is for: Type "dns" or "ip" (RFC 8555,
// Section 9.7.7; RFC 8738).
type Identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

func (id Identifier) String() string { return id.Type + ":" + id.Value }

// Problem is what goes wrong, in the form that the client gets to see.
type Problem struct {
	// Type is one of the Type constants; anything with a colon is sent as it
	// is, without the prefix of ACME's registry.
	Type        string
	Title       string
	Detail      string
	Status      int // HTTP; 0: what is usual for the type
	Instance    string
	Identifier  *Identifier // in subproblems
	Subproblems []*Problem
	Algorithms  []string // with badSignatureAlgorithm (RFC 8555, Section 6.2)

	// The rest goes into the answer's headers.

	RetryAfter time.Duration // Retry-After, rounded up to seconds; 0: none
	Links      []string      // values of Link fields
	Location   string

	check Check // the check that failed
}

// Error is the type and the detail.
func (p *Problem) Error() string { return p.Type + ": " + p.Detail }

// URN is the type as it is sent.
func (p *Problem) URN() string {
	if strings.Contains(p.Type, ":") {
		return p.Type
	}
	return urnPrefix + p.Type
}

// HTTPStatus is Status, or what is usual for the type.
func (p *Problem) HTTPStatus() int {
	if p.Status != 0 {
		return p.Status
	}
	if s, ok := statusOf[p.Type]; ok {
		return s
	}
	return http.StatusBadRequest
}

type problemJSON struct {
	Type        string      `json:"type"`
	Title       string      `json:"title,omitempty"`
	Detail      string      `json:"detail,omitempty"`
	Status      int         `json:"status,omitempty"`
	Instance    string      `json:"instance,omitempty"`
	Identifier  *Identifier `json:"identifier,omitempty"`
	Algorithms  []string    `json:"algorithms,omitempty"`
	Subproblems []*Problem  `json:"subproblems,omitempty"`
}

// MarshalJSON writes the problem document.
func (p *Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(problemJSON{p.URN(), p.Title, p.Detail, p.HTTPStatus(), p.Instance, p.Identifier, p.Algorithms, p.Subproblems})
}

// UnmarshalJSON reads a problem document, for what takes problems as JSON.
func (p *Problem) UnmarshalJSON(data []byte) error {
	var j problemJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*p = Problem{Type: strings.TrimPrefix(j.Type, urnPrefix), Title: j.Title, Detail: j.Detail, Status: j.Status,
		Instance: j.Instance, Identifier: j.Identifier, Algorithms: j.Algorithms, Subproblems: j.Subproblems}
	return nil
}

func problem(typ, format string, args ...any) *Problem {
	return &Problem{Type: typ, Detail: fmt.Sprintf(format, args...)}
}

// fails is the problem of a check that failed.
func fails(c Check, typ, format string, args ...any) *Problem {
	p := problem(typ, format, args...)
	p.check = c
	return p
}

func (p *Problem) withStatus(status int) *Problem {
	p.Status = status
	return p
}

// compound makes one problem of those of several identifiers: as it is when
// there is one only, otherwise with subproblems (RFC 8555, Section 6.7.1).
func compound(detail string, problems []*Problem) *Problem {
	if len(problems) == 1 {
		return problems[0]
	}
	p := &Problem{Type: problems[0].Type, Detail: detail, Subproblems: problems, check: problems[0].check}
	for _, sub := range problems[1:] {
		if sub.Type != p.Type {
			p.Type = TypeCompound
		}
	}
	return p
}
