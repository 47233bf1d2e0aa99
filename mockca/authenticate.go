package mockca

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca/internal/jws"
	"github.com/acme-e2e/acme-e2e/mockca/internal/store"
)

// Signed requests: RFC 8555, Sections 6.2 to 6.5.

// authenticate checks everything about a POST that does not depend on what is
// asked: form, algorithm, key, signature, nonce, URL, and the account.
func (r *request) authenticate(how answer) *Problem {
	for _, step := range [...]func(*request, answer) *Problem{
		(*request).checkForm, (*request).checkAlgorithm, (*request).checkKeyChoice, (*request).checkSignature,
		(*request).checkNonce, (*request).checkURL, (*request).checkAccount, (*request).checkPostAsGet,
	} {
		if p := step(r, how); p != nil {
			return p
		}
	}
	return nil
}

func (r *request) checkForm(answer) *Problem {
	if r.ca.on(CheckContentType) {
		ct := r.http.Header.Get("Content-Type")
		if t, _, err := mime.ParseMediaType(ct); err != nil || t != "application/jose+json" {
			return fails(CheckContentType, TypeMalformed, "the Content-Type is %q and must be application/jose+json", ct).withStatus(http.StatusUnsupportedMediaType)
		}
	}
	if r.tooLarge {
		return fails(CheckBodySize, TypeMalformed, "the request has more than %d bytes", maxBody).withStatus(http.StatusRequestEntityTooLarge)
	}
	switch {
	case r.formErr != nil:
		return problem(TypeMalformed, "the request is not a JWS in flattened JSON serialization: %v", r.formErr)
	case r.message == nil:
		return problem(TypeMalformed, "the request has no body")
	case r.message.Unprotected && r.ca.on(CheckJWSUnprotected):
		return fails(CheckJWSUnprotected, TypeMalformed, "the JWS has an unprotected header")
	case r.message.Header.Critical && r.ca.on(CheckJWSCritical):
		return fails(CheckJWSCritical, TypeMalformed, `the JWS has "crit" or "b64" in its header, which no extension of ACME uses`)
	}
	return nil
}

func (r *request) checkAlgorithm(answer) *Problem {
	alg := r.message.Header.Alg
	if slices.Contains(r.policy.Algorithms, alg) || !r.ca.on(CheckJWSAlgorithm) {
		return nil
	}
	return r.badAlgorithm("the algorithm %q is not among those supported: %s", alg, strings.Join(r.policy.Algorithms, ", "))
}

func (r *request) badAlgorithm(format string, args ...any) *Problem {
	p := fails(CheckJWSAlgorithm, TypeBadSignatureAlgorithm, format, args...)
	p.Algorithms = r.policy.Algorithms
	return p
}

func (r *request) checkKeyChoice(how answer) *Problem {
	h := &r.message.Header
	if r.ca.on(CheckJWSKeyChoice) {
		switch {
		case h.HasKey && h.HasKeyID:
			return fails(CheckJWSKeyChoice, TypeMalformed, `the header has both "jwk" and "kid"`)
		case how.signer == byKey && !h.HasKey:
			return fails(CheckJWSKeyChoice, TypeMalformed, `the header has no "jwk", which %s wants`, r.x.Endpoint)
		case how.signer == byAccount && !h.HasKeyID:
			return fails(CheckJWSKeyChoice, TypeMalformed, `the header has no "kid", which %s wants`, r.x.Endpoint)
		}
	}
	if !h.HasKey && !h.HasKeyID {
		return fails(CheckJWSKeyChoice, TypeMalformed, `the header has neither "jwk" nor "kid"`)
	}
	if h.HasKey && h.KeyErr != nil {
		return problem(TypeBadPublicKey, `the header's "jwk": %v`, h.KeyErr)
	}
	if how.signer == byAccount && h.HasKey { // a lenient CA finds the account by its key
		if r.account == nil {
			r.account = r.ca.books.accountByKey(thumbprint(h.Key.Key))
		}
	}
	if h.HasKeyID && r.account == nil || how.signer == byAccount && r.account == nil {
		if _, ours := r.objectID(AccountURL, h.KeyID); !ours {
			return problem(TypeMalformed, "the key id %q is not the URL of an account", h.KeyID)
		}
		return problem(TypeAccountDoesNotExist, "there is no account %s", h.KeyID)
	}
	return nil
}

// signingKey is the public key that the header names.
func (r *request) signingKey() any {
	if r.message.Header.HasKey {
		return r.message.Header.Key.Key
	}
	return r.account.publicKey()
}

func (r *request) checkSignature(answer) *Problem {
	key := r.signingKey()
	if r.message.Header.HasKey && r.x.Endpoint != RevokeCert {
		if p := r.checkKeyStrength(key, "the account key"); p != nil {
			return p
		}
	}
	if r.ca.on(CheckJWSAlgorithm) && !jws.Fits(r.message.Header.Alg, key) {
		if r.message.Header.HasKey {
			return fails(CheckJWSAlgorithm, TypeBadPublicKey, "the key is %s, which is not one for the algorithm %q", keyName(key), r.message.Header.Alg)
		}
		return r.badAlgorithm("the algorithm %q is not one for %s", r.message.Header.Alg, keyName(key))
	}
	if !r.ca.on(CheckJWSSignature) {
		return nil
	}
	if err := r.message.Verify(key); err != nil {
		return fails(CheckJWSSignature, TypeMalformed, "the signature is not by the key in the header: %v", err)
	}
	return nil
}

