package issue_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

func TestLeafEditsMakeThatOneThingWrong(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	names := []string{"a.example", "b.example"}
	for name, tc := range map[string]struct {
		edit  issue.LeafEdit
		check func(t *testing.T, c *x509.Certificate)
	}{
		"MissingName": {issue.MissingName(), func(t *testing.T, c *x509.Certificate) { require.Equal(t, names[:1], c.DNSNames) }},
		"ExtraName":   {issue.ExtraName("x.example"), func(t *testing.T, c *x509.Certificate) { require.Equal(t, append(names, "x.example"), c.DNSNames) }},
		"OtherNames": {issue.OtherNames("x.example", "192.0.2.1"), func(t *testing.T, c *x509.Certificate) {
			require.Equal(t, []string{"x.example"}, c.DNSNames)
			require.Len(t, c.IPAddresses, 1)
			require.Empty(t, c.Subject.CommonName)
		}},
		"NoNames": {issue.NoNames(), func(t *testing.T, c *x509.Certificate) { require.Empty(t, c.DNSNames) }},
		"Expired": {issue.Expired(now), func(t *testing.T, c *x509.Certificate) {
			require.True(t, c.NotAfter.Before(now))
			require.Equal(t, 90*24*time.Hour-time.Second, c.NotAfter.Sub(c.NotBefore))
		}},
		"NotYetValid": {issue.NotYetValid(now), func(t *testing.T, c *x509.Certificate) { require.True(t, c.NotBefore.After(now)) }},
		"Backdated": {issue.Backdated(48 * time.Hour), func(t *testing.T, c *x509.Certificate) {
			require.Equal(t, now.Add(-49*time.Hour).Truncate(time.Second), c.NotBefore)
		}},
		"Short": {issue.Short(now, time.Minute), func(t *testing.T, c *x509.Certificate) {
			require.Equal(t, now.Add(time.Minute).Truncate(time.Second), c.NotAfter)
		}},
		"BadSignature": {issue.BadSignature(), func(t *testing.T, c *x509.Certificate) {
			require.Error(t, c.CheckSignatureFrom(h.Issuer().Cert))
			require.Equal(t, h.Issuer().Cert.SubjectKeyId, c.AuthorityKeyId)
		}},
		"UnknownIssuer": {issue.UnknownIssuer(), func(t *testing.T, c *x509.Certificate) {
			require.Error(t, c.CheckSignatureFrom(h.Issuer().Cert))
			require.NoError(t, c.CheckSignatureFrom(h.Stranger().Cert))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := leaf(t, h, tc.edit)
			tc.check(t, c)
			if name != "BadSignature" && name != "UnknownIssuer" {
				require.NoError(t, c.CheckSignatureFrom(h.Issuer().Cert), "nothing else is wrong")
			}
		})
	}
}

func TestWrongKeyIsAnother(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	key, err := issue.P256.Generate()
	require.NoError(t, err)
	l := issue.Classic().Leaf(key.Public(), []string{"a.example"}, nil, now, time.Time{}, time.Time{})
	l.RawPublicKey, err = x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	for _, edits := range [][]issue.LeafEdit{nil, {issue.WrongKey()}} {
		der, _, err := h.IssueEdited(l, edits...)
		require.NoError(t, err)
		c, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		require.Equal(t, issue.KeyID(c.PublicKey), c.SubjectKeyId)
		require.Equal(t, edits == nil, key.(*ecdsa.PrivateKey).PublicKey.Equal(c.PublicKey))
	}
}

func TestEditsLeaveTheirArgumentAlone(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	key, err := issue.P256.Generate()
	require.NoError(t, err)
	names := []string{"a.example", "b.example"}
	l := issue.Classic().Leaf(key.Public(), names, nil, now, time.Time{}, time.Time{})
	l.MustStaple = true
	der, _, err := h.IssueEdited(l, issue.NoMustStaple(), issue.MissingName(), issue.ExtraName("x.example"))
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.Empty(t, extension(c, 1, 3, 6, 1, 5, 5, 7, 1, 24))
	require.Equal(t, []string{"a.example", "x.example"}, c.DNSNames)
	require.Equal(t, []string{"a.example", "b.example"}, names)
	require.True(t, l.MustStaple)

	b := issue.NewBundle(h.Chain(0, der)...)
	before := string(b.Bytes())
	for _, edit := range bundleEdits() {
		h.Edit(b, edit)
	}
	require.Equal(t, before, string(b.Bytes()))
}

