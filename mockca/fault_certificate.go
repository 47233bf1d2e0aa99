package mockca

import "github.com/acme-e2e/acme-e2e/mockca/internal/issue"

// Faults of certificates: RFC 8555, Section 7.4.2.

// CertWrongKey certifies another key than the CSR's.
func CertWrongKey() Fault {
	return Fault{
		Name: "cert-wrong-key", Doc: "the certificate is for another key than the CSR's", Duty: "refuse the certificate and keep what there is",
		Endpoints: []Endpoint{Finalize},
		Core:      func(_ *Exchange, k *Knobs) { k.Leaf = append(k.Leaf, issue.WrongKey()) },
	}
}
