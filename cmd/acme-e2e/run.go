package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/cmd/acme-e2e/internal/life"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

type runFlags struct {
	directory, caBundle, roots string
	names                      []string
	email, eabKID, eabHMAC     string
	httpPort                   int
	allowHTTP                  bool
	out                        string
	timeout                    time.Duration
}

func newRunCommand(tty *terminal) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Walk a certificate through its whole life, at a real CA",
		Long: `run walks a certificate through its whole life with real parts, and says for each
step how long it took and which section of which standard it is about.

Without flags it starts Let's Encrypt's Pebble inside this process and needs
nothing else: an account, an order for several names, http-01, a certificate, an
HTTPS server that uses it, an early renewal that the CA suggests and the manager
notices, a reload under load, a revocation that the CA confirms, and the end of
the account.

With --directory the same life is lived at another CA. What that CA can't do, or
can't be told to do, is reported as not offered. It must reach this machine under
each of --name, on port 80 unless --http-port says which port arrives there.`,
		Example: `  acme-e2e run
  acme-e2e run --out ./life --json
  acme-e2e run --directory https://localhost:14000/dir --ca-bundle pebble.minica.pem --http-port 5002`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, tty, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.directory, "directory", "", "the `URL` of another CA's directory (default: Pebble, embedded)")
	flags.StringVar(&f.caBundle, "ca-bundle", "", "PEM `file` of what to trust to reach the CA's API (default: the system's roots)")
	flags.StringVar(&f.roots, "roots", "", "PEM `file` of the roots that its certificates chain to (default: the system's, or the top of the chain)")
	flags.StringSliceVar(&f.names, "name", nil, "the `names` to order, separated by commas (default: two names below acme-e2e.test and, embedded, 127.0.0.1)")
	flags.StringVar(&f.email, "email", "", "the account's contact `address`")
	flags.StringVar(&f.eabKID, "eab-kid", "", "key `id` of the external account")
	flags.StringVar(&f.eabHMAC, "eab-hmac", "", "its MAC `key`, base64url")
	flags.IntVar(&f.httpPort, "http-port", 80, "the `port` to answer http-01 on, with --directory")
	flags.BoolVar(&f.allowHTTP, "allow-http", false, "accept a directory at http://, on loopback")
	flags.StringVar(&f.out, "out", "", "leave certificate, key and roots in this `directory`")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "give up after this `time`")
	return cmd
}

// check finds mistakes in the flags, before anything is started.
func (f *runFlags) check(cmd *cobra.Command) error {
	if f.directory == "" {
		for _, name := range []string{"ca-bundle", "roots", "http-port", "eab-kid", "eab-hmac", "allow-http"} {
			if cmd.Flags().Changed(name) {
				return usageError(cmd, fmt.Errorf("--%s is about another CA: it needs --directory", name))
			}
		}
	}
	if (f.eabKID == "") != (f.eabHMAC == "") {
		return usageError(cmd, errors.New("--eab-kid and --eab-hmac go together"))
	}
	if f.timeout <= 0 {
		return usageError(cmd, fmt.Errorf("--timeout %v: a time above 0 is needed", f.timeout))
	}
	if f.names == nil {
		f.names = []string{"www.acme-e2e.test", "api.acme-e2e.test"}
		if f.directory == "" {
			f.names = append(f.names, "127.0.0.1")
		}
	}
	if _, err := client.ParseIdentifiers(f.names...); err != nil {
		return usageError(cmd, fmt.Errorf("--name: %w", err))
	}
	for _, name := range f.names {
		if strings.HasPrefix(name, "*.") {
			return usageError(cmd, fmt.Errorf("--name %s: wildcards are proved by dns-01 only, and run uses http-01", name))
		}
	}
	return nil
}

func run(cmd *cobra.Command, tty *terminal, f runFlags) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), f.timeout, fmt.Errorf("%w after %v", errNotFinished, f.timeout))
	defer cancel()
	dir, remove, err := f.workingDirectory()
	if err != nil {
		return err
	}
	defer remove()

	options := life.Options{Names: f.names, Email: f.email, Dir: dir, AllowHTTP: f.allowHTTP}
	report := newLifeReport(tty, f)
	options.OnStep = report.step
	began := time.Now()
	var rootsPEM, apiPEM []byte
	if f.directory == "" {
		h, err := pebbleharness.Start(ctx, pebbleharness.Options{})
		if err != nil {
			return environmentError(fmt.Errorf("starting Pebble: %w", err), "run needs free ports on 127.0.0.1")
		}
		defer h.Close()
		options.CA, rootsPEM, apiPEM = embedded(h), h.IssuingRootsPEM(), h.RootPEM()
		report.started(time.Since(began))
	} else if options.CA, options.EAB, err = f.otherCA(cmd); err != nil {
		return err
	}

	if f.roots != "" {
		if rootsPEM, err = os.ReadFile(f.roots); err != nil {
			return configError(fmt.Errorf("--roots: %w", err), "name a PEM file of certificates that can be read")
		}
	}

	result, err := life.Run(ctx, options)
	if err == nil && f.out != "" {
		err = f.leave(options.CA, rootsPEM, apiPEM)
	}
	return report.finish(result, err)
}

