package admin

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Fault describes a fault of the catalogue.
type Fault struct {
	Name         string   `json:"name"`
	Group        string   `json:"group"`
	Params       string   `json:"params,omitempty"` // what may follow after a colon, with its default
	Doc          string   `json:"doc"`              // what it does
	Duty         string   `json:"duty"`             // what a correct client does about it
	Requirements []string `json:"requirements"`     // that it probes
	Endpoints    []string `json:"endpoints"`        // where it acts unless a rule says otherwise; none: everywhere
	Times        int      `json:"times"`            // how often it happens unless a rule says otherwise; 0: without limit
}

// Rule says which fault happens when, and how often.
type Rule struct {
	Name  string `json:"name,omitempty"`
	Fault string `json:"fault"` // NAME or NAME:PARAMS
	When  When   `json:"when,omitzero"`
	Times int    `json:"times,omitempty"` // before it is spent; 0: without limit
}

// When narrows a rule down: see mockca.When.
type When struct {
	Endpoint    string   `json:"endpoint,omitempty"`
	Endpoints   []string `json:"endpoints,omitempty"`
	Method      string   `json:"method,omitempty"`
	Account     string   `json:"account,omitempty"`    // URL, path or number
	Identifier  string   `json:"identifier,omitempty"` // value
	Skip        int      `json:"skip,omitempty"`
	Nth         int      `json:"nth,omitempty"`
	Every       int      `json:"every,omitempty"`
	Probability float64  `json:"probability,omitempty"`
	Seed        uint64   `json:"seed,omitempty"`
	Stage       string   `json:"stage,omitempty"` // before or after the CA acted
}

// RuleState is a rule with its books.
type RuleState struct {
	ID int64 `json:"id"`
	Rule
	Matched int64 `json:"matched"` // exchanges that it could have fired on
	Hits    int64 `json:"hits"`
	Spent   bool  `json:"spent"`
}

// Rule is the rule in Go's terms.
func (r Rule) rule() (mockca.Rule, error) {
	fault, err := mockca.ParseFault(r.Fault)
	if err != nil {
		return mockca.Rule{}, err
	}
	w := r.When
	out := mockca.Rule{Name: r.Name, Fault: fault, Times: r.Times, When: mockca.When{Endpoint: mockca.Endpoint(w.Endpoint), Method: w.Method,
		Account: w.Account, Identifier: w.Identifier, Skip: w.Skip, Nth: w.Nth, Every: w.Every, Probability: w.Probability, Seed: w.Seed}}
	for _, e := range w.Endpoints {
		out.When.Endpoints = append(out.When.Endpoints, mockca.Endpoint(e))
	}
	switch w.Stage {
	case "":
	case "before":
		out.When.Stage = mockca.Before
	case "after":
		out.When.Stage = mockca.After
	default:
		return out, badRequest(`stage %q is neither "before" nor "after"`, w.Stage)
	}
	return out, nil
}

// stateOf shows a rule as it would be written. A fault that is not of the
// catalogue is there by its name.
func stateOf(s mockca.RuleState) RuleState {
	w := s.Rule.When
	out := RuleState{ID: int64(s.ID), Matched: s.Matched, Hits: s.Hits, Spent: s.Spent, Rule: Rule{Name: s.Rule.Name, Fault: s.Rule.Fault.String(), Times: s.Rule.Times,
		When: When{Endpoint: string(w.Endpoint), Method: w.Method, Account: w.Account, Identifier: w.Identifier, Skip: w.Skip, Nth: w.Nth,
			Every: w.Every, Probability: w.Probability, Seed: w.Seed, Endpoints: texts(w.Endpoints)}}}
	switch w.Stage {
	case mockca.Before:
		out.When.Stage = "before"
	case mockca.After:
		out.When.Stage = "after"
	}
	return out
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

func (s *Server) faultRoutes() []route {
	return []route{
		operation(http.MethodGet, "/api/faults", "The catalogue of faults", s.faults),
		operation(http.MethodGet, "/api/endpoints", "The endpoints that rules can name", func(*http.Request, none) ([]string, error) { return texts(mockca.Endpoints()), nil }),
		operation(http.MethodGet, "/api/rules", "The rules by which faults happen, with their hits", s.rules),
		created(operation(http.MethodPost, "/api/rules", "Adds a rule, from the next request on", s.addRule)),
		operation(http.MethodDelete, "/api/rules", "Removes all rules", func(*http.Request, none) (none, error) {
			s.ca.ClearRules()
			return none{}, nil
		}),
		operation(http.MethodDelete, "/api/rules/{id}", "Removes a rule", s.removeRule),
	}
}

func (s *Server) faults(*http.Request, none) ([]Fault, error) {
	list := []Fault{}
	for _, f := range mockca.Faults() {
		list = append(list, Fault{Name: f.Name, Group: f.Group, Params: f.Params, Doc: f.Doc, Duty: f.Duty,
			Requirements: texts(f.Requirements), Endpoints: texts(f.Endpoints), Times: f.Times})
	}
	return list, nil
}

func (s *Server) rules(*http.Request, none) ([]RuleState, error) {
	list := []RuleState{}
	for _, r := range s.ca.Rules() {
		list = append(list, stateOf(r))
	}
	return list, nil
}

func (s *Server) addRule(_ *http.Request, in Rule) (RuleState, error) {
	rule, err := in.rule()
	if err != nil {
		return RuleState{}, badRequest("%v", err)
	}
	id, err := s.ca.AddRule(rule)
	if err != nil {
		return RuleState{}, badRequest("%v", err)
	}
	return stateOf(mockca.RuleState{ID: id, Rule: rule}), nil
}

func (s *Server) removeRule(r *http.Request, _ none) (none, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || !s.ca.RemoveRule(mockca.RuleID(id)) {
		return none{}, notFound("there is no rule %s", strings.TrimSpace(r.PathValue("id")))
	}
	return none{}, nil
}
