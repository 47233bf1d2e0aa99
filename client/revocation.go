package client

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Revocation: RFC 8555, Section 7.6; reasons: RFC 5280, Section 5.3.1.

// Reason is why a certificate is revoked. CAs accept some of them only.
type Reason int

// The reasons. Unspecified is the zero value and is not sent.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6
	RemoveFromCRL        Reason = 8
	PrivilegeWithdrawn   Reason = 9
	AACompromise         Reason = 10
)

// Revoke revokes a certificate (DER) of the account, or one for identifiers that
// the account holds valid authorizations for. One that is revoked already is no
// error.
func (a *Account) Revoke(ctx context.Context, cert []byte, reason Reason) error {
	payload, ids, err := revocation(cert, reason)
	if err != nil {
		return err
	}
	_, err = a.post(ctx, &call{step: "revoking certificate", ids: ids, endpoint: endpointRevokeCert, payload: payload})
	return unlessRevoked(err)
}

// RevokeWithKey revokes a certificate (DER) by its own private key; no account
// is needed. One that is revoked already is no error.
func (c *Client) RevokeWithKey(ctx context.Context, cert []byte, key crypto.Signer, reason Reason) error {
	payload, ids, err := revocation(cert, reason)
	if err != nil {
		return err
	}
	s, err := newJWSSigner(key)
	if err != nil {
		return err
	}
	if parsed, err := x509.ParseCertificate(cert); err == nil && !samePublicKey(parsed.PublicKey, key.Public()) {
		return errors.New("acme: revoking certificate: the key is not the certificate's")
	}
	_, err = c.do(ctx, &call{step: "revoking certificate", ids: ids, endpoint: endpointRevokeCert, signer: s, payload: payload})
	return unlessRevoked(err)
}

func revocation(cert []byte, reason Reason) (payload []byte, ids []Identifier, err error) {
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, nil, fmt.Errorf("acme: revoking certificate: not a certificate in DER: %w", err)
	}
	if reason < 0 || reason > 10 || reason == 7 {
		return nil, nil, fmt.Errorf("acme: revoking certificate: %d is not a reason of RFC 5280", reason)
	}
	body := map[string]any{"certificate": base64.RawURLEncoding.EncodeToString(cert)}
	if reason != Unspecified {
		body["reason"] = int(reason)
	}
	payload, err = json.Marshal(body)
	return payload, certIdentifiers(parsed), err
}

func unlessRevoked(err error) error {
	if errors.Is(err, ErrAlreadyRevoked) {
		return nil
	}
	return err
}
