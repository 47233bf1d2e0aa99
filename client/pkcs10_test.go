package client

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is signed must be, bit for bit, what the standard library signs.
func TestRequestIsThatOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	var hundred, long []string
	for i := range 100 {
		hundred = append(hundred, fmt.Sprintf("n%d.example", i))
	}
	for i := range 400 { // more than 65535 octets
		long = append(long, fmt.Sprintf("%s.%s.%s.%d.example", strings.Repeat("a", 60), strings.Repeat("b", 60), strings.Repeat("c", 60), i))
	}
	for _, names := range [][]string{{"a.example"}, {"127.0.0.1"}, {"2001:db8::1", "*.a.example", "a.example", "127.0.0.1"}, hundred, long} {
		ids, err := ParseIdentifiers(names...)
		require.NoError(t, err)
		for _, kind := range []KeyType{P256, P384, RSA2048, Ed25519} {
			for _, mustStaple := range []bool{false, true} {
				key, err := GenerateKey(kind)
				require.NoError(t, err)
				der, err := NewCSR(key, ids, mustStaple)
				require.NoError(t, err)
				got, err := x509.ParseCertificateRequest(der)
				require.NoError(t, err)
				require.NoError(t, got.CheckSignature())

				var want x509.CertificateRequest
				for _, id := range ids {
					if ip := net.ParseIP(id.Value); ip != nil {
						want.IPAddresses = append(want.IPAddresses, ip)
					} else {
						want.DNSNames = append(want.DNSNames, id.Value)
					}
				}
				if mustStaple {
					want.ExtraExtensions = []pkix.Extension{{Id: oidTLSFeature, Value: []byte{0x30, 3, 2, 1, 5}}}
				}
				der, err = x509.CreateCertificateRequest(rand.Reader, &want, key)
				require.NoError(t, err)
				theirs, err := x509.ParseCertificateRequest(der)
				require.NoError(t, err)
				require.Equal(t, theirs.RawTBSCertificateRequest, got.RawTBSCertificateRequest)
				require.Equal(t, theirs.SignatureAlgorithm, got.SignatureAlgorithm)
			}
		}
	}
}

// An ECDSA key that cannot be had is left to x509, which checks what it signs.
func TestRequestOfAForeignSigner(t *testing.T) {
	t.Parallel()
	ids, err := ParseIdentifiers("a.example")
	require.NoError(t, err)
	_, ok, err := requestECDSA(blind{testKey(t)}, ids, false)
	require.NoError(t, err)
	require.False(t, ok)
	der, err := NewCSR(blind{testKey(t)}, ids, false)
	require.NoError(t, err)
	csr, err := x509.ParseCertificateRequest(der)
	require.NoError(t, err)
	require.NoError(t, csr.CheckSignature())
	_, err = NewCSR(faulty{testKey(t).Public(), []byte{0x30, 6, 2, 1, 1, 2, 1, 1}}, ids, false)
	require.Error(t, err, "a signature that does not verify")
}

func TestChainIsEncodedAsByTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 47, 48, 49, 96, 1000} {
		certs := []*x509.Certificate{{Raw: make([]byte, size)}, {Raw: []byte(strings.Repeat("x", size))}}
		var want []byte
		for _, c := range certs {
			want = append(want, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
		require.Equal(t, string(want), string(encodeChain(certs)))
	}
}

func TestIssuersAreParsedOnce(t *testing.T) {
	t.Parallel()
	var k issuerCache
	der := func(i int) []byte {
		key := testKey(t)
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: fmt.Sprint(i)}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		return der
	}
	first := der(0)
	a, err := k.parse(first)
	require.NoError(t, err)
	for i := range 3 * maxIssuers {
		b, err := k.parse(first)
		require.NoError(t, err)
		require.Same(t, a, b, "used again and again, it stays")
		_, err = k.parse(der(i + 1))
		require.NoError(t, err)
		require.LessOrEqual(t, len(k.certs), maxIssuers)
	}
	_, err = k.parse([]byte("no certificate"))
	require.Error(t, err)
}
