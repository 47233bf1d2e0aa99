package mockca

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Rules decide when which fault happens.

// Rule is: when, what, how often. Rules compose: all that match an exchange
// fire, in the order in which they were added.
type Rule struct {
	Name  string // in the transcript; default the fault's
	When  When
	Fault Fault
	// Times is how often it fires before it is spent; 0: as the fault says, which
	// mostly is without limit.
	Times int
}

// When narrows a rule down to some exchanges. The zero value matches all that
// the fault is made for.
type When struct {
	// Endpoint, or one of Endpoints; when neither is set the fault's own
	// Endpoints, or all.
	Endpoint  Endpoint
	Endpoints []Endpoint
	Method    string // "POST"
	// Account is the URL of the account that signs, or its path, or its number.
	Account string
	// Identifier is the value of an identifier that the exchange is about: that
	// of the object addressed, or one in the payload of newOrder or newAuthz.
	Identifier string

	// Of the exchanges that match so far:

	Skip  int // not the first ones
	Nth   int // only this one, counted from 1 after Skip
	Every int // only each so many, from the first after Skip

	// Probability is the part of the exchanges left on which it fires; 0: all.
	// The choices repeat with the same Seed (0: the CA's), as long as the
	// exchanges come in the same order.
	Probability float64
	Seed        uint64

	// Stage is when the fault acts; AsFault is what suits it.
	Stage Stage
	// Match, if set, has the last word. It is called before the CA acts, and
	// must be quick and safe for concurrent use.
	Match func(*Exchange) bool
}

// Stage is when a fault acts.
type Stage int

// The stages. They matter for faults that answer by themselves: Before means
// that the CA does nothing, After that it has done what was asked.
const (
	AsFault Stage = iota
	Before
	After
)

// RuleID names a rule that was added.
type RuleID int64

// RuleState is a rule with its books.
type RuleState struct {
	ID      RuleID
	Rule    Rule
	Matched int64 // exchanges that matched all but Skip, Nth, Every, Probability, Match and Times
	Hits    int64 // times that it fired
	Spent   bool  // Times has been reached
}

type rules struct {
	list atomic.Pointer[ruleSet] // nil when there are none; copied when changed

	mu     sync.Mutex
	lastID RuleID
}

// ruleSet are the rules, in the order in which they were added, so that those
// of other endpoints cost a request nothing.
type ruleSet struct {
	all []*activeRule
	by  map[Endpoint][]*activeRule
}

// activeRule is a rule at work.
type activeRule struct {
	id        RuleID
	rule      Rule
	name      string
	endpoints []Endpoint // nil: all
	account   string     // that URLs of the account end with
	conn      bool       // for connections, not for exchanges

	mu      sync.Mutex
	random  *rand.Rand
	matched int64
	hits    int64
}

// AddRule adds a rule, from the next request on.
func (ca *CA) AddRule(rule Rule) (RuleID, error) {
	if err := rule.check(); err != nil {
		return 0, fmt.Errorf("adding rule %q: %w", rule.label(), err)
	}
	or(&rule.Times, rule.Fault.Times)
	a := &activeRule{rule: rule, name: rule.label(), conn: rule.Fault.connectionOnly()}
	a.endpoints = slices.Clone(rule.When.Endpoints)
	if rule.When.Endpoint != "" {
		a.endpoints = append(a.endpoints, rule.When.Endpoint)
	}
	if a.endpoints == nil {
		a.endpoints = rule.Fault.Endpoints
	}
	a.account = "/" + strings.TrimPrefix(rule.When.Account, "/")
	seed := rule.When.Seed
	r := &ca.rules
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastID++
	a.id = r.lastID
	if seed == 0 {
		h := fnv.New64a()
		fmt.Fprint(h, ca.seed, a.id)
		seed = h.Sum64()
	}
	a.random = rand.New(rand.NewPCG(seed, 0))
	r.set(append(slices.Clip(r.get()), a))
	return a.id, nil
}

// connectionOnly tells whether a fault has nothing to do with exchanges.
func (f *Fault) connectionOnly() bool { return f.Request == nil && f.Core == nil && f.Response == nil }

func (r Rule) label() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Fault.String()
}

func (r Rule) check() error {
	w, f := r.When, r.Fault
	var errs []error
	if f.connectionOnly() && f.Accept == nil && f.Handshake == nil {
		errs = append(errs, errors.New("the fault does nothing"))
	}
	for _, e := range append(slices.Clone(w.Endpoints), w.Endpoint) {
		if e != "" && e != Unknown && !slices.Contains(Endpoints(), e) {
			errs = append(errs, fmt.Errorf("there is no endpoint %q", e))
		}
	}
	if w.Probability < 0 || w.Probability > 1 {
		errs = append(errs, fmt.Errorf("a probability of %v", w.Probability))
	}
	if w.Nth < 0 || w.Skip < 0 || w.Every < 0 || r.Times < 0 {
		errs = append(errs, errors.New("a negative Nth, Skip, Every or Times"))
	}
	return errors.Join(errs...)
}

// Inject adds a rule for a fault and returns its id: what tests mostly need. Of
// several conditions the first counts. It panics when the rule makes no sense.
func (ca *CA) Inject(f Fault, when ...When) RuleID { return ca.inject(f, 0, when) }

// InjectOnce is Inject for a fault that happens once.
func (ca *CA) InjectOnce(f Fault, when ...When) RuleID { return ca.inject(f, 1, when) }

