package conformance

import "strings"

// sectionURL is where the section of a requirement can be read; empty for
// drafts.
func sectionURL(r Requirement) string {
	if !strings.HasPrefix(r.Spec, "RFC") || r.Section == "" {
		return ""
	}
	kind := "section"
	if r.Section[0] >= 'A' && r.Section[0] <= 'Z' {
		kind = "appendix"
	}
	return "https://www.rfc-editor.org/rfc/" + strings.ToLower(r.Spec) + "#" + kind + "-" + r.Section
}
