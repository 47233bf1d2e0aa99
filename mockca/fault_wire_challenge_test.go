package mockca_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

func authorizationOnWire() map[string]wireTest {
	made := func(status string) wireTest {
		return flow(func(w *wire) {
			order := w.order("a.example")
			require.Equal(w.t, status, w.want(200, order.object()["authorizations"].([]any)[0].(string), "").text("status"))
			want := map[bool]string{true: "ready", false: "invalid"}[status == "valid"]
			require.Equal(w.t, want, w.want(200, order.Header.Get("Location"), "").text("status"))
		})
	}
	types := func(check func(w *wire, types []string)) wireTest {
		return flow(func(w *wire) {
			types := []string{}
			for _, c := range w.challenges("a.example") {
				types = append(types, c["type"].(string))
			}
			check(w, types)
		})
	}
	wildcard := func(name string, want any) wireTest {
		return flow(func(w *wire) {
			z := w.want(200, w.order(name).object()["authorizations"].([]any)[0].(string), "")
			require.Equal(w.t, want, z.object()["wildcard"])
		})
	}
	return map[string]wireTest{
		"authz-valid": made("valid"), "authz-invalid": made("invalid"), "authz-expired": made("expired"), "authz-revoked": made("revoked"),
		"authz-deactivated":          made("deactivated"),
		"authz-no-challenge":         types(func(w *wire, types []string) { require.Empty(w.t, types) }),
		"authz-no-challenge:unknown": types(func(w *wire, types []string) { require.Equal(w.t, []string{"future-01"}, types) }),
		"authz-unknown-types": types(func(w *wire, types []string) {
			require.Equal(w.t, "future-01", types[0])
			require.Contains(w.t, types, "http-01")
		}),
		"authz-wrong-identifier": answer(mockca.Authz, func(w *wire, r result) {
			require.Equal(w.t, "unasked.example", r.object()["identifier"].(map[string]any)["value"])
		}),
		"authz-wildcard-flag":       wildcard("*.a.example", nil),
		"authz-wildcard-flag:wrong": wildcard("a.example", true),
	}
}

