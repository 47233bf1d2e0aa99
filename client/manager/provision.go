package manager

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/storage"
)

// mode is how eager a look is.
type mode int

const (
	inLoop mode = iota // due at the moment picked in the CA's window
	asked              // CheckNow: the same, and the CA is asked now
	atOnce             // ProvisionIfNeeded: due as soon as the CA's window has begun
	forced             // Provision: due
)

// Outcome is what a look at the certificate led to.
type Outcome struct {
	Renewed bool   // a new certificate is in place
	Status  Status // why, when Renewed; and else how things stand
	// Certificate is the one in place.
	Certificate *x509.Certificate
}

// ProvisionIfNeeded does nothing while the certificate in the store is good: it
// is there, parses, matches its key, is for exactly the configured names, is not
// about to expire and not inside the window that the CA suggests for its
// renewal. Else it provisions. One that is not valid yet is left alone, with a
// warning about the clock. An order that a killed process left is gone on
// with.
//
// When another process is provisioning the same files it waits, and takes what
// that one got.
func (m *Manager) ProvisionIfNeeded(ctx context.Context) error {
	_, err := m.ensure(ctx, atOnce)
	return err
}

// Provision gets a new certificate, whatever the one in the store is like.
func (m *Manager) Provision(ctx context.Context) error {
	_, err := m.ensure(ctx, forced)
	return err
}

// CheckNow does what RunRenewalLoop does when its time has come: it looks at the
// certificate, asks the CA when to renew it, however short ago it was asked
// last, and renews it if that is due.
func (m *Manager) CheckNow(ctx context.Context) (Outcome, error) { return m.ensure(ctx, asked) }

// ensure looks and, where needed, orders. It sets the time of the loop's next
// look whoever called it.
func (m *Manager) ensure(ctx context.Context, how mode) (Outcome, error) {
	if err := m.enter(ctx); err != nil {
		return Outcome{}, err
	}
	defer m.leave()
	out, err := m.work(ctx, how)
	if err != nil {
		if ctx.Err() == nil {
			m.failedNow(ctx, err)
		}
		return out, err
	}
	m.done(out)
	return out, nil
}

func (m *Manager) work(ctx context.Context, how mode) (Outcome, error) {
	st, err := m.assess(ctx, how)
	if err != nil {
		return Outcome{}, err
	}
	if st.State == Good && !m.unsettled() {
		m.announceLate(ctx, st.Certificate)
		return Outcome{Status: st, Certificate: st.Certificate}, nil
	}
	unlock, err := m.store.Lock(ctx, func() { m.emit(Event{Kind: EventWaiting, Status: st}) })
	if err != nil {
		if ctx.Err() != nil {
			return Outcome{}, fmt.Errorf("acme: waiting for the lock %s: %w", m.statePath("lock"), err)
		}
		return Outcome{}, &FileError{What: "lock", Path: m.statePath("lock"), Err: err, Writing: true,
			Advice: "nothing was ordered: make the directory, make room, or let the user that this runs as write there"}
	}
	out, err := m.workLocked(ctx, how)
	if unlockErr := unlock(); unlockErr != nil {
		m.log.Warn("acme: releasing the lock", "err", unlockErr)
	}
	switch {
	case out.Renewed:
		m.announce(ctx, out.Certificate)
		m.renewalInfo(ctx, out.Certificate, false) // RFC 9773, Section 4.3: right after the issuance
	case err == nil:
		m.announceLate(ctx, out.Certificate)
	}
	return out, err
}

// unsettled reports whether a crash left something for Lock to complete.
func (m *Manager) unsettled() bool {
	s, ok := m.store.(interface{ Unsettled() bool })
	return ok && s.Unsettled()
}

func (m *Manager) workLocked(ctx context.Context, how mode) (Outcome, error) {
	// Again: the process that had the lock may have done it.
	again := how
	if how == asked {
		again = inLoop
	}
	st, err := m.assess(ctx, again)
	if err == nil && st.State == Unfinished {
		if p, pendingErr := m.resumable(ctx, "", st.Certificate); p == nil { // it was finished, but for its removal
			st.State, st.Detail, err = Good, "", pendingErr
		}
	}
	if err != nil || st.State == Good {
		return Outcome{Status: st, Certificate: st.Certificate}, err
	}
	if c, ok := m.store.(storage.Checker); ok {
		if err := c.Check(ctx); err != nil {
			return Outcome{Status: st}, &FileError{What: "certificate", Path: m.cfg.CertPath, Err: err, Writing: true,
				Advice: "nothing was ordered: make the directory, make room, or let the user that this runs as write there"}
		}
	}
	leaf, err := m.renew(ctx, st, how)
	if err != nil && st.State == Unfinished && ctx.Err() == nil {
		// The certificate in place is good: its server shall not suffer.
		m.log.Warn("acme: the order that was being finalized is not finished yet", "err", err)
		st.State, st.Detail = Good, ""
		return Outcome{Status: st, Certificate: st.Certificate}, nil
	}
	if err != nil {
		return Outcome{Status: st}, err
	}
	return Outcome{Renewed: true, Status: st, Certificate: leaf}, nil
}

