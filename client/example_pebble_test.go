package client_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// The examples in this file run, against a Pebble in process.

// ca is a CA with a client of it, and a solver where the CA looks.
type ca struct {
	*pebbleharness.Harness
	client  *client.Client
	solvers []client.SolverFor
}

func startCA(o pebbleharness.Options) *ca {
	h, err := pebbleharness.Start(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{DirectoryURL: h.DirectoryURL(), RootCAs: h.Pool()})
	if err != nil {
		log.Fatal(err)
	}
	solver := challenge.NewHTTP01(challenge.HTTP01Options{Address: fmt.Sprint("127.0.0.1:", h.HTTPPort)})
	return &ca{h, c, []client.SolverFor{{Type: challenge.HTTP01, Solver: solver}}}
}

func (c *ca) Close() {
	c.client.Close()
	c.Harness.Close()
}

func mustKey() crypto.Signer {
	key, err := client.GenerateKey(client.P256)
	if err != nil {
		log.Fatal(err)
	}
	return key
}

func (c *ca) account() *client.Account {
	acct, err := c.client.NewAccount(context.Background(), mustKey(), client.AccountOptions{AgreeTerms: true, Contact: []string{"admin@example.org"}})
	if err != nil {
		log.Fatal(err)
	}
	return acct
}

func (c *ca) certificate(acct *client.Account, names ...string) *client.Certificate {
	ids, err := client.ParseIdentifiers(names...)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := acct.Obtain(context.Background(), client.Request{Identifiers: ids, Solvers: c.solvers})
	if err != nil {
		log.Fatal(err)
	}
	return cert
}

func ExampleAccount_Obtain() {
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	acct := ca.account()
	ids, err := client.ParseIdentifiers("example.org", "www.example.org", "127.0.0.1")
	if err != nil {
		log.Fatal(err)
	}
	cert, err := acct.Obtain(context.Background(), client.Request{
		Identifiers: ids,
		Solvers:     ca.solvers, // {Type: challenge.HTTP01, Solver: challenge.NewHTTP01(...)}
		Roots:       ca.IssuingPool(),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cert.Leaf.DNSNames, cert.Leaf.IPAddresses)
	fmt.Println(len(cert.Chain), "certificates, key", cert.Key != nil)
	// Output:
	// [example.org www.example.org] [127.0.0.1]
	// 2 certificates, key true
}

func ExampleAccount_Obtain_profile() {
	ca := startCA(pebbleharness.Options{Profiles: map[string]pebbleharness.Profile{
		"classic": {Description: "ninety days"}, "shortlived": {Description: "six days", Validity: 6 * 24 * time.Hour}}})
	defer ca.Close()
	dir, err := ca.client.Directory(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dir.Profiles["shortlived"])
	cert, err := ca.account().Obtain(context.Background(), client.Request{
		Identifiers: []client.Identifier{{Type: client.TypeDNS, Value: "example.org"}},
		Solvers:     ca.solvers, Profile: "shortlived",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore).Round(24 * time.Hour))
	// Output:
	// six days
	// 144h0m0s
}

func ExampleAccount_Obtain_chain() {
	ca := startCA(pebbleharness.Options{AlternateRoots: 1})
	defer ca.Close()
	wanted := ca.Chains()[1].Root.Subject.CommonName
	cert, err := ca.account().Obtain(context.Background(), client.Request{
		Identifiers: []client.Identifier{{Type: client.TypeDNS, Value: "example.org"}},
		Solvers:     ca.solvers,
		Chain:       client.ChainPreference{IssuerName: wanted},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(cert.Alternates), len(cert.Warnings))
	// Output: 1 0
}

func ExampleAccount_Certificate() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{AlternateRoots: 2})
	defer ca.Close()
	acct := ca.account()
	cert := ca.certificate(acct, "example.org")
	for _, url := range cert.Alternates { // fetched only now
		chain, err := acct.Certificate(ctx, url)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(chain.Certificates), "certificates for", chain.Certificates[0].DNSNames)
	}
	// Output:
	// 2 certificates for [example.org]
	// 2 certificates for [example.org]
}

func ExampleClient_NewAccount_externalAccountBinding() {
	secret := base64.RawURLEncoding.EncodeToString(make([]byte, 32)) // what the CA's web site shows
	ca := startCA(pebbleharness.Options{EABRequired: true, EABKeys: map[string]string{"kid-1": secret}})
	defer ca.Close()
	mac, err := client.ParseEABKey(secret)
	if err != nil {
		log.Fatal(err)
	}
	acct, err := ca.client.NewAccount(context.Background(), mustKey(), client.AccountOptions{
		AgreeTerms: true,
		EAB:        &client.ExternalAccountBinding{KeyID: "kid-1", Key: mac},
	})
	fmt.Println(acct != nil, err)
	_, err = ca.client.NewAccount(context.Background(), mustKey(), client.AccountOptions{AgreeTerms: true})
	fmt.Println(errors.Is(err, client.ErrExternalAccountRequired))
	// Output:
	// true <nil>
	// true
}

func ExampleClient_FindAccount() {
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	acct := ca.account()
	found, err := ca.client.FindAccount(context.Background(), acct.Key())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.URL() == acct.URL())
	_, err = ca.client.FindAccount(context.Background(), mustKey())
	fmt.Println(errors.Is(err, client.ErrAccountDoesNotExist))
	// Output:
	// true
	// true
}