func (ca *CA) inject(f Fault, times int, when []When) RuleID {
	rule := Rule{Fault: f, Times: times}
	if len(when) > 0 {
		rule.When = when[0]
	}
	id, err := ca.AddRule(rule)
	if err != nil {
		panic("mockca: " + err.Error())
	}
	return id
}

// RemoveRule removes a rule; false means that there is none with this id.
func (ca *CA) RemoveRule(id RuleID) bool {
	r := &ca.rules
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.get()
	after := slices.DeleteFunc(slices.Clone(before), func(a *activeRule) bool { return a.id == id })
	r.set(after)
	return len(after) < len(before)
}

// ClearRules removes all rules.
func (ca *CA) ClearRules() {
	ca.rules.mu.Lock()
	defer ca.rules.mu.Unlock()
	ca.rules.set(nil)
}

// Rules lists the rules, with their hits.
func (ca *CA) Rules() []RuleState {
	var all []RuleState
	for _, a := range ca.rules.get() {
		a.mu.Lock()
		all = append(all, RuleState{ID: a.id, Rule: a.rule, Matched: a.matched, Hits: a.hits, Spent: a.spent()})
		a.mu.Unlock()
	}
	return all
}

func (r *rules) get() []*activeRule {
	if list := r.list.Load(); list != nil {
		return list.all
	}
	return nil
}

func (r *rules) set(list []*activeRule) {
	if len(list) == 0 {
		r.list.Store(nil)
		return
	}
	s := &ruleSet{all: list, by: make(map[Endpoint][]*activeRule)}
	for _, e := range endpointList {
		for _, a := range list {
			if !a.conn && (len(a.endpoints) == 0 || slices.Contains(a.endpoints, e)) {
				s.by[e] = append(s.by[e], a)
			}
		}
	}
	r.list.Store(s)
}

func (a *activeRule) spent() bool { return a.rule.Times > 0 && a.hits >= int64(a.rule.Times) }

// match returns the rules that fire for an exchange.
func (r *rules) match(q *request) []*activeRule {
	list := r.list.Load()
	if list == nil {
		return nil
	}
	var hits []*activeRule
	for _, a := range list.by[q.x.Endpoint] {
		if a.concerns(q) && a.fire(q.x) {
			hits = append(hits, a)
			q.x.Rules = append(q.x.Rules, a.name)
		}
	}
	return hits
}

func (a *activeRule) concerns(q *request) bool {
	w := &a.rule.When
	if w.Method != "" && !strings.EqualFold(w.Method, q.http.Method) {
		return false
	}
	if w.Account != "" && q.x.Account != w.Account && !strings.HasSuffix(q.x.Account, a.account) {
		return false
	}
	return w.Identifier == "" || q.about(w.Identifier)
}

// about tells whether a request is about an identifier.
func (r *request) about(value string) bool {
	ids := r.x.Identifiers
	if ids == nil && r.message != nil && r.http.Method == http.MethodPost {
		switch r.x.Endpoint {
		case NewOrder:
			if in, p := r.orderPayload(); p == nil {
				ids = in.Identifiers
			}
		case NewAuthz:
			var in struct{ Identifier Identifier }
			if r.decode(&in) == nil {
				ids = []Identifier{in.Identifier}
			}
		}
	}
	return slices.ContainsFunc(ids, func(id Identifier) bool { return strings.EqualFold(id.Value, value) })
}

// fire counts a match and tells whether the rule fires.
func (a *activeRule) fire(x *Exchange) bool {
	w := &a.rule.When
	a.mu.Lock()
	a.matched++
	n := a.matched - int64(w.Skip)
	due := n > 0 && (w.Nth == 0 || n == int64(w.Nth)) && (w.Every == 0 || (n-1)%int64(w.Every) == 0)
	if w.Probability > 0 && a.random.Float64() >= w.Probability { // drawn always, so that choices stay in step
		due = false
	}
	due = due && !a.spent()
	a.mu.Unlock()
	if !due || w.Match != nil && !w.Match(x) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spent() {
		return false
	}
	a.hits++
	return true
}

// respond makes the answer, with the faults that fire.
func (r *request) respond(hits []*activeRule) *Response {
	if hits == nil {
		resp := r.act()
		if !resp.Bare {
			r.common(resp)
		}
		return resp
	}
	for _, a := range hits {
		if a.rule.Fault.Core != nil {
			a.rule.Fault.Core(r.x, &r.knobs)
		}
	}
	resp := r.instead(hits, Before)
	if resp == nil {
		resp = r.act()
		if after := r.instead(hits, After); after != nil {
			resp = after
		}
	}
	if resp.Header == nil {
		resp.Header = make(http.Header)
	}
	if !resp.Bare {
		r.common(resp)
	}
	for _, a := range hits {
		if a.rule.Fault.Response != nil {
			a.rule.Fault.Response(r.x, resp)
		}
	}
	return resp
}

// instead asks the faults of a stage for an answer.
func (r *request) instead(hits []*activeRule, stage Stage) *Response {
	for _, a := range hits {
		f := &a.rule.Fault
		at := a.rule.When.Stage
		or(&at, f.Stage)
		or(&at, Before)
		if f.Request == nil || at != stage {
			continue
		}
		if resp := f.Request(r.x); resp != nil {
			return resp
		}
	}
	return nil
}
