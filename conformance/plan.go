package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// Plan says which cases are run, and how. The zero value runs all of them, one
// for each processor at a time.
type Plan struct {
	// Select picks cases: by id, or by all that its parts begin, such as
	// "rfc8555", "rfc8555/7.3" (with all its subsections) or a case's whole id.
	// Empty picks all.
	Select []string
	// Level picks the cases that prove a requirement of at least this level:
	// Must, Should or May (default).
	Level Level
	// Jobs is how many cases run at once; 4 when 0.
	Jobs int
	// Seed decides the order; 0 picks one, which the report names.
	Seed uint64
	// Timeout of a case that has none of its own; 60 s when 0.
	Timeout time.Duration
	// Budget limits what the run may use up at the CA; nil does not.
	Budget *Budget
}

// Budget is what a run may use up at a CA that limits it.
type Budget struct {
	Accounts, Orders, FailedValidations int
}

// ParseBudget reads "accounts=2,orders=20,failures=5"; what is not named is
// unlimited.
func ParseBudget(text string) (*Budget, error) {
	b := Budget{unlimited, unlimited, unlimited}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var n int
		if _, err := fmt.Sscanf(value, "%d", &n); err != nil || n < 0 || fmt.Sprint(n) != value {
			return nil, fmt.Errorf("budget %q: %q is not a number", text, value)
		}
		switch name {
		case "accounts":
			b.Accounts = n
		case "orders":
			b.Orders = n
		case "failures":
			b.FailedValidations = n
		default:
			return nil, fmt.Errorf("budget %q: %q is not accounts, orders or failures", text, name)
		}
	}
	return &b, nil
}

const unlimited = int(^uint(0) >> 1)

// allows reports whether cost fits into what is left, and takes it.
func (b *Budget) allows(cost suite.Cost) bool {
	if b == nil {
		return true
	}
	if cost.Accounts > b.Accounts || cost.Orders > b.Orders || cost.FailedValidations > b.FailedValidations {
		return false
	}
	b.Accounts -= cost.Accounts
	b.Orders -= cost.Orders
	b.FailedValidations -= cost.FailedValidations
	return true
}

const (
	defaultJobs    = 4
	defaultTimeout = time.Minute
)

func (p Plan) withDefaults() Plan {
	if p.Jobs <= 0 {
		p.Jobs = defaultJobs
	}
	if p.Timeout <= 0 {
		p.Timeout = defaultTimeout
	}
	for p.Seed == 0 {
		p.Seed = rand.Uint64()
	}
	if p.Level == "" {
		p.Level = May
	}
	return p
}

// planned is what a run will do.
type planned struct {
	run     []suite.Case
	skipped []suite.Result // cases that are not run, with the reason
	cost    suite.Cost
}

// ErrNoCases is for selectors that pick nothing.
var ErrNoCases = errors.New("no case is selected")

// prepare picks cases, in the order of the seed. What the target does not offer,
// and what the budget does not allow, is skipped with the reason.
func (p Plan) prepare(cases []suite.Case, offered map[suite.Capability]bool) (planned, error) {
	for _, selector := range p.Select {
		if !slices.ContainsFunc(cases, func(c suite.Case) bool { return selects(selector, c.ID) }) {
			return planned{}, fmt.Errorf("%w by %q: see 'acme-e2e list'", ErrNoCases, selector)
		}
	}
	var out planned
	left := p.Budget
	if left != nil {
		b := *left
		left = &b
	}
	paid := map[string]bool{} // what is shared and has been taken already
	for _, c := range cases {
		if !p.picks(c) {
			continue
		}
		cost := c.Cost
		for name, share := range c.Shares {
			if !paid[name] {
				cost = cost.Add(share)
			}
		}
		missing := slices.IndexFunc(c.Needs, func(need suite.Capability) bool { return !offered[need] })
		switch {
		case missing >= 0:
			out.skip(c, fmt.Sprintf("not offered: %s", c.Needs[missing]))
		case !left.allows(cost):
			out.skip(c, fmt.Sprintf("over the budget: it uses %s", describeCost(cost)))
		default:
			out.run = append(out.run, c)
			out.cost = out.cost.Add(cost)
			for name := range c.Shares {
				paid[name] = true
			}
		}
	}
	if len(out.run)+len(out.skipped) == 0 {
		return planned{}, ErrNoCases
	}
	shuffle := rand.New(rand.NewPCG(p.Seed, 0))
	shuffle.Shuffle(len(out.run), func(i, j int) { out.run[i], out.run[j] = out.run[j], out.run[i] })
	return out, nil
}

func (out *planned) skip(c suite.Case, reason string) {
	out.skipped = append(out.skipped, suite.Result{ID: c.ID, Title: c.Title, Requirements: c.Requirements, Verdict: suite.Skip, Reason: reason, Start: time.Now()})
}

func (p Plan) picks(c suite.Case) bool {
	if len(p.Select) > 0 && !slices.ContainsFunc(p.Select, func(selector string) bool { return selects(selector, c.ID) }) {
		return false
	}
	return levelOf(c.Requirements).rank() <= p.Level.rank()
}

// levelOf is the strictest level of requirements.
func levelOf(ids []string) Level {
	level := May
	for _, id := range ids {
		if r, ok := RequirementByID(id); ok && r.Level.rank() < level.rank() {
			level = r.Level
		}
	}
	return level
}

// selects compares part by part; a section selects its subsections.
func selects(selector, id string) bool {
	selector = strings.ToLower(strings.Trim(selector, "/"))
	wanted, has := strings.Split(selector, "/"), strings.Split(strings.ToLower(id), "/")
	if len(wanted) > len(has) {
		return false
	}
	for i, part := range wanted {
		if part != has[i] && !(i == 1 && strings.HasPrefix(has[i], part+".")) {
			return false
		}
	}
	return true
}

func describeCost(c suite.Cost) string {
	return counted(c.Accounts, "account") + ", " + counted(c.Orders, "order") + ", " + counted(c.FailedValidations, "failed validation")
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
