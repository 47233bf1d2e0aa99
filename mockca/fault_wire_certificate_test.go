package mockca_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
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

// bought is a certificate as it came.
type bought struct {
	result
	key  crypto.Signer
	url  string
	leaf *x509.Certificate // the first that can be read
}

// certified issues with the fault at work, and looks at the certificate.
func certified(check func(w *wire, c bought), options ...func(*mockca.Options)) wireTest {
	return flow(func(w *wire) {
		order, _ := w.ready("a.example", "b.example")
		c := bought{key: newKey(w.t)}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"a.example", "b.example"},
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}}, c.key)
		require.NoError(w.t, err)
		c.url = w.want(http.StatusOK, order.text("finalize"), csrPayload(base64.RawURLEncoding.EncodeToString(der))).text("certificate")
		c.result = w.post(mockca.Certificate, c.url, "")
		c.leaf, _ = x509.ParseCertificate(w.ca.Certificates()[0].DER)
		check(w, c)
	}, options...)
}

// blocks are the types of a download's PEM blocks, and its certificates.
func (c bought) blocks() (types []string, certs []*x509.Certificate) {
	for rest := c.Body; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return types, certs
		}
		types = append(types, b.Type)
		if cert, err := x509.ParseCertificate(b.Bytes); err == nil {
			certs = append(certs, cert)
		}
	}
}

func certificateOnWire() map[string]wireTest {
	names := func(want ...string) wireTest {
		return certified(func(w *wire, c bought) { require.Equal(w.t, want, c.leaf.DNSNames) })
	}
	missing := func(id ...int) wireTest {
		return certified(func(w *wire, c bought) {
			require.False(w.t, slices.ContainsFunc(c.leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) }))
			w.ca.ClearRules()
			w.issue("c.example")
			if next, err := w.ca.Certificates()[1].Leaf(); len(id) == 10 { // those with timestamps have them
				require.NoError(w.t, err)
				require.True(w.t, slices.ContainsFunc(next.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) }))
			}
			w.inject()
			w.issue("d.example")
		}, func(o *mockca.Options) {
			o.Policy.Profiles = map[string]mockca.Profile{"classic": {SCT: true}}
		})
	}
	later := func(status int) wireTest {
		return certified(func(w *wire, c bought) {
			require.Equal(w.t, status, c.Status)
			require.Equal(w.t, 200, w.post(mockca.Certificate, c.url, "").Status)
		})
	}
	alternates := func(check func(w *wire, c bought, links []string)) wireTest {
		return certified(func(w *wire, c bought) {
			var links []string
			for _, l := range c.Header.Values("Link") {
				if url, ok := strings.CutSuffix(l, `>;rel="alternate"`); ok {
					links = append(links, url[1:])
				}
			}
			check(w, c, links)
		})
	}
	return map[string]wireTest{
		"cert-wrong-key": certified(func(w *wire, c bought) {
			require.False(w.t, c.key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(c.leaf.PublicKey))
		}),
		"cert-wrong-names":   names("unasked.example"),
		"cert-extra-name":    names("a.example", "b.example", "unasked.example"),
		"cert-missing-name":  names("a.example"),
		"cert-expired":       certified(func(w *wire, c bought) { require.True(w.t, c.leaf.NotAfter.Before(time.Now())) }),
		"cert-not-yet-valid": certified(func(w *wire, c bought) { require.True(w.t, c.leaf.NotBefore.After(time.Now().Add(23*time.Hour))) }),
		"cert-backdated": certified(func(w *wire, c bought) {
			require.InDelta(w.t, 2*time.Hour, time.Since(c.leaf.NotBefore), float64(2*time.Second), "an hour more than usual")
		}),
		"cert-short": certified(func(w *wire, c bought) {
			require.InDelta(w.t, 10*time.Minute, time.Until(c.leaf.NotAfter), float64(2*time.Second))
		}),
		"sct-missing":             missing(1, 3, 6, 1, 4, 1, 11129, 2, 4, 2),
		"must-staple-missing":     missing(1, 3, 6, 1, 5, 5, 7, 1, 24),
		"cert-500-then-ok":        later(500),
		"cert-404-then-ok":        later(404),
		"cert-wrong-content-type": certified(func(w *wire, c bought) { require.Equal(w.t, "application/pkix-cert", c.Header.Get("Content-Type")) }),
		"alternate-loop":          alternates(func(w *wire, c bought, links []string) { require.Equal(w.t, []string{c.url, c.url}, links) }),
		"alternate-404": alternates(func(w *wire, c bought, links []string) {
			require.Len(w.t, links, 1)
			require.Equal(w.t, 404, w.post(mockca.Certificate, links[0], "").Status)
		}),
		"alternate-garbage": alternates(func(w *wire, c bought, links []string) {
			require.Len(w.t, links, 1)
			_, certs := bought{result: w.want(200, links[0], "")}.blocks()
			require.Empty(w.t, certs)
		}),
		"alternate-many": alternates(func(w *wire, c bought, links []string) {
			require.Len(w.t, links, 1000)
			_, certs := bought{result: w.want(200, links[999], "")}.blocks()
			require.Len(w.t, certs, 2)
		}),
	}
}

