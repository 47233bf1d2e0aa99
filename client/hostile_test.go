package client

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// TestHostileAnswers bends one object of an otherwise honest CA at a time.
func TestHostileAnswers(t *testing.T) {
	set := func(kind, member string, v any) func(string, map[string]any) {
		return func(k string, o map[string]any) {
			if k == kind {
				o[member] = v
			}
		}
	}
	token := func(v any) func(string, map[string]any) {
		return func(k string, o map[string]any) {
			if k == "authz" {
				o["challenges"].([]any)[0].(map[string]any)["token"] = v
			}
		}
	}
	for name, row := range map[string]struct {
		shape func(kind string, o map[string]any)
		is    error
		says  string
	}{
		"order for another name":            {set("newOrder", "identifiers", []any{map[string]any{"type": "dns", "value": "evil.example"}}), ErrRefused, "not for a.example"},
		"order with a name more":            {set("newOrder", "identifiers", []any{map[string]any{"type": "dns", "value": "a.example"}, map[string]any{"type": "dns", "value": "b.example"}}), ErrRefused, "b.example"},
		"order without identifiers":         {set("newOrder", "identifiers", nil), ErrRefused, "not for a.example"},
		"order in unknown status":           {set("newOrder", "status", "baked\x1b[31m"), ErrRefused, "unknown status \"baked\ufffd[31m\""},
		"order without status":              {set("newOrder", "status", nil), ErrRefused, "unknown status"},
		"order with status of wrong type":   {set("newOrder", "status", 7), ErrNotACME, "status"},
		"order without authorizations":      {set("newOrder", "authorizations", []any{}), ErrRefused, "no authorizations"},
		"order with http authorization":     {set("newOrder", "authorizations", []any{"http://ca.example/a"}), ErrRefused, "not https"},
		"order with relative authorization": {set("newOrder", "authorizations", []any{"/a"}), ErrRefused, "absolute"},
		"order without finalize":            {set("newOrder", "finalize", ""), ErrNotACME, "finalize"},
		"order with javascript finalize":    {set("newOrder", "finalize", "javascript:alert(1)"), ErrRefused, "absolute"},
		"order with credentials in URL":     {set("newOrder", "finalize", "https://user:pass@ca.example/"), ErrRefused, "absolute"},
		"order already valid":               {set("newOrder", "status", "valid"), ErrRefused, "already"},
		"authorization for another name":    {set("authz", "identifier", map[string]any{"type": "dns", "value": "evil.example"}), ErrRefused, "not ordered"},
		"authorization in unknown status":   {set("authz", "status", "maybe"), ErrRefused, "unknown status"},
		"authorization without challenges":  {set("authz", "challenges", []any{}), ErrNoSolver, "offers nothing"},
		"authorization with null":           {set("authz", "challenges", nil), ErrNoSolver, "offers nothing"},
		"authorization born invalid":        {set("authz", "status", "invalid"), ErrUnauthorized, "invalid"},
		"token missing":                     {token(nil), ErrRefused, "token"},
		"token empty":                       {token(""), ErrRefused, "token"},
		"token short":                       {token("abc"), ErrRefused, "token"},
		"token walks paths":                 {token("../../../../etc/passwd0000"), ErrRefused, "token"},
		"token with line break":             {token("DGyRejmCefe7v4NfDGDKfA\r\nX: y"), ErrRefused, "token"},
		"token endless":                     {token(strings.Repeat("a", 5000)), ErrRefused, "token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newFakeCA(t)
			a := ca.account()
			ca.shape = row.shape
			p := new(paper)
			cert, err := a.Obtain(t.Context(), p.request(t, "a.example"))
			require.Nil(t, cert)
			require.ErrorIs(t, err, row.is)
			require.Contains(t, err.Error(), row.says)
			require.Contains(t, err.Error(), "a.example")
			require.Equal(t, p.presented, p.cleaned)
			require.Zero(t, ca.count("finalize"))
			for _, r := range err.Error() {
				require.True(t, r >= ' ', "control character in %q", err)
			}
		})
	}
}

// TestTolerated is what honest CAs do in their own ways.
func TestTolerated(t *testing.T) {
	for name, shape := range map[string]func(kind string, o map[string]any){
		"unknown members": func(_ string, o map[string]any) { o["fromTheFuture"] = map[string]any{"x": 1} },
		"identifiers reordered and in upper case": func(k string, o map[string]any) {
			if _, ok := o["identifiers"]; ok {
				o["identifiers"] = []any{map[string]any{"type": "dns", "value": "B.EXAMPLE"}, map[string]any{"type": "dns", "value": "A.example"}}
			}
		},
		"garbage times":    func(_ string, o map[string]any) { o["expires"] = "tomorrow" },
		"numbers as times": func(_ string, o map[string]any) { o["expires"] = 12 },
		"unknown challenge types first": func(k string, o map[string]any) {
			if k == "authz" {
				o["challenges"] = append([]any{map[string]any{"type": "quantum-01", "url": "https://ca.example/q"}, map[string]any{"type": "odd", "url": "ftp://x"}}, o["challenges"].([]any)...)
			}
		},
		"repeated authorizations": func(_ string, o map[string]any) {
			if l, ok := o["authorizations"].([]string); ok {
				o["authorizations"] = append(append([]string{}, l...), l...)
			}
		},
		"wildcard false": func(k string, o map[string]any) {
			if k == "authz" {
				o["wildcard"] = false
			}
		},
		"meta of wrong types": func(k string, o map[string]any) {
			if k == "dir" {
				o["meta"] = map[string]any{"website": 5, "caaIdentities": "x", "profiles": []any{}}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newFakeCA(t)
			ca.shape = shape
			p := new(paper)
			_, err := ca.account().Obtain(t.Context(), p.request(t, "a.example", "b.example"))
			require.NoError(t, err)
		})
	}
}

func TestDirectoryRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		answer func(w http.ResponseWriter)
		is     error
		says   string
	}{
		"a web page": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			write(w, "<html>Welcome</html>")
		}, ErrNotACME, "text/html"},
		"an empty object":  {func(w http.ResponseWriter) { write(w, "{}") }, ErrNotACME, "is this the URL"},
		"ACMEv1":           {func(w http.ResponseWriter) { write(w, `{"new-reg":"https://x/"}`) }, ErrNotACME, "ACMEv1"},
		"nothing":          {func(w http.ResponseWriter) {}, ErrNotACME, "empty"},
		"truncated":        {func(w http.ResponseWriter) { write(w, `{"newOrder":"https://`) }, ErrNotACME, "unexpected end"},
		"two values":       {func(w http.ResponseWriter) { write(w, `{} {}`) }, ErrNotACME, "after top-level"},
		"nested deeply":    {func(w http.ResponseWriter) { write(w, strings.Repeat(`{"a":`, 100)) }, ErrNotACME, "deep"},
		"endless":          {func(w http.ResponseWriter) { write(w, strings.Repeat(" ", maxSmall+10)) }, ErrRefused, "more than 65536|answer of"},
		"http entries":     {func(w http.ResponseWriter) { write(w, `{"newOrder":"http://ca.example/"}`) }, ErrRefused, "not https"},
		"not found":        {func(w http.ResponseWriter) { w.WriteHeader(404) }, nil, "404"},
		"redirect to http": {func(w http.ResponseWriter) { w.Header().Set("Location", "http://ca.example/"); w.WriteHeader(302) }, ErrRefused, "redirect"},
		"redirect loop":    {func(w http.ResponseWriter) { w.Header().Set("Location", "/dir"); w.WriteHeader(307) }, ErrRefused, "redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newFakeCA(t)
			ca.hook = func(w http.ResponseWriter, r *request) bool { row.answer(w); return true }
			_, err := ca.client().Directory(t.Context())
			require.Error(t, err)
			if row.is != nil {
				require.ErrorIs(t, err, row.is)
			}
			require.Regexp(t, row.says, err.Error())
			require.LessOrEqual(t, ca.count("dir"), 6)
		})
	}
}

func write(w http.ResponseWriter, s string) { _, _ = w.Write([]byte(s)) }

func TestDirectoryFollowsRedirectsWithinBounds(t *testing.T) {
	ca := newFakeCA(t)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "dir" && r.n <= 3 {
			w.Header().Set("Location", "/dir")
			w.WriteHeader(301)
			return true
		}
		return false
	}
	d, err := ca.client().Directory(t.Context())
	require.NoError(t, err)
	require.Equal(t, "six days", d.Profiles["short"])
}

func TestSignedRequestsFollowNoRedirect(t *testing.T) {
	ca := newFakeCA(t)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newOrder" {
			w.Header().Set("Location", ca.url("/elsewhere"))
			w.WriteHeader(307)
			return true
		}
		return false
	}
	_, err := ca.account().NewOrder(t.Context(), OrderRequest{Identifiers: names(t, "a.example")})
	p, ok := errors.AsType[*Problem](err)
	require.True(t, ok)
	require.Equal(t, 307, p.Status)
	require.Zero(t, ca.count("elsewhere"))
}

func TestChainRefusals(t *testing.T) {
	junk := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})
	crl := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{1}})
	for name, row := range map[string]struct {
		chain  func(leaf, issuer []byte) []byte
		reason string // of a VerificationError; or the text after "!"
	}{
		"private key inside":  {func(l, i []byte) []byte { return append(pemOf(l, i), junk...) }, "!PRIVATE KEY"},
		"CRL inside":          {func(l, i []byte) []byte { return append(crl, pemOf(l, i)...) }, "!X509 CRL"},
		"not PEM":             {func(l, i []byte) []byte { return l }, "!no PEM"},
		"garbage certificate": {func(l, i []byte) []byte { return pemOf([]byte("junk")) }, "!certificate 1"},
		"broken second block": {func(l, i []byte) []byte { return append(pemOf(l), "-----BEGIN CERTIFICATE-----\n!!\n"...) }, "!PEM headers"},
		"chain of 100":        {func(l, i []byte) []byte { return append(pemOf(l), []byte(strings.Repeat(string(pemOf(i)), 100))...) }, "!more than"},
		"out of order":        {func(l, i []byte) []byte { return pemOf(i, l) }, "key"},
		"issuer alone":        {func(l, i []byte) []byte { return pemOf(i) }, "key"},
		"leaf twice":          {func(l, i []byte) []byte { return pemOf(l, l) }, "chain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newFakeCA(t)
			ca.chain = row.chain
			_, err := ca.account().Obtain(t.Context(), new(paper).request(t, "a.example"))
			require.Error(t, err)
			if text, ok := strings.CutPrefix(row.reason, "!"); ok {
				require.Contains(t, err.Error(), text)
				return
			}
			v, ok := errors.AsType[*VerificationError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, row.reason, v.Reason)
			require.NotEmpty(t, v.Chain)
			require.ErrorIs(t, err, ErrRefused)
		})
	}
}

