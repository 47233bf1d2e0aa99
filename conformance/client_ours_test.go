package conformance_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/challenge/dns01"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/conformance"
)

// library is a program on our own packages client and manager, with all that
// they can do.
func library() conformance.TestedClient {
	return conformance.TestedClient{Name: "library", Features: conformance.ClientFeatures(), Run: runLibrary}
}

func runLibrary(ctx context.Context, env conformance.Env) error {
	p := &program{Env: env}
	if err := p.prepare(); err != nil {
		return err
	}
	defer p.m.Close()
	return p.perform(ctx)
}

// program is one run of it.
type program struct {
	conformance.Env
	m *manager.Manager
}

func (p *program) prepare() error {
	bundle, err := os.ReadFile(p.CABundle)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	cfg := manager.Config{Domains: p.Domains, Email: p.Email, DirectoryURL: p.Directory, AgreeTerms: p.AgreeTerms, CertPath: p.CertFile, KeyPath: p.KeyFile,
		AccountKeyPath: p.keyFile(), StateDir: filepath.Join(p.AccountDir, "state"), ChallengePort: p.HTTPPort, Profile: p.Profile}
	if p.EABKeyID != "" {
		cfg.EAB = &client.ExternalAccountBinding{KeyID: p.EABKeyID, Key: p.EABKey}
	}
	o := manager.Options{RootCAs: roots, Observer: p.say, Clock: p.Clock, ReloadEvery: -1, NoSignals: true, Chain: client.ChainPreference{IssuerName: p.Chain}}
	switch p.Challenge {
	case challenge.DNS01:
		solver, err := dns01.New(dns01.Options{
			Provider: &dns01.RFC2136{Server: p.DNSServer, KeyName: p.DNSKeyName, Secret: p.DNSKeySecret},
			DNS:      dns01.DNS{Resolvers: []string{p.DNSServer}, Nameservers: []string{p.DNSServer}},
		})
		if err != nil {
			return err
		}
		o.Solvers = []client.SolverFor{{Type: challenge.DNS01, Solver: solver}}
	case challenge.TLSALPN01:
		o.Solvers = []client.SolverFor{{Type: challenge.TLSALPN01, Solver: challenge.NewTLSALPN01(challenge.TLSALPN01Options{Address: fmt.Sprintf(":%d", p.TLSPort)})}}
	}
	if err := p.chooseKey(); err != nil {
		return err
	}
	p.m, err = manager.New(cfg, o)
	return err
}

func (p *program) keyFile() string { return filepath.Join(p.AccountDir, "account.key") }

// chooseKey makes an account key of the type that is asked for, and settles a
// key change that was interrupted.
func (p *program) chooseKey() error {
	types := map[string]client.KeyType{"rsa2048": client.RSA2048, "p256": client.P256, "p384": client.P384, "ed25519": client.Ed25519}
	if _, err := os.Stat(p.keyFile()); p.KeyType == "" || err == nil {
		return nil
	}
	key, err := client.GenerateKey(types[p.KeyType])
	if err != nil {
		return err
	}
	return writeKey(p.keyFile(), key)
}

func writeKey(file string, key crypto.Signer) error {
	data, err := client.MarshalKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// say tells the user what happens.
func (p *program) say(e manager.Event) {
	text := fmt.Sprintf("%s %s %s", e.Kind, e.URL, e.Status.Detail)
	if e.Explanation != "" {
		text += " the CA explains: " + e.Explanation
	}
	if e.Err != nil {
		text += " " + e.Err.Error()
	}
	_, _ = fmt.Fprintln(p.Output, text)
}

func (p *program) perform(ctx context.Context) error {
	switch p.Operation {
	case "issue":
		return p.m.Provision(ctx)
	case "renew":
		return p.m.ProvisionIfNeeded(ctx)
	case "daemon":
		return p.m.RunRenewalLoop(ctx)
	case "revoke-by-key":
		leaf, key, err := p.pair()
		if err != nil {
			return err
		}
		return p.m.Client().RevokeWithKey(ctx, leaf, key, client.Superseded)
	case "account-find":
		data, err := os.ReadFile(p.keyFile())
		if err != nil {
			return err
		}
		key, err := client.ParseKey(data)
		if err != nil {
			return err
		}
		_, err = p.m.Client().FindAccount(ctx, key)
		return err
	}
	account, err := p.m.Account(ctx)
	if err != nil {
		return err
	}
	switch p.Operation {
	case "revoke":
		leaf, _, err := p.pair()
		if err != nil {
			return err
		}
		return account.Revoke(ctx, leaf, client.Superseded)
	case "key-change":
		return p.changeKey(ctx, account)
	case "account-update":
		_, err := account.Update(ctx, client.AccountUpdate{Contact: []string{p.Email}})
		return err
	case "account-deactivate":
		return account.Deactivate(ctx)
	case "pre-authorize":
		id, err := client.ParseIdentifier(p.Domains[0])
		if err != nil {
			return err
		}
		_, err = account.NewAuthorization(ctx, id)
		return err
	case "authz-deactivate":
		return account.DeactivateAuthorization(ctx, p.URL)
	case "orders":
		for url, err := range account.Orders(ctx) {
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintln(p.Output, url)
		}
		return nil
	}
	return fmt.Errorf("no operation %q", p.Operation)
}

// changeKey keeps both keys until the CA says which one counts.
func (p *program) changeKey(ctx context.Context, account *client.Account) error {
	old := account.Key()
	fresh, err := client.GenerateKey(client.P256)
	if err != nil {
		return err
	}
	if err := writeKey(p.keyFile()+".new", fresh); err != nil {
		return err
	}
	changeErr := account.ChangeKey(ctx, fresh)
	counts := fresh
	if changeErr != nil {
		if counts, err = p.m.Client().FindKey(ctx, account.URL(), old, fresh); err != nil {
			return err
		}
	}
	if counts == fresh {
		return os.Rename(p.keyFile()+".new", p.keyFile())
	}
	return changeErr
}

func (p *program) pair() (leaf []byte, key crypto.Signer, err error) {
	chain, err := os.ReadFile(p.CertFile)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(chain)
	data, err := os.ReadFile(p.KeyFile)
	if err != nil {
		return nil, nil, err
	}
	key, err = client.ParseKey(data)
	return block.Bytes, key, err
}

// TestOurLibraryPassesEveryScenario is the bar that the client is built against:
// nothing fails, nothing is warned about, nothing is left out.
func TestOurLibraryPassesEveryScenario(t *testing.T) {
	t.Parallel()
	report, err := conformance.RunClient(t.Context(), library(), conformance.Plan{Jobs: 8}, conformance.Judgement{})
	require.NoError(t, err)
	for _, r := range report.Results {
		if r.Verdict != "pass" {
			t.Errorf("%s: %s\n%s", r.ID, r.Verdict, r.Explain())
		}
	}
	require.Equal(t, len(conformance.ClientScenarios()), report.Summary.Pass)
	require.NoError(t, report.WriteJSON(&bytes.Buffer{}))
}

// TestClientSkipsWhatTheClientCannotDo: a client without any feature has every
// scenario as a subtest, and all of them skipped.
func TestClientSkipsWhatTheClientCannotDo(t *testing.T) {
	conformance.TestClient(t, conformance.TestedClient{Name: "nothing", Run: func(context.Context, conformance.Env) error { return nil }})
	require.False(t, t.Failed())
}
