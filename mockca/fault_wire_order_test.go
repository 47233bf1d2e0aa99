package mockca_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

func accountOnWire() map[string]wireTest {
	newAccount := func(w *wire, payload string) result {
		r, err := newRawWith(w).do(w.ca.URL(mockca.NewAccount), payload)
		require.NoError(w.t, err)
		return r
	}
	stopped := func(status string) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 401, r.Status)
			require.Equal(w.t, "unauthorized", r.problem())
			require.Equal(w.t, status, w.ca.Accounts()[0].Status)
		})
	}
	return map[string]wireTest{
		"account-exists": answer(mockca.NewAccount, func(w *wire, r result) {
			require.Equal(w.t, 200, r.Status)
			require.NotEmpty(w.t, r.Header.Get("Location"))
		}),
		"account-gone": flow(func(w *wire) {
			order := func() result {
				return w.post(mockca.NewOrder, w.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example")+`}`)
			}
			require.Equal(w.t, "accountDoesNotExist", order().problem())
			require.Equal(w.t, "accountDoesNotExist", order().problem(), "it really is gone")
			w.kid = ""
			w.register()
			require.Equal(w.t, 201, order().Status)
		}),
		"account-deactivated": stopped("deactivated"),
		"account-revoked":     stopped("revoked"),
		"tos-changed": flow(func(w *wire) {
			order := func() result {
				return w.post(mockca.NewOrder, w.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example")+`}`)
			}
			r := order()
			require.Equal(w.t, "userActionRequired", r.problem())
			require.NotEmpty(w.t, r.text("instance"))
			require.Contains(w.t, strings.Join(r.Header.Values("Link"), ","), `rel="terms-of-service"`)
			w.want(200, w.kid, `{"termsOfServiceAgreed":true}`)
			require.Equal(w.t, 201, order().Status)
		}),
		"eab-required": flow(func(w *wire) {
			r, err := w.get(http.MethodGet, w.ca.DirectoryURL())
			require.NoError(w.t, err)
			require.Equal(w.t, true, r.object()["meta"].(map[string]any)["externalAccountRequired"])
			require.Equal(w.t, "externalAccountRequired", newAccount(w, `{}`).problem())
		}),
		"eab-rejected":      refused(mockca.NewAccount, 400, "malformed"),
		"eab-rejected:kid":  refused(mockca.NewAccount, 403, "unauthorized"),
		"eab-rejected:used": refused(mockca.NewAccount, 403, "unauthorized"),
		"contact-invalid": flow(func(w *wire) {
			require.Equal(w.t, "invalidContact", newAccount(w, `{"contact":["mailto:a@example.org"]}`).problem())
			require.Equal(w.t, 201, newAccount(w, `{}`).Status)
			require.Equal(w.t, "invalidContact", w.post(mockca.AccountURL, w.kid, `{"contact":["mailto:a@example.org"]}`).problem())
		}),
		"contact-invalid:unsupportedContact": refused(mockca.NewAccount, 400, "unsupportedContact"),
		"new-account-lost": flow(func(w *wire) {
			c := newRawWith(w)
			require.Error(w.t, c.postErr(w.ca.URL(mockca.NewAccount), `{}`))
			require.Len(w.t, w.ca.Accounts(), 2)
			require.Equal(w.t, 200, c.post(mockca.NewAccount, w.ca.URL(mockca.NewAccount), `{}`).Status)
		}),
		"key-change-lost": flow(func(w *wire) {
			next := newKey(w.t)
			require.Error(w.t, w.postErr(w.ca.URL(mockca.KeyChange), w.keyChange(next)))
			require.NotEqual(w.t, 200, w.post(mockca.AccountURL, w.kid, "").Status)
			w.key = next
			w.want(200, w.kid, "")
		}),
		"key-change-conflict": answer(mockca.KeyChange, func(w *wire, r result) {
			require.Equal(w.t, 409, r.Status)
			require.Regexp(w.t, `/acme/acct/\d+$`, r.Header.Get("Location"))
			require.NotEqual(w.t, w.kid, r.Header.Get("Location"))
		}),
		"bad-signature-algorithm:RS256,PS256": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, "badSignatureAlgorithm", r.problem())
			require.Equal(w.t, []any{"RS256", "PS256"}, r.object()["algorithms"])
		}),
	}
}