func bundleEdits() map[string]issue.BundleEdit {
	return map[string]issue.BundleEdit{
		"Reversed": issue.Reversed(), "LeafOnly": issue.LeafOnly(), "WithoutIntermediate": issue.WithoutIntermediate(), "WithoutLeaf": issue.WithoutLeaf(),
		"UnrelatedIntermediate": issue.UnrelatedIntermediate(), "WithRoot": issue.WithRoot(), "Duplicated": issue.Duplicated(), "Huge": issue.Huge(1 << 20),
		"CRLF": issue.CRLF(), "NoFinalNewline": issue.NoFinalNewline(), "TextBefore": issue.TextBefore(), "TextBetween": issue.TextBetween(),
		"JunkBlock": issue.JunkBlock(), "PrivateKeyInside": issue.PrivateKeyInside(), "CRLInside": issue.CRLInside(now), "PKCS7Type": issue.PKCS7Type(),
		"BrokenBase64": issue.BrokenBase64(), "AsDER": issue.AsDER(), "Truncated": issue.Truncated(), "Empty": issue.Empty(), "Garbage": issue.Garbage(),
	}
}

func TestBundleEdits(t *testing.T) {
	h := hierarchy(t, issue.Options{Depth: 2})
	c := leaf(t, h)
	chain := h.Chain(0, c.Raw)
	root, stranger := h.Root(0).Cert.Raw, h.Stranger().Cert.Raw
	junk := []byte("this is not a certificate")
	want := map[string][][]byte{
		"Reversed":              {chain[2], chain[1], chain[0]},
		"LeafOnly":              chain[:1],
		"WithoutIntermediate":   {chain[0], chain[2], root},
		"WithoutLeaf":           chain[1:],
		"UnrelatedIntermediate": {chain[0], stranger},
		"WithRoot":              {chain[0], chain[1], chain[2], root},
		"Duplicated":            {chain[0], chain[0], chain[1], chain[1], chain[2], chain[2]},
		"CRLF":                  chain, "NoFinalNewline": chain, "TextBefore": chain, "TextBetween": chain,
		"JunkBlock": {chain[0], junk, chain[1], chain[2]},
		"PKCS7Type": chain,
	}
	plain := string(issue.PEM(chain...))
	for name, edit := range bundleEdits() {
		t.Run(name, func(t *testing.T) {
			data := h.Edit(issue.NewBundle(chain...), edit)
			require.NotEqual(t, plain, string(data))
			var types []string
			var ders [][]byte
			for rest := data; ; {
				var b *pem.Block
				if b, rest = pem.Decode(rest); b == nil {
					break
				}
				types, ders = append(types, b.Type), append(ders, b.Bytes)
			}
			if list, ok := want[name]; ok {
				require.Equal(t, list, ders)
			}
			switch name {
			case "CRLF":
				require.Equal(t, strings.Count(plain, "\n"), strings.Count(string(data), "\r\n"))
			case "NoFinalNewline":
				require.True(t, bytes.HasSuffix(data, []byte("-----")))
			case "TextBefore":
				require.False(t, bytes.HasPrefix(data, []byte("-----")))
			case "TextBetween":
				require.Equal(t, 2, strings.Count(string(data), "# the next"))
			case "Huge":
				require.Greater(t, len(data), 1<<20)
			case "PKCS7Type":
				require.Equal(t, []string{"PKCS7", "PKCS7", "PKCS7"}, types)
			case "PrivateKeyInside":
				require.Equal(t, []string{"CERTIFICATE", "PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"}, types)
				require.NotContains(t, string(data), "\x00")
				key, err := x509.ParsePKCS8PrivateKey(ders[1])
				require.NoError(t, err)
				require.NotEqual(t, key, h.Issuer().Key)
			case "CRLInside":
				require.Equal(t, []string{"CERTIFICATE", "X509 CRL", "CERTIFICATE", "CERTIFICATE"}, types)
			case "BrokenBase64", "Truncated":
				require.Len(t, ders, 2, "the broken block is not read")
			case "AsDER":
				require.Equal(t, c.Raw, data)
			case "Empty":
				require.Empty(t, data)
			case "Garbage":
				require.Empty(t, ders)
			}
		})
	}
}

func TestBundleEditsTakeAnEmptyDownload(t *testing.T) {
	h := hierarchy(t, issue.Options{Depth: -1})
	for name, edit := range bundleEdits() {
		require.NotPanics(t, func() { h.Edit(issue.Bundle{}, edit); h.Edit(issue.NewBundle([]byte{1}), edit) }, name)
	}
}

func TestUnknownIssuerWithItsIntermediateIsAConsistentChain(t *testing.T) {
	h := hierarchy(t, issue.Options{})
	c := leaf(t, h, issue.UnknownIssuer())
	data := h.Edit(issue.NewBundle(h.Chain(0, c.Raw)...), issue.UnrelatedIntermediate())
	_, rest := pem.Decode(data)
	b, _ := pem.Decode(rest)
	i, err := x509.ParseCertificate(b.Bytes)
	require.NoError(t, err)
	require.NoError(t, c.CheckSignatureFrom(i))
	require.Error(t, verify(c, [][]byte{c.Raw, b.Bytes}, h.Roots()...))
}
