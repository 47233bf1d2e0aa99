package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/mockca"
)

type serveFlags struct {
	listen, host string
	expose       bool

	acmePort, managementPort, challtestsrvPort, dnsPort int
	httpPort, httpsPort, tlsPort                        int
	anyPorts                                            bool

	personality, validation, scenario, pebbleConfig string
	faults                                          []string
	seed                                            uint64
	state                                           string
	keepObjects                                     bool
	out                                             string

	keyType      string
	intermediate int
	alternates   int

	dnsServer, ipv4, ipv6 string
	tsig                  string
	unsignedUpdates       bool
	eab                   []string
	token                 string
	logLevel              string

	pebble *pebbleConfig // read from the file
}

func newServeCommand(tty *terminal) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run a CA for the tests of ACME clients, with any fault on demand",
		Long: `serve runs a CA for the tests of ACME clients: all of RFC 8555 and RFC 9773, strict
and without fault until it is told otherwise. It is ready when it prints the URL of
its directory to standard output (with --json: an object), and stops at SIGTERM or
SIGINT.

It can stand in for Pebble and pebble-challtestsrv: same ports, same paths.

  ACME          https://127.0.0.1:14000/dir
  management    http://127.0.0.1:15000/   a page for people, /api for programs; https too
  challtestsrv  http://127.0.0.1:8055/    the management once more
  DNS           127.0.0.1:8053            every name is this machine; updates by RFC 2136
  validation    http-01 at port 5002, tls-alpn-01 at 5001, dns-01 at the DNS above

Every port can be another; 0 takes a free one, --any-ports free ones for all, and
--out DIR writes what clients need:

  ca-bundle.pem  what to trust in order to reach the CA
  roots.pem      the roots of the certificates it issues
  env            a shell file: DIRECTORY, CA_BUNDLE, ROOTS, HTTP_PORT, TLS_PORT, DNS,
                 MANAGEMENT, CHALLTESTSRV, TSIG_NAME, TSIG_SECRET, TSIG_ALGORITHM

Faults happen from the start (--fault, --scenario), or are switched on and off on
the page or by the management while it runs; 'acme-e2e list faults' shows them.

Nobody must trust what it issues, so it listens on the loopback interface. Anything
else needs --listen with --expose, and gets the management a token.`,
		Example: `  acme-e2e serve --out ca && . ca/env        # in two shells
  certbot certonly --standalone --server https://127.0.0.1:14000/dir --http-01-port 5002 -d a.example
  acme-e2e serve --fault bad-nonce --fault status-503 --personality letsencrypt
  acme-e2e serve --state ~/.acme-e2e         # the same roots, every time
  acme-e2e serve --any-ports --out ca --json --scenario bad-day.yaml`,
		Args: func(cmd *cobra.Command, args []string) error { return noArgs(cmd, args) },
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, tty, &f) },
	}
	flags := cmd.Flags()
	flags.IntVar(&f.acmePort, "acme-port", 14000, "`port` of the ACME API")
	flags.IntVar(&f.managementPort, "management-port", 15000, "`port` of the management")
	flags.IntVar(&f.challtestsrvPort, "challtestsrv-port", 8055, "`port` of the management where pebble-challtestsrv has it")
	flags.IntVar(&f.dnsPort, "dns-port", 8053, "`port` of the name server, UDP and TCP")
	flags.IntVar(&f.httpPort, "http-port", 5002, "`port` at which http-01 is validated")
	flags.IntVar(&f.httpsPort, "https-port", 5003, "`port` for redirects of http-01 to https")
	flags.IntVar(&f.tlsPort, "tls-port", 5001, "`port` at which tls-alpn-01 is validated")
	flags.BoolVar(&f.anyPorts, "any-ports", false, "free ports for all that are not given")
	flags.StringVar(&f.listen, "listen", "127.0.0.1", "`address` of the interface to listen on")
	flags.BoolVar(&f.expose, "expose", false, "let --listen be another than a loopback address; whoever reaches it gets certificates")
	flags.StringVar(&f.host, "host", "", "a further `name` of this machine, for the CA's certificate and URLs")

	flags.StringVar(&f.personality, "personality", "", "behave as a known CA: "+strings.Join(mockca.Personalities(), ", ")+" (default: strict, without fault)")
	flags.StringVar(&f.validation, "validation", "on", "whether challenges are looked at: `on|off`")
	flags.StringArrayVar(&f.faults, "fault", nil, "have a fault happen from the start: `NAME[:PARAMS]`; repeatable")
	flags.StringVar(&f.scenario, "scenario", "", "set the CA up as this `file` says, YAML or JSON")
	flags.Uint64Var(&f.seed, "seed", 0, "`number` that decides faults with a probability (default: a new one, which is logged)")
	flags.StringVar(&f.state, "state", "", "keep the CA's own certificates in this `directory`")
	flags.BoolVar(&f.keepObjects, "keep-objects", false, "keep accounts, orders, authorizations and certificates there too")
	flags.StringVar(&f.out, "out", "", "write ca-bundle.pem, roots.pem and env into this `directory`")
	flags.StringVar(&f.pebbleConfig, "pebble-config", "", "take ports, keys, profiles and so on from a configuration `file` of Pebble")

	flags.StringVar(&f.keyType, "key-type", "", "`type` of the CA's keys: P-256, P-384, RSA-2048, RSA-3072, RSA-4096 (default P-256)")
	flags.IntVar(&f.intermediate, "chain-length", 1, "`number` of intermediates; 0: the root signs")
	flags.IntVar(&f.alternates, "alternate-roots", 0, "`number` of further roots, each with an alternate chain")

	flags.StringVar(&f.dnsServer, "dnsserver", "", "the CA asks the name server at this `host:port`, not its own")
	flags.StringVar(&f.ipv4, "default-ipv4", "127.0.0.1", "`address` of every name that has none of its own; empty: none")
	flags.StringVar(&f.ipv6, "default-ipv6", "::1", "`address` of every name that has none of its own; empty: none")
	flags.StringVar(&f.tsig, "tsig", "", "key for dynamic updates: `NAME:SECRET[:ALGORITHM]`, the secret in base64 (default: a new one)")
	flags.BoolVar(&f.unsignedUpdates, "unsigned-updates", false, "let everybody update the DNS")
	flags.StringArrayVar(&f.eab, "eab", nil, "a key for external account bindings: `KID:KEY` in base64url; repeatable")
	flags.StringVar(&f.token, "token", "", "ask this `token` of who uses the management (default: a new one when not on loopback)")
	flags.StringVar(&f.logLevel, "log-level", "info", "`level` of the log on standard error: debug, info, warn, error")
	return cmd
}

