package mockca_test

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// handshake has a new connection fail, while an old one goes on.
func handshake(check func(w *wire, err error)) wireTest {
	return wireTest{show: func(w *wire) {
		w.inject()
		_, err := w.newHTTP().Get(w.ca.DirectoryURL())
		require.Error(w.t, err)
		check(w, err)
	}}
}

// patience asks an endpoint and gives up after d.
func patience(d time.Duration, check func(w *wire, read int, err error)) wireTest {
	return wireTest{show: func(w *wire) {
		w.inject()
		ctx, cancel := context.WithTimeout(w.t.Context(), d)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.ca.DirectoryURL(), nil)
		require.NoError(w.t, err)
		resp, err := w.http.Do(req)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		check(w, len(body), err)
	}}
}

func transportOnWire() map[string]wireTest {
	redirected := func(status int, location string) wireTest {
		return answer(mockca.Directory, func(w *wire, r result) {
			require.Equal(w.t, status, r.Status)
			l := r.Header.Get("Location")
			require.Contains(w.t, l, location)
			if strings.HasPrefix(l, "https") {
				r, err := w.get(http.MethodGet, l)
				require.NoError(w.t, err)
				require.Equal(w.t, http.StatusOK, r.Status)
			}
		})
	}
	return map[string]wireTest{
		"refuse": silence(mockca.Directory, func(w *wire, _ error) {
			_, err := w.newHTTP().Get(w.ca.DirectoryURL())
			require.Error(w.t, err)
		}),
		"reset-before": silence(mockca.NewAccount, func(w *wire, _ error) { require.Len(w.t, w.ca.Accounts(), 1) }),
		"reset-after": silence(mockca.NewAccount, func(w *wire, _ error) {
			require.Len(w.t, w.ca.Accounts(), 2)
			require.Equal(w.t, "reset", w.ca.Transcript().Last(mockca.NewAccount).Wire)
		}),
		"close-mid-body": silence(mockca.NewOrder, func(w *wire, err error) {
			require.ErrorContains(w.t, err, map[bool]string{false: "unexpected EOF", true: "INTERNAL_ERROR"}[w.ca.Transcript().Last(mockca.NewOrder).Proto == "HTTP/2.0"])
			require.Len(w.t, w.ca.Orders(), 1)
		}),
		"drip": patience(10500*time.Millisecond, func(w *wire, read int, err error) {
			require.ErrorIs(w.t, err, context.DeadlineExceeded)
			require.Equal(w.t, 10, read, "a byte each second")
		}),
		"stall": patience(time.Hour, func(w *wire, read int, err error) {
			require.ErrorIs(w.t, err, context.DeadlineExceeded)
			require.Zero(w.t, read)
		}),
		"stall-body": patience(time.Hour, func(w *wire, read int, err error) {
			require.ErrorIs(w.t, err, context.DeadlineExceeded)
			require.Positive(w.t, read)
		}),
		"latency": flow(func(w *wire) {
			begun := time.Now()
			_, err := w.get(http.MethodGet, w.ca.DirectoryURL())
			require.NoError(w.t, err)
			require.GreaterOrEqual(w.t, time.Since(begun), 2*time.Second)
			require.LessOrEqual(w.t, time.Since(begun), 3*time.Second)
		}),
		"tls-untrusted":  handshake(func(w *wire, err error) { require.ErrorAs(w.t, err, new(x509.UnknownAuthorityError)) }),
		"tls-wrong-name": handshake(func(w *wire, err error) { require.ErrorAs(w.t, err, new(x509.HostnameError)) }),
		"tls-expired": handshake(func(w *wire, err error) {
			var invalid x509.CertificateInvalidError
			require.ErrorAs(w.t, err, &invalid)
			require.Equal(w.t, x509.Expired, invalid.Reason)
		}),
		"tls-alert": handshake(func(w *wire, err error) { require.ErrorContains(w.t, err, "remote error: tls") }),
		"goaway": flow(func(w *wire) {
			conns := map[string]int{}
			for range 3 {
				resp, err := w.http.Get(w.ca.DirectoryURL())
				require.NoError(w.t, err)
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				x := w.ca.Transcript().Last(mockca.Directory)
				require.Equal(w.t, "goaway", x.Wire)
				conns[x.Remote]++
			}
			if w.listen == nil {
				require.Len(w.t, conns, 3, "each answer ends its connection")
			}
		}),
		"h2-reset-stream": silence(mockca.NewOrder, func(w *wire, err error) {
			if w.ca.Transcript().Last(mockca.NewOrder).Proto == "HTTP/2.0" {
				require.ErrorContains(w.t, err, "INTERNAL_ERROR")
			}
			require.Len(w.t, w.ca.Orders(), 1)
		}),
		"dns-fail": answer(mockca.Directory, func(w *wire, r result) {
			require.Regexp(w.t, `^https://gone\.invalid/`, r.text("newNonce"))
			require.Regexp(w.t, `^https://gone\.invalid/`, r.text("newOrder"))
		}),
		"redirect-get":               redirected(302, "/directory?redirected=1"),
		"redirect-get:307":           redirected(307, "/directory?redirected=1"),
		"redirect-get:301,localhost": redirected(301, "https://localhost"),
		"redirect-post": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 307, r.Status)
			require.Contains(w.t, r.Header.Get("Location"), "new-order?redirected=1")
			require.Empty(w.t, w.ca.Orders())
		}),
		"redirect-post:308": answer(mockca.NewOrder, func(w *wire, r result) { require.Equal(w.t, 308, r.Status) }),
		"redirect-loop": answer(mockca.Directory, func(w *wire, r result) {
			for range 3 {
				var err error
				require.Equal(w.t, 302, r.Status)
				r, err = w.get(http.MethodGet, r.Header.Get("Location"))
				require.NoError(w.t, err)
			}
		}),
		"redirect-http": redirected(302, "http://"),
	}
}

