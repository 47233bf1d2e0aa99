package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// execute runs one command line and returns the process's exit code.
func execute(ctx context.Context, args []string, tty *terminal) int {
	root := newRoot(tty)
	root.SetArgs(args)
	return tty.report(root.ExecuteContext(ctx))
}

// newRoot lists the commands; each is made in the file of its name.
func newRoot(tty *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "acme-e2e",
		Short: "Get TLS certificates by ACME, and know that you will keep getting them",
		Long: `acme-e2e gets TLS certificates by ACME (RFC 8555) and shows, before production
does, that it will keep getting them.

Exit codes:
  0  all is good
  1  what was tested or asked for failed
  2  the command line or the configuration is wrong
  3  the environment is in the way: a port is taken, the CA cannot be reached`,
		Version: version(),

		SuggestionsMinimumDistance: 2,

		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(tty.in)
	root.SetOut(tty.out)
	root.SetErr(tty.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	root.PersistentFlags().BoolVar(&tty.json, "json", false, "write one machine-readable JSON document to standard output")
	root.PersistentFlags().BoolVarP(&tty.quiet, "quiet", "q", false, "write only results and errors")
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		newRunCommand(tty),
		newServeCommand(tty),
		newTestServerCommand(tty),
		newTestClientCommand(tty),
		newCompareCommand(tty),
		newListCommand(tty),
		newExplainCommand(tty),
		newProvisionCommand(tty),
		newRenewCommand(tty),
		newVersionCommand(tty),
	)
	return root
}

// noSuchCommand is the root's argument check: it has commands, not arguments.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return usageError(cmd, fmt.Errorf("%s", text))
}

// noArgs is the argument check of commands that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError(cmd, fmt.Errorf("unexpected argument %q", args[0]))
}
