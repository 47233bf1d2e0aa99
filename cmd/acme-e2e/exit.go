package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes, as documented in the root command's help.
const (
	exitGood        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitEnvironment = 3
)

// exitError is an error that knows its exit code and, where there is one, what
// the reader should do about it.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usageError is a mistake on the command line of cmd.
func usageError(cmd *cobra.Command, err error) error {
	return &exitError{exitUsage, err, fmt.Sprintf("see '%s --help'", cmd.CommandPath())}
}

// configError is a mistake in what the command was given: a file, a variable.
func configError(err error, hint string) error { return &exitError{exitUsage, err, hint} }

// environmentError is something outside of the command that is in its way.
func environmentError(err error, hint string) error { return &exitError{exitEnvironment, err, hint} }

// failedError is the failure of what was tested or asked for.
func failedError(err error, hint string) error { return &exitError{exitFailed, err, hint} }

// errReported ends a command with exit code 1 whose report has said it all.
var errReported = &exitError{code: exitFailed, err: errors.New("see the report")}

func exitCode(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &exit):
		return exit.code
	default:
		return exitFailed
	}
}
