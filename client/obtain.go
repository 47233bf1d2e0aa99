package client

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// Issuing: the road of RFC 8555, Section 7.1, from order to verified certificate.

// SolverFor says which solver answers challenges of a type.
type SolverFor struct {
	Type   string // challenge.HTTP01, ...
	Solver challenge.Solver
}

// Request is what to obtain. Identifiers (or CSR) and Solvers are needed; a
// solver is not, where every authorization is valid already.
type Request struct {
	Identifiers []Identifier

	// Key is the certificate's key; nil makes a new one of KeyType. It must not
	// be the account's.
	Key     crypto.Signer
	KeyType KeyType
	// CSR is a request (DER) of the caller's own, in place of Key; its names are
	// ordered, and Identifiers may be left out.
	CSR []byte

	// Solvers in order of preference. When a challenge fails for reasons of its
	// own, the next type that the CA offers for the name is tried, on a fresh
	// order where need be.
	Solvers []SolverFor

	Profile             string    // one of Directory.Profiles
	NotBefore, NotAfter time.Time // zero: the CA's choice
	Replaces            string    // CertID of the certificate that this renews; dropped where the CA refuses it
	MustStaple          bool
	SCT                 bool // warn when the certificate has no timestamps of certificate transparency (RFC 6962)

	Chain ChainPreference
	// Roots, when given, must be able to verify the chain.
	Roots *x509.CertPool
	// AcceptInvalid hands out a certificate that fails verification, with
	// Certificate.Invalid set, rather than an error.
	AcceptInvalid bool

	// OnPending is called with what must be kept to resume: after the order was
	// made, and again before the CSR is sent. Its error ends the issuance.
	OnPending func(context.Context, Pending) error
	// Resume goes on with an issuance that was interrupted; where the CA no
	// longer has the order, a new one is made.
	Resume *Pending
}

// Certificate is what Obtain returns.
type Certificate struct {
	Chain  [][]byte // DER, the leaf first
	PEM    []byte   // the same
	Leaf   *x509.Certificate
	Key    crypto.Signer // nil when the caller sent a CSR without Key
	Issued []Identifier  // what it is for, in the spelling that was ordered

	URL, OrderURL string
	Alternates    []string           // URLs of other chains: see Account.Certificate
	Warnings      []string           // what was asked for and not granted
	Invalid       *VerificationError // with Request.AcceptInvalid only
}

// cleanupTime limits what is done after the caller's context has ended.
const cleanupTime = 30 * time.Second

// issuance is the state of one Obtain.
type issuance struct {
	a                     *Account
	c                     *Client
	r                     *Request
	ids                   []Identifier
	wild                  bool // there is a wildcard among them
	key                   crypto.Signer
	csr                   []byte
	public                crypto.PublicKey
	pending               Pending
	excluded              map[attempted]error // why a type is not tried (again) for a name
	warnings              []string
	orderURL, finalizeURL string
	again                 bool // an order was gone before it was finished
}

// attempted is a challenge type tried for an identifier; one without identifier
// stands for all.
type attempted struct {
	id   Identifier
	kind string
}

// Obtain gets a certificate: it orders, works on all authorizations at once,
// finalizes, downloads and verifies. The error is an *ObtainError that lists
// each failed name. Whatever was presented is cleaned up when it returns, also
// when ctx has ended; authorizations left pending are deactivated, unless the
// order can be resumed.
//
// A CA may give one order to two Obtains of the same names that run at once;
// the one that comes second fails then, so callers had better not do that.
// When the account is gone (ErrAccountDoesNotExist) it is the caller who decides
// whether NewAccount, with the same key, makes it again.
func (a *Account) Obtain(ctx context.Context, r Request) (*Certificate, error) {
	is := &issuance{a: a, c: a.c, r: &r, excluded: make(map[attempted]error)}
	if err := is.prepare(); err != nil {
		return nil, is.failed(err, nil)
	}
	if _, err := a.c.Directory(ctx); err != nil {
		return nil, is.failed(err, nil)
	}
	is.checkSolvers(ctx)
	var failures []Failure
	for range len(r.Solvers) + 3 { // each round excludes a challenge type for some name
		cert, failed, err := is.round(ctx)
		if err == nil && len(failed) == 0 {
			return cert, nil
		}
		if is.orderGone(err) && ctx.Err() == nil {
			is.c.log.InfoContext(ctx, "acme: the order is gone; making a new one", "order", is.orderURL, "err", err)
			is.again = true
			continue
		}
		failures = failed
		if err != nil || !is.fallBack(ctx, failed) {
			return nil, is.failed(err, failed)
		}
	}
	return nil, is.failed(nil, failures)
}

