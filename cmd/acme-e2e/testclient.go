package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/conformance"
)

type testClientFlags struct {
	preset, profile string
	scenarios       []string
	sections        []string
	judgingFlags
}

func newTestClientCommand(tty *terminal) *cobra.Command {
	var f testClientFlags
	cmd := &cobra.Command{
		Use:   "test-client [flags] (--preset NAME | --profile FILE | -- CMD [ARG...])",
		Short: "Judge any ACME client by what it does on good and bad days",
		Long: `test-client runs an ACME client, in whatever language it is written, against a CA of
its own for each scenario, which is as good or as bad as the scenario wants it, and
judges by what the client sent, said and left.

The client is one of those that come along (--preset: ` + strings.Join(conformance.Presets(), ", ") + `), one that a
profile in YAML describes (--profile), or a command after --. Its arguments may have
placeholders: {directory}, {ca_bundle}, {domain}, {http_port}, {account_dir},
{cert_file}, {key_file} and more: 'acme-e2e list placeholders'. The command must get a
certificate by http-01 and leave chain and key in {cert_file} and {key_file}; what
else a client can do, a profile says.

Each scenario has a directory, a CA and ports of its own; HOME and TMPDIR lie in
that directory. A client that hangs is ended with all that it started.

Verdicts: pass; fail, a MUST was broken; warn, a SHOULD was not followed, or
something else that makes trouble; n/a, the client has no such feature;
inconclusive, the surroundings failed. The exit code is 1 exactly when something is
not as expected: a scenario failed (with --strict: or warned) that --expect does not
list, or one that it lists passes.`,
		Example: `  acme-e2e test-client --preset certbot
  acme-e2e test-client --preset lego --section rfc8555/6.5 --section rfc9773
  acme-e2e test-client --profile mine.yaml --report html=report.html
  acme-e2e test-client -- ./myclient --directory {directory} --ca {ca_bundle} --domain {domain} --port {http_port} --cert {cert_file} --key {key_file}`,
		RunE: func(cmd *cobra.Command, args []string) error { return testClient(cmd, tty, f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.preset, "preset", "", "judge the client of this `name`: "+strings.Join(conformance.Presets(), ", "))
	flags.StringVar(&f.profile, "profile", "", "judge the client that this YAML `file` describes")
	flags.StringSliceVar(&f.scenarios, "scenario", nil, "run this `id` only (repeatable)")
	flags.StringSliceVar(&f.sections, "section", nil, "run the scenarios of this `standard[/section]` only (repeatable)")
	f.judgingFlags.add(cmd, "scenario", 2*time.Minute)
	return cmd
}

func testClient(cmd *cobra.Command, tty *terminal, f testClientFlags, args []string) error {
	plan, judgement, err := f.judging(cmd, slices.Concat(f.scenarios, f.sections))
	if err != nil {
		return err
	}
	outputs, err := reportFiles(cmd, f.reports)
	if err != nil {
		return err
	}
	profile, err := f.clientProfile(cmd, args)
	if err != nil {
		return err
	}
	client, err := profile.Client()
	if err != nil {
		return environmentError(err, "install it, or name it by its path")
	}
	client.Name = strings.TrimSpace(client.Name + " " + versionOf(profile))
	run, err := conformance.PlanClient(client, plan)
	if err != nil {
		return usageError(cmd, err)
	}
	tty.say("%s", run.Describe())
	progress := newProgress(tty, run.Count())
	judgement.Progress = progress.step
	report, err := run.Run(cmd.Context(), judgement)
	progress.end()
	if err != nil {
		return configError(err, "take them out of the file, or see 'acme-e2e list scenarios'")
	}
	report.Version, report.Command = version(), again(cmd, "--scenario {case}", args)
	return showReport(tty, report, outputs)
}

// clientProfile reads which client is meant.
func (f *testClientFlags) clientProfile(cmd *cobra.Command, args []string) (conformance.Profile, error) {
	given := 0
	for _, is := range []bool{f.preset != "", f.profile != "", len(args) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return conformance.Profile{}, usageError(cmd, errors.New("one of --preset, --profile and a command after -- says which client to judge"))
	}
	switch {
	case f.preset != "":
		p, err := conformance.Preset(f.preset)
		if err != nil {
			return p, usageError(cmd, fmt.Errorf("--preset: %w", err))
		}
		return p, nil
	case f.profile != "":
		data, err := os.ReadFile(f.profile)
		if err != nil {
			return conformance.Profile{}, configError(fmt.Errorf("--profile: %w", err), "name a file that can be read")
		}
		p, err := conformance.ParseProfile(data)
		if err != nil {
			return p, configError(fmt.Errorf("--profile: %s: %w", f.profile, err), "see docs/test-client.md for the format")
		}
		return p, nil
	}
	p, err := conformance.CommandProfile(args...)
	if err != nil {
		return p, usageError(cmd, err)
	}
	return p, nil
}

// versionOf asks the client; one that does not say has none.
func versionOf(p conformance.Profile) string {
	command := p.VersionCommand()
	if len(command) == 0 {
		return ""
	}
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return strings.TrimSpace(strings.TrimPrefix(string(line), p.Name+" "))
}
