package mockca

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca/internal/jws"
)

// Key rollover: RFC 8555, Section 7.3.5.

func (r *request) keyChange() (*Response, *Problem) {
	inner, err := jws.Parse(r.message.Payload)
	if err != nil {
		return nil, fails(CheckKeyChangeInner, TypeMalformed, "the payload is not a JWS: %v", err)
	}
	h := &inner.Header
	if !h.HasKey || h.KeyErr != nil {
		if h.KeyErr != nil {
			return nil, fails(CheckKeyChangeInner, TypeMalformed, `the inner header's "jwk": %v`, h.KeyErr)
		}
		return nil, fails(CheckKeyChangeInner, TypeMalformed, `the inner header has no "jwk"`)
	}
	key := h.Key.Key
	if p := r.checkInner(inner, key); p != nil {
		return nil, p
	}
	var in struct {
		Account string          `json:"account"`
		OldKey  json.RawMessage `json:"oldKey"`
	}
	if err := json.Unmarshal(inner.Payload, &in); err != nil {
		return nil, fails(CheckKeyChangeInner, TypeMalformed, "the inner payload can't be read: %v", err)
	}
	if in.Account != r.message.Header.KeyID && r.ca.on(CheckKeyChangeAccount) {
		return nil, fails(CheckKeyChangeAccount, TypeMalformed, `the inner "account" is %q, the outer "kid" %q`, in.Account, r.message.Header.KeyID)
	}
	old := r.account.thumbprint()
	if r.ca.on(CheckKeyChangeOldKey) {
		if len(in.OldKey) == 0 {
			return nil, fails(CheckKeyChangeOldKey, TypeMalformed, `the inner payload has no "oldKey"`)
		}
		k, err := jws.ParseKey(in.OldKey)
		if err != nil {
			return nil, fails(CheckKeyChangeOldKey, TypeMalformed, `the inner "oldKey": %v`, err)
		}
		if thumbprint(k.Key) != old {
			return nil, fails(CheckKeyChangeOldKey, TypeMalformed, `the inner "oldKey" is not the account's key`)
		}
	}
	return r.changeKey(old, thumbprint(key), key)
}

func (r *request) checkInner(inner *jws.Message, key any) *Problem {
	h := &inner.Header
	switch {
	case h.HasKeyID && r.ca.on(CheckKeyChangeInner):
		return fails(CheckKeyChangeInner, TypeMalformed, `the inner header has a "kid"`)
	case (inner.Unprotected || h.Critical) && r.ca.on(CheckKeyChangeInner):
		return fails(CheckKeyChangeInner, TypeMalformed, "the inner JWS has an unprotected header or critical extensions")
	case !slices.Contains(r.policy.Algorithms, h.Alg) && r.ca.on(CheckJWSAlgorithm):
		return r.badAlgorithm("the inner algorithm %q is not among those supported: %s", h.Alg, strings.Join(r.policy.Algorithms, ", "))
	}
	if p := r.checkKeyStrength(key, "the new account key"); p != nil {
		return p
	}
	switch {
	case !jws.Fits(h.Alg, key) && r.ca.on(CheckJWSAlgorithm):
		return r.badAlgorithm("the inner algorithm %q is not one for %s", h.Alg, keyName(key))
	case h.URL != r.message.Header.URL && r.ca.on(CheckKeyChangeURL):
		return fails(CheckKeyChangeURL, TypeMalformed, `the inner "url" is %q, the outer one %q`, h.URL, r.message.Header.URL)
	case h.HasNonce && r.ca.on(CheckKeyChangeNonce):
		return fails(CheckKeyChangeNonce, TypeMalformed, "the inner header has a nonce")
	}
	if r.ca.on(CheckKeyChangeSignature) {
		if err := inner.Verify(key); err != nil {
			return fails(CheckKeyChangeSignature, TypeMalformed, "the inner signature is not by the new key: %v", err)
		}
	}
	return nil
}

func (r *request) changeKey(old, thumb string, key any) (*Response, *Problem) {
	a := r.account
	if other, moved := r.ca.books.byKey.move(old, thumb, a); !moved {
		if r.ca.on(CheckKeyChangeConflict) {
			p := fails(CheckKeyChangeConflict, TypeMalformed, "the new key is that of another account").withStatus(http.StatusConflict)
			if other == a {
				p.Detail = "the new key is the account's key already"
			}
			p.Location = r.url(AccountURL, other.id)
			return nil, p
		}
		r.ca.books.byKey.put(thumb, a)
	}
	a.mu.Lock()
	a.key, a.thumb = key, thumb
	status := a.status
	a.mu.Unlock()
	r.ca.changed(r.x, r.now, "account", r.url(AccountURL, a.id), status, status, "key changed")
	return r.accountResponse(http.StatusOK, a), nil
}
