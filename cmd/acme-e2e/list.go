package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
)

func newListCommand(tty *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List cases or requirements",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:     "cases",
			Short:   "List the cases that judge servers",
			Example: "  acme-e2e list cases\n  acme-e2e list cases --json",
			Args:    noArgs,
			RunE: func(*cobra.Command, []string) error {
				cases := conformance.ServerCases()
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
		},
		newListRequirementsCommand(tty),
	)
	return cmd
}

func newListRequirementsCommand(tty *terminal) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:     "requirements [SPEC[/SECTION]...]",
		Short:   "List the requirements of the standards, in our own words",
		Example: "  acme-e2e list requirements rfc8555/7.4\n  acme-e2e list requirements --role client rfc9773",
		RunE: func(cmd *cobra.Command, selectors []string) error {
			if role != "" && role != "server" && role != "client" {
				return usageError(cmd, fmt.Errorf("--role %q: server or client", role))
			}
			found := []conformance.Requirement{}
			for _, r := range conformance.Requirements() {
				if (role == "" || r.Role.Includes(conformance.Role(role))) && requirementSelected(selectors, r) {
					found = append(found, r)
				}
			}
			if len(found) == 0 {
				return usageError(cmd, fmt.Errorf("no requirement is selected by %q", strings.Join(selectors, " ")))
			}
			if tty.json {
				return tty.document(found)
			}
			for _, r := range found {
				if _, err := fmt.Fprintf(tty.out, "%-18s %-10s %-6s %s\n", r.ID, r.Level, r.Role, r.Text); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "only those for a `role`: server or client")
	return cmd
}

func requirementSelected(selectors []string, r conformance.Requirement) bool {
	if len(selectors) == 0 {
		return true
	}
	for _, selector := range selectors {
		spec, section, _ := strings.Cut(strings.ToLower(selector), "/")
		if spec == strings.ToLower(r.Spec) && (section == "" || section == r.Section || strings.HasPrefix(r.Section, section+".")) {
			return true
		}
	}
	return false
}