func serve(cmd *cobra.Command, tty *terminal, f *serveFlags) error {
	if err := f.complete(cmd); err != nil {
		return err
	}
	log, err := f.logger(cmd, tty)
	if err != nil {
		return err
	}
	s, err := f.start(cmd, log)
	if err != nil {
		return err
	}
	if err := s.announce(tty, f.out); err != nil {
		return errors.Join(err, s.stop())
	}
	<-cmd.Context().Done()
	log.Info("stopping")
	return s.stop()
}

// complete reads what the flags name and complains about what makes no sense.
func (f *serveFlags) complete(cmd *cobra.Command) error {
	if f.pebbleConfig != "" {
		if err := f.readPebbleConfig(cmd); err != nil {
			return err
		}
	}
	if !loopback(f.listen) && !f.expose {
		return usageError(cmd, fmt.Errorf("--listen %s: whoever reaches this CA gets any certificate; --expose says that you want that", f.listen))
	}
	if !slices.Contains([]string{"on", "off"}, f.validation) {
		return usageError(cmd, fmt.Errorf("--validation %q: on or off", f.validation))
	}
	if f.keepObjects && f.state == "" {
		return usageError(cmd, errors.New("--keep-objects needs --state"))
	}
	if f.intermediate < 0 || f.alternates < 0 {
		return usageError(cmd, errors.New("--chain-length and --alternate-roots are numbers from 0 on"))
	}
	for _, p := range f.ports() {
		if *p.number < 0 || *p.number > 65535 {
			return usageError(cmd, fmt.Errorf("--%s %d: a port is a number from 0 to 65535", p.name, *p.number))
		}
		if f.anyPorts && !cmd.Flags().Changed(p.name) {
			*p.number = 0
		}
	}
	return nil
}

type namedPort struct {
	name   string
	number *int
}

func (f *serveFlags) ports() []namedPort {
	return []namedPort{{"acme-port", &f.acmePort}, {"management-port", &f.managementPort}, {"challtestsrv-port", &f.challtestsrvPort},
		{"dns-port", &f.dnsPort}, {"http-port", &f.httpPort}, {"https-port", &f.httpsPort}, {"tls-port", &f.tlsPort}}
}

func (f *serveFlags) logger(cmd *cobra.Command, tty *terminal) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usageError(cmd, fmt.Errorf("--log-level %q: debug, info, warn or error", f.logLevel))
	}
	if tty.quiet && !cmd.Flags().Changed("log-level") {
		level = slog.LevelWarn
	}
	options := &slog.HandlerOptions{Level: level}
	if tty.json {
		return slog.New(slog.NewJSONHandler(tty.err, options)), nil
	}
	return slog.New(slog.NewTextHandler(tty.err, options)), nil
}

// announce writes the files, and then says that all is ready.
func (s *served) announce(tty *terminal, out string) error {
	if out != "" {
		if err := s.write(out); err != nil {
			return environmentError(fmt.Errorf("--out: %w", err), "name a directory that can be written to")
		}
	}
	if tty.json {
		return json.NewEncoder(tty.out).Encode(s.ready())
	}
	if _, err := fmt.Fprintln(tty.out, s.ca.DirectoryURL()); err != nil {
		return err
	}
	s.say(tty, out)
	return nil
}

// say tells people where everything is.
func (s *served) say(tty *terminal, out string) {
	r := s.ready()
	page := r.Management + "/"
	if s.token != "" {
		page += "?token=" + s.token
	}
	bundle := r.Management + "/api/ca-bundle.pem"
	if out != "" {
		bundle = r.CABundle
	}
	tty.say("%s %s", tty.paint("page:", dim), page)
	tty.say("%s %s", tty.paint("trust:", dim), bundle)
	tty.say("%s http-01 at port %d, tls-alpn-01 at %d, dns-01 by %s", tty.paint("validation:", dim), r.HTTPPort, r.TLSPort, s.validationDNS)
	if r.TSIGName != "" {
		tty.say("%s %s, updates with the key %s (%s) %s", tty.paint("dns:", dim), r.DNS, r.TSIGName, r.TSIGAlgorithm, r.TSIGSecret)
	}
}

// stop lets what is going on come to its end, for a moment.
func (s *served) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	var err error
	if s.ca != nil {
		err = s.ca.Shutdown(ctx)
	}
	for _, end := range slices.Backward(s.ends) {
		err = errors.Join(err, end())
	}
	if err != nil {
		return environmentError(fmt.Errorf("stopping: %w", err), "")
	}
	return nil
}
