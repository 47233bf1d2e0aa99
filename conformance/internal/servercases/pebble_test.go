package servercases

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// collected is an outcome that keeps what it is given.
type collected struct {
	mu       sync.Mutex
	findings []finding
	notes    []string
}

func (c *collected) Finding(f finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings = append(c.findings, f)
}

func (c *collected) Note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

func pebbleEnv(t *testing.T) *Env {
	t.Helper()
	answers, err := responder.Start(t.Context(), responder.Options{HTTPAddr: "127.0.0.1:0", TLSAddr: "127.0.0.1:0", DNSAddr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(answers.Close)
	ca := pebbleharness.New(t, pebbleharness.Options{HTTPPort: answers.HTTPPort(), TLSPort: answers.TLSPort(), Resolver: answers.DNSAddr()})
	return &Env{
		DirectoryURL: ca.DirectoryURL(), Transport: ca.HTTPClient().Transport, Domain: "conformance.test",
		Responder: answers, ResolvesHere: true, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
	}
}

func TestPebble(t *testing.T) {
	env := pebbleEnv(t)
	for _, c := range all() {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out := &collected{}
			ended := c.play(ctx, env, out, nil)
			if ended != nil && ended.kind != stopFailed {
				t.Logf("ENDED %v %s", ended.kind, ended.reason)
			}
			for _, f := range out.findings {
				t.Logf("FOUND %d %s: expected %s; actual %s", f.severity, f.requirement, f.expected, f.actual)
			}
		})
	}
}