func orderOnWire() map[string]wireTest {
	// finalized are what finalize answers and the order after each of some waits.
	finalized := func(check func(w *wire, first result, look func() result), options ...func(*mockca.Options)) wireTest {
		return flow(func(w *wire) {
			order, url := w.ready("a.example", "b.example")
			first := w.post(mockca.Finalize, order.text("finalize"), csrPayload(csrFor(w.t, newKey(w.t), "a.example", "b.example")))
			check(w, first, func() result { return w.post(mockca.OrderURL, url, "") })
		}, options...)
	}
	invalid := func(check func(w *wire, order result)) wireTest {
		return finalized(func(w *wire, first result, look func() result) {
			require.Equal(w.t, "invalid", look().text("status"))
			check(w, look())
		})
	}
	gone := func(status int, state string) wireTest {
		return finalized(func(w *wire, first result, look func() result) {
			require.Equal(w.t, status, first.Status)
			require.Equal(w.t, state, look().text("status"))
		})
	}
	lost := func(check func(w *wire, r result, err error)) wireTest {
		return flow(func(w *wire) {
			order, url := w.ready("a.example")
			r, err := w.do(order.text("finalize"), csrPayload(csrFor(w.t, newKey(w.t), "a.example")))
			check(w, r, err)
			require.Equal(w.t, "valid", w.want(200, url, "").text("status"))
		})
	}
	return map[string]wireTest{
		"order-processing": finalized(func(w *wire, first result, look func() result) {
			require.Equal(w.t, "processing", first.text("status"))
			require.NotEmpty(w.t, first.Header.Get("Retry-After"))
			time.Sleep(4900 * time.Millisecond)
			require.Equal(w.t, "processing", look().text("status"))
			time.Sleep(200 * time.Millisecond)
			require.Equal(w.t, "valid", look().text("status"))
		}),
		"order-processing:2": finalized(func(w *wire, first result, look func() result) {
			for _, r := range []result{first, look(), look()} {
				require.Equal(w.t, "processing", r.text("status"))
				require.Empty(w.t, r.text("certificate"))
				require.Equal(w.t, "1", r.Header.Get("Retry-After"))
			}
			require.Equal(w.t, "valid", look().text("status"))
			require.NotEmpty(w.t, look().text("certificate"))
		}),
		"order-processing-forever": finalized(func(w *wire, first result, look func() result) {
			require.Equal(w.t, "processing", first.text("status"))
			time.Sleep(5 * 24 * time.Hour)
			require.Equal(w.t, "processing", look().text("status"))
		}),
		"order-ready-late": flow(func(w *wire) {
			order := w.order("a.example")
			url := order.Header.Get("Location")
			list := w.want(200, order.object()["authorizations"].([]any)[0].(string), "").object()["challenges"].([]any)
			w.want(200, list[0].(map[string]any)["url"].(string), `{}`)
			require.Equal(w.t, "valid", w.want(200, order.object()["authorizations"].([]any)[0].(string), "").text("status"))
			require.Equal(w.t, "pending", w.want(200, url, "").text("status"))
			require.Equal(w.t, "orderNotReady", w.post(mockca.Finalize, order.text("finalize"), csrPayload(csrFor(w.t, newKey(w.t), "a.example"))).problem())
			time.Sleep(5 * time.Second)
			require.Equal(w.t, "ready", w.want(200, url, "").text("status"))
		}),
		"order-not-ready": finalized(func(w *wire, first result, look func() result) {
			require.Equal(w.t, 403, first.Status)
			require.Equal(w.t, "orderNotReady", first.problem())
			require.Equal(w.t, "ready", look().text("status"))
			r := w.post(mockca.Finalize, look().text("finalize"), csrPayload(csrFor(w.t, newKey(w.t), "a.example", "b.example")))
			require.Equal(w.t, "valid", r.text("status"))
		}),
		"order-invalid": invalid(func(w *wire, order result) {
			require.Contains(w.t, order.object()["error"], "detail")
			require.NotContains(w.t, order.object()["error"], "subproblems")
		}),
		"order-invalid:subproblems": invalid(func(w *wire, order result) {
			require.Len(w.t, order.object()["error"].(map[string]any)["subproblems"], 2)
		}),
		"order-invalid:silent":  invalid(func(w *wire, order result) { require.NotContains(w.t, order.object(), "error") }),
		"order-expired":         gone(404, ""),
		"order-expired:invalid": gone(403, "invalid"),
		"order-reused": flow(func(w *wire) {
			first := w.order("a.example").Header.Get("Location")
			require.Equal(w.t, first, w.order("a.example").Header.Get("Location"))
			require.NotEqual(w.t, first, w.order("b.example").Header.Get("Location"))
		}),
		"order-valid-at-once": finalized(func(w *wire, first result, _ func() result) {
			require.Equal(w.t, "valid", first.text("status"))
			require.NotEmpty(w.t, first.text("certificate"))
		}, func(o *mockca.Options) { o.Policy.AsyncFinalize, o.Policy.FinalizeDelay = true, time.Second }),
		"order-no-certificate": finalized(func(w *wire, first result, look func() result) {
			for _, r := range []result{first, look()} {
				require.Equal(w.t, "valid", r.text("status"))
				require.Empty(w.t, r.text("certificate"))
			}
		}),
		"order-url-changed": finalized(func(w *wire, first result, _ func() result) {
			require.Regexp(w.t, `4711$`, first.Header.Get("Location"))
		}),
		"order-url-changed:missing": finalized(func(w *wire, first result, _ func() result) { require.Empty(w.t, first.Header.Get("Location")) }),
		"order-paused": answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, 429, r.Status)
			require.Contains(w.t, r.text("detail"), "/unpause?account=1")
		}),
		"order-paused:unauthorized": refused(mockca.NewOrder, 403, "unauthorized"),
		"new-order-lost": flow(func(w *wire) {
			require.Error(w.t, w.postErr(w.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example")+`}`))
			require.Len(w.t, w.ca.Orders(), 1)
			w.order("b.example")
		}),
		"finalize-lost":     lost(func(w *wire, _ result, err error) { require.Error(w.t, err) }),
		"finalize-lost:500": lost(func(w *wire, r result, _ error) { require.Equal(w.t, 500, r.Status) }),
		"bad-csr":           refused(mockca.Finalize, 400, "badCSR"),
	}
}

