// Package clientcases holds the scenarios that judge ACME clients: one file for
// each section of a standard.
//
// A scenario sets up a CA of its own, which is as good or as bad as the scenario
// wants it, has the client issue, renew, revoke, and judges by the CA's
// transcript, by how the client ended, by what it said and by the files that it
// left.
package clientcases

import (
	"slices"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// Scenario is one thing that a client is judged by.
type Scenario struct {
	// ID is stable: "rfc8555/6.5/bad-nonce".
	ID    string
	Title string // what the client does that is right, in a line
	// Requirements are ids of the catalogue. Findings are about the first unless
	// they say otherwise.
	Requirements []string
	Does         string // what the CA does to the client
	Expects      string
	Faults       []string  // names in the catalogue of faults that are used
	Needs        []Feature // without one of them the scenario is not applicable
	Timeout      time.Duration
	// Stage changes what the CA and the client's surroundings are like; nil
	// leaves the faultless CA, one name and http-01.
	Stage func(*Stage)
	Play  func(*Trial)
}

// Feature is what a client can do, or not.
type Feature = suite.Capability

// The features. What a client does by itself, such as to ask for renewal
// information, is none: it is seen.
const (
	HTTP01              Feature = "http-01"
	DNS01               Feature = "dns-01" // by dynamic updates, RFC 2136
	TLSALPN01           Feature = "tls-alpn-01"
	AddressIdentifiers  Feature = "ip"       // identifiers of type ip, RFC 8738
	Internationalized   Feature = "idn"      // takes names with letters beyond ASCII
	ExternalAccounts    Feature = "eab"      // RFC 8555, Section 7.3.4
	AskForTerms         Feature = "terms"    // can be run without agreeing to the terms of service
	Profiles            Feature = "profiles" // draft-ietf-acme-profiles
	ChooseChain         Feature = "chain"    // picks an alternate by the name of its issuer
	Renewal             Feature = "renew"    // renews what is due, and only that
	Revocation          Feature = "revoke"
	RevocationByKey     Feature = "revoke-by-key" // signed by the certificate's key
	KeyRollover         Feature = "key-change"
	AccountUpdate       Feature = "account-update"
	AccountLookup       Feature = "account-find" // finds the account of a key, without making one
	AccountDeactivation Feature = "account-deactivate"
	Preauthorization    Feature = "pre-authorize"
	AuthzDeactivation   Feature = "authz-deactivate"
	OrdersList          Feature = "orders"
	KeyTypes            Feature = "account-key-types" // RSA and P-384 account keys, besides its default
	Daemon              Feature = "daemon"            // renews for ever, by a clock that is handed in
)

// Features are all of them.
func Features() []Feature {
	return []Feature{HTTP01, DNS01, TLSALPN01, AddressIdentifiers, Internationalized, ExternalAccounts, AskForTerms, Profiles, ChooseChain, Renewal,
		Revocation, RevocationByKey, KeyRollover, AccountUpdate, AccountLookup, AccountDeactivation, Preauthorization, AuthzDeactivation, OrdersList, KeyTypes, Daemon}
}

// Baseline is the id of the scenario that a client has to pass before any other
// can say something about it.
const Baseline = "rfc8555/7.4/issue"

// All are the scenarios in the order of the standards.
func All() []Scenario {
	return slices.Concat(requestScenarios(), readScenarios(), nonceScenarios(), errorScenarios(), outageScenarios(), accountScenarios(), keyChangeScenarios(),
		issueScenarios(), orderScenarios(), certificateScenarios(), challengeScenarios(), dns01Scenarios(), revocationScenarios(),
		tlsALPN01Scenarios(), identifierScenarios(), renewalScenarios(), scheduleScenarios(), profileScenarios())
}

// Cases are all scenarios, bound to a client.
func Cases(client Client, settings Settings) []suite.Case {
	var cases []suite.Case
	for _, s := range All() {
		cases = append(cases, suite.Case{
			ID: s.ID, Title: s.Title, Requirements: s.Requirements, Does: s.Does, Expects: s.Expects, Timeout: s.Timeout,
			Run: func(t *suite.T) { s.judge(t, client, settings) },
		})
	}
	return cases
}

func (s *Scenario) judge(t *suite.T, client Client, settings Settings) {
	for _, need := range s.needs() {
		if !slices.Contains(client.Features, need) {
			t.NotApplicable("the client has no such feature: %s", need)
		}
	}
	trial := newTrial(t, s, client, settings)
	defer trial.close()
	s.Play(trial)
}

// needs are the scenario's, and http-01 unless it proves control otherwise.
func (s *Scenario) needs() []Feature {
	if slices.Contains(s.Needs, DNS01) || slices.Contains(s.Needs, TLSALPN01) {
		return s.Needs
	}
	return append([]Feature{HTTP01}, s.Needs...)
}
