package admin_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/admin"
)

func newKey(t testing.TB) crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// issue gets a certificate with golang.org/x/crypto/acme.
func (w *world) issue(names ...string) (*acme.Account, [][]byte) {
	w.t.Helper()
	ctx := w.t.Context()
	account, err := w.acme.Register(ctx, &acme.Account{}, acme.AcceptTOS)
	if err != nil {
		account, err = w.acme.GetReg(ctx, "")
	}
	require.NoError(w.t, err)
	order, err := w.acme.AuthorizeOrder(ctx, acme.DomainIDs(names...))
	require.NoError(w.t, err)
	for _, url := range order.AuthzURLs {
		z, err := w.acme.GetAuthorization(ctx, url)
		require.NoError(w.t, err)
		_, err = w.acme.Accept(ctx, z.Challenges[0])
		require.NoError(w.t, err)
		_, err = w.acme.WaitAuthorization(ctx, url)
		require.NoError(w.t, err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, newKey(w.t))
	require.NoError(w.t, err)
	chain, _, err := w.acme.CreateOrderCert(ctx, order.FinalizeURL, csr, true)
	require.NoError(w.t, err)
	return account, chain
}

// TestOpenAPIAgreesWithTheRoutes asks every operation that is described, and
// wants each to be known; and every answer that is JSON to have the members that
// are described.
func TestOpenAPIAgreesWithTheRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.issue("a.example.org")
	w.ca.NewEAB()
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Summary, OperationID string
			RequestBody          any
			Responses            map[string]struct {
				Content map[string]struct {
					Schema map[string]any
				}
			}
		}
	}
	w.get("/api", &doc)
	require.Equal(t, "3.1.0", doc.OpenAPI)
	require.Greater(t, len(doc.Paths), 30)
	serial := w.ca.Certificates()[0].Serial
	fill := strings.NewReplacer("{id}", "1", "{serial}", serial, "{name}", "nonce", "{kid}", w.ca.EABs()[0].KeyID)
	ids := map[string]bool{}
	var changing []func() // when everything has been read
	for path, operations := range doc.Paths {
		for method, op := range operations {
			require.NotEmpty(t, op.Summary, path)
			require.False(t, ids[op.OperationID], op.OperationID)
			ids[op.OperationID] = true
			if method != "get" {
				changing = append(changing, func() {
					status, answer := w.send(strings.ToUpper(method), fill.Replace(path), "{")
					require.NotContains(t, answer, "there is nothing at", "%s %s", method, path)
					if op.RequestBody != nil {
						require.Equal(t, http.StatusBadRequest, status, "%s %s takes a body that is none", method, path)
					}
				})
				continue
			}
			if path == "/api/events" {
				continue
			}
			body := w.do(http.StatusOK, http.MethodGet, fill.Replace(path), "")
			media, ok := op.Responses["200"].Content["application/json"]
			if !ok || strings.HasSuffix(path, ".har") {
				continue
			}
			var v any
			require.NoError(t, json.Unmarshal(body, &v), path)
			conforms(t, path, media.Schema, v)
		}
	}
	require.NotEmpty(t, changing)
	for _, ask := range changing {
		ask()
	}
	for _, undescribed := range []string{"/api/nothing", "/api/orders/1/nothing"} {
		w.do(http.StatusNotFound, http.MethodGet, undescribed, "")
	}
	w.do(http.StatusNotFound, http.MethodPut, "/api/orders/1", "{}")
}

