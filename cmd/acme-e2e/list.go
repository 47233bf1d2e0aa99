package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
	"github.com/acme-e2e/acme-e2e/mockca"
)

func newListCommand(tty *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List cases, scenarios, requirements, faults or placeholders",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newListCasesCommand(tty, "cases", "List the cases that judge servers", conformance.ServerCases),
		newListCasesCommand(tty, "scenarios", "List the scenarios that judge clients", conformance.ClientScenarios),
		newListPlaceholdersCommand(tty),
		newListRequirementsCommand(tty),
		newListFaultsCommand(tty),
	)
	return cmd
}

func newListCasesCommand(tty *terminal, name, short string, list func() []conformance.CaseInfo) *cobra.Command {
	return &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  acme-e2e list " + name + "\n  acme-e2e list " + name + " --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			cases := list()
			if tty.json {
				return tty.document(cases)
			}
			for _, c := range cases {
				if _, err := fmt.Fprintf(tty.out, "%-52s %-10s %s\n", c.ID, c.Level, c.Title); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newListPlaceholdersCommand(tty *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "placeholders",
		Short: "List what test-client puts into commands and profiles",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			all := conformance.Placeholders()
			if tty.json {
				return tty.document(all)
			}
			for _, name := range slices.Sorted(maps.Keys(all)) {
				if _, err := fmt.Fprintf(tty.out, "%-20s %s\n", "{"+name+"}", all[name]); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newListFaultsCommand(tty *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "faults [WORD...]",
		Short:   "List the faults that the simulated CA can have, or those that a word finds by name or kind",
		Example: "  acme-e2e list faults\n  acme-e2e list faults nonce order",
		RunE: func(cmd *cobra.Command, words []string) error {
			found := []mockca.FaultInfo{}
			for _, f := range mockca.Faults() {
				if faultSelected(words, f) {
					found = append(found, f)
				}
			}
			if len(found) == 0 {
				return usageError(cmd, fmt.Errorf("no fault is found by %q", strings.Join(words, " ")))
			}
			if tty.json {
				return tty.document(found)
			}
			for _, f := range found {
				if _, err := fmt.Fprintf(tty.out, "%-30s %s\n", f.Name, f.Doc); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func faultSelected(words []string, f mockca.FaultInfo) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool {
		return strings.Contains(f.Name, strings.ToLower(w)) || strings.EqualFold(f.Group, w)
	})
}
