package client

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// VerificationError says why a downloaded chain is not what was ordered. Such a
// chain is not handed out, unless Request.AcceptInvalid says so.
type VerificationError struct {
	// Reason is "key", "names", "dates", "chain" or "roots".
	Reason string
	Detail string
	Chain  [][]byte // DER, as downloaded, for the record

	// Skew is how much the CA's clock is ahead of this machine's, by the Date
	// header of its answers; zero within five minutes. With Reason "dates" it
	// tells a wrong clock from a wrong certificate.
	Skew time.Duration
}

func (e *VerificationError) Error() string {
	text := "acme: downloaded certificate fails verification (" + e.Reason + "): " + printable(e.Detail)
	if e.Reason == "dates" && e.Skew != 0 {
		text += fmt.Sprintf("; the CA's clock differs from it by %s: set this machine's clock", e.Skew.Round(time.Second))
	}
	return text
}

// Is makes errors.Is(err, ErrRefused) find it.
func (e *VerificationError) Is(target error) bool { return target == error(ErrRefused) }

// Verification is what Verify checks a chain against.
type Verification struct {
	PublicKey   crypto.PublicKey // of the CSR
	Identifiers []Identifier     // of the order
	Now         time.Time
	Skew        time.Duration  // by which clocks may differ; 0 means 5 minutes
	Roots       *x509.CertPool // nil: the chain is checked in itself only
}

// Verify checks a chain, the leaf first: the key is the CSR's, the names are
// exactly the order's, the dates hold, each certificate signs the one before
// it, and, given roots, one of them stands at its end. A root at the end of the
// chain does no harm. The error is a *VerificationError.
func Verify(chain []*x509.Certificate, v Verification) error {
	if len(chain) == 0 {
		return &VerificationError{Reason: "chain", Detail: "it is empty"}
	}
	for _, check := range []func([]*x509.Certificate, *Verification) (string, error){verifyKey, verifyNames, verifyDates, verifyChain, verifyRoots} {
		if reason, err := check(chain, &v); err != nil {
			e := &VerificationError{Reason: reason, Detail: plain(err)}
			for _, c := range chain {
				e.Chain = append(e.Chain, c.Raw)
			}
			return e
		}
	}
	return nil
}

func verifyKey(chain []*x509.Certificate, v *Verification) (string, error) {
	if !samePublicKey(chain[0].PublicKey, v.PublicKey) {
		return "key", fmt.Errorf("the certificate is for another key than the one asked for")
	}
	return "", nil
}

func verifyNames(chain []*x509.Certificate, v *Verification) (string, error) {
	if got := certIdentifiers(chain[0]); !sameIdentifiers(got, v.Identifiers) || len(chain[0].EmailAddresses)+len(chain[0].URIs) > 0 {
		return "names", fmt.Errorf("the certificate is for %q, not for %q", joinIdentifiers(got), joinIdentifiers(v.Identifiers))
	}
	return "", nil
}

func verifyDates(chain []*x509.Certificate, v *Verification) (string, error) {
	skew := v.Skew
	if skew == 0 {
		skew = tolerableSkew
	}
	for i, c := range chain {
		if v.Now.Add(skew).Before(c.NotBefore) || v.Now.Add(-skew).After(c.NotAfter) || !c.NotBefore.Before(c.NotAfter) {
			return "dates", fmt.Errorf("certificate %d is valid from %s to %s, and this machine's clock says %s", i+1,
				c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339), v.Now.UTC().Format(time.RFC3339))
		}
	}
	return "", nil
}

func verifyChain(chain []*x509.Certificate, _ *Verification) (string, error) {
	for i, c := range chain[:len(chain)-1] {
		issuer := chain[i+1]
		if !bytes.Equal(c.RawIssuer, issuer.RawSubject) {
			return "chain", fmt.Errorf("certificate %d was issued by %q, but %q follows it", i+1, c.Issuer, issuer.Subject)
		}
		if err := c.CheckSignatureFrom(issuer); err != nil {
			return "chain", fmt.Errorf("certificate %d is not signed by the one that follows it: %w", i+1, err)
		}
	}
	if chain[0].IsCA {
		return "chain", fmt.Errorf("the first certificate is a CA's")
	}
	return "", nil
}

func verifyRoots(chain []*x509.Certificate, v *Verification) (string, error) {
	if v.Roots == nil {
		return "", nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: v.Roots, Intermediates: between, CurrentTime: chain[0].NotBefore.Add(chain[0].NotAfter.Sub(chain[0].NotBefore) / 2),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return "roots", err
}

// certIdentifiers are the names of a certificate, from its subjectAltName.
func certIdentifiers(c *x509.Certificate) []Identifier {
	return sanIdentifiers(c.DNSNames, func(yield func(netip.Addr)) {
		for _, ip := range c.IPAddresses {
			if a, ok := netip.AddrFromSlice(ip); ok {
				yield(a)
			}
		}
	})
}

func sanIdentifiers(names []string, addrs func(func(netip.Addr))) []Identifier {
	ids := make([]Identifier, 0, len(names))
	for _, n := range names {
		ids = append(ids, Identifier{TypeDNS, strings.ToLower(n)})
	}
	addrs(func(a netip.Addr) { ids = append(ids, IP(a)) })
	return ids
}
