package clientcases

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// Stage is what a scenario may change before the CA starts.
type Stage struct {
	CA     mockca.Options
	Policy mockca.Policy
	Env    Env // of every run, unless the run says otherwise
	Start  func(*mockca.CA)
	memory *memory // what validations saw
}

// inject has a fault happen, once when times is 1, always when it is 0.
func (s *Stage) inject(times int, f mockca.Fault, when ...mockca.When) {
	rule := mockca.Rule{Fault: f, Times: times}
	if len(when) > 0 {
		rule.When = when[0]
	}
	s.CA.Rules = append(s.CA.Rules, rule)
}

// at is for faults at one endpoint.
func at(e ...mockca.Endpoint) mockca.When { return mockca.When{Endpoints: e} }

// world is a CA with what surrounds it and the client.
type world struct {
	dir   string // everything; the client's part is dir/client
	ca    *mockca.CA
	dns   *dnsserver.Server
	ports []*port
	env   Env

	memory *memory
}

// newWorld sets everything up, or says what the surroundings lack.
func newWorld(ctx context.Context, s *Scenario, settings Settings) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp(settings.Dir, "acme-e2e-client-"); err != nil {
		return w, err
	}
	for range 2 {
		p, err := reservePort()
		if err != nil {
			return w, err
		}
		w.ports = append(w.ports, p)
	}
	if w.dns, err = dnsserver.Start(ctx, dnsserver.Options{Keys: []dnsserver.Key{{Name: defaultDNSKeyName, Secret: defaultDNSKeySecret}}}); err != nil {
		return w, err
	}
	w.dns.SetDefaults(netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.Addr{})

	stage := &Stage{Policy: mockca.DefaultPolicy(), Env: w.firstEnv()}
	stage.CA.Validation = mockca.Validation{HTTPPort: w.ports[0].number, TLSPort: w.ports[1].number, DNS: w.dns}
	if s.Stage != nil {
		s.Stage(stage)
	}
	stage.CA.Policy = &stage.Policy
	if w.ca, err = mockca.Start(ctx, stage.CA); err != nil {
		return w, err
	}
	if stage.Start != nil {
		stage.Start(w.ca)
	}
	w.env, w.memory = stage.Env, stage.memory
	w.env.Directory = w.ca.DirectoryURL()
	return w, w.files()
}

func (w *world) firstEnv() Env {
	client := filepath.Join(w.dir, "client")
	return Env{
		CABundle: filepath.Join(w.dir, "ca", "api.pem"), Roots: filepath.Join(w.dir, "ca", "roots.pem"),
		Domains: []string{"www.conformance.test"}, Challenge: "http-01", HTTPPort: w.ports[0].number, TLSPort: w.ports[1].number,
		DNSServer: w.dns.Addr(), DNSKeyName: defaultDNSKeyName, DNSKeySecret: defaultDNSKeySecret,
		Email: defaultEmail, AgreeTerms: true,
		Dir: client, AccountDir: filepath.Join(client, "account"),
		CertFile: filepath.Join(client, "out", "cert.pem"), KeyFile: filepath.Join(client, "out", "key.pem"),
	}
}

func (w *world) files() error {
	for _, dir := range []string{"ca", "client"} {
		if err := os.MkdirAll(filepath.Join(w.dir, filepath.FromSlash(dir)), 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(w.env.CABundle, w.ca.RootPEM(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(w.env.Roots, w.ca.IssuingRootsPEM(), 0o600)
}

func (w *world) close() {
	if w.ca != nil {
		_ = w.ca.Close()
	}
	if w.dns != nil {
		_ = w.dns.Close()
	}
	for _, p := range w.ports {
		p.release()
	}
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}

// strangers are entries beside the client's directory that nobody but the
// client can have made.
func (w *world) strangers() (names []string) {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return []string{fmt.Sprintf("%s can't be read any more: %v", w.dir, err)}
	}
	for _, e := range entries {
		if e.Name() != "client" && e.Name() != "ca" {
			names = append(names, e.Name())
		}
	}
	return names
}
