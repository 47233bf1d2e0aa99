package manager_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client/manager"
)

// serve runs a TLS server with the manager's configuration.
func serve(t testing.TB, m *manager.Manager) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{TLSConfig: m.TLSConfig(), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}
	go func() { _ = srv.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = srv.Close() })
	return "https://" + l.Addr().String()
}

func get(t testing.TB, hc *http.Client, url string) {
	res, err := hc.Get(url)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "hello", string(body))
}

func mustLeaf(t testing.TB, c tls.Certificate) *x509.Certificate {
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	require.NoError(t, err)
	return leaf
}

// leftovers are the files beside the certificate, and in the state directory,
// that have no business there once all is done.
func leftovers(t testing.TB, cfg manager.Config) (names []string) {
	dir := strings.TrimSuffix(cfg.CertPath, "cert.pem")
	for _, d := range []string{dir, cfg.CertPath + ".acme"} {
		entries, err := os.ReadDir(d)
		require.NoError(t, err)
		for _, e := range entries {
			switch e.Name() {
			case "cert.pem", "key.pem", "acme_account.key", "cert.pem.acme", "lock", "accounts", "renewal":
			default:
				names = append(names, e.Name())
			}
		}
	}
	return names
}

func encode(der []byte) string { return base64.RawURLEncoding.EncodeToString(der) }

type (
	httpWriter  = http.ResponseWriter
	httpRequest = http.Request
)

func unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func der(t testing.TB, data []byte) []byte {
	block, _ := pem.Decode(data)
	require.NotNil(t, block)
	return block.Bytes
}

func sec1(t testing.TB, key crypto.Signer) []byte {
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// downFor makes a CA that no connection reaches for a time.
func downFor(ca *fakeCA, d time.Duration) {
	until := time.Now().Add(d)
	ca.fail = func(w http.ResponseWriter, _ *http.Request) bool {
		if time.Now().After(until) {
			return false
		}
		w.Header().Set("Connection", "close")
		return true
	}
}
