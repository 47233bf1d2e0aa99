package clientcases

import (
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/acme-e2e/acme-e2e/mockca"
)

const sha256Hash = crypto.SHA256

// obtains has the client issue, and ends the scenario unless the certificate is
// in its place.
func (t *Trial) obtains(change ...func(*Env)) *Run {
	r := t.run(Issue, change...)
	t.has(r, change...)
	return r
}

// has ends the scenario unless a run left a certificate in its place.
func (t *Trial) has(r *Run, change ...func(*Env)) *pair {
	env := t.changed(change)
	p, err := t.pair(env)
	if err == nil {
		err = p.serves(env.Domains)
	}
	if err == nil && r.Err != nil {
		err = errors.New("the client said that it failed")
	}
	if err != nil {
		t.at(nil).Require(false, t.main(), "a certificate for "+strings.Join(env.Domains, ", ")+" in its place", "%v; %s", err, r.story())
	}
	return p
}

// lacks says that the client must have failed, and kept its hands off the files.
func (t *Trial) lacks(r *Run, requirement, because string) bool {
	_, err := t.pair(t.Env)
	actual := ""
	switch {
	case err == nil:
		actual = "it is in its place"
	case r.Err == nil:
		actual = "the client said that it succeeded"
	}
	return t.at(nil).Must(actual == "", requirement, "no certificate, and a failure, because "+because, "%s; %s", actual, r.story())
}

// changed is what a run gets.
func (t *Trial) changed(change []func(*Env)) Env {
	env := t.Env
	for _, c := range change {
		c(&env)
	}
	return env
}

// story is what a run did, on a line.
func (r *Run) story() string {
	if len(r.Exchanges) == 0 {
		return fmt.Sprintf("it never asked the CA for anything, %s after %.1f s, and said: %s", r.ended(), r.Took.Seconds(), excerpt(r.Output))
	}
	return fmt.Sprintf("it %s after %.1f s and %d requests, and said: %s", r.ended(), r.Took.Seconds(), len(r.Exchanges), excerpt(r.Output))
}

// each has every request looked at; wrong says what is wrong with it, or
// nothing. It stops at the first finding.
func (t *Trial) each(all []*mockca.Exchange, requirement, expected string, wrong func(*request) string) bool {
	for _, x := range all {
		if problem := wrong(parse(x)); problem != "" {
			return t.at(x).Must(false, requirement, expected, "%s to %s: %s", x.Method, x.Endpoint, problem)
		}
	}
	return true
}

// eachShould is each for what a standard recommends.
func (t *Trial) eachShould(all []*mockca.Exchange, requirement, expected string, wrong func(*request) string) bool {
	for _, x := range all {
		if problem := wrong(parse(x)); problem != "" {
			return t.at(x).Should(false, requirement, expected, "%s to %s: %s", x.Method, x.Endpoint, problem)
		}
	}
	return true
}

// notBefore says that the first of later did not come earlier than wait after
// x. A tenth of a second is allowed for clocks and rounding.
func (t *Trial) notBefore(x *mockca.Exchange, later []*mockca.Exchange, wait time.Duration, requirement string) bool {
	for _, next := range later {
		if next.ID <= x.ID {
			continue
		}
		gap := next.Start.Sub(x.Start)
		return t.at(next).Must(gap > wait-100*time.Millisecond, requirement, fmt.Sprintf("the next request to %s not before the %s of Retry-After", next.Endpoint, wait), "it came after %.2f s", gap.Seconds())
	}
	return true
}

// bounded says that there were no more than limit requests.
func (t *Trial) bounded(all []*mockca.Exchange, limit int, requirement, what string) bool {
	if len(all) <= limit {
		return true
	}
	last := all[len(all)-1]
	return t.at(last).Should(false, requirement, fmt.Sprintf("no more than %d %s", limit, what), "%d in %.1f s", len(all), last.Start.Sub(all[0].Start).Seconds())
}

// trap is a place that the client must never come to.
type trap struct {
	l     net.Listener
	calls chan struct{}
}

// trap listens where nothing may arrive.
func (t *Trial) trap() *trap {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Inconclusive("no port: %v", err)
	}
	tr := newTrap(l)
	t.closers = append(t.closers, func() { _ = l.Close() })
	return tr
}

func newTrap(l net.Listener) *trap {
	tr := &trap{l, make(chan struct{}, 64)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case tr.calls <- struct{}{}:
			default:
			}
			_ = c.Close()
		}
	}()
	return tr
}

func (tr *trap) addr() string { return tr.l.Addr().String() }
func (tr *trap) sprung() bool { return len(tr.calls) > 0 }

// asciiNames are names as certificates have them.
func asciiNames(names []string) (out []string) {
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err == nil {
			out = append(out, name)
			continue
		}
		wildcard := strings.HasPrefix(name, "*.")
		a, err := idna.Lookup.ToASCII(strings.TrimPrefix(name, "*."))
		if err != nil {
			a = strings.ToLower(strings.TrimPrefix(name, "*."))
		}
		if wildcard {
			a = "*." + a
		}
		out = append(out, a)
	}
	slices.Sort(out)
	return out
}
