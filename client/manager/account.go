package manager

import (
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// The account: RFC 8555, Section 7.3. Its key is made once and kept; it is on
// disk before the CA hears of it.

// knownAccount is an account that the key has at a CA.
type knownAccount struct {
	URL        string `json:"url"`
	Thumbprint string `json:"thumbprint"`
	Email      string `json:"email,omitempty"`
	Key        string `json:"key,omitempty"` // its name in the store; storage.AccountKey when empty
}

// accountKeyName is where the key for the configured CA is. A key belongs to one
// account only (RFC 8555, Section 11.1): when the usual one has an account at
// another CA, this one gets a key of its own, beside the other state.
func (m *Manager) accountKeyName(ctx context.Context) string {
	all := m.knownAccounts(ctx)
	if known, ok := all[m.cfg.DirectoryURL]; ok {
		return cmp.Or(known.Key, storage.AccountKey)
	}
	for _, other := range all {
		if cmp.Or(other.Key, storage.AccountKey) == storage.AccountKey {
			sum := sha256.Sum256([]byte(m.cfg.DirectoryURL))
			return storage.AccountKey + "-" + hex.EncodeToString(sum[:8])
		}
	}
	return storage.AccountKey
}

// AccountError says that the CA no longer lets the account order anything.
type AccountError struct {
	Path string // of its key
	Err  error
}

func (e *AccountError) Error() string {
	return fmt.Sprintf("acme: the account of the key in %s can't be used any more: %s; it stays that way, so move the key away (keep it if certificates are to be revoked with it): the next attempt makes a new account", e.Path, reason(e.Err))
}

// Unwrap gives errors.As the CA's *client.Problem.
func (e *AccountError) Unwrap() error { return e.Err }

// Account is the account at the CA, made where there is none: for what Manager
// has no method for, such as revoking or deactivating.
func (m *Manager) Account(ctx context.Context) (*client.Account, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.leave()
	return m.account(ctx)
}

func (m *Manager) account(ctx context.Context) (*client.Account, error) {
	m.mu.Lock()
	a := m.acct
	m.mu.Unlock()
	if a != nil {
		return a, nil
	}
	key, err := m.accountKey(ctx)
	if err != nil {
		return nil, err
	}
	known := m.knownAccounts(ctx)[m.cfg.DirectoryURL]
	if known.URL != "" {
		if a, err := m.client.Account(key, known.URL); err == nil && a.Thumbprint() == known.Thumbprint {
			if known.Email != m.cfg.Email {
				m.changeContact(ctx, a)
			}
			m.haveAccount(a, false)
			return a, nil
		}
	}
	return m.register(ctx, key)
}

// register makes the account, or finds the one that key has.
func (m *Manager) register(ctx context.Context, key crypto.Signer) (*client.Account, error) {
	opts := client.AccountOptions{AgreeTerms: m.cfg.AgreeTerms, EAB: m.cfg.EAB}
	if m.cfg.Email != "" {
		opts.Contact = []string{m.cfg.Email}
	}
	a, err := m.client.NewAccount(ctx, key, opts)
	if err != nil {
		switch {
		case errors.Is(err, client.ErrUnauthorized):
			err = &AccountError{m.accountKeyPath(m.accountKeyName(ctx)), err}
		case errors.Is(err, client.ErrBadSignatureAlgorithm), errors.Is(err, client.ErrBadPublicKey):
			err = &FileError{What: "account key", Path: m.accountKeyPath(m.accountKeyName(ctx)), Err: err,
				Advice: "this CA takes no keys of its kind: move it away to get another"}
		}
		return nil, err
	}
	m.rememberAccount(ctx, a)
	m.haveAccount(a, true)
	return a, nil
}

func (m *Manager) haveAccount(a *client.Account, isNew bool) {
	m.mu.Lock()
	m.acct = a
	m.mu.Unlock()
	m.emit(Event{Kind: EventAccount, URL: a.URL(), New: isNew})
}

// forgetAccount makes the next look go to the CA.
func (m *Manager) forgetAccount(ctx context.Context) {
	m.mu.Lock()
	m.acct = nil
	m.mu.Unlock()
	all := m.knownAccounts(ctx)
	all[m.cfg.DirectoryURL] = knownAccount{Key: all[m.cfg.DirectoryURL].Key}
	m.saveAccounts(ctx, all)
}

// accountKey loads the key, or makes it. Of two that make it at once one wins,
// and both use that.
func (m *Manager) accountKey(ctx context.Context) (crypto.Signer, error) {
	name := m.accountKeyName(ctx)
	for range 2 {
		data, err := m.store.Load(ctx, name)
		if err == nil {
			return m.usableKey(name, data)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, m.fileError("account key", m.accountKeyPath(name), err)
		}
		key, err := client.GenerateKey(client.P256)
		if err != nil {
			return nil, err
		}
		pem, err := client.MarshalKey(key)
		if err != nil {
			return nil, err
		}
		if err = m.store.Create(ctx, name, pem); err == nil {
			return key, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, &FileError{What: "new account key", Path: m.accountKeyPath(name), Writing: true, Advice: "nothing was asked of the CA: make the directory, make room, or let the user that this runs as write there", Err: err}
		}
	}
	return nil, m.fileError("account key", m.accountKeyPath(name), errors.New("it appears and disappears"))
}

// accountKeyPath is the file of an account key, for people.
func (m *Manager) accountKeyPath(name string) string {
	if name == storage.AccountKey {
		return m.cfg.AccountKeyPath
	}
	return m.statePath(name)
}

// CheckAccountKey reads the account's key, if there is one, so that a key that
// can't be used is known before it is needed. It makes none.
func (m *Manager) CheckAccountKey(ctx context.Context) error {
	name := m.accountKeyName(ctx)
	data, err := m.store.Load(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return m.fileError("account key", m.accountKeyPath(name), err)
	}
	_, err = m.usableKey(name, data)
	return err
}

// usableKey is the account's key, if it can sign requests.
func (m *Manager) usableKey(name string, data []byte) (crypto.Signer, error) {
	key, err := client.ParseKey(data)
	if err == nil {
		_, err = m.client.Account(key, m.cfg.DirectoryURL) // looks at the key, and asks nobody
	}
	if err != nil {
		return nil, m.fileError("account key", m.accountKeyPath(name), err)
	}
	return key, nil
}

func (m *Manager) knownAccounts(ctx context.Context) map[string]knownAccount {
	all := make(map[string]knownAccount)
	if data, err := m.store.Load(ctx, storage.Accounts); err == nil {
		if err := json.Unmarshal(data, &all); err != nil {
			m.log.Warn("acme: the list of accounts does not parse; asking the CA", "err", err)
			return make(map[string]knownAccount)
		}
	}
	if all == nil { // "null"
		all = make(map[string]knownAccount)
	}
	return all
}

func (m *Manager) rememberAccount(ctx context.Context, a *client.Account) {
	all := m.knownAccounts(ctx)
	known := knownAccount{URL: a.URL(), Thumbprint: a.Thumbprint(), Email: m.cfg.Email}
	if name := m.accountKeyName(ctx); name != storage.AccountKey {
		known.Key = name
	}
	all[m.cfg.DirectoryURL] = known
	m.saveAccounts(ctx, all)
}

// saveAccounts may fail: the CA finds the account by its key.
func (m *Manager) saveAccounts(ctx context.Context, all map[string]knownAccount) {
	data, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = m.store.Save(ctx, storage.Accounts, data)
	}
	if err != nil {
		m.log.Warn("acme: the account's URL is not saved", "err", err)
	}
}

