package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
	"github.com/acme-e2e/acme-e2e/mockca"
)

func newExplainCommand(tty *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "explain ID",
		Short:   "Explain a case, a scenario, a requirement or a fault",
		Example: "  acme-e2e explain rfc8555/6.5/nonce-reused\n  acme-e2e explain RFC8555-6.5-05\n  acme-e2e explain reset-after",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(cmd, fmt.Errorf("explain takes one id, not %d", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if r, ok := conformance.RequirementByID(strings.ToUpper(args[0])); ok {
				return explainRequirement(tty, r)
			}
			if f, err := mockca.ParseFault(args[0]); err == nil {
				faults := mockca.Faults()
				return explainFault(tty, faults[slices.IndexFunc(faults, func(info mockca.FaultInfo) bool { return info.Name == f.Name })])
			}
			cases := slices.Concat(conformance.ServerCases(), conformance.ClientScenarios())
			i := slices.IndexFunc(cases, func(c conformance.CaseInfo) bool { return c.ID == strings.ToLower(args[0]) })
			if i < 0 {
				return usageError(cmd, fmt.Errorf("%q is no case, no scenario, no requirement and no fault: see 'acme-e2e list'", args[0]))
			}
			return explainCase(tty, cases[i])
		},
	}
}

func explainRequirement(tty *terminal, r conformance.Requirement) error {
	var proving []string
	for _, c := range slices.Concat(conformance.ServerCases(), conformance.ClientScenarios()) {
		if slices.Contains(c.Requirements, r.ID) {
			proving = append(proving, c.ID)
		}
	}
	if tty.json {
		return tty.document(struct {
			conformance.Requirement
			Cases []string
		}{r, proving})
	}
	_, err := fmt.Fprintf(tty.out, "%s\n%s, Section %s: %s for the %s\n\n%s\n\nkeyword: %s\nobserved: %s\nproven by: %s\n", r.ID, r.Spec, r.Section, r.Level, r.Role, r.Text, cmp.Or(strings.Join(r.Origin, "; "), "none, it is read out of the text"), r.Observed, orNone(proving))
	return err
}

func explainCase(tty *terminal, c conformance.CaseInfo) error {
	if tty.json {
		return tty.document(c)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n%s (%s)\n\ndoes: %s\nexpects: %s\n\n", c.ID, c.Title, c.Level, c.Does, c.Expects)
	if len(c.Needs) > 0 {
		fmt.Fprintf(&out, "only for clients with: %s\n\n", listed(c.Needs))
	}
	if len(c.Faults) > 0 {
		fmt.Fprintf(&out, "faults: %s\n\n", strings.Join(c.Faults, ", "))
	}
	writeRequirements(&out, c.Requirements)
	_, err := io.WriteString(tty.out, out.String())
	return err
}

func writeRequirements(out *strings.Builder, ids []string) {
	for _, id := range ids {
		r, _ := conformance.RequirementByID(id)
		fmt.Fprintf(out, "%s  %s, Section %s, %s\n  %s\n", id, r.Spec, r.Section, r.Level, r.Text)
	}
}

func explainFault(tty *terminal, f mockca.FaultInfo) error {
	if tty.json {
		return tty.document(f)
	}
	var out strings.Builder
	usage, where, often := f.Name, "everywhere", "each time"
	if f.Params != "" {
		usage += "[:" + f.Params + "]"
	}
	if len(f.Endpoints) > 0 {
		where = ""
		for i, e := range f.Endpoints {
			if i > 0 {
				where += ", "
			}
			where += string(e)
		}
	}
	if f.Times > 0 {
		often = fmt.Sprintf("%d times", f.Times)
		if f.Times == 1 {
			often = "once"
		}
	}
	fmt.Fprintf(&out, "%s\n%s\n\ndoes: %s\na correct client: %s\nwhere: %s\nhow often: %s, unless a rule says otherwise\n\n", usage, f.Group, f.Doc, f.Duty, where, often)
	writeRequirements(&out, f.Requirements)
	_, err := io.WriteString(tty.out, out.String())
	return err
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "no case"
	}
	return strings.Join(list, ", ")
}

func listed(features []conformance.Feature) string {
	var out []string
	for _, f := range features {
		out = append(out, string(f))
	}
	return strings.Join(out, ", ")
}
