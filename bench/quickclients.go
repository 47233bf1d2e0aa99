package main

import (
	"context"
	"encoding/pem"
	"errors"

	"github.com/acme-e2e/acme-e2e/bench/floor"
	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
)

// oursDriver is this module's client, with its defaults.
type oursDriver struct {
	client  *client.Client
	account *client.Account
	solvers []client.SolverFor
}

func newOurs(e environment) (driver, error) {
	c, err := client.New(client.Config{DirectoryURL: e.Directory, Transport: e.RoundTripper})
	if err != nil {
		return nil, err
	}
	return &oursDriver{client: c, solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: e.Responder.solver()}}}, nil
}

func (d *oursDriver) Register(ctx context.Context) error {
	key, err := client.GenerateKey(client.P256)
	if err != nil {
		return err
	}
	d.account, err = d.client.NewAccount(ctx, key, client.AccountOptions{AgreeTerms: true})
	return err
}

func (d *oursDriver) Obtain(ctx context.Context, names []string) ([]byte, error) {
	ids, err := client.ParseIdentifiers(names...)
	if err != nil {
		return nil, err
	}
	cert, err := d.account.Obtain(ctx, client.Request{Identifiers: ids, Solvers: d.solvers})
	if err != nil {
		return nil, err
	}
	return cert.Chain[0], nil
}

// floorDriver does only what the protocol needs.
type floorDriver struct{ *floor.Client }

func newFloor(e environment) driver {
	return floorDriver{&floor.Client{Directory: e.Directory, Transport: e.RoundTripper, Responder: floorResponder{e.Responder}}}
}

func (d floorDriver) Obtain(ctx context.Context, names []string) ([]byte, error) {
	chain, _, err := d.Client.Obtain(ctx, names)
	if err != nil {
		return nil, err
	}
	return leafOf(chain)
}

type floorResponder struct{ r *responder }

func (f floorResponder) Present(token, keyAuthorization string) <-chan struct{} {
	return f.r.present(token, keyAuthorization)
}
func (f floorResponder) CleanUp(token string) { f.r.remove(token) }

func leafOf(chain []byte) ([]byte, error) {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("no PEM in the answer")
	}
	return block.Bytes, nil
}
