package conformance

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Requirement is one thing that a standard demands, in our own words.
type Requirement struct {
	ID      string // stable: "RFC8555-6.5-03"
	Spec    string // "RFC8555", or the name of a draft
	Section string // "6.5"
	Level   Level
	Role    Role
	Text    string // what the conforming one does
	// Observed is how it is seen over the wire; "not observable: ..." says why
	// it can't be.
	Observed string
	// Origin are the normative keywords that it comes from, "RFC8555 6.5#3":
	// the third of section 6.5.
	Origin []string
}

// Observable reports whether it can be seen from outside.
func (r Requirement) Observable() bool { return !strings.HasPrefix(r.Observed, "not observable") }

// Level is the keyword of a requirement (RFC 2119).
type Level string

// The levels, the strictest first.
const (
	Must      Level = "MUST"
	MustNot   Level = "MUST NOT"
	Should    Level = "SHOULD"
	ShouldNot Level = "SHOULD NOT"
	May       Level = "MAY"
)

// rank is 0 for MUST, 1 for SHOULD and 2 for MAY, with their negations.
func (l Level) rank() int {
	switch l {
	case Must, MustNot:
		return 0
	case Should, ShouldNot:
		return 1
	default:
		return 2
	}
}

// Role is whom a requirement is about.
type Role string

// The roles.
const (
	Server Role = "server"
	Client Role = "client"
	Both   Role = "both"
)

// Includes reports whether a requirement of this role is about r.
func (role Role) Includes(r Role) bool { return role == r || role == Both }

//go:embed requirements.tsv
var requirementsTSV string

// Requirements is the catalogue, in the order of standards and sections. It must
// not be changed.
var Requirements = sync.OnceValue(func() []Requirement {
	all, err := parseRequirements(requirementsTSV)
	if err != nil {
		panic(err) // a test reads the very same bytes
	}
	return all
})

var byID = sync.OnceValue(func() map[string]Requirement {
	all := map[string]Requirement{}
	for _, r := range Requirements() {
		all[r.ID] = r
	}
	return all
})

// RequirementByID finds a requirement of the catalogue.
func RequirementByID(id string) (Requirement, bool) {
	r, ok := byID()[id]
	return r, ok
}

// parseRequirements reads the table. Its first line names the columns.
func parseRequirements(table string) ([]Requirement, error) {
	lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
	columns := strings.Split(lines[0], "\t")
	for _, name := range []string{"id", "spec", "section", "level", "role", "requirement", "how_observed"} {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("requirements: no column %q", name)
		}
	}
	var all []Requirement
	seen := map[string]bool{}
	for i, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		if len(fields) != len(columns) {
			return nil, fmt.Errorf("requirements: line %d has %d fields, not %d", i+2, len(fields), len(columns))
		}
		get := func(name string) string {
			if at := slices.Index(columns, name); at >= 0 {
				return fields[at]
			}
			return ""
		}
		r := Requirement{ID: get("id"), Spec: get("spec"), Section: get("section"), Level: Level(get("level")), Role: Role(get("role")), Text: get("requirement"), Observed: get("how_observed")}
		if origin := get("origin"); origin != "" {
			r.Origin = strings.Split(origin, "; ")
		}
		switch {
		case r.ID == "" || seen[r.ID]:
			return nil, fmt.Errorf("requirements: line %d: id %q is empty or not unique", i+2, r.ID)
		case !slices.Contains([]Level{Must, MustNot, Should, ShouldNot, May}, r.Level):
			return nil, fmt.Errorf("requirements: %s: level %q", r.ID, r.Level)
		case !slices.Contains([]Role{Server, Client, Both}, r.Role):
			return nil, fmt.Errorf("requirements: %s: role %q", r.ID, r.Role)
		case r.Text == "" || r.Observed == "":
			return nil, fmt.Errorf("requirements: %s: no text, or not how it is observed", r.ID)
		}
		seen[r.ID] = true
		all = append(all, r)
	}
	return all, nil
}
