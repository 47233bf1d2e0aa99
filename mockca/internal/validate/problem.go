package validate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// RFC 8555, Section 6.7: what a validation can find wrong.

// The types of problems, without the prefix of their URN.
const (
	Connection        = "connection"
	DNS               = "dns"
	TLS               = "tls"
	Unauthorized      = "unauthorized"
	IncorrectResponse = "incorrectResponse"
	CAA               = "caa"
	Malformed         = "malformed"
)

// Problem is why an identifier was not validated.
type Problem struct {
	Type   string
	Detail string // for people; names the address, the URL or the record
	Err    error  // what it comes from, if anything
}

func (p *Problem) Error() string { return p.Type + ": " + p.Detail }

func (p *Problem) Unwrap() error { return p.Err }

func problem(typ, format string, args ...any) *Problem {
	return &Problem{Type: typ, Detail: fmt.Sprintf(format, args...)}
}

// failed is the problem of a connection; what says where and for what it was.
func failed(what string, dialing bool, err error) *Problem {
	typ, reason := Connection, err.Error()
	switch timeout := isTimeout(err); {
	case timeout && dialing:
		reason = "Timeout during connect (likely firewall problem)"
	case timeout:
		reason = "Timeout after connect (your server may be slow or overloaded)"
	case errors.Is(err, syscall.ECONNREFUSED):
		reason = "Connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		reason = "Connection reset by peer"
	case isTLS(err):
		typ, reason = TLS, "Error in the TLS handshake: "+reason
	}
	return &Problem{Type: typ, Detail: what + ": " + reason, Err: err}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

func isTLS(err error) bool {
	var header tls.RecordHeaderError
	var alert tls.AlertError
	var cert x509.CertificateInvalidError
	var op *net.OpError
	return strings.HasPrefix(err.Error(), "tls: ") || errors.As(err, &header) || errors.As(err, &alert) || errors.As(err, &cert) ||
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
