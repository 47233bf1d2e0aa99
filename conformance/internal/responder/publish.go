package responder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Publisher hands plain, right answers on to where the CA looks for them, for
// runs in which the ports belong to somebody else.
type Publisher interface {
	// Publish makes the answer visible, Remove takes it away again.
	Publish(context.Context, Answer) error
	Remove(context.Context, Answer) error
	// Types are the challenge types that it can answer.
	Types() []string
}

// Answer is the answer to one challenge.
type Answer struct {
	Type             string // "http-01" or "dns-01"
	Name             string // the identifier, without "*."
	Token            string
	KeyAuthorization string
	TXT              string // the value of the TXT record, for dns-01
}

var base64url = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Webroot puts http-01 answers as files below a web server's root.
type Webroot string

// Types is http-01.
func (Webroot) Types() []string { return []string{"http-01"} }

func (w Webroot) path(a Answer) (string, error) {
	if !base64url.MatchString(a.Token) {
		return "", fmt.Errorf("the token %q is not base64url: no file is made of it", a.Token)
	}
	return filepath.Join(string(w), filepath.FromSlash(WellKnown), a.Token), nil
}

// Publish writes the file.
func (w Webroot) Publish(_ context.Context, a Answer) error {
	path, err := w.path(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(a.KeyAuthorization), 0o644)
}

// Remove removes the file.
func (w Webroot) Remove(_ context.Context, a Answer) error {
	path, err := w.path(a)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Exec runs a program: PROGRAM present|cleanup TYPE NAME TOKEN VALUE, where
// VALUE is the key authorization, or what the TXT record holds.
type Exec struct {
	Program    string
	Challenges []string // answered by it; http-01 and dns-01 when empty
}

// Types are Challenges.
func (e Exec) Types() []string {
	if len(e.Challenges) == 0 {
		return []string{"http-01", "dns-01"}
	}
	return e.Challenges
}

// Publish runs the program with "present".
func (e Exec) Publish(ctx context.Context, a Answer) error { return e.run(ctx, "present", a) }

// Remove runs the program with "cleanup".
func (e Exec) Remove(ctx context.Context, a Answer) error { return e.run(ctx, "cleanup", a) }

func (e Exec) run(ctx context.Context, verb string, a Answer) error {
	value := a.KeyAuthorization
	if a.Type == "dns-01" {
		value = a.TXT
	}
	cmd := exec.CommandContext(ctx, e.Program, verb, a.Type, a.Name, a.Token, value)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s %s %s: %w: %s", e.Program, verb, a.Type, a.Name, err, strings.TrimSpace(string(out[:min(len(out), 500)])))
	}
	return nil
}

// RFC2136 adds and deletes TXT records by dynamic update (RFC 2136), signed
// with TSIG when a key is given.
type RFC2136 struct {
	Server             string // host:port
	Zone               string
	KeyName, KeySecret string // the secret in base64
	KeyAlgorithm       string // hmac-sha256 when empty
}

// Types is dns-01.
func (RFC2136) Types() []string { return []string{"dns-01"} }

// Publish adds the record.
func (u RFC2136) Publish(ctx context.Context, a Answer) error {
	return u.update(ctx, a, (*dns.Msg).Insert)
}

// Remove deletes the record, and leaves others of the name alone.
func (u RFC2136) Remove(ctx context.Context, a Answer) error {
	return u.update(ctx, a, (*dns.Msg).Remove)
}

func (u RFC2136) update(ctx context.Context, a Answer, change func(*dns.Msg, []dns.RR)) error {
	message := new(dns.Msg)
	message.SetUpdate(dns.Fqdn(u.Zone))
	record := &dns.TXT{Hdr: header("_acme-challenge."+a.Name, dns.TypeTXT), Txt: []string{a.TXT}}
	record.Hdr.Ttl = 1
	change(message, []dns.RR{record})
	client := &dns.Client{Net: "tcp", Timeout: 10 * time.Second}
	if u.KeyName != "" {
		algorithm := u.KeyAlgorithm
		if algorithm == "" {
			algorithm = "hmac-sha256"
		}
		client.TsigSecret = map[string]string{dns.Fqdn(u.KeyName): u.KeySecret}
		message.SetTsig(dns.Fqdn(u.KeyName), dns.Fqdn(algorithm), 300, time.Now().Unix())
	}
	reply, _, err := client.ExchangeContext(ctx, message, u.Server)
	if err != nil {
		return fmt.Errorf("updating %s at %s: %w", u.Zone, u.Server, err)
	}
	if reply.Rcode != dns.RcodeSuccess {
		return fmt.Errorf("updating %s at %s: the server answers %s", u.Zone, u.Server, dns.RcodeToString[reply.Rcode])
	}
	return nil
}