// assess looks at the store, serves what is whole there, and says whether it is
// due.
func (m *Manager) assess(ctx context.Context, how mode) (Status, error) {
	cert, st, err := m.look(ctx)
	if err != nil {
		return st, err
	}
	if cert != nil {
		m.adopt(cert)
	}
	switch {
	case how == forced:
		st.State, st.Detail = Forced, "it was asked for"
		return st, nil
	case st.State == NotYet: // another would not be valid sooner: it is the clock that is wrong
		m.log.Warn("acme: the certificate in place is not valid yet", "detail", st.Detail)
		st.State, st.Detail = Good, ""
	case st.State != Good:
		return st, nil
	}
	n := m.renewalInfo(ctx, st.Certificate, how == asked)
	suggested := n.Pick
	if how == atOnce {
		suggested = n.Window.Start
	}
	if st = m.judge(st, n, suggested); st.State != Good {
		if now := m.clock.Now(); how == atOnce && now.Before(n.RetryAt) && now.Before(st.Certificate.NotAfter) {
			m.log.Warn("acme: renewing failed a short while ago; the certificate in place is still good", "failures", n.Failed, "next", n.RetryAt)
			st.State, st.Detail, st.RenewAt = Good, "", n.RetryAt
		}
		return st, nil
	}
	if p, err := m.loadPending(ctx); err != nil {
		return st, err
	} else if p != nil && p.Finalizing && m.sameNames(p.Identifiers) {
		st.State, st.Detail = Unfinished, "an order was being finalized when the process ended"
	}
	return st, nil
}

// renew gets a certificate, saves and serves it. The store is locked.
func (m *Manager) renew(ctx context.Context, why Status, how mode) (*x509.Certificate, error) {
	account, err := m.account(ctx)
	if err != nil {
		return nil, err
	}
	cert, err := m.obtain(ctx, account, why)
	switch {
	case errors.Is(err, client.ErrAccountDoesNotExist): // the CA lost it: RFC 8555, Section 7.3.1
		m.log.Warn("acme: the CA doesn't know the account; registering its key again", "account", account.URL())
		m.forgetAccount(ctx)
		if account, err = m.account(ctx); err != nil {
			return nil, err
		}
		cert, err = m.obtain(ctx, account, why)
	case m.cfg.AgreeTerms && m.agreeAgain(ctx, account, err):
		cert, err = m.obtain(ctx, account, why)
	}
	if err != nil {
		return nil, m.accountTrouble(ctx, err)
	}
	m.emit(Event{Kind: EventIssued, Certificate: cert.Leaf, URL: cert.URL})
	return cert.Leaf, m.keep(ctx, cert, why, how)
}

// obtain goes on with the pending order or makes one.
func (m *Manager) obtain(ctx context.Context, account *client.Account, why Status) (*client.Certificate, error) {
	pending, err := m.resumable(ctx, account.URL(), why.Certificate)
	if err != nil {
		return nil, err
	}
	resumed := pending
	r := client.Request{Identifiers: m.ids, KeyType: m.cfg.KeyType, Solvers: m.o.Solvers, Profile: m.cfg.Profile, Replaces: m.replaces(ctx, why),
		Chain: m.o.Chain, Roots: m.o.Roots, Resume: pending}
	m.emit(Event{Kind: EventOrdering, Status: why, Replaces: r.Replaces, Resumed: resumed != nil})
	r.OnPending = func(ctx context.Context, p client.Pending) error {
		if err := m.savePending(ctx, p); err != nil {
			return &FileError{What: "pending order", Path: m.statePath(storage.Pending), Err: err, Writing: true,
				Advice: "the certificate was not asked for: make the directory, make room, or let the user that this runs as write there"}
		}
		kind := EventOrder
		if p.Finalizing {
			kind = EventFinalizing
		}
		m.emit(Event{Kind: kind, URL: p.OrderURL, Replaces: p.Replaces})
		return nil
	}
	cert, err := account.Obtain(ctx, r)
	if resumed != nil && ofNames(err) && ctx.Err() == nil {
		// The CA looked for the responses of the process that died.
		m.log.Info("acme: the pending order failed; ordering again", "err", err)
		if r.Resume, err = m.resumable(ctx, account.URL(), why.Certificate); err != nil {
			return nil, err
		}
		cert, err = account.Obtain(ctx, r)
	}
	if err != nil && resumed != nil && resumed.Finalizing && !client.Temporary(err) && ctx.Err() == nil && !errors.Is(err, client.ErrAccountDoesNotExist) && !m.clockIsWrong(err) {
		if dropErr := m.dropPending(ctx, resumed); dropErr != nil { // the next attempt starts over
			m.log.Warn("acme: the pending order is not set aside", "err", dropErr)
		}
	}
	return cert, err
}

