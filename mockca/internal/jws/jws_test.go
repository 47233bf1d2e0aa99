package jws

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMembersReadsWhatEncodingJSONReads(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":{"b":[1,"}",{}]},"c":"\"}"}`, "{\n\t\"a\" : null ,\r\n\"b\" : -1.5e3 }", `{"\u0061":true}`, `{"a":[],"b":false}`,
	} {
		var want map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(doc), &want))
		got, err := Members([]byte(doc))
		require.NoError(t, err, doc)
		require.Equal(t, want, got, doc)
	}
}

func TestMembersRefuses(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"nothing": "", "array": "[]", "word": "null", "two": `{}{}`, "twice": `{"a":1,"a":2}`, "twice, escaped": `{"a":1,"\u0061":2}`, "not UTF-8": "{\"a\":\"\xff\"}", "open": `{"a":1`,
	} {
		_, err := Members([]byte(doc))
		require.Error(t, err, name)
	}
}

func message(protected, payload, signature string) []byte {
	b64 := base64.RawURLEncoding.EncodeToString
	m, _ := json.Marshal(map[string]string{"protected": b64([]byte(protected)), "payload": b64([]byte(payload)), "signature": b64([]byte(signature))})
	return m
}

func TestParse(t *testing.T) {
	t.Parallel()
	m, err := Parse(message(`{"alg":"ES256","kid":"k","url":"u","nonce":"AAAA","crit":["b64"]}`, "hello", "sig"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Payload))
	h := m.Header
	require.Equal(t, []any{"ES256", "k", "u", "AAAA"}, []any{h.Alg, h.KeyID, h.URL, h.Nonce})
	require.True(t, h.HasKeyID && h.HasURL && h.HasNonce && h.Critical && h.NonceEncoded() && !h.HasKey && !m.Unprotected)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no payload":     `{"protected":"e30","signature":""}`,
		"several":        `{"signatures":[],"protected":"e30","payload":"","signature":""}`,
		"padding":        `{"protected":"e30=","payload":"","signature":""}`,
		"line end":       `{"protected":"e3\n0","payload":"","signature":""}`,
		"stray bits":     `{"protected":"e31","payload":"AB","signature":""}`,
		"number":         `{"protected":1,"payload":"","signature":""}`,
		"header a list":  string(message(`[]`, "", "")),
		"header twice":   string(message(`{"alg":"ES256","alg":"none"}`, "", "")),
		"kid a number":   string(message(`{"alg":"ES256","kid":1}`, "", "")),
		"nonce an array": string(message(`{"alg":"ES256","nonce":[]}`, "", "")),
	} {
		_, err := Parse([]byte(body))
		require.Error(t, err, name)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"symmetric":    `{"kty":"oct","k":"AAAA"}`,
		"not on curve": `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"private":      `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`,
		"no key":       `{}`,
	} {
		_, err := ParseKey([]byte(key))
		require.Error(t, err, name)
	}
}

// FuzzParse holds Parse to what encoding/json reads, and Verify to an error.
func FuzzParse(f *testing.F) {
	f.Add(message(`{"alg":"ES256","kid":"k","url":"u","nonce":"AAAA"}`, "hello", "sig"))
	f.Add(message(`{"alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},"url":"u","nonce":"AAAA"}`, "{}", "sig"))
	f.Add([]byte(`{"signatures":[{}]}`))
	f.Add([]byte(`{"a":{"b":[1,"}",{}]},"c":"\"}"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := Members(body)
		if err == nil {
			var want map[string]json.RawMessage
			if err := json.Unmarshal(body, &want); err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if !slices.Equal(slices.Sorted(maps.Keys(members)), slices.Sorted(maps.Keys(want))) {
				t.Fatalf("%q: got %q, want %q", body, members, want)
			}
		}
		m, err := Parse(body)
		if err != nil {
			return
		}
		if m.Header.HasKey && m.Header.Key == nil && m.Header.KeyErr == nil {
			t.Fatal("neither a key nor an error")
		}
		if m.Header.Key != nil && !m.Header.Key.IsPublic() {
			t.Fatal("a private key")
		}
		if m.Header.Key != nil {
			m.Verify(m.Header.Key.Key)
		}
	})
}
