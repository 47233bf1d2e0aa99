package servercases

import (
	"encoding/base64"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Sections 6.5 and 7.2: replay protection and nonces.

func nonceCases() []spec {
	return []spec{
		{
			id: "rfc8555/6.5/on-success", title: "Every success has a nonce",
			requirements: []string{"RFC8555-6.5-01"},
			does:         "Obtains a certificate.",
			expects:      "Each answer to a POST has Replay-Nonce.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				for _, each := range s.toured().posts {
					s.at(each.response)
					s.must("RFC8555-6.5-01", each.response.Header.Get("Replay-Nonce") != "", "Replay-Nonce on the answer to "+each.what, "none")
				}
			},
		},
		{
			id: "rfc8555/6.5/on-error", title: "Errors have nonces, too",
			requirements: []string{"RFC8555-6.5-02"},
			does:         "Provokes errors by POST.",
			expects:      "Each answer has Replay-Nonce.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				for _, each := range s.toured().errors {
					s.at(each.response)
					s.should("RFC8555-6.5-02", each.response.Header.Get("Replay-Nonce") != "", "Replay-Nonce on the answer to "+each.what, "none")
				}
			},
		},
		{
			id: "rfc8555/6.5/never-issued", title: "A nonce that was never issued is refused",
			requirements: []string{"RFC8555-6.5-04"},
			does:         "Sends a request with a random nonce of the form that the server uses.",
			expects:      "badNonce.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				nonce, _, err := s.wire.FreshNonce(s.ctx)
				s.noted(err)
				r := s.send(a.url, wire.Message{Key: a.key, KID: a.url, Nonce: forge(nonce)})
				s.refuses("RFC8555-6.5-04", r, "a nonce that was never issued", "badNonce")
			},
		},
		{
			id: "rfc8555/6.5/replayed", title: "A nonce works once",
			requirements: []string{"RFC8555-6.5-05", "RFC8555-6.5-07", "RFC8555-6.5-08", "RFC8555-6.5-10", "RFC8555-6.5-11"},
			does:         "Sends two requests with one nonce, then the second again with the nonce of the refusal.",
			expects:      "400 badNonce with a new nonce for the second, success in the end.",
			cost:         cost{accounts: 1},
			run:          replayedNonce,
		},
		{
			id: "rfc8555/6.5/spent-by-error", title: "A refused request spends its nonce",
			requirements: []string{"RFC8555-6.5-06"},
			does:         "Sends a request that is malformed, then a good one with the same nonce.",
			expects:      "badNonce.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				nonce := s.freshNonce()
				r := s.send(s.url("newOrder"), wire.Message{Key: a.key, KID: a.url, Nonce: nonce, Payload: []byte("{}")})
				if shortType(r) == "badNonce" {
					s.inconclusive("a fresh nonce was refused: %s", r.Excerpt())
				}
				r = s.send(a.url, wire.Message{Key: a.key, KID: a.url, Nonce: nonce})
				s.refuses("RFC8555-6.5-06", r, "the nonce of a request that was refused", "badNonce")
			},
		},
		{
			id: "rfc8555/6.5/missing", title: "A missing nonce is a bad one",
			requirements: []string{"RFC8555-6.5-09"},
			does:         "Sends a request without a nonce.",
			expects:      "400 badNonce.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				r := s.send(a.url, wire.Message{Key: a.key, KID: a.url, NoNonce: true})
				s.refuses("RFC8555-6.5-09", r, "a request without a nonce", "badNonce")
				s.succeeds("RFC8555-6.5-09", r, "a request without a nonce", 400)
			},
		},
		{
			id: "rfc8555/6.5/scope", title: "A nonce is good for any request",
			requirements: []string{"RFC8555-6.5-16"},
			does:         "Uses the nonce of one account's answer for another account's request to another resource.",
			expects:      "It is accepted.",
			cost:         cost{accounts: 1, own: 1},
			run: func(s *scene) {
				a, b := s.account(), s.ownAccount()
				nonce := s.post(a, a.url, nil).Header.Get("Replay-Nonce")
				if nonce == "" {
					s.inconclusive("there was no nonce to use")
				}
				s.wire.DropNonces()
				r := s.send(b.url, wire.Message{Key: b.key, KID: b.url, Nonce: nonce})
				s.should("RFC8555-6.5-16", r.Status == 200, "a nonce of one account is good for another", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/6.5.1/unique", title: "Nonces are unique and can't be guessed",
			requirements: []string{"RFC8555-6.5.1-01", "RFC8555-6.5.1-02", "RFC8555-6.5.1-03"},
			does:         "Collects 200 nonces.",
			expects:      "All differ, are base64url, and differ in at least 64 bits' worth of places.",
			run:          uniqueNonces,
		},
		{
			id: "rfc8555/6.5.2/bad-syntax", title: "A nonce that is no base64url is malformed",
			requirements: []string{"RFC8555-6.5.2-03"},
			does:         "Sends a nonce with characters that are not in the alphabet.",
			expects:      "400 malformed.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				r := s.send(a.url, wire.Message{Key: a.key, KID: a.url, Nonce: "@@not/base64url@@"})
				s.refuses("RFC8555-6.5.2-03", r, "a nonce that is no base64url", "malformed")
			},
		},
		{
			id: "rfc8555/7.2/new-nonce", title: "newNonce gives nonces",
			requirements: []string{"RFC8555-7.2-02", "RFC8555-7.2-03", "RFC8555-7.2-04", "RFC8555-7.2-05", "RFC8555-7.2-06", "RFC8555-7.1-02"},
			does:         "Asks newNonce twice with HEAD and once with GET, and uses the nonces.",
			expects:      "200 for HEAD and 204 without a body for GET, each with a new nonce that works and Cache-Control: no-store.",
			cost:         cost{accounts: 1},
			run:          newNonce,
		},
	}
}

