package mockca

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var updateGolden = flag.Bool("update-diagrams", false, "write the golden files of diagrams and archives anew")

// golden compares with a committed file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *updateGolden {
		require.NoError(t, os.WriteFile(file, got, 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), string(got))
}

// signed is the body of a request, as a client sends it.
func signed(t *testing.T, protected, payload string) []byte {
	enc := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(map[string]string{"protected": enc([]byte(protected)), "payload": enc([]byte(payload)), "signature": "c2ln"})
	require.NoError(t, err)
	return body
}

// told is the story of two orders of two clients, one disturbed by a fault.
func told(t *testing.T) ([]*Exchange, []Change) {
	const base = "https://ca.test/acme"
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var changes []Change
	var list []*Exchange
	jose := http.Header{"Content-Type": {"application/jose+json"}}
	answer := http.Header{"Content-Type": {"application/json"}, "Replay-Nonce": {"bm9uY2U"}}
	add := func(x Exchange, made ...Change) *Exchange {
		x.ID = int64(len(list) + 1)
		x.Start, x.Duration, x.Proto = start.Add(time.Duration(x.ID)*time.Second), 1500*time.Microsecond, "HTTP/2.0"
		for _, c := range made {
			c.Time, c.Exchange = x.Start, x.ID
			x.Changes = append(x.Changes, c)
		}
		changes = append(changes, x.Changes...)
		list = append(list, &x)
		return &x
	}
	byItself := func(c Change) {
		c.Time = list[len(list)-1].Start
		changes = append(changes, c)
	}
	add(Exchange{Remote: "127.0.0.1:1001", Method: "GET", URL: "https://ca.test/directory?x=1&a=2", Endpoint: "directory", Status: 200, ResponseHeader: answer, ResponseBody: []byte(`{"newNonce":"x"}`)})
	add(Exchange{
		Remote: "127.0.0.1:1001", Method: "POST", URL: base + "/new-acct", Endpoint: "newAccount", Object: base + "/acct/1", RequestHeader: jose,
		RequestBody: signed(t, `{"alg":"ES256","nonce":"a"}`, `{"contact":["mailto:a@a.example"]}`), Status: 201,
		ResponseHeader: http.Header{"Location": {base + "/acct/1"}}, ResponseBody: []byte(`{"status":"valid"}`),
	}, Change{Kind: "account", URL: base + "/acct/1", To: "valid"})
	add(Exchange{
		Remote: "127.0.0.1:1001", Method: "POST", URL: base + "/new-order", Endpoint: NewOrder, Account: base + "/acct/1", Identifiers: []Identifier{{"dns", "a.example"}, {"dns", "*.a.example"}}, Object: base + "/order/1",
		RequestHeader: jose, RequestBody: signed(t, `{"alg":"ES256","kid":"1"}`, `{"identifiers":[]}`), Status: 201,
		ResponseHeader: http.Header{"Location": {base + "/order/1"}},
		ResponseBody:   []byte(`{"status":"pending","authorizations":["` + base + `/authz/1"],"finalize":"` + base + `/finalize/1"}`),
	}, Change{Kind: "order", URL: base + "/order/1", To: "pending"}, Change{Kind: "authorization", URL: base + "/authz/1", To: "pending"})
	add(Exchange{
		Remote: "127.0.0.1:2002", Method: "POST", URL: base + "/new-order", Endpoint: NewOrder, Account: base + "/acct/2", Identifiers: []Identifier{{"dns", "b.example"}}, Object: base + "/order/2", Status: 201,
		ResponseHeader: http.Header{"Location": {base + "/order/2"}}, ResponseBody: []byte(`{"status":"pending","authorizations":["` + base + `/authz/2"]}`),
	}, Change{Kind: "order", URL: base + "/order/2", To: "pending"})
	add(Exchange{
		Remote: "127.0.0.1:1001", Method: "POST", URL: base + "/authz/1", Endpoint: Authz, Account: base + "/acct/1", Object: base + "/authz/1", Identifiers: []Identifier{{"dns", "a.example"}}, Status: 200,
		RequestHeader: jose, RequestBody: signed(t, `{"alg":"ES256"}`, ""), ResponseBody: []byte(`{"status":"pending","challenges":[{"type":"http-01","url":"` + base + `/chall/1"}]}`),
	})
	add(Exchange{
		Remote: "127.0.0.1:1001", Method: "POST", URL: base + "/chall/1", Endpoint: "challenge", Account: base + "/acct/1", Object: base + "/chall/1", Status: 200,
		RequestHeader: jose, RequestBody: signed(t, `{}`, `{}`), ResponseBody: []byte(`{"status":"processing"}`), ResponseHeader: answer,
	}, Change{Kind: "challenge", URL: base + "/chall/1", From: "pending", To: "processing"})
	byItself(Change{Kind: "challenge", URL: base + "/chall/1", From: "processing", To: "valid"})
	byItself(Change{Kind: "challenge", URL: base + "/chall/9", From: "processing", To: "invalid", Detail: "of the other; order <b>#1"})
	add(Exchange{
		Remote: "127.0.0.1:1001", Method: "POST", URL: base + "/finalize/1", Endpoint: "finalize", Account: base + "/acct/1", Object: base + "/order/1", Status: 200,
		RequestHeader: jose, RequestBody: []byte("not a JWS"), Rules: []string{"reset-after"}, Wire: "reset", ResponseBody: []byte(`{"status":"valid","certificate":"` + base + `/cert/1"}`),
	}, Change{Kind: "order", URL: base + "/order/1", From: "ready", To: "valid"})
	add(Exchange{
		Remote: "127.0.0.1:1001", Method: "POST", URL: base + "/cert/1", Endpoint: "certificate", Account: base + "/acct/1", Object: base + "/cert/1", Status: 401,
		ResponseHeader: http.Header{"Content-Type": {"application/problem+json"}}, ResponseBody: []byte(`{"type":"x"}`), Problem: "unauthorized", Check: "access",
	})
	add(Exchange{Remote: "127.0.0.1:3003", Method: "GET", URL: "https://ca.test/%zz", Endpoint: "ocsp", Status: 302, Proto: "HTTP/1.1", ResponseHeader: http.Header{"Location": {"https://ca.test/ocsp"}}, ResponseBody: []byte{0x30, 0xff, 0}})
	return list, changes
}

