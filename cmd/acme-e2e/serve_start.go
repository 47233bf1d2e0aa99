package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/internal/durable"
	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/admin"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

const graceful = 3 * time.Second

// served is what serve runs.
type served struct {
	ca            *mockca.CA
	dns           *dnsserver.Server
	flags         *serveFlags
	tsig          dnsserver.Key
	eab           []mockca.EAB // for clients: those given, or one made
	token         string
	validationDNS string
	management    string // URLs
	challtestsrv  string
	bundle, roots string // files
	ends          []func() error
}

// start starts everything, or nothing.
func (f *serveFlags) start(cmd *cobra.Command, log *slog.Logger) (*served, error) {
	s := &served{flags: f, token: f.token}
	if err := s.start(cmd, log); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *served) start(cmd *cobra.Command, log *slog.Logger) error {
	f := s.flags
	if s.token == "" && !loopback(f.listen) {
		s.token = rand.Text()
	}
	scenario, err := f.readScenario(cmd)
	if err != nil {
		return err
	}
	if err := s.startDNS(cmd, log); err != nil {
		return err
	}
	if err := s.choosePorts(); err != nil {
		return err
	}
	o, err := f.options(cmd, log, s.dns)
	if err != nil {
		return err
	}
	if s.ca, err = mockca.NewUnstarted(o); err != nil {
		if errors.Is(err, durable.ErrLocked) {
			return environmentError(err, "end it, or name another directory")
		}
		if f.state != "" {
			return environmentError(err, "if the directory can't be read any more, remove it or name another")
		}
		return configError(err, "")
	}
	if err := scenario.Apply(s.ca, s.dns); err != nil {
		return configError(fmt.Errorf("--scenario %s: %w", f.scenario, err), "")
	}
	if err := s.addEABs(cmd); err != nil {
		return err
	}
	if err := s.ca.Sync(); err != nil {
		return environmentError(err, "")
	}
	log.Info("starting", "version", version(), "personality", s.ca.Policy().Name, "seed", s.ca.Seed(), "validation", f.validation, "state", f.state)
	if err := s.listenACME(); err != nil {
		return err
	}
	return s.startManagement(log)
}

func (f *serveFlags) readScenario(cmd *cobra.Command) (admin.Scenario, error) {
	if f.scenario == "" {
		return admin.Scenario{}, nil
	}
	data, err := os.ReadFile(f.scenario)
	if err != nil {
		return admin.Scenario{}, configError(fmt.Errorf("--scenario: %w", err), "name a file that can be read")
	}
	scenario, err := admin.ParseScenario(data)
	if err != nil {
		return scenario, configError(fmt.Errorf("--scenario %s: %w", f.scenario, err), "docs/serve.md shows what can be in it")
	}
	if scenario.Personality != "" && f.personality != "" {
		return scenario, usageError(cmd, errors.New("--personality and the scenario both name a personality"))
	}
	return scenario, nil
}

// options are the CA's.
func (f *serveFlags) options(cmd *cobra.Command, log *slog.Logger, d *dnsserver.Server) (mockca.Options, error) {
	policy, err := mockca.PolicyOf(f.personality)
	if err != nil {
		return mockca.Options{}, usageError(cmd, fmt.Errorf("--personality: %w", err))
	}
	o := mockca.Options{Addr: net.JoinHostPort(f.listen, "0"), Host: f.host, Paths: mockca.PebblePaths(), Logger: log, Policy: &policy,
		Validation: mockca.Validation{Off: f.validation == "off", HTTPPort: f.httpPort, HTTPSPort: f.httpsPort, TLSPort: f.tlsPort, DNS: d},
		Hierarchy:  mockca.Hierarchy{KeyType: f.keyType, Depth: f.intermediate, Roots: 1 + f.alternates},
		StateDir:   f.state, KeepObjects: f.keepObjects, Seed: f.seed}
	if f.intermediate == 0 {
		o.Hierarchy.Depth = -1
	}
	if f.dnsServer != "" {
		if _, _, err := net.SplitHostPort(f.dnsServer); err != nil {
			return o, usageError(cmd, fmt.Errorf("--dnsserver: %w", err))
		}
		o.Validation.DNS = mockca.NewResolver(f.dnsServer)
	}
	for _, text := range f.faults {
		fault, err := mockca.ParseFault(text)
		if err != nil {
			return o, usageError(cmd, fmt.Errorf("--fault %s: %w", text, err))
		}
		o.Rules = append(o.Rules, mockca.Rule{Fault: fault})
	}
	if f.pebble != nil {
		if err := f.pebble.apply(&o); err != nil {
			return o, configError(fmt.Errorf("--pebble-config %s: %w", f.pebbleConfig, err), "")
		}
	}
	return o, nil
}

