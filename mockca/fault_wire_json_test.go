package mockca_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

func noncesOnWire() map[string]wireTest {
	order := func(w *wire) result {
		return w.post(mockca.NewOrder, w.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example")+`}`)
	}
	bad := func(n int) wireTest {
		return flow(func(w *wire) {
			for range n {
				r := order(w)
				require.Equal(w.t, "badNonce", r.problem())
				require.NotEmpty(w.t, r.Header.Get("Replay-Nonce"))
			}
			require.Equal(w.t, 201, order(w).Status)
		})
	}
	return map[string]wireTest{
		"bad-nonce": bad(1), "bad-nonce:3": bad(3),
		"bad-nonce-forever": flow(func(w *wire) {
			for range 20 {
				require.Equal(w.t, "badNonce", order(w).problem())
			}
		}),
		"bad-nonce-no-replay": flow(func(w *wire) {
			r := order(w)
			require.Equal(w.t, "badNonce", r.problem())
			require.Empty(w.t, r.Header.Get("Replay-Nonce"))
			require.Equal(w.t, 201, order(w).Status)
		}),
		"no-nonce": flow(func(w *wire) {
			r := order(w)
			require.Equal(w.t, 201, r.Status)
			require.Empty(w.t, r.Header.Get("Replay-Nonce"))
			require.NotEmpty(w.t, w.nonce(), "newNonce has some")
		}),
		"nonce-invalid-chars": flow(func(w *wire) {
			r := order(w)
			require.Equal(w.t, 201, r.Status)
			require.Regexp(w.t, `[+/ =]`, r.Header.Get("Replay-Nonce"))
		}),
		"nonce-repeated": flow(func(w *wire) {
			first := w.nonce()
			require.Equal(w.t, first, w.nonce())
			require.NotEqual(w.t, first, w.nonce())
		}),
		"nonce-expired": {show: func(w *wire) {
			kept := w.nonce()
			w.inject()
			w.change = func(e *envelope) { e.header["nonce"] = kept }
			r := order(w)
			require.Equal(w.t, "badNonce", r.problem())
			require.Contains(w.t, string(r.Body), "expired")
			require.Equal(w.t, 201, order(w).Status)
		}},
		"new-nonce-405": flow(func(w *wire) {
			r, err := w.get(http.MethodHead, w.ca.URL(mockca.NewNonce))
			require.NoError(w.t, err)
			require.Equal(w.t, 405, r.Status)
			require.Empty(w.t, r.Header.Get("Replay-Nonce"))
			r, err = w.get(http.MethodGet, w.ca.URL(mockca.NewNonce))
			require.NoError(w.t, err)
			require.NotEmpty(w.t, r.Header.Get("Replay-Nonce"))
		}),
		"new-nonce-200-head": flow(func(w *wire) {
			for method, status := range map[string]int{http.MethodHead: 204, http.MethodGet: 200} {
				r, err := w.get(method, w.ca.URL(mockca.NewNonce))
				require.NoError(w.t, err)
				require.Equal(w.t, status, r.Status)
				require.NotEmpty(w.t, r.Header.Get("Replay-Nonce"))
			}
		}),
		"new-nonce-no-header": flow(func(w *wire) { require.Empty(w.t, w.nonce()) }),
	}
}

func jsonOnWire() map[string]wireTest {
	body := func(check func(w *wire, body string)) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) { check(w, string(r.Body)) })
	}
	notJSON := body(func(w *wire, body string) { require.False(w.t, json.Valid([]byte(body)), body) })
	expires := func(layout string) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) { require.Regexp(w.t, layout, r.text("expires")) })
	}
	return map[string]wireTest{
		"json-truncated": notJSON,
		"json-garbage":   notJSON,
		"json-trailing": body(func(w *wire, body string) {
			d := json.NewDecoder(strings.NewReader(body))
			for range 2 {
				var m map[string]any
				require.NoError(w.t, d.Decode(&m))
				require.NotEmpty(w.t, m["status"])
			}
		}),
		"json-deep": body(func(w *wire, body string) {
			require.Equal(w.t, 100_000, strings.Count(body, "["))
			require.Equal(w.t, 100_000, strings.Count(body, "]"))
		}),
		"json-long-array:10000": answer(mockca.NewOrder, func(w *wire, r result) { require.Len(w.t, r.object()["authorizations"], 10_001) }),
		"json-big-number": body(func(w *wire, body string) {
			require.Greater(w.t, len(body), 2<<20)
			require.True(w.t, json.Valid([]byte(body)))
		}),
		"json-null":                      body(func(w *wire, body string) { require.Contains(w.t, body, `"status":null`) }),
		"json-null:finalize":             body(func(w *wire, body string) { require.Contains(w.t, body, `"finalize":null`) }),
		"json-wrong-type":                body(func(w *wire, body string) { require.Contains(w.t, body, `"status":[`) }),
		"json-wrong-type:authorizations": body(func(w *wire, body string) { require.Contains(w.t, body, `"authorizations":"of another type"`) }),
		"json-duplicate-keys": body(func(w *wire, body string) {
			require.Equal(w.t, 2, strings.Count(body, `"status":`))
			require.True(w.t, strings.HasPrefix(body, `{"status":"invalid",`))
		}),
		"json-unknown-fields": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Contains(w.t, r.object(), "futureObject")
			require.Equal(w.t, "pending", r.text("status"))
		}),
		"json-invalid-utf8": body(func(w *wire, body string) { require.False(w.t, utf8.ValidString(body)) }),
		"json-control-chars": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, "rejectedIdentifier", r.problem())
			require.Contains(w.t, r.text("detail"), "\x1b[2J")
			require.Contains(w.t, r.text("detail"), "\u202e")
		}),
		"status-unknown":          body(func(w *wire, body string) { require.Contains(w.t, body, `"status":"frozen"`) }),
		"times-garbage":           expires("^next Tuesday"),
		"times-garbage:fraction":  expires(`\.123456789Z$`),
		"times-garbage:offset":    expires(`\+00:00$`),
		"times-garbage:lowercase": expires(`t.*z$`),
	}
}

