// Package process runs programs that may misbehave: whatever they do, they have
// ended when Run returns, and so has everything that they started, as far as the
// system lets one find it.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Command is a program to run.
type Command struct {
	Args   []string // the program first
	Env    []string // all of it, as NAME=value
	Dir    string
	Output io.Writer // of standard output and error
}

const (
	// grace is how long a program has after SIGTERM.
	grace = 2 * time.Second
	// pipeDelay is how long output of what it left running is waited for.
	pipeDelay = 500 * time.Millisecond
	// marker is the variable by which everything that a program starts is found.
	marker = "ACME_E2E_TRIAL"
)

// ExitError is the end of a program that did not succeed.
type ExitError struct{ State *os.ProcessState }

func (e *ExitError) Error() string { return "it ended with " + e.State.String() }

// Run runs a program until it ends. When ctx ends first the program is told to,
// by SIGTERM, and made to, by SIGKILL, with all that it started. What it leaves
// running is ended in any case, and mentioned in Output.
func Run(ctx context.Context, c Command) error {
	if len(c.Args) == 0 {
		return errors.New("no program to run")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	mark := fmt.Sprintf("%s=%d-%d", marker, os.Getpid(), time.Now().UnixNano())
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env, cmd.Dir = append(withoutMarker(c.Env), mark), c.Dir
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	cmd.WaitDelay = pipeDelay
	group(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		terminate(cmd, mark)
		wait := time.NewTimer(grace)
		defer wait.Stop()
		select {
		case <-ended:
		case <-wait.C:
			kill(cmd, mark)
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-stopped
	if left := kill(cmd, mark); len(left) > 0 {
		_, _ = fmt.Fprintf(c.Output, "\n[left running, and ended: %s]\n", strings.Join(left, "; "))
	}
	switch exit, failed := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		return fmt.Errorf("it was ended: %w", context.Cause(ctx))
	case failed:
		return &ExitError{exit.ProcessState}
	case errors.Is(err, exec.ErrWaitDelay): // only what it left running held the output open
		return nil
	}
	return err
}

func withoutMarker(env []string) (out []string) {
	for _, v := range env {
		if !strings.HasPrefix(v, marker+"=") {
			out = append(out, v)
		}
	}
	return out
}
