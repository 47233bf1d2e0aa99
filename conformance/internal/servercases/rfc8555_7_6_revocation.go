package servercases

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Section 7.6: revocation.

// revoke asks for it as an account, or by jwk when a has no URL. A negative
// reason sends none.
func (s *scene) revoke(a *account, der []byte, reason int) *wire.Response {
	payload := map[string]any{"certificate": wire.Encode(der)}
	if reason >= 0 {
		payload["reason"] = reason
	}
	return s.post(a, s.url("revokeCert"), payload)
}

func revocationCases() []spec {
	byAccount := func(name, title string, requirements []string, does, expects string, run func(*scene, *account, *issued)) spec {
		return spec{id: "rfc8555/7.6/" + name, title: title, requirements: requirements, does: does, expects: expects,
			needs: []need{needsValidation}, cost: cost{accounts: 1, own: 1, orders: 3},
			run: func(s *scene) {
				a := s.account()
				run(s, a, s.issue(a, s.name(), s.name()))
			}}
	}
	return []spec{
		byAccount("account", "The issuing account may revoke", []string{"RFC8555-7.6-09", "RFC8555-7.6-13", "RFC8555-7.6-14"},
			"Revokes a certificate as its account, twice.", "200, then 400 alreadyRevoked.", func(s *scene, a *account, c *issued) {
				r := s.revoke(a, c.leaf().Raw, -1)
				s.must("RFC8555-7.6-09", r.Status < 400, "the issuing account may revoke", "%s", r.Excerpt())
				s.succeeds("RFC8555-7.6-13", r, "revocation", 200)
				r = s.revoke(a, c.leaf().Raw, -1)
				s.must("RFC8555-7.6-14", r.Status == 400 && shortType(r) == "alreadyRevoked", "the second time: 400 alreadyRevoked", "%s", r.Excerpt())
			}),
		byAccount("certificate-key", "The certificate's key may revoke", []string{"RFC8555-7.6-12"},
			"Revokes a certificate with its own key, as jwk.", "200.", func(s *scene, _ *account, c *issued) {
				s.succeeds("RFC8555-7.6-12", s.revoke(&account{key: c.key}, c.leaf().Raw, -1), "revocation by the certificate's key", 200)
			}),
		byAccount("strangers", "Nobody else may revoke", []string{"RFC8555-7.6-08"},
			"Revokes a certificate as another account, and with a key that belongs to nothing.", "Both are refused as unauthorized, and the certificate is not revoked.", func(s *scene, a *account, c *issued) {
				s.refuses("RFC8555-7.6-08", s.revoke(s.ownAccount(), c.leaf().Raw, -1), "revocation by another account", "unauthorized")
				s.refuses("RFC8555-7.6-08", s.revoke(&account{key: s.newKey()}, c.leaf().Raw, -1), "revocation by another key", "unauthorized")
				r := s.revoke(a, c.leaf().Raw, -1)
				s.must("RFC8555-7.6-08", r.Status == 200, "the certificate was not revoked by then", "%s", r.Excerpt())
			}),
		byAccount("authorized-account", "An account that holds authorizations for all names may revoke", []string{"RFC8555-7.6-10"},
			"Completes authorizations for all names of a certificate as another account, which then revokes it.", "200.", func(s *scene, _ *account, c *issued) {
				other := s.ownAccount()
				s.ready(other, c.leaf().DNSNames...)
				s.succeeds("RFC8555-7.6-10", s.revoke(other, c.leaf().Raw, -1), "revocation by an account with all authorizations", 200)
			}),
		byAccount("half-authorized-account", "An account that holds authorizations for some names may not revoke", []string{"RFC8555-7.6-11"},
			"Completes an authorization for one of two names of a certificate as another account, which then revokes it.", "It is refused.", func(s *scene, _ *account, c *issued) {
				other := s.ownAccount()
				s.ready(other, c.leaf().DNSNames[0])
				s.refuses("RFC8555-7.6-11", s.revoke(other, c.leaf().Raw, -1), "revocation by an account with half of the authorizations")
			}),
		byAccount("bad-reason", "Reasons that are not allowed are refused", []string{"RFC8555-7.6-05", "RFC8555-7.6-06"},
			"Revokes with the reasons 7 and 99, which do not exist.", "badRevocationReason with a detail that lists what is allowed.", func(s *scene, a *account, c *issued) {
				for _, reason := range []int{7, 99} {
					r := s.revoke(a, c.leaf().Raw, reason)
					if s.refuses("RFC8555-7.6-05", r, "a reason that does not exist", "badRevocationReason") {
						problem, err := r.Problem()
						s.should("RFC8555-7.6-06", err == nil && allowsSome(problem.Detail, reason), "a detail that lists the reasons that are allowed", "%s", r.Excerpt())
					}
				}
			}),
		byAccount("good-reason", "Reasons are taken", []string{"RFC8555-7.6-04"},
			"Revokes with the reason superseded.", "200, or badRevocationReason.", func(s *scene, a *account, c *issued) {
				r := s.revoke(a, c.leaf().Raw, 4)
				s.may("RFC8555-7.6-04", "reason 4: %s", r.Excerpt())
				s.must("RFC8555-7.6-04", r.Status == 200 || shortType(r) == "badRevocationReason", "200, or badRevocationReason", "%s", r.Excerpt())
			}),
		{
			id: "rfc8555/7.6/unknown", title: "What was not issued here is not revoked",
			requirements: []string{"RFC8555-7.6-15"},
			does:         "Revokes a certificate made by the case itself, and garbage.",
			expects:      "Both are refused.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				s.refuses("RFC8555-7.6-15", s.revoke(a, s.selfSigned(), -1), "revocation of a certificate of nobody")
				s.refuses("RFC8555-7.6-15", s.revoke(a, []byte("garbage"), -1), "revocation of garbage")
			},
		},
		{
			id: "rfc8555/7.3.6/certificates", title: "Deactivation of an account revokes nothing",
			requirements: []string{"RFC8555-7.3.6-07"},
			does:         "Deactivates an account that has a certificate, then revokes it with its key.",
			expects:      "It was not revoked by then.",
			needs:        []need{needsValidation}, cost: cost{own: 1, orders: 1},
			run: func(s *scene) {
				a := s.ownAccount()
				c := s.issue(a, s.name())
				if r := s.post(a, a.url, map[string]any{"status": "deactivated"}); r.Status != 200 {
					s.inconclusive("the account could not be deactivated: %s", r.Excerpt())
				}
				r := s.revoke(&account{key: c.key}, c.leaf().Raw, -1)
				s.should("RFC8555-7.3.6-07", shortType(r) != "alreadyRevoked", "a certificate that is not revoked", "%s", r.Excerpt())
			},
		},
	}
}

// allowsSome looks for numbers of reasons that exist, other than the refused.
func allowsSome(detail string, refused int) bool {
	digits := strings.FieldsFunc(detail, func(r rune) bool { return r < '0' || r > '9' })
	for _, number := range digits {
		if len(number) <= 2 && number != "7" && !(refused == 99 && number == "99") {
			return true
		}
	}
	return false
}

func (s *scene) selfSigned() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.noted(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "nobody"},
		NotBefore: time.Now(), NotAfter: time.Now().AddDate(0, 0, 1), DNSNames: []string{s.name()}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.noted(err)
	return der
}
