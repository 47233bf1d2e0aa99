package servercases

import (
	"net/http"
	"slices"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
)

// RFC 8555, Section 7.1.6: status changes.

func stateCases() []spec {
	return []spec{
		{
			id: "rfc8555/7.1.6/beginning", title: "Orders, authorizations and challenges begin as pending, accounts as valid",
			requirements: []string{"RFC8555-7.1.6-01", "RFC8555-7.1.6-06", "RFC8555-7.1.6-10", "RFC8555-7.1.6-17"},
			does:         "Creates an account and an order for a new name.",
			expects:      "valid; pending.",
			cost:         cost{own: 1, orders: 1},
			run: func(s *scene) {
				a := s.ownAccount()
				s.must("RFC8555-7.1.6-17", objectOf(a.created).status() == "valid", "a new account is valid", "%s", a.created.Excerpt())
				o := s.order(a, s.name())
				s.must("RFC8555-7.1.6-10", o.status() == "pending", "a new order is pending", "%s", o.created.Excerpt())
				z := s.authorizations(a, o)[0]
				s.must("RFC8555-7.1.6-06", z.status() == "pending", "a new authorization is pending", "%s", z.status())
				challenges, _ := z.objects("challenges")
				for _, c := range challenges {
					s.must("RFC8555-7.1.6-01", c.status() == "pending", "a new challenge of type "+c.text("type")+" is pending", "%s", c.status())
				}
			},
		},
		{
			id: "rfc8555/7.1.6/success", title: "Success goes from challenge to authorization to order",
			requirements: []string{"RFC8555-7.1.6-04", "RFC8555-7.1.6-07", "RFC8555-7.1.6-11", "RFC8555-7.1.6-12", "RFC8555-7.1.6-13", "RFC8555-7.1.4-15", "RFC8555-7.4-30"},
			does:         "Completes one challenge of each of two authorizations, then finalizes.",
			expects:      "valid challenges and authorizations; an order that is pending until both are, then ready, processing or valid, valid.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: successStates,
		},
		{
			id: "rfc8555/7.1.6/processing", title: "A challenge that was answered is processing",
			requirements: []string{"RFC8555-7.1.6-02", "RFC8555-7.5.1-13"},
			does:         "Answers a challenge, and lets the server wait for the validation's response.",
			expects:      "Meanwhile the challenge is processing, the authorization can be read, and is pending.",
			needs:        []need{needsHTTP}, cost: cost{accounts: 1, orders: 1},
			run: processingChallenge,
		},
		{
			id: "rfc8555/7.1.6/failure", title: "Failure goes from challenge to authorization to order",
			requirements: []string{"RFC8555-7.1.6-05", "RFC8555-7.1.6-08", "RFC8555-7.1.6-14", "RFC8555-8-06", "RFC8555-8-07", "RFC8555-7.5.1-11", "RFC8555-7.1.4-05", "RFC8555-7.1.3-06"},
			does:         "Answers a challenge wrongly.",
			expects:      "The challenge is invalid with an error, and still listed; its authorization and order are invalid.",
			needs:        []need{needsFailures}, cost: cost{accounts: 1, orders: 1, failures: 1},
			run: failureStates,
		},
		{
			id: "rfc8555/7.1.6/final", title: "Final states are final",
			requirements: []string{"RFC8555-7.1.6-18", "RFC8555-7.1.6-09"},
			does:         "Answers challenges again after they failed and after they succeeded.",
			expects:      "No object leaves its state.",
			needs:        []need{needsFailures}, cost: cost{accounts: 1, orders: 2, failures: 1},
			run: func(s *scene) {
				a := s.account()
				o, z := s.failing(a, s.name())
				challenges, _ := z.objects("challenges")
				for _, c := range challenges {
					s.publishIfAnswerable(a, z, c)
					s.respond(a, c)
				}
				s.pause(100 * time.Millisecond)
				s.must("RFC8555-7.1.6-18", s.read(a, z.url).status() == "invalid", "an invalid authorization stays so", "%s", s.read(a, z.url).status())
				s.must("RFC8555-7.1.6-18", s.read(a, o.url).status() == "invalid", "an invalid order stays so", "%s", s.read(a, o.url).status())
				valid := s.complete(a, s.authorizations(a, s.order(a, s.name()))[0])
				challenges, _ = valid.objects("challenges")
				for _, c := range challenges {
					s.respond(a, c)
				}
				s.pause(50 * time.Millisecond)
				after := s.read(a, valid.url)
				s.must("RFC8555-7.1.6-09", slices.Contains([]string{"valid", "expired", "deactivated", "revoked"}, after.status()), "a valid authorization stays so", "%s", after.status())
			},
		},
		{
			id: "rfc8555/7.1.6/deactivated-authorization", title: "An order without its authorization is invalid",
			requirements: []string{"RFC8555-7.1.6-15"},
			does:         "Deactivates an authorization of a pending order.",
			expects:      "The order becomes invalid.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				o := s.order(a, s.name())
				z := s.authorizations(a, o)[0]
				r := s.post(a, z.url, map[string]any{"status": "deactivated"})
				if r.Status != 200 || objectOf(r).status() != "deactivated" {
					s.inconclusive("the authorization could not be deactivated: %s", r.Excerpt())
				}
				status := s.read(a, o.url).status()
				s.must("RFC8555-7.1.6-15", status == "invalid", "the order is invalid", "%s", status)
			},
		},
	}
}

// publishIfAnswerable is publish for types that the run has means for.
func (s *scene) publishIfAnswerable(a *account, z *authorization, challenge object) {
	if slices.Contains(s.env.answerable(), challenge.text("type")) {
		s.publish(a, z, challenge)
	}
}

