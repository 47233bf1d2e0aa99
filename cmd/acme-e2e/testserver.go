package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/conformance"
)

type testServerFlags struct {
	directory, caBundle string
	pebble, mockca      bool

	domain                     string
	httpAddr, tlsAddr, dnsAddr string
	resolvesHere               bool
	addresses                  []string
	webroot, exec              string
	rfc2136                    conformance.RFC2136
	alwaysValid                bool
	eabKID, eabHMAC            string
	contact                    []string
	shareAccount               bool

	budget string
	judgingFlags
}

func newTestServerCommand(tty *terminal) *cobra.Command {
	var f testServerFlags
	cmd := &cobra.Command{
		Use:   "test-server [flags] [SELECTOR...]",
		Short: "Judge an ACME server against every requirement of the standards",
		Long: `test-server judges an ACME server, requirement by requirement: what it does right,
what it does wrong, and how to see it again.

Selectors pick cases: a standard (rfc9773), a section with its subsections
(rfc8555/7.3), or a case's id. 'acme-e2e list cases' shows them, 'acme-e2e explain
ID' explains one. Without selectors all cases are run.

The suite answers challenges itself where it is told to (--http-addr, --tls-addr,
--dns-addr), or hands the answers on (--webroot, --exec, --rfc2136-server). What the
server does not offer, and what cannot be tried without such means, is skipped with
the reason.

Verdicts: pass; fail, a MUST was broken; warn, a SHOULD was not followed; skip;
inconclusive, the surroundings failed. The exit code is 1 exactly when something is
not as expected: a case failed (with --strict: or warned) that --expect does not
list, or one that it lists passes.`,
		Example: `  acme-e2e test-server --pebble
  acme-e2e test-server --mockca
  acme-e2e test-server --directory https://ca.example/dir --ca-bundle ca.pem --http-addr :80
  acme-e2e test-server --pebble rfc8555/7.3.5 rfc9773
  acme-e2e test-server --pebble --report html=report.html,junit=junit.xml`,
		RunE: func(cmd *cobra.Command, selectors []string) error { return testServer(cmd, tty, f, selectors) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.directory, "directory", "", "the `URL` of the server's directory")
	flags.StringVar(&f.caBundle, "ca-bundle", "", "PEM `file` of what to trust to reach the server (default: the system's roots)")
	flags.BoolVar(&f.pebble, "pebble", false, "judge the embedded Pebble")
	flags.BoolVar(&f.mockca, "mockca", false, "judge the embedded mockca, with all that it offers")
	flags.StringVar(&f.domain, "domain", "conformance.test", "the `name` below which all names of the run lie")
	flags.StringVar(&f.httpAddr, "http-addr", "", "answer http-01 on this `host:port`, where the server looks")
	flags.StringVar(&f.tlsAddr, "tls-addr", "", "answer tls-alpn-01 on this `host:port`")
	flags.StringVar(&f.dnsAddr, "dns-addr", "", "answer DNS on this `host:port`")
	flags.BoolVar(&f.resolvesHere, "resolves-here", false, "the server asks the DNS of --dns-addr")
	flags.StringSliceVar(&f.addresses, "address", nil, "IP `addresses` of this machine that the server reaches, for identifiers of type ip")
	flags.StringVar(&f.webroot, "webroot", "", "answer http-01 by files below this `directory`")
	flags.StringVar(&f.exec, "exec", "", "answer challenges by this `program`: PROGRAM present|cleanup TYPE NAME TOKEN VALUE")
	flags.StringVar(&f.rfc2136.Server, "rfc2136-server", "", "answer dns-01 by dynamic updates to this `host:port`")
	flags.StringVar(&f.rfc2136.Zone, "rfc2136-zone", "", "the `zone` to update")
	flags.StringVar(&f.rfc2136.KeyName, "rfc2136-key", "", "`name` of the TSIG key")
	flags.StringVar(&f.rfc2136.KeySecret, "rfc2136-secret", "", "`secret` of the TSIG key, base64")
	flags.StringVar(&f.rfc2136.KeyAlgorithm, "rfc2136-algorithm", "", "its `algorithm` (default hmac-sha256)")
	flags.BoolVar(&f.alwaysValid, "always-valid", false, "the server does not look at challenges")
	flags.StringVar(&f.eabKID, "eab-kid", "", "key `id` of an external account")
	flags.StringVar(&f.eabHMAC, "eab-hmac", "", "its MAC `key`, base64url")
	flags.StringSliceVar(&f.contact, "contact", nil, "contact `URLs` of new accounts")
	flags.BoolVar(&f.shareAccount, "share-account", false, "use one account where cases don't harm it")
	flags.StringVar(&f.budget, "budget", "", "use up no more than this: `accounts=N,orders=N,failures=N`")
	f.judgingFlags.add(cmd, "case", time.Minute)
	return cmd
}

func testServer(cmd *cobra.Command, tty *terminal, f testServerFlags, selectors []string) error {
	plan, judgement, err := f.plan(cmd, selectors)
	if err != nil {
		return err
	}
	outputs, err := reportFiles(cmd, f.reports)
	if err != nil {
		return err
	}
	target, closeTarget, err := f.target(cmd)
	if err != nil {
		return err
	}
	defer closeTarget()
	run, err := conformance.PlanServer(target, plan)
	if err != nil {
		return usageError(cmd, err)
	}
	tty.say("%s", run.Describe())
	progress := newProgress(tty, run.Count())
	judgement.Progress = progress.step
	report, err := run.Run(cmd.Context(), judgement)
	progress.end()
	if err != nil {
		return configError(err, "take them out of the file, or see 'acme-e2e list cases'")
	}
	switch {
	case f.pebble:
		report.Target = pebbleVersion() + ", embedded"
	case f.mockca:
		report.Target = "mockca, embedded"
	}
	report.Version, report.Command = version(), again(cmd, "{case}", nil)
	return showReport(tty, report, outputs)
}

// plan reads what does not need a server.
func (f *testServerFlags) plan(cmd *cobra.Command, selectors []string) (plan conformance.Plan, j conformance.Judgement, err error) {
	if plan, j, err = f.judging(cmd, selectors); err != nil || f.budget == "" {
		return plan, j, err
	}
	if plan.Budget, err = conformance.ParseBudget(f.budget); err != nil {
		return plan, j, usageError(cmd, fmt.Errorf("--budget: %w", err))
	}
	return plan, j, nil
}

// target starts what answers challenges, and the server where it is embedded.
func (f *testServerFlags) target(cmd *cobra.Command) (target conformance.Target, stop func(), err error) {
	ctx := cmd.Context()
	stop = func() {}
	given := 0
	for _, is := range []bool{f.directory != "", f.pebble, f.mockca} {
		if is {
			given++
		}
	}
	if given != 1 {
		return target, stop, usageError(cmd, errors.New("one of --directory, --pebble and --mockca says which server to judge"))
	}
	if f.pebble || f.mockca {
		return f.embedded(ctx)
	}
	target = conformance.Target{
		DirectoryURL: f.directory, Domain: f.domain, ResolvesHere: f.resolvesHere,
		Webroot: f.webroot, Command: f.exec, AlwaysValid: f.alwaysValid,
		Contact: f.contact, ShareAccount: f.shareAccount,
	}
	if f.rfc2136.Server != "" {
		target.RFC2136 = &f.rfc2136
	}
	for _, text := range f.addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return target, stop, usageError(cmd, fmt.Errorf("--address: %w", err))
		}
		target.Addresses = append(target.Addresses, addr)
	}
	if (f.eabKID == "") != (f.eabHMAC == "") {
		return target, stop, usageError(cmd, errors.New("--eab-kid and --eab-hmac go together"))
	}
	if f.eabKID != "" {
		key, err := client.ParseEABKey(f.eabHMAC)
		if err != nil {
			return target, stop, usageError(cmd, fmt.Errorf("--eab-hmac: %w", err))
		}
		target.ExternalAccount = &conformance.ExternalAccount{KeyID: f.eabKID, Key: key}
	}
	if f.caBundle != "" {
		if target.RootCAs, err = readPool("--ca-bundle", f.caBundle); err != nil {
			return target, stop, err
		}
	}
	if f.httpAddr+f.tlsAddr+f.dnsAddr != "" {
		r, err := conformance.StartResponder(ctx, conformance.ResponderOptions{HTTPAddr: f.httpAddr, TLSAddr: f.tlsAddr, DNSAddr: f.dnsAddr})
		if err != nil {
			return target, stop, environmentError(err, "end what listens there, or name another address")
		}
		target.Responder, stop = r, r.Close
	}
	return target, stop, nil
}
