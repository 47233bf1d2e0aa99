package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// Certificates: RFC 8555, Sections 7.4.2, 9.1 and 11.4.

const (
	maxChainBytes = 512 << 10
	maxChain      = 16
	maxAlternates = 10
	pemChain      = "application/pem-certificate-chain"
)

// CertificateChain is a chain as downloaded, the leaf first. That it is what was
// ordered is not checked yet: see Obtain and Verify.
type CertificateChain struct {
	URL          string
	Certificates []*x509.Certificate
	PEM          []byte   // written anew from the certificates: no comments, "\n" line ends
	Alternates   []string // URLs of other chains for the same certificate
}

// Certificate downloads the chain at url, which an order or another chain's
// Alternates named.
func (a *Account) Certificate(ctx context.Context, url string) (*CertificateChain, error) {
	return a.download(ctx, url, "")
}

func (a *Account) download(ctx context.Context, url, identifier string) (*CertificateChain, error) {
	var chain *CertificateChain
	_, err := a.post(ctx, &call{
		step: "downloading certificate", identifier: identifier, url: url, accept: pemChain, limit: maxChainBytes,
		decode: func(ans *answer) error {
			certs, err := parseChain(ans.body)
			if err != nil {
				return err
			}
			chain = &CertificateChain{URL: url, Certificates: certs, PEM: encodeChain(certs)}
			for _, l := range parseLinks(ans.header.Values("Link"), ans.url) {
				if l.has("alternate") && l.target != url && len(chain.Alternates) < maxAlternates && a.c.checkURL(l.target) == nil {
					chain.Alternates = append(chain.Alternates, l.target)
				}
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return chain, nil
}

// parseChain reads a PEM chain: certificates only (RFC 8555, Section 11.4), with
// any line ends; text between blocks is passed over.
func parseChain(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, wrapf(ErrRefused, "the chain holds a %q block", printable(block.Type))
		}
		if len(certs) == maxChain {
			return nil, wrapf(ErrRefused, "the chain has more than %d certificates", maxChain)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, wrapf(ErrRefused, "certificate %d of the chain: %s", len(certs)+1, printable(err.Error()))
		}
		certs = append(certs, cert)
	}
	if n := bytes.Count(data, []byte("-----BEGIN ")); n != len(certs) {
		return nil, wrapf(ErrRefused, "the chain has %d PEM headers but %d certificates", n, len(certs))
	}
	if len(certs) == 0 {
		return nil, wrapf(ErrNotACME, "no PEM certificate in the answer")
	}
	return certs, nil
}

func encodeChain(certs []*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer does not fail
	}
	return b.Bytes()
}

// ChainPreference picks one of several chains that the CA offers for a
// certificate. The zero value takes the first.
type ChainPreference struct {
	IssuerName  string // common name of the issuer of any certificate in the chain
	Fingerprint []byte // SHA-256 of any certificate in the chain
}

func (p ChainPreference) isZero() bool { return p.IssuerName == "" && len(p.Fingerprint) == 0 }

func (p ChainPreference) matches(certs []*x509.Certificate) bool {
	for _, c := range certs {
		if sum := sha256.Sum256(c.Raw); len(p.Fingerprint) > 0 && bytes.Equal(sum[:], p.Fingerprint) {
			return true
		}
		if p.IssuerName != "" && strings.EqualFold(c.Issuer.CommonName, p.IssuerName) {
			return true
		}
	}
	return false
}

// prefer returns the first chain that p matches, downloading alternates one by
// one. When none does, or an alternate can't be had, the default chain counts
// and the warning says so.
func (a *Account) prefer(ctx context.Context, first *CertificateChain, p ChainPreference) (chain *CertificateChain, warning string) {
	if p.isZero() || p.matches(first.Certificates) {
		return first, ""
	}
	for _, url := range first.Alternates {
		alt, err := a.Certificate(ctx, url)
		if err != nil {
			a.c.log.WarnContext(ctx, "acme: alternate chain not to be had", "url", url, "err", err)
			continue
		}
		if p.matches(alt.Certificates) && bytes.Equal(alt.Certificates[0].Raw, first.Certificates[0].Raw) {
			return alt, ""
		}
	}
	return first, fmt.Sprintf("none of %d chains matches the preferred issuer; the CA's default is used", len(first.Alternates)+1)
}
