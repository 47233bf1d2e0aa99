package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// The directories of Let's Encrypt.
const (
	LetsEncrypt        = "https://acme-v02.api.letsencrypt.org/directory"
	LetsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// A Clock tells the time and waits. Sleep returns nil once d has passed, or the
// cause of ctx when that ends first. Implementations are safe for concurrent use.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Config says which CA to talk to, and how. Only DirectoryURL is required; the
// zero value of every other field is a sensible default.
type Config struct {
	// DirectoryURL is the CA's directory (RFC 8555, Section 7.1.1).
	DirectoryURL string

	// Transport carries every request; the client follows redirects and retries
	// by itself. Nil makes a transport with HTTP/2, connection reuse and the
	// proxy of the environment.
	Transport http.RoundTripper

	// RootCAs are the roots that the CA's API certificate is checked against;
	// nil means the system's. Not used with a Transport of the caller's.
	RootCAs *x509.CertPool

	UserAgent      string // put before the client's own (RFC 8555, Section 6.1)
	AcceptLanguage string // languages for messages, such as "de, en;q=0.5"; "en" when empty

	Logger *slog.Logger // nil is silent; keys, MACs and JWS bodies are never logged
	Clock  Clock        // nil is the machine's

	// AllowHTTP accepts "http:" URLs, and only those whose host is a loopback
	// address or localhost. For tests.
	AllowHTTP bool

	Retry RetryPolicy

	// Parallel is how many requests one Obtain has in flight at most; 0 means 50.
	Parallel int

	// RequestTimeout limits one exchange, from connecting to the last byte of
	// the answer; 0 means 30 seconds.
	RequestTimeout time.Duration

	// PollTimeout limits the wait for the CA to validate or to issue, besides
	// the caller's context; 0 means 10 minutes.
	PollTimeout time.Duration
}

// Client talks to one CA. Make it with New; it is safe for concurrent use, and
// one per CA is enough: nonces and connections are shared by all its accounts.
type Client struct {
	cfg   Config
	rt    http.RoundTripper
	own   *http.Transport // nil when the caller lent one
	clock Clock
	log   *slog.Logger
	agent []string // header values: shared by all requests, never changed
	jose  []string
	lang  []string

	nonces  noncePool
	issuers issuerCache
	skew    atomic.Int64 // what the CA's clock is ahead of ours, in ns; 0 within tolerableSkew
	skewed  atomic.Bool  // it was logged

	dirMu   sync.Mutex // covers the fields below, never a request
	dir     *Directory
	dirAge  time.Time
	dirBusy chan struct{} // closed when the fetch that is under way ends
}

// New checks the configuration and returns a client. It does not touch the
// network; the first operation fetches the directory.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, clock: cfg.Clock, log: cfg.Logger, rt: cfg.Transport}
	if c.clock == nil {
		c.clock = clock.System
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.cfg.Retry = cfg.Retry.withDefaults()
	if c.cfg.Parallel <= 0 {
		c.cfg.Parallel = 50
	}
	if c.cfg.RequestTimeout <= 0 {
		c.cfg.RequestTimeout = 30 * time.Second
	}
	if c.cfg.PollTimeout <= 0 {
		c.cfg.PollTimeout = 10 * time.Minute
	}
	c.agent = []string{strings.TrimSpace(cfg.UserAgent + " acme-e2e-client/1 net-http/" + strings.TrimPrefix(runtime.Version(), "go"))}
	c.jose = []string{"application/jose+json"}          // RFC 8555, Section 6.2
	c.lang = []string{cmp.Or(cfg.AcceptLanguage, "en")} // RFC 8555, Section 6.1
	if strings.ContainsAny(cfg.UserAgent+cfg.AcceptLanguage, "\r\n\x00") {
		return nil, errors.New("acme: UserAgent and AcceptLanguage must be single lines")
	}
	if err := c.checkURL(cfg.DirectoryURL); err != nil {
		return nil, fmt.Errorf("acme: directory URL: %w", err)
	}
	if c.rt == nil {
		c.own = newTransport(cfg.RootCAs)
		c.rt = c.own
	}
	return c, nil
}

// Close closes idle connections of the client's own transport. The client can
// still be used afterwards.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

func newTransport(roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 256 << 10, // room for a thousand links
		DisableCompression:     true,      // the answers are small, and a compressed one can be a bomb
	}
}

// checkURL accepts what may be asked: an absolute https URL without user
// information, or a loopback http one where allowed (RFC 8555, Section 6.1).
func (c *Client) checkURL(s string) error {
	if strings.HasPrefix(s, "https://") && plainURL(s[len("https://"):]) {
		return nil
	}
	if len(s) > maxURL {
		return fmt.Errorf("%w: URL of %d bytes", ErrRefused, len(s))
	}
	u, err := url.Parse(s)
	switch {
	case s == "":
		return fmt.Errorf("%w: missing URL", ErrRefused)
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%w: %q is not an absolute https URL", ErrRefused, printable(s))
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && c.cfg.AllowHTTP && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%w: %q is not https (AllowHTTP permits http to loopback only)", ErrRefused, printable(s))
	}
	return fmt.Errorf("%w: %q is not an https URL", ErrRefused, printable(s))
}

const maxURL = 4096

// plainURL reports whether what follows "https://" is of harmless characters
// only, which spares parsing: almost every URL of an honest CA is.
func plainURL(rest string) bool {
	if rest == "" || rest[0] == '/' || rest[0] == ':' || len(rest) > maxURL-8 {
		return false
	}
	host, path, _ := strings.Cut(rest, "/")
	host, port, hasPort := strings.Cut(host, ":")
	if hasPort && (!isDigits(port) || len(port) > 5) {
		return false
	}
	for i := range len(host) {
		if b := host[i]; !isAlphanumeric(b) && b != '-' && b != '.' {
			return false
		}
	}
	for i := range len(path) {
		if b := path[i]; !isAlphanumeric(b) && b != '-' && b != '.' && b != '_' && b != '/' && b != '=' && b != '~' {
			return false
		}
	}
	return true
}

func isAlphanumeric(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
