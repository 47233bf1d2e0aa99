package validate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

var oidACMEIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// acmeIdentifier is the extension for a key authorization.
func acmeIdentifier(keyAuth string) pkix.Extension {
	sum := sha256.Sum256([]byte(keyAuth))
	return pkix.Extension{Id: oidACMEIdentifier, Critical: true, Value: append([]byte{4, 32}, sum[:]...)}
}

func selfSigned(t testing.TB, template *x509.Certificate) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber, template.NotAfter = big.NewInt(1), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serveTLS answers handshakes at an address, and tells the names asked for.
func (w *world) serveTLS(t testing.TB, address string, c *tls.Config) (asked func() []string) {
	l := w.listen(t, address)
	var mu sync.Mutex
	var names []string
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, hello.ServerName)
		return nil, nil
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				_ = tls.Server(conn, c).Handshake()
				_, _ = conn.Read(make([]byte, 1)) // until the other side is done
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return names
	}
}

func TestTLSALPN01JudgesTheCertificate(t *testing.T) {
	names := []string{"a.example"}
	for name, tc := range map[string]struct {
		template    x509.Certificate
		protocols   []string
		typ, detail string
	}{
		"right":              {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, nil, "", ""},
		"name in capitals":   {x509.Certificate{DNSNames: []string{"A.EXAMPLE"}, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, nil, "", ""},
		"another name":       {x509.Certificate{DNSNames: []string{"b.example"}, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, nil, "incorrectResponse", `received ["b.example"]`},
		"one name more":      {x509.Certificate{DNSNames: []string{"a.example", "b.example"}, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, nil, "incorrectResponse", "alone"},
		"an address more":    {x509.Certificate{DNSNames: names, IPAddresses: []net.IP{{192, 0, 2, 1}}, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, nil, "incorrectResponse", "alone"},
		"an unknown kind":    {x509.Certificate{ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: append([]byte{0x30, 0x0f, 0x82, 9}, append([]byte("a.example"), 0x88, 2, 0x2a, 3)...)}, acmeIdentifier(keyAuth)}}, nil, "incorrectResponse", "alone"},
		"no name":            {x509.Certificate{ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, nil, "incorrectResponse", "received none"},
		"name in the CN":     {x509.Certificate{Subject: pkix.Name{CommonName: "a.example"}, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, nil, "incorrectResponse", "received none"},
		"no extension":       {x509.Certificate{DNSNames: names}, nil, "incorrectResponse", "Missing acmeIdentifier"},
		"not critical":       {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{{Id: oidACMEIdentifier, Value: acmeIdentifier(keyAuth).Value}}}, nil, "incorrectResponse", "not critical"},
		"another digest":     {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{acmeIdentifier("other")}}, nil, "incorrectResponse", "Invalid acmeIdentifier"},
		"digest cut":         {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{{Id: oidACMEIdentifier, Critical: true, Value: append([]byte{4, 31}, acmeIdentifier(keyAuth).Value[2:33]...)}}}, nil, "incorrectResponse", "Invalid acmeIdentifier"},
		"digest not wrapped": {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{{Id: oidACMEIdentifier, Critical: true, Value: acmeIdentifier(keyAuth).Value[2:]}}}, nil, "incorrectResponse", "Malformed acmeIdentifier"},
		"more after digest":  {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{{Id: oidACMEIdentifier, Critical: true, Value: append(acmeIdentifier(keyAuth).Value, 5, 0)}}}, nil, "incorrectResponse", "Malformed acmeIdentifier"},
		"no ALPN":            {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, []string{}, "incorrectResponse", "Cannot negotiate ALPN"},
		"another protocol":   {x509.Certificate{DNSNames: names, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, []string{"h2"}, "tls", "192.0.2.1: tls-alpn-01 for a.example at port 5001"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
			if tc.protocols == nil {
				tc.protocols = []string{"acme-tls/1"}
			}
			asked := w.serveTLS(t, "192.0.2.1:5001", &tls.Config{Certificates: []tls.Certificate{selfSigned(t, &tc.template)}, NextProtos: tc.protocols})
			result := w.validator(validate.Config{}).Validate(t.Context(), request(validate.TLSALPN01, "a.example"))
			requireProblem(t, result.Problem, tc.typ, tc.detail)
			require.Equal(t, []string{"a.example"}, asked())
			require.Equal(t, []validate.Record{{Hostname: "a.example", Port: "5001", Addresses: []string{"192.0.2.1"}, AddressUsed: "192.0.2.1"}}, result.Records)
		})
	}
}