func TestChainForms(t *testing.T) {
	for name, chain := range map[string]func(leaf, issuer []byte) []byte{
		"leaf alone":       func(l, i []byte) []byte { return pemOf(l) },
		"CRLF":             func(l, i []byte) []byte { return []byte(strings.ReplaceAll(string(pemOf(l, i)), "\n", "\r\n")) },
		"no final newline": func(l, i []byte) []byte { return []byte(strings.TrimSpace(string(pemOf(l, i)))) },
		"text before":      func(l, i []byte) []byte { return append([]byte("subject: a.example\n"), pemOf(l, i)...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newFakeCA(t)
			ca.chain = chain
			cert, err := ca.account().Obtain(t.Context(), new(paper).request(t, "a.example"))
			require.NoError(t, err)
			require.NotContains(t, string(cert.PEM), "\r")
			require.True(t, strings.HasPrefix(string(cert.PEM), "-----BEGIN CERTIFICATE-----\n"))
		})
	}
}

func TestRootsDecide(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	r := new(paper).request(t, "a.example")
	r.Roots = x509.NewCertPool()
	_, err := a.Obtain(t.Context(), r)
	v, ok := errors.AsType[*VerificationError](err)
	require.True(t, ok)
	require.Equal(t, "roots", v.Reason)

	r.AcceptInvalid = true
	cert, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "roots", cert.Invalid.Reason)

	r.AcceptInvalid = false
	r.Roots.AddCert(ca.issuer)
	cert, err = a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Nil(t, cert.Invalid)
}

func TestFailuresAreNamedAndCleanedUp(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "chall" && strings.HasSuffix(r.URL.Path, "/1") {
			ca.mu.Lock()
			ca.orders[0].status = "invalid"
			ca.orders[0].problem[1] = map[string]any{"type": errorURN + "connection", "detail": "no\x07answer"}
			ca.mu.Unlock()
			r.send(w, 200, map[string]any{"type": "http-01", "status": "processing"})
			return true
		}
		return false
	}
	p := new(paper)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := a.Obtain(ctx, p.request(t, "a.example", "b.example", "c.example"))
	e, ok := errors.AsType[*ObtainError](err)
	require.True(t, ok)
	require.Len(t, e.Failed, 1)
	require.Equal(t, "b.example", e.Failed[0].Identifier.Value)
	require.Equal(t, challenge.HTTP01, e.Failed[0].Challenge)
	require.ErrorIs(t, err, ErrConnection)
	require.Contains(t, err.Error(), "b.example (http-01): connection: no\ufffdanswer")
	require.ElementsMatch(t, p.presented, p.cleaned)
}

func TestCancelledObtainCleansUp(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ctx, cancel := context.WithCancelCause(t.Context())
	told := errors.New("told to stop")
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "chall" {
			cancel(told)
			time.Sleep(time.Millisecond)
		}
		return false
	}
	p := new(paper)
	_, err := a.Obtain(ctx, p.request(t, "a.example", "b.example"))
	require.Error(t, err)
	require.True(t, errors.Is(err, told) || errors.Is(err, context.Canceled), "%v", err)
	require.ElementsMatch(t, p.presented, p.cleaned, "CleanUp got a live context")
	require.NotZero(t, p.presents)
}

func TestPendingRoundTripsAndHoldsTheKeyBeforeTheCSRLeaves(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	var kept []Pending
	r := new(paper).request(t, "a.example")
	r.OnPending = func(_ context.Context, p Pending) error {
		require.Equal(t, 0, ca.count("finalize"))
		data, err := json.Marshal(p)
		require.NoError(t, err)
		var back Pending
		require.NoError(t, json.Unmarshal(data, &back))
		kept = append(kept, back)
		return nil
	}
	cert, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, kept, 2)
	require.False(t, kept[0].Finalizing)
	require.True(t, kept[1].Finalizing)
	key, err := kept[0].PrivateKey()
	require.NoError(t, err)
	require.True(t, samePublicKey(key.Public(), cert.Leaf.PublicKey))

	// The order is valid by now: resuming only downloads.
	before := ca.count("newOrder")
	r.Resume, r.OnPending = &kept[0], nil
	again, err := a.Obtain(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, cert.Chain, again.Chain)
	require.Equal(t, before, ca.count("newOrder"))
	require.True(t, samePublicKey(again.Key.Public(), again.Leaf.PublicKey))
}
