package client

import (
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRenewalInfoAnswers(t *testing.T) {
	leaf := &x509.Certificate{AuthorityKeyId: []byte{1, 2, 3}, SerialNumber: big.NewInt(0x87), DNSNames: []string{"a.example"}}
	const window = `{"suggestedWindow":{"start":"2030-01-02T04:00:00Z","end":"2030-01-03T04:00:00.5+01:00"},"explanationURL":"https://ca.example/\u0007"}`
	for name, row := range map[string]struct {
		status      int
		body, after string
		is          error
		poll        time.Duration
		requests    int
	}{
		"a window":               {200, window, "21600", nil, 6 * time.Hour, 1},
		"polling too often":      {200, window, "0", nil, time.Minute, 1},
		"polling too rarely":     {200, window, "99999999", nil, 24 * time.Hour, 1},
		"without Retry-After":    {200, window, "", nil, 6 * time.Hour, 1},
		"garbage as Retry-After": {200, window, "soon", nil, 6 * time.Hour, 1},
		"window backwards":       {200, `{"suggestedWindow":{"start":"2030-01-03T00:00:00Z","end":"2030-01-02T00:00:00Z"}}`, "", ErrRefused, 0, 1},
		"window of no length":    {200, `{"suggestedWindow":{"start":"2030-01-03T00:00:00Z","end":"2030-01-03T00:00:00Z"}}`, "", ErrRefused, 0, 1},
		"window of centuries":    {200, `{"suggestedWindow":{"start":"2030-01-03T00:00:00Z","end":"2330-01-03T00:00:00Z"}}`, "", ErrRefused, 0, 1},
		"no window":              {200, `{}`, "", ErrRefused, 0, 1},
		"not found":              {404, `{"type":"urn:ietf:params:acme:error:malformed"}`, "", ErrMalformed, 0, 1},
		"rate limited for long":  {429, `{}`, "86400", ErrRateLimited, 0, 1},
		"failing":                {500, ``, "", nil, 0, 8},
		"a web page":             {200, `<html>`, "", ErrNotACME, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newFakeCA(t)
			ca.hook = func(w http.ResponseWriter, r *request) bool {
				if r.kind != "renewalInfo" {
					return false
				}
				require.Equal(t, "/renewalInfo/AQID.AIc", r.URL.Path)
				require.Equal(t, http.MethodGet, r.Method)
				if row.after != "" {
					w.Header().Set("Retry-After", row.after)
				}
				w.WriteHeader(row.status)
				write(w, row.body)
				return true
			}
			info, err := ca.client().RenewalInfo(t.Context(), leaf)
			require.Equal(t, row.requests, ca.count("renewalInfo"))
			require.Equal(t, 1, ca.count("dir"))
			if row.poll == 0 {
				require.Error(t, err)
				if row.is != nil {
					require.ErrorIs(t, err, row.is)
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.poll, info.RetryAfter)
			require.Equal(t, "https://ca.example/\ufffd", info.ExplanationURL)
		})
	}
}

func TestRenewalInfoIsNotRetriedWhenTheCAIsAway(t *testing.T) { // RFC 9773, Section 4.3.3
	leaf := &x509.Certificate{AuthorityKeyId: []byte{1}, SerialNumber: big.NewInt(1)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	away := "http://" + l.Addr().String() + "/ari"
	require.NoError(t, l.Close())
	ca := newFakeCA(t)
	ca.shape = func(kind string, o map[string]any) { o["renewalInfo"] = away }
	_, err = ca.client().RenewalInfo(t.Context(), leaf)
	require.ErrorIs(t, err, ErrUnreachable)
	require.NotContains(t, err.Error(), "attempts")

	ca.shape = func(kind string, o map[string]any) { delete(o, "renewalInfo") }
	_, err = ca.client().RenewalInfo(t.Context(), leaf)
	require.ErrorIs(t, err, ErrNotOffered)
}
