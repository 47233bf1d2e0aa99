package mockca_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/memnet"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// Every fault, as it is seen by a client that says exactly what it wants.

// wireTests show each fault; "name:params" shows another of its kinds.
func wireTests() map[string]wireTest {
	all := make(map[string]wireTest)
	for _, part := range []map[string]wireTest{transportOnWire(), httpOnWire(), sizesOnWire(), noncesOnWire(), jsonOnWire(), directoryOnWire(),
		accountOnWire(), orderOnWire(), identifiersOnWire(), verdictsOnWire(), authorizationOnWire(), challengeOnWire(), certificateOnWire(), chainOnWire(),
		revocationOnWire(), renewalInfoOnWire(), timeOnWire()} {
		maps.Copy(all, part)
	}
	return all
}

// wireTest shows one fault. The CA, with the fault not yet injected, and a
// client with an account are in w.
type wireTest struct {
	options func(*mockca.Options)
	show    func(w *wire)
}

// wire is what a wireTest works with.
type wire struct {
	*raw
	fault  mockca.Fault
	listen *memnet.Listener // nil: real sockets
}

func TestEveryFaultOnTheWire(t *testing.T) {
	t.Parallel()
	tests := wireTests()
	shown := map[string]bool{}
	for _, text := range slices.Sorted(maps.Keys(tests)) {
		f, err := mockca.ParseFault(text)
		require.NoError(t, err)
		shown[f.Name] = true
		t.Run(strings.ReplaceAll(text, "/", "_"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runOnWire(t, text, tests[text], memnet.Listen(), true) })
		})
	}
	for _, f := range mockca.Faults() {
		require.True(t, shown[f.Name], "nothing shows the fault %s on the wire", f.Name)
	}
}

// What a bubble's network can't show: sockets, and HTTP/1.1 beside HTTP/2.
func TestTransportFaultsOnSockets(t *testing.T) {
	t.Parallel()
	for text, test := range transportOnWire() {
		for _, http2 := range []bool{false, true} {
			if slow := []string{"drip", "stall", "stall-body", "latency"}; slices.Contains(slow, text) {
				continue
			}
			t.Run(fmt.Sprintf("%s over HTTP/2 %t", text, http2), func(t *testing.T) {
				t.Parallel()
				runOnWire(t, text, test, nil, http2)
			})
		}
	}
}

func runOnWire(t *testing.T, text string, test wireTest, l *memnet.Listener, http2 bool) {
	f, err := mockca.ParseFault(text)
	require.NoError(t, err)
	policy := mockca.DefaultPolicy()
	o := mockca.Options{Policy: &policy, Validation: off, DisableHTTP2: !http2, Seed: 1}
	if test.options != nil {
		test.options(&o)
	}
	var ca *mockca.CA
	if l == nil {
		ca = mockca.New(t, o)
	} else {
		ca, err = mockca.NewUnstarted(o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, ca.Close()) })
		require.NoError(t, ca.Serve(l))
	}
	w := &wire{raw: newRaw(t, ca), fault: f, listen: l}
	w.http = w.newHTTP()
	w.register()
	test.show(w)
	require.NotEmpty(t, ca.Rules(), "the fault was never injected")
	require.Positive(t, ca.Rules()[0].Hits)
	w.http.CloseIdleConnections()
}

