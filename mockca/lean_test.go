package mockca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// lean is a client for benchmarks: it calls the CA's handler without a network,
// and looks at no more of an answer than it must.
type lean struct {
	t     testing.TB
	ca    *mockca.CA
	key   *ecdsa.PrivateKey
	kid   string
	nonce string
}

func newLean(t testing.TB, ca *mockca.CA) *lean {
	c := &lean{t: t, ca: ca, key: newKey(t).(*ecdsa.PrivateKey)}
	w := httptest.NewRecorder()
	ca.ServeHTTP(w, httptest.NewRequest(http.MethodHead, ca.URL(mockca.NewNonce), nil))
	c.nonce = w.Header().Get("Replay-Nonce")
	header, _ := c.post(ca.URL(mockca.NewAccount), `{"termsOfServiceAgreed":true}`)
	c.kid = header.Get("Location")
	return c
}

// sign makes a request's body.
func (c *lean) sign(url, payload string) []byte {
	who := fmt.Sprintf(`"kid":%q`, c.kid)
	if c.kid == "" {
		jwk, err := json.Marshal(jose.JSONWebKey{Key: c.key.Public()})
		require.NoError(c.t, err)
		who = fmt.Sprintf(`"jwk":%s`, jwk)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	protected := b64(fmt.Appendf(nil, `{"alg":"ES256",%s,"nonce":%q,"url":%q}`, who, c.nonce, url))
	body := b64([]byte(payload))
	digest := sha256.Sum256([]byte(protected + "." + body))
	r, s, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	require.NoError(c.t, err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return fmt.Appendf(nil, `{"protected":%q,"payload":%q,"signature":%q}`, protected, body, b64(signature))
}

func (c *lean) post(url, payload string) (http.Header, []byte) {
	return c.send(c.request(url, payload))
}

func (c *lean) request(url, payload string) *http.Request {
	q := httptest.NewRequest(http.MethodPost, url, bytes.NewReader(c.sign(url, payload)))
	q.Header.Set("Content-Type", "application/jose+json")
	return q
}

func (c *lean) send(q *http.Request) (http.Header, []byte) {
	w := httptest.NewRecorder()
	c.ca.ServeHTTP(w, q)
	if w.Code >= 300 {
		c.t.Fatalf("%s: %d %s", q.URL, w.Code, w.Body)
	}
	c.nonce = w.Header().Get("Replay-Nonce")
	return w.Header(), w.Body.Bytes()
}

// issue is a whole issuance of one name.
func (c *lean) issue(name string) {
	header, body := c.post(c.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers(name)+`}`)
	var order struct {
		Authorizations        []string
		Finalize, Certificate string
	}
	require.NoError(c.t, json.Unmarshal(body, &order))
	_, body = c.post(order.Authorizations[0], "")
	var authz struct{ Challenges []struct{ URL string } }
	require.NoError(c.t, json.Unmarshal(body, &authz))
	c.post(authz.Challenges[0].URL, `{}`)
	c.post(header.Get("Location"), "")
	_, body = c.post(order.Finalize, csrPayload(csrFor(c.t, newKey(c.t), name)))
	require.NoError(c.t, json.Unmarshal(body, &order))
	c.post(order.Certificate, "")
}
