// Command xcrypto is a small ACME client on golang.org/x/crypto/acme: the
// smallest example of what 'acme-e2e test-client' judges. It keeps its account
// key, gets one certificate by http-01, and writes chain and key.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

func main() {
	var o options
	flag.StringVar(&o.directory, "directory", "", "URL of the CA's directory")
	flag.StringVar(&o.ca, "ca", "", "PEM file of what to trust to reach it")
	flag.StringVar(&o.domains, "domains", "", "names, separated by commas")
	flag.StringVar(&o.port, "port", "80", "port to answer http-01 on")
	flag.StringVar(&o.account, "account", "account.pem", "file of the account's key")
	flag.StringVar(&o.cert, "cert", "cert.pem", "file for the chain")
	flag.StringVar(&o.key, "key", "key.pem", "file for its key")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if err := o.obtain(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "xcrypto:", err)
		os.Exit(1)
	}
}

type options struct{ directory, ca, domains, port, account, cert, key string }

func (o options) obtain(ctx context.Context) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	if _, err := client.Register(ctx, &acme.Account{}, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return err
	}
	names := strings.Split(o.domains, ",")
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(names...))
	if err != nil {
		return err
	}
	for _, url := range order.AuthzURLs {
		if err := o.authorize(ctx, client, url); err != nil {
			return err
		}
	}
	ready, err := client.WaitOrder(ctx, order.URI)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		return err
	}
	chain, _, err := client.CreateCertFromOrder(ctx, ready, csr, true)
	if err != nil {
		return err
	}
	if err := writeKey(o.key, key); err != nil {
		return err
	}
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return os.WriteFile(o.cert, text, 0o644)
}

// client has the key of earlier runs.
func (o options) client() (*acme.Client, error) {
	bundle, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	key, err := readKey(o.account)
	if errors.Is(err, os.ErrNotExist) {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
			err = writeKey(o.account, key)
		}
	}
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return &acme.Client{Key: key, DirectoryURL: o.directory, HTTPClient: &http.Client{Transport: transport}, UserAgent: "xcrypto-example/1"}, nil
}

// authorize answers the http-01 challenge of one authorization.
func (o options) authorize(ctx context.Context, client *acme.Client, url string) error {
	z, err := client.GetAuthorization(ctx, url)
	if err != nil || z.Status == acme.StatusValid {
		return err
	}
	for _, c := range z.Challenges {
		if c.Type != "http-01" {
			continue
		}
		response, err := client.HTTP01ChallengeResponse(c.Token)
		if err != nil {
			return err
		}
		stop, err := serve(":"+o.port, client.HTTP01ChallengePath(c.Token), response)
		if err != nil {
			return err
		}
		defer stop()
		if _, err := client.Accept(ctx, c); err != nil {
			return err
		}
		_, err = client.WaitAuthorization(ctx, z.URI)
		return err
	}
	return fmt.Errorf("no http-01 challenge for %s", z.Identifier.Value)
}

func serve(address, path, response string) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(response)) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(l) })
	return func() { _ = server.Close(); done.Wait() }, nil
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: no key in PEM", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an ECDSA key", file)
	}
	return key, nil
}
