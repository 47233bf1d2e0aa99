package mockca

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/internal/clock"
	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Clock is the CA's time: everything that it dates, and everything that
// expires, goes by it. It is moved with Advance and Set.
type Clock = clock.Virtual

// NewClock returns a clock that stands at start until it is moved.
func NewClock(start time.Time) *Clock { return clock.NewVirtual(start) }

// NewRunningClock returns a clock that starts at the machine's time and runs
// along with it, also after it was moved.
func NewRunningClock() *Clock { return clock.NewOffset() }

// Options say how to make a CA. The zero value is a strict, faultless CA on a
// free port of the loopback interface, whose validation really goes out: to
// ports 5002 (http-01) and 5001 (tls-alpn-01) of the loopback interface, which
// every name resolves to.
type Options struct {
	// Addr is where New and Start listen; default "127.0.0.1:0", a free port.
	Addr string
	// Host is the host name in the URLs that CA.DirectoryURL and the books
	// show; default that of Addr, or "127.0.0.1". The API's certificate is for
	// it, for localhost and for the loopback addresses.
	Host string
	// BaseURL, as https://ca.example:14000, is in front of all URLs. Default:
	// what the client put into its request (its Host field), so that a CA can
	// be reached by several names.
	BaseURL string

	HTTP         bool             // plain HTTP instead of HTTPS
	DisableHTTP2 bool             // HTTP/1.1 only
	Certificate  *tls.Certificate // the API's; default: one by an API root of its own
	Paths        Paths            // default DefaultPaths

	Clock  *Clock       // default NewRunningClock
	Logger *slog.Logger // default: silent

	// Personality names the policy when Policy is nil: see Personalities.
	Personality string
	// Policy is what the CA decides for itself; nil: the personality's, or
	// DefaultPolicy.
	Policy *Policy

	Validation Validation
	Hierarchy  Hierarchy

	Disabled   []Check // checks that are not made
	Rules      []Rule  // faults from the start
	Transcript TranscriptOptions

	// MaxOrders is how many orders are kept, finished ones that is, with
	// their authorizations and certificates: beyond it the oldest are
	// forgotten, and can't be read, revoked or replaced any more. Default
	// 100,000; negative: no limit. A finished order of one name takes about
	// 2.5 KiB.
	MaxOrders int

	// StateDir is a directory, made if there is none, in which the CA keeps its
	// own certificates and keys, and the root of its API's: whoever trusts them
	// goes on doing so when it is started again. What is there already counts,
	// not Hierarchy. One CA at a time can use it.
	StateDir string
	// KeepObjects keeps there also accounts, orders, authorizations,
	// certificates, keys for bindings, renewal information set by hand, and how
	// far the clock is from the machine's. They are on disk before a request
	// that changed them is answered, so that a crash loses nothing that a client
	// knows of; what was being validated or finalized is begun again by Serve.
	// Nonces, rate limits, rules and policy are not kept.
	KeepObjects bool

	// Seed makes the choices of rules with a probability repeatable; 0: random,
	// see CA.Seed.
	Seed uint64
}

// Hierarchy shapes the CA's own certificates. They are made at first use. The
// zero value is a P-256 root with one P-256 intermediate.
type Hierarchy struct {
	KeyType    string        // "P-256" (default), "P-384", "RSA-2048", "RSA-3072", "RSA-4096"
	Depth      int           // intermediates; 0: one, -1: the root signs leaves
	Roots      int           // default one; each further one makes an alternate chain
	CrossRoots bool          // alternates: the first root, cross-signed by the others
	Lifetime   time.Duration // of the roots; default 40 years
	Import     []byte        // instead: what CA.ExportHierarchy wrote
}

func (h Hierarchy) make(now time.Time) (*issue.Hierarchy, error) {
	if h.Import != nil {
		return issue.Import(h.Import)
	}
	return issue.New(issue.Options{Name: "mockca", KeyType: issue.KeyType(h.KeyType), Depth: h.Depth, Roots: h.Roots,
		CrossRoots: h.CrossRoots, Now: now, Lifetime: h.Lifetime})
}

// check complains about everything at once.
func (o *Options) check() error {
	var errs []error
	if o.BaseURL != "" {
		u, err := url.Parse(o.BaseURL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.TrimSuffix(u.Path, "/") != "" {
			errs = append(errs, fmt.Errorf("Options.BaseURL %q: want https://host[:port]", o.BaseURL))
		}
	}
	for _, wrong := range o.Paths.problems() {
		errs = append(errs, errors.New("Options.Paths: "+wrong))
	}
	if o.KeepObjects && o.StateDir == "" {
		errs = append(errs, errors.New("Options.KeepObjects needs Options.StateDir"))
	}
	if o.StateDir != "" && o.Hierarchy.Import != nil {
		errs = append(errs, errors.New("Options.StateDir and Options.Hierarchy.Import exclude each other"))
	}
	if err := unknownChecks(o.Disabled); err != nil {
		errs = append(errs, fmt.Errorf("Options.Disabled: %w", err))
	}
	return errors.Join(errs...)
}