func identifiersOnWire() map[string]wireTest {
	values := func(r result) (list []string) {
		for _, id := range r.object()["identifiers"].([]any) {
			list = append(list, id.(map[string]any)["value"].(string))
		}
		return list
	}
	ordered := func(want ...string) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) { require.Equal(w.t, append([]string(nil), want...), values(r)) })
	}
	authzs := func(check func(w *wire, list []any)) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) { check(w, r.object()["authorizations"].([]any)) })
	}
	return map[string]wireTest{
		"order-identifiers-reordered": ordered("b.example", "a.example"),
		"order-identifiers-lowercased": flow(func(w *wire) {
			require.Equal(w.t, []string{"A.EXAMPLE"}, values(w.order("a.example")))
			require.Equal(w.t, []string{"b.example"}, values(w.order("B.Example")))
		}),
		"order-identifiers-changed":          ordered("a.example"),
		"order-identifiers-changed:added":    ordered("a.example", "b.example", "unasked.example"),
		"order-identifiers-changed:replaced": ordered("a.example", "unasked.example"),
		"order-authz-missing":                authzs(func(w *wire, list []any) { require.Len(w.t, list, 1) }),
		"order-authz-duplicate": authzs(func(w *wire, list []any) {
			require.Len(w.t, list, 4)
			require.Equal(w.t, list[:2], list[2:])
		}),
		"order-authz-foreign": authzs(func(w *wire, list []any) {
			require.Len(w.t, list, 2)
			require.Equal(w.t, "unauthorized", w.post(mockca.Authz, list[1].(string), "").problem())
			w.want(200, list[0].(string), "")
		}),
	}
}

func verdictsOnWire() map[string]wireTest {
	perName := func(typ string) wireTest {
		return answer(mockca.NewOrder, func(w *wire, r result) {
			require.Equal(w.t, typ, r.problem())
			subs := r.object()["subproblems"].([]any)
			require.Len(w.t, subs, 2)
			require.Equal(w.t, "b.example", subs[1].(map[string]any)["identifier"].(map[string]any)["value"])
		})
	}
	validation := func(typ string) wireTest {
		return flow(func(w *wire) {
			c := w.challenges("a.example")[0]
			w.want(200, c["url"].(string), `{}`)
			require.NoError(w.t, w.ca.Wait(w.t.Context()))
			r := w.want(200, c["url"].(string), "")
			require.Equal(w.t, "invalid", r.text("status"))
			require.Equal(w.t, "urn:ietf:params:acme:error:"+typ, r.object()["error"].(map[string]any)["type"])
		})
	}
	replaces := func(status int, typ string) wireTest {
		return flow(func(w *wire) {
			w.issue("a.example")
			r := w.post(mockca.NewOrder, w.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example")+`,"replaces":"`+w.ca.Certificates()[0].CertID+`"}`)
			require.Equal(w.t, status, r.Status)
			require.Equal(w.t, typ, r.problem())
		})
	}
	return map[string]wireTest{
		"caa": validation("caa"), "caa:subproblems": perName("caa"),
		"dns-problem": validation("dns"), "dns-problem:subproblems": perName("dns"),
		"connection-problem": validation("connection"), "connection-problem:subproblems": perName("connection"),
		"incorrect-response": validation("incorrectResponse"), "incorrect-response:subproblems": perName("incorrectResponse"),
		"rejected-identifier": refused(mockca.NewOrder, 400, "rejectedIdentifier"), "rejected-identifier:subproblems": perName("rejectedIdentifier"),
		"unsupported-identifier": refused(mockca.NewOrder, 400, "unsupportedIdentifier"), "unsupported-identifier:subproblems": perName("unsupportedIdentifier"),
		"already-replaced":   replaces(409, "alreadyReplaced"),
		"replaces-malformed": replaces(400, "malformed"),
		"replaces-unknown":   replaces(404, "malformed"),
		"profile-unknown": flow(func(w *wire) {
			r := w.post(mockca.NewOrder, w.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers("a.example")+`,"profile":"classic"}`)
			require.Equal(w.t, "invalidProfile", r.problem())
			w.order("a.example")
		}),
	}
}
