package manager

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/acme-e2e/acme-e2e/client"
)

// Config says which certificate to have and where. Domains is required; the
// zero value of every other field is its default.
type Config struct {
	// Domains are the names that the certificate is for, exactly: host names,
	// wildcards (with a dns-01 solver only) and addresses.
	Domains []string
	// Email is the contact that the CA gets; none when empty.
	Email string
	// DirectoryURL is the CA. Default: client.LetsEncrypt.
	DirectoryURL string
	// AgreeTerms says that the CA's terms of service are agreed to, whatever
	// they are. It is never assumed; ConfigFromEnv sets it, for whoever sets the
	// variables asks for certificates under those terms.
	AgreeTerms bool

	// CertPath is the chain's file, KeyPath its private key's. Default: cert.pem
	// and key.pem.
	CertPath, KeyPath string
	// AccountKeyPath is the account key's file. Default: acme_account.key.
	AccountKeyPath string
	// StateDir is for the pending order and the like: see storage.FileOptions.
	// Default: CertPath + ".acme".
	StateDir string

	// ChallengePort is where http-01 is answered, on all addresses. Default: 80.
	ChallengePort int
	// RenewBeforeDays is when to renew: as soon as fewer days remain. Default:
	// 30. It gives way to a fraction of the lifetime where that is shorter than
	// 90 days, or where it would leave less than two days of the lifetime.
	RenewBeforeDays int

	KeyType client.KeyType                 // of the certificate's key. Default: P-256
	Profile string                         // one of the CA's profiles; its choice when empty
	EAB     *client.ExternalAccountBinding // for CAs that want one

	// Warnings are what ConfigFromEnv noticed and is no error. New logs them.
	Warnings []string
}

// The variables that ConfigFromEnv reads.
const (
	EnvDomains         = "RWS_CONFIG_ACME_DOMAINS"
	EnvEmail           = "RWS_CONFIG_ACME_EMAIL"
	EnvStaging         = "RWS_CONFIG_ACME_STAGING"
	EnvDirectory       = "RWS_CONFIG_ACME_DIRECTORY"
	EnvCertPath        = "RWS_CONFIG_ACME_CERT_PATH"
	EnvKeyPath         = "RWS_CONFIG_ACME_KEY_PATH"
	EnvTLSCertFile     = "RWS_CONFIG_TLS_CERT_FILE" // default of EnvCertPath
	EnvTLSKeyFile      = "RWS_CONFIG_TLS_KEY_FILE"  // default of EnvKeyPath
	EnvChallengePort   = "RWS_CONFIG_ACME_CHALLENGE_PORT"
	EnvRenewBeforeDays = "RWS_CONFIG_ACME_RENEW_BEFORE_DAYS"
	EnvAccountKeyPath  = "RWS_CONFIG_ACME_ACCOUNT_KEY_PATH"
)

const (
	defaultCertPath       = "cert.pem"
	defaultKeyPath        = "key.pem"
	defaultAccountKeyPath = "acme_account.key"
	defaultChallengePort  = 80
	defaultRenewDays      = 30
	maxRenewDays          = 3650
)

// ErrDisabled says that ACME is off: no domains are configured.
var ErrDisabled = errors.New("acme: off: " + EnvDomains + " is not set")

// ConfigError is everything that is wrong with a configuration.
type ConfigError struct {
	Complaints []Complaint
}

// Complaint is one setting that can't be used.
type Complaint struct {
	Setting  string // the variable, or the field of Config or Options
	Value    string
	Expected string // what it should have been, and what was wrong about it
}

func (e *ConfigError) Error() string {
	parts := make([]string, len(e.Complaints))
	for i, c := range e.Complaints {
		parts[i] = fmt.Sprintf("%s is %q: expected %s", c.Setting, c.Value, c.Expected)
	}
	return "acme: configuration: " + strings.Join(parts, "; ")
}

// err is nil when there are no complaints.
func (e *ConfigError) err() error {
	if len(e.Complaints) == 0 {
		return nil
	}
	return e
}

func (e *ConfigError) add(setting, value, expected string, args ...any) {
	e.Complaints = append(e.Complaints, Complaint{setting, value, fmt.Sprintf(expected, args...)})
}

