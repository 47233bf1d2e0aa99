package pebbleharness

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
)

// Options is all that Pebble offers. The zero value is a CA on a good day, with
// an ECDSA hierarchy.
type Options struct {
	// Address and ManagementAddress are host:port to listen on; by default
	// free ports of 127.0.0.1.
	Address, ManagementAddress string

	// HTTPPort and TLSPort are where http-01 and tls-alpn-01 are validated; 0
	// chooses ports that nobody uses.
	HTTPPort, TLSPort int

	// Resolver is the host:port of the DNS server that Pebble asks, over TCP;
	// by default the harness's own.
	Resolver string

	// Strict turns on what Pebble plans to make mandatory.
	Strict bool

	// EABKeys are external account keys by id, unpadded base64url; EABRequired
	// refuses new accounts without one (RFC 8555, Section 7.3.4).
	EABKeys     map[string]string
	EABRequired bool

	// Blocklist are domains refused with rejectedIdentifier, with all below.
	Blocklist []string

	// Profiles are offered in the directory; by default there is one,
	// "default", of 90 days.
	Profiles map[string]Profile

	// KeyAlgorithm of the hierarchy is "ecdsa" (default) or "rsa", Pebble's
	// own default, which takes about 70 ms to start.
	KeyAlgorithm string

	// ChainLength is the number of intermediates, 1 when 0. AlternateRoots is
	// the number of further hierarchies offered as alternates.
	ChainLength, AlternateRoots int

	// RetryAfterAuthz and RetryAfterOrder are sent in whole seconds, half of
	// the times as a date, while something is processing; 0 sends none.
	RetryAfterAuthz, RetryAfterOrder time.Duration

	// NonceReject is the percentage of good nonces refused, 0 to 99.
	NonceReject int

	// AuthzReuse is the percentage of valid authorizations used again. Pebble
	// reuses one in a hundred even at 0.
	AuthzReuse int

	// OrdersPerPage is how many orders a page of an account's list has, 3
	// when 0.
	OrdersPerPage int

	// AlwaysValid lets every validation succeed without looking.
	AlwaysValid bool

	// ValidationSleep is the longest random wait before a validation, in whole
	// seconds; 0 does not wait.
	ValidationSleep time.Duration

	// CAAIdentities are the names shown in the directory's meta; Pebble checks
	// no CAA records. By default "pebble.letsencrypt.org".
	CAAIdentities []string

	// OCSPURL is put into certificates when it is not empty.
	OCSPURL string

	// Middleware, if set, is put before Pebble: to count requests, or to
	// disturb them.
	Middleware func(pebble http.Handler) http.Handler

	// Logger takes Pebble's log line by line, at level Info; New shows the log
	// when the test fails if it is nil, Start is then silent.
	Logger *slog.Logger

	// HangAfter is how long a request may take before Pebble is taken to hang;
	// 30 s when 0.
	HangAfter time.Duration

	unguarded bool // for the comparison in the benchmarks
}

// Profile is a kind of certificate that the CA offers.
type Profile struct {
	Description string
	Validity    time.Duration // whole seconds; 90 days when 0
	CommonName  bool          // the first name is in the subject, too
}

func (o Options) withDefaults() (Options, error) {
	if o.KeyAlgorithm == "" {
		o.KeyAlgorithm = "ecdsa"
	}
	if o.ChainLength == 0 {
		o.ChainLength = 1
	}
	if o.OrdersPerPage == 0 {
		o.OrdersPerPage = 3
	}
	if o.HangAfter == 0 {
		o.HangAfter = 30 * time.Second
	}
	if len(o.CAAIdentities) == 0 {
		o.CAAIdentities = []string{"pebble.letsencrypt.org"}
	}
	if len(o.Profiles) == 0 {
		o.Profiles = map[string]Profile{"default": {Description: "The default profile"}}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, o.check()
}

// check finds all that Pebble would panic on, or turn into something else
// without a word.
func (o Options) check() error {
	var errs []error
	complain := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complain(o.KeyAlgorithm != "ecdsa" && o.KeyAlgorithm != "rsa", "KeyAlgorithm is %q, not ecdsa or rsa", o.KeyAlgorithm)
	complain(o.ChainLength < 1, "ChainLength is %d, less than 1", o.ChainLength)
	complain(o.AlternateRoots < 0, "AlternateRoots is %d, less than 0", o.AlternateRoots)
	complain(o.NonceReject < 0 || o.NonceReject > 99, "NonceReject is %d, not a percentage from 0 to 99", o.NonceReject)
	complain(o.AuthzReuse < 0 || o.AuthzReuse > 100, "AuthzReuse is %d, not a percentage from 0 to 100", o.AuthzReuse)
	complain(o.OrdersPerPage < 1, "OrdersPerPage is %d, less than 1", o.OrdersPerPage)
	complain(o.EABRequired && len(o.EABKeys) == 0, "EABRequired without EABKeys: nobody could open an account")
	complain(o.HangAfter < 0, "HangAfter is %v, less than 0", o.HangAfter)
	for name, port := range map[string]int{"HTTPPort": o.HTTPPort, "TLSPort": o.TLSPort} {
		complain(port < 0 || port > 65535, "%s is %d, not a port", name, port)
	}
	waits := map[string]time.Duration{"RetryAfterAuthz": o.RetryAfterAuthz, "RetryAfterOrder": o.RetryAfterOrder, "ValidationSleep": o.ValidationSleep}
	for name, p := range o.Profiles {
		waits[fmt.Sprintf("Profiles[%q].Validity", name)] = p.Validity
	}
	for name, d := range waits {
		complain(d < 0 || d%time.Second != 0, "%s is %v, not a number of whole seconds", name, d)
	}
	return errors.Join(errs...)
}

// environment is the part of the options that Pebble reads from variables.
func (o Options) environment() map[string]string {
	flag := map[bool]string{true: "1", false: "0"}
	env := map[string]string{
		"PEBBLE_WFE_NONCEREJECT":     strconv.Itoa(o.NonceReject),
		"PEBBLE_AUTHZREUSE":          strconv.Itoa(o.AuthzReuse),
		"PEBBLE_WFE_ORDERS_PER_PAGE": strconv.Itoa(o.OrdersPerPage),
		"PEBBLE_VA_ALWAYS_VALID":     flag[o.AlwaysValid],
		"PEBBLE_VA_NOSLEEP":          flag[o.ValidationSleep == 0],
		"PEBBLE_VA_SLEEPTIME":        strconv.Itoa(int(o.ValidationSleep / time.Second)),
	}
	return env
}

func (o Options) profiles() map[string]ca.Profile {
	out := make(map[string]ca.Profile, len(o.Profiles))
	for name, p := range o.Profiles {
		out[name] = ca.Profile{Description: p.Description, PromoteCommonName: p.CommonName, ValidityPeriod: uint64(p.Validity / time.Second)}
	}
	return out
}

// pebbleLogger gives Pebble the kind of logger that it wants.
func (o Options) pebbleLogger() *log.Logger {
	return slog.NewLogLogger(o.Logger.Handler(), slog.LevelInfo)
}
