package validate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

func body(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

func TestHTTP01ComparesTheKeyAuthorization(t *testing.T) {
	for name, tc := range map[string]struct {
		handler     http.HandlerFunc
		typ, detail string
	}{
		"exact":                     {keyAuthorization, "", ""},
		"whitespace at the end":     {body(200, keyAuth+" \t\r\n\n"), "", ""},
		"whitespace at the start":   {body(200, " "+keyAuth), "incorrectResponse", "did not match"},
		"another":                   {body(200, token+".other"), "incorrectResponse", `Expected "` + keyAuth},
		"empty":                     {body(200, ""), "incorrectResponse", "got 0 other octets"},
		"more after it":             {body(200, keyAuth+"x"), "incorrectResponse", "did not match"},
		"too much whitespace":       {body(200, keyAuth+strings.Repeat(" ", 1000)), "incorrectResponse", "did not match"},
		"not found":                 {body(404, keyAuth), "incorrectResponse", "192.0.2.1: Invalid response from http://a.example:5002/.well-known/acme-challenge/" + token + ": 404"},
		"another success":           {body(203, keyAuth), "incorrectResponse", ": 203"},
		"redirect without target":   {body(302, ""), "incorrectResponse", ": 302"},
		"server error":              {body(500, "x"), "incorrectResponse", ": 500"},
		"connection closed at once": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection", "192.0.2.1: Fetching http://a.example:5002/"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
			w.serve(t, "192.0.2.1:5002", tc.handler)
			result := w.validator(validate.Config{}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
			requireProblem(t, result.Problem, tc.typ, tc.detail)
			require.Equal(t, []validate.Record{{
				URL: "http://a.example:5002/.well-known/acme-challenge/" + token, Hostname: "a.example", Port: "5002",
				Addresses: []string{"192.0.2.1"}, AddressUsed: "192.0.2.1",
			}}, result.Records)
			require.False(t, result.Ended.Before(result.Started))
		})
	}
}

func TestHTTP01AsksAsItShould(t *testing.T) {
	w := newWorld()
	w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
	var got *http.Request
	w.serve(t, "192.0.2.1:80", func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		keyAuthorization(w, r)
	})
	result := w.validator(validate.Config{HTTPPort: 80, UserAgent: "me"}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
	requireProblem(t, result.Problem, "", "")
	require.Equal(t, "a.example", got.Host, "no port where it is the usual one")
	require.Equal(t, http.MethodGet, got.Method)
	require.Equal(t, "me", got.UserAgent())
	require.Equal(t, "*/*", got.Header.Get("Accept"))
	require.Empty(t, got.Header.Get("Accept-Encoding"))
}

func TestMismatchTypeCanBeBouldersOwn(t *testing.T) {
	w := newWorld()
	w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
	w.serve(t, "192.0.2.1:5002", body(200, "x"))
	w.SetMX("_acme-challenge.a.example", "m.example")
	v := w.validator(validate.Config{Mismatch: validate.Unauthorized})
	requireProblem(t, v.Validate(t.Context(), request(validate.HTTP01, "a.example")).Problem, "unauthorized", "did not match")
	requireProblem(t, v.Validate(t.Context(), request(validate.DNS01, "a.example")).Problem, "unauthorized", "No TXT record")
}

