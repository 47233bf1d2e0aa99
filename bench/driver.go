package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"time"
)

// A driver is one client library at work, with an account of its own. Obtain is
// called from several goroutines at once.
type driver interface {
	// Register makes ready: directory, account, connection.
	Register(ctx context.Context) error
	// Obtain returns the leaf certificate (DER) for names and a fresh P-256 key.
	Obtain(ctx context.Context, names []string) ([]byte, error)
}

// environment is what every driver gets alike.
type environment struct {
	Directory    string
	RoundTripper http.RoundTripper
	Responder    *responder
	Unlimited    bool
}

func (e environment) httpClient() *http.Client { return &http.Client{Transport: e.RoundTripper} }

// The clients of the table. The first two are quick; the others are the peers.
const (
	ours     = "ours"
	theFloor = "floor"
	xcrypto  = "x/crypto"
	acmezV3  = "acmez"
	legoV5   = "lego"
)

func clients() []string { return []string{theFloor, ours, xcrypto, acmezV3, legoV5} }

func isPeer(name string) bool { return name != ours && name != theFloor }

func newDriver(name string, e environment) (driver, error) {
	switch name {
	case ours:
		return newOurs(e)
	case theFloor:
		return newFloor(e), nil
	case xcrypto:
		return newXCrypto(e)
	case acmezV3:
		return newAcmez(e)
	case legoV5:
		return newLego(e)
	}
	return nil, fmt.Errorf("no client %q; there are %v", name, clients())
}

// transport is the same for all clients: that of the standard library with
// HTTP/2, idle connections for all that fly at once, and the CA's root.
func transport(rootPEM []byte) (*http.Transport, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(rootPEM) {
		return nil, fmt.Errorf("the CA's root is not PEM")
	}
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression:  true,
	}, nil
}
