package client

import (
	"crypto"
	"crypto/x509"
	"fmt"
)

// Pending is an issuance under way, to be kept until it has ended: a process
// that dies resumes it with Request.Resume, so that no order and no certified
// key is lost. It round-trips through JSON. Key is secret.
type Pending struct {
	AccountURL  string       `json:"account"`
	OrderURL    string       `json:"order"`
	Identifiers []Identifier `json:"identifiers"`
	CSR         []byte       `json:"csr"`           // DER
	Key         string       `json:"key,omitempty"` // PKCS#8 PEM, when Obtain made the key; else the caller has it
	Profile     string       `json:"profile,omitempty"`
	Replaces    string       `json:"replaces,omitempty"`
	Finalizing  bool         `json:"finalizing,omitempty"` // the CSR is about to be sent, or was
}

// PrivateKey is the certificate's key, if Obtain made it.
func (p Pending) PrivateKey() (crypto.Signer, error) {
	if p.Key == "" {
		return nil, fmt.Errorf("acme: the pending order holds no key: it was the caller's")
	}
	return ParseKey([]byte(p.Key))
}

// usable is the key and CSR of a pending issuance, if they belong together and
// are for ids. own is the caller's key, in place of the one kept.
func (p *Pending) usable(ids []Identifier, own crypto.Signer, ownCSR bool) (crypto.Signer, *x509.CertificateRequest, error) {
	csr, named, err := readCSR(p.CSR)
	if err != nil {
		return nil, nil, err
	}
	if !sameIdentifiers(named, ids) {
		return nil, nil, fmt.Errorf("acme: the pending order is for %s", joinIdentifiers(named))
	}
	key := own
	if key == nil && !ownCSR {
		if key, err = p.PrivateKey(); err != nil {
			return nil, nil, err
		}
	}
	if key != nil && !samePublicKey(csr.PublicKey, key.Public()) {
		return nil, nil, fmt.Errorf("acme: the pending order's CSR is for another key")
	}
	return key, csr, nil
}
