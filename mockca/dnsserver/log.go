package dnsserver

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxQueries is how many Queries are kept.
const maxQueries = 10_000

// Query is one message that was received.
type Query struct {
	Time    time.Time `json:"time"`
	Name    string    `json:"name"` // in lower case, without the last dot; of an update, the zone
	Type    string    `json:"type"`
	Network string    `json:"network"` // "udp", "tcp" or "process"
	Remote  string    `json:"remote,omitempty"`
	Rcode   int       `json:"rcode"`
	Dropped bool      `json:"dropped,omitempty"` // got no answer

	Update  bool     `json:"update,omitempty"`
	Key     string   `json:"key,omitempty"`     // that signed it
	Changed []string `json:"changed,omitempty"` // names that an update changed
}

func (s *Server) record(q Query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queries) < maxQueries {
		s.queries = append(s.queries, q)
		return
	}
	s.queries[s.oldest] = q
	s.oldest = (s.oldest + 1) % maxQueries
}

// Queries are the last 10,000 messages received, oldest first, or those among
// them about the given names.
func (s *Server) Queries(names ...string) []Query {
	names = slices.Clone(names)
	for i, n := range names {
		names[i] = strings.TrimSuffix(dns.CanonicalName(n), ".")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []Query
	for i := range s.queries {
		q := s.queries[(s.oldest+i)%len(s.queries)]
		if len(names) == 0 || slices.Contains(names, q.Name) {
			list = append(list, q)
		}
	}
	return list
}

// ClearQueries forgets them, or those among them about the given names.
func (s *Server) ClearQueries(names ...string) {
	about := s.Queries(names...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(names) == 0 {
		s.queries, s.oldest = nil, 0
		return
	}
	gone := make(map[string]bool)
	for _, q := range about {
		gone[q.Name] = true
	}
	left := slices.Concat(s.queries[s.oldest:], s.queries[:s.oldest])
	s.queries, s.oldest = slices.DeleteFunc(left, func(q Query) bool { return gone[q.Name] }), 0
}
