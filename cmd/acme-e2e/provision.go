package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/client/manager"
)

func newProvisionCommand(tty *terminal) *cobra.Command {
	var f certFlags
	var force bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Get a certificate, unless the one on disk is good",
		Long: `provision gets a certificate by ACME and writes it, with its private key, to two
files, once. It does nothing while the certificate on disk is good: it is there,
matches its key, is for exactly the names asked for, is not about to expire, and
the CA does not suggest to renew it. Run it as often as you like; a run that was
killed is gone on with.
` + certHelp + `

A certificate and a key that do not belong together, or do not parse, are left
alone; --force replaces them, and keeps a key that it finds under another name.

Exit codes: 0 the certificate is good, 1 the CA refused, 2 a setting or a file is
wrong, 3 the port is taken, the CA cannot be reached or the disk not be written.`,
		Example: `  acme-e2e provision --domains www.example.org,example.org --email admin@example.org
  acme-e2e provision --domains test.example.org --staging --challenge-port 8080
  RWS_CONFIG_ACME_DOMAINS=example.org acme-e2e provision --json
  acme-e2e provision --domains localhost --directory https://127.0.0.1:14000/dir --ca-bundle pebble.pem --challenge-port 5002`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			r := &provisioning{tty: tty}
			err := r.run(ctx, cmd, &f, force)
			return r.report(err)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "get a new certificate in any case, and replace whatever is in the files")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "give up after this `time`")
	return cmd
}

// provisioning is one run of the command and what it found out.
type provisioning struct {
	tty    *terminal
	doc    provisionDocument
	hooks  []error
	issued bool
}

// provisionDocument is what --json writes.
type provisionDocument struct {
	Result      string               `json:"result"` // "issued", "good" or "failed"
	Reason      string               `json:"reason,omitempty"`
	Domains     []string             `json:"domains,omitempty"`
	Directory   string               `json:"directory,omitempty"`
	Account     string               `json:"account,omitempty"`
	Certificate *certificateDocument `json:"certificate,omitempty"`
	RenewAt     *time.Time           `json:"renewAt,omitempty"`
	Error       string               `json:"error,omitempty"`
	ExitCode    int                  `json:"exitCode"`
}

