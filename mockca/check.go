package mockca

import (
	"fmt"
	"slices"
)

// Check names one thing that the CA verifies about requests, or, as a habit,
// does in its answers. Every check can be turned off (Options.Disabled,
// CA.Disable): that is how a CA with exactly one fault of this kind is made, to
// see whether those who judge CAs notice.
type Check string

// The checks. Each answers with the error type that Check.Problem tells.
const (
	CheckMethod          Check = "method"
	CheckContentType     Check = "content-type"
	CheckBodySize        Check = "body-size"
	CheckJWSUnprotected  Check = "jws-unprotected-header"
	CheckJWSCritical     Check = "jws-critical"
	CheckJWSAlgorithm    Check = "jws-algorithm"
	CheckJWSKeyChoice    Check = "jws-key-choice"
	CheckJWSURL          Check = "jws-url"
	CheckJWSSignature    Check = "jws-signature"
	CheckNonce           Check = "nonce"
	CheckNonceReuse      Check = "nonce-reuse"
	CheckNonceExpiry     Check = "nonce-expiry"
	CheckNonceEncoding   Check = "nonce-encoding"
	CheckKeyStrength     Check = "key-strength"
	CheckPostAsGet       Check = "post-as-get"
	CheckPayload         Check = "payload"
	CheckAccountStatus   Check = "account-status"
	CheckAccess          Check = "access"
	CheckTermsChanged    Check = "terms-changed"
	CheckRateLimits      Check = "rate-limits"
	CheckChallengeState  Check = "challenge-state"
	CheckValidation      Check = "validation"
	CheckCAA             Check = "caa"
	CheckAuthzExpiry     Check = "authz-expiry"
	CheckNewAuthzAllowed Check = "new-authz-wildcard"

	CheckTerms              Check = "terms"
	CheckContact            Check = "contact"
	CheckOnlyReturnExisting Check = "only-return-existing"
	CheckEABRequired        Check = "eab-required"
	CheckEABForm            Check = "eab-form"
	CheckEABAlgorithm       Check = "eab-algorithm"
	CheckEABNonce           Check = "eab-nonce"
	CheckEABURL             Check = "eab-url"
	CheckEABKey             Check = "eab-key"
	CheckEABSignature       Check = "eab-signature"
	CheckEABReuse           Check = "eab-reuse"

	CheckKeyChangeInner     Check = "key-change-inner"
	CheckKeyChangeSignature Check = "key-change-signature"
	CheckKeyChangeURL       Check = "key-change-url"
	CheckKeyChangeNonce     Check = "key-change-nonce"
	CheckKeyChangeAccount   Check = "key-change-account"
	CheckKeyChangeOldKey    Check = "key-change-old-key"
	CheckKeyChangeConflict  Check = "key-change-conflict"

	CheckIdentifierType      Check = "identifier-type"
	CheckIdentifierSyntax    Check = "identifier-syntax"
	CheckIdentifierDuplicate Check = "identifier-duplicate"
	CheckIdentifierCount     Check = "identifier-count"
	CheckBlocked             Check = "blocked"
	CheckOrderDates          Check = "order-dates"
	CheckProfile             Check = "profile"
	CheckReplaces            Check = "replaces"
	CheckAlreadyReplaced     Check = "already-replaced"
	CheckOrderReady          Check = "order-ready"
	CheckOrderExpiry         Check = "order-expiry"
	CheckCSRForm             Check = "csr-form"
	CheckCSRSignature        Check = "csr-signature"
	CheckCSRNames            Check = "csr-names"
	CheckCSRKey              Check = "csr-key"
	CheckCSRAccountKey       Check = "csr-account-key"
	CheckCSRKnownKey         Check = "csr-known-key"

	CheckRevokeKnown         Check = "revoke-known"
	CheckRevokeAuthorization Check = "revoke-authorization"
	CheckRevokeReason        Check = "revoke-reason"
	CheckAlreadyRevoked      Check = "already-revoked"
	CheckCertID              Check = "cert-id"

	HabitReplayNonce    Check = "habit-replay-nonce"
	HabitErrorNonce     Check = "habit-error-nonce"
	HabitNoStore        Check = "habit-no-store"
	HabitIndexLink      Check = "habit-index-link"
	HabitUpLink         Check = "habit-up-link"
	HabitAlternateLinks Check = "habit-alternate-links"
	HabitLocation       Check = "habit-location"
	HabitRetryAfter     Check = "habit-retry-after"
	HabitWildcardFlag   Check = "habit-wildcard-flag"
	HabitExpires        Check = "habit-expires"
	HabitSingleUseToken Check = "habit-fresh-token"
	HabitCORS           Check = "habit-cors"
	HabitOpenOrders     Check = "habit-open-orders"
	HabitDiscretion     Check = "habit-discretion"
	HabitShowProfile    Check = "habit-show-profile"
)

