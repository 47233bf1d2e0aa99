package issue_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

func TestLeafSaysWhatWasAsked(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	key, err := issue.RSA2048.Generate()
	require.NoError(t, err)
	l := issue.Leaf{
		PublicKey: key.Public(), CommonName: "a.example", DNSNames: []string{"a.example", "*.b.example"},
		IPAddresses: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")},
		NotBefore:   now.Truncate(time.Second), NotAfter: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC),
		Serial: []byte{0x80, 1}, MustStaple: true, ClientAuth: true, KeyEncipherment: true,
		OCSP: []string{"http://ocsp.example/"}, CRL: []string{"http://crl.example/1", "http://crl.example/2"}, IssuerURL: []string{"http://i.example/"},
		Extra: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}},
	}
	der, serial, err := h.Issue(l)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.NoError(t, c.CheckSignatureFrom(h.Issuer().Cert))
	require.Equal(t, []byte{0x80, 1}, serial)
	require.Equal(t, big.NewInt(0x8001), c.SerialNumber)
	require.Equal(t, 3, c.Version)
	require.Equal(t, key.Public(), c.PublicKey)
	require.Equal(t, "CN=a.example", c.Subject.String())
	require.Equal(t, l.DNSNames, c.DNSNames)
	require.Equal(t, []net.IP{net.IP{192, 0, 2, 7}, net.ParseIP("2001:db8::7")}, c.IPAddresses)
	require.Equal(t, l.NotBefore, c.NotBefore)
	require.Equal(t, l.NotAfter, c.NotAfter)
	require.Equal(t, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, c.KeyUsage)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, c.ExtKeyUsage)
	require.True(t, c.BasicConstraintsValid)
	require.False(t, c.IsCA)
	require.Equal(t, issue.KeyID(key.Public()), c.SubjectKeyId)
	require.Equal(t, h.Issuer().Cert.SubjectKeyId, c.AuthorityKeyId)
	require.Equal(t, l.OCSP, c.OCSPServer)
	require.Equal(t, l.IssuerURL, c.IssuingCertificateURL)
	require.Equal(t, l.CRL, c.CRLDistributionPoints)
	require.Equal(t, []x509.OID{issue.TestPolicy()}, c.Policies)
	require.Len(t, c.PolicyIdentifiers, 1, "the parts of the policy's identifier are small enough for clients made with Go before 1.22, which refuse the whole certificate otherwise")
	require.Contains(t, string(der), "acme-e2e TEST certificate - do not trust")
	require.Contains(t, c.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}})
	require.Equal(t, []byte{0x30, 3, 2, 1, 5}, extension(c, 1, 3, 6, 1, 5, 5, 7, 1, 24).Value)
	require.Empty(t, c.UnhandledCriticalExtensions)
}

func extension(c *x509.Certificate, id ...int) pkix.Extension {
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return e
		}
	}
	return pkix.Extension{}
}

// Without subject the names are critical (RFC 5280, Section 4.2.1.6).
func TestLeafWithoutCommonNameHasCriticalNames(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	key, err := issue.P256.Generate()
	require.NoError(t, err)
	for _, profile := range []issue.Profile{issue.Classic(), issue.TLSServer(), issue.ShortLived()} {
		der, _, err := h.Issue(profile.Leaf(key.Public(), []string{"a.example"}, nil, now, time.Time{}, time.Time{}))
		require.NoError(t, err)
		c, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		require.Equal(t, c.Subject.CommonName == "", extension(c, 2, 5, 29, 17).Critical)
		require.Equal(t, profile.CommonName, c.Subject.CommonName == "a.example")
		require.Equal(t, profile.SKI, len(c.SubjectKeyId) == 20)
		require.Equal(t, x509.KeyUsageDigitalSignature, c.KeyUsage, "key encipherment is for RSA")
		require.Equal(t, profile.Lifetime, c.NotAfter.Sub(c.NotBefore)+time.Second)
		require.Empty(t, extension(c, 1, 3, 6, 1, 5, 5, 7, 1, 24))
		require.Empty(t, extension(c, 1, 3, 6, 1, 5, 5, 7, 1, 1))
		require.Empty(t, extension(c, 2, 5, 29, 31))
	}
}

