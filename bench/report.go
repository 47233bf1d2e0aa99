package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything that was measured.
type report struct {
	Date    time.Time  `json:"date"`
	Machine string     `json:"machine"`
	Go      string     `json:"go"`
	CPUs    int        `json:"cpus"`
	Rows    []measured `json:"rows"`
	Bars    []verdict  `json:"bars"`
}

type measured struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Results []result `json:"results"`
}

func newReport() *report {
	return &report{Date: time.Now().UTC().Truncate(time.Second), Machine: machine(), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU()}
}

// machine names the processor, where the system tells.
func machine() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

func (rep *report) add(r row, results []result) {
	rep.Rows = append(rep.Rows, measured{r.Name, r.Title, results})
}

func (rep *report) finish() { rep.Bars = judge(rep) }

func (rep *report) find(row, client string) (result, bool) {
	for _, m := range rep.Rows {
		for _, res := range m.Results {
			if m.Name == row && res.Client == client {
				return res, res.Broken == "" && res.Issued > 0
			}
		}
	}
	return result{}, false
}

func (rep *report) write(file string, stdout io.Writer) error {
	if file != "" {
		if err := writeJSON(file, rep, stdout); err != nil || file == "-" {
			return err
		}
	}
	return rep.text(stdout)
}

func (rep *report) text(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %d processors, %s\n", rep.Date.Format("2006-01-02 15:04 MST"), rep.Machine, rep.CPUs, rep.Go)
	for _, m := range rep.Rows {
		fmt.Fprintf(w, "\n%s (%s)\n", m.Title, m.Name)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "client\tissued\tmedian ms\tp95 ms\tcerts/s\trequests\tnewNonce\tconns\tCPU ms\tmallocs\tKiB\t")
		for _, r := range m.Results {
			if r.Broken != "" {
				fmt.Fprintf(t, "%s\tno figures: %s\t\n", r.Client, clip(r.Broken))
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.4g\t%.3g\t%.0f\t%.3g\t%.0f\t%.0f\t\n", r.Client, r.count(), short(r.MedianMS), short(r.P95MS),
				short(r.PerSecond), r.Requests, r.NewNonces, r.Connections, r.CPUMS, r.Mallocs, r.KiB)
		}
		for _, v := range rep.Bars {
			if v.Row == m.Name {
				fmt.Fprintf(t, "%s\n", v.line())
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, r := range m.Results {
			for _, e := range r.Errors {
				fmt.Fprintf(w, "  %s: %s\n", r.Client, clip(e))
			}
		}
	}
	return nil
}

// count is how many of how many.
func (r result) count() string {
	s := fmt.Sprintf("%d/%d", r.Issued, r.Issued+r.Failed)
	if r.CutOff > 0 {
		s += fmt.Sprintf(", %d cut off", r.CutOff)
	}
	return s
}

func (r result) line() string {
	if r.Broken != "" {
		return r.Client + ": " + r.Broken
	}
	return fmt.Sprintf("%s: %s in %.1f s, median %s ms, %.4g requests, %.3g ms CPU, %.0f mallocs", r.Client, r.count(), r.WallSeconds, short(r.MedianMS), r.Requests, r.CPUMS, r.Mallocs)
}

func short(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

func clip(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ")
	if len(s) > 160 {
		s = s[:157] + "..."
	}
	return s
}
