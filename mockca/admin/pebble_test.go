package admin_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/admin"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// TestPebblePathsAnswerAsPebbleDoes asks Pebble and the stand-in the same.
func TestPebblePathsAnswerAsPebbleDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h, err := pebbleharness.Start(t.Context(), pebbleharness.Options{AlternateRoots: 1, KeyAlgorithm: "rsa"})
	require.NoError(t, err)
	t.Cleanup(h.Close)
	ask := func(client *http.Client, url, body string) (status int, media, answer string, header http.Header) {
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(data), resp.Header
	}
	for _, path := range []string{"/roots/0", "/roots/1", "/roots/2", "/roots/x", "/intermediates/0", "/intermediates/1", "/intermediates/9",
		"/root-keys/0", "/root-keys/1", "/root-keys/7", "/intermediate-keys/0", "/cert-status-by-serial/1234", "/cert-status-by-serial/xyz"} {
		status, media, answer, header := ask(h.HTTPClient(), h.ManagementURL()+path, "")
		gotStatus, gotMedia, gotAnswer, gotHeader := ask(w.server.Client(), w.server.URL+path, "")
		require.Equal(t, status, gotStatus, path)
		if status != http.StatusOK {
			continue
		}
		require.Equal(t, media, gotMedia, path)
		require.Len(t, gotHeader.Values("Link"), len(header.Values("Link")), path)
		want, _ := pem.Decode([]byte(answer))
		got, _ := pem.Decode([]byte(gotAnswer))
		require.NotNil(t, got, path)
		require.Equal(t, strings.HasSuffix(want.Type, "KEY"), strings.HasSuffix(got.Type, "KEY"), path)
	}

	_, chain := w.issue("a.example.org")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.do(http.StatusOK, http.MethodGet, "/roots/0", ""))
	between := x509.NewCertPool()
	between.AppendCertsFromPEM(w.do(http.StatusOK, http.MethodGet, "/intermediates/0", ""))
	leaf, err := x509.ParseCertificate(chain[0])
	require.NoError(t, err)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	require.NoError(t, err)
	block, _ := pem.Decode(w.do(http.StatusOK, http.MethodGet, "/intermediate-keys/0", ""))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	block, _ = pem.Decode(w.do(http.StatusOK, http.MethodGet, "/intermediates/0", ""))
	issuer, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.Equal(t, issuer.PublicKey, key.(crypto.Signer).Public())

	var status struct {
		Status, Serial, Certificate, RevokedAt string
		Reason                                 *int
	}
	serial := fmt.Sprintf("%x", leaf.SerialNumber)
	w.get("/cert-status-by-serial/"+serial, &status)
	require.Equal(t, "Valid", status.Status)
	require.Equal(t, serial, status.Serial)
	require.NoError(t, w.acme.RevokeCert(t.Context(), nil, chain[0], acme.CRLReasonKeyCompromise))
	w.get("/cert-status-by-serial/"+serial, &status)
	require.Equal(t, "Revoked", status.Status)
	require.Equal(t, 1, *status.Reason)

	body, err := json.Marshal(map[string]string{"certificate": status.Certificate, "ariResponse": "not even JSON"})
	require.NoError(t, err)
	w.do(http.StatusOK, http.MethodPost, "/set-renewal-info/", string(body))
	_, _, answer, _ := ask(w.ca.Client(), w.ca.URL(mockca.RenewalInfo)+"/"+w.ca.Certificates()[0].CertID, "")
	require.Equal(t, "not even JSON", answer)
	for _, wrong := range []string{"x", `{}`, `{"certificate":"x"}`, strings.Replace(string(body), "MII", "AAA", 1)} {
		w.do(http.StatusBadRequest, http.MethodPost, "/set-renewal-info/", wrong)
	}
}

