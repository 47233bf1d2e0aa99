package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// The examples in this file run against the module's own CA, for Pebble has no
// newAuthz and never changes its terms.

func startMock() (*mockca.CA, *client.Account) {
	ctx := context.Background()
	policy := mockca.DefaultPolicy()
	policy.TermsOfService = "https://ca.example/terms/1"
	ca, err := mockca.Start(ctx, mockca.Options{Policy: &policy, Validation: mockca.Validation{Off: true}})
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{DirectoryURL: ca.DirectoryURL(), RootCAs: ca.Pool()})
	if err != nil {
		log.Fatal(err)
	}
	acct, err := c.NewAccount(ctx, mustKey(), client.AccountOptions{AgreeTerms: true})
	if err != nil {
		log.Fatal(err)
	}
	return ca, acct
}

func ExampleAccount_NewAuthorization() {
	ctx := context.Background()
	ca, acct := startMock()
	defer ca.Close()
	id, err := client.DNS("example.org")
	if err != nil {
		log.Fatal(err)
	}
	z, err := acct.NewAuthorization(ctx, id)
	if errors.Is(err, client.ErrNotOffered) {
		log.Fatal("this CA authorizes with orders only")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(z.Identifier.Value, z.Status)
	// A solver presents acct.SolverChallenge(z, &z.Challenges[0]) here.
	if _, err := acct.Answer(ctx, &z.Challenges[0]); err != nil {
		log.Fatal(err)
	}
	if z, err = acct.WaitAuthorization(ctx, z.URL); err != nil {
		log.Fatal(err)
	}
	fmt.Println(z.Status)
	// Output:
	// example.org pending
	// valid
}

func ExampleAccount_Update_changedTerms() {
	ctx := context.Background()
	ca, acct := startMock()
	defer ca.Close()
	ca.ChangeTerms("https://ca.example/terms/2")
	id, err := client.DNS("example.org")
	if err != nil {
		log.Fatal(err)
	}
	order := client.OrderRequest{Identifiers: []client.Identifier{id}}
	_, err = acct.NewOrder(ctx, order)
	if p, ok := errors.AsType[*client.Problem](err); ok && errors.Is(p, client.ErrUserActionRequired) {
		fmt.Println("read", p.TermsOfService)
		if _, err := acct.Update(ctx, client.AccountUpdate{AgreeTerms: true}); err != nil {
			log.Fatal(err)
		}
	}
	o, err := acct.NewOrder(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.Status)
	// Output:
	// read https://ca.example/terms/2
	// pending
}