func TestHTTP01FollowsRedirectsWithinBounds(t *testing.T) {
	to := func(status int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		}
	}
	for name, tc := range map[string]struct {
		handler     http.HandlerFunc // of a.example; b.example has the key authorization everywhere
		typ, detail string
	}{
		"another host":                {to(302, "http://b.example/x"), "", ""},
		"301":                         {to(301, "http://b.example/x"), "", ""},
		"307":                         {to(307, "http://b.example/x"), "", ""},
		"308":                         {to(308, "http://b.example/x"), "", ""},
		"port 80":                     {to(302, "http://b.example:80/x"), "", ""},
		"the port that stands for it": {to(302, "http://b.example:5002/x"), "", ""},
		"with a fragment and a user":  {to(302, "http://me:secret@b.example/x#y"), "", ""},
		"https":                       {to(302, "https://b.example/x"), "", ""},
		"port 443":                    {to(302, "https://b.example:443/x"), "", ""},
		"relative": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				_, _ = w.Write([]byte(keyAuth))
				return
			}
			to(302, "/elsewhere")(w, r)
		}, "", ""},
		"303":                       {to(303, "http://b.example/x"), "connection", "disallowed redirect status code 303"},
		"another port":              {to(302, "http://b.example:8080/x"), "connection", "Only ports 5002 and 5003 are supported, not 8080"},
		"another scheme":            {to(302, "ftp://b.example/x"), "connection", `not "ftp"`},
		"a file":                    {to(302, "file:///etc/passwd"), "connection", `not "file"`},
		"an address":                {to(302, "http://192.0.2.2/x"), "connection", "not IP addresses"},
		"no host":                   {to(302, "http:///x"), "connection", "Invalid empty host"},
		"missing slash":             {to(302, "http://b.example.well-known/acme-challenge/x"), "connection", "missing '/'"},
		"not a URL":                 {to(302, "http://%zz/"), "connection", "Fetching"},
		"to itself":                 {to(302, "http://a.example:5002/.well-known/acme-challenge/"+token), "connection", "Redirect loop"},
		"to a name without address": {to(302, "http://c.example/x"), "dns", "c.example"},
		"without end": {func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.URL.Query().Get("n"))
			to(302, "/?n="+strconv.Itoa(n+1))(w, r)
		}, "connection", "Too many redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
			w.SetA("b.example", netip.MustParseAddr("192.0.2.2"))
			w.serve(t, "192.0.2.1:5002", tc.handler)
			w.serve(t, "192.0.2.2:5002", func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					_, _ = w.Write([]byte(keyAuth))
				}
			})
			secure := httptest.NewUnstartedServer(body(200, keyAuth))
			secure.Listener.Close()
			secure.Listener = w.listen(t, "192.0.2.2:5003")
			secure.StartTLS()
			t.Cleanup(secure.Close)
			result := w.validator(validate.Config{}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
			requireProblem(t, result.Problem, tc.typ, tc.detail)
			require.LessOrEqual(t, len(result.Records), 11)
		})
	}
}

func TestHTTP01FollowsNoRedirectsWhenTold(t *testing.T) {
	w := newWorld()
	w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
	w.serve(t, "192.0.2.1:5002", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) })
	result := w.validator(validate.Config{MaxRedirects: -1}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
	requireProblem(t, result.Problem, "connection", "Too many redirects")
	require.Len(t, result.Records, 1)
}

func TestHTTP01TriesIPv6First(t *testing.T) {
	six, four, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")
	for name, tc := range map[string]struct {
		serveSix, serveFour http.HandlerFunc
		typ, detail         string
		used                []string
	}{
		"both":               {keyAuthorization, body(404, ""), "", "", []string{"2001:db8::1"}},
		"IPv6 refused":       {nil, keyAuthorization, "", "", []string{"2001:db8::1", "192.0.2.1"}},
		"IPv6 answers wrong": {body(404, ""), keyAuthorization, "incorrectResponse", "2001:db8::1: Invalid response", []string{"2001:db8::1"}},
		"neither":            {nil, nil, "connection", "192.0.2.1: Fetching http://a.example:5002/.well-known/acme-challenge/" + token + ": Connection refused", []string{"2001:db8::1", "192.0.2.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.SetA("a.example", four, other, six)
			if tc.serveSix != nil {
				w.serve(t, "[2001:db8::1]:5002", tc.serveSix)
			}
			if tc.serveFour != nil {
				w.serve(t, "192.0.2.1:5002", tc.serveFour)
			}
			result := w.validator(validate.Config{}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
			requireProblem(t, result.Problem, tc.typ, tc.detail)
			var used []string
			for _, r := range result.Records {
				used = append(used, r.AddressUsed)
				require.Len(t, r.Addresses, 3)
			}
			require.Equal(t, tc.used, used)
		})
	}
}

func TestHTTP01ValidatesAddresses(t *testing.T) {
	w := newWorld()
	host := ""
	handler := func(w http.ResponseWriter, r *http.Request) { host = r.Host; keyAuthorization(w, r) }
	w.serve(t, "192.0.2.1:5002", handler)
	w.serve(t, "[2001:db8::1]:5002", handler)
	v := w.validator(validate.Config{})
	requireProblem(t, v.Validate(t.Context(), address("192.0.2.1")).Problem, "", "")
	require.Equal(t, "192.0.2.1:5002", host)
	requireProblem(t, v.Validate(t.Context(), address("2001:db8::1")).Problem, "", "")
	require.Equal(t, "[2001:db8::1]:5002", host)
	requireProblem(t, v.Validate(t.Context(), address("nonsense")).Problem, "malformed", "not an address")
	require.Empty(t, w.Queries(), "addresses are not looked up")
}

// Servers that stall cost no more than the time given, whatever they stall in.
func TestHTTP01NeverWaitsForEver(t *testing.T) {
	for name, tc := range map[string]struct {
		set    func(t *testing.T, w *world)
		detail string
		within time.Duration
	}{
		"connecting":    {func(_ *testing.T, w *world) { w.holes["192.0.2.1:5002"] = true }, "Timeout during connect", 5 * time.Second},
		"headers":       {func(t *testing.T, w *world) { w.raw(t, "192.0.2.1:5002", "") }, "Timeout after connect", 20 * time.Second},
		"half a header": {func(t *testing.T, w *world) { w.raw(t, "192.0.2.1:5002", "HTTP/1.1 200 OK\r\nContent-") }, "Timeout after connect", 20 * time.Second},
		"body": {func(t *testing.T, w *world) {
			w.raw(t, "192.0.2.1:5002", "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n"+keyAuth[:50])
		}, "Timeout after connect", 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
				tc.set(t, w)
				result := w.validator(validate.Config{}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
				requireProblem(t, result.Problem, "connection", tc.detail)
				require.Equal(t, tc.within, result.Ended.Sub(result.Started))
			})
		})
	}
}

