package servercases

import (
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// mutant is a mockca with one fault of its own: the other half of the proof
// that cases judge. Each case is in one at least, which it must catch.
type mutant struct {
	name  string // "nonce-reuse"
	wrong string // what is wrong with it: completes "a CA that"
	make  func(*stage)
	// catches are the cases that notice, by id, with the requirements that they
	// find broken, separated by spaces. No other case notices, unless the
	// mutant is wide.
	catches map[string]string
}

// wide is a mutant whose fault most cases stumble over, so that its list says
// only who must notice.
func wide(m mutant) mutant {
	m.catches[others] = ""
	return m
}

const others = "*"

func (m *mutant) lists(id string) bool { _, listed := m.catches[id]; return listed }

// mutants are in files by the section that they violate.
func mutants() []mutant {
	return slices.Concat(
		transportMutants(), jwsMutants(), getMutants(), nonceMutants(), errorMutants(),
		directoryMutants(), objectMutants(), stateMutants(), identifierMutants(),
		accountMutants(), bindingMutants(), keyChangeMutants(), deactivationMutants(),
		orderMutants(), finalizeMutants(), newAuthzMutants(), certificateMutants(), authorizationMutants(), revocationMutants(),
		retryMutants(), http01Mutants(), dns01Mutants(), caaMutants(), tlsALPNMutants(), ipMutants(),
		renewalInfoMutants(), profileMutants(),
	)
}

var judges = flag.String("judges", "^$", "`regexp` of the cases that judge each mutant, besides those listed, to see that they pass; all take minutes")

// TestMutants lets the cases that must notice judge each mutant.
func TestMutants(t *testing.T) {
	t.Parallel()
	also, err := regexp.Compile(*judges)
	require.NoError(t, err)
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := stage{policy: everything()}
			m.make(&s)
			env := s.start(t)
			cases := Cases(env)
			cases = slices.DeleteFunc(cases, func(c suite.Case) bool {
				return !m.lists(c.ID) && (!also.MatchString(c.ID) || len(m.catches) > 1 && m.lists(others) || c.ID == unretried)
			})
			results := play(t, env, cases)
			found := map[string]string{}
			for id, r := range results {
				if broken := brokenBy(r); broken != "" {
					found[id] = broken
				}
			}
			want := map[string]string{}
			for id, requirements := range m.catches {
				if id == others {
					continue
				}
				want[id] = sorted(strings.Fields(requirements))
			}
			if !maps.Equal(want, found) {
				t.Errorf("a CA that %s: what the cases find is not what is listed; got\n%s", m.wrong, difference(want, found, results))
			}
		})
	}
}

// brokenBy lists the requirements that findings are about. A case that found
// nothing, but could not come to an end, does not judge the mutant.
func brokenBy(r suite.Result) string {
	broken := map[string]bool{}
	for _, f := range r.Findings {
		if f.Verdict != suite.Pass {
			broken[f.Requirement] = true
		}
	}
	return sorted(slices.Collect(maps.Keys(broken)))
}

// unretried is the one case that notices that the CA of most mutants is in a
// hurry: it does not look twice.
const unretried = "rfc8555/8.2/retry"

func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

func difference(want, found map[string]string, results map[string]suite.Result) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if want[id] != found[id] {
			fmt.Fprintf(&b, "\t%q: %q, // listed: %q\n", id, found[id], want[id])
			for _, f := range results[id].Findings {
				if f.Verdict != suite.Pass {
					fmt.Fprintf(&b, "\t\t// %s: expected %s, but %.300s\n", f.Requirement, f.Expected, f.Actual)
				}
			}
			if reason := results[id].Reason; reason != "" {
				fmt.Fprintf(&b, "\t\t// %.300s\n", reason)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if found[id] == "" {
			fmt.Fprintf(&b, "\t%q finds nothing: %s\n", id, results[id].Verdict)
		}
	}
	return b.String()
}

// TestEveryCaseHasAMutant looks for claims without proof: a case that no mutant
// fails, a requirement of a case that no mutant breaks.
func TestEveryCaseHasAMutant(t *testing.T) {
	t.Parallel()
	proven := map[string]map[string]bool{}
	names := map[string]bool{}
	for _, m := range mutants() {
		require.False(t, names[m.name], "two mutants are called %s", m.name)
		names[m.name] = true
		assert.NotEmpty(t, m.catches, "%s is caught by none", m.name)
		for id, requirements := range m.catches {
			if id == others {
				continue
			}
			for _, requirement := range strings.Fields(requirements) {
				if proven[id] == nil {
					proven[id] = map[string]bool{}
				}
				proven[id][requirement] = true
			}
		}
	}
	unused := maps.Clone(unproven)
	for _, c := range Cases(&Env{}) {
		if len(proven[c.ID]) == 0 && unproven[c.ID] == "" {
			t.Errorf("%s has no mutant", c.ID)
		}
		delete(unused, c.ID)
		for _, requirement := range c.Requirements {
			delete(unused, requirement)
			if !proven[c.ID][requirement] && unproven[requirement] == "" && unproven[c.ID] == "" {
				t.Errorf("%s claims %s: no mutant proves that it would notice", c.ID, requirement)
			}
		}
		delete(proven, c.ID)
	}
	require.Empty(t, proven, "mutants name cases that there are not")
	require.Empty(t, unused, "reasons for what does not need them")
}

// The ways to make a mutant.

// off turns checks and habits of mockca off.
func off(checks ...mockca.Check) func(*stage) {
	return func(s *stage) { s.options.Disabled = append(s.options.Disabled, checks...) }
}

