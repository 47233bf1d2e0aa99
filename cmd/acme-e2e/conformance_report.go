package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
)

// reportFile is one FORMAT=FILE of --report.
type reportFile struct {
	path  string
	write func(*conformance.Report, io.Writer) error
}

func reportFiles(cmd *cobra.Command, wanted []string) (files []reportFile, err error) {
	formats := map[string]func(*conformance.Report, io.Writer) error{
		"html":  (*conformance.Report).WriteHTML,
		"junit": (*conformance.Report).WriteJUnit,
		"json":  (*conformance.Report).WriteJSON,
		"sarif": (*conformance.Report).WriteSARIF,
	}
	for _, text := range wanted {
		format, path, _ := strings.Cut(text, "=")
		write, known := formats[format]
		if !known || path == "" {
			return nil, usageError(cmd, fmt.Errorf("--report %q: FORMAT=FILE with html, junit, json or sarif", text))
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return nil, configError(fmt.Errorf("--report %s: there is no directory %s", text, filepath.Dir(path)), "make it first: a run may take long, and its report would be lost")
		}
		files = append(files, reportFile{path, write})
	}
	return files, nil
}

// progress shows how far a run is, on a terminal only, and what deviates as it
// is found.
type progress struct {
	tty       *terminal
	done, all int
}

func newProgress(tty *terminal, all int) *progress { return &progress{tty: tty, all: all} }

func (p *progress) step(r conformance.Result) {
	p.done++
	if p.tty.live && !p.tty.quiet {
		fmt.Fprintf(p.tty.err, "\r\x1b[K%d of %d %s", p.done, p.all, r.ID)
	}
}

func (p *progress) end() {
	if p.tty.live && !p.tty.quiet {
		fmt.Fprint(p.tty.err, "\r\x1b[K")
	}
}

var verdictStyles = map[string]style{"pass": green, "fail": red, "warn": yellow, "inconclusive": yellow, "skip": dim}

// showReport writes the files and shows what people need to know. The error is
// about what is not as expected, which has then been said.
func showReport(tty *terminal, report *conformance.Report, files []reportFile) error {
	for _, f := range files {
		if err := writeFile(f.path, func(w io.Writer) error { return f.write(report, w) }); err != nil {
			return environmentError(fmt.Errorf("writing the report: %w", err), "the run itself is finished")
		}
	}
	if tty.json {
		if err := report.WriteJSON(tty.out); err != nil {
			return err
		}
	} else if err := printReport(tty, report); err != nil {
		return err
	}
	if !report.OK {
		return errReported
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(file)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// printReport lists what deviates, and the counts.
func printReport(tty *terminal, report *conformance.Report) error {
	var out strings.Builder
	for _, r := range report.Results {
		if r.Outcome == conformance.AsExpected && (tty.quiet || !slices.Contains([]string{"fail", "warn", "inconclusive"}, string(r.Verdict))) {
			continue
		}
		mark := tty.paint(fmt.Sprintf("%-12s", r.Verdict), verdictStyles[string(r.Verdict)])
		fmt.Fprintf(&out, "%s  %s  %s\n", mark, r.ID, r.Title)
		switch {
		case r.Outcome == conformance.Fixed:
			fmt.Fprintf(&out, "    is listed as a known deviation, and is none any more: %s\n", r.Known)
		case r.Known != "":
			fmt.Fprintf(&out, "    known: %s\n", r.Known)
		default:
			for line := range strings.Lines(r.Explain()) {
				fmt.Fprintf(&out, "    %s", line)
			}
		}
	}
	s := report.Summary
	fmt.Fprintf(&out, "%d pass, %d fail, %d warn, %d skip, ", s.Pass, s.Fail, s.Warn, s.Skip)
	if report.Suite == conformance.Client {
		fmt.Fprintf(&out, "%d n/a, ", s.NotApplicable)
	}
	fmt.Fprintf(&out, "%d inconclusive in %.1f s (seed %d)\n", s.Inconclusive, report.Duration.Seconds(), report.Seed)
	fmt.Fprintf(&out, "requirements of the four standards that can be observed: %d, covered by cases: %d (%.1f %%)\n", report.Coverage.Observable, report.Coverage.Covered, 100*float64(report.Coverage.Covered)/float64(max(1, report.Coverage.Observable)))
	if report.OK {
		fmt.Fprintln(&out, tty.paint("nothing unexpected", green))
	} else {
		fmt.Fprintln(&out, tty.paint("not as expected", red))
	}
	_, err := io.WriteString(tty.out, out.String())
	return err
}