func httpOnWire() map[string]wireTest {
	front := func(status int, body, retryAfter string) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, status, r.Status)
			require.Contains(w.t, string(r.Body), body)
			require.Empty(w.t, r.Header.Get("Replay-Nonce"), "a front end has no nonces")
			require.Regexp(w.t, "^"+retryAfter+"$", r.Header.Get("Retry-After"))
			require.Empty(w.t, w.ca.Orders())
		})
	}
	date := func(ahead time.Duration) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) {
			at, err := http.ParseTime(r.Header.Get("Retry-After"))
			require.NoError(w.t, err)
			require.InDelta(w.t, ahead.Seconds(), at.Sub(w.ca.Clock().Now()).Seconds(), 2)
		})
	}
	return map[string]wireTest{
		"status-500":    front(500, "<html>", ""),
		"status-502":    front(502, "<html>", ""),
		"status-504":    front(504, "", ""),
		"status-503":    front(503, "<html>", ""),
		"status-503:5s": front(503, "<html>", "5"),
		"status-500-after": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 500, r.Status)
			require.Len(w.t, w.ca.Orders(), 1)
		}),
		"rate-limited": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 429, r.Status)
			require.Equal(w.t, "rateLimited", r.problem())
			require.Equal(w.t, "30", r.Header.Get("Retry-After"))
			require.Contains(w.t, strings.Join(r.Header.Values("Link"), ","), `rel="help"`)
		}),
		"rate-limited-no-hint": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, "rateLimited", r.problem())
			require.Empty(w.t, r.Header.Get("Retry-After"))
		}),
		"retry-after-date":     date(5 * time.Second),
		"retry-after-past":     date(-24 * time.Hour),
		"retry-after-negative": front(503, "", "-30"),
		"retry-after-huge":     front(503, "", "315360000"),
		"retry-after-garbage":  front(503, "", "soon, .*"),
		"empty-200": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 200, r.Status)
			require.Empty(w.t, r.Body)
			require.Len(w.t, w.ca.Orders(), 1)
		}),
		"html-200": front(200, "<!doctype html>", ""),
		"wrong-content-type": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, "text/plain; charset=utf-8", r.Header.Get("Content-Type"))
			require.Equal(w.t, "pending", r.text("status"))
			r = w.want(400, w.ca.URL(mockca.NewOrder), `{"identifiers":[]}`)
			require.Equal(w.t, "application/json", r.Header.Get("Content-Type"))
			require.Equal(w.t, "malformed", r.problem())
		}),
		"problem-2xx": refused(mockca.NewOrder, 200, "serverInternal"),
		"status-mismatch": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 403, r.Status)
			require.EqualValues(w.t, 500, r.object()["status"])
		}),
		"unknown-problem":             refused(mockca.NewOrder, 403, "urn:example:error:fullMoon"),
		"unknown-problem:about:blank": refused(mockca.NewOrder, 403, "about:blank"),
	}
}