func TestTLSALPN01WantsASelfSignedCertificate(t *testing.T) {
	w := newWorld()
	w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
	ca := selfSigned(t, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true})
	issuer, err := x509.ParseCertificate(ca.Certificate[0])
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"a.example"}, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}}, issuer, key.Public(), ca.PrivateKey)
	require.NoError(t, err)
	w.serveTLS(t, "192.0.2.1:5001", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"acme-tls/1"}})
	requireProblem(t, w.validator(validate.Config{}).Validate(t.Context(), request(validate.TLSALPN01, "a.example")).Problem, "incorrectResponse", "not self-signed")
}

// RFC 8738, Section 6.
func TestTLSALPN01AsksForAddressesByTheirReverseName(t *testing.T) {
	for addr, reverse := range map[string]string{
		"192.0.2.1":   "1.2.0.192.in-addr.arpa",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		for name, tc := range map[string]struct {
			template    x509.Certificate
			typ, detail string
		}{
			"right":            {x509.Certificate{IPAddresses: []net.IP{net.ParseIP(addr)}}, "", ""},
			"another address":  {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("192.0.2.9")}}, "incorrectResponse", "alone"},
			"two addresses":    {x509.Certificate{IPAddresses: []net.IP{net.ParseIP(addr), net.ParseIP("192.0.2.9")}}, "incorrectResponse", "alone"},
			"address as name":  {x509.Certificate{DNSNames: []string{addr}}, "incorrectResponse", "alone"},
			"the reverse name": {x509.Certificate{DNSNames: []string{reverse}}, "incorrectResponse", "alone"},
		} {
			t.Run(addr+" "+name, func(t *testing.T) {
				w := newWorld()
				tc.template.ExtraExtensions = []pkix.Extension{acmeIdentifier(keyAuth)}
				asked := w.serveTLS(t, net.JoinHostPort(addr, "5001"), &tls.Config{Certificates: []tls.Certificate{selfSigned(t, &tc.template)}, NextProtos: []string{"acme-tls/1"}})
				r := address(addr)
				r.Type = validate.TLSALPN01
				requireProblem(t, w.validator(validate.Config{}).Validate(t.Context(), r).Problem, tc.typ, tc.detail)
				require.Equal(t, []string{reverse}, asked())
			})
		}
	}
}

func TestTLSALPN01FallsBackToIPv4(t *testing.T) {
	w := newWorld()
	w.SetA("a.example", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"))
	w.raw(t, "[2001:db8::1]:5001", "HTTP/1.1 400 Bad Request\r\n\r\n")
	v := w.validator(validate.Config{})
	result := v.Validate(t.Context(), request(validate.TLSALPN01, "a.example"))
	requireProblem(t, result.Problem, "connection", "192.0.2.1: tls-alpn-01 for a.example at port 5001: Connection refused")
	w.serveTLS(t, "192.0.2.1:5001", &tls.Config{Certificates: []tls.Certificate{selfSigned(t, &x509.Certificate{DNSNames: []string{"a.example"}, ExtraExtensions: []pkix.Extension{acmeIdentifier(keyAuth)}})}, NextProtos: []string{"acme-tls/1"}})
	result = v.Validate(t.Context(), request(validate.TLSALPN01, "a.example"))
	requireProblem(t, result.Problem, "", "")
	require.Len(t, result.Records, 2)
}

func TestTLSALPN01TellsTLSFromTheNetwork(t *testing.T) {
	for name, tc := range map[string]struct{ answer, typ, detail string }{
		"plain HTTP": {"HTTP/1.1 400 Bad Request\r\n\r\n", "tls", "first record does not look like a TLS handshake"},
		"an alert":   {"\x15\x03\x03\x00\x02\x02\x28", "tls", "handshake failure"},
		"silence":    {"", "connection", "Timeout after connect"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
				w.raw(t, "192.0.2.1:5001", tc.answer)
				requireProblem(t, w.validator(validate.Config{}).Validate(t.Context(), request(validate.TLSALPN01, "a.example")).Problem, tc.typ, tc.detail)
			})
		})
	}
	w := newWorld()
	requireProblem(t, w.validator(validate.Config{}).Validate(t.Context(), request(validate.TLSALPN01, "no.example")).Problem, "dns", "no.example")
}