// orderGone reports, once, whether an issuance failed because its order expired
// or the CA has forgotten it. Another can then be had for the same key.
func (is *issuance) orderGone(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || is.again {
		return false
	}
	p, isProblem := errors.AsType[*Problem](err)
	return errors.Is(err, errExpired) || isProblem && p.Status == http.StatusNotFound && (e.URL == is.orderURL || e.URL == is.finalizeURL)
}

func (is *issuance) failed(err error, failures []Failure) error {
	ids := is.ids
	if ids == nil {
		ids = is.r.Identifiers
	}
	return &ObtainError{Identifiers: ids, OrderURL: is.orderURL, Failed: failures, Err: err}
}

// prepare settles names, key and CSR before anything is asked of the CA.
func (is *issuance) prepare() error {
	r := is.r
	ids := r.Identifiers
	var own *x509.CertificateRequest
	if len(r.CSR) > 0 {
		csr, named, err := readCSR(r.CSR)
		if err != nil {
			return err
		}
		if len(ids) > 0 && !sameIdentifiers(ids, named) {
			return fmt.Errorf("acme: the CSR is for %s, the request for %s", joinIdentifiers(named), joinIdentifiers(ids))
		}
		own, ids = csr, named
	}
	var err error
	if is.ids, err = normalise(ids); err != nil {
		return err
	}
	is.wild = slices.ContainsFunc(is.ids, Identifier.Wildcard)
	if r.Resume != nil {
		err := is.resumable()
		if err == nil {
			return is.checkKey()
		}
		is.c.log.Warn("acme: not resuming the pending order", "order", r.Resume.OrderURL, "err", err)
	}
	is.pending = Pending{AccountURL: is.a.url, Identifiers: is.ids, Profile: r.Profile, Replaces: r.Replaces}
	if own != nil {
		is.csr, is.public, is.key = r.CSR, own.PublicKey, r.Key
		is.pending.CSR = is.csr
		return is.checkKey()
	}
	return is.makeKey()
}

func (is *issuance) makeKey() (err error) {
	if is.key = is.r.Key; is.key == nil {
		if is.key, err = GenerateKey(is.r.KeyType); err != nil {
			return err
		}
		if is.r.OnPending != nil {
			pem, err := MarshalKey(is.key)
			if err != nil {
				return err
			}
			is.pending.Key = string(pem)
		}
	}
	is.public = is.key.Public()
	if err := is.checkKey(); err != nil {
		return err
	}
	if is.csr, err = NewCSR(is.key, is.ids, is.r.MustStaple); err != nil {
		return err
	}
	is.pending.CSR = is.csr
	return nil
}

// resumable takes key and CSR over from the pending issuance.
func (is *issuance) resumable() error {
	p := is.r.Resume
	if p.AccountURL != "" && p.AccountURL != is.a.url {
		return fmt.Errorf("acme: the pending order is another account's")
	}
	key, csr, err := p.usable(is.ids, is.r.Key, len(is.r.CSR) > 0)
	if err != nil {
		return err
	}
	if len(is.r.CSR) > 0 && !bytes.Equal(is.r.CSR, p.CSR) {
		return fmt.Errorf("acme: the pending order's CSR is another")
	}
	is.pending, is.key, is.csr, is.public = *p, key, p.CSR, csr.PublicKey
	is.pending.AccountURL = is.a.url
	return nil
}

// checkKey: RFC 8555, Section 11.1.
func (is *issuance) checkKey() error {
	if samePublicKey(is.a.Key().Public(), is.public) {
		return fmt.Errorf("%w: make another key for the certificate", ErrKeyInUse)
	}
	return nil
}

// checkSolvers asks the solvers that can tell whether they will be able to
// present, so that those which can't cost nothing at the CA.
func (is *issuance) checkSolvers(ctx context.Context) {
	for _, s := range is.r.Solvers {
		if checker, ok := s.Solver.(challenge.Checker); ok {
			if err := checker.Check(ctx); err != nil {
				is.excluded[attempted{kind: s.Type}] = err
			}
		}
	}
}