// The same fields through Go's encoder must give the same bytes to sign.
func TestEncodingIsThatOfTheStandardLibrary(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	key, err := issue.P256.Generate()
	require.NoError(t, err)
	for name, l := range map[string]issue.Leaf{
		"plain":        {CommonName: "a.example", DNSNames: []string{"a.example"}},
		"addresses":    {IPAddresses: []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1")}},
		"everything":   {CommonName: "a.example", DNSNames: []string{"a.example"}, OCSP: []string{"http://o/"}, IssuerURL: []string{"http://i/"}, CRL: []string{"http://c/", "http://d/"}, ClientAuth: true},
		"small serial": {DNSNames: []string{"a.example"}, Serial: []byte{0, 0, 0x7f}},
	} {
		t.Run(name, func(t *testing.T) {
			l.PublicKey, l.NotBefore, l.NotAfter = key.Public(), now.Truncate(time.Second), now.Add(1e18).Truncate(time.Second)
			der, serial, err := h.Issue(l)
			require.NoError(t, err)
			ours, err := x509.ParseCertificate(der)
			require.NoError(t, err)
			template := *ours
			template.SerialNumber = new(big.Int).SetBytes(serial)
			template.ExtraExtensions = []pkix.Extension{extension(ours, 2, 5, 29, 32)}
			theirsDER, err := x509.CreateCertificate(rand.Reader, &template, h.Issuer().Cert, key.Public(), h.Issuer().Key)
			require.NoError(t, err)
			theirs, err := x509.ParseCertificate(theirsDER)
			require.NoError(t, err)
			require.ElementsMatch(t, theirs.Extensions, ours.Extensions, "order aside")
			template.ExtraExtensions = ours.Extensions
			theirsDER, err = x509.CreateCertificate(rand.Reader, &template, h.Issuer().Cert, key.Public(), h.Issuer().Key)
			require.NoError(t, err)
			theirs, err = x509.ParseCertificate(theirsDER)
			require.NoError(t, err)
			require.Equal(t, theirs.RawTBSCertificate, ours.RawTBSCertificate)
		})
	}
}

func TestIssueRefusesWhatIsNoKey(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	_, _, err := h.Issue(issue.Leaf{})
	require.ErrorContains(t, err, "public key")
	_, _, err = h.Issue(issue.Leaf{PublicKey: "no key"})
	require.ErrorContains(t, err, "public key")
	require.Nil(t, issue.KeyID(7))
}

func TestProfileDatesTheLeaf(t *testing.T) {
	p := issue.Profile{Lifetime: 10 * time.Hour, Backdate: time.Hour}
	whole := now.Truncate(time.Second)
	for name, tc := range map[string]struct {
		notBefore, notAfter, wantBefore, wantAfter time.Time
	}{
		"by itself":       {time.Time{}, time.Time{}, whole.Add(-time.Hour), whole.Add(9*time.Hour - time.Second)},
		"begins later":    {whole.Add(time.Hour), time.Time{}, whole.Add(time.Hour), whole.Add(11*time.Hour - time.Second)},
		"ends earlier":    {time.Time{}, whole.Add(time.Hour), whole.Add(-time.Hour), whole.Add(time.Hour)},
		"asked too long":  {time.Time{}, whole.Add(99 * time.Hour), whole.Add(-time.Hour), whole.Add(9*time.Hour - time.Second)},
		"both asked":      {whole, whole.Add(time.Hour), whole, whole.Add(time.Hour)},
		"in another zone": {whole.In(time.FixedZone("", 3600)), whole.Add(time.Minute), whole, whole.Add(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			l := p.Leaf(nil, nil, nil, now, tc.notBefore, tc.notAfter)
			require.Equal(t, tc.wantBefore, l.NotBefore)
			require.Equal(t, tc.wantAfter, l.NotAfter)
		})
	}
	require.Equal(t, 90*24*time.Hour-time.Second, func() time.Duration {
		l := issue.Profile{}.Leaf(nil, nil, nil, now, time.Time{}, time.Time{})
		return l.NotAfter.Sub(l.NotBefore)
	}())
}

func TestCommonNameIsTheFirstThatFits(t *testing.T) {
	long := "this-name-is-longer-than-a-common-name-may-be-by-rfc-5280.a.example"
	l := issue.Classic().Leaf(nil, []string{long, "b.example", "c.example"}, nil, now, time.Time{}, time.Time{})
	require.Equal(t, "b.example", l.CommonName)
	require.Empty(t, issue.Classic().Leaf(nil, []string{long}, nil, now, time.Time{}, time.Time{}).CommonName)
}

// RFC 9773, Section 4.1, works an example.
func TestCertIDKeepsTheLeadingZero(t *testing.T) {
	aki, err := base64.RawURLEncoding.DecodeString("aYhba4dGQEHhs3uEe6CuLN4ByNQ")
	require.NoError(t, err)
	for serial, want := range map[string]string{
		"\x00\x87\x65\x43\x21": "AIdlQyE", "\x87\x65\x43\x21": "AIdlQyE", "\x07": "Bw", "\x00": "AA", "\x7f\xff": "f_8",
	} {
		require.Equal(t, "aYhba4dGQEHhs3uEe6CuLN4ByNQ."+want, issue.CertID(aki, []byte(serial)))
	}
}

func TestSerialsAreRandomAndSometimesNeedALeadingZero(t *testing.T) {
	seen, high := map[string]bool{}, 0
	for range 1000 {
		s := issue.NewSerial()
		require.Len(t, s, 16)
		require.NotZero(t, s[0])
		require.False(t, seen[string(s)])
		seen[string(s)] = true
		if s[0] >= 0x80 {
			high++
		}
	}
	require.InDelta(t, 500, high, 150)
}

func TestMustStapleIsReadFromTheRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		extensions []pkix.Extension
		want       bool
	}{
		"none":            {nil, false},
		"status_request":  {[]pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}, true},
		"another feature": {[]pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 6}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := issue.P256.Generate()
			require.NoError(t, err)
			der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{ExtraExtensions: tc.extensions}, key)
			require.NoError(t, err)
			csr, err := x509.ParseCertificateRequest(der)
			require.NoError(t, err)
			require.Equal(t, tc.want, issue.MustStaple(csr))
		})
	}
}

