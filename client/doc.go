// Package client gets certificates from any CA that speaks ACME: RFC 8555, with
// RFC 8737, RFC 8738, RFC 9773 and profiles.
//
// A Client talks to one CA; an Account acts for one account there. Most
// programs need Obtain only, or the manager package on top of it:
//
//	c, err := client.New(client.Config{DirectoryURL: client.LetsEncrypt})
//	...
//	key, err := client.GenerateKey(client.P256) // keep it: client.MarshalKey
//	acct, err := c.NewAccount(ctx, key, client.AccountOptions{AgreeTerms: true})
//	...
//	names, err := client.ParseIdentifiers("example.org", "www.example.org")
//	...
//	cert, err := acct.Obtain(ctx, client.Request{
//		Identifiers: names,
//		Solvers:     []client.SolverFor{{Type: challenge.HTTP01, Solver: challenge.NewHTTP01(challenge.HTTP01Options{})}},
//		OnPending:   func(ctx context.Context, p client.Pending) error { return save(p) },
//	})
//
// Obtain orders (NewOrder), reads all authorizations at once (Authorization),
// presents one challenge of each through the solvers, answers them (Answer),
// polls the order by Retry-After (WaitOrder), sends the CSR (Finalize),
// downloads (Certificate) and checks what came (Verify). Each of these steps
// can be taken by itself, as can Revoke, RenewalInfo, ChangeKey, Orders,
// NewAuthorization, Update and Deactivate.
//
// # Errors
//
// A request that fails gives an *Error: the step, the URL, how often it was
// tried, when to come back. What the CA said is a *Problem inside, whose type
// errors.Is compares with ErrRateLimited and its like. Obtain gives an
// *ObtainError that lists each failed name. Temporary, CallerFault, RateLimited
// and RetryAt answer what callers ask.
//
// # Failure
//
// RetryPolicy says what the client repeats by itself. A request that must not
// be carried out twice is not repeated before the CA was asked what became of
// the first. Every wait ends with its context; every loop has a stated bound.
//
// # Trust
//
// The CA is held for hostile until shown otherwise. Answers are limited in size
// and depth, URLs must be https, signed requests follow no redirect, tokens
// are checked before a solver sees them, orders and authorizations must be for
// what was asked, and a certificate is handed out only after Verify.
//
// # Concurrency
//
// Clients and accounts are safe for concurrent use and are best shared: nonces
// and connections are. All waiting goes through Config.Clock, all keys are
// crypto.Signers, and nothing reads the environment but the default transport's
// proxy settings.
package client
