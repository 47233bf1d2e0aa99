package conformance

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/servercases"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// Target is a server that is to be judged, and the means to answer its
// challenges. DirectoryURL is needed; without any means nothing is issued, and
// the cases that need a certificate are skipped.
type Target struct {
	DirectoryURL string
	RootCAs      *x509.CertPool // of the server's API; nil: the system's

	// Domain is where the names of the run lie, as fresh labels below it;
	// "conformance.test" when empty.
	Domain string

	// Responder answers challenges itself, on ports where the server looks.
	Responder *Responder
	// ResolvesHere says that the server asks the Responder's DNS.
	ResolvesHere bool
	// Addresses are IP addresses of this machine under which the server reaches
	// the Responder, for identifiers of type ip (RFC 8738).
	Addresses []netip.Addr

	// Webroot, Command and RFC2136 hand answers on to others, where the ports
	// are not ours. At most one may be set.
	Webroot string
	Command string // run as COMMAND present|cleanup TYPE NAME TOKEN VALUE
	RFC2136 *RFC2136

	// AlwaysValid says that the server does not look at challenges.
	AlwaysValid bool

	ExternalAccount *ExternalAccount
	Contact         []string
	// ShareAccount lets cases share an account where they don't harm it, for
	// servers on which accounts are dear.
	ShareAccount bool
	UserAgent    string
	// Timeout of one exchange; 15 s when 0.
	Timeout time.Duration
	// Terms changes the server's terms of service, where there is a way to.
	Terms func()
}

// ExternalAccount is the MAC key of an external account (RFC 8555, Section
// 7.3.4).
type ExternalAccount struct {
	KeyID string
	Key   []byte
}

// RFC2136 is a DNS server that takes dynamic updates.
type RFC2136 struct {
	Server, Zone       string
	KeyName, KeySecret string // TSIG; the secret in base64
	KeyAlgorithm       string // "hmac-sha256" when empty
}

// Responder answers http-01, tls-alpn-01 and DNS for the cases. Start it before
// a server that has to be told its ports.
type Responder struct{ r *responder.Responder }

// ResponderOptions say where to listen, as host:port; what is empty is not
// answered, port 0 takes a free port.
type ResponderOptions struct {
	HTTPAddr, TLSAddr, DNSAddr string
	// IPv4 and IPv6 are what all names resolve to at DNSAddr; 127.0.0.1 when
	// both are invalid.
	IPv4, IPv6 netip.Addr
}

// StartResponder starts answering. It runs until Close or until ctx ends; the
// error names the port that could not be had.
func StartResponder(ctx context.Context, o ResponderOptions) (*Responder, error) {
	r, err := responder.Start(ctx, responder.Options{HTTPAddr: o.HTTPAddr, TLSAddr: o.TLSAddr, DNSAddr: o.DNSAddr, IPv4: o.IPv4, IPv6: o.IPv6})
	if err != nil {
		return nil, err
	}
	return &Responder{r}, nil
}

// HTTPPort is where http-01 is answered, 0 when it is not.
func (r *Responder) HTTPPort() int { return r.r.HTTPPort() }

// TLSPort is where tls-alpn-01 is answered, 0 when it is not.
func (r *Responder) TLSPort() int { return r.r.TLSPort() }

// DNSAddr is where DNS is answered, empty when it is not.
func (r *Responder) DNSAddr() string { return r.r.DNSAddr() }

// Close stops answering.
func (r *Responder) Close() { r.r.Close() }

// check complains about all that makes no sense.
func (t Target) check() error {
	var errs []error
	if u, err := url.Parse(t.DirectoryURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		errs = append(errs, fmt.Errorf("DirectoryURL is %q, not the URL of a directory", t.DirectoryURL))
	}
	means := 0
	for _, set := range []bool{t.Webroot != "", t.Command != "", t.RFC2136 != nil} {
		if set {
			means++
		}
	}
	if means > 1 {
		errs = append(errs, errors.New("at most one of Webroot, Command and RFC2136 may hand answers on"))
	}
	if t.ResolvesHere && (t.Responder == nil || t.Responder.DNSAddr() == "") {
		errs = append(errs, errors.New("ResolvesHere without a Responder that answers DNS"))
	}
	return errors.Join(errs...)
}

func (t Target) env() *servercases.Env {
	env := &servercases.Env{
		DirectoryURL: t.DirectoryURL,
		Transport:    wire.NewTransport(t.RootCAs),
		UserAgent:    t.UserAgent,
		Timeout:      t.Timeout,
		Domain:       t.Domain,
		AlwaysValid:  t.AlwaysValid,
		ResolvesHere: t.ResolvesHere,
		Addresses:    t.Addresses,
		Contact:      t.Contact,
		ShareAccount: t.ShareAccount,
		Terms:        t.Terms,
	}
	if env.Domain == "" {
		env.Domain = "conformance.test"
	}
	if t.Responder != nil {
		env.Responder = t.Responder.r
	}
	if t.ExternalAccount != nil {
		env.Binding = &servercases.Binding{KeyID: t.ExternalAccount.KeyID, Key: t.ExternalAccount.Key}
	}
	switch {
	case t.Webroot != "":
		env.Publisher = responder.Webroot(t.Webroot)
	case t.Command != "":
		env.Publisher = responder.Exec{Program: t.Command}
	case t.RFC2136 != nil:
		env.Publisher = responder.RFC2136{Server: t.RFC2136.Server, Zone: t.RFC2136.Zone, KeyName: t.RFC2136.KeyName, KeySecret: t.RFC2136.KeySecret, KeyAlgorithm: t.RFC2136.KeyAlgorithm}
	}
	return env
}

// close ends idle connections to the server.
func closeIdle(rt http.RoundTripper) {
	if t, ok := rt.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}
