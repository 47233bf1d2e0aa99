// Package manager keeps a server's certificate good for ever: it gets it by
// ACME, renews it in time, and swaps it under the running server.
//
//	cfg, err := manager.ConfigFromEnv() // or a manager.Config
//	...
//	m, err := manager.New(cfg, manager.Options{})
//	...
//	if err := m.ProvisionIfNeeded(ctx); err != nil {
//		return err // no certificate yet
//	}
//	go m.RunRenewalLoop(ctx)
//	server := &http.Server{Addr: ":443", TLSConfig: m.TLSConfig()}
//	return server.ListenAndServeTLS("", "")
//
// A process that only serves, because another one renews, runs Watch in place
// of RunRenewalLoop.
//
// # When it renews
//
// A certificate is due when fewer than Config.RenewBeforeDays remain. Where it
// lives for less than 90 days a third of its lifetime takes the place of the
// days, and a half of it below ten days. Where the CA has renewal information
// (RFC 9773) a moment is picked at random in the window that it suggests, and
// kept until the window changes; whichever comes first counts. The CA is asked
// at its own pace (Retry-After). Certificates that are due again soon after they
// were issued, because the CA's suggestion is stale or the clock is wrong, are
// renewed once, and then after pauses that grow to a day. After a failure nothing
// is ordered before some time has passed, also by another process, as long as
// the certificate in place is good; only Provision does not wait.
//
// # Files and crashes
//
// Certificate and key are two files; besides, there are the account's key and
// a directory, Config.StateDir, with the lock, the order under way and notes.
// A process that is killed at any instruction leaves the old pair or the new,
// and nothing of what the CA may have certified is lost: the private key is on
// disk before the CSR is sent, and the next process goes on with the order.
// A key that belongs to no certificate is renamed, never overwritten. See
// storage.File for how two files are replaced as one.
//
// Any number of processes may work on the same files: one provisions at a time,
// and the others take what it got.
//
// # Errors
//
// *ConfigError, *FileError and *AccountError are for people to act on, and say
// how. All others are package client's. RunRenewalLoop reports to the observer
// and the logger, and goes on.
package manager
