package servercases

import (
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Section 6.3: GET and POST-as-GET requests.

func getCases() []spec {
	return []spec{
		{
			id: "rfc8555/6.3/get-not-allowed", title: "GET of what needs authentication is not allowed",
			requirements: []string{"RFC8555-6.3-01", "RFC8555-6.3-02", "RFC9110-15.5.6-01"},
			does:         "Sends plain GETs to every resource of an account but the directory and newNonce.",
			expects:      "405 with type malformed, and Allow.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				t := s.toured()
				for what, url := range t.protected(s) {
					r := s.get(url)
					if !s.succeeds("RFC8555-6.3-01", r, "GET of "+what, 405) {
						continue
					}
					s.must("RFC8555-6.3-02", shortType(r) == "malformed", "GET of "+what+" is refused as malformed", "%s", r.Excerpt())
					s.must("RFC9110-15.5.6-01", len(r.Header.Values("Allow")) > 0, "405 for "+what+" comes with Allow", "no such header")
				}
			},
		},
		{
			id: "rfc8555/6.3/post-as-get-authenticated", title: "POST-as-GET is authenticated",
			requirements: []string{"RFC8555-6.3-05"},
			does:         "Reads the account, order, authorizations, challenges and certificate with a bad signature.",
			expects:      "Each is refused.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				t := s.toured()
				for what, url := range t.readable() {
					r := s.send(url, wire.Message{Key: s.newKey(), KID: t.a.url})
					s.refuses("RFC8555-6.3-05", r, "POST-as-GET of "+what+" signed by another key")
				}
			},
		},
		{
			id: "rfc8555/6.3/post-as-get-access", title: "POST-as-GET is subject to access control",
			requirements: []string{"RFC8555-6.3-06", "RFC8555-7.4.2-12", "RFC8555-6.7-16"},
			does:         "Reads the account, order, authorizations, challenges and certificate of one account as another.",
			expects:      "Each is refused, as unauthorized or as if it were not there.",
			needs:        []need{needsValidation}, cost: cost{own: 1, tour: true},
			run: func(s *scene) {
				t := s.toured()
				stranger := s.ownAccount()
				for what, url := range t.readable() {
					r := s.post(stranger, url, nil)
					requirement := "RFC8555-6.3-06"
					if what == "the certificate" {
						requirement = "RFC8555-7.4.2-12"
					}
					if s.refuses(requirement, r, "POST-as-GET of "+what+" by another account") && r.Status != 404 {
						s.should("RFC8555-6.7-16", shortType(r) == "unauthorized", "POST-as-GET of "+what+" by another account is refused as unauthorized", "%s", r.Excerpt())
					}
				}
			},
		},
		{
			id: "rfc8555/6.3/post-as-get-reads", title: "POST-as-GET returns the resource",
			requirements: []string{"RFC8555-6.3-08"},
			does:         "Reads the account, order, authorizations, challenges and certificate as their owner.",
			expects:      "200 with the object.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				t := s.toured()
				for what, url := range t.readable() {
					r := s.post(t.a, url, nil)
					if s.succeeds("RFC8555-6.3-08", r, "POST-as-GET of "+what, 200) && what != "the certificate" {
						s.must("RFC8555-6.3-08", objectOf(r) != nil, what+" is a JSON object", "%s", r.Excerpt())
					}
				}
			},
		},
		{
			id: "rfc8555/6.3/post-as-get-changes-nothing", title: "POST-as-GET of a challenge is no answer to it",
			requirements: []string{"RFC8555-6.3-07", "RFC8555-7.5.1-03"},
			does:         "Publishes the right answer, reads the challenge three times by POST-as-GET, and reads the authorization.",
			expects:      "The challenge stays pending, and nobody comes to validate.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: readingChangesNothing,
		},
		{
			id: "rfc8555/6.3/directory", title: "The directory and newNonce take GET and POST-as-GET",
			requirements: []string{"RFC8555-6.3-09", "RFC8555-6.3-10", "RFC8555-6.3-11", "RFC8555-6.3-12"},
			does:         "Asks for both with GET, and with POST-as-GET of an account.",
			expects:      "200 with the directory; 204 or 200 with a nonce.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				r := s.get(s.env.DirectoryURL)
				s.must("RFC8555-6.3-09", r.Status == 200 && objectOf(r).text("newOrder") != "", "GET gives the directory", "%s", r.Excerpt())
				r = s.post(a, s.env.DirectoryURL, nil)
				s.must("RFC8555-6.3-11", r.Status == 200 && objectOf(r).text("newOrder") != "", "POST-as-GET gives the directory", "%s", r.Excerpt())
				r = s.get(s.url("newNonce"))
				s.must("RFC8555-6.3-10", r.Status/100 == 2, "GET of newNonce is allowed", "%s", r.Excerpt())
				r = s.post(a, s.url("newNonce"), nil)
				s.must("RFC8555-6.3-12", r.Status/100 == 2 && r.Header.Get("Replay-Nonce") != "", "POST-as-GET of newNonce gives a nonce", "%s", r.Excerpt())
			},
		},
	}
}

// readable are the resources of the tour that POST-as-GET reads.
func (t *tour) readable() map[string]string {
	urls := map[string]string{
		"the account": t.a.url, "the order": t.orderURL, "the certificate": t.issued.url,
		"an authorization": t.authorizationURLs[0],
	}
	for _, challenge := range t.challenges {
		if challenge.text("status") == "valid" {
			urls["a challenge"] = challenge.text("url")
		}
	}
	return urls
}

// protected are all resources that are not for plain GET.
func (t *tour) protected(s *scene) map[string]string {
	urls := t.readable()
	for _, name := range []string{"newAccount", "newOrder", "newAuthz", "revokeCert", "keyChange"} {
		if url := s.directory().URL(name); url != "" {
			urls[name] = url
		}
	}
	urls["finalize"] = t.issued.order.text("finalize")
	return urls
}

func readingChangesNothing(s *scene) {
	a := s.account()
	o := s.order(a, s.name())
	z := s.authorizations(a, o)[0]
	challenge := s.pick(z)
	s.publish(a, z, challenge)
	for range 3 {
		r := s.post(a, challenge.text("url"), nil)
		s.must("RFC8555-6.3-07", r.Status == 200 && objectOf(r).status() == "pending", "200 and the challenge, pending", "%s", r.Excerpt())
		s.pause(20 * 1e6)
	}
	after := s.read(a, z.url)
	s.must("RFC8555-7.5.1-03", after.status() == "pending", "an empty payload answers no challenge: the authorization stays pending", "%s", after.status())
	if own := s.env.Responder; own != nil && !s.env.AlwaysValid {
		visits := len(own.HTTPSeen("/.well-known/acme-challenge/"+challenge.text("token"))) + len(own.TLSSeen(z.name()))
		s.must("RFC8555-6.3-07", visits == 0, "no validation is attempted", "the server came %d times", visits)
	}
}
