package validate

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// RFC 8555, Section 8.3: http-01. Where it leaves things open (redirects, IPv6)
// Boulder's habits are kept, which its users' servers have to suit.

const (
	maxHTTPHeader = 64 << 10 // of a response
	minHTTPBody   = 128      // a response may have so much, and a little more than the key authorization
	slackHTTPBody = 64
)

func (l *look) http01(ctx context.Context) *Problem {
	host := l.req.Identifier.Value
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if l.c.HTTPPort != 80 {
		host += ":" + strconv.Itoa(l.c.HTTPPort)
	}
	at := &url.URL{Scheme: "http", Host: host, Path: "/.well-known/acme-challenge/" + l.req.Token}
	seen := map[string]bool{}
	for {
		seen[at.String()] = true
		fetched, p := l.fetch(ctx, at)
		if p != nil {
			return p
		}
		if fetched.next == nil {
			return l.compare(at, fetched)
		}
		switch {
		case len(seen) > l.c.MaxRedirects:
			return problem(Connection, "%s: Fetching %s: Too many redirects", fetched.from, at)
		case seen[fetched.next.String()]:
			return problem(Connection, "%s: Fetching %s: Redirect loop detected", fetched.from, fetched.next)
		}
		at = fetched.next
	}
}

// fetched is one response.
type fetched struct {
	from   netip.Addr
	status int
	body   []byte   // as much of it as is of interest
	next   *url.URL // where it redirects to, if it does
}

// compare is the last step of Section 8.3: whitespace at the end doesn't count.
func (l *look) compare(at *url.URL, f fetched) *Problem {
	if f.status != http.StatusOK {
		return problem(l.c.Mismatch, "%s: Invalid response from %s: %d", f.from, at, f.status)
	}
	got := strings.TrimRight(string(f.body), " \t\r\n\v\f")
	if len(f.body) < l.bodyLimit() && subtle.ConstantTimeCompare([]byte(got), []byte(l.req.KeyAuthorization)) == 1 {
		return nil
	}
	what := fmt.Sprintf("%d other octets", len(got))
	if l.c.ShowBodies {
		what = strconv.Quote(got[:min(len(got), 200)])
	}
	return problem(l.c.Mismatch, "%s: The key authorization file from the server did not match this challenge. Expected %q (got %s)",
		f.from, l.req.KeyAuthorization, what)
}

// bodyLimit is one more than a response may have.
func (l *look) bodyLimit() int {
	return max(minHTTPBody, len(l.req.KeyAuthorization)+slackHTTPBody) + 1
}

// fetch gets one URL, from the first IPv6 address, or from the first IPv4
// address when no connection can be had to that.
func (l *look) fetch(ctx context.Context, at *url.URL) (fetched, *Problem) {
	port, p := l.port(at)
	if p != nil {
		return fetched{}, p
	}
	addrs, p := l.addresses(ctx, at.Hostname())
	if p != nil {
		return fetched{}, p
	}
	var last *Problem
	for _, addr := range preferred(addrs) {
		l.record(Record{URL: at.String(), Hostname: at.Hostname(), Port: strconv.Itoa(port), Addresses: texts(addrs), AddressUsed: addr.String()})
		what := fmt.Sprintf("%s: Fetching %s", addr, at)
		conn, err := l.dial(ctx, addr, port)
		if err != nil {
			last = failed(what, true, err)
			continue
		}
		f, err := l.get(ctx, at, conn)
		f.from = addr
		if err != nil {
			return f, failed(what, false, err)
		}
		return f, l.redirect(at, &f, what)
	}
	return fetched{}, last
}

// port is the one to connect to: those of HTTP and HTTPS alone, and the ports
// that stand for them.
func (l *look) port(at *url.URL) (int, *Problem) {
	switch at.Port() {
	case "":
		if at.Scheme == "https" {
			return l.c.HTTPSPort, nil
		}
		return l.c.HTTPPort, nil
	case "80", strconv.Itoa(l.c.HTTPPort):
		return l.c.HTTPPort, nil
	case "443", strconv.Itoa(l.c.HTTPSPort):
		return l.c.HTTPSPort, nil
	}
	return 0, problem(Connection, "Fetching %s: Invalid port in redirect target. Only ports %d and %d are supported, not %s", at, l.c.HTTPPort, l.c.HTTPSPort, at.Port())
}

// get sends one request over a connection, which it closes. The certificate of
// a redirect's target is not looked at: whoever controls the name could have it
// redirect to any.
func (l *look) get(ctx context.Context, at *url.URL, conn net.Conn) (fetched, error) {
	defer conn.Close()
	used := false
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if used {
				return nil, errors.New("the connection was closed")
			}
			used = true
			return conn, nil
		},
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true, ServerName: at.Hostname()}, //nolint:gosec // see above
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHTTPHeader,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return fetched{}, err
	}
	req.Header.Set("User-Agent", l.c.UserAgent)
	req.Header.Set("Accept", "*/*")
	res, err := transport.RoundTrip(req)
	if err != nil {
		return fetched{}, err
	}
	defer res.Body.Close()
	f := fetched{status: res.StatusCode}
	if res.StatusCode/100 == 3 {
		f.next, err = res.Location() // the body of a redirect says nothing
		if errors.Is(err, http.ErrNoLocation) {
			err = nil
		}
		return f, err
	}
	f.body, err = io.ReadAll(io.LimitReader(res.Body, int64(l.bodyLimit())))
	return f, err
}

// redirect checks where a response redirects to.
func (l *look) redirect(at *url.URL, f *fetched, what string) *Problem {
	if f.next == nil {
		return nil
	}
	f.next.User, f.next.Fragment, f.next.RawFragment = nil, "", ""
	host := f.next.Hostname()
	_, err := netip.ParseAddr(host)
	switch f.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return problem(Connection, "%s: received disallowed redirect status code %d", what, f.status)
	}
	switch {
	case f.next.Scheme != "http" && f.next.Scheme != "https":
		return problem(Connection, "%s: Invalid protocol scheme in redirect target. Only \"http\" and \"https\" protocol schemes are supported, not %q", what, f.next.Scheme)
	case host == "":
		return problem(Connection, "%s: Invalid empty host in redirect target %q", what, f.next)
	case err == nil && l.req.Identifier.Type != "ip" && host != at.Hostname():
		return problem(Connection, "%s: Invalid host in redirect target %q. Only domain names are supported, not IP addresses", what, host)
	case strings.HasSuffix(host, ".well-known"):
		return problem(Connection, "%s: Invalid host in redirect target %q. Check webserver config for missing '/' in redirect target", what, host)
	}
	return nil
}
