package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/idna"
)

func selfSigned(key crypto.Signer, name string) ([]byte, error) {
	t := &x509.Certificate{SerialNumber: big.NewInt(5), DNSNames: []string{name}, NotBefore: time.Unix(1, 0), NotAfter: time.Unix(1<<33, 0)}
	return x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
}

func TestIdentifiers(t *testing.T) {
	for in, want := range map[string]string{
		"a.example": "dns a.example", " A.Example. ": "dns a.example", "*.a.example": "dns *.a.example", "bücher.example": "dns xn--bcher-kva.example",
		"*.BÜCHER.example": "dns *.xn--bcher-kva.example", "xn--bcher-kva.example": "dns xn--bcher-kva.example", "faß.example": "dns xn--fa-hia.example",
		"192.0.2.1": "ip 192.0.2.1", "2001:DB8:0:0::1": "ip 2001:db8::1", "[::1]": "ip ::1", "::ffff:192.0.2.1": "ip 192.0.2.1",
		"": "", "a..example": "", "*": "", "*.*.example": "", "a.*.example": "", "*a.example": "", "a b": "", "-a.example": "", "a_b.example": "", "fe80::1%eth0": "",
		strings.Repeat("a", 64) + ".example": "", strings.Repeat("a.", 130) + "example": "", "xn--a": "", "a/b": "", "a:80": "", "a.example\x00": "", "a-.example": "", "a.": "dns a", "1.2.3": "", "256.0.0.1": "", "*.192.0.2.1": "", "7": "", "a.1": "", "a--b.example": "dns a--b.example", "0-9.a1": "dns 0-9.a1", strings.Repeat("a", 63) + ".example": "dns " + strings.Repeat("a", 63) + ".example",
	} {
		id, err := ParseIdentifier(in)
		if strings.HasPrefix(want, "dns") {
			_, err := idna.New(idna.StrictDomainName(true), idna.VerifyDNSLength(true)).ToASCII(strings.TrimPrefix(id.Value, "*."))
			require.NoError(t, err)
		}
		if want == "" {
			require.Error(t, err, "%q gave %v", in, id)
			continue
		}
		require.NoError(t, err, in)
		require.Equal(t, want, id.Type+" "+id.Value)
		again, err := ParseIdentifier(id.Value)
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
	_, err := ParseIdentifiers("a..b", "ok.example", "c d")
	require.ErrorContains(t, err, "a..b")
	require.ErrorContains(t, err, "c d")
	ids, err := ParseIdentifiers("A.example", "a.example", "::1")
	require.NoError(t, err)
	require.Len(t, ids, 2)
	require.Equal(t, Identifier{"ip", "::1"}, IP(netip.MustParseAddr("::1%lo")))
	_, err = DNS("192.0.2.1")
	require.Error(t, err)
	_, err = normalise([]Identifier{{"email", "a@b"}})
	require.ErrorContains(t, err, "identifier type")
}

func TestLinks(t *testing.T) {
	links := parseLinks([]string{`<https://ca.example/a>;rel="alternate", </b>; title="x, <y>; rel=z"; REL="Alternate up"`, `<c>;rel=next`, `garbage`, `<broken`}, "https://ca.example/dir/x")
	require.Len(t, links, 3)
	require.Equal(t, "https://ca.example/b", links[1].target)
	require.True(t, links[1].has("alternate"))
	require.True(t, links[1].has("UP"))
	require.False(t, links[1].has("z"))
	require.Equal(t, "https://ca.example/dir/c", links[2].target)
}

func TestCertID(t *testing.T) {
	// The example of RFC 9773, Section 4.1, whose serial number has its highest bit set.
	aki, err := base64.RawURLEncoding.DecodeString("aYhba4dGQEHhs3uEe6CuLN4ByNQ")
	require.NoError(t, err)
	id, err := CertID(&x509.Certificate{AuthorityKeyId: aki, SerialNumber: big.NewInt(0x87654321)})
	require.NoError(t, err)
	require.Equal(t, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", id)
	_, err = CertID(&x509.Certificate{SerialNumber: big.NewInt(1)})
	require.Error(t, err)
	_, err = CertID(nil)
	require.Error(t, err)
}

func TestPickIsUniformInTheWindow(t *testing.T) {
	start := time.Unix(1e9, 0)
	i := RenewalInfo{SuggestedWindow: Window{start, start.Add(time.Hour)}}
	r := mrand.New(mrand.NewPCG(1, 2))
	early := 0
	for range 1000 {
		at := i.Pick(r)
		require.False(t, at.Before(start) || !at.Before(start.Add(time.Hour)))
		if at.Before(start.Add(30 * time.Minute)) {
			early++
		}
	}
	require.InDelta(t, 500, early, 60)
	require.Equal(t, start, RenewalInfo{SuggestedWindow: Window{start, start}}.Pick(nil))
}

// blind signs, and can do nothing else.
type blind struct{ s crypto.Signer }

func (b blind) Public() crypto.PublicKey { return b.s.Public() }
func (b blind) Sign(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
	return b.s.Sign(r, d, o)
}

func TestSignaturesOfEveryKey(t *testing.T) {
	for _, kind := range []KeyType{P256, P384, RSA2048, Ed25519} {
		key, err := GenerateKey(kind)
		require.NoError(t, err)
		s, err := newJWSSigner(blind{key})
		require.NoError(t, err)
		for range 50 { // ECDSA: an R or S that begins with zero octets now and then
			raw, err := s.sign("", "https://ca.example/x", "n0nce", []byte(`{"a":1}`))
			require.NoError(t, err)
			jws, err := jose.ParseSignedJSON(string(raw), []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.RS256, jose.EdDSA})
			require.NoError(t, err)
			h := jws.Signatures[0].Protected
			require.Equal(t, "n0nce", h.Nonce)
			require.Empty(t, h.KeyID)
			require.True(t, h.JSONWebKey.IsPublic())
			payload, err := jws.Verify(h.JSONWebKey)
			require.NoError(t, err)
			require.Equal(t, `{"a":1}`, string(payload))
			if kind == RSA2048 {
				break
			}
		}
		raw, err := s.sign("https://ca.example/acct", "https://ca.example/x", "", nil)
		require.NoError(t, err)
		var flat map[string]string
		require.NoError(t, json.Unmarshal(raw, &flat))
		require.Len(t, flat, 3)
		require.Empty(t, flat["payload"], "POST-as-GET")
		header, err := base64.RawURLEncoding.DecodeString(flat["protected"])
		require.NoError(t, err)
		require.NotContains(t, string(header), "jwk")
		require.NotContains(t, string(header), "nonce")
	}
	for _, weak := range []crypto.PublicKey{&rsa.PublicKey{N: big.NewInt(77), E: 3}, "no key", &ecdsa.PublicKey{}} {
		_, err := algorithmsFor(weak)
		require.Error(t, err)
	}
	_, err := newJWSSigner(nil)
	require.Error(t, err)
}

func TestThumbprint(t *testing.T) { // RFC 8037, Appendix A.3
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	require.NoError(t, err)
	s, err := newJWSSigner(blind{fixed{ed25519.PublicKey(x)}})
	require.NoError(t, err)
	require.Equal(t, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", s.thumb)
}

type fixed struct{ pub crypto.PublicKey }

func (f fixed) Public() crypto.PublicKey                                  { return f.pub }
func (f fixed) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, io.EOF }

func TestMalformedSignaturesOfAKeyAreNoticed(t *testing.T) {
	key := testKey(t)
	for _, der := range [][]byte{nil, {0x30}, {0x30, 0x06, 2, 1, 0, 2, 1, 1}, {0x30, 0x06, 2, 1, 1, 2, 1, 1, 0}, append([]byte{0x30, 0x27, 2, 34, 1}, append(make([]byte, 33), 2, 1, 1)...)} {
		s, err := newJWSSigner(faulty{key.Public(), der})
		require.NoError(t, err)
		_, err = s.sign("", "https://ca.example/", "", nil)
		require.ErrorContains(t, err, "malformed ECDSA signature")
	}
	s, err := newJWSSigner(faulty{key.Public(), []byte{0x30, 0x06, 2, 1, 1, 2, 1, 2}})
	require.NoError(t, err)
	_, err = s.sign("", "https://ca.example/", "", nil)
	require.NoError(t, err)
}

type faulty struct {
	pub crypto.PublicKey
	sig []byte
}

func (f faulty) Public() crypto.PublicKey                                  { return f.pub }
func (f faulty) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return f.sig, nil }

