// Package servercases holds the cases that judge ACME servers: one file for
// each section of a standard, with the cases in the order of its text.
//
// A case names the requirements that it proves, does something to a server as
// a client would or as none would, and says what it found. It is written
// against a scene, which signs, sends and validates for it, and which gives up
// in its name when the server or the surroundings let it down.
package servercases

import (
	"context"
	"fmt"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// spec is a case before it is bound to a run.
type spec struct {
	id           string // "rfc8555/7.4/finalize-not-ready"
	title        string
	requirements []string
	does         string
	expects      string
	needs        []need
	cost         cost
	alone        bool // it changes the server for all
	run          func(*scene)
}

// cost is how much of a rate-limited server's patience a case takes, at most.
type cost struct {
	accounts int  // that other cases may use as well, where they are dear
	own      int  // accounts that the case harms, or that must be new
	orders   int  // beside those of the tour
	failures int  // validations that fail
	tour     bool // looks at what is shared: see tour
}

// of is what a case itself takes, and what it makes together with others.
func (c cost) of(env *Env) (itself suite.Cost, shares map[string]suite.Cost) {
	itself = suite.Cost{Accounts: c.accounts + c.own, Orders: c.orders, FailedValidations: c.failures}
	shares = map[string]suite.Cost{}
	tour := suite.Cost{Accounts: 1, Orders: 1}
	if env.ShareAccount {
		itself.Accounts, tour.Accounts = c.own, 0
		if c.accounts > 0 || c.tour {
			shares["account"] = suite.Cost{Accounts: 1}
		}
	}
	if c.tour {
		shares["tour"] = tour
	}
	return itself, shares
}

// need is what a case can't do without.
type need string

const (
	needsValidation need = "validation" // valid authorizations can be had
	needsFailures   need = "failures"   // validations can be made to fail
	needsHTTP       need = "http"       // http-01 is answered by the responder
	needsTLS        need = "tls"        // tls-alpn-01 is
	needsDNS        need = "dns"        // the server asks the responder's DNS
	needsAddress    need = "address"    // an IP address reaches the responder
	needsBinding    need = "binding"    // an external account was given
	needsTerms      need = "terms"      // the server's terms can be changed
)

// missing says why need can't be met, or "".
func (e *Env) missing(n need) string {
	own := e.Responder
	switch n {
	case needsValidation:
		if len(e.answerable()) == 0 {
			return "the run has no means to answer challenges"
		}
	case needsFailures:
		if e.AlwaysValid || own == nil || own.HTTPPort() == 0 && own.TLSPort() == 0 && !e.ResolvesHere {
			return "the run has no means to answer challenges wrongly"
		}
	case needsHTTP:
		if e.AlwaysValid || own == nil || own.HTTPPort() == 0 {
			return "the run does not answer http-01 itself"
		}
	case needsTLS:
		if e.AlwaysValid || own == nil || own.TLSPort() == 0 {
			return "the run does not answer tls-alpn-01 itself"
		}
	case needsDNS:
		if e.AlwaysValid || own == nil || own.DNSAddr() == "" || !e.ResolvesHere {
			return "the run does not answer DNS itself"
		}
	case needsAddress:
		if len(e.Addresses) == 0 && !e.AlwaysValid {
			return "no IP address is known that leads the server to this run"
		}
	case needsBinding:
		if e.Binding == nil {
			return "no external account was given; to bind one is optional (RFC 8555, Section 7.3.4)"
		}
	case needsTerms:
		if e.Terms == nil {
			return "the run has no means to change the server's terms, which are optional (RFC 8555, Section 7.3.3)"
		}
	}
	return ""
}

// play runs a case. All of its ways to end, a panic included, end here.
func (c *spec) play(ctx context.Context, env *Env, out outcome, record func(wire.Exchange)) (ended *stop) {
	s := &scene{ctx: ctx, env: env, out: out, requirements: c.requirements, recorder: record}
	s.wire = wire.NewSession(wire.Options{DirectoryURL: env.DirectoryURL, Transport: env.Transport,
		UserAgent: env.UserAgent, Timeout: env.Timeout, Record: s.record})
	defer func() {
		for i := len(s.cleanups) - 1; i >= 0; i-- {
			s.cleanups[i]()
		}
	}()
	defer func() {
		if caught := recover(); caught != nil {
			var ok bool
			if ended, ok = caught.(*stop); !ok {
				ended = &stop{stopInconclusive, fmt.Sprintf("the case panicked: %v", caught)}
			}
		}
	}()
	for _, n := range c.needs {
		if reason := env.missing(n); reason != "" {
			return &stop{stopSkipped, reason}
		}
	}
	c.run(s)
	return nil
}

// record hands an exchange on.
func (s *scene) record(x wire.Exchange) {
	s.exchanges = append(s.exchanges, x)
	s.about = 0
	if s.recorder != nil {
		s.recorder(x)
	}
}

func join(groups ...[]spec) []spec {
	var all []spec
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}
