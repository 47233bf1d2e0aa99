package issue_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

func TestRevocationListNamesWhatWasRevoked(t *testing.T) {
	for _, o := range []issue.Options{{}, {Depth: -1}, {KeyType: issue.P384}} {
		h := hierarchy(t, o)
		high := []byte{0xff, 1}
		der, err := h.CRL(7, now, now.Add(time.Hour), []issue.Revoked{{Serial: []byte{5}, At: now}, {Serial: high, At: now, Reason: 4}})
		require.NoError(t, err)
		list, err := x509.ParseRevocationList(der)
		require.NoError(t, err)
		require.NoError(t, list.CheckSignatureFrom(h.Issuer().Cert))
		require.Equal(t, big.NewInt(7), list.Number)
		require.Equal(t, now.Truncate(time.Second), list.ThisUpdate)
		require.Len(t, list.RevokedCertificateEntries, 2)
		require.Equal(t, big.NewInt(5), list.RevokedCertificateEntries[0].SerialNumber)
		require.Empty(t, list.RevokedCertificateEntries[0].Extensions, "no reason, no extension")
		require.Equal(t, new(big.Int).SetBytes(high), list.RevokedCertificateEntries[1].SerialNumber)
		require.Equal(t, 4, list.RevokedCertificateEntries[1].ReasonCode)
	}
	_, err := hierarchy(t, issue.Options{}).CRL(1, now, now.Add(-time.Hour), nil)
	require.Error(t, err)
}

func TestRevocationListIsServedFresh(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	var revoked []issue.Revoked
	s := httptest.NewServer(h.CRLHandler(func() []issue.Revoked { return revoked }, func() time.Time { return now }))
	defer s.Close()
	var last *big.Int
	for range 2 {
		res, err := http.Get(s.URL)
		require.NoError(t, err)
		der, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, "application/pkix-crl", res.Header.Get("Content-Type"))
		list, err := x509.ParseRevocationList(der)
		require.NoError(t, err)
		require.Len(t, list.RevokedCertificateEntries, len(revoked))
		if last != nil {
			require.Positive(t, list.Number.Cmp(last), "numbers go up, within a second too")
		}
		last = list.Number
		revoked = append(revoked, issue.Revoked{Serial: []byte{9}, At: now})
	}
	res, err := http.Post(s.URL, "", nil)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
}

func ocspRequest(t testing.TB, c, issuer *x509.Certificate, hash crypto.Hash) []byte {
	req, err := ocsp.CreateRequest(c, issuer, &ocsp.RequestOptions{Hash: hash})
	require.NoError(t, err)
	return req
}

func TestOCSPSaysWhatIsKnown(t *testing.T) {
	for name, tc := range map[string]struct {
		opts issue.Options
		hash crypto.Hash
		know issue.Status
		want int
	}{
		"good":                    {issue.Options{}, crypto.SHA1, issue.Status{}, ocsp.Good},
		"revoked":                 {issue.Options{}, crypto.SHA1, issue.Status{State: issue.RevokedState, RevokedAt: now, Reason: 1}, ocsp.Revoked},
		"unknown":                 {issue.Options{}, crypto.SHA1, issue.Status{State: issue.Unknown}, ocsp.Unknown},
		"asked by SHA-256":        {issue.Options{}, crypto.SHA256, issue.Status{}, ocsp.Good},
		"P-384":                   {issue.Options{KeyType: issue.P384}, crypto.SHA1, issue.Status{}, ocsp.Good},
		"RSA":                     {issue.Options{KeyType: issue.RSA2048}, crypto.SHA1, issue.Status{}, ocsp.Good},
		"answered by a root":      {issue.Options{Depth: -1}, crypto.SHA1, issue.Status{}, ocsp.Good},
		"one of several issuers":  {issue.Options{Depth: 3, Roots: 2}, crypto.SHA1, issue.Status{}, ocsp.Good},
		"a state nobody has made": {issue.Options{}, crypto.SHA1, issue.Status{State: 99}, ocsp.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			h := hierarchy(t, tc.opts)
			c := leaf(t, h)
			var asked []byte
			answer := h.OCSP(ocspRequest(t, c, h.Issuer().Cert, tc.hash), func(serial []byte) issue.Status {
				asked = serial
				return tc.know
			}, now, now.Add(time.Hour))
			got, err := ocsp.ParseResponseForCert(answer, c, h.Issuer().Cert)
			require.NoError(t, err)
			require.Equal(t, tc.want, got.Status)
			require.Equal(t, c.SerialNumber.Bytes(), asked)
			require.Equal(t, now.Truncate(time.Second), got.ThisUpdate)
			if tc.want == ocsp.Revoked {
				require.Equal(t, now.Truncate(time.Second), got.RevokedAt)
				require.Equal(t, 1, got.RevocationReason)
			}
		})
	}
}

