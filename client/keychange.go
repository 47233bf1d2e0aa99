package client

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
)

// Key rollover: RFC 8555, Section 7.3.5.

// ChangeKey gives the account a new key. Keep both keys until it returned: when
// the answer is lost, or the process dies, FindKey tells which one counts.
// On success the Account signs with the new key.
func (a *Account) ChangeKey(ctx context.Context, newKey crypto.Signer) error {
	next, err := newJWSSigner(newKey)
	if err != nil {
		return err
	}
	old := a.jws()
	if samePublicKey(old.key.Public(), newKey.Public()) {
		return fmt.Errorf("acme: changing account key: %w: the new key is the old one", ErrKeyInUse)
	}
	payload, err := json.Marshal(map[string]any{"account": a.url, "oldKey": old.jwk})
	if err != nil {
		return err
	}
	hasNew := func(ctx context.Context) (bool, error) { return a.c.accountHas(ctx, a.url, next) }
	_, err = a.post(ctx, &call{
		step: "changing account key", endpoint: endpointKeyChange, limit: maxSmall, lost: hasNew,
		build: func(url string) ([]byte, error) { return next.sign("", url, "", payload) },
	})
	if err != nil {
		if e, ok := errors.AsType[*Error](err); !ok || e.Attempts == 0 || CallerFault(err) && e.Attempts == 1 {
			return err
		}
		// The last attempt may have been carried out as well.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		if done, aerr := hasNew(ctx); aerr != nil || !done {
			return err
		}
	}
	a.mu.Lock()
	a.signer = next
	a.mu.Unlock()
	return nil
}

func (c *Client) accountHas(ctx context.Context, url string, s *jwsSigner) (bool, error) {
	found, err := c.newAccount(ctx, s, map[string]any{"onlyReturnExisting": true}, nil)
	switch {
	case err == nil && found.url == url:
		return true, nil
	case err == nil:
		return false, &Error{Step: "changing account key", Err: fmt.Errorf("%w: the new key belongs to another account, %s", ErrKeyInUse, found.url)}
	case errors.Is(err, ErrAccountDoesNotExist):
		return false, nil
	}
	return false, err
}

// FindKey tells which of the keys the account at url has: after a ChangeKey that
// was interrupted, give it the old and the new one. The error is
// ErrAccountDoesNotExist when none of them is.
func (c *Client) FindKey(ctx context.Context, url string, keys ...crypto.Signer) (crypto.Signer, error) {
	for _, key := range keys {
		a, err := c.FindAccount(ctx, key)
		if err == nil && a.url == url {
			return key, nil
		}
		if err != nil && !errors.Is(err, ErrAccountDoesNotExist) {
			return nil, err
		}
	}
	return nil, &Error{Step: "finding the key of account " + url, Err: fmt.Errorf("%w with any of %d keys", ErrAccountDoesNotExist, len(keys))}
}