func TestHeaderStrings(t *testing.T) {
	for _, s := range []string{"", "a", `a"b\c`, "ä\n", "\x00", "https://ca.example/x?y=<z>&"} {
		var back string
		require.NoError(t, json.Unmarshal(appendJSON(nil, s), &back))
		require.Equal(t, s, back)
	}
}

func TestKeysRoundTrip(t *testing.T) {
	for _, kind := range []KeyType{P256, P384, RSA2048, Ed25519} {
		key, err := GenerateKey(kind)
		require.NoError(t, err)
		pem, err := MarshalKey(key)
		require.NoError(t, err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		for _, form := range [][]byte{pem, der, append([]byte("comment\n"), pem...)} {
			back, err := ParseKey(form)
			require.NoError(t, err)
			require.True(t, samePublicKey(back.Public(), key.Public()))
		}
		_, err = MarshalKey(blind{key})
		require.Error(t, err)
	}
	for _, bad := range []string{"", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"} {
		_, err := ParseKey([]byte(bad))
		require.Error(t, err)
	}
	_, err := GenerateKey(99)
	require.Error(t, err)
}

func TestConfigRefusals(t *testing.T) {
	for _, cfg := range []Config{
		{}, {DirectoryURL: "http://ca.example/dir"}, {DirectoryURL: "http://ca.example/dir", AllowHTTP: true}, {DirectoryURL: "http://127.0.0.1/dir"},
		{DirectoryURL: "ftp://ca.example"}, {DirectoryURL: "https://u:p@ca.example"}, {DirectoryURL: "https://"}, {DirectoryURL: "https://ca.example/#x"},
		{DirectoryURL: "https://ca.example", UserAgent: "a\r\nb"}, {DirectoryURL: "https://" + strings.Repeat("a", 5000)},
	} {
		_, err := New(cfg)
		require.Error(t, err, "%+v", cfg)
	}
	for _, url := range []string{"https://ca.example/dir", "https://ca.example:14000/dir?x=1", "https://[::1]:14000/", "https://CA.example/%20"} {
		_, err := New(Config{DirectoryURL: url})
		require.NoError(t, err)
	}
	_, err := New(Config{DirectoryURL: "http://[::1]:4000/dir", AllowHTTP: true})
	require.NoError(t, err)
}

func TestContacts(t *testing.T) {
	got, err := contacts([]string{"a@example.org", "mailto:a@example.org", " ", "MAILTO:b@example.org", "tel:+1"})
	require.NoError(t, err)
	require.Equal(t, []string{"mailto:a@example.org", "mailto:b@example.org", "tel:+1"}, got)
	for _, bad := range []string{"a", "mailto:a@b.example?subject=x", "a@b.example,c@d.example", "A <a@b.example>", "mailto:"} {
		_, err := contacts([]string{bad})
		require.Error(t, err, bad)
	}
}

func TestEABKeys(t *testing.T) {
	want := sha256.Sum256([]byte("x"))
	for _, enc := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding} {
		got, err := ParseEABKey(" " + enc.EncodeToString(want[:]) + "\n")
		require.NoError(t, err)
		require.Equal(t, want[:], got)
	}
	for _, bad := range []string{"", "=", "a b", "ä"} {
		_, err := ParseEABKey(bad)
		require.Error(t, err)
	}
}

