package admin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Responder answers challenges that it has been told the answers of, as
// pebble-challtestsrv does: http-01, over HTTPS too, and tls-alpn-01. It listens
// from the first answer on until the last is taken back, so that it is in
// nobody's way who answers challenges on the same ports. It is safe for
// concurrent use.
type Responder struct {
	// Where it listens, "127.0.0.1:5002"; empty: not at all.
	HTTPAddr, HTTPSAddr, TLSAddr string

	mu        sync.Mutex
	tokens    map[string]string // to key authorizations
	redirects map[string]string // paths to URLs
	hosts     map[string]string // to key authorizations, for tls-alpn-01
	http, tls []func()          // end what listens
	https     []HTTPRequest
	hellos    []TLSRequest
	key       *ecdsa.PrivateKey
}

// HTTPRequest is one that was answered, in the form of challtestsrv's history.
type HTTPRequest struct {
	URL        string
	Host       string
	HTTPS      bool
	ServerName string
	UserAgent  string
}

// TLSRequest is a handshake for tls-alpn-01, in the form of challtestsrv's
// history.
type TLSRequest struct {
	ServerName      string
	SupportedProtos []string
}

// maxHistory is how many requests of each kind are kept.
const maxHistory = 10_000

const wellKnown = "/.well-known/acme-challenge/"

// SetHTTP01 sets what is answered for a token; empty takes it back. The error is
// that it cannot listen.
func (r *Responder) SetHTTP01(token, keyAuthorization string) error {
	return r.set(func() { put(&r.tokens, token, keyAuthorization) })
}

// SetRedirect sets where a path redirects to, over HTTP; empty takes it back.
func (r *Responder) SetRedirect(path, target string) error {
	return r.set(func() { put(&r.redirects, path, target) })
}

// SetTLSALPN01 sets the key authorization for a host, a name or an address;
// empty takes it back.
func (r *Responder) SetTLSALPN01(host, keyAuthorization string) error {
	return r.set(func() { put(&r.hosts, strings.ToLower(host), keyAuthorization) })
}

func put(m *map[string]string, key, value string) {
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[key] = value
	if value == "" {
		delete(*m, key)
	}
}

// HTTPRequests are those that named a host, without port.
func (r *Responder) HTTPRequests(host string) []HTTPRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.https), func(q HTTPRequest) bool { return bare(q.Host) != host })
}

// TLSRequests are those that named a host.
func (r *Responder) TLSRequests(host string) []TLSRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.hellos), func(q TLSRequest) bool { return q.ServerName != host })
}

func (r *Responder) forget(host string, overHTTP bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if overHTTP {
		r.https = slices.DeleteFunc(r.https, func(q HTTPRequest) bool { return bare(q.Host) == host })
	} else {
		r.hellos = slices.DeleteFunc(r.hellos, func(q TLSRequest) bool { return q.ServerName == host })
	}
}

func bare(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// Close stops listening.
func (r *Responder) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(&r.http)
	r.end(&r.tls)
}

// set changes the answers, and listens where there are some.
func (r *Responder) set(change func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	var errs []error
	switch need := len(r.tokens)+len(r.redirects) > 0; {
	case need && r.http == nil:
		errs = append(errs, r.listen(&r.http, r.HTTPAddr, nil, r), r.listen(&r.http, r.HTTPSAddr, r.webConfig, r))
	case !need:
		r.end(&r.http)
	}
	switch need := len(r.hosts) > 0; {
	case need && r.tls == nil:
		errs = append(errs, r.listen(&r.tls, r.TLSAddr, r.alpnConfig, http.NotFoundHandler()))
	case !need:
		r.end(&r.tls)
	}
	return errors.Join(errs...)
}

func (r *Responder) end(list *[]func()) {
	for _, stop := range *list {
		stop()
	}
	*list = nil
}

func (r *Responder) listen(list *[]func(), addr string, config func() (*tls.Config, error), h http.Handler) error {
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("answering challenges: %w", err)
	}
	if config != nil {
		c, err := config()
		if err != nil {
			_ = l.Close() // the other error counts
			return err
		}
		l = tls.NewListener(l, c)
	}
	server := &http.Server{Handler: h, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	server.SetKeepAlivesEnabled(false)
	go func() { _ = server.Serve(l) }() // until it is closed
	*list = append(*list, func() { _ = server.Shutdown(context.Background()) })
	return nil
}

