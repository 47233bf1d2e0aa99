package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
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
	return a.download(ctx, url, nil)
}

func (a *Account) download(ctx context.Context, url string, ids []Identifier) (*CertificateChain, error) {
	var chain *CertificateChain
	_, err := a.post(ctx, &call{
		step: "downloading certificate", ids: ids, url: url, accept: pemChain, limit: maxChainBytes, early: true,
		decode: func(ans *answer) error {
			certs, err := parseChain(ans.body, &a.c.issuers)
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
func parseChain(data []byte, issuers *issuerCache) ([]*x509.Certificate, error) {
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
		parse := x509.ParseCertificate
		if len(certs) > 0 {
			parse = issuers.parse
		}
		cert, err := parse(block.Bytes)
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

// issuerCache keeps the CA's certificates, which come with every certificate
// issued, so that they are parsed and held in memory once. The zero value is
// empty.
type issuerCache struct {
	mu    sync.Mutex
	certs []*x509.Certificate // the last used first
}

const maxIssuers = 16

func (k *issuerCache) parse(der []byte) (*x509.Certificate, error) {
	if c := k.find(der); c != nil {
		return c, nil
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.certs = slices.Insert(k.certs[:min(len(k.certs), maxIssuers-1)], 0, c)
	return c, nil
}

func (k *issuerCache) find(der []byte) *x509.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, c := range k.certs {
		if bytes.Equal(c.Raw, der) {
			copy(k.certs[1:i+1], k.certs[:i])
			k.certs[0] = c
			return c
		}
	}
	return nil
}

const (
	pemBegin = "-----BEGIN CERTIFICATE-----\n"
	pemEnd   = "-----END CERTIFICATE-----\n"
	pemLine  = 48 // octets in a line: RFC 7468, Section 2
)

// encodeChain is what encoding/pem makes of the certificates, in one piece.
func encodeChain(certs []*x509.Certificate) []byte {
	size := 0
	for _, c := range certs {
		size += len(pemBegin) + len(pemEnd) + base64.StdEncoding.EncodedLen(len(c.Raw)) + len(c.Raw)/pemLine + 1
	}
	b := make([]byte, 0, size)
	for _, c := range certs {
		b = append(b, pemBegin...)
		for line := range slices.Chunk(c.Raw, pemLine) {
			b = append(base64.StdEncoding.AppendEncode(b, line), '\n')
		}
		b = append(b, pemEnd...)
	}
	return b
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
