// Package issue makes the certificates of a simulated CA: hierarchies with
// cross-signed alternates, leaves, revocation lists and OCSP answers, and, on
// request, every kind of wrong certificate and wrong download.
//
// New is cheap: keys and authorities are made when they are first needed.
//
//	h, err := issue.New(issue.Options{})
//	der, serial, err := h.Issue(issue.Classic().Leaf(pub, names, nil, now, time.Time{}, time.Time{}))
//	download := issue.PEM(h.Chain(0, der)...)
//
// Everything it signs is marked as for testing: issuers by the organization
// TestOrganization, leaves by the policy TestPolicy with a notice for people.
//
// The encoder is the package's own (RFC 5280, Section 4): it costs one
// signature per certificate, and writes what x509.CreateCertificate refuses.
package issue
