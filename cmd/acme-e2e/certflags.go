package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
)

// certFlags are what provision and renew have in common: the variables of
// manager.ConfigFromEnv, each with a flag that overrides it, and what has no
// variable.
type certFlags struct {
	stateDir, address, webroot string
	profile, keyType           string
	caBundle                   string
	allowHTTP                  bool
	eabKID, eabHMAC            string
	hook, pidFile              string
	verbose                    bool
	ownSignals                 bool // the command does something about SIGHUP itself
}

// variables says which flag overrides which variable.
var variables = []struct{ flag, variable, usage string }{
	{"domains", manager.EnvDomains, "`names` that the certificate is for, separated by commas"},
	{"email", manager.EnvEmail, "contact e-mail `address` for the CA"},
	{"directory", manager.EnvDirectory, "directory `URL` of the CA (default Let's Encrypt)"},
	{"cert", manager.EnvCertPath, "`file` of the certificate chain (default cert.pem)"},
	{"key", manager.EnvKeyPath, "`file` of its private key (default key.pem)"},
	{"account-key", manager.EnvAccountKeyPath, "`file` of the account's key (default acme_account.key)"},
	{"challenge-port", manager.EnvChallengePort, "`port` where http-01 is answered (default 80)"},
	{"renew-before-days", manager.EnvRenewBeforeDays, "renew when fewer `days` remain (default 30)"},
}

const certHelp = `
Every setting is a variable, and a flag that overrides it:

  RWS_CONFIG_ACME_DOMAINS            --domains            (required)
  RWS_CONFIG_ACME_EMAIL              --email
  RWS_CONFIG_ACME_STAGING            --staging            wins over the directory
  RWS_CONFIG_ACME_DIRECTORY          --directory          Let's Encrypt
  RWS_CONFIG_ACME_CERT_PATH          --cert               RWS_CONFIG_TLS_CERT_FILE, else cert.pem
  RWS_CONFIG_ACME_KEY_PATH           --key                RWS_CONFIG_TLS_KEY_FILE, else key.pem
  RWS_CONFIG_ACME_CHALLENGE_PORT     --challenge-port     80
  RWS_CONFIG_ACME_RENEW_BEFORE_DAYS  --renew-before-days  30
  RWS_CONFIG_ACME_ACCOUNT_KEY_PATH   --account-key        acme_account.key

The CA proves each name by fetching a file from port 80 of that name (http-01):
the challenge port must be what the world reaches there. It is open only while a
challenge is pending; --webroot writes the file where a web server serves it.

Beside the certificate a directory is made, cert.pem.acme (--state-dir), for the
order under way, a lock and notes. Any number of processes may share the files.
Using a CA means agreeing to its terms of service.`

func (f *certFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	for _, v := range variables {
		flags.String(v.flag, "", v.usage)
	}
	flags.Bool("staging", false, "use Let's Encrypt's staging directory")
	flags.StringVar(&f.stateDir, "state-dir", "", "`directory` for the pending order, the lock and notes (default the certificate's file with .acme)")
	flags.StringVar(&f.address, "challenge-address", "", "`address` to answer http-01 on (default all)")
	flags.StringVar(&f.webroot, "webroot", "", "document root `directory` of a web server that answers http-01, instead of a port")
	flags.StringVar(&f.profile, "profile", "", "certificate `profile` of the CA")
	flags.StringVar(&f.keyType, "key-type", "p256", "`type` of the certificate's key: "+strings.Join(keyTypeNames(), ", "))
	flags.StringVar(&f.caBundle, "ca-bundle", "", "PEM `file` of the roots to trust for the CA's API, in place of the system's")
	flags.BoolVar(&f.allowHTTP, "http", false, "allow an http:// directory on loopback, for tests")
	flags.StringVar(&f.eabKID, "eab-kid", "", "`key id` of an external account binding")
	flags.StringVar(&f.eabHMAC, "eab-hmac", "", "its `MAC key` in base64url, or @ and a file that holds it")
	flags.StringVar(&f.hook, "hook", "", "shell `command` to run after a new certificate is in place; it finds ACME_CERT_PATH, ACME_KEY_PATH and ACME_DOMAINS")
	flags.StringVar(&f.pidFile, "pid-file", "", "`file` with the number of a process that gets SIGHUP after a new certificate is in place")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every step to standard error")
}

