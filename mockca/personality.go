package mockca

import (
	"fmt"
	"strings"
	"time"
)

// Personalities: the policies and habits of known CAs, as they have documented
// them. They are a CA's manner towards clients; what certificates look like and
// what it does behind its API is not imitated.

// Personalities lists the names that Options.Personality and PolicyOf take.
func Personalities() []string {
	return []string{"letsencrypt", "pebble", "gts", "zerossl", "stepca"}
}

// PolicyOf is the policy of a personality; that of "" is DefaultPolicy.
func PolicyOf(personality string) (Policy, error) {
	switch personality {
	case "":
		return DefaultPolicy(), nil
	case "letsencrypt":
		return letsEncrypt(), nil
	case "pebble":
		return pebble(), nil
	case "gts":
		return googleTrustServices(), nil
	case "zerossl":
		return zeroSSL(), nil
	case "stepca":
		return stepCA(), nil
	}
	return Policy{}, fmt.Errorf("there is no personality %q; there are %s", personality, strings.Join(Personalities(), ", "))
}

const day = 24 * time.Hour

// letsEncrypt is Boulder as Let's Encrypt runs it
// (https://letsencrypt.org/docs/, and docs/acme-divergences.md in Boulder).
func letsEncrypt() Policy {
	p := DefaultPolicy()
	p.Name = "letsencrypt"
	p.TermsOfService = "https://letsencrypt.org/documents/LE-SA-v1.6-August-18-2025.pdf"
	p.Website = "https://letsencrypt.org"
	p.CAAIdentities = []string{"letsencrypt.org"}
	p.NoNewAuthz, p.NoOrdersList, p.NoDates, p.HideContacts = true, true, true, true
	p.Algorithms = []string{"RS256", "ES256", "ES384", "ES512"}
	p.AccountKeys = []string{"RSA-2048", "P-256", "P-384"}
	p.CertificateKeys = []string{"RSA-2048", "P-256", "P-384"}
	p.ChallengeTypes = []string{"http-01", "dns-01", "tls-alpn-01"}
	p.RevocationReasons = []int{0, 1, 4, 5}
	p.Profiles = map[string]Profile{
		"classic": {Description: "https://letsencrypt.org/docs/profiles#classic", Lifetime: 90 * day, Backdate: time.Hour,
			CommonName: true, KeyEncipherment: true, SubjectKeyID: true, NoIPs: true},
		"tlsserver": {Description: "https://letsencrypt.org/docs/profiles#tlsserver", Lifetime: 90 * day, Backdate: time.Hour,
			MaxNames: 25, NoIPs: true, AuthzLifetime: 7 * time.Hour, OrderLifetime: 8 * time.Hour},
		"shortlived": {Description: "https://letsencrypt.org/docs/profiles#shortlived", Lifetime: 160 * time.Hour, Backdate: time.Hour,
			MaxNames: 25, AuthzLifetime: 7 * time.Hour, OrderLifetime: 8 * time.Hour},
	}
	p.ReuseAuthz, p.ReusePending, p.ReuseOrders = true, true, true
	p.AsyncFinalize, p.FinalizeDelay, p.PollRetryAfter = true, 1500*time.Millisecond, 3*time.Second
	p.ValidationDelay = 500 * time.Millisecond
	p.MismatchType = TypeUnauthorized
	p.NoOCSP = true
	p.RateLimits = LetsEncryptLimits()
	return p
}

// pebble is Pebble with its default configuration, without its random failures:
// those are faults here (bad-nonce).
func pebble() Policy {
	p := DefaultPolicy()
	p.Name = "pebble"
	p.TermsOfService = "data:text/plain,Do%20what%20thou%20wilt"
	p.CAAIdentities = []string{"pebble.letsencrypt.org"}
	p.NoNewAuthz = true
	p.Algorithms = []string{"RS256", "ES256", "ES384", "ES512"}
	p.AccountKeys = []string{"RSA-2048", "P-256", "P-384", "P-521"}
	p.ChallengeTypes = []string{"http-01", "tls-alpn-01", "dns-01", "dns-account-01", "dns-persist-01"}
	p.Profiles = map[string]Profile{
		"default":    {Description: "The profile you know and love", Lifetime: 90 * day},
		"shortlived": {Description: "A short-lived cert profile, without actual enforcement", Lifetime: 6 * day},
	}
	p.DefaultProfile = "default"
	p.OrderLifetime, p.PendingAuthzLifetime, p.AuthzLifetime = day, time.Hour, time.Hour
	p.ReuseAuthz = true
	p.AsyncFinalize, p.FinalizeDelay, p.PollRetryAfter = true, 0, 3*time.Second
	p.MismatchType = TypeUnauthorized
	p.NoOCSP, p.NoCRL = true, true
	return p
}

