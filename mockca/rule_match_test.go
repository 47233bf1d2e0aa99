package mockca

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkMatch is what rules that don't match add to a newOrder:
// BenchmarkRulesThatDoNotMatch has what that costs on the whole.
func BenchmarkMatch(b *testing.B) {
	b64 := base64.RawURLEncoding.EncodeToString
	body := fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":"AAAA"}`, b64([]byte(`{"alg":"ES256","kid":"https://ca.test/acme/acct/1","nonce":"AA","url":"https://ca.test/acme/new-order"}`)),
		b64([]byte(`{"identifiers":[{"type":"dns","value":"a.example"}]}`)))
	for _, n := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			ca, err := NewUnstarted(Options{})
			require.NoError(b, err)
			defer ca.Close()
			for i := range n {
				ca.Inject(CertWrongKey(), []When{{Endpoint: Finalize}, {Endpoint: NewOrder, Account: "4711"}, {Endpoint: NewOrder, Identifier: "other.example"},
					{Endpoint: NewOrder, Method: http.MethodGet}, {}}[i%5])
			}
			q := ca.begin(httptest.NewRequest(http.MethodPost, "https://ca.test/acme/new-order", strings.NewReader(body)))
			require.NotNil(b, q.message)
			q.orderPayload() // which newOrder reads anyway
			for b.Loop() {
				if ca.rules.match(q) != nil {
					b.Fatal("it matches")
				}
			}
		})
	}
}
