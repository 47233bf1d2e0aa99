package pebbleharness

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/letsencrypt/pebble/v2/core"
)

// CertificateStatus is what the CA knows of a certificate.
type CertificateStatus struct {
	Certificate *x509.Certificate
	Revoked     bool
	RevokedAt   time.Time // zero unless revoked
	Reason      *uint     // as in RFC 5280, Section 5.3.1; nil when none was given
}

// Status looks a certificate up by its serial number; ok is false when the CA
// has not issued it.
func (h *Harness) Status(serial *big.Int) (status CertificateStatus, ok bool) {
	if revoked := h.store.GetRevokedCertificateBySerial(serial); revoked != nil {
		return CertificateStatus{revoked.Certificate.Cert, true, revoked.RevokedAt, revoked.Reason}, true
	}
	if cert := h.store.GetCertificateBySerial(serial); cert != nil {
		return CertificateStatus{Certificate: cert.Cert}, true
	}
	return CertificateStatus{}, false
}

// Chain is one of the ways from the key that signs leaf certificates to a root.
type Chain struct {
	Root          *x509.Certificate
	Intermediates []*x509.Certificate // the one that signs leaves first
}

// Chains returns the default chain and, after it, the alternates.
func (h *Harness) Chains() []Chain {
	chains := make([]Chain, h.authority.GetNumberOfRootCerts())
	for i := range chains {
		cert := h.authority.GetIntermediateCert(i)
		for ; len(cert.IssuerChains) > 0; cert = cert.IssuerChains[0][0] {
			chains[i].Intermediates = append(chains[i].Intermediates, cert.Cert)
		}
		chains[i].Root = cert.Cert
	}
	return chains
}

// IssuingPool holds all roots that issued certificates chain to: what must be
// trusted by those who talk to a server with such a certificate.
func (h *Harness) IssuingPool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, chain := range h.Chains() {
		pool.AddCert(chain.Root)
	}
	return pool
}

// IssuingRootsPEM is the same in PEM, the root of the default chain first.
func (h *Harness) IssuingRootsPEM() []byte {
	var out bytes.Buffer
	for _, chain := range h.Chains() {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: chain.Root.Raw})
	}
	return out.Bytes()
}

// RenewalInfo is what the CA says about the renewal of a certificate
// (RFC 9773, Section 4.2).
type RenewalInfo struct {
	Start, End     time.Time
	ExplanationURL string
}

// SetRenewalInfo sets the window in which the certificate should be renewed.
// It is an error if this CA has not issued the certificate.
func (h *Harness) SetRenewalInfo(cert *x509.Certificate, info RenewalInfo) error {
	body, err := json.Marshal(struct {
		SuggestedWindow core.SuggestedWindow `json:"suggestedWindow"`
		ExplanationURL  string               `json:"explanationURL,omitempty"`
	}{core.SuggestedWindow{Start: info.Start.UTC(), End: info.End.UTC()}, info.ExplanationURL})
	if err != nil {
		return fmt.Errorf("pebbleharness: renewal information: %w", err)
	}
	return h.SetRenewalInfoBody(cert, string(body))
}

// SetRenewalInfoBody sets the very bytes of the answer, which may be anything;
// "" brings back Pebble's own.
func (h *Harness) SetRenewalInfoBody(cert *x509.Certificate, body string) error {
	h.guard.renewals.Lock()
	defer h.guard.renewals.Unlock()
	if err := h.store.SetARIResponse(cert.SerialNumber, body); err != nil {
		return fmt.Errorf("pebbleharness: setting renewal information: %w", err)
	}
	return nil
}