// with changes the policy.
func with(change func(*mockca.Policy)) func(*stage) {
	return func(s *stage) { change(&s.policy) }
}

// answers rewrites what some endpoints answer, all when none is named.
func answers(change func(*mockca.Exchange, *mockca.Response), at ...mockca.Endpoint) func(*stage) {
	return func(s *stage) {
		s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "rewrites answers", Duty: "none", Endpoints: at, Response: change})
	}
}

// knobs turns those that the CA reads where it decides.
func knobs(turn func(*mockca.Exchange, *mockca.Knobs), at ...mockca.Endpoint) func(*stage) {
	return func(s *stage) {
		s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "turns knobs", Duty: "none", Endpoints: at, Core: turn})
	}
}

// objects rewrites the JSON objects that some endpoints answer with success.
func objects(change func(m map[string]any), at ...mockca.Endpoint) func(*stage) {
	return answers(func(_ *mockca.Exchange, r *mockca.Response) {
		if r.Status < 300 && r.JSON() != nil {
			r.Edit(change)
		}
	}, at...)
}

// headers rewrites header fields of what some endpoints answer with success.
func headers(name string, change func(string) string, at ...mockca.Endpoint) func(*stage) {
	return answers(func(_ *mockca.Exchange, r *mockca.Response) {
		if r.Status < 300 {
			setHeader(r, name, change(r.Header.Get(name)))
		}
	}, at...)
}

func setHeader(r *mockca.Response, name, value string) {
	if value == "" {
		r.Header.Del(name)
		return
	}
	r.Header.Set(name, value)
}

// problems rewrites problem documents of a type, all when it is empty.
func problems(kind string, change func(*mockca.Exchange, *mockca.Response), at ...mockca.Endpoint) func(*stage) {
	return answers(func(x *mockca.Exchange, r *mockca.Response) {
		if r.IsProblem() && (kind == "" || strings.HasSuffix(fmt.Sprint(r.JSON()["type"]), ":"+kind)) {
			change(x, r)
		}
	}, at...)
}

// renamed calls problems of a type by another name.
func renamed(from, to string, at ...mockca.Endpoint) func(*stage) {
	return problems(from, func(_ *mockca.Exchange, r *mockca.Response) { typed(r, to) }, at...)
}

func typed(r *mockca.Response, kind string) {
	r.Edit(func(m map[string]any) { m["type"] = errorPrefix + kind })
}

const errorPrefix = "urn:ietf:params:acme:error:"

// restated answers problems of a type with another status.
func restated(kind string, status int, at ...mockca.Endpoint) func(*stage) {
	return problems(kind, func(_ *mockca.Exchange, r *mockca.Response) { stated(r, status) }, at...)
}

func stated(r *mockca.Response, status int) {
	r.Status = status
	r.Edit(func(m map[string]any) { m["status"] = status })
}

// undetailed leaves out what problems of a type say to people.
func undetailed(kind string, at ...mockca.Endpoint) func(*stage) {
	return problems(kind, func(_ *mockca.Exchange, r *mockca.Response) {
		r.Edit(func(m map[string]any) { delete(m, "detail") })
	}, at...)
}

// accepting says yes, with a status and a body, where the CA said no and match
// agrees.
func accepting(status int, body string, match func(*mockca.Exchange) bool, at ...mockca.Endpoint) func(*stage) {
	return problems("", func(x *mockca.Exchange, r *mockca.Response) {
		if match(x) {
			r.Status, r.Body = status, []byte(body)
			r.Header.Set("Content-Type", "application/json")
		}
	}, at...)
}

// refusing says no where match agrees, before the CA does anything.
func refusing(kind string, status int, match func(*mockca.Exchange) bool, at ...mockca.Endpoint) func(*stage) {
	return func(s *stage) {
		s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "refuses", Duty: "none", Endpoints: at, Request: func(x *mockca.Exchange) *mockca.Response {
			if !match(x) {
				return nil
			}
			return mockca.ProblemResponse(&mockca.Problem{Type: kind, Status: status, Detail: "refused by a mutant"})
		}})
	}
}

func always(*mockca.Exchange) bool { return true }

func encodeText(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func decodeLeniently(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

// unproven are requirements, and cases, that no mutant can break, with the
// reason.
var unproven = map[string]string{
	"RFC8555-10.2-01":  recorded,
	"RFC8555-6.7-03":   recorded,
	"RFC8555-6.7.1-02": recorded,
	"RFC8555-7.1.1-05": recorded,
	"RFC8555-7.1.1-07": recorded,
	"RFC8555-7.3.4-01": recorded,
	"RFC8555-7.4.2-03": recorded,
	"RFC8555-7.4.2-08": recorded,
	"RFC8555-7.5.1-09": recorded,
	"RFC8555-7.5.1-10": recorded,
	"RFC8555-7.5.1-14": recorded,
	"RFC8555-9.1-05":   recorded,
	"RFC8737-3-14":     recorded,
	"RFC8737-3-15":     recorded,
	"RFC8738-4-01":     recorded,
	"RFC8738-4-02":     recorded,
	"RFC9773-6-01":     recorded,
	"RFC9773-3-01":     "a server that does not list renewalInfo does not offer it, and is not judged",
	"RFC8738-6-04":     "the TLS of Go leaves out a dot at the end of a name, so that no mutant can send one",
}

const recorded = "a MAY: what the server chose is recorded, and nothing is wrong"