func (s *served) startDNS(cmd *cobra.Command, log *slog.Logger) (err error) {
	f := s.flags
	o := dnsserver.Options{Addr: net.JoinHostPort(f.listen, strconv.Itoa(f.dnsPort)), UnsignedUpdates: f.unsignedUpdates, Logger: log, NoDefaults: true}
	if s.tsig, err = parseTSIG(f.tsig); err != nil {
		return usageError(cmd, fmt.Errorf("--tsig: %w", err))
	}
	s.dns = dnsserver.NewUnstarted(o)
	if err := s.dns.AddKey(s.tsig); err != nil {
		return usageError(cmd, fmt.Errorf("--tsig: %w", err))
	}
	var addrs [2]netip.Addr
	for i, text := range []string{f.ipv4, f.ipv6} {
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil || a.Is4() != (i == 0) {
			return usageError(cmd, fmt.Errorf("--default-ipv%d %q: not an address of that kind", 4+2*i, text))
		}
		addrs[i] = a
	}
	s.dns.SetDefaults(addrs[0], addrs[1])
	if err := s.dns.Listen(); err != nil {
		return portError(err, "--dns-port")
	}
	s.ends = append(s.ends, s.dns.Close)
	s.validationDNS = s.dns.Addr()
	if f.dnsServer != "" {
		s.validationDNS = f.dnsServer
	}
	return nil
}

// parseTSIG reads "name:secret[:algorithm]", or makes a key.
func parseTSIG(text string) (dnsserver.Key, error) {
	if text == "" {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		return dnsserver.Key{Name: "acme-e2e", Secret: base64.StdEncoding.EncodeToString(secret), Algorithm: "hmac-sha256"}, nil
	}
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return dnsserver.Key{}, errors.New("want NAME:SECRET or NAME:SECRET:ALGORITHM")
	}
	key := dnsserver.Key{Name: parts[0], Secret: parts[1], Algorithm: "hmac-sha256"}
	if len(parts) == 3 {
		key.Algorithm = parts[2]
	}
	return key, nil
}

// choosePorts decides at which ports the CA validates where that was left open.
func (s *served) choosePorts() error {
	for _, port := range []*int{&s.flags.httpPort, &s.flags.httpsPort, &s.flags.tlsPort} {
		if *port != 0 {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(s.flags.listen, "0"))
		if err != nil {
			return portError(err, "--listen")
		}
		defer func() { _ = l.Close() }() // once all have been chosen, so that they differ
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

// addEABs lets accounts be bound; where they must be and no key was given, one
// is made.
func (s *served) addEABs(cmd *cobra.Command) error {
	for _, text := range s.flags.eab {
		kid, encoded, ok := strings.Cut(text, ":")
		key, err := mockca.ParseEABKey(encoded)
		if !ok || err != nil || kid == "" || len(key) == 0 {
			return usageError(cmd, fmt.Errorf("--eab %q: want KID:KEY, the key in base64url", text))
		}
		s.ca.AddEAB(kid, key)
	}
	if s.ca.Policy().RequireEAB && len(s.ca.EABs()) == 0 {
		s.ca.NewEAB()
	}
	s.eab = s.ca.EABs()
	return nil
}

func (s *served) listenACME() error {
	f := s.flags
	addr, err := s.ca.Listen(net.JoinHostPort(f.listen, strconv.Itoa(f.acmePort)))
	if err != nil {
		return portError(err, "--acme-port")
	}
	if also, ok := alsoLoopback(f.listen, addr); ok {
		if l, err := net.Listen("tcp", also); err == nil { // localhost may mean either
			return s.ca.Serve(l)
		}
	}
	return nil
}

func (s *served) startManagement(log *slog.Logger) error {
	f := s.flags
	at := func(port int) string { return net.JoinHostPort(f.listen, strconv.Itoa(port)) }
	responder := &admin.Responder{HTTPAddr: at(f.httpPort), HTTPSAddr: at(f.httpsPort), TLSAddr: at(f.tlsPort)}
	s.ends = append(s.ends, func() error { responder.Close(); return nil })
	facts := map[string]string{"version": version(), "validation": f.validation, "http-01": "port " + strconv.Itoa(f.httpPort),
		"tls-alpn-01": "port " + strconv.Itoa(f.tlsPort), "dns": s.dns.Addr(), "tsig": s.tsig.Name + " (" + s.tsig.Algorithm + ")"}
	if f.state != "" {
		facts["state"] = f.state
	}
	handler := admin.New(admin.Options{CA: s.ca, DNS: s.dns, Token: s.token, Responder: responder, Facts: facts, Logger: log})
	certificate, err := s.ca.APICertificate()
	if err != nil {
		return environmentError(err, "")
	}
	for _, one := range []struct {
		port int
		flag string
		url  *string
	}{{f.managementPort, "--management-port", &s.management}, {f.challtestsrvPort, "--challtestsrv-port", &s.challtestsrv}} {
		l, err := net.Listen("tcp", at(one.port))
		if err != nil {
			return portError(err, one.flag)
		}
		*one.url = "http://" + s.shownAddr(l.Addr())
		s.ends = append(s.ends, serveBoth(l, handler, certificate, log))
		if also, ok := alsoLoopback(f.listen, l.Addr()); ok {
			if l, err := net.Listen("tcp", also); err == nil {
				s.ends = append(s.ends, serveBoth(l, handler, certificate, log))
			}
		}
	}
	return nil
}
