package mockca_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

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