// changeContact tells the CA the configured address, now that it is another.
func (m *Manager) changeContact(ctx context.Context, a *client.Account) {
	contact := []string{}
	if m.cfg.Email != "" {
		contact = append(contact, m.cfg.Email)
	}
	if _, err := a.Update(ctx, client.AccountUpdate{Contact: contact}); err != nil {
		m.log.Warn("acme: the account's contact is not changed", "err", err)
		return
	}
	m.rememberAccount(ctx, a)
}

// agreeAgain agrees to terms of service that have changed, if that is what err is
// about (RFC 8555, Section 7.3.3).
func (m *Manager) agreeAgain(ctx context.Context, a *client.Account, err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || !errors.Is(p, client.ErrUserActionRequired) || p.TermsOfService == "" {
		return false
	}
	m.log.Warn("acme: the CA's terms of service have changed; agreeing to them", "terms", p.TermsOfService)
	if _, err := a.Update(ctx, client.AccountUpdate{AgreeTerms: true}); err != nil {
		m.log.Warn("acme: the CA does not take the agreement", "err", err)
		return false
	}
	return true
}

// accountTrouble explains an order that was refused because of the account.
func (m *Manager) accountTrouble(ctx context.Context, err error) error {
	o, ok := errors.AsType[*client.ObtainError](err)
	if !errors.Is(err, client.ErrUnauthorized) || (ok && len(o.Failed) > 0) {
		return err
	}
	key, keyErr := m.accountKey(ctx)
	if keyErr != nil {
		return err
	}
	if _, why := m.client.FindAccount(ctx, key); errors.Is(why, client.ErrUnauthorized) {
		m.mu.Lock()
		m.acct = nil // the next attempt takes the key that is there then
		m.mu.Unlock()
		return &AccountError{m.accountKeyPath(m.accountKeyName(ctx)), why}
	}
	return err
}
