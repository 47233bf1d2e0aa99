package conformance

import (
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// Report is what a run found.
type Report struct {
	Suite    Role          `json:"suite"`  // who was judged
	Target   string        `json:"target"` // which one
	Version  string        `json:"version,omitempty"`
	Command  string        `json:"command,omitempty"` // shows a case again, once {case} is replaced by its id
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration_ns"`
	Seed     uint64        `json:"seed"`
	Strict   bool          `json:"strict"`

	Summary  Summary  `json:"summary"`
	Coverage Coverage `json:"coverage"`
	OK       bool     `json:"ok"` // nothing unexpected

	Results []CaseResult `json:"results"`
}

// CaseResult is the result of a case, and what to make of it.
type CaseResult struct {
	suite.Result
	Section string  `json:"section"` // of the first requirement: "RFC8555 7.4"
	Level   Level   `json:"level"`   // the strictest of the requirements
	Outcome Outcome `json:"outcome,omitempty"`
	Known   string  `json:"known,omitempty"` // the reason in the expectations
}

// Summary counts verdicts.
type Summary struct {
	Pass          int `json:"pass"`
	Fail          int `json:"fail"`
	Warn          int `json:"warn"`
	Skip          int `json:"skip"`
	Inconclusive  int `json:"inconclusive"`
	NotApplicable int `json:"not_applicable,omitempty"`
}

// build sorts and counts the results.
func (r *Report) build(results []suite.Result, expected Expectations) {
	r.OK = true
	for _, result := range results {
		c := CaseResult{Result: result, Section: sectionOf(result), Level: levelOf(result.Requirements), Outcome: expected.of(result, r.Strict), Known: expected[result.ID].Reason}
		r.OK = r.OK && c.Outcome == AsExpected
		r.Summary.count(result.Verdict)
		r.Results = append(r.Results, c)
	}
	slices.SortFunc(r.Results, func(a, b CaseResult) int { return compareSections(a.ID, b.ID) })
}

func (s *Summary) count(v suite.Verdict) {
	switch v {
	case suite.Pass:
		s.Pass++
	case suite.Fail:
		s.Fail++
	case suite.Warn:
		s.Warn++
	case suite.Skip:
		s.Skip++
	case suite.NotApplicable:
		s.NotApplicable++
	default:
		s.Inconclusive++
	}
}

func sectionOf(r suite.Result) string {
	for _, id := range r.Requirements {
		if requirement, ok := RequirementByID(id); ok {
			return requirement.Spec + " " + requirement.Section
		}
	}
	return ""
}

// compareSections sorts ids with 7.10 after 7.9, and the four standards that the
// suite is about before the others.
func compareSections(a, b string) int {
	if byRank := standing(a) - standing(b); byRank != 0 {
		return byRank
	}
	as, bs := strings.FieldsFunc(a, isSeparator), strings.FieldsFunc(b, isSeparator)
	for i := range min(len(as), len(bs)) {
		if as[i] == bs[i] {
			continue
		}
		if len(as[i]) != len(bs[i]) && isNumber(as[i]) && isNumber(bs[i]) {
			return len(as[i]) - len(bs[i])
		}
		return strings.Compare(as[i], bs[i])
	}
	return len(as) - len(bs)
}

func standing(id string) int {
	for i, spec := range mainSpecs {
		if strings.HasPrefix(id, strings.ToLower(spec)+"/") {
			return i
		}
	}
	return len(mainSpecs)
}

func isSeparator(r rune) bool { return r == '/' || r == '.' }

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
