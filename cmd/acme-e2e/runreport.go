package main

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/cmd/acme-e2e/internal/life"
)

// lifeReport shows the steps as they happen, or all at the end as one document.
type lifeReport struct {
	tty   *terminal
	flags runFlags
	steps []life.Step
}

// started is the step before the life: the CA's own birth.
func (r *lifeReport) started(took time.Duration) {
	r.step(life.Step{Name: "CA", Section: "-", Verdict: life.Passed, Took: took, Millis: millis(took), Detail: pebbleVersion() + " started in this process"})
}

func newLifeReport(tty *terminal, f runFlags) *lifeReport { return &lifeReport{tty: tty, flags: f} }

func (r *lifeReport) step(s life.Step) {
	r.steps = append(r.steps, s)
	if r.tty.json || r.tty.quiet {
		return
	}
	mark := map[life.Verdict]string{life.Passed: r.tty.paint("ok    ", green), life.Failed: r.tty.paint("FAILED", red), life.NotOffered: r.tty.paint("n/a   ", yellow)}[s.Verdict]
	detail := s.Detail
	if s.Error != "" {
		detail = s.Error
	}
	r.line("%s  %-19s %8s  %-25s %s", mark, s.Name, fmt.Sprintf("%.1f ms", s.Millis), shortSection(s.Section), detail)
}

func (r *lifeReport) line(format string, args ...any) { fmt.Fprintf(r.tty.out, format+"\n", args...) }

// shortSection is how the lines cite: "RFC 8555, 7.4".
func shortSection(section string) string { return strings.Replace(section, ", Section ", ", ", 1) }

// lifeDocument is what --json writes.
type lifeDocument struct {
	OK           bool               `json:"ok"`
	Error        string             `json:"error,omitempty"`
	CA           string             `json:"ca"`
	Directory    string             `json:"directory,omitempty"`
	Names        []string           `json:"names"`
	Steps        []life.Step        `json:"steps"`
	Certificates []life.Certificate `json:"certificates"`
	Visits       life.Visits        `json:"visits"`
	ACMERequests int                `json:"acme_requests"`
	Milliseconds float64            `json:"milliseconds"`
	Out          string             `json:"out,omitempty"`
}

// finish shows the summary, and turns the failure into an exit code.
func (r *lifeReport) finish(result *life.Result, err error) error {
	var total time.Duration
	passed, notOffered := 0, 0
	for _, s := range r.steps {
		total += s.Took
		switch s.Verdict {
		case life.Passed:
			passed++
		case life.NotOffered:
			notOffered++
		}
	}
	if r.tty.json {
		document := lifeDocument{OK: err == nil, CA: pebbleVersion() + ", embedded", Directory: r.flags.directory, Names: r.flags.names, Steps: r.steps, Certificates: append([]life.Certificate{}, result.Certificates...),
			Visits: result.Visits, ACMERequests: result.ACMERequests, Milliseconds: millis(total), Out: r.flags.out}
		if r.flags.directory != "" {
			document.CA = r.flags.directory
		}
		if err != nil {
			document.Error = err.Error()
		}
		if writeErr := r.tty.document(document); writeErr != nil {
			return writeErr
		}
	} else if err == nil {
		summary := fmt.Sprintf("%d steps passed", passed)
		if notOffered > 0 {
			summary += fmt.Sprintf(", %d not offered by this CA", notOffered)
		}
		r.line("%s in %.2f s: %d certificates, %d requests to the CA; %d pages served during the renewal, %d failed", summary, total.Seconds(), len(result.Certificates), result.ACMERequests, result.Visits.Requests, result.Visits.Failed)
		if r.flags.out != "" {
			r.line("left in %s: %s", r.flags.out, strings.Join(r.left(), ", "))
		}
	}
	return lifeError(err)
}

// left are the files that --out has.
func (r *lifeReport) left() []string {
	files := []string{"cert.pem", "key.pem"}
	if r.flags.directory == "" {
		return append(files, "roots.pem", "api-root.pem")
	}
	if r.flags.roots != "" {
		files = append(files, "roots.pem")
	}
	return files
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// pebbleVersion is the version of the CA that is embedded.
func pebbleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if strings.HasPrefix(dependency.Path, "github.com/letsencrypt/pebble/") {
				return "Pebble " + dependency.Version
			}
		}
	}
	return "Pebble"
}
