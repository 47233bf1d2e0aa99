package client

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The parsers of what a CA sends. Each target asserts what the rest of the
// package relies on: bounded, printable, absolute, consistent.

func fuzzClient() *Client {
	c, err := New(Config{DirectoryURL: "https://ca.example/dir"})
	if err != nil {
		panic("client: the fuzz targets' own configuration: " + err.Error())
	}
	return c
}

func fuzzAnswer(body []byte) *answer {
	return &answer{status: 200, header: http.Header{}, body: body, url: "https://ca.example/x", now: time.Unix(1900000000, 0)}
}

func wantPrintable(t *testing.T, texts ...string) {
	for _, s := range texts {
		if !utf8.ValidString(s) || len(s) > 3*maxText+10 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }) {
			t.Fatalf("not fit for a terminal: %q", s)
		}
	}
}

func FuzzProblem(f *testing.F) {
	for _, s := range []string{
		`{"type":"urn:ietf:params:acme:error:badNonce","detail":"JWS has an invalid anti-replay nonce","status":400}`,
		`{"type":"urn:ietf:params:acme:error:compound","subproblems":[{"type":"urn:ietf:params:acme:error:caa","identifier":{"type":"dns","value":"a.example"}}]}`,
		`{"type":7,"detail":[],"status":"x","algorithms":[1],"identifier":"a","subproblems":{}}`,
		"{\"detail\":\"\x1b]0;owned\x07\u202e\"}", `null`, ``, `[`, `<html>`, `{"status":1e400}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p := readProblem(400, http.Header{"Retry-After": {"1"}}, body, "https://ca.example/", time.Unix(1, 0))
		wantPrintable(t, p.Type, p.Title, p.Detail, p.Instance)
		if p.Status != 400 || p.Type == "" || len(p.Subproblems) > maxSubproblems {
			t.Fatalf("%+v", p)
		}
		_ = p.Error()
	})
}

func FuzzDirectory(f *testing.F) {
	for _, s := range []string{
		`{"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a","newOrder":"https://ca.example/o","meta":{"termsOfService":"https://ca.example/tos","profiles":{"x":"y"},"caaIdentities":["ca.example"],"externalAccountRequired":true}}`,
		`{"newOrder":"http://ca.example/o"}`, `{"newOrder":5,"meta":[]}`, `{"new-reg":"https://x"}`, `{}`, `null`, `{"newNonce":"https:///"}`,
	} {
		f.Add([]byte(s))
	}
	c := fuzzClient()
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := c.readDirectory(fuzzAnswer(body))
		if err != nil {
			return
		}
		for _, u := range []string{d.NewNonce, d.NewAccount, d.NewOrder, d.NewAuthz, d.RevokeCert, d.KeyChange, d.RenewalInfo} {
			if u != "" && !strings.HasPrefix(strings.ToLower(u), "https://") {
				t.Fatalf("entry %q", u)
			}
		}
		wantPrintable(t, d.TermsOfService, d.Website)
	})
}

func FuzzOrder(f *testing.F) {
	for _, s := range []string{
		`{"status":"pending","expires":"2030-01-01T00:00:00.123z","identifiers":[{"type":"dns","value":"a.example"}],"authorizations":["https://ca.example/z/1"],"finalize":"https://ca.example/f"}`,
		`{"status":"valid","certificate":"https://ca.example/c","error":{"type":"about:blank"}}`,
		`{"status":"ready","finalize":"//x"}`, `{"status":null}`, `{"status":"invalid","identifiers":null,"error":7}`, `{"status":"valid","status":"pending"}`,
	} {
		f.Add([]byte(s))
	}
	c := fuzzClient()
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := c.readOrder(fuzzAnswer(body), "https://ca.example/o/1")
		if err != nil {
			return
		}
		for _, u := range append([]string{o.FinalizeURL, o.CertificateURL}, o.Authorizations...) {
			if u != "" && c.checkURL(u) != nil {
				t.Fatalf("URL %q", u)
			}
		}
		if len(o.Authorizations) > maxAuthorizations || o.matches(o.Identifiers) != nil {
			t.Fatalf("%+v", o)
		}
		wantPrintable(t, o.Profile)
	})
}

func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{
		`{"status":"pending","identifier":{"type":"dns","value":"a.example"},"challenges":[{"type":"http-01","url":"https://ca.example/c","status":"pending","token":"DGyRejmCefe7v4NfDGDKfA"}]}`,
		`{"status":"valid","wildcard":false,"challenges":[]}`, `{"status":"pending","challenges":[null,{}]}`,
		`{"status":"pending","challenges":[{"type":"dns-persist-01","url":"https://ca.example/c","issuer-domain-names":["ca.example"],"accounturi":"https://ca.example/a"}]}`,
		`{"status":"pending","challenges":[{"type":"http-01","url":"https://ca.example/c","token":"../../x"}]}`,
	} {
		f.Add([]byte(s))
	}
	c := fuzzClient()
	key, err := GenerateKey(P256)
	if err != nil {
		f.Fatal(err)
	}
	a, err := c.Account(key, "https://ca.example/a")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		z, err := c.readAuthorization(fuzzAnswer(body), "https://ca.example/z")
		if err != nil {
			return
		}
		for i := range z.Challenges {
			ch := &z.Challenges[i]
			if c.checkURL(ch.URL) != nil {
				t.Fatalf("URL %q", ch.URL)
			}
			task, err := a.SolverChallenge(z, ch)
			if err == nil && task.KeyAuthorization != "" && (!isBase64URL(task.Token) || strings.ContainsAny(task.Token, "/.\r\n")) {
				t.Fatalf("token %q", task.Token)
			}
		}
		_, _ = z.reason()
	})
}

func FuzzLinks(f *testing.F) {
	for _, s := range []string{
		`<https://ca.example/dir>;rel="index"`, `</a>; rel="alternate next", <b>;rel=up`, `<a,b>;title="x;,\"";REL=Alternate`, `<`, `<>;rel=`, `<a>;rel="`, `,,,<x>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, h string) {
		links := parseLinks([]string{h, h}, "https://ca.example/c/1")
		if len(links) > maxLinks {
			t.Fatalf("%d links", len(links))
		}
		for _, l := range links {
			if !strings.Contains(l.target, ":") || len(l.target) > 4*maxURL {
				t.Fatalf("target %q", l.target)
			}
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"3", "-1", "Wed, 01 May 2030 12:00:09 GMT", "99999999999999999999", "soon", " ", "1e9", "+5"} {
		f.Add(s)
	}
	now := time.Unix(1900000000, 0)
	f.Fuzz(func(t *testing.T, v string) {
		at, ok := retryAfter(http.Header{"Retry-After": {v}}, now)
		if ok && (at.Before(now) || at.Sub(now) > maxRetryAfter) {
			t.Fatalf("%q: %s", v, at)
		}
	})
}

func FuzzChain(f *testing.F) {
	key, err := GenerateKey(P256)
	if err != nil {
		f.Fatal(err)
	}
	der, err := selfSigned(key, "a.example")
	if err != nil {
		f.Fatal(err)
	}
	good := pemOf(der)
	f.Add(good)
	f.Add(append(good, good...))
	f.Add([]byte(strings.ReplaceAll(string(good), "\n", "\r\n")))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := parseChain(data, new(issuerCache))
		if err != nil {
			return
		}
		again, err := parseChain(encodeChain(certs), new(issuerCache))
		if err != nil || len(again) != len(certs) || len(certs) > maxChain {
			t.Fatalf("%d certificates, again %d: %v", len(certs), len(again), err)
		}
	})
}