func successStates(s *scene) {
	a := s.account()
	o := s.order(a, s.name(), s.name())
	authorizations := s.authorizations(a, o)
	for i, z := range authorizations {
		challenge := s.pick(z)
		s.publish(a, z, challenge)
		s.respond(a, challenge)
		final := s.settle(a, z)
		s.should("RFC8555-7.1.4-15", final.status() == "valid", "one challenge is enough", "%s", final.status())
		s.demand("RFC8555-7.1.6-07", final.status() == "valid", "an authorization with a challenge that was met is valid", "%s: %s", final.status(), explain(final))
		answered := final.challenge(challenge.text("type"))
		s.must("RFC8555-7.1.6-04", answered.status() == "valid", "the challenge that was met is valid", "%q", answered.status())
		if i == 0 && len(authorizations) > 1 {
			status := s.read(a, o.url).status()
			s.must("RFC8555-7.1.6-11", status == "pending", "an order is pending until all its authorizations are valid", "%s", status)
		}
	}
	status := s.poll(a, o.url, func(status string) bool { return status != "pending" }).status()
	s.demand("RFC8555-7.1.6-11", status == "ready", "the order is ready", "%s", status)
	key := s.newKey()
	r := s.finalize(a, o, s.csrFor(o, key))
	s.succeeds("RFC8555-7.4-30", r, "an accepted finalize", 200)
	status = objectOf(r).status()
	s.must("RFC8555-7.4-30", status == "processing" || status == "valid", "finalize returns the order", "%s", r.Excerpt())
	s.must("RFC8555-7.1.6-12", status == "processing" || status == "valid", "the order is processing or valid", "%s", r.Excerpt())
	final := s.poll(a, o.url, func(status string) bool { return status != "processing" && status != "ready" })
	s.must("RFC8555-7.1.6-13", final.status() == "valid" && final.text("certificate") != "", "the order is valid and has a certificate", "%s", final.status())
}

func processingChallenge(s *scene) {
	a := s.account()
	z := s.authorizations(a, s.order(a, s.name()))[0]
	challenge := s.offered(z, http01)
	arrived, release := make(chan struct{}, 8), make(chan struct{})
	answer := responder.Text(a.key.KeyAuthorization(challenge.text("token")))
	s.serveHTTP(challenge.text("token"), func(w http.ResponseWriter, r *http.Request) {
		select {
		case arrived <- struct{}{}:
		default:
		}
		select {
		case <-release:
		case <-r.Context().Done():
		case <-time.After(8 * time.Second):
		}
		answer(w, r)
	})
	let := func() {
		select {
		case <-release:
		default:
			close(release)
		}
	}
	s.cleanup(let)
	s.respond(a, challenge)
	select {
	case <-arrived:
	case <-time.After(8 * time.Second):
		let()
		s.inconclusive("the server did not come to validate within 8 s")
	case <-s.ctx.Done():
		s.inconclusive("the case was ended")
	}
	status := s.read(a, challenge.text("url")).status()
	s.must("RFC8555-7.1.6-02", status == "processing", "the challenge is processing while it is validated", "%s", status)
	r := s.post(a, z.url, nil)
	s.must("RFC8555-7.5.1-13", r.Status == 200 && objectOf(r).status() == "pending", "200 with the pending authorization", "%s", r.Excerpt())
	let()
	final := s.settle(a, z)
	s.must("RFC8555-7.1.6-02", final.challenge(http01).status() == "valid", "it is valid in the end", "%s", explain(final))
}

func failureStates(s *scene) {
	a := s.account()
	o := s.order(a, s.name())
	z := s.authorizations(a, o)[0]
	challenge := s.breakAnswer(a, z)
	if r := s.respond(a, challenge); r.Status != 200 {
		s.inconclusive("the challenge could not be answered: %s", r.Excerpt())
	}
	deadline := time.Now().Add(15 * time.Second)
	for s.read(a, z.url).status() == "pending" && time.Now().Before(deadline) {
		s.pause(20 * time.Millisecond)
	}
	z = &authorization{s.read(a, z.url), z.url}
	s.demand("RFC8555-7.1.6-08", z.status() == "invalid", "the authorization is invalid", "%s", z.status())
	failed := z.challenge(challenge.text("type"))
	s.should("RFC8555-7.5.1-11", failed != nil, "the failed challenge is still listed", "it is not")
	s.must("RFC8555-7.1.4-05", failed != nil, "an invalid authorization lists the challenge that failed", "it does not")
	if failed != nil {
		s.must("RFC8555-7.1.6-05", failed.status() == "invalid", "the challenge is invalid", "%s", failed.status())
		if s.should("RFC8555-8-06", failed.member("error") != nil, "the challenge has an error", "none") {
			problem := failed.member("error")
			s.must("RFC8555-8-07", problem.text("type") != "" && problem.text("detail") != "", "the error is a problem document", "%v", problem)
		}
	}
	final := s.read(a, o.url)
	for final.status() == "pending" && time.Now().Before(deadline) {
		s.pause(20 * time.Millisecond)
		final = s.read(a, o.url)
	}
	s.must("RFC8555-7.1.6-14", final.status() == "invalid", "the order is invalid", "%s", final.status())
	if final["error"] != nil {
		problem := final.member("error")
		s.must("RFC8555-7.1.3-06", problem != nil && (problem.text("type") != "" || problem.text("detail") != ""), "the order's error is a problem document", "%v", final["error"])
	}
}