func TestChalltestsrvDNS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	resolver := w.dns.Resolver()
	lookup := func(name string) []string {
		addrs, _ := resolver.LookupHost(t.Context(), name)
		return addrs
	}
	for _, step := range []struct{ path, body string }{
		{"/set-default-ipv4", `{"ip":"192.0.2.1"}`}, {"/set-default-ipv6", `{"ip":""}`},
		{"/add-a", `{"host":"a.example","addresses":["192.0.2.2","192.0.2.3"]}`},
		{"/add-aaaa", `{"host":"b.example.","addresses":["2001:db8::1"]}`},
		{"/set-txt", `{"host":"_acme-challenge.a.example.","value":"one"}`}, {"/set-txt", `{"host":"_acme-challenge.a.example","value":"two"}`},
		{"/set-cname", `{"host":"c.example","target":"a.example"}`}, {"/set-servfail", `{"host":"d.example"}`},
		{"/add-caa", `{"host":"e.example","policies":[{"tag":"issue","value":"ca.example"}]}`},
	} {
		w.do(http.StatusOK, http.MethodPost, step.path, step.body)
	}
	require.Equal(t, []string{"192.0.2.1"}, lookup("any.example"))
	require.ElementsMatch(t, []string{"192.0.2.2", "192.0.2.3"}, lookup("a.example"))
	require.ElementsMatch(t, []string{"192.0.2.2", "192.0.2.3"}, lookup("c.example"))
	require.Empty(t, lookup("d.example"))
	txt, err := resolver.LookupTXT(t.Context(), "_acme-challenge.a.example")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"one", "two"}, txt)
	require.Contains(t, strings.Join(w.dns.Records(), "\n"), `CAA	0 issue "ca.example"`)

	var events []struct{ Question struct{ Name string } }
	require.NoError(t, json.Unmarshal(w.do(http.StatusOK, http.MethodPost, "/dns-request-history", `{"host":"c.example"}`), &events))
	require.NotEmpty(t, events)
	require.Equal(t, "c.example.", events[0].Question.Name)
	w.do(http.StatusOK, http.MethodPost, "/clear-request-history", `{"host":"c.example","type":"dns"}`)
	require.Equal(t, "[]\n", string(w.do(http.StatusOK, http.MethodPost, "/dns-request-history", `{"host":"c.example"}`)))
	require.NotEqual(t, "[]\n", string(w.do(http.StatusOK, http.MethodPost, "/dns-request-history", `{"host":"a.example"}`)))

	for _, path := range []string{"/clear-a", "/clear-aaaa", "/clear-txt", "/clear-cname", "/clear-caa", "/clear-servfail"} {
		for _, host := range []string{"a.example", "b.example", "_acme-challenge.a.example", "c.example", "d.example", "e.example"} {
			w.do(http.StatusOK, http.MethodPost, path, `{"host":"`+host+`"}`)
		}
		w.do(http.StatusBadRequest, http.MethodPost, path, `{}`)
		w.do(http.StatusBadRequest, http.MethodPost, path, ``)
		w.do(http.StatusBadRequest, http.MethodPost, path, `nonsense`)
	}
	require.Empty(t, w.dns.Records())
	require.Equal(t, []string{"192.0.2.1"}, lookup("d.example"))
	for path, body := range map[string]string{"/add-a": `{"host":"a.example","addresses":["::1"]}`, "/set-txt": `{"host":"a.example"}`,
		"/add-caa": `{"host":"a.example"}`, "/set-default-ipv4": `{"ip":"x"}`, "/clear-request-history": `{"host":"a.example","type":"mail"}`} {
		w.do(http.StatusBadRequest, http.MethodPost, path, body)
	}
}

// freeAddr is one that nothing listens on, and nothing else is likely to.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func port(t *testing.T, addr string) int {
	a, err := netip.ParseAddrPort(addr)
	require.NoError(t, err)
	return int(a.Port())
}

