package mockca

import (
	"context"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

// Validation says how control over identifiers is looked for. The zero value
// really goes out, as seen from a network on which every name is the loopback
// interface, and the ports are Pebble's.
type Validation struct {
	// Off makes every challenge valid as soon as it is answered.
	Off bool
	// Script, if set, is asked instead of going out; nil means that control is
	// proved. It may block, until ctx ends.
	Script func(ctx context.Context, v ValidationRequest) *Problem

	HTTPPort  int // stands for port 80; default 5002
	HTTPSPort int // stands for port 443, after redirects; default 5003
	TLSPort   int // stands for port 443 in tls-alpn-01; default 5001

	// DNS answers what the CA asks: NewResolver, or a *dnsserver.Server in the
	// same process. Default: every name is 127.0.0.1 and ::1, with no other
	// records.
	DNS  Exchanger
	Dial Dialer // default net.Dialer's
	// Perspectives look too, once the CA itself was content; Quorum of them
	// must agree: 0 means all but one of up to five, all but two of more.
	Perspectives []Perspective
	Quorum       int

	NoCAA       bool          // CAA records are not asked for
	Timeout     time.Duration // of one look; default 20 s of real time
	DialTimeout time.Duration // default 5 s of real time
}

// Exchanger answers DNS questions, as a recursive resolver does.
type Exchanger = validate.Exchanger

// Dialer connects to "host:port" over "tcp" or "udp".
type Dialer = validate.Dialer

// Perspective is one more place on the network to look from.
type Perspective struct {
	Name string
	DNS  Exchanger // default Validation's
	Dial Dialer    // default Validation's
	Fail *Problem  // what it finds, without looking
}

// NewResolver asks the DNS server at an address, "host:port".
func NewResolver(address string) Exchanger { return validate.NewDNS(address, nil) }

func newValidator(ca *CA, v Validation) validator {
	switch {
	case v.Script != nil:
		return scripted(v.Script)
	case v.Off:
		return noValidation{}
	}
	return &lookout{ca: ca, how: v}
}

// lookout really looks.
type lookout struct {
	ca  *CA
	how Validation
}

func (l *lookout) config(p *Policy) validate.Config {
	c := validate.Config{HTTPPort: l.how.HTTPPort, HTTPSPort: l.how.HTTPSPort, TLSPort: l.how.TLSPort, DNS: l.how.DNS, Dial: l.how.Dial,
		Quorum: l.how.Quorum, CAAIdentities: p.CAAIdentities, Mismatch: p.MismatchType, ShowBodies: !l.ca.on(HabitDiscretion), Timeout: l.how.Timeout, DialTimeout: l.how.DialTimeout,
		UserAgent: "mockca", Clock: l.ca.clock, Logger: l.ca.log}
	for _, at := range l.how.Perspectives {
		see := validate.Perspective{Name: at.Name, DNS: at.DNS, Dial: at.Dial}
		if at.Fail != nil {
			see.Fail = &validate.Problem{Type: at.Fail.Type, Detail: at.Fail.Detail}
		}
		c.Perspectives = append(c.Perspectives, see)
	}
	return c
}

func (l *lookout) validate(ctx context.Context, p *Policy, v ValidationRequest) (*Problem, any) {
	look := validate.New(l.config(p))
	result := look.Validate(ctx, v.plain())
	var records any
	if len(result.Records) > 0 {
		records = result.Records
	}
	why := seen(result.Problem)
	if why == nil && v.Identifier.Type == "dns" && !l.how.NoCAA && !p.NoCAA && l.ca.on(CheckCAA) {
		why = seen(look.CheckCAA(ctx, validate.CAARequest{Domain: v.Identifier.Value, Wildcard: v.Wildcard, Method: v.Type, AccountURL: v.AccountURL}))
	}
	return why, records
}

// head asks for an http-01 response by HEAD, for a fault.
func (l *lookout) head(ctx context.Context, p *Policy, v ValidationRequest) {
	validate.New(l.config(p)).Head(ctx, v.plain())
}

func (v ValidationRequest) plain() validate.Request {
	return validate.Request{Type: v.Type, Identifier: validate.Identifier(v.Identifier), Wildcard: v.Wildcard,
		Token: v.Token, KeyAuthorization: v.KeyAuthorization, AccountURL: v.AccountURL, IssuerDomains: v.IssuerDomains}
}

func seen(p *validate.Problem) *Problem {
	if p == nil {
		return nil
	}
	return &Problem{Type: p.Type, Detail: p.Detail}
}
