package validate

import (
	"context"
	"net"
	"net/http"
	"net/url"
)

// Head asks each address of an http-01 request's identifier, IPv6 and IPv4, for
// the response by HEAD, and does not mind the answers: RFC 8555, Section 8.3,
// leaves a server open to requests that prove nothing.
func (v *Validator) Head(ctx context.Context, r Request) {
	l := &look{Validator: v, Perspective: v.primary, req: r}
	ctx, cancel := context.WithTimeout(ctx, v.c.Timeout)
	defer cancel()
	addrs, _ := l.addresses(ctx, r.Identifier.Value) // none when they can't be had
	for _, addr := range addrs {
		conn, err := l.dial(ctx, addr, v.c.HTTPPort)
		if err != nil {
			continue
		}
		transport := &http.Transport{DisableKeepAlives: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
		at := url.URL{Scheme: "http", Host: net.JoinHostPort(r.Identifier.Value, "80"), Path: "/.well-known/acme-challenge/" + r.Token}
		if req, err := http.NewRequestWithContext(ctx, http.MethodHead, at.String(), nil); err == nil {
			req.Header.Set("User-Agent", v.c.UserAgent)
			if res, err := transport.RoundTrip(req); err == nil {
				res.Body.Close()
			}
		}
		conn.Close()
	}
}
