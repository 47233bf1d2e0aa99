package mockca

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"strings"
	"time"
)

// Faults of the transport: TCP, TLS (RFC 8446), HTTP/2 (RFC 9113), and the name
// of the CA.

func transportFaults() []FaultInfo {
	return append([]FaultInfo{
		simple(Refuse), simple(ResetBefore), simple(ResetAfter), simple(CloseMidBody), timed(time.Second, Drip), simple(Stall), simple(StallBody),
		timed(2*time.Second, Latency), simple(TLSUntrusted), simple(TLSWrongName), simple(TLSExpired), simple(TLSAlert),
		simple(GoAway), simple(ResetStream), simple(DNSFail),
	}, redirectFaults()...)
}

// cut is the answer of a connection that is reset.
func cut(*Exchange) *Response { return &Response{Bare: true, Wire: Wire{Reset: true}} }

// Refuse resets connections as soon as they are made, and those that exist at
// their next request: the nearest thing to a port where nobody listens.
func Refuse() Fault {
	return Fault{
		Name: "refuse", Doc: "connections are reset as soon as they are made", Duty: "try again, then fail: the CA can't be reached",
		Requirements: []string{"RFC9773-4.3.3-06"},
		Accept:       func(*Conn) error { return ErrRefuse },
		Request:      cut,
	}
}

// ResetBefore resets the connection before the CA acts.
func ResetBefore() Fault {
	return Fault{
		Name: "reset-before", Doc: "the connection is reset before the request is processed", Duty: "try again",
		Request: cut,
	}
}

// ResetAfter lets the CA act, and resets the connection instead of answering.
func ResetAfter() Fault {
	return Fault{
		Name: "reset-after", Doc: "the request is carried out and the connection reset before the answer",
		Duty:     "find out what became of the request, then carry on",
		Response: func(_ *Exchange, r *Response) { r.Wire.Reset = true },
	}
}

// CloseMidBody sends half the body that Content-Length promises, and closes the
// connection.
func CloseMidBody() Fault {
	return Fault{
		Name: "close-mid-body", Doc: "the connection is closed in the middle of the body", Duty: "try again, or find out what became of the request",
		Response: func(_ *Exchange, r *Response) { r.Wire.Cut, r.Wire.CutAfter = true, len(r.Body)/2 },
	}
}

// Drip sends the body byte by byte, with a pause of the machine's time before
// each.
func Drip(pause time.Duration) Fault {
	return Fault{
		Name: "drip", Params: pause.String(), Doc: "the body arrives one byte at a time", Duty: "give up after a time of its own, then find out what became of the request",
		Response: func(_ *Exchange, r *Response) { r.Wire.Drip, r.Wire.RealTime = pause, true },
	}
}

// Stall lets the CA act and never answers.
func Stall() Fault {
	return Fault{
		Name: "stall", Doc: "the answer never comes", Duty: "give up after a time of its own, then find out what became of the request",
		Response: func(_ *Exchange, r *Response) { r.Wire.Stall = true },
	}
}

// StallBody sends the headers and half the body, and then nothing more.
func StallBody() Fault {
	return Fault{
		Name: "stall-body", Doc: "the headers come, the body never ends", Duty: "give up after a time of its own, then find out what became of the request",
		Response: func(_ *Exchange, r *Response) { r.Wire.StallBody, r.Wire.CutAfter = true, len(r.Body)/2 },
	}
}

// Latency makes every answer late by d of the machine's time, and by up to half
// as much again.
func Latency(d time.Duration) Fault {
	return Fault{
		Name: "latency", Params: d.String(), Doc: "every answer is late, with jitter", Duty: "carry on",
		Response: func(_ *Exchange, r *Response) { r.Wire.Delay, r.Wire.RealTime = d+rand.N(d/2+1), true },
	}
}

// presents has new connections see another certificate of the API.
func presents(name, doc, duty string, certificate func(*Handshake) (tls.Certificate, error)) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Requirements: []string{"RFC8555-6.1-02", "RFC8555-6.1-03"},
		Handshake: func(h *Handshake) error {
			c, err := certificate(h)
			h.Config.Certificates = []tls.Certificate{c}
			return err
		},
	}
}

// TLSUntrusted has new connections see an API certificate by a root that nobody
// knows.
func TLSUntrusted() Fault {
	return presents("tls-untrusted", "the API's certificate is by a root that nobody trusts", "fail at once, without trying again and again",
		func(h *Handshake) (tls.Certificate, error) {
			return h.Certificate(false, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
		})
}

// TLSWrongName has new connections see an API certificate for another host.
func TLSWrongName() Fault {
	return presents("tls-wrong-name", "the API's certificate is for another host", "fail at once",
		func(h *Handshake) (tls.Certificate, error) {
			return h.Certificate(true, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour), "other.invalid")
		})
}

// TLSExpired has new connections see an API certificate that expired an hour
// ago.
func TLSExpired() Fault {
	return presents("tls-expired", "the API's certificate has expired", "fail, and say that the local clock may be wrong instead",
		func(h *Handshake) (tls.Certificate, error) {
			return h.Certificate(true, time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour))
		})
}

// TLSAlert breaks off the handshake of new connections.
func TLSAlert() Fault {
	return Fault{
		Name: "tls-alert", Doc: "the TLS handshake is broken off with an alert", Duty: "try again, then fail",
		Handshake: func(*Handshake) error { return errors.New("broken off") },
	}
}

// GoAway ends the connection after the answer: by GOAWAY in HTTP/2, where other
// requests may be under way, by Connection: close in HTTP/1.1.
func GoAway() Fault {
	return Fault{
		Name: "goaway", Doc: "the answer comes with HTTP/2 GOAWAY", Duty: "go on over a new connection",
		Response: func(_ *Exchange, r *Response) { r.Wire.GoAway = true },
	}
}

// ResetStream lets the CA act and resets the HTTP/2 stream with INTERNAL_ERROR
// instead of answering; in HTTP/1.1 it closes the connection.
func ResetStream() Fault {
	return Fault{
		Name: "h2-reset-stream", Doc: "the HTTP/2 stream is reset with INTERNAL_ERROR instead of the answer", Duty: "try again, or find out what became of the request",
		Response: func(_ *Exchange, r *Response) { r.Wire.ResetStream = true },
	}
}

// unresolvable is a host that RFC 6761, Section 6.4, lets nobody find.
const unresolvable = "gone.invalid"

// DNSFail moves all URLs in the directory to a host whose name does not resolve,
// as when the CA's name is lost.
func DNSFail() Fault {
	return Fault{
		Name: "dns-fail", Doc: "the CA's name does not resolve: the directory's URLs name the host " + unresolvable, Duty: "try again, then fail: the CA can't be reached",
		Requirements: []string{"RFC9773-4.3.3-06"},
		Endpoints:    []Endpoint{Directory},
		Response: func(x *Exchange, r *Response) {
			scheme, _, _ := strings.Cut(x.Base(), "://")
			r.rebase(x.Base(), scheme+"://"+unresolvable)
		},
	}
}

// rebase puts something else in front of the paths in the URLs of the body.
func (r *Response) rebase(from, to string) {
	r.Body = []byte(strings.ReplaceAll(string(r.Body), `"`+from+"/", `"`+to+"/"))
}