func TestIssuingIsSafeAtOnce(t *testing.T) {
	h := hierarchy(t, issue.Options{Roots: 3})
	done := make(chan error)
	for i := range 8 {
		go func() {
			key, err := issue.P256.Generate()
			if err == nil {
				var der []byte
				der, _, err = h.Issue(issue.Classic().Leaf(key.Public(), []string{"a.example"}, nil, now, time.Time{}, time.Time{}))
				if err == nil {
					_ = h.Chain(i%3, der)
					_ = h.Stranger()
				}
			}
			done <- err
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
}

func BenchmarkHierarchy(b *testing.B) {
	for _, o := range []issue.Options{{}, {Roots: 2}} {
		b.Run(map[int]string{0: "plain", 2: "alternate"}[o.Roots], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h, err := issue.New(o)
				require.NoError(b, err)
				h.Issuer()
				h.Roots()
			}
		})
	}
}

func BenchmarkIssue(b *testing.B) {
	h, err := issue.New(issue.Options{})
	require.NoError(b, err)
	key, err := issue.P256.Generate()
	require.NoError(b, err)
	h.Issuer()
	l := issue.Classic().Leaf(key.Public(), []string{"a.example"}, nil, now, time.Time{}, time.Time{})
	l.OCSP, l.CRL = []string{"http://127.0.0.1:4001/ocsp"}, []string{"http://127.0.0.1:4001/crl"}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, err := h.Issue(l)
			require.NoError(b, err)
		}
	})
	b.Run("signature alone", func(b *testing.B) {
		digest := make([]byte, 32)
		for b.Loop() {
			_, err := h.Issuer().Key.Sign(rand.Reader, digest, crypto.SHA256)
			require.NoError(b, err)
		}
	})
	b.Run("x509.CreateCertificate", func(b *testing.B) {
		b.ReportAllocs()
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: l.NotBefore, NotAfter: l.NotAfter, DNSNames: slices.Clone(l.DNSNames), OCSPServer: l.OCSP, CRLDistributionPoints: l.CRL}
		for b.Loop() {
			_, err := x509.CreateCertificate(rand.Reader, template, h.Issuer().Cert, key.Public(), h.Issuer().Key)
			require.NoError(b, err)
		}
	})
}
