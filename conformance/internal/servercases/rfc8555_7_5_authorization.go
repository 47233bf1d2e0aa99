package servercases

import (
	"time"
)

// RFC 8555, Section 7.5: identifier authorization.

func authorizationCases() []spec {
	return []spec{
		{
			id: "rfc8555/7.5/own-account", title: "An authorization is good for its account only",
			requirements: []string{"RFC8555-7.5-02"},
			does:         "Completes an authorization, and orders the same name as another account.",
			expects:      "The other account's order is pending.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, own: 1, orders: 2},
			run: func(s *scene) {
				a, stranger, name := s.account(), s.ownAccount(), s.name()
				s.ready(a, name)
				o := s.order(stranger, name)
				s.must("RFC8555-7.5-02", o.status() == "pending", "a pending order", "%s", o.status())
			},
		},
		{
			id: "rfc8555/7.5.1/response", title: "A challenge response starts the validation",
			requirements: []string{"RFC8555-7.5.1-05", "RFC8555-7.5.1-04", "RFC8555-7.5.1-09", "RFC8555-7.5.1-10", "RFC8555-7.5.1-14"},
			does:         "Responds with an object that has undefined members, among them an old keyAuthorization.",
			expects:      "200 with the challenge, and an authorization that becomes valid.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: challengeResponse,
		},
		{
			id: "rfc8555/7.5.1/empty-response", title: "The empty object is a response",
			requirements: []string{"RFC8555-7.5.1-05"},
			does:         "Responds with {}.",
			expects:      "200 with the challenge.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				z := s.authorizations(a, s.order(a, s.name()))[0]
				challenge := s.pick(z)
				s.publish(a, z, challenge)
				r := s.respond(a, challenge)
				s.must("RFC8555-7.5.1-05", r.Status == 200 && objectOf(r).text("type") == challenge.text("type") && objectOf(r).status() != "", "200 with the challenge", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.5.1/bad-response", title: "A response that is no object is an error",
			requirements: []string{"RFC8555-7.5.1-06"},
			does:         "Responds with an array, a string and a number, with the right answer published.",
			expects:      "An error each time; no validation is started.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				z := s.authorizations(a, s.order(a, s.name()))[0]
				challenge := s.pick(z)
				s.publish(a, z, challenge)
				for _, payload := range []string{`[]`, `"x"`, `1`} {
					s.refuses("RFC8555-7.5.1-06", s.post(a, challenge.text("url"), payload), "a response "+payload)
				}
				s.pause(50 * time.Millisecond)
				status := s.read(a, z.url).status()
				s.must("RFC8555-7.5.1-06", status == "pending", "the authorization is still pending", "%s", status)
			},
		},
		{
			id: "rfc8555/7.5.2/foreign", title: "Only its account deactivates an authorization",
			requirements: []string{"RFC8555-7.5.2-02"},
			does:         "Deactivates an authorization as another account.",
			expects:      "It is refused, and nothing is changed.",
			cost:         cost{accounts: 1, own: 1, orders: 1},
			run: func(s *scene) {
				a, stranger := s.account(), s.ownAccount()
				z := s.authorizations(a, s.order(a, s.name()))[0]
				s.refuses("RFC8555-7.5.2-02", s.post(stranger, z.url, map[string]any{"status": "deactivated"}), "deactivation by another account")
				status := s.read(a, z.url).status()
				s.must("RFC8555-7.5.2-02", status == "pending", "the authorization is still pending", "%s", status)
			},
		},
		{
			id: "rfc8555/7.5.2/deactivation", title: "A deactivated authorization does not count",
			requirements: []string{"RFC8555-7.5.2-03", "RFC8555-7.5.2-04"},
			does:         "Completes an authorization, deactivates it, finalizes its order, and orders the name again.",
			expects:      "200 with the authorization, deactivated; no certificate; a pending order.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 2},
			run: func(s *scene) {
				a, name := s.account(), s.name()
				o := s.ready(a, name)
				z := s.authorizations(a, o)[0]
				r := s.post(a, z.url, map[string]any{"status": "deactivated"})
				s.should("RFC8555-7.5.2-03", r.Status == 200 && objectOf(r).status() == "deactivated", "200 with the authorization, deactivated", "%s", r.Excerpt())
				if s.read(a, z.url).status() != "deactivated" {
					s.inconclusive("the authorization could not be deactivated: %s", r.Excerpt())
				}
				again := s.order(a, name)
				s.must("RFC8555-7.5.2-04", again.status() == "pending", "a new order is pending", "%s", again.status())
				answer := s.finalize(a, o, s.csrFor(o, s.newKey()))
				if answer.Status == 200 {
					final := s.poll(a, o.url, func(status string) bool { return status != "processing" && status != "ready" })
					s.must("RFC8555-7.5.2-04", final.status() != "valid", "no certificate for the old order", "%s", final.status())
				}
			},
		},
		{
			id: "rfc8555/10.4/no-leak", title: "Validation errors don't show what the target said",
			requirements: []string{"RFC8555-10.4-02"},
			does:         "Answers http-01 with a text that is no key authorization.",
			expects:      "The error does not repeat it.",
			needs:        []need{needsHTTP}, cost: cost{accounts: 1, orders: 1, failures: 1},
			run: func(s *scene) {
				const marker = "internal-secret-3141592653589793"
				z := s.answerHTTP(http01Answer{body: func(string) string { return marker }})
				s.should("RFC8555-10.4-02", z.status() == "invalid" && !contains(z.object, marker), "an error without the target's text", "%s", explain(z))
			},
		},
	}
}

func challengeResponse(s *scene) {
	a := s.account()
	z := s.authorizations(a, s.order(a, s.name()))[0]
	challenge := s.pick(z)
	s.publish(a, z, challenge)
	r := s.post(a, challenge.text("url"), map[string]any{"xUnknown": 1, "keyAuthorization": a.key.KeyAuthorization(challenge.text("token"))})
	if !s.must("RFC8555-7.5.1-04", r.Status == 200, "undefined members are ignored", "%s", r.Excerpt()) {
		return
	}
	o := objectOf(r)
	s.must("RFC8555-7.5.1-05", o.text("type") == challenge.text("type") && o.text("url") == challenge.text("url") && o.status() != "", "200 with the challenge", "%s", r.Excerpt())
	if _, ok, _ := r.RetryAfter(); ok {
		s.may("RFC8555-7.5.1-14", "Retry-After: %s", r.Header.Get("Retry-After"))
	}
	final := s.settle(a, z)
	s.must("RFC8555-7.5.1-04", final.status() == "valid", "the authorization becomes valid", "%s: %s", final.status(), explain(final))
	challenges, _ := final.objects("challenges")
	s.may("RFC8555-7.5.1-09", "%d challenges are left", len(challenges))
	s.may("RFC8555-7.5.1-10", "expires %v, and %v before", final.object["expires"], z.object["expires"])
}