// googleTrustServices is Google's public CA
// (https://cloud.google.com/certificate-manager/docs/public-ca).
func googleTrustServices() Policy {
	p := DefaultPolicy()
	p.Name = "gts"
	p.TermsOfService = "https://pki.goog/GTS-SA.pdf"
	p.Website = "https://pki.goog"
	p.CAAIdentities = []string{"pki.goog"}
	p.RequireEAB, p.EABOnce, p.HideProfiles, p.NoOrdersList = true, true, true, true
	p.Algorithms = []string{"RS256", "ES256", "ES384", "ES512"}
	p.AccountKeys = []string{"RSA-2048", "P-256", "P-384", "P-521"}
	p.CertificateKeys = []string{"RSA-2048", "P-256", "P-384"}
	p.ChallengeTypes = []string{"dns-01", "http-01", "tls-alpn-01"}
	p.Profiles = map[string]Profile{"gts": {Lifetime: 90 * day, Backdate: time.Hour, CommonName: true, ClientAuth: true, KeyEncipherment: true, SubjectKeyID: true}}
	p.DefaultProfile = "gts"
	p.ReusePending = true
	p.AsyncFinalize, p.FinalizeDelay, p.PollRetryAfter = true, 2*time.Second, 5*time.Second
	p.MismatchType = TypeUnauthorized
	return p
}

// zeroSSL is ZeroSSL's ACME service (https://zerossl.com/documentation/acme/):
// bound accounts, two challenge types, no renewal information, slow.
func zeroSSL() Policy {
	p := DefaultPolicy()
	p.Name = "zerossl"
	p.TermsOfService = "https://secure.trust-provider.com/repository/docs/Legacy/20230516_Certificate_Subscriber_Agreement_v_2_6_click.pdf"
	p.Website = "https://zerossl.com"
	p.CAAIdentities = []string{"sectigo.com", "trust-provider.com", "usertrust.com", "comodoca.com", "comodo.com"}
	p.RequireEAB, p.HideProfiles, p.NoRenewalInfo, p.NoNewAuthz, p.NoDates, p.NoOrdersList = true, true, true, true, true, true
	p.Algorithms = []string{"RS256", "ES256", "ES384"}
	p.AccountKeys = []string{"RSA-2048", "P-256", "P-384"}
	p.CertificateKeys = []string{"RSA-2048", "P-256", "P-384"}
	p.IdentifierTypes = []string{"dns"}
	p.ChallengeTypes = []string{"http-01", "dns-01"}
	p.Profiles = map[string]Profile{"dv90": {Lifetime: 90 * day, CommonName: true, ClientAuth: true, KeyEncipherment: true, SubjectKeyID: true}}
	p.DefaultProfile = "dv90"
	p.AsyncFinalize, p.FinalizeDelay, p.PollRetryAfter = true, 10*time.Second, 15*time.Second
	p.ValidationDelay = 5 * time.Second
	return p
}

// stepCA is step-ca with an ACME provisioner as it comes
// (https://smallstep.com/docs/step-ca/): certificates for a day, at once; what
// could not be looked at is answered again.
func stepCA() Policy {
	p := DefaultPolicy()
	p.Name = "stepca"
	p.NoMeta, p.NoNewAuthz, p.NoRenewalInfo, p.HideProfiles = true, true, true, true
	p.CAAIdentities = []string{}
	p.ChallengeTypes = []string{"dns-01", "http-01", "tls-alpn-01"}
	p.Algorithms = []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"}
	p.Profiles = map[string]Profile{"acme": {Lifetime: day, Backdate: time.Minute, ClientAuth: true, SubjectKeyID: true}}
	p.DefaultProfile = "acme"
	p.OrderLifetime, p.PendingAuthzLifetime, p.AuthzLifetime = day, day, day
	p.ReuseAuthz = false
	p.StickyInvalid, p.AnswerAgain, p.NoCAA = true, true, true
	p.PollRetryAfter = -1
	p.NoCRL, p.NoOCSP = true, true
	return p
}
