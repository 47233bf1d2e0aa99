package mockca_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// raw is a client that says exactly what a test wants.
type raw struct {
	t    testing.TB
	ca   *mockca.CA
	http *http.Client
	key  crypto.Signer
	kid  string

	// change, if set, changes the next request, and is dropped then.
	change func(*envelope)
}

// envelope is a request before it is signed, and sent.
type envelope struct {
	url         string // where it is sent
	method      string
	contentType string
	header      map[string]any // protected
	payload     string
	key         any // that signs
	alg         jose.SignatureAlgorithm
	sent        func(jws map[string]any) // changes the JWS before it is sent
	body        []byte                   // sent instead, if not nil
}

type result struct {
	Status int
	Header http.Header
	Body   []byte
}

func (r result) problem() string {
	var p struct{ Type string }
	if json.Unmarshal(r.Body, &p) != nil {
		return "not JSON: " + string(r.Body)
	}
	return strings.TrimPrefix(p.Type, "urn:ietf:params:acme:error:")
}

func (r result) object() map[string]any {
	var m map[string]any
	json.Unmarshal(r.Body, &m)
	return m
}

func (r result) text(name string) string { s, _ := r.object()[name].(string); return s }

func newRaw(t testing.TB, ca *mockca.CA) *raw {
	return &raw{t: t, ca: ca, http: ca.Client(), key: newKey(t)}
}

func (c *raw) nonce() string {
	resp, err := c.http.Head(c.ca.URL(mockca.NewNonce))
	require.NoError(c.t, err)
	resp.Body.Close()
	return resp.Header.Get("Replay-Nonce")
}

// envelope is a right request.
func (c *raw) envelope(url, payload string) *envelope {
	e := &envelope{url: url, method: http.MethodPost, contentType: "application/jose+json", payload: payload, key: c.key, alg: jose.ES256,
		header: map[string]any{"url": url, "nonce": c.nonce()}}
	if c.kid == "" {
		e.header["jwk"] = jose.JSONWebKey{Key: c.key.Public()}
	} else {
		e.header["kid"] = c.kid
	}
	return e
}

// sign makes a JWS with exactly the header given, and alg unless it has one.
func sign(t testing.TB, key any, alg jose.SignatureAlgorithm, header map[string]any, payload string) map[string]any {
	header = maps.Clone(header)
	declared, ok := header["alg"]
	if !ok {
		declared = string(alg)
	}
	header["alg"] = declared
	protected, err := json.Marshal(header)
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64(protected) + "." + b64([]byte(payload))
	return map[string]any{"protected": b64(protected), "payload": b64([]byte(payload)), "signature": b64(signature(t, key, alg, input))}
}

func (e *envelope) send(c *raw) (*http.Response, error) {
	body := e.body
	if body == nil {
		message := sign(c.t, e.key, e.alg, e.header, e.payload)
		if e.sent != nil {
			e.sent(message)
		}
		var err error
		body, err = json.Marshal(message)
		require.NoError(c.t, err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), e.method, e.url, bytes.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", e.contentType)
	return c.http.Do(req)
}

func (c *raw) do(url, payload string) (result, error) {
	e := c.envelope(url, payload)
	if c.change != nil {
		c.change(e)
		c.change = nil
	}
	resp, err := e.send(c)
	if err != nil {
		return result{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return result{resp.StatusCode, resp.Header, body}, err
}

// post sends a request; the endpoint is for the reader.
func (c *raw) post(_ mockca.Endpoint, url, payload string) result {
	c.t.Helper()
	r, err := c.do(url, payload)
	require.NoError(c.t, err)
	return r
}

func (c *raw) postErr(url, payload string) error {
	_, err := c.do(url, payload)
	return err
}

// want is post, with the status that must come.
func (c *raw) want(status int, url, payload string) result {
	c.t.Helper()
	r, err := c.do(url, payload)
	require.NoError(c.t, err)
	require.Equal(c.t, status, r.Status, "%s", r.Body)
	return r
}

func (c *raw) register() *raw {
	c.t.Helper()
	r := c.want(http.StatusCreated, c.ca.URL(mockca.NewAccount), `{"termsOfServiceAgreed":true}`)
	c.kid = r.Header.Get("Location")
	return c
}

func identifiers(names ...string) string {
	var list []map[string]string
	for _, n := range names {
		typ := "dns"
		if _, err := netip.ParseAddr(n); err == nil {
			typ = "ip"
		}
		list = append(list, map[string]string{"type": typ, "value": n})
	}
	b, _ := json.Marshal(list)
	return string(b)
}

// order orders names.
func (c *raw) order(names ...string) result {
	c.t.Helper()
	return c.want(http.StatusCreated, c.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers(names...)+`}`)
}

// ready orders names and proves them to a CA that does not look.
func (c *raw) ready(names ...string) (order result, url string) {
	c.t.Helper()
	order = c.order(names...)
	url = order.Header.Get("Location")
	for _, z := range order.object()["authorizations"].([]any) {
		list := c.want(http.StatusOK, z.(string), "").object()["challenges"].([]any)
		c.want(http.StatusOK, list[0].(map[string]any)["url"].(string), `{}`)
	}
	order = c.want(http.StatusOK, url, "")
	require.Equal(c.t, "ready", order.text("status"))
	return order, url
}

func csrFor(t testing.TB, key crypto.Signer, names ...string) string {
	template := &x509.CertificateRequest{}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(der)
}

func csrPayload(csr string) string { return fmt.Sprintf(`{"csr":%q}`, csr) }

// issue gets a certificate from a CA that does not look.
func (c *raw) issue(names ...string) (*x509.Certificate, crypto.Signer) {
	c.t.Helper()
	order, _ := c.ready(names...)
	key := newKey(c.t)
	order = c.want(http.StatusOK, order.text("finalize"), csrPayload(csrFor(c.t, key, names...)))
	require.Equal(c.t, "valid", order.text("status"))
	chain := c.want(http.StatusOK, order.text("certificate"), "")
	block, _ := pem.Decode(chain.Body)
	leaf, err := x509.ParseCertificate(block.Bytes)
	require.NoError(c.t, err)
	return leaf, key
}
