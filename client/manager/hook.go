package manager

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Issued is what hooks get to know.
type Issued struct {
	Certificate       *x509.Certificate
	CertPath, KeyPath string // of Config
	Domains           []string
}

// A Hook runs after a new certificate is in place. It has a minute, also when the
// caller's context ends meanwhile. It must not make the Manager look or provision.
type Hook func(ctx context.Context, i Issued) error

const hookTime = time.Minute

// SignalHUP is a Hook that tells a process to reload, by SIGHUP. On Windows
// there is no such signal, and the hook always fails.
func SignalHUP(pid int) Hook {
	return func(context.Context, Issued) error { return hangUp(pid) }
}

// SignalPIDFile is SignalHUP for the process whose number is in a file by then.
func SignalPIDFile(path string) Hook {
	return func(context.Context, Issued) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading pid file: %w", err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil || pid <= 1 {
			return fmt.Errorf("pid file %s: %q is not the number of a process", path, strings.TrimSpace(string(data)))
		}
		return hangUp(pid)
	}
}

// Command is a Hook that runs a program, which finds ACME_CERT_PATH,
// ACME_KEY_PATH and ACME_DOMAINS (separated by commas) in its environment.
func Command(name string, args ...string) Hook {
	return func(ctx context.Context, i Issued) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(cmd.Environ(), "ACME_CERT_PATH="+i.CertPath, "ACME_KEY_PATH="+i.KeyPath, "ACME_DOMAINS="+strings.Join(i.Domains, ","))
		cmd.WaitDelay = 5 * time.Second
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("running %s: %w: %s", name, err, tail(string(out)))
		}
		return nil
	}
}

// tail is the end of a program's output, in one line.
func tail(s string) string {
	const most = 400
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = "..." + s[len(s)-most:]
	}
	return s
}

func (m *Manager) runHooks(ctx context.Context, leaf *x509.Certificate) {
	ctx = context.WithoutCancel(ctx)
	i := Issued{Certificate: leaf, CertPath: m.cfg.CertPath, KeyPath: m.cfg.KeyPath, Domains: m.cfg.Domains}
	for _, hook := range m.o.Hooks {
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, hookTime)
			defer cancel()
			return hook(ctx, i)
		}()
		m.emit(Event{Kind: EventHook, Certificate: leaf, Err: err})
	}
}

var errNoPID = errors.New("not the number of a process that may be signalled")