type checkInfo struct {
	check                 Check
	section, problem, doc string
}

// checks is the list of them all, in the order of the RFC.
var checks = [...]checkInfo{
	{CheckMethod, "RFC 8555, Section 6.3", TypeMalformed, "a resource is asked by the methods it has; others get 405 with Allow"},
	{CheckContentType, "RFC 8555, Section 6.2", TypeMalformed, "signed requests are application/jose+json, others get 415"},
	{CheckBodySize, "RFC 8555, Section 10", TypeMalformed, "a request has at most 1 MiB, more gets 413"},
	{CheckJWSUnprotected, "RFC 8555, Section 6.2", TypeMalformed, "a JWS has no unprotected header"},
	{CheckJWSCritical, "RFC 8555, Section 6.2; RFC 7515, Section 4.1.11", TypeMalformed, "no critical extension, no detached or unencoded payload"},
	{CheckJWSAlgorithm, "RFC 8555, Section 6.2", TypeBadSignatureAlgorithm, "the algorithm is an asymmetric one that the CA has, and fits the key"},
	{CheckJWSKeyChoice, "RFC 8555, Section 6.2", TypeMalformed, "either jwk or kid, whichever the resource wants"},
	{CheckJWSURL, "RFC 8555, Section 6.4", TypeUnauthorized, "the header's url is the one that was asked"},
	{CheckJWSSignature, "RFC 8555, Section 6.2", TypeMalformed, "the signature is by the key that the header names"},
	{CheckNonceEncoding, "RFC 8555, Section 6.5.2", TypeMalformed, "the nonce is base64url"},
	{CheckNonce, "RFC 8555, Section 6.5", TypeBadNonce, "the nonce is there, and comes from this CA"},
	{CheckNonceReuse, "RFC 8555, Section 6.5", TypeBadNonce, "a nonce counts once"},
	{CheckNonceExpiry, "RFC 8555, Section 6.5", TypeBadNonce, "a nonce is not older than Policy.NonceLifetime"},
	{CheckKeyStrength, "RFC 8555, Section 6.2", TypeBadPublicKey, "account keys are of the kinds in Policy.AccountKeys"},
	{CheckPostAsGet, "RFC 8555, Section 6.3", TypeMalformed, "a POST-as-GET has an empty payload"},
	{CheckPayload, "RFC 8555, Section 7", TypeMalformed, "a payload is a JSON object with members of the right types"},
	{CheckAccountStatus, "RFC 8555, Section 7.3.6", TypeUnauthorized, "accounts that are not valid can't do anything; they get 401"},
	{CheckAccess, "RFC 8555, Section 10.5", TypeUnauthorized, "an object is shown to its own account only"},
	{CheckRateLimits, "RFC 8555, Section 6.6", TypeRateLimited, "Policy.RateLimits"},
	{CheckTerms, "RFC 8555, Section 7.3", TypeUserActionRequired, "a new account agrees to the terms, where there are any"},
	{CheckTermsChanged, "RFC 8555, Section 7.3.3", TypeUserActionRequired, "an account agrees to changed terms before it does anything else"},
	{CheckContact, "RFC 8555, Section 7.3", TypeInvalidContact, "contacts are mailto: URLs with one address; others are unsupportedContact"},
	{CheckOnlyReturnExisting, "RFC 8555, Section 7.3.1", TypeAccountDoesNotExist, "onlyReturnExisting makes no account"},
	{CheckEABRequired, "RFC 8555, Section 7.3.4", TypeExternalAccountRequired, "new accounts are bound, where Policy.RequireEAB"},
	{CheckEABForm, "RFC 8555, Section 7.3.4", TypeMalformed, "the binding is a JWS with a key id"},
	{CheckEABAlgorithm, "RFC 8555, Section 7.3.4", TypeMalformed, "the binding is made with a MAC"},
	{CheckEABNonce, "RFC 8555, Section 7.3.4", TypeMalformed, "the binding has no nonce"},
	{CheckEABURL, "RFC 8555, Section 7.3.4", TypeMalformed, "the binding's url is that of the request"},
	{CheckEABKey, "RFC 8555, Section 7.3.4", TypeMalformed, "the binding's payload is the account's key"},
	{CheckEABSignature, "RFC 8555, Section 7.3.4", TypeUnauthorized, "the key id is known and its MAC right"},
	{CheckEABReuse, "RFC 8555, Section 7.3.4", TypeUnauthorized, "a key id binds one account, where Policy.EABOnce"},
	{CheckKeyChangeInner, "RFC 8555, Section 7.3.5", TypeMalformed, "the inner message is a JWS with the new key in jwk"},
	{CheckKeyChangeSignature, "RFC 8555, Section 7.3.5", TypeMalformed, "the inner signature is by the new key"},
	{CheckKeyChangeURL, "RFC 8555, Section 7.3.5", TypeMalformed, "the inner url is the outer one"},
	{CheckKeyChangeNonce, "RFC 8555, Section 7.3.5", TypeMalformed, "the inner message has no nonce"},
	{CheckKeyChangeAccount, "RFC 8555, Section 7.3.5", TypeMalformed, "the inner account is the outer kid"},
	{CheckKeyChangeOldKey, "RFC 8555, Section 7.3.5", TypeMalformed, "the inner oldKey is the account's key"},
	{CheckKeyChangeConflict, "RFC 8555, Section 7.3.5", TypeMalformed, "the new key has no account yet; 409 and its Location otherwise"},
	{CheckIdentifierType, "RFC 8555, Section 7.4", TypeUnsupportedIdentifier, "identifiers are of the types in Policy.IdentifierTypes"},
	{CheckIdentifierSyntax, "RFC 8555, Section 7.1.4; RFC 8738, Section 3", TypeRejectedIdentifier, "names are host names in A-labels below a public suffix, addresses are in their one form"},
	{CheckIdentifierDuplicate, "RFC 8555, Section 7.4", TypeMalformed, "no identifier is named twice; off: repetitions are dropped"},
	{CheckIdentifierCount, "RFC 8555, Section 7.4", TypeMalformed, "at least one identifier, at most Policy.MaxNames"},
	{CheckBlocked, "RFC 8555, Section 7.4", TypeRejectedIdentifier, "no identifier is in Policy.Blocked"},
	{CheckOrderDates, "RFC 8555, Section 7.4", TypeMalformed, "notBefore and notAfter are RFC 3339, in order, and within what the profile gives"},
	{CheckProfile, "draft-ietf-acme-profiles, Section 4", TypeInvalidProfile, "the profile is one of the directory's"},
	{CheckReplaces, "RFC 9773, Section 5", TypeMalformed, "replaces names a certificate of the account that shares a name"},
	{CheckAlreadyReplaced, "RFC 9773, Section 5", TypeAlreadyReplaced, "a certificate is replaced once"},
	{CheckNewAuthzAllowed, "RFC 8555, Section 7.4.1", TypeMalformed, "no authorization in advance for a wildcard"},
	{CheckAuthzExpiry, "RFC 8555, Section 7.1.4", TypeMalformed, "authorizations expire"},
	{CheckChallengeState, "RFC 8555, Section 7.5.1", TypeMalformed, "a challenge can be answered while its authorization is pending"},
	{CheckValidation, "RFC 8555, Section 8", TypeUnauthorized, "control is validated; off: every answered challenge becomes valid"},
	{CheckCAA, "RFC 8659; RFC 8657", TypeCAA, "CAA records allow the CA, at validation"},
	{CheckOrderReady, "RFC 8555, Section 7.4", TypeOrderNotReady, "an order is finalized when it is ready"},
	{CheckOrderExpiry, "RFC 8555, Section 7.1.3", TypeMalformed, "orders expire"},
	{CheckCSRForm, "RFC 8555, Section 7.4", TypeBadCSR, "the CSR is PKCS #10 in base64url"},
	{CheckCSRSignature, "RFC 8555, Section 7.4", TypeBadCSR, "the CSR is signed by its key"},
	{CheckCSRNames, "RFC 8555, Section 7.4", TypeBadCSR, "the CSR names exactly the order's identifiers"},
	{CheckCSRKey, "RFC 8555, Section 7.4", TypeBadCSR, "the CSR's key is of the kinds in Policy.CertificateKeys"},
	{CheckCSRAccountKey, "RFC 8555, Section 11.1", TypeBadCSR, "the CSR's key is not the account's"},
	{CheckCSRKnownKey, "RFC 8555, Section 11.1", TypeBadCSR, "the CSR's key is not that of any other account"},
	{CheckRevokeKnown, "RFC 8555, Section 7.6", TypeMalformed, "only certificates of this CA are revoked; 404 otherwise"},
	{CheckRevokeAuthorization, "RFC 8555, Section 7.6", TypeUnauthorized, "revoked by its account, by its key, or by who is authorized for all its names"},
	{CheckRevokeReason, "RFC 8555, Section 7.6", TypeBadRevocationReason, "reasons are 0 to 10 but 7, and those in Policy.RevocationReasons"},
	{CheckAlreadyRevoked, "RFC 8555, Section 7.6", TypeAlreadyRevoked, "a certificate is revoked once"},
	{CheckCertID, "RFC 9773, Section 4.1", TypeMalformed, "certificate identifiers are well-formed and known; 404 when unknown"},

	{HabitReplayNonce, "RFC 8555, Section 6.5", "", "answers carry a Replay-Nonce"},
	{HabitErrorNonce, "RFC 8555, Section 6.5", "", "error answers carry a Replay-Nonce too"},
	{HabitNoStore, "RFC 8555, Section 7.2", "", "Cache-Control: no-store"},
	{HabitIndexLink, "RFC 8555, Section 7.1", "", "answers link to the directory as index"},
	{HabitUpLink, "RFC 8555, Section 7.5.1", "", "challenges link to their authorization as up"},
	{HabitAlternateLinks, "RFC 8555, Section 7.4.2", "", "certificates link to their alternates"},
	{HabitLocation, "RFC 8555, Section 7.4", "", "new objects come with their Location"},
	{HabitRetryAfter, "RFC 8555, Section 7.4", "", "objects in processing come with Retry-After, as does renewal information"},
	{HabitWildcardFlag, "RFC 8555, Section 7.1.4", "", "authorizations for wildcards say so"},
	{HabitExpires, "RFC 8555, Section 7.1.3", "", "pending orders and authorizations say when they expire"},
	{HabitSingleUseToken, "RFC 8555, Section 8.1", "", "every challenge has a token of its own, with 128 random bits"},
	{HabitCORS, "RFC 8555, Section 6.1", "", "scripts of any origin may read answers, and the headers that matter"},
	{HabitOpenOrders, "RFC 8555, Section 7.1.2.1", "", "the list of an account's orders leaves out the invalid ones"},
	{HabitDiscretion, "RFC 8555, Section 10.4", "", "errors of validations do not repeat what the target said"},
	{HabitShowProfile, "draft-ietf-acme-profiles, Section 4", "", "orders that name no profile show the one they got"},
}

