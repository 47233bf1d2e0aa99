package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
)

func newCompareCommand(tty *terminal) *cobra.Command {
	var html, markdown string
	cmd := &cobra.Command{
		Use:   "compare [flags] [NAME=]REPORT.json...",
		Short: "Put reports of test-server or test-client side by side",
		Long: `compare reads reports that test-server or test-client wrote (--report json=FILE) and
puts them side by side: a row for each case or scenario, a column for each server
or client. Every verdict that is no good one is explained, with the command that
shows it again.

The comparison is written to standard output as Markdown (or JSON, with --json), and
to files with --html and --markdown. NAME= in front of a file is the heading of its
column, which otherwise is what the report says was judged.`,
		Example: `  acme-e2e test-server --pebble --report json=pebble.json
  acme-e2e test-server --mockca --report json=mockca.json
  acme-e2e compare pebble.json mockca.json --html servers.html`,
		RunE: func(cmd *cobra.Command, args []string) error { return compare(cmd, tty, args, html, markdown) },
	}
	cmd.Flags().StringVar(&html, "html", "", "write the comparison to this `file` as a page")
	cmd.Flags().StringVar(&markdown, "markdown", "", "write it to this `file` as Markdown")
	return cmd
}

func compare(cmd *cobra.Command, tty *terminal, args []string, html, markdown string) error {
	if len(args) == 0 {
		return usageError(cmd, fmt.Errorf("no reports: name the files that --report json=FILE wrote"))
	}
	var reports []*conformance.Report
	var names []string
	for _, arg := range args {
		name, path, named := strings.Cut(arg, "=")
		if !named {
			name, path = "", arg
		}
		report, err := readReport(path)
		if err != nil {
			return configError(err, "compare wants what test-server or test-client wrote with --report json=FILE")
		}
		reports, names = append(reports, report), append(names, name)
	}
	comparison, err := conformance.Compare(reports, names)
	if err != nil {
		return configError(err, "compare servers with servers, and clients with clients")
	}
	written := false
	for _, out := range []struct {
		path  string
		write func(io.Writer) error
	}{{html, comparison.WriteHTML}, {markdown, comparison.WriteMarkdown}} {
		if out.path == "" {
			continue
		}
		if err := writeFile(out.path, out.write); err != nil {
			return configError(err, "name a file in a directory that can be written to")
		}
		written = true
	}
	switch {
	case tty.json:
		return tty.document(comparison)
	case written:
		return nil
	}
	return comparison.WriteMarkdown(tty.out)
}

func readReport(path string) (*conformance.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	report, err := conformance.ReadReport(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Clean(path), err)
	}
	return report, nil
}