func challengeOnWire() map[string]wireTest {
	token := func(want any) wireTest {
		return flow(func(w *wire) { require.Equal(w.t, want, w.challenges("a.example")[0]["token"]) })
	}
	// answered answers the challenge of a type; script looks, counting.
	answered := func(typ string, script func(n int64) *mockca.Problem, check func(w *wire, looks *atomic.Int64, read func() result)) wireTest {
		var looks atomic.Int64
		return flow(func(w *wire) {
			list := w.challenges("a.example")
			i := slices.IndexFunc(list, func(c map[string]any) bool { return c["type"] == typ })
			url := list[i]["url"].(string)
			w.want(200, url, `{}`)
			check(w, &looks, func() result { return w.want(200, url, "") })
		}, func(o *mockca.Options) {
			o.Validation = mockca.Validation{Script: func(context.Context, mockca.ValidationRequest) *mockca.Problem {
				n := looks.Add(1)
				if script == nil {
					return nil
				}
				return script(n)
			}}
		})
	}
	invalid := func(typ string) wireTest {
		return answered("http-01", nil, func(w *wire, looks *atomic.Int64, read func() result) {
			require.NoError(w.t, w.ca.Wait(w.t.Context()))
			r := read()
			require.Equal(w.t, "invalid", r.text("status"))
			require.Equal(w.t, "urn:ietf:params:acme:error:"+typ, r.object()["error"].(map[string]any)["type"])
			require.NotEmpty(w.t, r.object()["validationRecord"])
			require.Zero(w.t, looks.Load())
		})
	}
	return map[string]wireTest{
		"challenge-token-missing":        token(nil),
		"challenge-token-short":          token("abc"),
		"challenge-token-bad-chars":      token("evaGxfADs6pSRb2LAv9\r\nX-Injected: yes\r\n\r\n\"$(id)\""),
		"challenge-token-path-traversal": token("../../../../../../tmp/evaGxfADs6pSRb2LAv9IZ"),
		"challenge-processing": answered("http-01", nil, func(w *wire, _ *atomic.Int64, read func() result) {
			time.Sleep(24 * time.Hour)
			require.Equal(w.t, "processing", read().text("status"))
			require.NotEmpty(w.t, read().Header.Get("Retry-After"))
		}),
		"challenge-slow": answered("http-01", nil, func(w *wire, _ *atomic.Int64, read func() result) {
			time.Sleep(4900 * time.Millisecond)
			require.Equal(w.t, "processing", read().text("status"))
			time.Sleep(200 * time.Millisecond)
			require.Equal(w.t, "valid", read().text("status"))
		}),
		"challenge-invalid": invalid("incorrectResponse"), "challenge-invalid:caa": invalid("caa"), "challenge-invalid:tls": invalid("tls"),
		"challenge-retry": answered("http-01", nil, func(w *wire, looks *atomic.Int64, read func() result) {
			time.Sleep(7 * time.Second) // two failures, five seconds apart
			r := read()
			require.Equal(w.t, "processing", r.text("status"))
			require.Contains(w.t, r.object()["error"], "detail", "what went wrong so far")
			require.NotEmpty(w.t, r.Header.Get("Retry-After"))
			time.Sleep(5 * time.Second)
			require.Equal(w.t, "valid", read().text("status"))
			require.EqualValues(w.t, 1, looks.Load(), "it is really looked at, in the end")
		}),
		"challenge-already-answered": flow(func(w *wire) {
			c := w.challenges("a.example")[0]
			require.Equal(w.t, "malformed", w.post(mockca.ChallengeURL, c["url"].(string), `{}`).problem())
			require.Equal(w.t, "valid", w.want(200, c["url"].(string), "").text("status"))
		}),
		"validation-many": answered("dns-01", nil, func(w *wire, looks *atomic.Int64, read func() result) {
			require.NoError(w.t, w.ca.Wait(w.t.Context()))
			require.Equal(w.t, "valid", read().text("status"))
			require.EqualValues(w.t, 5, looks.Load())
		}),
		"validation-late": answered("http-01", func(n int64) *mockca.Problem {
			if n > 1 {
				return &mockca.Problem{Type: "unauthorized", Detail: "the response is gone"}
			}
			return nil
		}, func(w *wire, looks *atomic.Int64, read func() result) {
			require.NoError(w.t, w.ca.Wait(w.t.Context()))
			require.EqualValues(w.t, 1, looks.Load())
			time.Sleep(1100 * time.Millisecond)
			require.EqualValues(w.t, 2, looks.Load())
			require.Equal(w.t, "valid", read().text("status"))
		}),
		"dns-stale": answered("dns-01", nil, func(w *wire, _ *atomic.Int64, read func() result) {
			require.NoError(w.t, w.ca.Wait(w.t.Context()))
			require.Equal(w.t, "invalid", read().text("status"))
			require.Contains(w.t, string(read().Body), "ns2.a.example")
		}),
	}
}

// What the table's bubbles can't show: the CA really fetches, and by HEAD too.
func TestValidationManyFetchesFromEveryAddress(t *testing.T) {
	t.Parallel()
	var asked [2]atomic.Int64 // GET, HEAD
	var authorization atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			asked[1].Add(1)
			return
		}
		asked[0].Add(1)
		io.WriteString(rw, path.Base(r.URL.Path)+"."+authorization.Load().(string))
	}))
	defer server.Close()
	ca := mockca.New(t, mockca.Options{Validation: mockca.Validation{HTTPPort: server.Listener.Addr().(*net.TCPAddr).Port, NoCAA: true}})
	w := &wire{raw: newRaw(t, ca).register()}
	authorization.Store(ca.Accounts()[0].Thumbprint)
	ca.Inject(mockca.ValidationMany(3))
	list := w.challenges("a.example")
	i := slices.IndexFunc(list, func(c map[string]any) bool { return c["type"] == "http-01" })
	w.want(200, list[i]["url"].(string), `{}`)
	require.NoError(t, ca.Wait(t.Context()))
	require.Equal(t, "valid", w.want(200, list[i]["url"].(string), "").text("status"))
	require.EqualValues(t, 3, asked[0].Load())
	require.EqualValues(t, 3, asked[1].Load())
}