func TestHARHoldsEveryExchange(t *testing.T) {
	list, _ := told(t)
	var out bytes.Buffer
	require.NoError(t, writeHAR(&out, list))
	golden(t, "transcript.har", out.Bytes())
	var back har
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	require.Len(t, back.Log.Entries, len(list))
	require.Equal(t, "mailto:a@a.example", func() any {
		var p struct{ Contact []string }
		require.NoError(t, json.Unmarshal(back.Log.Entries[1].ACME.Payload, &p))
		return p.Contact[0]
	}())

	out.Reset()
	require.NoError(t, writeHAR(&out, nil))
	require.JSONEq(t, `{"log":{"version":"1.2","creator":{"name":"acme-e2e mockca","version":"1"},"entries":[]}}`, out.String())
}

func TestMermaidDrawsEveryExchange(t *testing.T) {
	list, changes := told(t)
	var out bytes.Buffer
	require.NoError(t, writeMermaid(&out, list, changes))
	golden(t, "transcript.mmd", out.Bytes())
}

func TestMermaidDrawsOneOrder(t *testing.T) {
	list, changes := told(t)
	var out bytes.Buffer
	list, changes = ofOrder(list, changes, "https://ca.test/acme/order/1")
	require.NoError(t, writeMermaid(&out, list, changes))
	golden(t, "order.mmd", out.Bytes())
	require.NotContains(t, out.String(), "b.example")
	list, changes = ofOrder(list, changes, "https://ca.test/acme/order/99")
	require.Empty(t, list)
	require.Empty(t, changes)
}

// A clock that stands tells nothing of what came first.
func TestMermaidKeepsTheOrderOfChangesWithoutTime(t *testing.T) {
	list := []*Exchange{{ID: 1, Method: "POST", Endpoint: "a"}, {ID: 2, Method: "POST", Endpoint: "b"}}
	changes := []Change{{Exchange: 1, Kind: "order", To: "first"}, {Kind: "order", To: "by itself"}, {Exchange: 2, Kind: "order", To: "last"}}
	list[0].Changes, list[1].Changes = changes[:1], changes[2:]
	var out bytes.Buffer
	require.NoError(t, writeMermaid(&out, list, changes))
	var at []int
	for _, s := range []string{"first", "by itself", "POST b", "last"} {
		at = append(at, strings.Index(out.String(), s))
	}
	require.IsIncreasing(t, at, out.String())
}

func TestMermaidTextIsHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"plain text, 201":        "plain text, 201",
		"a\nend\r\n%%{init}":     "a end  #37;#37;{init}",
		"<script>;#\"`&":         "#60;script#62;#59;#35;#34;#96;#38;",
		strings.Repeat("x", 200): strings.Repeat("x", 160) + "…",
		"\x1b[31m\x7f\u2028":     " [31m  ",
	} {
		require.Equal(t, want, mermaidText(text))
	}
}
