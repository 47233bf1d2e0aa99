package dns01

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Lag is one authoritative server without the value, and what it says instead.
type Lag struct {
	Server string
	Reason string
}

// PropagationError says that a value was not at all authoritative servers when
// the time was up.
type PropagationError struct {
	Name    string
	Zone    string
	Waited  time.Duration
	Servers int
	Lagging []Lag
	Err     error // what ended the wait before its time; nil: the time limit
}

func (e *PropagationError) Error() string {
	var lags []string
	for _, l := range e.Lagging {
		lags = append(lags, l.Server+" ("+l.Reason+")")
	}
	text := fmt.Sprintf("TXT record %s is not at %d of the %d authoritative servers of %s after %s: %s",
		e.Name, len(e.Lagging), e.Servers, e.Zone, e.Waited.Round(time.Millisecond), strings.Join(lags, ", "))
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *PropagationError) Unwrap() error { return e.Err }

// propagated waits for all records together and returns one error for each.
func (o Options) propagated(ctx context.Context, records []Record) []error {
	errs := make([]error, len(records))
	servers := make(map[string][]server)
	for i, r := range records {
		if servers[r.Zone] != nil {
			continue
		}
		list, err := o.DNS.authoritative(ctx, r.Zone)
		if err != nil {
			errs[i] = fmt.Errorf("finding the authoritative servers of %s: %w", r.Zone, err)
			continue
		}
		servers[r.Zone] = list
	}
	begun := o.Clock.Now()
	for {
		waiting := false
		for i, lags := range o.look(ctx, records, servers) {
			if list := servers[records[i].Zone]; len(list) > 0 {
				errs[i] = nil
				if len(lags) > 0 {
					waiting = true
					errs[i] = &PropagationError{Name: records[i].Name, Zone: records[i].Zone, Servers: len(list),
						Waited: o.Clock.Now().Sub(begun), Lagging: lags, Err: context.Cause(ctx)}
				}
			}
		}
		if !waiting || o.Clock.Now().Sub(begun) >= o.Timeout {
			return errs
		}
		if err := o.Clock.Sleep(ctx, o.Interval); err != nil {
			for _, e := range errs {
				if p := (*PropagationError)(nil); errors.As(e, &p) {
					p.Err = err
				}
			}
			return errs
		}
	}
}

// look asks all servers once, some at a time.
func (o Options) look(ctx context.Context, records []Record, servers map[string][]server) [][]Lag {
	lags := make([][]Lag, len(records))
	var mu sync.Mutex
	var wg sync.WaitGroup
	gate := make(chan struct{}, 16)
	for i, r := range records {
		for _, s := range servers[r.Zone] {
			wg.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				if reason := o.DNS.has(ctx, s, r); reason != "" {
					mu.Lock()
					lags[i] = append(lags[i], Lag{Server: s.name, Reason: reason})
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return lags
}

// has asks each address of a server: one that answers must have the value; one
// that can't be reached from here doesn't count when another one answers.
func (d DNS) has(ctx context.Context, s server, r Record) (reason string) {
	answered := false
	unreachable := "no address"
	for _, address := range s.addresses {
		answer, err := d.exchange(ctx, question(r.Name, dns.TypeTXT, false), address)
		if err != nil {
			unreachable = fmt.Sprintf("%s: %v", address, err)
			continue
		}
		answered = true
		if answer.Rcode != dns.RcodeSuccess {
			return fmt.Sprintf("%s answers %s", address, dns.RcodeToString[answer.Rcode])
		}
		if !hasValue(answer, r.Name, r.Value) {
			return fmt.Sprintf("%s has not this value yet", address)
		}
	}
	if !answered {
		return unreachable
	}
	return ""
}

// hasValue tells whether the answer holds a TXT record of the name whose
// strings together are value.
func hasValue(answer *dns.Msg, name, value string) bool {
	for _, rr := range answer.Answer {
		if t, ok := rr.(*dns.TXT); ok && strings.EqualFold(t.Hdr.Name, name) && strings.Join(t.Txt, "") == value {
			return true
		}
	}
	return false
}
