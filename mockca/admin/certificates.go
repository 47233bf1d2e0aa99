package admin

import (
	"encoding/pem"
	"net/http"
	"slices"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Certificate is an issued certificate with what is to be said about it.
type Certificate struct {
	mockca.IssuedCertificate
	PEM     string        `json:"pem"`
	Renewal RenewalWindow `json:"renewal"`
}

// RenewalWindow is what the CA says about a certificate's renewal (RFC 9773).
type RenewalWindow struct {
	Start  *time.Time `json:"start,omitempty"`
	End    *time.Time `json:"end,omitempty"`
	ByHand bool       `json:"byHand"`
}

// RenewalInfo decides what the CA says about a certificate's renewal: a window,
// or, for tests of clients, any answer.
type RenewalInfo struct {
	Start          time.Time     `json:"start,omitzero"`
	End            time.Time     `json:"end,omitzero"`
	ExplanationURL string        `json:"explanationURL,omitempty"`
	RetryAfter     time.Duration `json:"retryAfter,omitempty"` // negative: none
	Body           string        `json:"body,omitempty"`       // answered as it is
	Status         int           `json:"status,omitempty"`     // answered with it
}

// Revocation says why.
type Revocation struct {
	Reason int `json:"reason"` // of RFC 5280, Section 5.3.1
}

func (s *Server) certificateRoutes() []route {
	return []route{
		operation(http.MethodGet, "/api/certificates", "The certificates issued", s.certificates, filterParameters...),
		operation(http.MethodGet, "/api/certificates/{serial}", "A certificate, by its serial in hex", s.certificate),
		operation(http.MethodPost, "/api/certificates/{serial}/revoke", "Revokes a certificate, as a CA does for reasons of its own", s.revoke),
		operation(http.MethodPut, "/api/certificates/{serial}/renewal-info", "Decides what is said about its renewal", s.setRenewalInfo),
		operation(http.MethodDelete, "/api/certificates/{serial}/renewal-info", "Lets the CA decide again", s.clearRenewalInfo),
	}
}

func (s *Server) show(c mockca.IssuedCertificate) Certificate {
	out := Certificate{IssuedCertificate: c, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))}
	if answer, byHand, ok := s.ca.RenewalInfo(c.Serial); ok {
		out.Renewal = RenewalWindow{Start: optional(answer.Start), End: optional(answer.End), ByHand: byHand}
	}
	return out
}

func (s *Server) certificates(r *http.Request, _ none) ([]Certificate, error) {
	list, err := latest(r, slices.DeleteFunc(s.ca.Certificates(), func(c mockca.IssuedCertificate) bool {
		status := "valid"
		if !c.Revoked.IsZero() {
			status = "revoked"
		}
		return !filter(r, c.Account, status, c.Identifiers...)
	}))
	out := make([]Certificate, len(list))
	for i, c := range list {
		out[i] = s.show(c)
	}
	return out, err
}

func (s *Server) certificate(r *http.Request, _ none) (Certificate, error) {
	c, ok := s.ca.Certificate(r.PathValue("serial"))
	if !ok {
		return Certificate{}, notFound("there is no certificate with the serial %s", r.PathValue("serial"))
	}
	return s.show(c), nil
}

func (s *Server) revoke(r *http.Request, in Revocation) (Certificate, error) {
	c, err := s.certificate(r, none{})
	if err != nil {
		return c, err
	}
	if !c.Revoked.IsZero() {
		return c, &Error{Status: http.StatusConflict, Detail: "the certificate has been revoked before"}
	}
	if in.Reason < 0 || in.Reason > 10 || in.Reason == 7 {
		return c, badRequest("there is no reason %d: 0 to 10 but 7", in.Reason)
	}
	if err := s.ca.Revoke(c.Serial, in.Reason); err != nil {
		return c, err
	}
	return s.certificate(r, none{})
}

func (s *Server) setRenewalInfo(r *http.Request, in RenewalInfo) (Certificate, error) {
	c, err := s.certificate(r, none{})
	if err != nil {
		return c, err
	}
	answer := &mockca.RenewalAnswer{Start: in.Start, End: in.End, ExplanationURL: in.ExplanationURL, RetryAfter: in.RetryAfter, Status: in.Status}
	switch {
	case in.Body != "":
		answer.Raw = []byte(in.Body)
	case in.Status != 0 && (in.Status < 200 || in.Status > 599):
		return c, badRequest("there is no status %d", in.Status)
	case in.Status == 0 && (in.Start.IsZero() || in.End.IsZero()):
		return c, badRequest(`want "start" and "end", or "body", or "status"`)
	}
	if err := s.ca.SetRenewalInfo(c.Serial, answer); err != nil {
		return c, err
	}
	return s.certificate(r, none{})
}

func (s *Server) clearRenewalInfo(r *http.Request, _ none) (Certificate, error) {
	c, err := s.certificate(r, none{})
	if err != nil {
		return c, err
	}
	if err := s.ca.SetRenewalInfo(c.Serial, nil); err != nil {
		return c, err
	}
	return s.certificate(r, none{})
}
