package mockca

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Faults that send the client elsewhere: RFC 8555, Section 6.2 to 6.4; RFC 9110,
// Section 15.4.

func redirectFaults() []FaultInfo {
	return []FaultInfo{
		entry("status[,host]=302", func(params string) (Fault, error) {
			if params == "" {
				params = "302"
			}
			code, host, _ := strings.Cut(params, ",")
			switch status, _ := strconv.Atoi(code); status {
			case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
				return RedirectGet(status, host), nil
			}
			return Fault{}, fmt.Errorf("fault redirect-get: %q is not one of 301, 302, 307, 308", code)
		}),
		chosen(RedirectPost, "307", "308"), simple(RedirectLoop), simple(RedirectHTTP),
	}
}

const redirected = "redirected"

func wasRedirected(x *Exchange) bool { return x.Request().URL.Query().Has(redirected) }

// redirect answers with another place for the same request.
func redirect(x *Exchange, status int, change func(*url.URL)) *Response {
	u := *x.Request().URL
	base, err := url.Parse(x.Base())
	if err != nil {
		return nil
	}
	u.Scheme, u.Host = base.Scheme, base.Host
	q := u.Query()
	n, _ := strconv.Atoi(q.Get(redirected))
	q.Set(redirected, strconv.Itoa(n+1))
	u.RawQuery = q.Encode()
	if change != nil {
		change(&u)
	}
	r := NewResponse(status, "text/html", "<html><body>Over there.</body></html>\n")
	r.Header.Set("Location", u.String())
	return r
}

// RedirectGet redirects the directory once, with status 301, 302, 307 or 308, to
// the same host or to another one, such as "localhost"; a port in it counts.
func RedirectGet(status int, host string) Fault {
	f := Fault{
		Name: "redirect-get", Params: strconv.Itoa(status), Doc: "the directory is redirected, to the same or another https host", Duty: "follow, a bounded number of times and to https only",
		Requirements: []string{"RFC8555-6.1-02", "RFC8555-7.1-05"},
		Endpoints:    []Endpoint{Directory},
		Request: func(x *Exchange) *Response {
			if wasRedirected(x) {
				return nil
			}
			return redirect(x, status, func(u *url.URL) {
				switch {
				case host == "":
				case !strings.Contains(host, ":") && u.Port() != "":
					u.Host = host + ":" + u.Port()
				default:
					u.Host = host
				}
			})
		},
	}
	if host != "" {
		f.Params += "," + host
	}
	return f
}

// RedirectPost answers signed requests with a redirect, "307" or "308". Who
// follows sends a JWS whose url is a lie.
func RedirectPost(status string) Fault {
	code, _ := strconv.Atoi(status)
	return Fault{
		Name: "redirect-post", Params: status, Doc: "a signed request is answered with a redirect", Duty: "don't follow, since the url in the JWS would be wrong; fail",
		Requirements: []string{"RFC8555-6.4-03", "RFC8555-6.4.1-02"},
		Endpoints:    signedEndpoints(),
		Request: func(x *Exchange) *Response {
			if x.Method != http.MethodPost || wasRedirected(x) {
				return nil
			}
			return redirect(x, code, nil)
		},
	}
}

// RedirectLoop redirects the directory without end.
func RedirectLoop() Fault {
	return Fault{
		Name: "redirect-loop", Doc: "the directory is redirected without end", Duty: "give up after some, and fail",
		Endpoints: []Endpoint{Directory},
		Request:   func(x *Exchange) *Response { return redirect(x, http.StatusFound, nil) },
	}
}

// RedirectHTTP redirects the directory to http.
func RedirectHTTP() Fault {
	return Fault{
		Name: "redirect-http", Doc: "the directory is redirected to an http URL", Duty: "refuse",
		Requirements: []string{"RFC8555-6.1-02"},
		Endpoints:    []Endpoint{Directory},
		Request: func(x *Exchange) *Response {
			return redirect(x, http.StatusFound, func(u *url.URL) { u.Scheme = "http" })
		},
	}
}
