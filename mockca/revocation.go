package mockca

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Revocation: RFC 8555, Section 7.6; RFC 5280; RFC 6960.

func (r *request) revokeCert() (*Response, *Problem) {
	var in struct {
		Certificate string `json:"certificate"`
		Reason      *int   `json:"reason"`
	}
	if p := r.decode(&in); p != nil {
		return nil, p
	}
	der, err := strictBase64(in.Certificate)
	if err != nil || len(der) == 0 {
		return nil, problem(TypeMalformed, `"certificate" is not base64url without padding`)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, problem(TypeMalformed, "the certificate can't be read: %v", err)
	}
	c := r.ca.books.certificate(leaf.SerialNumber.Bytes())
	if c == nil || !bytes.Equal(c.der, der) && r.ca.on(CheckRevokeKnown) {
		return nil, fails(CheckRevokeKnown, TypeMalformed, "the certificate with the serial %x is not one of this CA's", leaf.SerialNumber).withStatus(http.StatusNotFound)
	}
	r.cert, r.x.Identifiers, r.x.Object = c, c.identifiers, r.ca.certificateURL(r.base, c, 0)
	byItsKey := r.message.Header.HasKey && sameKey(r.signingKey(), leaf.PublicKey)
	if r.ca.on(CheckRevokeAuthorization) && !byItsKey {
		if r.account == nil {
			return nil, fails(CheckRevokeAuthorization, TypeUnauthorized, "the key in the header is not the certificate's")
		}
		if c.account != r.account {
			if missing := r.unauthorized(c.identifiers); missing != "" {
				return nil, fails(CheckRevokeAuthorization, TypeUnauthorized, "the account neither ordered the certificate nor has a valid authorization for %s", missing)
			}
		}
	}
	reason := 0
	if in.Reason != nil {
		reason = *in.Reason
	}
	if !slices.Contains(r.policy.RevocationReasons, reason) && r.ca.on(CheckRevokeReason) {
		return nil, fails(CheckRevokeReason, TypeBadRevocationReason, "the reason %d is not one of %v", reason, r.policy.RevocationReasons)
	}
	if byItsKey && in.Reason == nil {
		reason = 1 // who has the key says that it is in other hands
	}
	if !c.revoke(r.now, reason) && r.ca.on(CheckAlreadyRevoked) {
		return nil, fails(CheckAlreadyRevoked, TypeAlreadyRevoked, "the certificate with the serial %s has been revoked before", c.serialHex())
	}
	r.ca.changed(r.x, r.now, "certificate", r.x.Object, statusValid, statusRevoked, fmt.Sprintf("reason %d", reason))
	return &Response{Status: http.StatusOK, Header: make(http.Header, 4)}, nil
}

// unauthorized is the first identifier that the account has no valid
// authorization for.
func (r *request) unauthorized(ids []Identifier) string {
	for _, id := range ids {
		r.account.mu.Lock()
		z := r.account.reuse[id.String()]
		r.account.mu.Unlock()
		if z == nil {
			return id.Value
		}
		if status, _ := r.ca.settleAuthz(r.x, r.now, z); status != statusValid {
			return id.Value
		}
	}
	return ""
}

func (c *certificate) revoke(now time.Time, reason int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.revoked.IsZero() {
		return false
	}
	c.revoked, c.reason = now, reason
	return true
}

// Revoke revokes a certificate by its serial, in hex, as the CA would for
// reasons of its own. Revoking it again is no error.
func (ca *CA) Revoke(serial string, reason int) error {
	c := ca.books.bySerialHex(strings.ToLower(serial))
	if c == nil {
		return fmt.Errorf("there is no certificate with the serial %s", serial)
	}
	now := ca.clock.Now()
	if c.revoke(now, reason) {
		ca.changed(nil, now, "certificate", ca.certificateURL(ca.base, c, 0), statusValid, statusRevoked, fmt.Sprintf("reason %d, by the CA", reason))
	}
	return nil
}

// revocations is what the list lists: until a certificate has expired.
func (ca *CA) revocations() []issue.Revoked {
	now := ca.clock.Now()
	var list []issue.Revoked
	for _, c := range ca.books.certs.values() {
		c.mu.Lock()
		if !c.revoked.IsZero() && !now.After(c.notAfter) {
			list = append(list, issue.Revoked{Serial: c.serial, At: c.revoked, Reason: c.reason})
		}
		c.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b issue.Revoked) int { return a.At.Compare(b.At) })
	return list
}

func (ca *CA) ocspStatus(serial []byte) issue.Status {
	c := ca.books.certificate(serial)
	if c == nil {
		return issue.Status{State: issue.Unknown}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revoked.IsZero() {
		return issue.Status{State: issue.Good}
	}
	return issue.Status{State: issue.RevokedState, RevokedAt: c.revoked, Reason: c.reason}
}

// serveStatus serves what certificates point at for their status.
func (ca *CA) serveStatus(w http.ResponseWriter, req *http.Request, r *request) {
	now := func() time.Time { return r.now }
	if r.x.Endpoint == CRL {
		ca.hierarchy.CRLHandler(ca.revocations, now).ServeHTTP(w, req)
	} else {
		http.StripPrefix(ca.routes.path[OCSP], ca.hierarchy.OCSPHandler(ca.ocspStatus, now)).ServeHTTP(w, req)
	}
	r.x.r = nil
	r.x.Status = http.StatusOK
	ca.record.add(r.x)
}
