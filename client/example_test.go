package client_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
)

// The example that names Let's Encrypt is compiled and not run; what it shows
// runs against Pebble in the other files.

func Example() {
	ctx := context.Background()
	c, err := client.New(client.Config{DirectoryURL: client.LetsEncryptStaging})
	if err != nil {
		log.Fatal(err)
	}
	key, err := client.GenerateKey(client.P256) // keep it: see client.MarshalKey
	if err != nil {
		log.Fatal(err)
	}
	acct, err := c.NewAccount(ctx, key, client.AccountOptions{Contact: []string{"admin@example.org"}, AgreeTerms: true})
	if err != nil {
		log.Fatal(err)
	}
	names, err := client.ParseIdentifiers("example.org", "www.example.org")
	if err != nil {
		log.Fatal(err)
	}
	solver := challenge.NewHTTP01(challenge.HTTP01Options{}) // on port 80, while a challenge is pending
	cert, err := acct.Obtain(ctx, client.Request{
		Identifiers: names,
		Solvers:     []client.SolverFor{{Type: challenge.HTTP01, Solver: solver}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cert.Leaf.NotAfter)
}

func ExampleRateLimited() {
	err := error(&client.Error{Step: "creating order", Err: &client.Problem{
		Type: "urn:ietf:params:acme:error:rateLimited", Status: 429, Detail: "too many certificates",
		RetryAfter: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}})
	if until, ok := client.RateLimited(err); ok {
		fmt.Println("come back at", until)
	}
	fmt.Println(client.Temporary(err), client.CallerFault(err))
	// Output:
	// come back at 2030-01-02 03:04:05 +0000 UTC
	// true false
}

func ExampleParseIdentifiers() {
	ids, err := client.ParseIdentifiers("Bücher.example", "*.example.org", "2001:db8::1")
	fmt.Println(ids, err)
	// Output: [{dns xn--bcher-kva.example} {dns *.example.org} {ip 2001:db8::1}] <nil>
}

func ExampleParseEABKey() {
	mac, err := client.ParseEABKey("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
	if err != nil {
		log.Fatal(err)
	}
	opts := client.AccountOptions{AgreeTerms: true, EAB: &client.ExternalAccountBinding{KeyID: "kid-1", Key: mac}}
	fmt.Println(len(opts.EAB.Key))
	// Output: 48
}

func ExampleNewCSR() {
	key, err := client.GenerateKey(client.P384)
	if err != nil {
		log.Fatal(err)
	}
	ids, err := client.ParseIdentifiers("example.org")
	if err != nil {
		log.Fatal(err)
	}
	der, err := client.NewCSR(key, ids, true)
	if err != nil {
		log.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	fmt.Println(csr.DNSNames, err)
	// Output: [example.org] <nil>
}