func chainOnWire() map[string]wireTest {
	const cert = "CERTIFICATE"
	holds := func(want ...string) wireTest {
		return certified(func(w *wire, c bought) {
			types, _ := c.blocks()
			require.Equal(w.t, append([]string(nil), want...), types)
		})
	}
	text := func(check func(w *wire, c bought, text string)) wireTest {
		return certified(func(w *wire, c bought) { check(w, c, string(c.Body)) })
	}
	chain := func(check func(w *wire, certs []*x509.Certificate)) wireTest {
		return certified(func(w *wire, c bought) {
			_, certs := c.blocks()
			check(w, certs)
		})
	}
	return map[string]wireTest{
		"chain-out-of-order": chain(func(w *wire, certs []*x509.Certificate) { require.True(w.t, certs[0].IsCA) }),
		"chain-missing-intermediate": chain(func(w *wire, certs []*x509.Certificate) {
			require.Error(w.t, certs[0].CheckSignatureFrom(certs[1]))
		}),
		"chain-unrelated": chain(func(w *wire, certs []*x509.Certificate) {
			require.Equal(w.t, certs[0].RawIssuer, certs[1].RawSubject)
			require.Error(w.t, certs[0].CheckSignatureFrom(certs[1]))
		}),
		"chain-with-root": chain(func(w *wire, certs []*x509.Certificate) {
			require.Equal(w.t, w.ca.IssuingRoots()[0].Raw, certs[len(certs)-1].Raw)
		}),
		"chain-single": chain(func(w *wire, certs []*x509.Certificate) {
			require.Len(w.t, certs, 1)
			require.NoError(w.t, certs[0].CheckSignatureFrom(w.ca.IssuingRoots()[0]))
		}),
		"pem-garbage": holds(),
		"pem-text-before": text(func(w *wire, c bought, text string) {
			require.False(w.t, strings.HasPrefix(text, "-----BEGIN"))
			require.Contains(w.t, text, "-----BEGIN")
		}),
		"pem-crlf": text(func(w *wire, _ bought, text string) {
			require.Equal(w.t, strings.Count(text, "\n"), strings.Count(text, "\r\n"))
		}),
		"pem-no-final-newline": text(func(w *wire, _ bought, text string) { require.True(w.t, strings.HasSuffix(text, "-----")) }),
		"pem-der":              text(func(w *wire, c bought, _ string) { require.Equal(w.t, c.leaf.Raw, c.Body) }),
		"pem-private-key":      holds(cert, "PRIVATE KEY", cert),
		"pem-crl-inside":       holds(cert, "X509 CRL", cert),
		"cert-huge":            text(func(w *wire, _ bought, text string) { require.Greater(w.t, len(text), 4<<20) }),
	}
}

func revocationOnWire() map[string]wireTest {
	return map[string]wireTest{
		"already-revoked": answer(mockca.RevokeCert, func(w *wire, r result) {
			require.Equal(w.t, "alreadyRevoked", r.problem())
			require.False(w.t, w.ca.Certificates()[0].Revoked.IsZero())
		}),
		"bad-revocation-reason": answer(mockca.RevokeCert, func(w *wire, r result) {
			require.Equal(w.t, "badRevocationReason", r.problem())
			require.True(w.t, w.ca.Certificates()[0].Revoked.IsZero())
			w.want(200, w.ca.URL(mockca.RevokeCert), `{"certificate":"`+base64.RawURLEncoding.EncodeToString(w.ca.Certificates()[0].DER)+`"}`)
		}),
		"revoke-unauthorized": refused(mockca.RevokeCert, 403, "unauthorized"),
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
