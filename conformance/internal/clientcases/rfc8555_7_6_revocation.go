package clientcases

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"slices"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Section 7.6: revocation.

func revocationScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/7.6/revoke", Title: "Revokes a certificate by the account",
			Requirements: []string{"RFC8555-7.6-01", "RFC8555-7.6-02"}, Needs: []Feature{Revocation},
			Does: "Issues; then the user revokes.", Expects: "the certificate in DER and base64url, and a reason of RFC 5280 if any",
			Play: func(t *Trial) {
				p := t.has(t.obtains())
				r := t.run(Revoke)
				t.each(r.to(mockca.RevokeCert), t.main(), "the certificate, in base64url DER", func(r *request) string {
					text, _ := r.object()["certificate"].(string)
					der, err := base64.RawURLEncoding.DecodeString(text)
					return unless(err == nil && bytes.Equal(der, p.leaf().Raw), "certificate is %s", excerpt(text))
				})
				t.each(r.to(mockca.RevokeCert), "RFC8555-7.6-02", "a reason code as a number", func(r *request) string {
					reason, given := r.object()["reason"]
					number, is := reason.(float64)
					return unless(!given || is && slices.Contains([]float64{0, 1, 2, 3, 4, 5, 6, 8, 9, 10}, number), "reason is %v", reason)
				})
				t.Must(!t.CA.Certificates()[0].Revoked.IsZero(), t.main(), "the certificate revoked", "it is not; %s", r.story())
			},
		},
		{
			ID: "rfc8555/7.6/revoke-by-key", Title: "Revokes a certificate by its own key",
			Requirements: []string{"RFC8555-6.2-27"}, Needs: []Feature{RevocationByKey},
			Does: "Issues; then the user revokes with the certificate's key.", Expects: "revokeCert signed by that key, with jwk",
			Play: func(t *Trial) {
				p := t.has(t.obtains())
				r := t.run(RevokeByKey)
				t.each(r.to(mockca.RevokeCert), t.main(), "jwk, the certificate's key", func(r *request) string {
					key := r.jwk()
					if key == nil {
						return "there is no jwk"
					}
					return unless(sameKey(key.Key, p.leaf().PublicKey) && verifies(r, key) == "", "it is another key")
				})
				t.Must(!t.CA.Certificates()[0].Revoked.IsZero(), t.main(), "the certificate revoked", "it is not; %s", r.story())
			},
		},
		{
			ID: "rfc8555/7.6/already-revoked", Title: "A certificate that is revoked already is as the user wants it",
			Requirements: []string{"RFC8555-7.6-01"}, Needs: []Feature{Revocation},
			Does: "Issues, and revokes by itself; then the user revokes.", Expects: "success, or a failure that says alreadyRevoked",
			Faults: []string{"already-revoked"},
			Play: func(t *Trial) {
				t.obtains()
				if err := t.CA.Revoke(t.CA.Certificates()[0].Serial, 0); err != nil {
					t.Inconclusive("revoking: %v", err)
				}
				r := t.run(Revoke)
				t.Should(r.Err == nil || r.says("alreadyRevoked") || r.says("revoked"), t.main(), "success, or the reason", "it said: %s", excerpt(r.Output))
				t.bounded(r.to(mockca.RevokeCert), 3, t.main(), "requests to revokeCert")
			},
		},
	}
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
