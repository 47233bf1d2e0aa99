package clientcases

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// request is a request of the client, taken apart as far as that works.
type request struct {
	*mockca.Exchange
	envelope  map[string]any // the body, when it is a JSON object
	protected map[string]any
	payload   []byte
}

func parse(x *mockca.Exchange) *request {
	r := &request{Exchange: x}
	if json.Unmarshal(x.RequestBody, &r.envelope) != nil {
		return r
	}
	_ = json.Unmarshal(r.decoded("protected"), &r.protected)
	r.payload = r.decoded("payload")
	return r
}

// member is a string of the envelope; empty when it is none.
func (r *request) member(name string) string {
	s, _ := r.envelope[name].(string)
	return s
}

// decoded is a member in base64url, whatever its padding.
func (r *request) decoded(name string) []byte {
	s := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(r.member(name), "="))
	data, _ := base64.RawURLEncoding.DecodeString(s)
	return data
}

// header is a string of the protected header.
func (r *request) header(name string) string {
	s, _ := r.protected[name].(string)
	return s
}

// jwk is the public key that came along; nil when there is none that can be
// read.
func (r *request) jwk() *jose.JSONWebKey { return readJWK(r.protected["jwk"]) }

func readJWK(v any) *jose.JSONWebKey {
	if v == nil {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var key jose.JSONWebKey
	if key.UnmarshalJSON(data) != nil {
		return nil
	}
	return &key
}

// object is the payload as a JSON object.
func (r *request) object() map[string]any {
	var m map[string]any
	_ = json.Unmarshal(r.payload, &m)
	return m
}

// signed are the requests that have to be signed: all POSTs.
func signed(all []*mockca.Exchange) (some []*mockca.Exchange) {
	for _, x := range all {
		if x.Method == "POST" && x.Endpoint != mockca.OCSP {
			some = append(some, x)
		}
	}
	return some
}

// thumbprint is that of a public key, as text; empty when there is none.
func thumbprint(key *jose.JSONWebKey) string {
	if key == nil {
		return ""
	}
	sum, err := key.Thumbprint(sha256Hash)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}