// unusable is the errors of the solvers' checks, when none passed.
func (is *issuance) unusable() error {
	var errs []error
	for _, s := range is.r.Solvers {
		err := is.excluded[attempted{kind: s.Type}]
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.Type, err))
	}
	return errors.Join(errs...)
}

// round goes the whole way once. Failures are of names, err is of the rest.
func (is *issuance) round(ctx context.Context) (cert *Certificate, failed []Failure, err error) {
	if err := is.unusable(); err != nil && is.r.Resume == nil {
		return nil, nil, err
	}
	o, resumed, stop, err := is.order(ctx)
	defer stop()
	if err != nil {
		return nil, nil, err
	}
	is.orderURL, is.finalizeURL = o.URL, o.FinalizeURL
	if !is.a.claim(o.URL) {
		return nil, nil, fmt.Errorf("order %s is being worked on by another Obtain of this account", o.URL)
	}
	defer is.a.release(o.URL)
	s := &solving{is: is, order: o}
	defer s.end(ctx)
	if !resumed {
		if o.Status == StatusProcessing || o.Status == StatusValid {
			return nil, nil, wrapf(ErrRefused, "the CA gave a new order that is %s already: %s", o.Status, o.URL)
		}
		is.pending.OrderURL, is.pending.Finalizing = o.URL, false
		if err := is.keep(ctx); err != nil {
			s.abandon(ctx, err) // nobody could resume it
			return nil, nil, err
		}
	}
	if o.Status == StatusPending || o.Status == StatusInvalid {
		if failed, err = s.validate(ctx); err != nil || len(failed) > 0 {
			s.abandon(ctx, err)
			return nil, failed, err
		}
	}
	s.cleanUp(ctx)
	cert, err = is.finish(ctx, s.order)
	if err != nil {
		failed = perName(err)
	}
	return cert, failed, err
}

func (is *issuance) keep(ctx context.Context) error {
	if is.r.OnPending == nil {
		return nil
	}
	if err := is.r.OnPending(ctx, is.pending); err != nil {
		return fmt.Errorf("keeping the pending order: %w", err)
	}
	return nil
}

// order resumes the pending order or makes a new one, fetching nonces for what
// comes next meanwhile. stop ends that fetching and is never nil.
func (is *issuance) order(ctx context.Context) (o *Order, resumed bool, stop func(), err error) {
	stop = func() {}
	if is.r.Resume != nil && is.pending.OrderURL == is.r.Resume.OrderURL && is.pending.OrderURL != "" {
		url := is.pending.OrderURL
		is.r.Resume = nil // once
		o, err := is.a.Order(ctx, url)
		switch {
		case err == nil && o.Status != StatusInvalid && o.matches(is.ids) == nil && (o.Expires.IsZero() || o.Expires.After(is.c.clock.Now()) || o.Status == StatusValid):
			return o, true, stop, nil
		case err != nil && !CallerFault(err):
			return nil, false, stop, err
		}
		is.c.log.InfoContext(ctx, "acme: pending order is gone; making a new one", "order", url, "err", err)
		is.pending.Finalizing = false
	}
	is.r.Resume = nil
	if n := min(len(is.ids), is.c.cfg.Parallel); n > 1 {
		stop = is.c.prefetch(ctx, n)
	}
	o, err = is.newOrder(ctx)
	return o, false, stop, err
}

func (is *issuance) newOrder(ctx context.Context) (*Order, error) {
	r := OrderRequest{Identifiers: is.ids, NotBefore: is.r.NotBefore, NotAfter: is.r.NotAfter, Profile: is.r.Profile, Replaces: is.r.Replaces}
	o, err := is.a.NewOrder(ctx, r)
	if err != nil && r.Replaces != "" && replacesRefused(err) {
		is.warnings = append(is.warnings, "the CA refused the order as a replacement: "+plain(err))
		is.r.Replaces, is.pending.Replaces = "", ""
		r.Replaces = ""
		o, err = is.a.NewOrder(ctx, r)
	}
	return o, err
}

// replacesRefused: RFC 9773, Section 5. CAs differ in how they refuse an unknown
// certificate; an order without replaces tells whether that was the reason.
func replacesRefused(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && (p.is(ErrAlreadyReplaced) || p.is(ErrMalformed) || p.is(ErrUnauthorized) ||
		p.Status == http.StatusNotFound || p.Status == http.StatusConflict)
}
