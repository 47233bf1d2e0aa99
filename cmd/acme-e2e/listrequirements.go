package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
)

func newListRequirementsCommand(tty *terminal) *cobra.Command {
	var role string
	var coverage bool
	cmd := &cobra.Command{
		Use:   "requirements [SPEC[/SECTION]...]",
		Short: "List the requirements of the standards, in our own words",
		Long: `requirements lists the requirements of the standards, in our own words.

With --coverage it says of each which cases and scenarios prove it, or why none
does, and counts them: the totals are about RFC 8555, 9773, 8737 and 8738.`,
		Example: "  acme-e2e list requirements rfc8555/7.4\n  acme-e2e list requirements --role client rfc9773\n  acme-e2e list requirements --coverage --role server",
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
			if coverage {
				return listCoverage(tty, conformance.Role(role), found)
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
	cmd.Flags().BoolVar(&coverage, "coverage", false, "say which cases prove each, or why none does, and count")
	return cmd
}

// covered is a requirement with what proves it for one role.
type covered struct {
	conformance.Requirement
	For   conformance.Role
	Cases []string `json:",omitempty"`
	Why   string   `json:",omitempty"` // there is none
}

// listCoverage shows the coverage of requirements for a role, for both when it
// is empty.
func listCoverage(tty *terminal, role conformance.Role, found []conformance.Requirement) error {
	var rows []covered
	totals := map[conformance.Role]conformance.Coverage{}
	for _, each := range []conformance.Role{conformance.Server, conformance.Client} {
		if role != "" && role != each {
			continue
		}
		totals[each] = conformance.CoverageOf(each)
		proofs := proofsFor(each)
		for _, r := range found {
			if !r.Role.Includes(each) {
				continue
			}
			row := covered{Requirement: r, For: each, Cases: proofs[r.ID]}
			switch {
			case len(row.Cases) > 0:
			case !r.Observable():
				row.Why = r.Observed
			default:
				row.Why = conformance.Uncovered(each, r)
			}
			rows = append(rows, row)
		}
	}
	if tty.json {
		return tty.document(struct {
			Totals       map[conformance.Role]conformance.Coverage
			Requirements []covered
		}{totals, rows})
	}
	var out strings.Builder
	for _, row := range rows {
		says := strings.Join(row.Cases, ", ")
		if says == "" {
			says = "no case: " + cmp.Or(row.Why, "none of this standard is judged for this role")
		}
		fmt.Fprintf(&out, "%-18s %-10s %-6s %s\n", row.ID, row.Level, row.For, says)
	}
	for _, each := range []conformance.Role{conformance.Server, conformance.Client} {
		if c, counted := totals[each]; counted {
			fmt.Fprintf(&out, "%s: %d requirements of the four standards can be observed, %d are covered by cases (%.1f %%)\n", each, c.Observable, c.Covered, 100*float64(c.Covered)/float64(c.Observable))
		}
	}
	_, err := io.WriteString(tty.out, out.String())
	return err
}

// proofsFor are the cases that judge role, by the requirements they prove.
func proofsFor(role conformance.Role) map[string][]string {
	cases := conformance.ServerCases
	if role == conformance.Client {
		cases = conformance.ClientScenarios
	}
	proofs := map[string][]string{}
	for _, c := range cases() {
		for _, id := range c.Requirements {
			if !slices.Contains(proofs[id], c.ID) {
				proofs[id] = append(proofs[id], c.ID)
			}
		}
	}
	return proofs
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
