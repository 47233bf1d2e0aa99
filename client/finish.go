package client

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// From a ready order to a verified certificate: RFC 8555, Sections 7.4 and 7.4.2.

const (
	finalizeTries     = 12
	takenWait         = 5 * time.Second // for an order that stays ready after finalize was taken
	certificateMisses = 10              // looks at an order that is valid but has no certificate yet
)

func (is *issuance) finish(ctx context.Context, o *Order) (*Certificate, error) {
	o, err := is.issued(ctx, o)
	if err != nil {
		return nil, err
	}
	chain, err := is.a.download(ctx, o.CertificateURL, is.ids)
	if err != nil {
		return nil, err
	}
	chain, warning := is.a.prefer(ctx, chain, is.r.Chain)
	if warning != "" {
		is.warnings = append(is.warnings, warning)
	}
	cert := &Certificate{PEM: chain.PEM, Leaf: chain.Certificates[0], Key: is.key, Issued: is.ids, URL: chain.URL,
		OrderURL: o.URL, Alternates: chain.Alternates}
	for _, c := range chain.Certificates {
		cert.Chain = append(cert.Chain, c.Raw)
	}
	err = Verify(chain.Certificates, Verification{PublicKey: is.public, Identifiers: is.ids, Now: is.c.clock.Now(), Roots: is.r.Roots})
	if invalid, ok := errors.AsType[*VerificationError](err); ok {
		invalid.Skew = time.Duration(is.c.skew.Load())
		if !is.r.AcceptInvalid {
			return nil, &Error{Step: "checking certificate", Identifier: joinIdentifiers(is.ids), Method: "POST", URL: chain.URL, Attempts: 1, Err: err}
		}
		cert.Invalid = invalid
	}
	cert.Warnings = append(is.warnings, is.lacks(chain.Certificates)...)
	for _, w := range cert.Warnings {
		is.c.log.WarnContext(ctx, "acme: "+w, "order", o.URL)
	}
	return cert, nil
}

// lacks lists what a verified chain has not got although it should.
func (is *issuance) lacks(chain []*x509.Certificate) (warnings []string) {
	if is.r.MustStaple && !hasExtension(chain[0], oidTLSFeature) {
		warnings = append(warnings, "the certificate lacks the must-staple extension that was asked for")
	}
	if is.r.SCT && !hasExtension(chain[0], oidSCTList) {
		warnings = append(warnings, "the certificate lacks the timestamps of certificate transparency (RFC 6962) that it should have")
	}
	if len(chain) == 1 && is.r.Roots == nil {
		warnings = append(warnings, "the certificate came alone, and without Roots nothing says that its issuer signed it")
	}
	return warnings
}

// issued drives the order until it is valid and names its certificate.
func (is *issuance) issued(ctx context.Context, o *Order) (*Order, error) {
	poll := is.c.newPoller()
	tries, misses := 0, 0
	var taken time.Time // when the CA last took the CSR
	for {
		var err error
		switch {
		case o.Status == StatusValid && o.CertificateURL != "":
			return o, nil
		case o.Status == StatusInvalid:
			return nil, is.orderError(o)
		case o.Status == StatusReady && is.c.clock.Now().Sub(taken) < takenWait: // some CAs show it late
		case o.Status == StatusReady && tries < finalizeTries:
			tries++
			is.pending.Finalizing = true
			if err := is.keep(ctx); err != nil {
				return nil, err
			}
			next, ferr := is.a.Finalize(ctx, o, is.csr)
			if ferr == nil {
				o, taken = next, is.c.clock.Now()
				if o.Status == StatusValid && o.CertificateURL != "" {
					return o, nil
				}
			} else if !errors.Is(ferr, ErrOrderNotReady) {
				return nil, ferr
			}
		case o.Status == StatusReady:
			return nil, &Error{Step: "finalizing order", Identifier: joinIdentifiers(is.ids), Method: "POST", URL: o.FinalizeURL, Attempts: tries,
				Err: fmt.Errorf("%w: the order stays ready but cannot be finalized", ErrOrderNotReady)}
		case o.Status == StatusValid:
			if misses++; misses > certificateMisses {
				return nil, &Error{Step: "reading order", Identifier: joinIdentifiers(is.ids), Method: "POST", URL: o.URL,
					Err: wrapf(ErrRefused, "the order is valid but names no certificate")}
			}
		}
		if o.Status == StatusInvalid {
			return nil, is.orderError(o)
		}
		if err = poll.wait(ctx, o.RetryAfter); err != nil {
			return nil, pollError(o, err)
		}
		if o, err = is.a.readOrder(ctx, o.URL, is.ids); err != nil {
			return nil, err
		}
		if err := o.matches(is.ids); err != nil {
			return nil, err
		}
	}
}
