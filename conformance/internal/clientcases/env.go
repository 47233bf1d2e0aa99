package clientcases

import (
	"context"
	"io"
	"slices"

	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// Client is a client that is to be judged.
type Client struct {
	Name     string
	Features []Feature
	// Run does what env.Operation says and returns when it is done. It must end
	// soon after ctx does. An error means that it did not succeed, and is part of
	// what the client says to its user.
	Run func(ctx context.Context, env Env) error
	// Files says where certificate chain and key are after a run; nil: where
	// Env.CertFile and Env.KeyFile say.
	Files func(env Env) (cert, key string)
}

// Has reports whether the client has a feature.
func (c Client) Has(f Feature) bool { return slices.Contains(c.Features, f) }

// Operation is what a client is run for.
type Operation string

// The operations. Each but Issue needs the feature of the same name.
const (
	Issue             Operation = "issue"         // get a certificate for Domains, in any case
	Renew             Operation = "renew"         // what a timer runs: renew the certificate if it is due
	Revoke            Operation = "revoke"        // revoke the certificate in CertFile, signed by the account
	RevokeByKey       Operation = "revoke-by-key" // the same, signed by KeyFile
	ChangeKey         Operation = "key-change"    // give the account a new key
	UpdateAccount     Operation = "account-update"
	FindAccount       Operation = "account-find"
	DeactivateAccount Operation = "account-deactivate"
	PreAuthorize      Operation = "pre-authorize"    // an authorization for Domains[0], before any order
	DeactivateAuthz   Operation = "authz-deactivate" // that at URL
	ListOrders        Operation = "orders"           // their URLs, one a line, to Output
	KeepRenewed       Operation = "daemon"           // until ctx ends
)

// What every client is told, unless a scenario wants something else.
const (
	defaultEmail        = "admin@conformance.test"
	defaultDNSKeyName   = "acme."
	defaultDNSKeySecret = "b3VyIHNlY3JldCBmb3IgdXBkYXRlcyBvZiB6b25lcyE="
)

// Env is what a client is told for one run. All files and directories are
// absolute; it may write below Dir only.
type Env struct {
	Operation Operation
	Directory string // URL
	CABundle  string // PEM file of what to trust to reach it
	Roots     string // PEM file of the roots of what it issues

	Domains   []string // names, wildcards and addresses
	Challenge string   // the type to use: "http-01", "dns-01" or "tls-alpn-01"
	HTTPPort  int      // where the CA looks for http-01, on all addresses
	TLSPort   int      // the same for tls-alpn-01
	// DNSServer, host:port, is authoritative for Domains, and takes dynamic
	// updates (RFC 2136) signed by the key (HMAC-SHA256), whose secret is in
	// base64. It answers all other questions of DNS, too.
	DNSServer, DNSKeyName, DNSKeySecret string

	Email      string // contact; empty: none
	AgreeTerms bool
	EABKeyID   string // external account; empty: none
	EABKey     []byte
	Profile    string // empty: none
	Chain      string // common name of the issuer to prefer; empty: the default chain
	KeyType    string // of the account: "rsa2048", "p256", "p384", "ed25519"; empty: the client's choice
	URL        string // what the operation is about

	Dir               string // working directory
	AccountDir        string // for the account's key and state; kept between runs
	CertFile, KeyFile string // where the chain and its key belong

	// Clock is the time; nil: the machine's. Set for KeepRenewed only.
	Clock clock.Clock
	// Output takes what the client says to its user.
	Output io.Writer
}
