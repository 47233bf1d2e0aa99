package client

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"math/rand/v2"
	"time"
)

// Renewal information: RFC 9773.

// Window is a span of time.
type Window struct {
	Start, End time.Time
}

// RenewalInfo is when the CA would like a certificate to be renewed.
type RenewalInfo struct {
	SuggestedWindow Window
	ExplanationURL  string // a page for people; empty most of the time
	// RetryAfter is when to ask again: the CA's wish, clamped between a minute
	// and a day; six hours when it had none (RFC 9773, Section 4.3).
	RetryAfter time.Duration
}

const (
	minRenewalPoll     = time.Minute
	maxRenewalPoll     = 24 * time.Hour
	defaultRenewalPoll = 6 * time.Hour
	maxWindow          = 10 * 365 * 24 * time.Hour
)

// Pick chooses a moment in the window at random (RFC 9773, Section 4.2). Keep it
// until the window changes. A nil r is the process's random source.
func (i RenewalInfo) Pick(r *rand.Rand) time.Time {
	span := int64(i.SuggestedWindow.End.Sub(i.SuggestedWindow.Start))
	if span <= 0 {
		return i.SuggestedWindow.Start
	}
	n := rand.Int64N
	if r != nil {
		n = r.Int64N
	}
	return i.SuggestedWindow.Start.Add(time.Duration(n(span)))
}

// CertID is the certificate's identifier in RenewalInfo's URL and in
// OrderRequest.Replaces (RFC 9773, Section 4.1).
func CertID(leaf *x509.Certificate) (string, error) {
	if leaf == nil || len(leaf.AuthorityKeyId) == 0 {
		return "", errors.New("acme: certificate has no authority key identifier, so no identifier for renewal information")
	}
	serial, err := serialOctets(leaf.SerialNumber)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(leaf.AuthorityKeyId) + "." + base64.RawURLEncoding.EncodeToString(serial), nil
}

// serialOctets is the content of the DER INTEGER, so with a leading zero octet
// where the highest bit is set.
func serialOctets(n *big.Int) ([]byte, error) {
	if n == nil {
		return nil, errors.New("acme: certificate has no serial number")
	}
	der, err := asn1.Marshal(n)
	if err != nil {
		return nil, err
	}
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		return nil, err
	}
	return raw.Bytes, nil
}

// RenewalInfo asks when to renew (RFC 9773, Section 4.1). The error is
// ErrNotOffered when the CA has no renewal information. After any error, ask
// again in six hours, or at RetryAt, and fall back to the certificate's
// lifetime meanwhile (RFC 9773, Section 4.3.3). Don't ask for certificates that
// have expired or been replaced.
func (c *Client) RenewalInfo(ctx context.Context, leaf *x509.Certificate) (*RenewalInfo, error) {
	id, err := CertID(leaf)
	if err != nil {
		return nil, err
	}
	var info *RenewalInfo
	_, err = c.do(ctx, &call{
		step: "asking for renewal information", ids: certIdentifiers(leaf),
		endpoint: endpointRenewalInfo, url: "/" + id, limit: maxSmall, accept: "application/json", reachableOnly: true,
		decode: func(a *answer) (err error) {
			info, err = readRenewalInfo(a)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return info, nil
}

func readRenewalInfo(a *answer) (*RenewalInfo, error) {
	var w struct {
		Window struct {
			Start timestamp `json:"start"`
			End   timestamp `json:"end"`
		} `json:"suggestedWindow"`
		Explanation any `json:"explanationURL"`
	}
	if err := a.object(&w); err != nil {
		return nil, err
	}
	i := &RenewalInfo{SuggestedWindow: Window{w.Window.Start.Time, w.Window.End.Time}, RetryAfter: defaultRenewalPoll}
	if s, ok := w.Explanation.(string); ok {
		i.ExplanationURL = printable(s)
	}
	start, end := i.SuggestedWindow.Start, i.SuggestedWindow.End
	switch {
	case start.IsZero() || end.IsZero():
		return nil, wrapf(ErrRefused, "renewal information without a suggested window")
	case !end.After(start): // RFC 9773, Section 4.2: as if there were no answer
		return nil, wrapf(ErrRefused, "suggested window ends at %s, not after its start at %s", end.Format(time.RFC3339), start.Format(time.RFC3339))
	case end.Sub(start) > maxWindow:
		return nil, wrapf(ErrRefused, "suggested window spans more than ten years")
	}
	if at, ok := retryAfter(a.header, a.now); ok {
		i.RetryAfter = min(max(at.Sub(a.now), minRenewalPoll), maxRenewalPoll)
	}
	return i, nil
}
