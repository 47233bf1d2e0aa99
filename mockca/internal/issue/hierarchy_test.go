package issue_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

var now = time.Date(2030, 5, 4, 3, 2, 1, 500, time.UTC)

func hierarchy(t testing.TB, o issue.Options) *issue.Hierarchy {
	if o.Now.IsZero() {
		o.Now = now
	}
	h, err := issue.New(o)
	require.NoError(t, err)
	return h
}

// leaf issues what a client would have ordered.
func leaf(t testing.TB, h *issue.Hierarchy, edits ...issue.LeafEdit) *x509.Certificate {
	key, err := issue.P256.Generate()
	require.NoError(t, err)
	l := issue.Classic().Leaf(key.Public(), []string{"a.example", "b.example"}, nil, now, time.Time{}, time.Time{})
	der, serial, err := h.IssueEdited(l, edits...)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.Equal(t, serial, c.SerialNumber.Bytes())
	return c
}

// verify builds a path from a leaf over what was sent to one root.
func verify(c *x509.Certificate, chain [][]byte, roots ...*x509.Certificate) error {
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, DNSName: "a.example"}
	for _, r := range roots {
		o.Roots.AddCert(r)
	}
	for _, der := range chain[1:] {
		i, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		o.Intermediates.AddCert(i)
	}
	_, err := c.Verify(o)
	return err
}

func TestChainsLeadFromLeafToTheirRoot(t *testing.T) {
	for name, tc := range map[string]struct {
		opts issue.Options
		sent []int // certificates in each chain
	}{
		"default":                   {issue.Options{}, []int{2}},
		"no intermediate":           {issue.Options{Depth: -1}, []int{1}},
		"deep":                      {issue.Options{Depth: 5}, []int{6}},
		"alternates":                {issue.Options{Roots: 3}, []int{2, 2, 2}},
		"deep alternates":           {issue.Options{Roots: 2, Depth: 3}, []int{4, 4}},
		"long alternates":           {issue.Options{Roots: 2, CrossRoots: true}, []int{2, 3}},
		"alternates below the root": {issue.Options{Roots: 2, Depth: -1}, []int{1, 2}},
		"P-384":                     {issue.Options{KeyType: issue.P384, Roots: 2}, []int{2, 2}},
		"RSA":                       {issue.Options{KeyType: issue.RSA2048}, []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			h := hierarchy(t, tc.opts)
			c := leaf(t, h)
			require.Equal(t, len(tc.sent), h.Chains())
			roots := h.Roots()
			for n, want := range tc.sent {
				chain := h.Chain(n, c.Raw)
				require.Len(t, chain, want)
				require.NoError(t, verify(c, chain, h.Root(n).Cert))
				for i := range chain[1:] { // each certificate is signed by the next
					a, err := x509.ParseCertificate(chain[i])
					require.NoError(t, err)
					b, err := x509.ParseCertificate(chain[i+1])
					require.NoError(t, err)
					require.NoError(t, a.CheckSignatureFrom(b))
					require.Equal(t, b.SubjectKeyId, a.AuthorityKeyId)
				}
				for m, other := range roots {
					long := tc.opts.CrossRoots || tc.opts.Depth == -1 // leads to root 0 too
					if m != n && (m > 0 || !long) {
						require.Error(t, verify(c, chain, other), "chain %d must not reach root %d", n, m)
					}
				}
			}
			_, err := c.Verify(x509.VerifyOptions{Roots: h.Pool(), Intermediates: pool(h.Intermediates(0)), CurrentTime: now})
			require.NoError(t, err)
		})
	}
}

func pool(list []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range list {
		p.AddCert(c)
	}
	return p
}

func TestAuthoritiesSayThatTheyAreForTesting(t *testing.T) {
	h := hierarchy(t, issue.Options{Name: "mine", Roots: 2, Depth: 2})
	list := append(h.Roots(), h.Intermediates(1)...)
	list = append(list, h.Stranger().Cert)
	seen := map[string]bool{}
	for _, c := range list {
		require.Equal(t, []string{issue.TestOrganization}, c.Subject.Organization)
		require.Contains(t, c.Subject.CommonName, "mine Test ")
		require.True(t, c.IsCA && c.BasicConstraintsValid)
		require.Equal(t, x509.KeyUsageCertSign|x509.KeyUsageCRLSign|x509.KeyUsageDigitalSignature, c.KeyUsage)
		require.Equal(t, now.Add(-time.Hour).Truncate(time.Second), c.NotBefore)
		require.True(t, c.NotAfter.After(now.AddDate(19, 0, 0)), "a clock moved by years must not outlive it")
		require.False(t, seen[c.SerialNumber.String()])
		seen[c.SerialNumber.String()] = true
	}
	require.Zero(t, h.Issuer().Cert.MaxPathLen)
	require.True(t, h.Issuer().Cert.MaxPathLenZero)
}