// ConfigFromEnv reads the configuration from the variables above and no others.
// A variable that is blank counts as unset. The error is ErrDisabled when
// EnvDomains is unset, and else a *ConfigError with all that is wrong.
func ConfigFromEnv() (Config, error) { return ConfigFrom(os.Getenv) }

// ConfigFrom is ConfigFromEnv with another source for the variables, such as
// command line flags over the environment. lookup returns "" for what is unset.
func ConfigFrom(lookup func(variable string) string) (Config, error) {
	get := func(names ...string) (name, value string) {
		for _, name = range names {
			if value = strings.TrimSpace(lookup(name)); value != "" {
				return name, value
			}
		}
		return names[0], ""
	}
	bad := &ConfigError{}
	c := Config{AgreeTerms: true}

	_, domains := get(EnvDomains)
	if domains == "" {
		return c, ErrDisabled
	}
	c.Domains = parseDomains(bad, EnvDomains, domains)
	if name, email := get(EnvEmail); email != "" {
		checkEmail(bad, name, email)
		c.Email = email
	}

	staging := false
	if name, v := get(EnvStaging); v != "" {
		var err error
		if staging, err = strconv.ParseBool(strings.ToLower(v)); err != nil {
			bad.add(name, v, "true or false")
		}
	}
	name, directory := get(EnvDirectory)
	if c.DirectoryURL = directory; directory == "" {
		c.DirectoryURL = client.LetsEncrypt
	} else {
		checkDirectory(bad, name, directory)
	}
	if staging {
		if directory != "" && directory != client.LetsEncryptStaging {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s and %s are both set: using Let's Encrypt's staging directory and not %s", EnvStaging, EnvDirectory, directory))
		}
		c.DirectoryURL = client.LetsEncryptStaging
	}

	_, c.CertPath = get(EnvCertPath, EnvTLSCertFile)
	_, c.KeyPath = get(EnvKeyPath, EnvTLSKeyFile)
	_, c.AccountKeyPath = get(EnvAccountKeyPath)
	if name, v := get(EnvChallengePort); v != "" {
		c.ChallengePort = parseNumber(bad, name, v, "a port", 1, 65535)
	}
	if name, v := get(EnvRenewBeforeDays); v != "" {
		c.RenewBeforeDays = parseNumber(bad, name, v, "a number of days", 1, maxRenewDays)
	}
	return c.withDefaults(), bad.err()
}

func (c Config) withDefaults() Config {
	or := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	or(&c.DirectoryURL, client.LetsEncrypt)
	or(&c.CertPath, defaultCertPath)
	or(&c.KeyPath, defaultKeyPath)
	or(&c.AccountKeyPath, defaultAccountKeyPath)
	if c.ChallengePort == 0 {
		c.ChallengePort = defaultChallengePort
	}
	if c.RenewBeforeDays == 0 {
		c.RenewBeforeDays = defaultRenewDays
	}
	return c
}

// parseDomains accepts a comma too many, as lists put together by scripts have.
func parseDomains(bad *ConfigError, setting, value string) (names []string) {
	var reasons []string
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if _, err := client.ParseIdentifier(name); err != nil {
			reasons = append(reasons, reason(err))
			continue
		}
		names = append(names, name)
	}
	switch {
	case len(reasons) > 0:
		bad.add(setting, value, "names separated by commas: %s", strings.Join(reasons, ", "))
	case len(names) == 0:
		bad.add(setting, value, "at least one name")
	}
	return names
}

func checkEmail(bad *ConfigError, setting, value string) {
	if a, err := mail.ParseAddress(value); err != nil || a.Address != value {
		bad.add(setting, value, "one e-mail address, such as admin@example.org")
	}
}

func checkDirectory(bad *ConfigError, setting, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		bad.add(setting, value, "the https URL of an ACME directory, such as %s", client.LetsEncrypt)
	case u.User != nil || u.Fragment != "":
		bad.add(setting, value, "a URL without password or fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		bad.add(setting, value, "an https URL: http is for loopback addresses only")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func parseNumber(bad *ConfigError, setting, value, what string, least, most int) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		bad.add(setting, value, "%s from %d to %d", what, least, most)
		return 0
	}
	return n
}

// reason is err's text without the prefix that the outermost error has.
func reason(err error) string { return strings.TrimPrefix(err.Error(), "acme: ") }
