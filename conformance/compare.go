package conformance

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// Comparison is several reports of one suite, side by side.
type Comparison struct {
	Suite   Role               `json:"suite"`
	Columns []ComparisonColumn `json:"columns"`
	Rows    []ComparisonRow    `json:"rows"` // in the order of standards and sections
}

// ComparisonColumn is one who was judged.
type ComparisonColumn struct {
	Name    string  `json:"name"`
	Summary Summary `json:"summary"`
	// Command shows one cell again, once {case} is replaced by its id.
	Command string `json:"command,omitempty"`
}

// ComparisonRow is a case with what each one made of it.
type ComparisonRow struct {
	ID      string           `json:"id"`
	Title   string           `json:"title"`
	Section string           `json:"section"`
	Level   Level            `json:"level"`
	Cells   []ComparisonCell `json:"cells"` // one for each column
}

// ComparisonCell is a verdict; it is empty where the case was not run.
type ComparisonCell struct {
	Verdict suite.Verdict `json:"verdict,omitempty"`
	Text    string        `json:"text,omitempty"`  // findings, or why there is no verdict
	Known   string        `json:"known,omitempty"` // the reason in the list of known deviations
	Command string        `json:"command,omitempty"`
}

// Troubled reports whether the cell wants to be explained.
func (c ComparisonCell) Troubled() bool {
	return c.Verdict == suite.Fail || c.Verdict == suite.Warn || c.Verdict == suite.Inconclusive
}

// Differs reports whether not all verdicts of the row are the same.
func (r ComparisonRow) Differs() bool {
	return slices.ContainsFunc(r.Cells, func(c ComparisonCell) bool { return c.Verdict != r.Cells[0].Verdict })
}

// Troubled reports whether a cell of the row wants to be explained.
func (r ComparisonRow) Troubled() bool { return slices.ContainsFunc(r.Cells, ComparisonCell.Troubled) }

// Compare puts reports side by side. names are the headings of their columns;
// where one is empty it is the report's target. All reports must be of one suite.
func Compare(reports []*Report, names []string) (*Comparison, error) {
	if len(reports) == 0 || len(names) != len(reports) {
		return nil, errors.New("comparing reports: there must be some, and a name for each, which may be empty")
	}
	c := &Comparison{Suite: reports[0].Suite}
	rows := map[string]int{}
	for i, report := range reports {
		if report.Suite != c.Suite {
			return nil, fmt.Errorf("comparing reports: that of %s judges a %s, that of %s a %s", reports[0].Target, c.Suite, report.Target, report.Suite)
		}
		name := names[i]
		if name == "" {
			name = report.Target
		}
		c.Columns = append(c.Columns, ComparisonColumn{name, report.Summary, report.Command})
		for _, r := range report.Results {
			at, known := rows[r.ID]
			if !known {
				at = len(c.Rows)
				rows[r.ID] = at
				c.Rows = append(c.Rows, ComparisonRow{r.ID, r.Title, r.Section, r.Level, make([]ComparisonCell, len(reports))})
			}
			c.Rows[at].Cells[i] = ComparisonCell{r.Verdict, r.Explain(), r.Known, strings.ReplaceAll(report.Command, "{case}", r.ID)}
		}
	}
	slices.SortFunc(c.Rows, func(a, b ComparisonRow) int { return compareSections(a.ID, b.ID) })
	return c, nil
}

//go:embed compare.html.tmpl
var compareTemplate string

var comparePage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("compare").Funcs(template.FuncMap{
		"mark": func(v suite.Verdict) string { return verdictMarks[v] },
		"text": printable,
		"section": func(section string) string {
			spec, number := cutSection(section)
			return strings.TrimSpace(shortSpec(spec) + " " + number)
		},
	}).Parse(compareTemplate))
})

// WriteHTML writes the comparison as one page without external assets.
func (c *Comparison) WriteHTML(w io.Writer) error { return comparePage().Execute(w, c) }

// WriteMarkdown writes the comparison as a table, and explains each verdict that
// is no good one below it, with the command that shows it again.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| | level |")
	for _, column := range c.Columns {
		fmt.Fprintf(&b, " %s |", markdownCell(column.Name))
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(c.Columns)) + "\n| **pass / fail / warn** | |")
	for _, column := range c.Columns {
		fmt.Fprintf(&b, " %d / %d / %d |", column.Summary.Pass, column.Summary.Fail, column.Summary.Warn)
	}
	b.WriteString("\n")
	for _, row := range c.Rows {
		name := "`" + row.ID + "`"
		if row.Troubled() {
			name = "[" + name + "](#" + markdownAnchor(row.ID) + ")"
		}
		fmt.Fprintf(&b, "| %s %s | %s |", name, markdownCell(row.Title), row.Level)
		for _, cell := range row.Cells {
			fmt.Fprintf(&b, " %s |", strings.TrimSpace(verdictMarks[cell.Verdict]+" "+string(cell.Verdict)))
		}
		b.WriteString("\n")
	}
	for _, row := range c.Rows {
		if !row.Troubled() {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s (%s).\n", row.ID, row.Title, row.Section)
		for i, cell := range row.Cells {
			if cell.Troubled() {
				cell.writeMarkdown(&b, c.Columns[i].Name)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c ComparisonCell) writeMarkdown(b *strings.Builder, name string) {
	fmt.Fprintf(b, "\n**%s: %s.**", name, c.Verdict)
	if c.Known != "" {
		fmt.Fprintf(b, " Known: %s", c.Known)
	}
	b.WriteString("\n\n")
	for line := range strings.Lines(c.Text) {
		fmt.Fprintf(b, "    %s\n", strings.TrimRight(line, "\n"))
	}
	if c.Command != "" {
		fmt.Fprintf(b, "\n`%s`\n", c.Command)
	}
}

// markdownCell keeps text from ending a table's cell.
func markdownCell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(printable(s))
}

// markdownAnchor is how GitHub names a heading.
func markdownAnchor(heading string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(heading))
}
