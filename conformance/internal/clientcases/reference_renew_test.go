package clientcases

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// How the reference renews.

type renewalInfo struct {
	Window struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"suggestedWindow"`
	Explanation string `json:"explanationURL"`

	again time.Duration // when to ask again
}

var errNoRenewalInfo = errors.New("no renewal information")

// askARI reads the renewal information of a certificate.
func (v *visit) askARI(c *x509.Certificate) (*renewalInfo, error) {
	base := v.url("renewalInfo")
	expired := v.clock.Now().After(c.NotAfter)
	if base == "" || expired && !v.on("asks-for-expired") {
		return nil, errNoRenewalInfo
	}
	id := certID(c.AuthorityKeyId, c.SerialNumber)
	url := base + "/" + id
	if v.on("padded-identifier") {
		url += "="
	}
	if v.on("asks-for-replaced") {
		if v.state.Renewals == nil {
			v.state.Renewals = map[string]string{}
		}
		for old := range v.state.Renewals {
			_, _ = v.get(base + "/" + old)
		}
		v.state.Renewals[id] = "asked"
	}
	r, err := v.get(url)
	if err != nil {
		return nil, err
	}
	var info renewalInfo
	if err := r.JSON(&info); err != nil {
		return nil, err
	}
	if !info.Window.End.After(info.Window.Start) && !v.on("any-window") {
		return nil, fmt.Errorf("%w: the window ends before it begins", errNoRenewalInfo)
	}
	wait, ok, err := r.RetryAfter()
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: no Retry-After", errNoRenewalInfo)
	}
	info.again = min(max(wait, time.Minute), 24*time.Hour)
	if v.on("no-limits") {
		info.again = max(wait, time.Second)
	}
	if info.Explanation != "" && !v.on("hides-explanation") {
		_, _ = fmt.Fprintln(v.Output, "the CA explains:", info.Explanation)
	}
	return &info, nil
}

func (v *visit) current() (*x509.Certificate, error) {
	data, err := os.ReadFile(v.CertFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// renew renews when it is due, unless it failed a moment ago.
func (v *visit) renew() error {
	c, err := v.current()
	if err != nil {
		return err
	}
	now := v.clock.Now()
	due := c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/3
	info, err := v.askARI(c)
	switch {
	case err != nil && v.on("no-fallback"):
		return err
	case err == nil && !v.on("ignores-window"):
		due = due || now.After(info.Window.Start.Add(time.Duration(rand.Int64N(int64(max(1, info.Window.End.Sub(info.Window.Start)))))))
	}
	if !due && !v.on("always-renews") {
		return nil
	}
	if now.Before(v.state.NotUntil) && !v.on("no-memory") {
		return fmt.Errorf("failed %d times, not before %s", v.state.Failures, v.state.NotUntil)
	}
	return v.replace(c, now)
}

// replace gets another certificate, and remembers failures.
func (v *visit) replace(c *x509.Certificate, now time.Time) error {
	replaces := ""
	if v.url("renewalInfo") != "" && !v.on("no-replaces") || v.on("always-replaces") {
		replaces = certID(c.AuthorityKeyId, c.SerialNumber)
	}
	if v.on("removes-old") {
		_ = os.Remove(v.CertFile)
	}
	if err := v.issue(replaces); err != nil {
		v.state.Failures++
		v.state.NotUntil = now.Add(time.Minute << min(v.state.Failures, 8))
		return err
	}
	v.state.Failures, v.state.NotUntil = 0, time.Time{}
	return nil
}

// keepRenewed is the daemon.
func (v *visit) keepRenewed() error {
	var chosen, asked time.Time
	var window [2]time.Time
	again := time.Duration(0)
	for {
		c, err := v.current()
		if err != nil {
			if err := v.issue(""); err != nil {
				return err
			}
			continue
		}
		now := v.clock.Now()
		if !now.Before(asked.Add(again)) {
			info, err := v.patientARI(c)
			asked = v.clock.Now()
			again = 6 * time.Hour
			switch {
			case err != nil:
				if v.on("asks-at-once") {
					again = time.Minute
				}
			case [2]time.Time{info.Window.Start, info.Window.End} != window:
				window = [2]time.Time{info.Window.Start, info.Window.End}
				chosen = window[0].Add(rand.N(max(1, window[1].Sub(window[0]))))
				if v.on("window-start") {
					chosen = window[0]
				}
				again = info.again
			default:
				again = info.again
			}
			if v.on("ignores-interval") {
				again = 20 * time.Hour
			}
		}
		now = v.clock.Now()
		due := c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 3)
		if !chosen.IsZero() && chosen.Before(due) && !v.on("ignores-window") {
			due = chosen
		}
		if v.state.NotUntil.After(due) && !v.on("no-memory") {
			due = v.state.NotUntil
		}
		if !now.Before(due) {
			if v.replace(c, now) == nil {
				chosen, window, asked, again = time.Time{}, [2]time.Time{}, time.Time{}, 0
			} else if v.on("no-memory") {
				_ = v.clock.Sleep(v.ctx, time.Minute)
			}
			if v.ctx.Err() != nil {
				return nil
			}
			continue
		}
		wake := due
		if at := asked.Add(again); at.Before(wake) {
			wake = at
		}
		if v.clock.Sleep(v.ctx, wake.Sub(now)) != nil {
			return nil
		}
	}
}

// patientARI asks a few times, with growing pauses, while the failure looks
// temporary (RFC 9773, Section 4.3.3).
func (v *visit) patientARI(c *x509.Certificate) (*renewalInfo, error) {
	pause := 10 * time.Second
	for try := 0; ; try++ {
		info, err := v.askARI(c)
		var syntax *json.SyntaxError
		temporary := err != nil && strings.HasPrefix(err.Error(), "5") && !errors.As(err, &syntax)
		if !temporary || try >= 4 && !v.on("asks-for-ever") || v.clock.Sleep(v.ctx, pause) != nil {
			return info, err
		}
		if !v.on("steady-pauses") {
			pause *= 3
		}
	}
}