// newHTTP makes another client, with connections of its own, that follows no
// redirects.
func (w *wire) newHTTP() *http.Client {
	transport := w.ca.Client().Transport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 20
	if w.listen != nil {
		transport.DialContext = w.listen.Dial
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// inject injects the fault, at the endpoints given or where it acts by itself.
func (w *wire) inject(at ...mockca.Endpoint) *wire {
	w.ca.Inject(w.fault, mockca.When{Endpoints: at})
	return w
}

// get asks without a signature.
func (w *wire) get(method, url string) (result, error) {
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, nil)
	require.NoError(w.t, err)
	resp, err := w.http.Do(req)
	if err != nil {
		return result{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return result{resp.StatusCode, resp.Header, body}, err
}

// prepare makes all that a request to an endpoint needs, and returns the
// request.
func (w *wire) prepare(e mockca.Endpoint) func() (result, error) {
	w.t.Helper()
	post := func(url, payload string) func() (result, error) {
		return func() (result, error) { return w.do(url, payload) }
	}
	switch e {
	case mockca.Directory:
		return func() (result, error) { return w.get(http.MethodGet, w.ca.DirectoryURL()) }
	case mockca.NewNonce:
		return func() (result, error) { return w.get(http.MethodHead, w.ca.URL(e)) }
	case mockca.NewAccount:
		return func() (result, error) {
			return newRawWith(w).do(w.ca.URL(e), `{"termsOfServiceAgreed":true,"contact":["mailto:a@example.org"]}`)
		}
	case mockca.AccountURL:
		return post(w.kid, "")
	case mockca.NewOrder:
		return post(w.ca.URL(e), `{"identifiers":`+identifiers("a.example", "b.example")+`}`)
	case mockca.OrderURL:
		return post(w.order("a.example", "b.example").Header.Get("Location"), "")
	case mockca.Authz:
		return post(w.order("a.example").object()["authorizations"].([]any)[0].(string), "")
	case mockca.ChallengeURL:
		return post(w.challenges("a.example")[0]["url"].(string), `{}`)
	case mockca.Finalize:
		order, _ := w.ready("a.example", "b.example")
		return post(order.text("finalize"), csrPayload(csrFor(w.t, newKey(w.t), "a.example", "b.example")))
	case mockca.Certificate:
		return post(w.issued("a.example", "b.example").text("certificate"), "")
	case mockca.RevokeCert:
		leaf, _ := w.issue("a.example")
		return post(w.ca.URL(e), fmt.Sprintf(`{"certificate":%q,"reason":1}`, base64.RawURLEncoding.EncodeToString(leaf.Raw)))
	case mockca.KeyChange:
		return post(w.ca.URL(e), w.keyChange(newKey(w.t)))
	case mockca.RenewalInfo:
		w.issue("a.example")
		url := w.ca.URL(e) + "/" + w.ca.Certificates()[0].CertID
		return func() (result, error) { return w.get(http.MethodGet, url) }
	}
	w.t.Fatalf("nothing to ask of %s", e)
	return nil
}

func newRawWith(w *wire) *raw { return &raw{t: w.t, ca: w.ca, http: w.http, key: newKey(w.t)} }

// challenges are those of a new order for a name.
func (w *wire) challenges(name string) []map[string]any {
	z := w.want(http.StatusOK, w.order(name).object()["authorizations"].([]any)[0].(string), "")
	var list []map[string]any
	for _, c := range z.object()["challenges"].([]any) {
		list = append(list, c.(map[string]any))
	}
	return list
}

// issued is a valid order.
func (w *wire) issued(names ...string) result {
	w.t.Helper()
	order, _ := w.ready(names...)
	order = w.want(http.StatusOK, order.text("finalize"), csrPayload(csrFor(w.t, newKey(w.t), names...)))
	require.Equal(w.t, "valid", order.text("status"))
	return order
}

// keyChange is the payload that gives the account another key: RFC 8555, Section
// 7.3.5.
func (w *wire) keyChange(key crypto.Signer) string {
	old, err := json.Marshal(map[string]any{"account": w.kid, "oldKey": jose.JSONWebKey{Key: w.key.Public()}})
	require.NoError(w.t, err)
	header := map[string]any{"url": w.ca.URL(mockca.KeyChange), "jwk": jose.JSONWebKey{Key: key.Public()}}
	inner, err := json.Marshal(sign(w.t, key, jose.ES256, header, string(old)))
	require.NoError(w.t, err)
	return string(inner)
}

// with sends a request with a nonce of one's own.
func (w *wire) with(nonce, url, payload string) result {
	e := &envelope{url: url, method: http.MethodPost, contentType: "application/jose+json", payload: payload, key: w.key, alg: jose.ES256,
		header: map[string]any{"url": url, "nonce": nonce, "kid": w.kid}}
	resp, err := e.send(w.raw)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return result{resp.StatusCode, resp.Header, body}
}

// answer asks an endpoint with the fault at work there, and looks at the answer.
func answer(e mockca.Endpoint, check func(w *wire, r result)) wireTest {
	return wireTest{show: func(w *wire) {
		ask := w.prepare(e)
		w.inject(e)
		r, err := ask()
		require.NoError(w.t, err)
		check(w, r)
	}}
}

// silence asks an endpoint with the fault at work there, and gets no answer.
func silence(e mockca.Endpoint, check func(w *wire, err error)) wireTest {
	return wireTest{show: func(w *wire) {
		ask := w.prepare(e)
		w.inject(e)
		_, err := ask()
		require.Error(w.t, err)
		if check != nil {
			check(w, err)
		}
	}}
}

// refused wants a problem.
func refused(e mockca.Endpoint, status int, typ string) wireTest {
	return answer(e, func(w *wire, r result) {
		require.Equal(w.t, status, r.Status, "%s", r.Body)
		require.Equal(w.t, typ, r.problem())
	})
}

// flow injects the fault where it acts by itself, and goes on.
func flow(show func(w *wire), options ...func(*mockca.Options)) wireTest {
	test := wireTest{show: func(w *wire) { show(w.inject()) }}
	if len(options) > 0 {
		test.options = options[0]
	}
	return test
}