func (r *request) checkKeyStrength(key any, what string) *Problem {
	if !r.ca.on(CheckKeyStrength) || allowedKey(key, r.policy.AccountKeys) {
		return nil
	}
	return fails(CheckKeyStrength, TypeBadPublicKey, "%s is %s; it must be one of %s", what, keyName(key), strings.Join(r.policy.AccountKeys, ", "))
}

func (r *request) checkNonce(answer) *Problem {
	h := &r.message.Header
	if !h.HasNonce || h.Nonce == "" {
		if r.ca.on(CheckNonce) {
			return fails(CheckNonce, TypeBadNonce, "the header has no nonce")
		}
		return nil
	}
	if !h.NonceEncoded() && r.ca.on(CheckNonceEncoding) {
		return fails(CheckNonceEncoding, TypeMalformed, "the nonce %q is not base64url", h.Nonce)
	}
	switch r.ca.nonces.Redeem(h.Nonce, r.now, r.policy.NonceLifetime) {
	case store.Unknown:
		if r.ca.on(CheckNonce) {
			return fails(CheckNonce, TypeBadNonce, "the nonce %q is not one of this CA's", h.Nonce)
		}
	case store.Used:
		if r.ca.on(CheckNonceReuse) {
			return fails(CheckNonceReuse, TypeBadNonce, "the nonce %q was used before", h.Nonce)
		}
	case store.Expired:
		if r.ca.on(CheckNonceExpiry) {
			return fails(CheckNonceExpiry, TypeBadNonce, "the nonce %q has expired", h.Nonce)
		}
	}
	return nil
}

func (r *request) checkURL(answer) *Problem {
	h := &r.message.Header
	if !r.ca.on(CheckJWSURL) || h.URL == r.x.URL {
		return nil
	}
	if !h.HasURL {
		return fails(CheckJWSURL, TypeUnauthorized, `the header has no "url"; the request went to %s`, r.x.URL)
	}
	return fails(CheckJWSURL, TypeUnauthorized, `the header's "url" is %q; the request went to %s`, h.URL, r.x.URL)
}

// checkAccount looks at what the account may do at all: RFC 8555, Sections
// 7.3.3 and 7.3.6.
func (r *request) checkAccount(answer) *Problem {
	if r.account == nil {
		return nil
	}
	r.account.mu.Lock()
	status, agreed := r.account.status, r.account.agreed
	r.account.mu.Unlock()
	if status != statusValid && r.ca.on(CheckAccountStatus) {
		return fails(CheckAccountStatus, TypeUnauthorized, "the account is %s", status).withStatus(http.StatusUnauthorized)
	}
	if terms := r.policy.TermsOfService; terms != "" && agreed != terms && r.ca.on(CheckTermsChanged) &&
		r.x.Endpoint != AccountURL && r.x.Endpoint != RevokeCert && r.x.Endpoint != Directory && r.x.Endpoint != NewNonce {
		p := fails(CheckTermsChanged, TypeUserActionRequired, "the terms of service have changed; agree to those at %s", terms)
		p.Instance = terms
		p.Links = []string{"<" + terms + `>;rel="terms-of-service"`}
		return p
	}
	return nil
}

func (r *request) checkPostAsGet(how answer) *Problem {
	if how.asGet && len(r.message.Payload) != 0 && r.ca.on(CheckPostAsGet) {
		return fails(CheckPostAsGet, TypeMalformed, "%s is read by POST-as-GET, with an empty payload", r.x.Endpoint)
	}
	return nil
}

// mine tells whether an object belongs to who asks.
func (r *request) mine(owner *account, what string) *Problem {
	if owner == r.account || !r.ca.on(CheckAccess) {
		return nil
	}
	return fails(CheckAccess, TypeUnauthorized, "this %s belongs to another account", what)
}

func (r *request) missing(what string) *Problem {
	return problem(TypeMalformed, "there is no %s at %s", what, r.x.URL).withStatus(http.StatusNotFound)
}

// keyName describes a public key.
func keyName(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", key)
}

// allowedKey compares a key with a list like "RSA-2048", "P-256".
func allowedKey(key any, allowed []string) bool {
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return slices.Contains(allowed, keyName(key))
	}
	bits := k.N.BitLen()
	for _, name := range allowed {
		if size, ok := strings.CutPrefix(name, "RSA-"); ok {
			if least, err := strconv.Atoi(size); err == nil && bits >= least && bits <= 8192 && bits%8 == 0 && k.E >= 3 && k.E%2 == 1 {
				return true
			}
		}
	}
	return false
}
