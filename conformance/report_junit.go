package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report in the form that CI systems show: a suite for
// each section. What is unexpected is a failure; known deviations, skipped and
// inconclusive cases are skipped with the reason; warnings are output.
func (r *Report) WriteJUnit(w io.Writer) error {
	out := junitSuites{Name: "ACME conformance of " + printable(r.Target), Time: fmt.Sprintf("%.3f", r.Duration.Seconds())}
	at := map[string]int{}
	for _, result := range r.Results {
		i, known := at[result.Section]
		if !known {
			i = len(out.Suites)
			at[result.Section] = i
			out.Suites = append(out.Suites, junitSuite{Name: result.Section})
		}
		c := junitOf(result)
		s := &out.Suites[i]
		s.Cases = append(s.Cases, c)
		s.Tests++
		out.Tests++
		if c.Failure != nil {
			s.Failures++
			out.Failures++
		}
		if c.Skipped != nil {
			s.Skipped++
			out.Skipped++
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(r CaseResult) junitCase {
	c := junitCase{Class: strings.ReplaceAll(r.Section, " ", "."), Name: r.ID, Time: fmt.Sprintf("%.3f", r.Duration.Seconds())}
	text := r.Explain()
	switch {
	case r.Outcome == Fixed:
		c.Failure = &junitMessage{"is listed as a known deviation, and is none any more: take it off the list", text}
	case r.Outcome == Unexpected:
		c.Failure = &junitMessage{printable(r.Title), text}
	case r.Known != "" && r.Verdict != suite.Pass:
		c.Skipped = &junitMessage{"known deviation: " + printable(r.Known), text}
	case r.Verdict == suite.Skip, r.Verdict == suite.Inconclusive, r.Verdict == suite.NotApplicable:
		c.Skipped = &junitMessage{string(r.Verdict) + ": " + printable(r.Reason), ""}
	case len(r.Findings) > 0:
		c.Out = text
	}
	return c
}

// Explain says what was found, some lines for each finding, fit for a terminal.
func (r CaseResult) Explain() string { return printable(explain(r)) }

func explain(r CaseResult) string {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Verdict == suite.Pass {
			fmt.Fprintf(&b, "note %s: %s\n", f.Requirement, f.Actual)
			continue
		}
		fmt.Fprintf(&b, "%s %s: expected %s, but %s\n", f.Verdict, f.Requirement, f.Expected, f.Actual)
		if requirement, ok := RequirementByID(f.Requirement); ok {
			fmt.Fprintf(&b, "  %s, Section %s, %s: %s\n", requirement.Spec, requirement.Section, requirement.Level, requirement.Text)
		}
		if f.Exchange > 0 && f.Exchange <= len(r.Exchanges) {
			x := r.Exchanges[f.Exchange-1]
			fmt.Fprintf(&b, "  seen at %s %s -> %d\n", x.Method, x.URL, x.Status)
		}
	}
	if r.Reason != "" {
		fmt.Fprintf(&b, "%s\n", r.Reason)
	}
	return b.String()
}

// printable takes out what a server may have sent to disturb terminals and XML.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || (r != '\n' && r != '\t' && !unicode.IsPrint(r)) {
			return '?'
		}
		return r
	}, s)
}