// ofNames reports whether an issuance failed because names could not be proved.
func ofNames(err error) bool {
	o, ok := errors.AsType[*client.ObtainError](err)
	return ok && len(o.Failed) > 0
}

// clockIsWrong reports whether a certificate was refused for its dates although
// they hold by the CA's clock. It is waited for then: another would be the same.
func (m *Manager) clockIsWrong(err error) bool {
	v, ok := errors.AsType[*client.VerificationError](err)
	if !ok || v.Reason != "dates" || v.Skew == 0 {
		return false
	}
	leaf, err := x509.ParseCertificate(v.Chain[0])
	now := m.clock.Now().Add(v.Skew)
	return err == nil && !now.Before(leaf.NotBefore) && now.Before(leaf.NotAfter)
}

// replaces is the identifier of the certificate that is renewed, for CAs that
// have renewal information (RFC 9773, Section 5).
func (m *Manager) replaces(ctx context.Context, why Status) string {
	if why.Certificate == nil || why.State == WrongNames || why.State == Mismatched || m.loadNotes(ctx).of(why.Certificate).foreign(m.cfg.DirectoryURL) {
		return ""
	}
	if d, err := m.client.Directory(ctx); err != nil || d.RenewalInfo == "" {
		return ""
	}
	id, err := client.CertID(why.Certificate)
	if err != nil {
		return ""
	}
	return id
}

// keep puts the pair in its place and ends the pending order. What is on disk at
// each moment leads a restarted process to the same end.
func (m *Manager) keep(ctx context.Context, cert *client.Certificate, why Status, how mode) error {
	ctx = context.WithoutCancel(ctx) // what has been issued is kept
	key, err := client.MarshalKey(cert.Key)
	if err != nil {
		return err
	}
	n := notes{Fingerprint: fingerprint(cert.Leaf), Directory: m.cfg.DirectoryURL, URL: cert.URL, IssuedAt: m.clock.Now().Round(0), Announce: len(m.o.Hooks) > 0}
	if old := why.Certificate; old != nil && how != forced && (why.State == Suggested || why.State == Expiring) {
		was := m.loadNotes(ctx).of(old)
		begun := was.IssuedAt
		if begun.IsZero() {
			begun = old.NotBefore
		}
		if early(old, begun, n.IssuedAt, why.State == Suggested, m.cfg.RenewBeforeDays) {
			n.Hasty = was.Hasty + 1
		}
	}
	m.saveNotes(ctx, n)
	pair := storage.Pair{Chain: cert.PEM, Key: key}
	if err := m.store.Save(ctx, storage.Certificate, pair.Encode()); err != nil {
		return &FileError{What: "new certificate", Path: m.cfg.CertPath, Err: err, Writing: true,
			Advice: "the pending order and its key are kept, so the next attempt goes on from there"}
	}
	m.emit(Event{Kind: EventStored, Certificate: cert.Leaf})
	if err := m.store.Delete(ctx, storage.Pending); err != nil {
		m.log.Warn("acme: the finished order is not removed", "err", err)
	}
	m.adopt(&tls.Certificate{Certificate: cert.Chain, PrivateKey: cert.Key, Leaf: cert.Leaf})
	return nil
}

// announce runs the hooks for a new certificate.
func (m *Manager) announce(ctx context.Context, leaf *x509.Certificate) {
	if len(m.o.Hooks) == 0 {
		return
	}
	m.runHooks(ctx, leaf)
	n := m.loadNotes(ctx).of(leaf)
	n.Announce = false
	m.saveNotes(ctx, n)
}

// announceLate does so when the process that got the certificate could not.
func (m *Manager) announceLate(ctx context.Context, leaf *x509.Certificate) {
	if n := m.loadNotes(ctx).of(leaf); n.Announce {
		m.announce(ctx, leaf)
	}
}
