package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/netip"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance"
	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// embedded starts a CA in this process that validates at the suite's responder.
func (f *testServerFlags) embedded(ctx context.Context) (target conformance.Target, stop func(), err error) {
	r, err := conformance.StartResponder(ctx, conformance.ResponderOptions{HTTPAddr: "127.0.0.1:0", TLSAddr: "127.0.0.1:0", DNSAddr: "127.0.0.1:0"})
	if err != nil {
		return target, func() {}, environmentError(err, "test-server needs free ports on 127.0.0.1")
	}
	target = conformance.Target{Domain: f.domain, ShareAccount: f.shareAccount, Responder: r, ResolvesHere: true, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}}
	start := startPebble
	if f.mockca {
		start = startMockca
	}
	closeCA, err := start(ctx, &target)
	if err != nil {
		r.Close()
		return target, func() {}, environmentError(err, "test-server needs free ports on 127.0.0.1")
	}
	return target, func() { closeCA(); r.Close() }, nil
}

// startPebble starts a Pebble that wants external accounts, so that this is
// judged too.
func startPebble(ctx context.Context, target *conformance.Target) (stop func(), err error) {
	r, binding := target.Responder, newBinding()
	h, err := pebbleharness.Start(ctx, pebbleharness.Options{
		HTTPPort: r.HTTPPort(), TLSPort: r.TLSPort(), Resolver: r.DNSAddr(), EABRequired: true,
		EABKeys: map[string]string{binding.KeyID: base64.RawURLEncoding.EncodeToString(binding.Key)},
	})
	if err != nil {
		return nil, fmt.Errorf("starting Pebble: %w", err)
	}
	target.DirectoryURL, target.RootCAs = h.DirectoryURL(), x509.NewCertPool()
	target.RootCAs.AppendCertsFromPEM(h.RootPEM())
	target.ExternalAccount = binding
	return h.Close, nil
}

// startMockca starts a mockca that offers all that cases ask for.
func startMockca(ctx context.Context, target *conformance.Target) (stop func(), err error) {
	r := target.Responder
	p := mockca.DefaultPolicy()
	p.TermsOfService, p.Website = "https://mockca.test/terms", "https://mockca.test/"
	p.RequireEAB, p.UnguessableURLs = true, true
	p.ChallengeTypes = append(p.ChallengeTypes, "dns-persist-01")
	p.ValidationRetries, p.PollRetryAfter = 1, time.Second
	ca, err := mockca.Start(ctx, mockca.Options{
		Policy: &p, Hierarchy: mockca.Hierarchy{Roots: 2},
		Validation: mockca.Validation{HTTPPort: r.HTTPPort(), TLSPort: r.TLSPort(), DNS: mockca.NewResolver(r.DNSAddr())},
	})
	if err != nil {
		return nil, fmt.Errorf("starting mockca: %w", err)
	}
	binding := newBinding()
	ca.AddEAB(binding.KeyID, binding.Key)
	target.DirectoryURL, target.RootCAs = ca.DirectoryURL(), ca.Pool()
	target.ExternalAccount, target.Contact = binding, []string{"mailto:conformance@mockca.test"}
	target.Terms = func() { ca.ChangeTerms("") }
	return func() { _ = ca.Close() }, nil
}

func newBinding() *conformance.ExternalAccount {
	binding := &conformance.ExternalAccount{KeyID: "conformance", Key: make([]byte, 32)}
	_, _ = rand.Read(binding.Key) // never fails
	return binding
}
