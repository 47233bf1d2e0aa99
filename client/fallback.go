package client

import (
	"context"
	"errors"
	"strings"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// What to try when a challenge failed: RFC 8555, Sections 6.7.1 and 8.

// fallBack excludes the challenges that failed and reports whether every failed
// name has another to try.
func (is *issuance) fallBack(ctx context.Context, failed []Failure) bool {
	if ctx.Err() != nil || len(failed) == 0 {
		return false
	}
	for _, f := range failed {
		if f.Challenge == "" || !ownFault(f.Err) {
			return false
		}
		is.excluded[attempted{f.Identifier, f.Challenge}] = f.Err
	}
	for _, f := range failed {
		if !is.another(f.Identifier) {
			return false
		}
	}
	is.c.log.InfoContext(ctx, "acme: falling back to other challenges", "failed", len(failed), "first", failed[0].Identifier.Value, "err", failed[0].Err)
	return true
}

func (is *issuance) another(id Identifier) bool {
	for _, s := range is.r.Solvers {
		if is.excuse(id, s.Type) == nil && possible(id, s.Type) {
			return true
		}
	}
	return false
}

func (is *issuance) excuse(id Identifier, kind string) error {
	if err := is.excluded[attempted{kind: kind}]; err != nil {
		return err
	}
	return is.excluded[attempted{id, kind}]
}

// possible rules out what the challenge types cannot do: RFC 8555, Section 8.3,
// RFC 8737, Section 3, and RFC 8738, Section 7.
func possible(id Identifier, kind string) bool {
	switch kind {
	case challenge.HTTP01, challenge.TLSALPN01:
		return !id.Wildcard()
	case challenge.DNS01, challenge.DNSAccount01, challenge.DNSPersist01:
		return id.Type != TypeIP
	}
	return true
}

// ownFault reports whether an error is the challenge's own, so that another type
// may succeed where this one did not.
func ownFault(err error) bool {
	for _, t := range []ErrorType{ErrCAA, ErrRejectedIdentifier, ErrUnsupportedIdentifier, ErrRateLimited, ErrUserActionRequired} {
		if errors.Is(err, t) {
			return false
		}
	}
	return true
}

// perName takes the subproblems of a final error apart by identifier (RFC 8555,
// Section 6.7.1).
func perName(err error) []Failure {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		return nil
	}
	var failed []Failure
	for i := range p.Subproblems {
		if s := &p.Subproblems[i]; s.Identifier != nil {
			failed = append(failed, Failure{Identifier: Identifier{strings.ToLower(s.Identifier.Type), s.Identifier.Value}, Err: s})
		}
	}
	return failed
}