type certificateDocument struct {
	CertPath  string    `json:"certPath"`
	KeyPath   string    `json:"keyPath"`
	Names     []string  `json:"names"`
	Serial    string    `json:"serial"`
	SHA256    string    `json:"sha256"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

func describe(c *x509.Certificate, cfg manager.Config) *certificateDocument {
	sum := sha256.Sum256(c.Raw)
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return &certificateDocument{CertPath: cfg.CertPath, KeyPath: cfg.KeyPath, Names: names, Serial: c.SerialNumber.Text(16), SHA256: hex.EncodeToString(sum[:]),
		Issuer: c.Issuer.String(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC()}
}

func (r *provisioning) run(ctx context.Context, cmd *cobra.Command, f *certFlags, force bool) error {
	m, err := f.manager(cmd, r.tty, r.observe)
	if err != nil {
		return err
	}
	defer m.Close()
	cfg := m.Config()
	r.doc.Domains, r.doc.Directory = cfg.Domains, cfg.DirectoryURL
	if !force {
		if err := usableFiles(ctx, m); err != nil {
			return err
		}
	}
	provision := m.ProvisionIfNeeded
	if force {
		provision = m.Provision
	}
	if err := provision(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) && cmd.Context().Err() == nil {
			return environmentError(fmt.Errorf("%w: not finished within --timeout", err), "what was begun is kept: the next run goes on with it")
		}
		return certFailure(err)
	}
	st, err := m.Status(ctx)
	if err != nil {
		return certFailure(err)
	}
	if st.IssuedBy != "" && st.IssuedBy != cfg.DirectoryURL {
		r.tty.say("%s the certificate is good, and from %s; --force gets one from %s", r.tty.paint("warning:", yellow), st.IssuedBy, cfg.DirectoryURL)
	}
	if st.State == manager.NotYet {
		r.tty.say("%s %s", r.tty.paint("warning:", yellow), st.Detail)
	}
	r.doc.Certificate = describe(m.Certificate().Leaf, cfg)
	if at := st.RenewAt.UTC(); !at.IsZero() {
		r.doc.RenewAt = &at
	}
	if err := errors.Join(r.hooks...); err != nil {
		return failedError(fmt.Errorf("the certificate is in place, but telling of it failed: %w", err), "check --hook and --pid-file")
	}
	return nil
}

// usableFiles refuses to replace files that somebody should look at first.
func usableFiles(ctx context.Context, m *manager.Manager) error {
	st, err := m.Status(ctx)
	if err != nil {
		return certFailure(err)
	}
	if st.State == manager.Mismatched || st.State == manager.Broken {
		cfg := m.Config()
		return configError(fmt.Errorf("%s and %s: %s; both were left as they are", cfg.CertPath, cfg.KeyPath, st.Detail),
			"point --cert and --key at files that belong together, move these away, or replace them with 'acme-e2e provision --force', which keeps the old key under another name")
	}
	return nil
}

// observe tells people what goes on.
func (r *provisioning) observe(e manager.Event) {
	switch e.Kind {
	case manager.EventAccount:
		r.doc.Account = e.URL
	case manager.EventOrdering:
		r.doc.Reason = e.Status.Detail
		verb := "ordering"
		if e.Resumed {
			verb = "going on with the order"
		}
		r.tty.say("%s: %s", verb, e.Status.Detail)
	case manager.EventIssued:
		r.issued = true
	case manager.EventHook:
		if e.Err != nil {
			r.hooks = append(r.hooks, e.Err)
		}
	}
	sayEvent(r.tty, e)
}

// sayEvent says in a line what happened, where that is of interest to people.
func sayEvent(tty *terminal, e manager.Event) {
	switch e.Kind {
	case manager.EventRenewalInfo:
		if e.Explanation != "" { // RFC 9773, Section 4.2
			tty.say("the CA explains when to renew: %s", e.Explanation)
		}
	case manager.EventWaiting:
		tty.say("waiting for another process that is provisioning the same files")
	case manager.EventAccount:
		tty.say("account %s", e.URL)
	case manager.EventOrder:
		tty.say("order %s", e.URL)
	case manager.EventChallenge:
		if e.Err == nil {
			tty.say("answering %s for %s", e.Challenge, e.Name)
		}
	case manager.EventFinalizing:
		tty.say("all names are proved; the key is kept, the request is sent")
	case manager.EventStored:
		tty.say("certificate %s is in place", e.Certificate.SerialNumber.Text(16))
	case manager.EventHook:
		if e.Err != nil {
			tty.say("%s %v", tty.paint("hook:", yellow), e.Err)
		}
	}
}

// report writes the result.
func (r *provisioning) report(err error) error {
	r.doc.Result = "good"
	switch {
	case err != nil:
		r.doc.Result, r.doc.Error, r.doc.ExitCode = "failed", err.Error(), exitCode(err)
	case r.issued:
		r.doc.Result = "issued"
	}
	if r.tty.json {
		return errors.Join(r.tty.document(r.doc), err)
	}
	if c := r.doc.Certificate; c != nil {
		_, printErr := fmt.Fprintf(r.tty.out, "%s: %s for %s, valid until %s, to be renewed at %s\n", r.doc.Result, c.CertPath,
			strings.Join(c.Names, ", "), c.NotAfter.Format(time.RFC3339), r.renewAt())
		return errors.Join(printErr, err)
	}
	return err
}

func (r *provisioning) renewAt() string {
	if r.doc.RenewAt == nil {
		return "once"
	}
	return r.doc.RenewAt.Format(time.RFC3339)
}