func TestHTTP01FallsBackFromASilentIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.SetA("a.example", netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1"))
		w.holes["[2001:db8::1]:5002"] = true
		w.raw(t, "192.0.2.1:5002", "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n"+keyAuth)
		result := w.validator(validate.Config{}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
		requireProblem(t, result.Problem, "", "")
		require.Equal(t, 5*time.Second, result.Ended.Sub(result.Started))
	})
}

func TestHTTP01LimitsWhatItReads(t *testing.T) {
	for name, answer := range map[string]string{
		"header":           "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20),
		"not HTTP":         strings.Repeat("\x00", 1<<17),
		"redirect headers": "HTTP/1.1 302 Found\r\nLocation: http://a.example/" + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"many continues":   strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
			w.raw(t, "192.0.2.1:5002", answer)
			result := w.validator(validate.Config{Timeout: 10 * time.Second}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
			requireProblem(t, result.Problem, "connection", "192.0.2.1: Fetching")
			require.NotContains(t, result.Problem.Detail, "Timeout")
		})
	}
}

func TestHTTP01OverRealSockets(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(keyAuthorization))
	defer s.Close()
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	v := validate.New(validate.Config{HTTPPort: port}) // ::1 refuses, 127.0.0.1 answers
	result := v.Validate(t.Context(), request(validate.HTTP01, "whatever.example"))
	requireProblem(t, result.Problem, "", "")
	s.Close()
	requireProblem(t, v.Validate(t.Context(), request(validate.HTTP01, "whatever.example")).Problem, "connection", "127.0.0.1: Fetching")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	requireProblem(t, v.Validate(ctx, request(validate.HTTP01, "whatever.example")).Problem, "connection", "Fetching")
}

func FuzzHTTP01Response(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\n\r\n" + keyAuth)
	f.Add("HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\n\r\n")
	f.Add("HTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\n57\r\n" + keyAuth + "\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, answer string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.SetDefaults(netip.MustParseAddr("192.0.2.1"), netip.Addr{})
			w.raw(t, "192.0.2.1:5002", answer)
			w.raw(t, "192.0.2.1:5003", answer)
			result := w.validator(validate.Config{}).Validate(t.Context(), request(validate.HTTP01, "a.example"))
			if result.Problem == nil {
				require.Contains(t, answer, keyAuth)
			} else {
				require.NotEmpty(t, result.Problem.Type)
				require.NotEmpty(t, result.Problem.Detail)
			}
			require.LessOrEqual(t, result.Ended.Sub(result.Started), 21*time.Second)
		})
	})
}
