package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// Kind says who is to blame for an exchange without an answer.
type Kind int

// The surroundings are to blame when the server was not reached: no address,
// no connection, no trust, or the run was ended. All else is the server's.
const (
	Environment Kind = iota + 1
	Server
)

// Error is why there is no answer. It wraps its cause.
type Error struct {
	Kind Kind
	URL  string
	Err  error
}

func (e *Error) Error() string {
	if e.Kind == Environment {
		return fmt.Sprintf("%s could not be reached: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("%s gave no answer that can be used: %v", e.URL, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// blame sorts what net/http returned.
func blame(parent context.Context, url string, err error) *Error {
	kind := Server
	var operation *net.OpError
	var lookup *net.DNSError
	var trust *tls.CertificateVerificationError
	switch {
	case parent.Err() != nil:
		kind, err = Environment, fmt.Errorf("the case was ended: %w", context.Cause(parent))
	case errors.As(err, &lookup), errors.As(err, &trust):
		kind = Environment
	case errors.As(err, &operation) && operation.Op == "dial":
		kind = Environment
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no complete answer in time: %w", err)
	}
	return &Error{Kind: kind, URL: url, Err: err}
}