func TestVerifyDates(t *testing.T) {
	now := time.Now()
	key := testKey(t)
	for _, row := range []struct {
		from, to time.Duration
		ok       bool
	}{{-time.Hour, time.Hour, true}, {time.Minute, time.Hour, true}, {-time.Hour, -time.Minute, true}, {time.Hour, 2 * time.Hour, false}, {-2 * time.Hour, -time.Hour, false}, {-time.Hour, 3 * time.Minute, true}} {
		tpl := &x509.Certificate{SerialNumber: big.NewInt(5), DNSNames: []string{"a.example"}, NotBefore: now.Add(row.from), NotAfter: now.Add(row.to)}
		der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		v := Verification{PublicKey: key.Public(), Identifiers: []Identifier{{"dns", "A.example"}}, Now: now}
		err = Verify([]*x509.Certificate{cert}, v)
		require.Equal(t, row.ok, err == nil, "%v: %v", row, err)
		v.Identifiers = append(v.Identifiers, Identifier{"dns", "b.example"})
		require.ErrorContains(t, Verify([]*x509.Certificate{cert}, v), "names")
		v.PublicKey = testKey(t).Public()
		require.ErrorContains(t, Verify([]*x509.Certificate{cert}, v), "key")
	}
	require.Error(t, Verify(nil, Verification{}))
}