func ExampleAccount_Read() {
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	info, err := ca.account().Read(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Status, info.Contact)
	// Output: valid [mailto:admin@example.org]
}

func ExampleAccount_Update() {
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	info, err := ca.account().Update(context.Background(), client.AccountUpdate{Contact: []string{"ops@example.org", "mailto:dev@example.org"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Contact)
	// Output: [mailto:ops@example.org mailto:dev@example.org]
}

func ExampleAccount_Deactivate() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	acct := ca.account()
	if err := acct.Deactivate(ctx); err != nil {
		log.Fatal(err)
	}
	_, err := acct.Read(ctx)
	fmt.Println(errors.Is(err, client.ErrUnauthorized), client.CallerFault(err))
	// Output: true true
}

func ExampleAccount_ChangeKey() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	acct := ca.account()
	old, next := acct.Key(), mustKey()
	// Write next to disk beside the old key before this call.
	if err := acct.ChangeKey(ctx, next); err != nil {
		log.Fatal(err)
	}
	// After a crash in the middle: which of the two has the account?
	key, err := ca.client.FindKey(ctx, acct.URL(), old, next)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key == next, acct.Key() == next)
	// Output: true true
}

func ExampleAccount_Orders() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{OrdersPerPage: 2})
	defer ca.Close()
	acct := ca.account()
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		if _, err := acct.NewOrder(ctx, client.OrderRequest{Identifiers: []client.Identifier{{Type: client.TypeDNS, Value: name}}}); err != nil {
			log.Fatal(err)
		}
	}
	for url, err := range acct.Orders(ctx) { // a page is fetched when the loop gets to it
		if err != nil {
			log.Fatal(err)
		}
		order, err := acct.Order(ctx, url)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(order.Identifiers[0].Value, order.Status)
	}
	// Unordered output:
	// a.example pending
	// b.example pending
	// c.example pending
}

func ExampleAccount_Revoke() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	acct := ca.account()
	cert := ca.certificate(acct, "example.org")
	fmt.Println(acct.Revoke(ctx, cert.Chain[0], client.Superseded))
	status, _ := ca.Status(cert.Leaf.SerialNumber)
	fmt.Println(status.Revoked, *status.Reason)
	fmt.Println(acct.Revoke(ctx, cert.Chain[0], client.Superseded)) // it is revoked, which is what was asked for
	// Output:
	// <nil>
	// true 4
	// <nil>
}

func ExampleClient_RevokeWithKey() {
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	cert := ca.certificate(ca.account(), "example.org")
	// Whoever has the certificate's key can revoke it, without an account.
	fmt.Println(ca.client.RevokeWithKey(context.Background(), cert.Chain[0], cert.Key, client.KeyCompromise))
	// Output: <nil>
}

func ExampleClient_RenewalInfo() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	cert := ca.certificate(ca.account(), "example.org")
	info, err := ca.client.RenewalInfo(ctx, cert.Leaf)
	switch {
	case errors.Is(err, client.ErrNotOffered):
		fmt.Println("renew by lifetime: this CA has no renewal information")
	case err != nil:
		fmt.Println("renew by lifetime, and ask again in six hours:", err)
	default:
		at := info.Pick(nil) // and renew then, or at once if that has passed
		fmt.Println(at.After(cert.Leaf.NotBefore), at.Before(cert.Leaf.NotAfter), "ask again in", info.RetryAfter)
	}
	// Output: true true ask again in 6h0m0s
}

func ExampleAccount_Obtain_renew() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	acct := ca.account()
	cert := ca.certificate(acct, "example.org")
	id, err := client.CertID(cert.Leaf)
	if err != nil {
		log.Fatal(err)
	}
	next, err := acct.Obtain(ctx, client.Request{Identifiers: cert.Issued, Solvers: ca.solvers, Replaces: id})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(next.Leaf.DNSNames, len(next.Warnings))
	// Output: [example.org] 0
}

// A process that dies in the middle of an issuance leaves what the next one
// needs, the private key included.
func ExampleAccount_Obtain_resume() {
	ctx := context.Background()
	ca := startCA(pebbleharness.Options{})
	defer ca.Close()
	acct := ca.account()
	ids, err := client.ParseIdentifiers("example.org")
	if err != nil {
		log.Fatal(err)
	}
	var kept []byte // a file, in a real program, with mode 0600
	r := client.Request{Identifiers: ids, Solvers: ca.solvers}
	r.OnPending = func(_ context.Context, p client.Pending) error {
		if p.Finalizing {
			return errors.New("the power failed")
		}
		kept, err = json.Marshal(p)
		return err
	}
	_, err = acct.Obtain(ctx, r)
	fmt.Println("interrupted:", err != nil)

	var pending client.Pending
	if err := json.Unmarshal(kept, &pending); err != nil {
		log.Fatal(err)
	}
	cert, err := acct.Obtain(ctx, client.Request{Identifiers: pending.Identifiers, Solvers: ca.solvers, Resume: &pending})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same order:", cert.OrderURL == pending.OrderURL)
	// Output:
	// interrupted: true
	// the same order: true
}
