package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
)

// judgingFlags are what test-server and test-client have in common.
type judgingFlags struct {
	level, expect string
	strict        bool
	reports       []string
	jobs          int
	seed          uint64
	timeout       time.Duration
}

func (f *judgingFlags) add(cmd *cobra.Command, one string, timeout time.Duration) {
	flags := cmd.Flags()
	flags.StringVar(&f.level, "level", "may", "run what is about requirements of at least this `level`: must, should or may")
	flags.BoolVar(&f.strict, "strict", false, "a SHOULD that is not followed counts as failure")
	flags.StringVar(&f.expect, "expect", "", "`file` of known deviations: "+one+" id, verdict and reason, separated by tabs")
	flags.StringSliceVar(&f.reports, "report", nil, "write reports: `FORMAT=FILE,...` with html, junit, json or sarif")
	flags.IntVar(&f.jobs, "jobs", 4, "`number` of "+one+"s at once")
	flags.Uint64Var(&f.seed, "seed", 0, "`number` that decides the order of "+one+"s (default: a new one, which is printed)")
	flags.DurationVar(&f.timeout, "timeout", timeout, "`time` for a "+one)
}

// judging reads what does not need the one who is judged.
func (f *judgingFlags) judging(cmd *cobra.Command, selectors []string) (plan conformance.Plan, j conformance.Judgement, err error) {
	plan = conformance.Plan{Select: selectors, Jobs: f.jobs, Seed: f.seed, Timeout: f.timeout, Level: conformance.Level(strings.ToUpper(f.level))}
	switch plan.Level {
	case conformance.Must, conformance.Should, conformance.May:
	default:
		return plan, j, usageError(cmd, fmt.Errorf("--level %q: must, should or may", f.level))
	}
	if f.jobs < 1 || f.timeout <= 0 {
		return plan, j, usageError(cmd, errors.New("--jobs and --timeout must be above 0"))
	}
	j.Strict = f.strict
	if f.expect == "" {
		return plan, j, nil
	}
	file, err := os.Open(f.expect)
	if err != nil {
		return plan, j, configError(fmt.Errorf("--expect: %w", err), "name a file that can be read")
	}
	defer func() { _ = file.Close() }()
	if j.Expected, err = conformance.ParseExpectations(file); err != nil {
		return plan, j, configError(fmt.Errorf("--expect: %s: %w", f.expect, err), "")
	}
	return plan, j, nil
}