// Checks are all checks and habits, in the order of the RFC.
func Checks() []Check {
	all := make([]Check, len(checks))
	for i, c := range checks {
		all[i] = c.check
	}
	return all
}

func (c Check) info() checkInfo {
	for _, i := range checks {
		if i.check == c {
			return i
		}
	}
	return checkInfo{}
}

// Doc says what holds when the check is on.
func (c Check) Doc() string { return c.info().doc }

// Section cites what demands the check.
func (c Check) Section() string { return c.info().section }

// Problem is the type of error that a request gets which fails the check; empty
// for habits.
func (c Check) Problem() string { return c.info().problem }

// on tells whether a check is to be made.
func (ca *CA) on(c Check) bool {
	off := ca.disabled.Load()
	return off == nil || !(*off)[c]
}

// Disable turns checks off, while the CA runs.
func (ca *CA) Disable(list ...Check) { ca.switchChecks(list, true) }

// Enable turns checks on again.
func (ca *CA) Enable(list ...Check) { ca.switchChecks(list, false) }

// Disabled lists the checks that are off.
func (ca *CA) Disabled() []Check {
	off := ca.disabled.Load()
	if off == nil {
		return nil
	}
	return slices.DeleteFunc(Checks(), func(c Check) bool { return !(*off)[c] })
}

func (ca *CA) switchChecks(list []Check, off bool) {
	for {
		before := ca.disabled.Load()
		after := make(map[Check]bool)
		if before != nil {
			for c, v := range *before {
				after[c] = v
			}
		}
		for _, c := range list {
			after[c] = off
		}
		if ca.disabled.CompareAndSwap(before, &after) {
			return
		}
	}
}

func unknownChecks(list []Check) error {
	for _, c := range list {
		if c.info().check == "" {
			return fmt.Errorf("there is no check %q", c)
		}
	}
	return nil
}
