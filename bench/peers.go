package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"
	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/lego"
	legolog "github.com/go-acme/lego/v5/log"
	"github.com/go-acme/lego/v5/registration"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	xacme "golang.org/x/crypto/acme"
)

// The peers keep their own defaults for polling, pacing and retries; only the
// HTTP transport is ours.

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// xcryptoDriver is golang.org/x/crypto/acme, which has no function for the
// whole way: this is how its autocert goes it, for several names.
type xcryptoDriver struct {
	client    *xacme.Client
	responder *responder
}

func newXCrypto(e environment) (driver, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return &xcryptoDriver{&xacme.Client{Key: key, HTTPClient: e.httpClient(), DirectoryURL: e.Directory}, e.Responder}, nil
}

func (d *xcryptoDriver) Register(ctx context.Context) error {
	_, err := d.client.Register(ctx, &xacme.Account{}, xacme.AcceptTOS)
	return err
}

func (d *xcryptoDriver) Obtain(ctx context.Context, names []string) ([]byte, error) {
	o, err := d.client.AuthorizeOrder(ctx, xacme.DomainIDs(names...))
	if err != nil {
		return nil, err
	}
	for _, url := range o.AuthzURLs {
		if err := d.authorize(ctx, url); err != nil {
			return nil, err
		}
	}
	url := o.URI
	if o, err = d.client.WaitOrder(ctx, url); err != nil {
		return nil, err
	}
	o.URI = url
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := d.client.CreateCertFromOrder(ctx, o, csr, true)
	if err != nil {
		return nil, err
	}
	return chain[0], nil
}

func (d *xcryptoDriver) authorize(ctx context.Context, url string) error {
	z, err := d.client.GetAuthorization(ctx, url)
	if err != nil || z.Status != xacme.StatusPending {
		return err
	}
	for _, ch := range z.Challenges {
		if ch.Type != "http-01" {
			continue
		}
		response, err := d.client.HTTP01ChallengeResponse(ch.Token)
		if err != nil {
			return err
		}
		d.responder.present(ch.Token, response)
		defer d.responder.remove(ch.Token)
		if _, err := d.client.Accept(ctx, ch); err != nil {
			return err
		}
		_, err = d.client.WaitAuthorization(ctx, z.URI)
		return err
	}
	return errors.New("no http-01")
}

// acmezDriver is github.com/mholt/acmez/v3.
type acmezDriver struct {
	client  *acmez.Client
	account acme.Account
}

type acmezSolver struct{ r *responder }

func (s acmezSolver) Present(_ context.Context, ch acme.Challenge) error {
	s.r.present(ch.Token, ch.KeyAuthorization)
	return nil
}

func (s acmezSolver) CleanUp(_ context.Context, ch acme.Challenge) error {
	s.r.remove(ch.Token)
	return nil
}

func newAcmez(e environment) (driver, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return &acmezDriver{
		client: &acmez.Client{
			Client:           &acme.Client{Directory: e.Directory, HTTPClient: e.httpClient()},
			ChallengeSolvers: map[string]acmez.Solver{acme.ChallengeTypeHTTP01: acmezSolver{e.Responder}},
		},
		account: acme.Account{TermsOfServiceAgreed: true, PrivateKey: key},
	}, nil
}

func (d *acmezDriver) Register(ctx context.Context) (err error) {
	d.account, err = d.client.NewAccount(ctx, d.account)
	return err
}

func (d *acmezDriver) Obtain(ctx context.Context, names []string) ([]byte, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	certs, err := d.client.ObtainCertificateForSANs(ctx, d.account, key, names)
	if err != nil {
		return nil, err
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate and no error")
	}
	return leafOf(certs[0].ChainPEM)
}

// legoDriver is github.com/go-acme/lego/v5.
type legoDriver struct {
	client *lego.Client
	user   *legoUser
}

type legoUser struct {
	key          crypto.Signer
	registration *legoacme.ExtendedAccount
}

func (u *legoUser) GetEmail() string                           { return "" }
func (u *legoUser) GetRegistration() *legoacme.ExtendedAccount { return u.registration }
func (u *legoUser) GetPrivateKey() crypto.Signer               { return u.key }

type legoSolver struct{ r *responder }

func (s legoSolver) Present(_ context.Context, _, token, keyAuth string) error {
	s.r.present(token, keyAuth)
	return nil
}

func (s legoSolver) CleanUp(_ context.Context, _, token, _ string) error {
	s.r.remove(token)
	return nil
}

func newLego(e environment) (driver, error) {
	legolog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.Level(math.MaxInt32)})))
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	user := &legoUser{key: key}
	config := lego.NewConfig(user)
	config.CADirURL = e.Directory
	config.HTTPClient = e.httpClient()
	if e.Unlimited {
		config.Certificate.OverallRequestLimit = math.MaxInt32
	}
	c, err := lego.NewClient(config)
	if err != nil {
		return nil, err
	}
	return &legoDriver{c, user}, c.Challenge.SetHTTP01Provider(legoSolver{e.Responder})
}

func (d *legoDriver) Register(ctx context.Context) (err error) {
	d.user.registration, err = d.client.Registration.Register(ctx, registration.RegisterOptions{TermsOfServiceAgreed: true})
	return err
}

func (d *legoDriver) Obtain(ctx context.Context, names []string) ([]byte, error) {
	got, err := d.client.Certificate.Obtain(ctx, certificate.ObtainRequest{Domains: names, KeyType: certcrypto.EC256})
	if err != nil {
		return nil, err
	}
	return leafOf(got.Certificate)
}