func TestOCSPAnswersErrorsToOthers(t *testing.T) {
	h, other := hierarchy(t, issue.Options{}), hierarchy(t, issue.Options{})
	known := func([]byte) issue.Status { return issue.Status{} }
	c := leaf(t, other)
	require.Equal(t, ocsp.UnauthorizedErrorResponse, h.OCSP(ocspRequest(t, c, other.Issuer().Cert, crypto.SHA1), known, now, now))
	require.Equal(t, ocsp.UnauthorizedErrorResponse, h.OCSP(ocspRequest(t, c, h.Stranger().Cert, crypto.SHA1), known, now, now), "the name alone is not the issuer")
	require.Equal(t, ocsp.MalformedRequestErrorResponse, h.OCSP([]byte("?"), known, now, now))
	require.Equal(t, ocsp.MalformedRequestErrorResponse, h.OCSP(nil, known, now, now))
}

func TestOCSPIsServedByPostAndGet(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	s := httptest.NewServer(http.StripPrefix("/ocsp", h.OCSPHandler(func([]byte) issue.Status { return issue.Status{} }, func() time.Time { return now })))
	defer s.Close()
	for range 20 { // some requests have "/" or "+" in their base64
		c := leaf(t, h)
		req := ocspRequest(t, c, h.Issuer().Cert, crypto.SHA1)
		post, err := http.Post(s.URL+"/ocsp", "application/ocsp-request", bytes.NewReader(req))
		checkOCSP(t, c, h, post, err)
		get, err := http.Get(s.URL + "/ocsp/" + url.PathEscape(base64.StdEncoding.EncodeToString(req)))
		checkOCSP(t, c, h, get, err)
	}
	for name, send := range map[string]func() (*http.Response, error){
		"not base64": func() (*http.Response, error) { return http.Get(s.URL + "/ocsp/!") },
		"too long":   func() (*http.Response, error) { return http.Get(s.URL + "/ocsp/" + strings.Repeat("A", 17<<10)) },
		"huge body": func() (*http.Response, error) {
			return http.Post(s.URL+"/ocsp", "", strings.NewReader(strings.Repeat("A", 17<<10)))
		},
		"another method": func() (*http.Response, error) { return http.Head(s.URL + "/ocsp/AAAA") },
	} {
		t.Run(name, func(t *testing.T) {
			res, err := send()
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusBadRequest, res.StatusCode)
		})
	}
}

func checkOCSP(t *testing.T, c *x509.Certificate, h *issue.Hierarchy, res *http.Response, err error) {
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "application/ocsp-response", res.Header.Get("Content-Type"))
	_, err = ocsp.ParseResponseForCert(body, c, h.Issuer().Cert)
	require.NoError(t, err)
}

func FuzzOCSP(f *testing.F) {
	h := hierarchy(f, issue.Options{})
	f.Add(ocspRequest(f, leaf(f, h), h.Issuer().Cert, crypto.SHA1))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, request []byte) {
		answer := h.OCSP(request, func([]byte) issue.Status { return issue.Status{} }, now, now)
		require.NotEmpty(t, answer)
		if _, err := ocsp.ParseResponse(answer, h.Issuer().Cert); err != nil {
			require.IsType(t, ocsp.ResponseError{}, err)
		}
	})
}
