package mockca_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// BenchmarkRulesThatDoNotMatch serves newOrder, without a network, with and
// without rules of all kinds that concern other requests.
func BenchmarkRulesThatDoNotMatch(b *testing.B) {
	for _, n := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			ca := mockca.New(b, mockca.Options{Validation: off, Transcript: mockca.TranscriptOptions{Off: true}, MaxOrders: 1000,
				Disabled: []mockca.Check{mockca.CheckNonce, mockca.CheckNonceReuse}}) // so that one request can be sent over and over
			c := newRaw(b, ca).register()
			for i := range n {
				when := []mockca.When{{Endpoint: mockca.Finalize}, {Account: "4711"}, {Identifier: "other.example"}, {Method: http.MethodGet}, {}}[i%5]
				f := mockca.Status500()
				if i%5 == 4 { // made for another endpoint
					f = mockca.CertWrongKey()
				}
				ca.Inject(f, when)
			}
			e := c.envelope(ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example")+`}`)
			body, err := json.Marshal(sign(b, e.key, e.alg, e.header, e.payload))
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				req := httptest.NewRequest(http.MethodPost, e.url, bytes.NewReader(body))
				req.Header.Set("Content-Type", e.contentType)
				w := httptest.NewRecorder()
				ca.ServeHTTP(w, req)
				if w.Code != http.StatusCreated {
					b.Fatalf("%d: %s", w.Code, w.Body)
				}
			}
			for _, r := range ca.Rules() {
				require.Zero(b, r.Hits)
			}
		})
	}
}
