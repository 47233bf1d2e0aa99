package mockca

import (
	"crypto/tls"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Authority is a certificate of the CA's own, with its key.
type Authority = issue.Authority

// Chains is how many chains a certificate can be downloaded with: the default
// one and its alternates (RFC 8555, Section 7.4.2).
func (ca *CA) Chains() int { return ca.hierarchy.Chains() }

// Authorities are the root of a chain and the issuer of leaves as that chain has
// it, which is the root itself where there are no intermediates. Chains count
// from 0, the default.
func (ca *CA) Authorities(chain int) (root, issuer Authority) {
	root = *ca.hierarchy.Root(chain)
	issuer = *ca.hierarchy.Issuer()
	if between := ca.hierarchy.Intermediates(chain); len(between) > 0 {
		issuer.Cert = between[0]
	}
	return root, issuer
}

// APICertificate is what the API is served with, for servers beside it.
func (ca *CA) APICertificate() (tls.Certificate, error) {
	if own := ca.options.Certificate; own != nil {
		return *own, nil
	}
	a, err := ca.apiOnce()
	if err != nil {
		return tls.Certificate{}, err
	}
	return a.leaf, nil
}
