package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/client/manager"
)

func newRenewCommand(tty *terminal) *cobra.Command {
	var f certFlags
	cmd := &cobra.Command{
		Use:   "renew",
		Short: "Keep a certificate good for ever, as a daemon",
		Long: `renew gets the certificate when there is none and renews it in time, until
SIGTERM or an interrupt ends it with exit code 0. It looks every 12 hours, at the
time that the CA suggests (RFC 9773), and when a share of a short lifetime is
over. It never gives up: when something fails the old certificate stays where it
is, and the next attempt follows after a minute, then two, up to an hour, or when
the CA says. Only settings and files that cannot be used end it, at its start.

SIGHUP makes it look now, and ask the CA whether to renew. Servers learn of a new
certificate by --pid-file (SIGHUP), by --hook, or by themselves, as manager.Watch
does. Neither runs without a new certificate.
` + certHelp + `

With --json each event is one JSON document on a line of its own.

Exit codes: 0 ended by a signal, 2 a setting or a file is wrong.`,
		Example: `  acme-e2e renew --domains www.example.org,example.org --email admin@example.org --hook 'systemctl reload nginx'
  RWS_CONFIG_ACME_DOMAINS=example.org acme-e2e renew --pid-file /run/server.pid
  acme-e2e renew --domains test.example.org --staging --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.ownSignals = true
			m, err := f.manager(cmd, tty, func(e manager.Event) { renewEvent(tty, e) })
			if err != nil {
				return err
			}
			defer m.Close()
			if err := usableFiles(cmd.Context(), m); err != nil {
				return err
			}
			if err := m.CheckAccountKey(cmd.Context()); err != nil {
				return certFailure(err)
			}
			wait := onHangup(cmd.Context(), func() {
				_, _ = m.CheckNow(cmd.Context()) // the events tell of it
			})
			defer wait()
			if err := m.RunRenewalLoop(cmd.Context()); err != nil {
				return certFailure(err)
			}
			tty.say("%s ended", now())
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// eventDocument is one line of renew --json.
type eventDocument struct {
	Event    string    `json:"event"`
	Time     time.Time `json:"time"`
	URL      string    `json:"url,omitempty"`
	Name     string    `json:"name,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Replaces string    `json:"replaces,omitempty"`
	Serial   string    `json:"serial,omitempty"`
	NotAfter time.Time `json:"notAfter,omitzero"`
	At       time.Time `json:"at,omitzero"`
	Error    string    `json:"error,omitempty"`
}

func renewEvent(tty *terminal, e manager.Event) {
	if tty.json {
		d := eventDocument{Event: string(e.Kind), Time: e.Time.UTC(), URL: e.URL, Name: e.Name, Reason: e.Status.Detail, Replaces: e.Replaces, At: e.At}
		if e.Certificate != nil {
			d.Serial, d.NotAfter = e.Certificate.SerialNumber.Text(16), e.Certificate.NotAfter.UTC()
		}
		if e.Err != nil {
			d.Error = e.Err.Error()
		}
		line, err := json.Marshal(d)
		if err == nil {
			_, err = fmt.Fprintf(tty.out, "%s\n", line)
		}
		if err != nil {
			tty.complain("%s writing an event: %v", now(), err)
		}
		return
	}
	switch e.Kind {
	case manager.EventRenewalInfo:
		if e.Explanation != "" { // RFC 9773, Section 4.2
			tty.say("%s the CA explains when to renew: %s", now(), e.Explanation)
		}
	case manager.EventOrdering:
		tty.say("%s ordering: %s", now(), e.Status.Detail)
	case manager.EventStored:
		tty.say("%s certificate %s is in place, valid until %s", now(), e.Certificate.SerialNumber.Text(16), e.Certificate.NotAfter.UTC().Format(time.RFC3339))
	case manager.EventChecked:
		tty.say("%s good; next look at %s", now(), e.At.UTC().Format(time.RFC3339))
	case manager.EventFailed:
		tty.complain("%s %s %v; next attempt at %s", now(), tty.paint("failed:", red), e.Err, e.At.UTC().Format(time.RFC3339))
	case manager.EventHook:
		if e.Err != nil {
			tty.complain("%s %s %v", now(), tty.paint("hook:", yellow), e.Err)
		}
	}
}
