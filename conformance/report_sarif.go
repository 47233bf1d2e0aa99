package conformance

import (
	"encoding/json"
	"io"
	"slices"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// WriteSARIF writes what was found as SARIF 2.1.0: a rule for each requirement
// that was broken, a result for each finding.
func (r *Report) WriteSARIF(w io.Writer) error {
	type text struct {
		Text string `json:"text"`
	}
	type rule struct {
		ID               string            `json:"id"`
		ShortDescription text              `json:"shortDescription"`
		HelpURI          string            `json:"helpUri,omitempty"`
		Properties       map[string]string `json:"properties"`
	}
	type location struct {
		LogicalLocations []map[string]string `json:"logicalLocations"`
	}
	type result struct {
		RuleID       string              `json:"ruleId"`
		Level        string              `json:"level"`
		Message      text                `json:"message"`
		Locations    []location          `json:"locations"`
		Suppressions []map[string]string `json:"suppressions,omitempty"`
	}
	rules, results := []rule{}, []result{}
	for _, c := range r.Results {
		for _, f := range c.Findings {
			level := map[suite.Verdict]string{suite.Fail: "error", suite.Warn: "warning"}[f.Verdict]
			if level == "" {
				continue
			}
			if !slices.ContainsFunc(rules, func(have rule) bool { return have.ID == f.Requirement }) {
				requirement, _ := RequirementByID(f.Requirement)
				rules = append(rules, rule{f.Requirement, text{requirement.Text}, sectionURL(requirement), map[string]string{"section": requirement.Section, "level": string(requirement.Level)}})
			}
			found := result{
				RuleID:    f.Requirement,
				Level:     level,
				Message:   text{printable("expected " + f.Expected + ", but " + f.Actual)},
				Locations: []location{{[]map[string]string{{"fullyQualifiedName": c.ID, "kind": "case"}}}},
			}
			if c.Known != "" {
				found.Suppressions = []map[string]string{{"kind": "external", "justification": c.Known}}
			}
			results = append(results, found)
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []any{map[string]any{
			"tool":    map[string]any{"driver": map[string]any{"name": "acme-e2e", "informationUri": "https://github.com/acme-e2e/acme-e2e", "rules": rules}},
			"results": results,
		}},
	})
}
