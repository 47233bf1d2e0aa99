package manager

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/storage"
	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// Options are what a program hands in, besides the configuration. The zero
// value answers http-01 on Config.ChallengePort and keeps everything in files.
type Options struct {
	// Solvers prove control over the names, in order of preference, in place of
	// http-01.
	Solvers []client.SolverFor
	// HTTP01 are the options of the http-01 solver that there is without
	// Solvers. Its Address, when empty, is Config.ChallengePort on all addresses.
	HTTP01 challenge.HTTP01Options

	// Store keeps the state. Default: storage.File with the paths of Config.
	Store storage.Store

	// Hooks run one after the other when a new certificate is in place, and only
	// then. An error is logged and emitted; it doesn't undo anything.
	Hooks []Hook
	// Observer is called at every step, never twice at once. It must not block.
	Observer func(Event)
	// Logger gets events too: issuance at Info, failures at Warn, the rest at
	// Debug. Nil is silent.
	Logger *slog.Logger

	// ReloadEvery is how often Watch looks whether the files have changed.
	// Default: 10 s. A negative value turns that off.
	ReloadEvery time.Duration
	// NoSignals leaves SIGHUP alone, which otherwise makes Watch reload.
	NoSignals bool

	Clock     client.Clock       // default: the machine's
	Transport http.RoundTripper  // default: client's own
	RootCAs   *x509.CertPool     // of the CA's API; default: the system's
	AllowHTTP bool               // a directory at http://, on loopback only
	UserAgent string             // put before client's own
	Retry     client.RetryPolicy // of single requests
	// PollTimeout limits the wait for the CA to validate or to issue. Default:
	// client's own.
	PollTimeout time.Duration
	// Chain and Roots: see client.Request.
	Chain client.ChainPreference
	Roots *x509.CertPool
}

const defaultReloadEvery = 10 * time.Second

func (o Options) withDefaults(c Config) Options {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ReloadEvery == 0 {
		o.ReloadEvery = defaultReloadEvery
	}
	if len(o.Solvers) == 0 {
		h := o.HTTP01
		if h.Address == "" {
			h.Address = ":" + strconv.Itoa(c.ChallengePort)
		}
		o.Solvers = []client.SolverFor{{Type: challenge.HTTP01, Solver: challenge.NewHTTP01(h)}}
	}
	return o
}

// check complains about everything in c, which has its defaults, that the
// solvers can't do or that makes no sense.
func (c Config) check(o Options) ([]client.Identifier, error) {
	bad := &ConfigError{}
	var ids []client.Identifier
	if len(c.Domains) == 0 {
		bad.add("Domains", "", "at least one name")
	}
	for _, name := range c.Domains {
		id, err := client.ParseIdentifier(name)
		if err != nil {
			bad.add("Domains", name, "a name: %s", reason(err))
			continue
		}
		if why := unprovable(id, o.Solvers); why != "" {
			bad.add("Domains", name, "%s", why)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if c.Email != "" {
		checkEmail(bad, "Email", c.Email)
	}
	before := len(bad.Complaints)
	checkDirectory(bad, "DirectoryURL", c.DirectoryURL)
	if strings.HasPrefix(c.DirectoryURL, "http:") && !o.AllowHTTP && len(bad.Complaints) == before {
		bad.add("DirectoryURL", c.DirectoryURL, "an https URL: http, on loopback, is for tests and must be allowed in so many words (AllowHTTP)")
	}
	if c.ChallengePort < 0 || c.ChallengePort > 65535 {
		bad.add("ChallengePort", fmt.Sprint(c.ChallengePort), "a port from 1 to 65535")
	}
	if c.RenewBeforeDays < 0 || c.RenewBeforeDays > maxRenewDays {
		bad.add("RenewBeforeDays", fmt.Sprint(c.RenewBeforeDays), "a number of days from 1 to %d", maxRenewDays)
	}
	return ids, bad.err()
}

// unprovable is why none of the solvers can prove control over id; empty when
// one can, or is of an unknown type.
func unprovable(id client.Identifier, solvers []client.SolverFor) string {
	var types []string
	for _, s := range solvers {
		byDNS := s.Type == challenge.DNS01 || s.Type == challenge.DNSAccount01 || s.Type == challenge.DNSPersist01
		byHost := s.Type == challenge.HTTP01 || s.Type == challenge.TLSALPN01
		if !(id.Wildcard() && byHost) && !(id.Type == client.TypeIP && byDNS) {
			return ""
		}
		types = append(types, s.Type)
	}
	have := strings.Join(types, " and ")
	if id.Wildcard() {
		return "no wildcard, for which dns-01 is needed and only " + have + " is set up: list the names one by one, or set up a dns-01 solver"
	}
	return "a host name: addresses are proved by http-01 or tls-alpn-01, and only " + have + " is set up"
}