// conforms wants the members of an object to be described, with their types.
func conforms(t *testing.T, where string, schema map[string]any, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		require.Contains(t, []any{"object", nil}, schema["type"], where)
		properties, _ := schema["properties"].(map[string]any)
		if properties == nil {
			return
		}
		for name, member := range v {
			inner, ok := properties[name].(map[string]any)
			require.True(t, ok, "%s: %q is not described", where, name)
			conforms(t, where+"."+name, inner, member)
		}
	case []any:
		require.Contains(t, []any{"array", nil}, schema["type"], where)
		items, _ := schema["items"].(map[string]any)
		for _, item := range v {
			conforms(t, where, items, item)
		}
	case string:
		require.Contains(t, []any{"string", nil}, schema["type"], where)
	case bool:
		require.Contains(t, []any{"boolean", nil}, schema["type"], where)
	case float64:
		require.Contains(t, []any{"number", "integer", nil}, schema["type"], where)
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	ca := mockca.New(t, mockca.Options{})
	for name, c := range map[string]struct {
		token, remote, host, path string
		header                    map[string]string
		want                      int
	}{
		"from here":                     {remote: "127.0.0.1:9", host: "localhost:15000", want: 200},
		"from here by address":          {remote: "[::1]:9", host: "[::1]:15000", want: 200},
		"a subdomain of localhost":      {remote: "127.0.0.1:9", host: "ca.localhost", want: 200},
		"from elsewhere":                {remote: "192.0.2.1:9", host: "localhost", want: 403},
		"rebound by a name":             {remote: "127.0.0.1:9", host: "evil.example:15000", want: 421},
		"not quite localhost":           {remote: "127.0.0.1:9", host: "localhost.evil.example", want: 421},
		"from another origin's page":    {remote: "127.0.0.1:9", host: "localhost:15000", header: map[string]string{"Origin": "https://evil.example"}, want: 403},
		"from a page without an origin": {remote: "127.0.0.1:9", host: "localhost:15000", header: map[string]string{"Origin": "null"}, want: 403},
		"from another port's page":      {remote: "127.0.0.1:9", host: "localhost:15000", header: map[string]string{"Origin": "http://localhost:3000"}, want: 403},
		"from its own page":             {remote: "127.0.0.1:9", host: "localhost:15000", header: map[string]string{"Origin": "http://localhost:15000"}, want: 200},
		"an image on another site":      {remote: "127.0.0.1:9", host: "localhost:15000", header: map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, want: 403},
		"a link on another site":        {remote: "127.0.0.1:9", host: "localhost:15000", header: map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, want: 200},

		"without the token":         {token: "secret", remote: "127.0.0.1:9", host: "localhost", want: 401},
		"with a wrong token":        {token: "secret", remote: "192.0.2.1:9", host: "ca.example", header: map[string]string{"Authorization": "Bearer secre"}, want: 401},
		"with the token":            {token: "secret", remote: "192.0.2.1:9", host: "ca.example", header: map[string]string{"Authorization": "Bearer secret"}, want: 200},
		"with the token's cookie":   {token: "secret", remote: "192.0.2.1:9", host: "ca.example", header: map[string]string{"Cookie": "acme-e2e-token=secret"}, want: 200},
		"with the token in the URL": {token: "secret", remote: "192.0.2.1:9", host: "ca.example", path: "/api/status?token=secret", want: 200},
		"a certificate":             {token: "secret", remote: "192.0.2.1:9", host: "ca.example", path: "/roots/0", want: 200},
		"a key":                     {token: "secret", remote: "192.0.2.1:9", host: "ca.example", path: "/root-keys/0", want: 401},
	} {
		req := httptest.NewRequest(http.MethodGet, "/api/status", nil)
		if c.path != "" {
			req = httptest.NewRequest(http.MethodGet, c.path, nil)
		}
		req.RemoteAddr, req.Host = c.remote, c.host
		for field, value := range c.header {
			req.Header.Set(field, value)
		}
		answer := httptest.NewRecorder()
		admin.New(admin.Options{CA: ca, Token: c.token}).ServeHTTP(answer, req)
		require.Equal(t, c.want, answer.Code, "%s: %s", name, answer.Body)
		require.Equal(t, strings.Contains(c.path, "token="), answer.Header().Get("Set-Cookie") != "", name)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	resp, err := w.server.Client().Get(w.server.URL + "/")
	require.NoError(t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'self'")
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(string(page), -1) {
		require.NotContains(t, m[1], "//", "nothing from elsewhere")
		w.do(http.StatusOK, http.MethodGet, "/"+strings.TrimPrefix(m[1], "/"), "")
	}
	w.do(http.StatusNotFound, http.MethodGet, "/nothing", "")
	w.do(http.StatusNotFound, http.MethodPost, "/nothing", "")
}