// TestChalltestsrvAnswersChallenges has the CA validate at the responder.
func TestChalltestsrvAnswersChallenges(t *testing.T) {
	t.Parallel()
	r := &admin.Responder{HTTPAddr: freeAddr(t), HTTPSAddr: freeAddr(t), TLSAddr: freeAddr(t)}
	t.Cleanup(r.Close)
	w := newWorld(t, func(o *mockca.Options, a *admin.Options) {
		o.Validation = mockca.Validation{HTTPPort: port(t, r.HTTPAddr), HTTPSPort: port(t, r.HTTPSAddr), TLSPort: port(t, r.TLSAddr)}
		a.Responder = r
	})
	ctx := t.Context()
	_, err := w.acme.Register(ctx, &acme.Account{}, acme.AcceptTOS)
	require.NoError(t, err)
	for n, typ := range []string{"http-01", "http-01", "tls-alpn-01", "tls-alpn-01"} {
		ids := acme.DomainIDs(fmt.Sprintf("n%d.example", n))
		if n == 3 {
			ids = acme.IPIDs("127.0.0.1")
		}
		order, err := w.acme.AuthorizeOrder(ctx, ids)
		require.NoError(t, err)
		z, err := w.acme.GetAuthorization(ctx, order.AuthzURLs[0])
		require.NoError(t, err)
		var c *acme.Challenge
		for _, one := range z.Challenges {
			if one.Type == typ {
				c = one
			}
		}
		keyAuthorization, err := w.acme.HTTP01ChallengeResponse(c.Token)
		require.NoError(t, err)
		undo := fmt.Sprintf(`{"token":%q}`, c.Token)
		switch {
		case n == 1:
			w.do(http.StatusOK, http.MethodPost, "/add-redirect", fmt.Sprintf(`{"path":"/.well-known/acme-challenge/%s","targetURL":"https://n1.example/.well-known/acme-challenge/%s"}`, c.Token, c.Token))
			fallthrough
		case typ == "http-01":
			w.do(http.StatusOK, http.MethodPost, "/add-http01", fmt.Sprintf(`{"token":%q,"content":%q}`, c.Token, keyAuthorization))
		default:
			undo = fmt.Sprintf(`{"host":%q}`, ids[0].Value)
			w.do(http.StatusOK, http.MethodPost, "/add-tlsalpn01", fmt.Sprintf(`{"host":%q,"content":%q}`, ids[0].Value, keyAuthorization))
		}
		_, err = w.acme.Accept(ctx, c)
		require.NoError(t, err)
		_, err = w.acme.WaitAuthorization(ctx, z.URI)
		require.NoError(t, err, "%s %d", typ, n)
		if n == 1 {
			w.do(http.StatusOK, http.MethodPost, "/del-redirect", fmt.Sprintf(`{"path":"/.well-known/acme-challenge/%s"}`, c.Token))
		}
		w.do(http.StatusOK, http.MethodPost, map[string]string{"http-01": "/del-http01", "tls-alpn-01": "/del-tlsalpn01"}[typ], undo)
	}
	var seen []admin.HTTPRequest
	require.NoError(t, json.Unmarshal(w.do(http.StatusOK, http.MethodPost, "/http-request-history", `{"host":"n1.example"}`), &seen))
	require.Len(t, seen, 2)
	require.True(t, seen[1].HTTPS)
	require.NotEmpty(t, r.TLSRequests("n2.example"))
	w.do(http.StatusOK, http.MethodPost, "/clear-request-history", `{"host":"n1.example","type":"http"}`)
	w.do(http.StatusOK, http.MethodPost, "/clear-request-history", `{"host":"n2.example","type":"tlsalpn"}`)
	require.Empty(t, r.HTTPRequests("n1.example"))
	require.Equal(t, "[]\n", string(w.do(http.StatusOK, http.MethodPost, "/tlsalpn01-request-history", `{"host":"n2.example"}`)))

	// Nothing listens any more, so a client can.
	l, err := net.Listen("tcp", r.HTTPAddr)
	require.NoError(t, err)
	w.do(http.StatusBadRequest, http.MethodPost, "/add-http01", `{"token":"x","content":"y"}`)
	require.NoError(t, l.Close())

	w.do(http.StatusOK, http.MethodPost, "/add-tlsalpn01", `{"host":"x.example","content":"y"}`)
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{ServerName: "other.example", NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}}
	_, err = d.DialContext(ctx, "tcp", r.TLSAddr)
	require.Error(t, err, "a host that nothing is known about")
}