func sizesOnWire() map[string]wireTest {
	return map[string]wireTest{
		"huge-headers:1000000": answer(mockca.Directory, func(w *wire, r result) {
			n := 0
			for _, v := range r.Header.Values("X-Padding") {
				n += len(v)
			}
			require.GreaterOrEqual(w.t, n, 1_000_000)
			require.NotEmpty(w.t, r.text("newOrder"))
		}),
		"huge-body:3000000": answer(mockca.Directory, func(w *wire, r result) {
			require.Greater(w.t, len(r.Body), 3_000_000)
			require.True(w.t, json.Valid(r.Body))
			require.Empty(w.t, w.ca.Transcript().Last(mockca.Directory).ResponseBody, "what is poured is not kept")
		}),
		"gzip-bomb:67108864": flow(func(w *wire) {
			req, err := http.NewRequest(http.MethodGet, w.ca.DirectoryURL(), nil)
			require.NoError(w.t, err)
			req.Header.Set("Accept-Encoding", "gzip")
			resp, err := w.http.Do(req)
			require.NoError(w.t, err)
			defer resp.Body.Close()
			require.Equal(w.t, "gzip", resp.Header.Get("Content-Encoding"))
			packed, err := io.ReadAll(resp.Body)
			require.NoError(w.t, err)
			require.Less(w.t, len(packed), 200_000)
			z, err := gzip.NewReader(strings.NewReader(string(packed)))
			require.NoError(w.t, err)
			n, err := io.Copy(io.Discard, z)
			require.NoError(w.t, err)
			require.EqualValues(w.t, 64<<20, n)
		}),
		"missing-location": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 201, r.Status)
			require.Empty(w.t, r.Header.Get("Location"))
		}),
		"relative-location": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Regexp(w.t, `^/acme/order/\d+$`, r.Header.Get("Location"))
			require.Regexp(w.t, `^/acme/finalize/\d+$`, r.text("finalize"))
			require.Regexp(w.t, `^/acme/authz/\d+$`, r.object()["authorizations"].([]any)[0])
		}),
		"wrong-201": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 200, r.Status)
			w.ca.ClearRules()
			ask := w.prepare(mockca.OrderURL)
			w.inject()
			r, err := ask()
			require.NoError(w.t, err)
			require.Equal(w.t, 201, r.Status)
		}),
		"link-garbage": answer(mockca.NewOrder, func(w *wire, r result) { require.Greater(w.t, len(r.Header.Values("Link")), 200) }),
	}
}

// What is poured ends with the CA, whoever reads it or does not.
func TestFloodsEndWithTheCA(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"huge-body:100000000000", "gzip-bomb:100000000000000"} {
		for _, http2 := range []bool{false, true} {
			ca := mockca.New(t, mockca.Options{DisableHTTP2: !http2})
			f, err := mockca.ParseFault(text)
			require.NoError(t, err)
			ca.Inject(f)
			transport := ca.Client().Transport.(*http.Transport).Clone()
			transport.DisableCompression = true
			defer transport.CloseIdleConnections()
			resp, err := transport.RoundTrip(mustRequest(t, ca.DirectoryURL()))
			require.NoError(t, err)
			_, err = io.ReadFull(resp.Body, make([]byte, 100_000))
			require.NoError(t, err)
			require.NoError(t, ca.Close(), "while nobody reads")
			_, err = io.Copy(io.Discard, resp.Body)
			require.Error(t, err)
			resp.Body.Close()
		}
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return req
}
