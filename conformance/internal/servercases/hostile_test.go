package servercases

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// mischief is what a server that is none does with a request; next is a CA
// without fault.
type mischief func(w http.ResponseWriter, r *http.Request, next http.Handler)

// alike answers everything alike.
func alike(status int, media, body string, header ...string) mischief {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection is not noticed
	<-r.Context().Done()
}

func reset(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

func endless(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	block := []byte(`{"a":[` + strings.Repeat(`"endless",`, 1000))
	for r.Context().Err() == nil {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// edited lets the CA answer, and rewrites that.
func edited(edit func(*httptest.ResponseRecorder)) mischief {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		edit(answer)
		for name, values := range answer.Header() {
			if name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}
}

func rewritten(change func(any) any) mischief {
	return edited(func(answer *httptest.ResponseRecorder) {
		var v any
		if json.Unmarshal(answer.Body.Bytes(), &v) == nil {
			text, _ := json.Marshal(change(v))
			answer.Body.Reset()
			answer.Body.Write(text)
		}
	})
}

// otherTypes gives each value of a JSON object a type that it must not have.
func otherTypes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, each := range v {
			switch each := each.(type) {
			case string:
				out[name] = map[string]any{"text": each}
			case []any:
				out[name] = "a list"
			case map[string]any:
				out[name] = []any{each, nil, 7.5}
			default:
				out[name] = "other"
			}
		}
		return out
	default:
		return map[string]any{"value": v}
	}
}

func nulls(v any) any {
	object, _ := v.(map[string]any)
	for name := range object {
		object[name] = nil
	}
	return v
}

// later lets directory and nonces be, so that the cases get on until the rest.
func later(m mischief) mischief {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost {
			m(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}

var hostiles = map[string]mischief{
	"hangs":            hang,
	"resets":           reset,
	"never ends":       endless,
	"answers HTML":     alike(200, "text/html", "<!doctype html><title>It works!</title>"),
	"fails":            alike(502, "text/html", "<h1>Bad Gateway</h1>"),
	"redirects":        alike(302, "text/plain", "", "Location", "/elsewhere", "Replay-Nonce", "AAAA"),
	"says nothing":     alike(200, "application/json", ""),
	"says null":        alike(200, "application/json", "null"),
	"has a list":       alike(200, "application/json", "[[[[]]]]"),
	"knows no type":    alike(200, "application/json", `{"newNonce":7,"newAccount":[],"newOrder":{},"meta":"x"}`),
	"has no URLs":      alike(200, "application/json", `{"newNonce":"::","newAccount":"mailto:a","newOrder":"\u0000","revokeCert":"/","keyChange":"https://","meta":[]}`),
	"is not UTF-8":     alike(200, "application/json", "{\"newNonce\":\"\xff\xfe\"}"),
	"nests":            alike(200, "application/json", strings.Repeat(`{"a":[`, 20_000)),
	"hangs later":      later(hang),
	"resets later":     later(reset),
	"never ends later": later(endless),
	"HTML later":       later(alike(200, "text/html", "<!doctype html><title>It works!</title>", "Location", "https://127.0.0.1:1/x", "Replay-Nonce", "AAAA")),
	"redirects later":  later(alike(307, "text/plain", "", "Location", "/elsewhere")),
	"nothing later":    later(edited(func(answer *httptest.ResponseRecorder) { answer.Body.Reset() })),
	"half later":       later(edited(func(answer *httptest.ResponseRecorder) { answer.Body.Truncate(answer.Body.Len() / 2) })),
	"types later":      later(rewritten(otherTypes)),
	"nulls later":      later(rewritten(nulls)),
	"lists later":      later(rewritten(func(v any) any { return []any{v, v} })),
	"nowhere later":    later(edited(func(answer *httptest.ResponseRecorder) { answer.Header().Set("Location", "\x7f:// nowhere") })),
	"bad headers": later(edited(func(answer *httptest.ResponseRecorder) {
		answer.Header().Set("Replay-Nonce", "not a nonce, €")
		answer.Header().Set("Retry-After", "99999999999999999999")
		answer.Header().Set("Link", `<;rel="`+strings.Repeat(`<>;rel="`, 500))
		answer.Header().Set("Content-Type", ";;;")
	})),
}

// TestHostileServers lets all cases judge servers that are none. A case fails
// there, or says why it can't tell; it does not panic, and it does not outlive
// its time.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	places := make(chan struct{}, 24) // for cases at once, whichever server they judge
	for name, mischief := range hostiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judgeHostile(t, places, mischief, strings.Contains(name, "later") || name == "bad headers")
		})
	}
}

func judgeHostile(t *testing.T, places chan struct{}, mischief mischief, late bool) {
	answers, err := responder.Start(t.Context(), responder.Options{HTTPAddr: "127.0.0.1:0", TLSAddr: "127.0.0.1:0", DNSAddr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(answers.Close)
	policy := everything()
	ca, err := mockca.NewUnstarted(mockca.Options{Policy: &policy, Validation: mockca.Validation{HTTPPort: answers.HTTPPort(), TLSPort: answers.TLSPort(), DNS: mockca.NewResolver(answers.DNSAddr())}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ca.Close()) })
	ca.AddEAB(binder, bindingKey)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mischief(w, r, ca.Handler()) }))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)

	env := &Env{
		DirectoryURL: server.URL + "/dir", Transport: server.Client().Transport, Timeout: 150 * time.Millisecond, Domain: "conformance.test",
		Responder: answers, ResolvesHere: true, Binding: &Binding{KeyID: binder, Key: bindingKey}, Terms: func() { ca.ChangeTerms("") },
	}
	var all sync.WaitGroup
	for _, c := range Cases(env) {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			r := suite.Run(t.Context(), c, 15*time.Second)
			switch {
			case strings.Contains(r.Reason, "panic") || strings.Contains(r.Reason, "goes on"):
				t.Errorf("%s: %s\n%s", c.ID, r.Reason, strings.Join(r.Log, "\n"))
			case r.Verdict == suite.Pass && !late && c.ID != "rfc8555/6.1/tls": // which is about the handshake alone
				t.Errorf("%s passes", c.ID)
			case r.Verdict == suite.Inconclusive && r.Reason == "":
				t.Errorf("%s does not say why it is inconclusive", c.ID)
			}
		})
	}
	all.Wait()
}
