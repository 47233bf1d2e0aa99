package pebbleharness_test

import (
	"context"
	"fmt"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// A CA, a certificate from it, and what the CA says of the certificate.
func Example() {
	ctx := context.Background()
	ca, err := pebbleharness.Start(ctx, pebbleharness.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ca.Close()

	acme, err := client.New(client.Config{DirectoryURL: ca.DirectoryURL(), RootCAs: ca.Pool()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer acme.Close()
	key, _ := client.GenerateKey(client.P256)
	account, err := acme.NewAccount(ctx, key, client.AccountOptions{AgreeTerms: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	names, _ := client.ParseIdentifiers("www.example.org")
	solver := challenge.NewHTTP01(challenge.HTTP01Options{Address: fmt.Sprintf("127.0.0.1:%d", ca.HTTPPort)})
	cert, err := account.Obtain(ctx, client.Request{
		Identifiers: names,
		Solvers:     []client.SolverFor{{Type: challenge.HTTP01, Solver: solver}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	status, ok := ca.Status(cert.Leaf.SerialNumber)
	fmt.Println(cert.Leaf.DNSNames, ok, status.Revoked)
	// Output: [www.example.org] true false
}