// ServeHTTP answers http-01.
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	seen := HTTPRequest{URL: req.URL.String(), Host: req.Host, HTTPS: req.TLS != nil, UserAgent: req.UserAgent()}
	if req.TLS != nil {
		seen.ServerName = req.TLS.ServerName
	}
	r.mu.Lock()
	r.https = keep(r.https, seen)
	target, redirected := r.redirects[req.URL.Path]
	token, _ := strings.CutPrefix(req.URL.Path, wellKnown)
	answer, known := r.tokens[token]
	r.mu.Unlock()
	switch {
	case redirected && req.TLS == nil:
		http.Redirect(w, req, target, http.StatusFound)
	case known:
		_, _ = w.Write([]byte(answer)) // the CA is gone
	}
}

func keep[T any](list []T, v T) []T {
	if len(list) >= maxHistory {
		list = slices.Delete(list, 0, maxHistory/2)
	}
	return append(list, v)
}

// webConfig is for redirects to HTTPS, where nobody looks at the certificate.
func (r *Responder) webConfig() (*tls.Config, error) {
	cert, err := r.certificate("challenge.test", nil)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{*cert}}, nil
}

func (r *Responder) alpnConfig() (*tls.Config, error) {
	return &tls.Config{NextProtos: []string{"acme-tls/1"}, GetCertificate: r.answerHello}, nil
}

// idPeAcmeIdentifier: RFC 8737, Section 6.1.
var idPeAcmeIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// answerHello: RFC 8737, Section 3; RFC 8738, Section 6, for addresses.
func (r *Responder) answerHello(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hellos = keep(r.hellos, TLSRequest{hello.ServerName, hello.SupportedProtos})
	if !slices.Equal(hello.SupportedProtos, []string{"acme-tls/1"}) {
		return nil, fmt.Errorf("the protocols offered are %q, not acme-tls/1 alone", hello.SupportedProtos)
	}
	host := strings.ToLower(hello.ServerName)
	if a, ok := addressOfReverse(host); ok {
		host = a.String()
	}
	keyAuthorization, ok := r.hosts[host]
	if !ok {
		return nil, fmt.Errorf("nothing is known about %q", hello.ServerName)
	}
	sum := sha256.Sum256([]byte(keyAuthorization))
	value, err := asn1.Marshal(sum[:])
	if err != nil {
		return nil, err
	}
	return r.certificate(host, []pkix.Extension{{Id: idPeAcmeIdentifier, Critical: true, Value: value}})
}

// certificate makes one for a host, self-signed; mu is held.
func (r *Responder) certificate(host string, extensions []pkix.Extension) (*tls.Certificate, error) {
	if r.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		r.key = key
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "acme-e2e challenge"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), ExtraExtensions: extensions}
	if a, err := netip.ParseAddr(host); err == nil {
		template.IPAddresses = []net.IP{a.AsSlice()}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, r.key.Public(), r.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: r.key}, nil
}

// addressOfReverse reads "1.0.0.127.in-addr.arpa" and the like.
func addressOfReverse(name string) (netip.Addr, bool) {
	name = strings.TrimSuffix(name, ".")
	labels := strings.Split(name, ".")
	switch {
	case strings.HasSuffix(name, ".in-addr.arpa") && len(labels) == 6:
		labels = labels[:4]
		slices.Reverse(labels)
		a, err := netip.ParseAddr(strings.Join(labels, "."))
		return a, err == nil
	case strings.HasSuffix(name, ".ip6.arpa") && len(labels) == 34:
		labels = labels[:32]
		slices.Reverse(labels)
		var groups []string
		for i := 0; i < 32; i += 4 {
			groups = append(groups, strings.Join(labels[i:i+4], ""))
		}
		a, err := netip.ParseAddr(strings.Join(groups, ":"))
		return a, err == nil
	}
	return netip.Addr{}, false
}
