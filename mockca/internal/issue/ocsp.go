package issue

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	_ "crypto/sha1" // requests hash the issuer with it (RFC 5019, Section 2.1.1)

	"golang.org/x/crypto/ocsp"
)

// RFC 6960: the answers of an OCSP responder.

// State is what a responder knows of a certificate.
type State int

// The states of RFC 6960, Section 2.2.
const (
	Good State = iota
	RevokedState
	Unknown
)

// Status is the answer for one certificate.
type Status struct {
	State     State
	RevokedAt time.Time
	Reason    int // RFC 5280, Section 5.3.1
}

// OCSP answers a request, both in DER. What cannot be read is answered as
// malformed, what asks about another issuer as unauthorized (RFC 6960, Section
// 2.3). Of several certificates in one request the first is answered.
func (h *Hierarchy) OCSP(request []byte, lookup func(serial []byte) Status, thisUpdate, nextUpdate time.Time) []byte {
	req, err := ocsp.ParseRequest(request)
	if err != nil {
		return ocsp.MalformedRequestErrorResponse
	}
	issuer := h.Issuer()
	if !asksFor(req, issuer) {
		return ocsp.UnauthorizedErrorResponse
	}
	status := lookup(new(big.Int).Set(req.SerialNumber).Bytes())
	template := ocsp.Response{
		SerialNumber: req.SerialNumber, IssuerHash: req.HashAlgorithm,
		ThisUpdate: thisUpdate.UTC(), NextUpdate: nextUpdate.UTC(),
	}
	switch status.State {
	case Good:
		template.Status = ocsp.Good
	case RevokedState:
		template.Status, template.RevokedAt, template.RevocationReason = ocsp.Revoked, status.RevokedAt.UTC(), status.Reason
	default:
		template.Status = ocsp.Unknown
	}
	der, err := ocsp.CreateResponse(issuer.Cert, issuer.Cert, template, issuer.Key)
	if err != nil {
		return ocsp.InternalErrorErrorResponse
	}
	return der
}

func asksFor(req *ocsp.Request, issuer *Authority) bool {
	hash := func(b []byte) []byte {
		w := req.HashAlgorithm.New()
		w.Write(b)
		return w.Sum(nil)
	}
	return req.HashAlgorithm != crypto.Hash(0) && req.HashAlgorithm.Available() &&
		bytes.Equal(req.IssuerNameHash, hash(issuer.Cert.RawSubject)) &&
		bytes.Equal(req.IssuerKeyHash, hash(spkiBits(issuer.Cert.RawSubjectPublicKeyInfo)))
}

// maxOCSPRequest bounds the size of a request.
const maxOCSPRequest = 16 << 10

// OCSPHandler answers by POST and by GET (RFC 6960, Appendix A), where the path
// that is left, without its first slash, is the request in base64. Answers are
// valid for a day.
func (h *Hierarchy) OCSPHandler(lookup func(serial []byte) Status, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := ocspRequest(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		t := now().Truncate(time.Second)
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(h.OCSP(request, lookup, t, t.Add(24*time.Hour)))
	})
}

func ocspRequest(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	switch r.Method {
	case http.MethodPost:
		return io.ReadAll(http.MaxBytesReader(w, r.Body, maxOCSPRequest))
	case http.MethodGet:
		path := strings.TrimPrefix(r.URL.Path, "/")
		if len(path) > maxOCSPRequest {
			return nil, errors.New("the OCSP request is too long")
		}
		return base64.StdEncoding.DecodeString(path)
	}
	return nil, errors.New("an OCSP request is a GET or a POST")
}
