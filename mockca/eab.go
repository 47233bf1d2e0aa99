package mockca

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca/internal/jws"
)

// External account binding: RFC 8555, Section 7.3.4.

type eabKey struct {
	EAB
	account *account // guarded by index: see bindEAB
}

// EAB is a key that the CA gave out by other means.
type EAB struct {
	KeyID     string
	Key       []byte
	Algorithm string // of the MAC; "": HS256, HS384 and HS512
	Account   string // URL of the account that used it last
}

// AddEAB lets accounts be bound with a key. algorithm, if given, is the only
// one accepted.
func (ca *CA) AddEAB(kid string, key []byte, algorithm ...string) {
	k := &eabKey{EAB: EAB{KeyID: kid, Key: slices.Clone(key)}}
	if len(algorithm) > 0 {
		k.Algorithm = algorithm[0]
	}
	ca.books.eab.put(kid, k)
	ca.journal.note("eab", kid)
}

// NewEAB makes a key for a binding.
func (ca *CA) NewEAB() (kid string, key []byte) {
	key = make([]byte, 32)
	rand.Read(key)
	kid = "kid-" + strings.ToLower(rand.Text()[:12])
	ca.AddEAB(kid, key)
	return kid, key
}

// RemoveEAB forgets a key. Accounts that were bound with it stay.
func (ca *CA) RemoveEAB(kid string) {
	ca.books.eab.remove(kid)
	ca.journal.note("eab", kid)
}

// EABs are the keys known, by key id.
func (ca *CA) EABs() []EAB {
	var all []EAB
	ca.books.eab.mu.RLock()
	defer ca.books.eab.mu.RUnlock()
	for _, k := range ca.books.eab.m {
		e := k.EAB
		if k.account != nil {
			e.Account = ca.objectURL(ca.base, AccountURL, k.account.id)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b EAB) int { return strings.Compare(a.KeyID, b.KeyID) })
	return all
}

var macs = []string{"HS256", "HS384", "HS512"}

// checkEAB verifies a binding and returns its key id, "" without one.
func (r *request) checkEAB(raw []byte, key any) (kid string, p *Problem) {
	if len(raw) == 0 || string(raw) == "null" {
		if r.policy.RequireEAB && r.ca.on(CheckEABRequired) {
			return "", fails(CheckEABRequired, TypeExternalAccountRequired, "new accounts must have an externalAccountBinding")
		}
		return "", nil
	}
	m, err := jws.Parse(raw)
	if err != nil {
		return "", fails(CheckEABForm, TypeMalformed, "externalAccountBinding: %v", err)
	}
	h := &m.Header
	known := r.ca.books.eab.get(h.KeyID)
	switch {
	case (!h.HasKeyID || h.HasKey || m.Unprotected || h.Critical) && r.ca.on(CheckEABForm):
		return "", fails(CheckEABForm, TypeMalformed, `externalAccountBinding: the header must have "alg", "kid" and "url", and nothing else that counts`)
	case !slices.Contains(macs, h.Alg) && r.ca.on(CheckEABAlgorithm):
		return "", fails(CheckEABAlgorithm, TypeMalformed, "externalAccountBinding: the algorithm %q is not a MAC", h.Alg)
	case h.HasNonce && r.ca.on(CheckEABNonce):
		return "", fails(CheckEABNonce, TypeMalformed, "externalAccountBinding: the header has a nonce")
	case h.URL != r.message.Header.URL && r.ca.on(CheckEABURL):
		return "", fails(CheckEABURL, TypeMalformed, `externalAccountBinding: the "url" is %q and must be that of the request, %q`, h.URL, r.message.Header.URL)
	case known == nil && r.ca.on(CheckEABSignature):
		return "", fails(CheckEABSignature, TypeUnauthorized, "externalAccountBinding: the key id %q is not known", h.KeyID)
	case known == nil:
		return h.KeyID, nil
	case known.Algorithm != "" && known.Algorithm != h.Alg && r.ca.on(CheckEABAlgorithm):
		return "", fails(CheckEABAlgorithm, TypeMalformed, "externalAccountBinding: the algorithm is %q, that of the key %q", h.Alg, known.Algorithm)
	}
	if r.ca.on(CheckEABSignature) {
		if err := m.Verify(known.Key); err != nil {
			return "", fails(CheckEABSignature, TypeUnauthorized, "externalAccountBinding: the MAC is not by the key %q: %v", h.KeyID, err)
		}
	}
	if r.ca.on(CheckEABKey) {
		bound, err := jws.ParseKey(m.Payload)
		if err != nil {
			return "", fails(CheckEABKey, TypeMalformed, "externalAccountBinding: the payload is not a public key: %v", err)
		}
		if thumbprint(bound.Key) != thumbprint(key) {
			return "", fails(CheckEABKey, TypeMalformed, "externalAccountBinding: the payload is another key than that of the request")
		}
	}
	return h.KeyID, nil
}

// bindEAB notes who used a key.
func (r *request) bindEAB(kid string, a *account) *Problem {
	if kid == "" {
		return nil
	}
	b := &r.ca.books.eab
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.m[kid]
	if known == nil {
		return nil
	}
	if known.account != nil && r.policy.EABOnce && r.ca.on(CheckEABReuse) {
		return fails(CheckEABReuse, TypeUnauthorized, "externalAccountBinding: the key %q has been used", kid)
	}
	known.account = a
	r.ca.journal.note("eab", kid)
	return nil
}

// ParseEABKey reads a MAC key as configuration files have it, in base64url with
// or without padding.
func ParseEABKey(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s), "="))
}
