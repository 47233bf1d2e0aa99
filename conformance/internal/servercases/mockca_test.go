package servercases

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// stage is a mockca that offers everything, with a responder where it looks:
// options, and what is done to it before the cases come.
type stage struct {
	options mockca.Options
	policy  mockca.Policy
	faults  []mockca.Fault
	// resolver stands between the CA and the responder's DNS, if set.
	resolver func(mockca.Exchanger) mockca.Exchanger
	answers  *responder.Responder // once started
	ca       *mockca.CA           // likewise
}

const binder = "conformance"

var bindingKey = []byte("the key of the external account that binds all accounts")

// everything is the policy of a CA that has all that cases ask for, and makes
// nobody wait.
func everything() mockca.Policy {
	p := mockca.DefaultPolicy()
	p.TermsOfService = "https://mockca.test/terms"
	p.Website = "https://mockca.test/"
	p.RequireEAB = true
	p.ChallengeTypes = append(p.ChallengeTypes, dnsPersist01)
	p.PollRetryAfter = -1
	p.UnguessableURLs = true
	return p
}

// start starts the CA and returns what cases need of it. It ends with the test.
func (s *stage) start(t testing.TB) *Env {
	t.Helper()
	answers, err := responder.Start(t.Context(), responder.Options{HTTPAddr: "127.0.0.1:0", TLSAddr: "127.0.0.1:0", DNSAddr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(answers.Close)
	s.answers = answers
	o := s.options
	o.Policy = &s.policy
	o.Hierarchy.Roots = 2
	v := &o.Validation
	v.HTTPPort, v.TLSPort = answers.HTTPPort(), answers.TLSPort()
	v.DNS = mockca.NewResolver(answers.DNSAddr())
	if s.resolver != nil {
		v.DNS = s.resolver(v.DNS)
	}
	ca := mockca.New(t, o)
	s.ca = ca
	ca.AddEAB(binder, bindingKey)
	for _, f := range s.faults {
		ca.Inject(f)
	}
	env := &Env{
		DirectoryURL: ca.DirectoryURL(), Transport: ca.Client().Transport, Domain: "conformance.test",
		Responder: answers, ResolvesHere: true, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Contact: []string{"mailto:conformance@mockca.test"}, Terms: func() { ca.ChangeTerms("") },
	}
	if s.policy.RequireEAB {
		env.Binding = &Binding{KeyID: binder, Key: bindingKey}
	}
	return env
}

// play runs cases, some at once and those that want it alone.
func play(t testing.TB, env *Env, cases []suite.Case) map[string]suite.Result {
	t.Helper()
	var mu sync.Mutex
	results := map[string]suite.Result{}
	run := func(c suite.Case) {
		r := suite.Run(t.Context(), c, 30*time.Second)
		mu.Lock()
		defer mu.Unlock()
		results[c.ID] = r
	}
	var all sync.WaitGroup
	places := make(chan struct{}, 64)
	for _, c := range cases {
		if !c.Alone {
			places <- struct{}{}
			all.Go(func() { run(c); <-places })
		}
	}
	all.Wait()
	for _, c := range cases {
		if c.Alone {
			run(c)
		}
	}
	return results
}

// TestMockcaPasses is one half of the proof that the cases judge: a CA without
// fault passes them all, and nothing is skipped.
func TestMockcaPasses(t *testing.T) {
	t.Parallel()
	s := stage{policy: everything()}
	s.policy.ValidationRetries, s.policy.PollRetryAfter = 1, time.Second
	env := s.start(t)
	for id, r := range play(t, env, Cases(env)) {
		t.Run(id, func(t *testing.T) { requirePass(t, r) })
	}
}

func requirePass(t *testing.T, r suite.Result) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Verdict != suite.Pass {
			t.Errorf("%s %s: expected %s, but %s", f.Verdict, f.Requirement, f.Expected, f.Actual)
		}
	}
	if r.Verdict != suite.Pass {
		t.Errorf("%s %s", r.Verdict, r.Reason)
	}
}