// runComplaints names settings of the manager by the flags of run.
func runComplaints(bad *manager.ConfigError) error {
	flags := map[string]string{"Domains": "--name", "Email": "--email", "DirectoryURL": "--directory"}
	named := &manager.ConfigError{}
	for _, c := range bad.Complaints {
		if flag, ok := flags[c.Setting]; ok {
			c.Setting = flag
		}
		c.Expected = strings.Replace(c.Expected, "AllowHTTP", "--allow-http", 1)
		named.Complaints = append(named.Complaints, c)
	}
	return named
}

func embedded(h *pebbleharness.Harness) life.CA {
	return life.CA{
		DirectoryURL: h.DirectoryURL(),
		Transport:    h.HTTPClient().Transport,
		HTTPPort:     h.HTTPPort,
		Roots:        h.IssuingPool(),
		SuggestRenewal: func(cert *x509.Certificate) error {
			now := time.Now()
			return h.SetRenewalInfo(cert, pebbleharness.RenewalInfo{Start: now.Add(-2 * time.Hour), End: now.Add(-time.Hour), ExplanationURL: "https://acme-e2e.test/early-renewal"})
		},
		Revoked: func(cert *x509.Certificate) (bool, error) {
			status, ok := h.Status(cert.SerialNumber)
			if !ok {
				return false, errors.New("the certificate is unknown to Pebble")
			}
			return status.Revoked, nil
		},
	}
}

// otherCA is the CA that the flags name.
func (f *runFlags) otherCA(cmd *cobra.Command) (ca life.CA, eab *client.ExternalAccountBinding, err error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	ca = life.CA{DirectoryURL: f.directory, Transport: transport, HTTPPort: f.httpPort}
	if f.caBundle != "" {
		pool, err := readPool("--ca-bundle", f.caBundle)
		if err != nil {
			return ca, nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	if f.roots != "" {
		if ca.Roots, err = readPool("--roots", f.roots); err != nil {
			return ca, nil, err
		}
	}
	if f.eabKID != "" {
		key, err := client.ParseEABKey(f.eabHMAC)
		if err != nil {
			return ca, nil, usageError(cmd, fmt.Errorf("--eab-hmac: %w", err))
		}
		eab = &client.ExternalAccountBinding{KeyID: f.eabKID, Key: key}
	}
	return ca, eab, nil
}

func readPool(flag, file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, configError(fmt.Errorf("%s: %w", flag, err), "name a PEM file of certificates that can be read")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, configError(fmt.Errorf("%s: there is no certificate in %s", flag, file), "name a PEM file: it has lines '-----BEGIN CERTIFICATE-----'")
	}
	return pool, nil
}

// workingDirectory is --out, or one that is removed in the end.
func (f *runFlags) workingDirectory() (dir string, remove func(), err error) {
	if f.out == "" {
		dir, err = os.MkdirTemp("", "acme-e2e-run-")
		if err != nil {
			return "", nil, environmentError(err, "run keeps its files in a temporary directory; TMPDIR chooses where")
		}
		return dir, func() { _ = os.RemoveAll(dir) }, nil
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return "", nil, environmentError(fmt.Errorf("--out: %w", err), "name a directory that can be written to")
	}
	for _, name := range []string{"cert.pem", "key.pem", "roots.pem", "api-root.pem", "account.key", "state"} {
		if _, err := os.Lstat(filepath.Join(f.out, name)); err == nil {
			return "", nil, configError(fmt.Errorf("--out: %s is there already", filepath.Join(f.out, name)), "name a new or an empty directory; nothing was changed")
		}
	}
	return f.out, func() {}, nil
}

// leave adds the roots to what the manager has written, and takes away what
// only the finished life needed.
func (f *runFlags) leave(ca life.CA, rootsPEM, apiPEM []byte) error {
	for name, data := range map[string][]byte{"roots.pem": rootsPEM, "api-root.pem": apiPEM} {
		if data == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(f.out, name), data, 0o644); err != nil {
			return fmt.Errorf("%w: %w", life.ErrEnvironment, err)
		}
	}
	for _, name := range []string{"account.key", "state"} { // the account is deactivated
		if err := os.RemoveAll(filepath.Join(f.out, name)); err != nil {
			return fmt.Errorf("%w: %w", life.ErrEnvironment, err)
		}
	}
	return nil
}

// errNotFinished is the cause that ends a life which takes longer than --timeout.
var errNotFinished = errors.New("not finished")

// lifeError finds out whose fault it was that the life was cut short.
func lifeError(err error) error {
	var dial *net.OpError
	if bad, ok := errors.AsType[*manager.ConfigError](err); ok {
		return configError(runComplaints(bad), "see 'acme-e2e run --help'")
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNotFinished):
		return environmentError(err, "--timeout gives it more time")
	case errors.Is(err, client.ErrNotACME):
		return configError(err, "--directory must be the URL of the CA's directory, such as "+client.LetsEncrypt)
	case errors.Is(err, challenge.ErrPortTaken), errors.Is(err, challenge.ErrPortNotAllowed):
		return environmentError(err, "http-01 is answered on a port of this machine: end what listens there, or choose another with --http-port")
	case errors.Is(err, life.ErrEnvironment):
		return environmentError(err, "")
	case errors.Is(err, client.ErrUnreachable), errors.As(err, &dial) && dial.Op == "dial":
		return environmentError(err, "is the CA running, is its name right, and does --ca-bundle have the root that its API's certificate chains to?")
	default:
		return failedError(err, "")
	}
}