func directoryOnWire() map[string]wireTest {
	directory := func(check func(w *wire, r result)) wireTest { return answer(mockca.Directory, check) }
	missing := func(field string) wireTest {
		return directory(func(w *wire, r result) {
			require.NotContains(w.t, r.object(), field)
			require.Contains(w.t, r.object(), "meta")
		})
	}
	return map[string]wireTest{
		"directory-missing": missing("newNonce"), "directory-missing:newAccount": missing("newAccount"), "directory-missing:newOrder": missing("newOrder"),
		"directory-missing:revokeCert": missing("revokeCert"), "directory-missing-keyChange": missing("keyChange"),
		"directory-not-acme":       directory(func(w *wire, r result) { require.Contains(w.t, r.object(), "new-reg") }),
		"directory-not-acme:html":  directory(func(w *wire, r result) { require.Contains(w.t, string(r.Body), "<!doctype html>") }),
		"directory-not-acme:empty": directory(func(w *wire, r result) { require.Equal(w.t, "{}", string(r.Body)) }),
		"directory-cross-origin": directory(func(w *wire, r result) {
			require.Regexp(w.t, `^https://localhost(:\d+)?/`, r.text("newOrder"))
			made, err := newRawWith(w).do(r.text("newAccount"), `{}`)
			require.NoError(w.t, err)
			require.Equal(w.t, 201, made.Status, "it is the same CA")
		}),
		"directory-http": directory(func(w *wire, r result) { require.Regexp(w.t, `^http://`, r.text("newOrder")) }),
		"directory-moved": flow(func(w *wire) {
			newOrder := func() string {
				r, err := w.get(http.MethodGet, w.ca.DirectoryURL())
				require.NoError(w.t, err)
				return r.text("newOrder")
			}
			payload := `{"identifiers":` + identifiers("a.example") + `}`
			old := newOrder()
			w.ca.ClearRules() // for nonces
			nonce := w.nonce()
			w.ca.Inject(w.fault)
			require.Equal(w.t, 404, w.with(nonce, old, payload).Status)
			fresh := newOrder()
			require.NotEqual(w.t, old, fresh)
			nonces, err := w.get(http.MethodHead, strings.Replace(fresh, "new-order", "new-nonce", 1))
			require.NoError(w.t, err)
			require.Equal(w.t, 201, w.with(nonces.Header.Get("Replay-Nonce"), fresh, payload).Status)
			require.Equal(w.t, 404, w.with("x", old, payload).Status)
		}),
		"directory-meta-odd": directory(func(w *wire, r result) {
			require.EqualValues(w.t, 7, r.object()["meta"].(map[string]any)["termsOfService"])
		}),
	}
}
