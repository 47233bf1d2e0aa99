package admin

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Pebble's management paths, with its answers.

func (s *Server) pebblePaths() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /roots/{chain}":                   s.pebbleChain("/roots/", func(root, _ mockca.Authority) ([]byte, error) { return certPEM(root.Cert), nil }),
		"GET /intermediates/{chain}":           s.pebbleChain("/intermediates/", func(_, issuer mockca.Authority) ([]byte, error) { return certPEM(issuer.Cert), nil }),
		"GET /root-keys/{chain}":               s.pebbleChain("/root-keys/", func(root, _ mockca.Authority) ([]byte, error) { return keyPEM(root) }),
		"GET /intermediate-keys/{chain}":       s.pebbleChain("/intermediate-keys/", func(_, issuer mockca.Authority) ([]byte, error) { return keyPEM(issuer) }),
		"GET /cert-status-by-serial/{serial}":  s.pebbleStatus,
		"POST /set-renewal-info/":              s.pebbleRenewalInfo,
		"POST /set-renewal-info":               s.pebbleRenewalInfo,
		"POST /cert-status-by-serial/{serial}": s.pebbleStatus,
	}
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// keyPEM is in PKCS #8, as keys may be of any type; Pebble's are RSA keys in
// PKCS #1, which readers of PEM keys take either way.
func keyPEM(a mockca.Authority) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.Key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func (s *Server) pebbleChain(base string, pick func(root, issuer mockca.Authority) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("chain"))
		if err != nil || n < 0 || n >= s.ca.Chains() {
			s.fail(w, notFound("there is no chain %s; there are %d, from 0 on", r.PathValue("chain"), s.ca.Chains()))
			return
		}
		body, err := pick(s.ca.Authorities(n))
		if err != nil {
			s.fail(w, err)
			return
		}
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		for other := range s.ca.Chains() {
			if other != n {
				w.Header().Add("Link", fmt.Sprintf(`<%s://%s%s%d>;rel="alternate"`, scheme, r.Host, base, other))
			}
		}
		w.Header().Set("Content-Type", "application/pem-certificate-chain; charset=utf-8")
		if base == "/root-keys/" || base == "/intermediate-keys/" {
			w.Header().Set("Content-Type", "application/x-pem-file; charset=utf-8")
		}
		_, _ = w.Write(body) // the client is gone
	}
}

func (s *Server) pebbleStatus(w http.ResponseWriter, r *http.Request) {
	serial, ok := new(big.Int).SetString(r.PathValue("serial"), 16)
	if !ok {
		s.fail(w, badRequest("%q is not a serial in hex", r.PathValue("serial")))
		return
	}
	c, ok := s.ca.Certificate(fmt.Sprintf("%x", serial.Bytes()))
	if !ok {
		s.fail(w, notFound("there is no certificate with the serial %s", serial.Text(16)))
		return
	}
	out := struct {
		Status      string
		Serial      string
		Certificate string
		Reason      *int   `json:",omitempty"`
		RevokedAt   string `json:",omitempty"`
	}{Status: "Valid", Serial: serial.Text(16), Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))}
	if !c.Revoked.IsZero() {
		out.Status, out.Reason, out.RevokedAt = "Revoked", &c.Reason, c.Revoked.UTC().String()
	}
	_ = write(w, http.StatusOK, out)
}

// pebbleRenewalInfo takes any answer, however wrong, for a certificate in PEM.
func (s *Server) pebbleRenewalInfo(w http.ResponseWriter, r *http.Request) {
	var in struct{ Certificate, ARIResponse string }
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(data, &in)
	}
	if err != nil {
		s.fail(w, badRequest("the body: %v", err))
		return
	}
	block, _ := pem.Decode([]byte(in.Certificate))
	if block == nil || block.Type != "CERTIFICATE" {
		s.fail(w, badRequest(`"certificate" is not a certificate in PEM`))
		return
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.fail(w, badRequest("the certificate: %v", err))
		return
	}
	if err := s.ca.SetRenewalInfo(fmt.Sprintf("%x", leaf.SerialNumber.Bytes()), &mockca.RenewalAnswer{Raw: []byte(in.ARIResponse), Status: http.StatusOK}); err != nil {
		s.fail(w, notFound("%v", err))
		return
	}
	if err := s.ca.Sync(); err != nil {
		s.fail(w, err)
	}
}