func (s *scene) freshNonce() string {
	nonce, _, err := s.wire.FreshNonce(s.ctx)
	s.noted(err)
	return nonce
}

// forge makes another nonce of the same form. The last character stays: it may
// stand for fewer than six bits.
func forge(nonce string) string {
	forged := []byte(nonce)
	for i := range max(len(forged)-1, 0) {
		switch c := forged[i]; {
		case c >= 'a' && c < 'z', c >= 'A' && c < 'Z', c >= '0' && c < '9':
			forged[i] = c + 1
		case c == 'z' || c == 'Z':
			forged[i] = 'a'
		case c == '9':
			forged[i] = '0'
		}
	}
	return string(forged)
}

func replayedNonce(s *scene) {
	a := s.account()
	nonce := s.freshNonce()
	m := wire.Message{Key: a.key, KID: a.url, Nonce: nonce}
	if r := s.send(a.url, m); r.Status != 200 {
		s.inconclusive("a fresh nonce was refused: %s", r.Excerpt())
	}
	r := s.send(a.url, m)
	s.must("RFC8555-6.5-05", r.Status >= 400, "a nonce that was used before is refused", "%s", r.Excerpt())
	s.succeeds("RFC8555-6.5-07", r, "a nonce that was used before", 400)
	s.must("RFC8555-6.5-08", shortType(r) == "badNonce", "type badNonce", "%s", r.Excerpt())
	fresh := r.Header.Get("Replay-Nonce")
	if s.must("RFC8555-6.5-10", fresh != "" && fresh != nonce, "badNonce comes with a new nonce", "Replay-Nonce: %q", fresh) {
		s.wire.DropNonces()
		m.Nonce = fresh
		r = s.send(a.url, m)
		s.must("RFC8555-6.5-11", r.Status == 200, "the nonce of a refusal works for the same request", "%s", r.Excerpt())
	}
}

func uniqueNonces(s *scene) {
	const count = 200
	seen := map[string]bool{}
	var decoded [][]byte
	for range count {
		r := s.do(wire.Request{Method: "HEAD", URL: s.url("newNonce")})
		nonce := r.Header.Get("Replay-Nonce")
		s.demand("RFC8555-6.5.1-03", base64urlPattern.MatchString(nonce), "a nonce in base64url", "%q", nonce)
		s.demand("RFC8555-6.5.1-01", !seen[nonce], "a nonce that was not given out before", "%q was", nonce)
		seen[nonce] = true
		data, err := base64.RawURLEncoding.DecodeString(nonce)
		s.demand("RFC8555-6.5.1-03", err == nil, "a nonce in base64url", "%q: %v", nonce, err)
		decoded = append(decoded, data)
	}
	varying := varyingBits(decoded)
	s.must("RFC8555-6.5.1-02", varying >= 64, "nonces that differ in 64 bits or more", "%d of their bits ever change, or change at random", varying)
}

// varyingBits counts the bits that are set in a quarter to three quarters of
// the values: what a counter leaves alone is not among them.
func varyingBits(values [][]byte) int {
	ones := map[int]int{}
	for _, value := range values {
		for i, octet := range value {
			for b := range 8 {
				if octet>>b&1 == 1 {
					ones[i*8+b]++
				}
			}
		}
	}
	varying := 0
	for _, n := range ones {
		if n > len(values)/4 && n < len(values)*3/4 {
			varying++
		}
	}
	return varying
}

func newNonce(s *scene) {
	a := s.account()
	seen := map[string]bool{}
	for _, method := range []string{"HEAD", "HEAD", "GET"} {
		requirement := "RFC8555-7.2-02"
		if method == "GET" {
			requirement = "RFC8555-7.2-05"
		}
		r := s.do(wire.Request{Method: method, URL: s.url("newNonce")})
		s.must("RFC8555-7.1-02", r.Status/100 == 2, method+" of newNonce succeeds", "%s", r.Excerpt())
		if method == "HEAD" {
			s.should("RFC8555-7.2-03", r.Status == 200, "HEAD is answered with 200", "%d", r.Status)
		} else {
			s.must("RFC8555-7.2-04", r.Status == 204 && len(r.Body) == 0, "GET is answered with 204 without a body", "%s", r.Excerpt())
		}
		s.must("RFC8555-7.2-06", hasDirective(r, "no-store"), method+" is answered with Cache-Control: no-store", "%q", r.Header.Values("Cache-Control"))
		nonce := r.Header.Get("Replay-Nonce")
		if !s.must(requirement, nonce != "" && !seen[nonce], method+" is answered with a new Replay-Nonce", "%q", nonce) {
			continue
		}
		seen[nonce] = true
		answer := s.send(a.url, wire.Message{Key: a.key, KID: a.url, Nonce: nonce})
		s.must(requirement, answer.Status == 200, "the nonce works", "%s", answer.Excerpt())
	}
}