func FuzzRenewalInfo(f *testing.F) {
	for _, s := range []string{
		`{"suggestedWindow":{"start":"2030-01-02T04:00:00Z","end":"2030-01-03T04:00:00Z"},"explanationURL":"https://ca.example/why"}`,
		`{"suggestedWindow":{"start":"2030-01-03T04:00:00Z","end":"2030-01-02T04:00:00Z"}}`, `{"suggestedWindow":null}`, `{}`,
		`{"suggestedWindow":{"start":"0001-01-01T00:00:00Z","end":"9999-12-31T23:59:59Z"},"explanationURL":7}`,
	} {
		f.Add([]byte(s), "21600")
	}
	f.Fuzz(func(t *testing.T, body []byte, after string) {
		a := fuzzAnswer(body)
		a.header.Set("Retry-After", after)
		i, err := readRenewalInfo(a)
		if err != nil {
			return
		}
		at := i.Pick(nil)
		if at.Before(i.SuggestedWindow.Start) || !at.Before(i.SuggestedWindow.End) || i.RetryAfter < minRenewalPoll || i.RetryAfter > maxRenewalPoll {
			t.Fatalf("%+v picks %s", i, at)
		}
		wantPrintable(t, i.ExplanationURL)
	})
}

func FuzzPending(f *testing.F) {
	f.Add([]byte(`{"account":"https://ca.example/a","order":"https://ca.example/o","identifiers":[{"type":"dns","value":"a.example"}],"csr":"AA==","key":"-----BEGIN"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Pending
		if json.Unmarshal(data, &p) != nil {
			return
		}
		key, csr, err := p.usable(p.Identifiers, nil, false)
		if err == nil && !samePublicKey(key.Public(), csr.PublicKey) {
			t.Fatal("key and CSR do not belong together")
		}
	})
}
