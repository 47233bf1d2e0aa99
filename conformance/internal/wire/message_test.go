package wire

import (
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// TestMessagesAreGoodJWS has go-jose verify what is signed here: by default a
// message is what RFC 8555, Section 6.2, asks for.
func TestMessagesAreGoodJWS(t *testing.T) {
	t.Parallel()
	for _, kind := range []KeyType{P256, P384, P521, RSA2048, Ed25519} {
		key, err := NewKey(kind)
		require.NoError(t, err)
		for _, kid := range []string{"", "https://ca.example/account/1"} {
			body, err := Message{Key: key, KID: kid, Payload: []byte(`{"a":1}`), URL: "https://ca.example/new", Nonce: "bm9uY2U"}.Body()
			require.NoError(t, err)
			parsed, err := jose.ParseSignedJSON(string(body), algorithms)
			require.NoError(t, err, kind)
			payload, err := parsed.Verify(key.Public())
			require.NoError(t, err, kind)
			require.JSONEq(t, `{"a":1}`, string(payload))
			header := parsed.Signatures[0].Protected
			require.Equal(t, "bm9uY2U", header.Nonce)
			require.Equal(t, "https://ca.example/new", header.ExtraHeaders["url"])
			require.Equal(t, kid, header.KeyID)
			require.Equal(t, kid == "", header.JSONWebKey != nil)
		}
	}
}

// TestMessagesCanBeWrong breaks one rule after the other, and no other one.
func TestMessagesCanBeWrong(t *testing.T) {
	t.Parallel()
	key, err := NewKey(P256)
	require.NoError(t, err)
	header := func(m Message) map[string]any {
		m.Key, m.URL, m.Nonce = key, "https://ca.example/new", "bm9uY2U"
		body, err := m.Body()
		require.NoError(t, err)
		protected, _ := decodeParts(body)
		var out map[string]any
		require.NoError(t, json.Unmarshal([]byte(protected), &out))
		return out
	}
	require.NotContains(t, header(Message{NoNonce: true}), "nonce")
	require.NotContains(t, header(Message{NoURL: true}), "url")
	both := header(Message{KID: "k", Edit: func(h *Header) { h.Add("jwk", key.JWK()) }})
	require.Contains(t, both, "jwk")
	require.Contains(t, both, "kid")

	m := Message{Key: key, KID: "k", Edit: func(h *Header) { h.Add("url", "second") }, URL: "first"}
	body, err := m.Body()
	require.NoError(t, err)
	protected, _ := decodeParts(body)
	require.Contains(t, protected, `"url":"first"`)
	require.Contains(t, protected, `"url":"second"`)

	m = Message{Key: key, KID: "k", Envelope: func(p Parts) any { return p.Protected + "." + p.Payload + "." + p.Signature }}
	body, err = m.Body()
	require.NoError(t, err)
	compact, err := jose.ParseSignedCompact(string(body), algorithms)
	require.NoError(t, err)
	_, err = compact.Verify(key.Public())
	require.NoError(t, err)

	m = Message{Key: key, KID: "k", Signature: func(s []byte) []byte { s[0] ^= 1; return s }}
	body, err = m.Body()
	require.NoError(t, err)
	parsed, err := jose.ParseSignedJSON(string(body), algorithms)
	require.NoError(t, err)
	_, err = parsed.Verify(key.Public())
	require.Error(t, err)
}
