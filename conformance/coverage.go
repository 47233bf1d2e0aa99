package conformance

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/acme-e2e/acme-e2e/conformance/internal/clientcases"
	"github.com/acme-e2e/acme-e2e/conformance/internal/servercases"
	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// Coverage counts the requirements that can be observed, and those of them that
// the suite's cases prove, whichever of them were run. Its totals are about RFC
// 8555, 9773, 8737 and 8738; the other standards are counted for themselves.
type Coverage struct {
	Observable int            `json:"observable"`
	Covered    int            `json:"covered"`
	Specs      []SpecCoverage `json:"specs"`
}

// SpecCoverage is that of one standard.
type SpecCoverage struct {
	Spec       string `json:"spec"`
	Observable int    `json:"observable"`
	Covered    int    `json:"covered"`
	// Missing are the ids of observable requirements that no case proves.
	Missing []string `json:"missing,omitempty"`
	// Why gives the reason for each of them.
	Why map[string]string `json:"why,omitempty"`
}

var mainSpecs = []string{"RFC8555", "RFC9773", "RFC8737", "RFC8738"}

// CoverageOf is what the cases that judge role prove.
func CoverageOf(role Role) Coverage { return coverageOf(role, casesFor(role)) }

func casesFor(role Role) []suite.Case {
	if role == Client {
		return clientcases.Cases(TestedClient{}, clientcases.Settings{})
	}
	return servercases.Cases(&servercases.Env{})
}

func coverageOf(role Role, cases []suite.Case) Coverage {
	proven := map[string]bool{}
	for _, c := range cases {
		for _, id := range c.Requirements {
			proven[id] = true
		}
	}
	var out Coverage
	for _, r := range Requirements() {
		if !r.Role.Includes(role) || !r.Observable() {
			continue
		}
		spec := out.spec(r.Spec)
		spec.count(role, r, proven[r.ID])
		if slices.Contains(mainSpecs, r.Spec) {
			out.Observable++
			if proven[r.ID] {
				out.Covered++
			}
		}
	}
	return out
}

func (c *Coverage) spec(name string) *SpecCoverage {
	i := slices.IndexFunc(c.Specs, func(s SpecCoverage) bool { return s.Spec == name })
	if i < 0 {
		i = len(c.Specs)
		c.Specs = append(c.Specs, SpecCoverage{Spec: name})
	}
	return &c.Specs[i]
}

func (s *SpecCoverage) count(role Role, r Requirement, proven bool) {
	s.Observable++
	if proven {
		s.Covered++
		return
	}
	s.Missing = append(s.Missing, r.ID)
	if reason := Uncovered(role, r); reason != "" {
		if s.Why == nil {
			s.Why = map[string]string{}
		}
		s.Why[r.ID] = reason
	}
}

//go:embed server-uncovered.tsv
var serverUncovered string

//go:embed client-uncovered.tsv
var clientUncovered string

var uncovered = sync.OnceValue(func() map[Role]map[string]string {
	return map[Role]map[string]string{Server: readReasons(serverUncovered), Client: readReasons(clientUncovered)}
})

// Uncovered says why no case proves what can be observed of role; empty when
// one does. A test keeps the lists behind it complete.
func Uncovered(role Role, r Requirement) string {
	reasons := uncovered()[role]
	if reason, ok := reasons[r.ID]; ok {
		return reason
	}
	return reasons[r.Spec] // a standard of which nothing is judged
}

// readReasons reads a table of ids and reasons, separated by tabs. Lines that
// begin with # are comments.
func readReasons(table string) map[string]string {
	reasons := map[string]string{}
	for line := range strings.Lines(table) {
		if id, reason, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && !strings.HasPrefix(line, "#") {
			reasons[id] = reason
		}
	}
	return reasons
}
