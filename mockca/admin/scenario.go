package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
	"github.com/acme-e2e/acme-e2e/mockca/internal/settings"
)

// Scenario is how a CA is to be: a file in YAML or JSON. Everything is optional;
// what is not there stays as it is.
type Scenario struct {
	Personality string         `json:"personality,omitempty"` // see mockca.Personalities
	Policy      *settings.Node `json:"policy,omitempty"`      // changes to the policy, as in PATCH /api/policy
	Checks      ScenarioChecks `json:"checks,omitzero"`
	Rules       []Rule         `json:"rules,omitempty"`
	EAB         []EAB          `json:"eab,omitempty"`
	DNS         ScenarioDNS    `json:"dns,omitzero"`
	Clock       ClockMove      `json:"clock,omitzero"`
}

// ScenarioChecks turns checks off.
type ScenarioChecks struct {
	Off []string `json:"off,omitempty"`
}

// ScenarioDNS sets the name server up.
type ScenarioDNS struct {
	Records   []string            `json:"records,omitempty"`
	Defaults  *Addresses          `json:"defaults,omitempty"`
	Behaviors map[string]Behavior `json:"behaviors,omitempty"`
}

// ParseScenario reads a scenario. It is strict: what it does not know is an
// error, with its line.
func ParseScenario(data []byte) (Scenario, error) {
	var s Scenario
	if err := settings.Decode(data, &s); err != nil {
		return s, err
	}
	return s, s.check()
}

// check finds what is wrong without a CA.
func (s Scenario) check() error {
	policy, err := mockca.PolicyOf(s.Personality)
	if err != nil {
		return fmt.Errorf("personality: %w", err)
	}
	if s.Policy != nil {
		if err := settings.DecodeNode(s.Policy, &policy); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
	}
	for _, name := range s.Checks.Off {
		if !slices.Contains(mockca.Checks(), mockca.Check(name)) {
			return fmt.Errorf("checks.off: there is no check %q", name)
		}
	}
	for i, r := range s.Rules {
		if _, err := r.rule(); err != nil {
			return fmt.Errorf("rules[%d]: %w", i, err)
		}
	}
	for name, b := range s.DNS.Behaviors {
		if _, err := b.behavior(); err != nil {
			return fmt.Errorf("dns.behaviors: %s: %w", name, err)
		}
	}
	if s.Clock != (ClockMove{}) {
		if err := s.Clock.check(); err != nil {
			return fmt.Errorf("clock: %w", err)
		}
	}
	return nil
}

// Apply sets a CA and its name server up; dns may be nil when the scenario has
// no records.
func (s Scenario) Apply(ca *mockca.CA, dns *dnsserver.Server) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.Personality != "" {
		policy, _ := mockca.PolicyOf(s.Personality) // checked
		ca.SetPolicy(policy)
	}
	if s.Policy != nil {
		ca.ChangePolicy(func(p *mockca.Policy) { _ = settings.DecodeNode(s.Policy, p) }) // checked
	}
	for _, name := range s.Checks.Off {
		ca.Disable(mockca.Check(name))
	}
	for _, e := range s.EAB {
		if _, err := addEAB(ca, e); err != nil {
			return fmt.Errorf("eab: %w", err)
		}
	}
	if err := s.DNS.apply(dns); err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	for i, r := range s.Rules {
		rule, err := r.rule()
		if err == nil {
			_, err = ca.AddRule(rule)
		}
		if err != nil {
			return fmt.Errorf("rules[%d]: %w", i, err)
		}
	}
	if s.Clock != (ClockMove{}) {
		s.Clock.apply(ca.Clock())
	}
	return nil
}

func (d ScenarioDNS) apply(dns *dnsserver.Server) error {
	if d.Defaults == nil && len(d.Records)+len(d.Behaviors) == 0 {
		return nil
	}
	if dns == nil {
		return fmt.Errorf("there is no name server")
	}
	if err := dns.Add(d.Records...); err != nil {
		return err
	}
	if d.Defaults != nil {
		if err := setDefaults(dns, *d.Defaults); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Behaviors)) {
		b, err := d.Behaviors[name].behavior()
		if err != nil {
			return err
		}
		dns.SetBehavior(name, b)
	}
	return nil
}

func (s *Server) applyScenario(_ *http.Request, in Scenario) (none, error) {
	if err := in.Apply(s.ca, s.dns); err != nil {
		return none{}, badRequest("%v", err)
	}
	return none{}, nil
}

// ScenarioSchema is the JSON Schema of scenarios.
func ScenarioSchema() map[string]any {
	schema := settings.Schema(Scenario{})
	properties := schema["properties"].(map[string]any)
	properties["policy"] = settings.Schema(mockca.Policy{})
	properties["personality"] = map[string]any{"enum": append([]string{""}, mockca.Personalities()...)}
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "A scenario of acme-e2e serve"
	return schema
}
