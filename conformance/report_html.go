package conformance

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

//go:embed report.html.tmpl
var reportTemplate string

// pages holds the parsed template; its functions are about showing, not judging.
var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"mark":        func(v suite.Verdict) string { return verdictMarks[v] },
		"requirement": func(id string) Requirement { r, _ := RequirementByID(id); return r },
		"url":         func(r Requirement) string { return sectionURL(r) },
		"anchor":      anchor,
		"headers":     headers,
		"text":        printable,
		"millis":      func(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond)) },
		"percent":     percent,
		"sequence":    sequence,
		"number":      func(i int) int { return i + 1 },
	}).Parse(reportTemplate))
})

// verdictMarks tell verdicts apart without colour.
var verdictMarks = map[suite.Verdict]string{
	suite.Pass: "✓", suite.Fail: "✗", suite.Warn: "!", suite.Skip: "–", suite.Inconclusive: "?", suite.NotApplicable: "∅",
}

// htmlSection is a part of the page: the cases about one section of a standard.
type htmlSection struct {
	Name    string
	Summary Summary
	Results []CaseResult
}

// WriteHTML writes the report as one page without external assets: a table of
// contents by section, a filter, and for each case its findings and exchanges.
func (r *Report) WriteHTML(w io.Writer) error {
	var sections []htmlSection
	for _, result := range r.Results {
		i := slices.IndexFunc(sections, func(s htmlSection) bool { return s.Name == result.Section })
		if i < 0 {
			i = len(sections)
			sections = append(sections, htmlSection{Name: result.Section})
		}
		sections[i].Results = append(sections[i].Results, result)
		sections[i].Summary.count(result.Verdict)
	}
	return pages().Execute(w, struct {
		*Report
		Sections []htmlSection
		Verdicts []htmlVerdict
	}{r, sections, r.Summary.list()})
}

type htmlVerdict struct {
	Verdict suite.Verdict
	Count   int
}

// HTML lists the verdicts that there are, for the table of contents.
func (s Summary) HTML() []htmlVerdict {
	return slices.DeleteFunc(s.list(), func(v htmlVerdict) bool { return v.Count == 0 })
}

func (s Summary) list() []htmlVerdict {
	all := []htmlVerdict{{suite.Pass, s.Pass}, {suite.Fail, s.Fail}, {suite.Warn, s.Warn}, {suite.Skip, s.Skip}, {suite.Inconclusive, s.Inconclusive}, {suite.NotApplicable, s.NotApplicable}}
	return slices.DeleteFunc(all, func(v htmlVerdict) bool { return v.Verdict == suite.NotApplicable && v.Count == 0 })
}

func anchor(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, name)
}

func headers(h http.Header) string {
	var lines []string
	for name, values := range h {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return printable(strings.Join(lines, "\n"))
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// arrow is one line of a sequence diagram.
type arrow struct {
	Y, TextY, AnswerY, AnswerTextY int
	Text, Answer                   string
	Bad                            bool
}

// diagram is a sequence diagram, as numbers for the template.
type diagram struct {
	Left, Right  string
	Height, Ends int
	Arrows       []arrow
}

const arrowHeight = 46

// sequence lays out the exchanges of a case.
func sequence(r CaseResult) diagram {
	d := diagram{Left: "suite", Right: "server"}
	for i, x := range r.Exchanges {
		if x.From != "" {
			d.Left = x.From
		}
		if x.To != "" {
			d.Right = x.To
		}
		y := 50 + i*arrowHeight
		a := arrow{Y: y, TextY: y - 5, AnswerY: y + 19, AnswerTextY: y + 14, Text: fmt.Sprintf("%d %s %s", i+1, x.Method, shortURL(x.URL))}
		switch {
		case x.Error != "":
			a.Answer, a.Bad = clip(printable(x.Error), 70), true
		default:
			a.Answer, a.Bad = fmt.Sprintf("%d", x.Status), x.Status >= 400
		}
		d.Arrows = append(d.Arrows, a)
	}
	d.Height = 50 + len(r.Exchanges)*arrowHeight
	d.Ends = d.Height - 10
	return d
}

func shortURL(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		if _, path, ok := strings.Cut(rest, "/"); ok {
			return clip(printable("/"+path), 70)
		}
	}
	return clip(printable(url), 70)
}

func clip(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}
