package interop_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// answering is what a site does for clients that leave it to the caller: a web
// server, a TLS server, and updates of the DNS.
type answering struct {
	s *served

	mu     sync.Mutex
	tokens map[string]string
	alpn   map[string]*tls.Certificate
}

// answer listens where the CA looks.
func answer(t *testing.T, s *served) *answering {
	a := &answering{s: s, tokens: map[string]string{}, alpn: map[string]*tls.Certificate{}}
	web, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.HTTPPort))
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		fmt.Fprint(w, a.tokens[strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/")])
	}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(web) }()
	t.Cleanup(func() { _ = server.Close() })
	l, err := tls.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.TLSPort), &tls.Config{NextProtos: []string{"acme-tls/1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if c := a.alpn[hello.ServerName]; c != nil {
				return c, nil
			}
			return nil, fmt.Errorf("nothing is known about %q", hello.ServerName)
		}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() {
				_ = c.(*tls.Conn).HandshakeContext(context.Background())
				_ = c.Close()
			}()
		}
	}()
	return a
}

func (a *answering) set(token, keyAuthorization string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[token] = keyAuthorization
}

func (a *answering) setTLS(host string, c *tls.Certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alpn[host] = c
}

// update adds a TXT record by RFC 2136, signed.
func (a *answering) update(name, value string) error {
	labels := dns.SplitDomainName(name)
	zone := strings.Join(labels[len(labels)-2:], ".") // as the server has it
	m := new(dns.Msg)
	m.SetUpdate(dns.Fqdn(zone))
	m.Insert([]dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}, Txt: []string{value}}})
	m.SetTsig(dns.Fqdn(a.s.TSIGName), dns.Fqdn(a.s.TSIGAlgorithm), 300, time.Now().Unix())
	c := &dns.Client{TsigSecret: map[string]string{dns.Fqdn(a.s.TSIGName): a.s.TSIGSecret}, Timeout: 10 * time.Second}
	reply, _, err := c.Exchange(m, a.s.DNS)
	if err == nil && reply.Rcode != dns.RcodeSuccess {
		err = fmt.Errorf("the update was answered %s", dns.RcodeToString[reply.Rcode])
	}
	return err
}
