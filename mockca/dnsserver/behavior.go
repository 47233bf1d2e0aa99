package dnsserver

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Behavior is how questions about a name are treated otherwise than by the
// records. The zero value treats them well.
type Behavior struct {
	Rcode    int           // answered instead of records: dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeNameError, ...
	Drop     bool          // not answered
	Latency  time.Duration // answered so much later, by the machine's clock
	Truncate bool          // over UDP: no records, and the sign that there would be some
	Types    []string      // only questions of these types, "TXT"; none: of all types
}

// interferes tells whether the records are not even looked at.
func (b Behavior) interferes() bool { return b.Rcode != 0 || b.Drop }

// SetBehavior sets how questions about a name are treated, in place of an
// earlier Behavior. The names "" and "." stand for every name that has none of
// its own. Updates are treated by the Behavior of their zone.
func (s *Server) SetBehavior(name string, b Behavior) {
	b.Types = slices.Clone(b.Types)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviors[dns.CanonicalName(name)] = b
}

// ClearBehavior treats a name well again.
func (s *Server) ClearBehavior(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.behaviors, dns.CanonicalName(name))
}

// Behaviors are those that are set, by name without the last dot.
func (s *Server) Behaviors() map[string]Behavior {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make(map[string]Behavior, len(s.behaviors))
	for name, b := range s.behaviors {
		all[strings.TrimSuffix(name, ".")] = b
	}
	return all
}

func (s *Server) behavior(q dns.Question) Behavior {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, ok := s.behaviors[dns.CanonicalName(q.Name)]
	if !ok {
		b = s.behaviors["."]
	}
	if len(b.Types) > 0 && !slices.Contains(b.Types, dns.Type(q.Qtype).String()) {
		return Behavior{}
	}
	return b
}