type keyTypeName struct {
	name string
	kind client.KeyType
}

func keyTypes() []keyTypeName {
	return []keyTypeName{{"p256", client.P256}, {"p384", client.P384}, {"rsa2048", client.RSA2048}, {"rsa3072", client.RSA3072}, {"rsa4096", client.RSA4096}, {"ed25519", client.Ed25519}}
}

func keyTypeNames() (names []string) {
	for _, k := range keyTypes() {
		names = append(names, k.name)
	}
	return names
}

// manager makes what the flags and variables ask for.
func (f *certFlags) manager(cmd *cobra.Command, tty *terminal, observer func(manager.Event)) (*manager.Manager, error) {
	cfg, err := manager.ConfigFrom(f.lookup(cmd))
	if errors.Is(err, manager.ErrDisabled) {
		return nil, configError(err, "say which names the certificate is for: --domains a.example,b.example")
	}
	if err != nil {
		return nil, configError(namedByFlags(cmd, err), "see '"+cmd.CommandPath()+" --help' for what each setting means")
	}
	for _, w := range cfg.Warnings {
		tty.say("%s %s", tty.paint("warning:", yellow), w)
	}
	cfg.Warnings = nil
	cfg.StateDir, cfg.Profile = f.stateDir, f.profile
	o := manager.Options{Observer: observer, AllowHTTP: f.allowHTTP, NoSignals: f.ownSignals, UserAgent: "acme-e2e/" + version(), Hooks: f.hooks()}
	if err := f.fill(cmd, &cfg, &o); err != nil {
		return nil, err
	}
	if f.verbose {
		o.Logger = slog.New(slog.NewTextHandler(tty.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	m, err := manager.New(cfg, o)
	if err != nil {
		return nil, configError(namedByFlags(cmd, err), "see '"+cmd.CommandPath()+" --help' for what each setting means")
	}
	return m, nil
}

func (f *certFlags) fill(cmd *cobra.Command, cfg *manager.Config, o *manager.Options) error {
	known := false
	for _, k := range keyTypes() {
		if strings.EqualFold(k.name, f.keyType) {
			cfg.KeyType, known = k.kind, true
		}
	}
	if !known {
		return usageError(cmd, fmt.Errorf("--key-type is %q: expected one of %s", f.keyType, strings.Join(keyTypeNames(), ", ")))
	}
	if (f.eabKID == "") != (f.eabHMAC == "") {
		return usageError(cmd, errors.New("--eab-kid and --eab-hmac go together"))
	}
	if f.eabKID != "" {
		key, err := f.eabKey()
		if err != nil {
			return configError(fmt.Errorf("--eab-hmac: %w", err), "give the MAC key as the CA printed it")
		}
		cfg.EAB = &client.ExternalAccountBinding{KeyID: f.eabKID, Key: key}
	}
	if f.caBundle != "" {
		pool, err := readPool("--ca-bundle", f.caBundle)
		if err != nil {
			return err
		}
		o.RootCAs = pool
	}
	if f.webroot != "" {
		o.Solvers = []client.SolverFor{{Type: challenge.HTTP01, Solver: &challenge.Webroot{Dir: f.webroot}}}
	}
	if f.address != "" {
		o.HTTP01.Address = net.JoinHostPort(f.address, strconv.Itoa(cfg.ChallengePort))
	}
	return nil
}

func (f *certFlags) eabKey() ([]byte, error) {
	text := f.eabHMAC
	if file, ok := strings.CutPrefix(text, "@"); ok {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text = strings.TrimSpace(string(data))
	}
	return client.ParseEABKey(text)
}

func (f *certFlags) hooks() (hooks []manager.Hook) {
	if f.pidFile != "" {
		hooks = append(hooks, manager.SignalPIDFile(f.pidFile))
	}
	if f.hook != "" {
		shell := []string{"sh", "-c"}
		if runtime.GOOS == "windows" {
			shell = []string{"cmd", "/C"}
		}
		hooks = append(hooks, manager.Command(shell[0], shell[1], f.hook))
	}
	return hooks
}

// lookup is the environment with the flags over it. A directory given by flag is
// meant, whatever the environment says of staging.
func (f *certFlags) lookup(cmd *cobra.Command) func(string) string {
	over := make(map[string]string)
	for _, v := range variables {
		if flag := cmd.Flags().Lookup(v.flag); flag.Changed {
			over[v.variable] = flag.Value.String()
		}
	}
	switch {
	case cmd.Flags().Changed("staging"):
		over[manager.EnvStaging] = cmd.Flags().Lookup("staging").Value.String()
	case cmd.Flags().Changed("directory"):
		over[manager.EnvStaging] = "false"
	}
	return func(variable string) string {
		if value, ok := over[variable]; ok {
			return value
		}
		return os.Getenv(variable)
	}
}

// namedByFlags names settings as the command knows them: by the flag, where one
// was given, and else by the variable.
func namedByFlags(cmd *cobra.Command, err error) error {
	bad, ok := errors.AsType[*manager.ConfigError](err)
	if !ok {
		return err
	}
	fields := map[string]string{"Domains": manager.EnvDomains, "Email": manager.EnvEmail, "DirectoryURL": manager.EnvDirectory,
		"ChallengePort": manager.EnvChallengePort, "RenewBeforeDays": manager.EnvRenewBeforeDays}
	named := &manager.ConfigError{}
	for _, c := range bad.Complaints {
		if variable, ok := fields[c.Setting]; ok {
			c.Setting = variable
		}
		for _, v := range variables {
			if v.variable == c.Setting && cmd.Flags().Changed(v.flag) {
				c.Setting = "--" + v.flag
			}
		}
		c.Expected = strings.Replace(c.Expected, "AllowHTTP", "--http", 1)
		named.Complaints = append(named.Complaints, c)
	}
	return named
}

// certFailure gives an error of the manager its exit code and says what to do.
func certFailure(err error) error {
	file, isFile := errors.AsType[*manager.FileError](err)
	account, isAccount := errors.AsType[*manager.AccountError](err)
	switch {
	case isFile && file.Writing:
		return environmentError(err, "")
	case isFile:
		return configError(err, "")
	case isAccount:
		return failedError(err, "mv "+account.Path+" "+account.Path+".old")
	case errors.Is(err, challenge.ErrPortTaken):
		return environmentError(err, "stop what listens there, choose another --challenge-port that port 80 is forwarded to, or use --webroot")
	case errors.Is(err, challenge.ErrPortNotAllowed):
		return environmentError(err, "run as root or with CAP_NET_BIND_SERVICE, choose a --challenge-port above 1023 that port 80 is forwarded to, or use --webroot")
	case errors.Is(err, client.ErrUnreachable):
		return environmentError(err, "check the directory's URL, the network and its proxy; a CA with a root of its own needs --ca-bundle")
	case errors.Is(err, client.ErrNotACME):
		return configError(err, "check --directory: it must be the URL of the CA's directory, such as "+client.LetsEncrypt+"; a proxy's login page can be in the way, too")
	case errors.Is(err, client.ErrExternalAccountRequired):
		return configError(err, "ask the CA for a key id and a MAC key, and give them as --eab-kid and --eab-hmac")
	case errors.Is(err, client.ErrRateLimited):
		return failedError(err, "the CA wants to be left alone for a while; use --staging for experiments")
	}
	return failedError(err, "")
}
