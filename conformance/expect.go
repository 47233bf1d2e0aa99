package conformance

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// Expectations are deviations that are known, by case id. A run fails on those
// that are not listed, and on those that are listed and gone.
type Expectations map[string]Expectation

// Expectation is a known deviation.
type Expectation struct {
	Verdict suite.Verdict
	Reason  string
	Line    int
}

// ParseExpectations reads a table of case id, verdict (fail, warn or
// inconclusive) and reason, separated by tabs. Lines that begin with # are
// comments. The error names the line.
func ParseExpectations(r io.Reader) (Expectations, error) {
	out := Expectations{}
	scanner := bufio.NewScanner(r)
	for line := 1; scanner.Scan(); line++ {
		text := strings.TrimSpace(scanner.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		fields := strings.SplitN(text, "\t", 3)
		if len(fields) != 3 || strings.TrimSpace(fields[2]) == "" {
			return nil, fmt.Errorf("line %d: expected a case id, a verdict and a reason, separated by tabs", line)
		}
		id, verdict := strings.TrimSpace(fields[0]), suite.Verdict(strings.TrimSpace(fields[1]))
		if !slices.Contains([]suite.Verdict{suite.Fail, suite.Warn, suite.Inconclusive}, verdict) {
			return nil, fmt.Errorf("line %d: verdict %q is not fail, warn or inconclusive", line, verdict)
		}
		if before, twice := out[id]; twice {
			return nil, fmt.Errorf("line %d: %s is in line %d already", line, id, before.Line)
		}
		out[id] = Expectation{verdict, strings.TrimSpace(fields[2]), line}
	}
	return out, scanner.Err()
}

// unknown lists ids that are no case.
func (e Expectations) unknown(cases []suite.Case) (ids []string) {
	for id := range e {
		if !slices.ContainsFunc(cases, func(c suite.Case) bool { return c.ID == id }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Outcome compares a verdict with what was expected of it.
type Outcome string

// The outcomes.
const (
	AsExpected Outcome = ""      // passed, or deviates as listed
	Unexpected Outcome = "new"   // deviates, and is not listed as doing so
	Fixed      Outcome = "fixed" // is listed as deviating, and does not any more
)

// of compares a result with the list. Warnings count only when strict.
func (e Expectations) of(r suite.Result, strict bool) Outcome {
	bad := r.Verdict == suite.Fail || (strict && r.Verdict == suite.Warn)
	expected, listed := e[r.ID]
	switch {
	case listed && expected.Verdict == r.Verdict:
		return AsExpected
	case listed && (r.Verdict == suite.Pass || r.Verdict == suite.Warn && expected.Verdict == suite.Fail):
		return Fixed
	case bad:
		return Unexpected
	default:
		return AsExpected
	}
}
