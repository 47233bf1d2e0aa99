package admin

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const tokenCookie = "acme-e2e-token"

// guard tells why a request is not served; nil when it is.
func (s *Server) guard(w http.ResponseWriter, r *http.Request) *Error {
	if s.token == "" {
		if !loopbackAddr(r.RemoteAddr) {
			return &Error{Status: http.StatusForbidden, Detail: "without a token the management is for the machine itself only"}
		}
		if !loopbackHost(r.Host) {
			return &Error{Status: http.StatusMisdirectedRequest, Detail: "the management is at localhost, not at " + r.Host}
		}
	} else if !public(r) && !s.knowsToken(w, r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="acme-e2e"`)
		return &Error{Status: http.StatusUnauthorized, Detail: "the management needs its token: Authorization: Bearer TOKEN, or ?token=TOKEN"}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return &Error{Status: http.StatusForbidden, Detail: "a page of " + origin + " can't use the management"}
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return &Error{Status: http.StatusForbidden, Detail: "another site's page can't use the management"}
	}
	return nil
}

// public is what Pebble's users fetch before they trust anything: certificates.
func public(r *http.Request) bool {
	path := r.URL.Path
	return r.Method == http.MethodGet && (strings.HasPrefix(path, "/roots/") || strings.HasPrefix(path, "/intermediates/") ||
		path == "/api/ca-bundle.pem" || path == "/api/roots.pem")
}

func (s *Server) knowsToken(w http.ResponseWriter, r *http.Request) bool {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.isToken(given) {
		return true
	}
	if c, err := r.Cookie(tokenCookie); err == nil && s.isToken(c.Value) {
		return true
	}
	if !s.isToken(r.URL.Query().Get("token")) {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: tokenCookie, Value: s.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return true
}

func (s *Server) isToken(given string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(s.token)) == 1
}

func loopbackAddr(hostport string) bool {
	a, err := netip.ParseAddrPort(hostport)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}