func TestStrangerLooksLikeTheIssuer(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	s := h.Stranger()
	require.Same(t, s, h.Stranger())
	require.Equal(t, h.Issuer().Cert.RawSubject, s.Cert.RawSubject)
	require.NotEqual(t, h.Issuer().Cert.SubjectKeyId, s.Cert.SubjectKeyId)
	require.Error(t, s.Cert.CheckSignatureFrom(h.Root(0).Cert))
}

func TestNewRefusesWhatItCannotMake(t *testing.T) {
	for name, o := range map[string]issue.Options{
		"Ed25519":        {KeyType: issue.Ed25519},
		"unknown key":    {KeyType: "P-17"},
		"too deep":       {Depth: issue.MaxDepth + 1},
		"depth below -1": {Depth: -2},
		"too many roots": {Roots: issue.MaxRoots + 1},
		"negative life":  {Lifetime: -1},
		"past year 9999": {Now: time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC)},
		"before year 1":  {Now: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := issue.New(o)
			require.Error(t, err)
		})
	}
}

func TestKeysAreOfTheTypeAskedFor(t *testing.T) {
	for typ, bits := range map[issue.KeyType]int{"": 256, issue.P256: 256, issue.P384: 384, issue.RSA2048: 2048} {
		key, err := typ.Generate()
		require.NoError(t, err)
		switch pub := key.Public().(type) {
		case *ecdsa.PublicKey:
			require.Equal(t, bits, pub.Curve.Params().BitSize)
		case *rsa.PublicKey:
			require.Equal(t, bits, pub.N.BitLen())
		}
	}
	_, err := issue.KeyType("P-17").Generate()
	require.ErrorContains(t, err, "P-17")
}

func TestImportGivesBackWhatWasExported(t *testing.T) {
	for name, o := range map[string]issue.Options{
		"default":         {},
		"no intermediate": {Depth: -1, Roots: 2},
		"alternates":      {Depth: 2, Roots: 3},
		"long alternates": {Roots: 2, CrossRoots: true},
		"P-384":           {KeyType: issue.P384},
	} {
		t.Run(name, func(t *testing.T) {
			h := hierarchy(t, o)
			c := leaf(t, h)
			data, err := h.Export()
			require.NoError(t, err)
			back, err := issue.Import(data)
			require.NoError(t, err)
			require.Equal(t, h.Chains(), back.Chains())
			for n := range h.Chains() {
				require.Equal(t, h.Root(n).Cert.Raw, back.Root(n).Cert.Raw)
				require.Equal(t, h.Chain(n, c.Raw), back.Chain(n, c.Raw))
			}
			require.NoError(t, leaf(t, back).CheckSignatureFrom(h.Issuer().Cert))
			again, err := back.Export()
			require.NoError(t, err)
			require.Equal(t, string(data), string(again))
		})
	}
}

func TestImportRefusesWhatDoesNotFitTogether(t *testing.T) {
	h, other := hierarchy(t, issue.Options{Roots: 2}), hierarchy(t, issue.Options{Roots: 2})
	for name, edit := range map[string]func(a, b *stateFile){
		"nothing":                 func(a, _ *stateFile) { a.Line = nil },
		"another version":         func(a, _ *stateFile) { a.Version = 2 },
		"another key":             func(a, b *stateFile) { a.Line[1].Key = b.Line[1].Key },
		"another root":            func(a, b *stateFile) { a.Line[0] = b.Line[0] },
		"another alternate":       func(a, b *stateFile) { a.Alternates[0].Cross = b.Alternates[0].Cross },
		"no key":                  func(a, _ *stateFile) { a.Line[1].Key = "" },
		"no certificate":          func(a, _ *stateFile) { a.Line[1].Certificate = "" },
		"key of no type":          func(a, _ *stateFile) { a.KeyType = "none" },
		"a certificate for a key": func(a, _ *stateFile) { a.Line[1].Key = a.Line[1].Certificate },
		"no cross":                func(a, _ *stateFile) { a.Alternates[0].Cross = "" },
		"a key that is not parsed": func(a, _ *stateFile) {
			a.Line[0].Key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := export(t, h), export(t, other)
			edit(a, b)
			_, err := issue.Import(a.marshal(t))
			require.Error(t, err)
		})
	}
	_, err := issue.Import([]byte("not JSON"))
	require.Error(t, err)
}
