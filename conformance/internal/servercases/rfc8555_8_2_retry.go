package servercases

import (
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
)

// RFC 8555, Section 8.2: retrying challenges.

func retryCases() []spec {
	return []spec{{
		id: "rfc8555/8.2/retry", title: "A validation that failed is tried again",
		requirements: []string{"RFC8555-8.2-02", "RFC8555-8.2-03", "RFC8555-8.2-04", "RFC8555-8.2-05", "RFC8555-8.2-06", "RFC8555-8.2-07", "RFC8555-7.1.6-03"},
		does:         "Fails the first http-01 request with 503, and answers later ones.",
		expects:      "The challenge is processing, with an error and Retry-After, until it is valid. If it is invalid at once, the rest is not looked at.",
		needs:        []need{needsHTTP}, cost: cost{accounts: 1, orders: 1, failures: 1},
		run: retriedValidation,
	}}
}

func retriedValidation(s *scene) {
	a := s.account()
	z := s.authorizations(a, s.order(a, s.name()))[0]
	challenge := s.offered(z, http01)
	answer := responder.Text(a.key.KeyAuthorization(challenge.text("token")))
	var asked, allowed atomic.Int64
	allowed.Store(1 << 30)
	s.serveHTTP(challenge.text("token"), func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < allowed.Load() {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		answer(w, r)
	})
	s.respond(a, challenge)
	failing, announced := s.watchRetries(a, challenge, &asked)
	if failing == "invalid" {
		s.should("RFC8555-8.2-02", false, "a validation that failed is tried again", "the challenge became invalid after %d requests", asked.Load())
		return
	}
	allowed.Store(0)
	final := s.settle(a, z)
	s.should("RFC8555-8.2-02", final.status() == "valid", "a later request makes it valid", "%s: %s", final.status(), explain(final))
	seen := s.env.Responder.HTTPSeen(responder.WellKnown + challenge.text("token"))
	next := slices.IndexFunc(seen, func(v responder.HTTPSeen) bool { return v.Time.After(seen[0].Time.Add(time.Second)) })
	if next > 0 && !announced.IsZero() {
		late := seen[next].Time.Sub(announced)
		s.should("RFC8555-8.2-07", late <= time.Second, "a Retry-After that lies after the next attempt", "the next attempt came %v later", late)
	}
	for i := 1; i < len(seen); i++ {
		// Several places may ask at the same time: that is one attempt.
		gap := seen[i].Time.Sub(seen[i-1].Time)
		s.should("RFC8555-8.2-03", gap < time.Second || gap >= 4*time.Second, "five seconds between attempts", "%v", gap)
	}
}

// watchRetries looks at the challenge after the first failed request, until it
// says so or is final. It returns the status, and when Retry-After says to come
// again.
func (s *scene) watchRetries(a *account, challenge object, asked *atomic.Int64) (status string, again time.Time) {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		r := s.post(a, challenge.text("url"), nil)
		o := objectOf(r)
		if o.status() == "invalid" {
			return "invalid", again
		}
		if asked.Load() > 0 && o.member("error") != nil {
			for _, requirement := range []string{"RFC8555-8.2-04", "RFC8555-7.1.6-03"} {
				s.must(requirement, o.status() == "processing", "processing between attempts", "%s", o.status())
			}
			wait, there, err := r.RetryAfter()
			s.must("RFC8555-8.2-05", there && err == nil, "Retry-After between attempts", "%q", r.Header.Get("Retry-After"))
			s.must("RFC8555-8.2-06", o.member("error").text("type") != "", "an error for the attempt that failed", "%v", o["error"])
			if there && err == nil {
				again = time.Now().Add(wait)
			}
			return o.status(), again
		}
		s.pause(50 * time.Millisecond)
	}
	s.must("RFC8555-8.2-05", false, "an error and Retry-After between attempts", "neither within 10 s, after %d requests", asked.Load())
	return "processing", again
}
