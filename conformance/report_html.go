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
		"took":        took,
		"spec":        shortSpec,
		"again":       func(command, id string) string { return strings.ReplaceAll(command, "{case}", id) },
		"percent":     percent,
		"sequence":    sequence,
		"number":      func(i int) int { return i + 1 },
	}).Parse(reportTemplate))
})

// verdictMarks tell verdicts apart without colour.
var verdictMarks = map[suite.Verdict]string{
	suite.Pass: "✓", suite.Fail: "✗", suite.Warn: "!", suite.Skip: "–", suite.Inconclusive: "?", suite.NotApplicable: "∅",
}

// htmlStandard is a part of the page, about one standard; htmlSection one of it,
// with the cases whose first requirement it has.
type htmlStandard struct {
	Name     string
	Sections []*htmlSection
}

type htmlSection struct {
	Name, Number string
	Summary      Summary
	Results      []CaseResult
}

// standards sorts results as the catalogue does: by standard, then by section.
func (r *Report) standards() []*htmlStandard {
	var all []*htmlStandard
	for _, spec := range specs() {
		standard := &htmlStandard{Name: shortSpec(spec)}
		for _, result := range r.Results {
			if of, number := cutSection(result.Section); of == spec {
				standard.add(number, result)
			}
		}
		slices.SortStableFunc(standard.Sections, func(a, b *htmlSection) int { return compareSections(a.Number, b.Number) })
		if len(standard.Sections) > 0 {
			all = append(all, standard)
		}
	}
	return all
}

func (s *htmlStandard) add(number string, result CaseResult) {
	i := slices.IndexFunc(s.Sections, func(section *htmlSection) bool { return section.Number == number })
	if i < 0 {
		i = len(s.Sections)
		s.Sections = append(s.Sections, &htmlSection{Name: strings.TrimSpace(s.Name + " " + number), Number: number})
	}
	s.Sections[i].Results = append(s.Sections[i].Results, result)
	s.Sections[i].Summary.count(result.Verdict)
}

// specs are the standards of the catalogue, in its order, and "" for what is
// about none of them.
func specs() []string {
	var all []string
	for _, r := range Requirements() {
		if !slices.Contains(all, r.Spec) {
			all = append(all, r.Spec)
		}
	}
	return append(all, "")
}

// cutSection parts "RFC8555 7.4": the name of a draft may hold blanks.
func cutSection(section string) (spec, number string) {
	i := max(strings.LastIndex(section, " "), 0)
	return section[:i], strings.TrimSpace(section[i:])
}

// shortSpec is a standard's name without the edition in parentheses.
func shortSpec(spec string) string {
	name, _, _ := strings.Cut(spec, " (")
	return strings.Replace(name, "RFC", "RFC ", 1)
}

// WriteHTML writes the report as one page without external assets: a table of
// contents by section, a filter, and for each case its findings and exchanges.
func (r *Report) WriteHTML(w io.Writer) error {
	return pages().Execute(w, struct {
		*Report
		Standards []*htmlStandard
		Verdicts  []htmlVerdict
	}{r, r.standards(), r.Summary.list()})
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

func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
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
