// Package mockca is a certificate authority that does everything a CA can do,
// right or wrong, on demand: all of RFC 8555 and RFC 9773, faults at any step, a
// clock that is moved by hand, and a record of every byte. It is for the tests
// of ACME clients; everything it issues says that nobody must trust it.
//
// In a test it is as easy as httptest:
//
//	ca := mockca.New(t, mockca.Options{})
//	// a client, at ca.DirectoryURL(), trusting ca.Pool()
//	if n := ca.Transcript().Count(mockca.NewOrder); n != 1 {
//		t.Errorf("%d orders for one certificate", n)
//	}
//
// New serves HTTPS on a free port of the loopback interface; Start does so for
// programs, NewUnstarted gives a handler, or serves other listeners (CA.Serve).
// Hundreds can run side by side: each has its own keys, port, clock and memory.
//
// # What it does
//
// By default the CA is strict and without fault. What it decides for itself is
// its Policy: keys, lifetimes, profiles, external account binding, terms of
// service, reuse, speed, rate limits. A personality (Options.Personality) is
// the policy of a known CA.
//
// Each thing that it verifies about requests is a Check with a name, a section
// of an RFC and the error type that it answers with; turned off one by one
// (Options.Disabled), they make CAs with exactly one weakness, to judge judges
// by.
//
// What goes wrong on purpose is said by rules. A Rule is when (When: endpoint,
// account, identifier, nth time, probability, before or after the CA acted),
// what (a Fault) and how often; CA.Rules counts the hits:
//
//	ca.InjectOnce(mockca.ResetAfter(), mockca.When{Endpoint: mockca.Finalize})
//
// Fault says how to write another.
//
// # Time
//
// All dates come from CA.Clock. It runs along with the machine's, and is moved
// by Advance: nonces, orders, authorizations, certificates and windows of
// renewal follow. One made by NewClock stands still but for that.
//
// # Books and transcript
//
// CA.Accounts, Orders, Authorizations and Certificates are copies of what the CA
// has in memory; there are methods to change it by hand (SetOrderStatus, Revoke,
// SetRenewalInfo, ChangeTerms, ForgetAccount). Finished orders are forgotten
// beyond Options.MaxOrders. CA.Transcript has every exchange, with the check
// that refused it, the faults that fired and the objects that changed.
//
// Everything is safe for concurrent use.
package mockca
