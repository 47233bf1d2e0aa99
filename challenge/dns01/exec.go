package dns01

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Exec is a Provider that runs commands. They get what certbot's manual hooks
// get: CERTBOT_DOMAIN, CERTBOT_VALIDATION, CERTBOT_TOKEN,
// CERTBOT_REMAINING_CHALLENGES and CERTBOT_ALL_DOMAINS (comma-separated); the
// cleanup command also CERTBOT_AUTH_OUTPUT, what the auth command has printed
// in the same process. Beside those: ACME_ZONE, ACME_RECORD (both with the
// final dot; the record after CNAMEs) and ACME_TTL in seconds. Nothing is
// passed to a shell.
type Exec struct {
	Auth    []string      // command and arguments; must add, not overwrite
	Cleanup []string      // may be empty: then nothing is removed
	Env     []string      // the environment beside the variables above, "PATH=..." and so on; nil: the process's own
	Timeout time.Duration // for one command; default five minutes

	mu     sync.Mutex
	output map[string]string
}

// Check implements challenge.Checker: are the commands there?
func (e *Exec) Check(context.Context) error {
	if len(e.Auth) == 0 {
		return errors.New("exec: no auth command given")
	}
	for _, command := range [][]string{e.Auth, e.Cleanup} {
		if len(command) > 0 {
			if _, err := exec.LookPath(command[0]); err != nil {
				return fmt.Errorf("exec: %w", err)
			}
		}
	}
	return nil
}

// Append implements Provider by the auth command.
func (e *Exec) Append(ctx context.Context, r Record) error {
	if len(e.Auth) == 0 {
		return errors.New("exec: no auth command given")
	}
	out, err := e.run(ctx, e.Auth, r)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.output == nil {
		e.output = make(map[string]string)
	}
	e.output[r.Name+" "+r.Value] = strings.TrimSpace(out)
	return nil
}

// Remove implements Provider by the cleanup command.
func (e *Exec) Remove(ctx context.Context, r Record) error {
	if len(e.Cleanup) == 0 {
		return nil
	}
	e.mu.Lock()
	out := e.output[r.Name+" "+r.Value]
	delete(e.output, r.Name+" "+r.Value)
	e.mu.Unlock()
	_, err := e.run(ctx, e.Cleanup, r, "CERTBOT_AUTH_OUTPUT="+out)
	return err
}

func (e *Exec) run(ctx context.Context, command []string, r Record, more ...string) (string, error) {
	timeout := e.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = e.Env
	if cmd.Env == nil {
		cmd.Env = cmd.Environ()
	}
	cmd.Env = append(append(append([]string(nil), cmd.Env...), "CERTBOT_DOMAIN="+r.Domain, "CERTBOT_VALIDATION="+r.Value, "CERTBOT_TOKEN="+r.Token,
		"CERTBOT_REMAINING_CHALLENGES="+strconv.Itoa(r.Remaining), "CERTBOT_ALL_DOMAINS="+strings.Join(r.AllDomains, ","),
		"ACME_ZONE="+r.Zone, "ACME_RECORD="+r.Name, "ACME_TTL="+strconv.Itoa(int(r.TTL/time.Second))), more...)
	cmd.WaitDelay = time.Second // for children that keep the pipes
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		return "", fmt.Errorf("exec: %s for %s: %w: %.500q", command[0], r.Name, err, said)
	}
	return stdout.String(), nil
}
