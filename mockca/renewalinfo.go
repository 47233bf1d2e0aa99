package mockca

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Renewal information: RFC 9773, Section 4.

// RenewalAnswer is what the CA says about a certificate's renewal, instead of
// what it would say by itself.
type RenewalAnswer struct {
	Start, End     time.Time
	ExplanationURL string
	RetryAfter     time.Duration // 0: the policy's; negative: none
	Raw            []byte        // body to answer instead, with Status
	Status         int           // 0: 200
}

// SetRenewalInfo decides what the CA says about a certificate, named by its
// serial in hex; nil lets it decide by itself again.
func (ca *CA) SetRenewalInfo(serial string, answer *RenewalAnswer) error {
	c := ca.books.bySerialHex(strings.ToLower(serial))
	if c == nil {
		return fmt.Errorf("there is no certificate with the serial %s", serial)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewal = answer
	ca.journal.note("certificate", ca.certificateURL("", c, 0))
	return nil
}

// RenewalInfo is what the CA says about a certificate's renewal, as it decides
// itself or has been told.
func (ca *CA) RenewalInfo(serial string) (answer RenewalAnswer, byHand, ok bool) {
	c := ca.books.bySerialHex(strings.ToLower(serial))
	if c == nil {
		return RenewalAnswer{}, false, false
	}
	c.mu.Lock()
	set, revoked := c.renewal, c.revoked
	c.mu.Unlock()
	if set != nil {
		return *set, true, true
	}
	answer.Start, answer.End = c.window(revoked)
	return answer, false, true
}

type renewalJSON struct {
	Window struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"suggestedWindow"`
	ExplanationURL string `json:"explanationURL,omitempty"`
}

func (r *request) renewalInfo() (*Response, *Problem) {
	c := r.cert
	if c == nil {
		_, p := r.ca.certificateOfID(r.rest)
		return nil, p
	}
	c.mu.Lock()
	answer, revoked := c.renewal, c.revoked
	c.mu.Unlock()
	if answer == nil {
		answer = &RenewalAnswer{}
		answer.Start, answer.End = c.window(revoked)
	}
	if answer.Raw != nil || answer.Status != 0 {
		status := answer.Status
		or(&status, http.StatusOK)
		return &Response{Status: status, Header: http.Header{"Content-Type": jsonType}, Body: answer.Raw}, nil
	}
	out := renewalJSON{ExplanationURL: answer.ExplanationURL}
	out.Window.Start, out.Window.End = answer.Start.UTC().Truncate(time.Second), answer.End.UTC().Truncate(time.Second)
	resp := JSONResponse(http.StatusOK, out)
	wait := answer.RetryAfter
	or(&wait, r.policy.RenewalRetryAfter)
	if wait > 0 && r.ca.on(HabitRetryAfter) {
		resp.retryAfter(wait)
	}
	return resp, nil
}

// window is when to renew: for two days around the moment at which a third of
// the lifetime is left, or a half when it is shorter than ten days; at once
// when the certificate is revoked.
func (c *certificate) window(revoked time.Time) (start, end time.Time) {
	if !revoked.IsZero() {
		return revoked.Add(-time.Hour), revoked
	}
	lifetime := c.notAfter.Sub(c.notBefore)
	left, width := lifetime/3, 48*time.Hour
	if lifetime < 10*24*time.Hour {
		left = lifetime / 2
	}
	if width > lifetime/10 {
		width = lifetime / 10
	}
	at := c.notAfter.Add(-left)
	return at.Add(-width / 2), at.Add(width / 2)
}
