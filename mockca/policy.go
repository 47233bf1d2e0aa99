package mockca

import (
	"maps"
	"slices"
	"time"
)

// Policy is what a CA decides for itself: what it offers, to whom, how long
// things last and how quick it is. Start from DefaultPolicy or PolicyOf and
// change what matters. In a Policy made from nothing, lists and durations that
// are zero take DefaultPolicy's value.
type Policy struct {
	Name string // of the personality

	// What the directory says (RFC 8555, Section 7.1.1).

	TermsOfService string   // URL; "" : none, nobody has to agree
	Website        string   // URL
	CAAIdentities  []string // names by which CAA records mean this CA; default "mockca.test"
	NoCAA          bool     // CAA records are not looked at
	NoNewAuthz     bool     // no authorizations in advance
	NoOrdersList   bool     // accounts have no list of orders
	NoRenewalInfo  bool     // no RFC 9773
	NoKeyChange    bool
	NoMeta         bool // no meta object at all

	// Accounts.

	RequireEAB     bool // RFC 8555, Section 7.3.4
	EABOnce        bool // a key id binds one account only
	RequireContact bool
	MaxContacts    int  // default 10
	HideContacts   bool // account objects don't show contacts (as Let's Encrypt since 2025)

	// Keys, as "RSA-2048" (at least so long: "RSA-2048" allows up to 8192 bits),
	// "P-256", "P-384", "P-521", "Ed25519".

	AccountKeys     []string // default all
	CertificateKeys []string // default all but P-521
	Algorithms      []string // of JWS; default RS256, ES256, ES384, ES512, EdDSA

	// What can be ordered.

	IdentifierTypes   []string // default dns, ip
	NoWildcards       bool
	MaxNames          int      // default 100
	Blocked           []string // these names and all below them; a leading "=" means the name alone
	NoDates           bool     // notBefore and notAfter are refused
	Profiles          map[string]Profile
	DefaultProfile    string // of orders that name none; need not be offered. Default the first of Profiles, "classic" when there is none
	HideProfiles      bool   // the directory does not list them, and orders can't choose
	RevocationReasons []int  // default all of RFC 5280 but 7

	// Challenges, in the order in which they are offered: http-01, tls-alpn-01,
	// dns-01, dns-account-01, dns-persist-01.

	ChallengeTypes []string // default the first four

	// Lifetimes.

	OrderLifetime        time.Duration // until it is finalized; default 7 days
	PendingAuthzLifetime time.Duration // default 7 days
	AuthzLifetime        time.Duration // once valid; default 30 days
	NonceLifetime        time.Duration // default an hour

	// Reuse.

	ReuseAuthz   bool // valid authorizations serve further orders of the account
	ReusePending bool // pending ones too
	ReuseOrders  bool // newOrder gives a pending or ready order for the same identifiers and profile again

	// Speed and habits.

	AsyncFinalize       bool          // finalize answers processing
	FinalizeDelay       time.Duration // and so long it stays (with AsyncFinalize)
	ValidationDelay     time.Duration // before the CA looks
	ValidationRetries   int           // how often it looks again by itself (RFC 8555, Section 8.2)
	ValidationRetryWait time.Duration // in between; default 5 s
	PollRetryAfter      time.Duration // Retry-After of what is in processing; default 1 s; negative: none
	OrdersPageSize      int           // default 50
	RenewalRetryAfter   time.Duration // Retry-After of renewal information; default 6 hours
	MismatchType        string        // error of a wrong response; default incorrectResponse, Boulder says unauthorized
	StickyInvalid       bool          // a failed challenge leaves the others of the authorization pending
	AnswerAgain         bool          // a challenge that could not be looked at (connection, dns, tls) can be answered again
	PEMChainType        string        // Content-Type of certificates; default application/pem-certificate-chain
	NoCRL, NoOCSP       bool          // certificates don't point at one
	UnguessableURLs     bool          // objects are not simply numbered

	RateLimits []RateLimit
}

// Profile shapes certificates (draft-ietf-acme-profiles).
type Profile struct {
	Description     string        // for the directory
	Lifetime        time.Duration // default 90 days
	Backdate        time.Duration // NotBefore lies so long before the issuance
	CommonName      bool          // the first name is the subject's common name too
	ClientAuth      bool
	KeyEncipherment bool // with RSA keys
	SubjectKeyID    bool
	SCT             bool // signed certificate timestamps, of logs that do not exist (RFC 6962)
	NoIPs           bool // ip identifiers are refused
	NoWildcards     bool
	MaxNames        int           // 0: the policy's
	AuthzLifetime   time.Duration // 0: the policy's
	OrderLifetime   time.Duration // 0: the policy's
	Accounts        []string      // URLs of the accounts that may use it; none: all
}

// DefaultPolicy is that of the strict, faultless CA.
func DefaultPolicy() Policy {
	day := 24 * time.Hour
	return Policy{
		Name:          "mockca",
		CAAIdentities: []string{"mockca.test"},
		MaxContacts:   10,
		AccountKeys:   []string{"RSA-2048", "P-256", "P-384", "P-521", "Ed25519"}, CertificateKeys: []string{"RSA-2048", "P-256", "P-384", "Ed25519"},
		Algorithms:      []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"},
		IdentifierTypes: []string{"dns", "ip"},
		MaxNames:        100,
		Profiles: map[string]Profile{
			"classic":    {Description: "90 days, as certificates used to be", Lifetime: 90 * day, Backdate: time.Hour, CommonName: true, ClientAuth: true, KeyEncipherment: true, SubjectKeyID: true},
			"tlsserver":  {Description: "90 days, nothing but what TLS servers need", Lifetime: 90 * day, Backdate: time.Hour},
			"shortlived": {Description: "160 hours, never revoked because it needs not be", Lifetime: 160 * time.Hour, Backdate: time.Hour},
		},
		DefaultProfile:    "classic",
		RevocationReasons: []int{0, 1, 2, 3, 4, 5, 6, 8, 9, 10},
		ChallengeTypes:    []string{"http-01", "tls-alpn-01", "dns-01", "dns-account-01"},
		OrderLifetime:     7 * day, PendingAuthzLifetime: 7 * day, AuthzLifetime: 30 * day, NonceLifetime: time.Hour,
		ReuseAuthz:          true,
		ValidationRetryWait: 5 * time.Second,
		PollRetryAfter:      time.Second,
		OrdersPageSize:      50,
		RenewalRetryAfter:   6 * time.Hour,
		MismatchType:        TypeIncorrectResponse,
		PEMChainType:        "application/pem-certificate-chain",
	}
}

// filled is the policy with DefaultPolicy's values where it has none.
func (p Policy) filled() *Policy {
	d := DefaultPolicy()
	or(&p.Name, d.Name)
	or(&p.MaxContacts, d.MaxContacts)
	or(&p.MaxNames, d.MaxNames)
	or(&p.OrderLifetime, d.OrderLifetime)
	or(&p.PendingAuthzLifetime, d.PendingAuthzLifetime)
	or(&p.AuthzLifetime, d.AuthzLifetime)
	or(&p.NonceLifetime, d.NonceLifetime)
	or(&p.ValidationRetryWait, d.ValidationRetryWait)
	or(&p.PollRetryAfter, d.PollRetryAfter)
	or(&p.OrdersPageSize, d.OrdersPageSize)
	or(&p.RenewalRetryAfter, d.RenewalRetryAfter)
	or(&p.MismatchType, d.MismatchType)
	or(&p.PEMChainType, d.PEMChainType)
	for _, l := range []struct{ to, from *[]string }{{&p.CAAIdentities, &d.CAAIdentities}, {&p.AccountKeys, &d.AccountKeys},
		{&p.CertificateKeys, &d.CertificateKeys}, {&p.Algorithms, &d.Algorithms}, {&p.IdentifierTypes, &d.IdentifierTypes}, {&p.ChallengeTypes, &d.ChallengeTypes}} {
		if *l.to == nil {
			*l.to = *l.from
		}
	}
	if p.RevocationReasons == nil {
		p.RevocationReasons = d.RevocationReasons
	}
	if p.Profiles == nil {
		p.Profiles = d.Profiles
	}
	if p.DefaultProfile == "" {
		p.DefaultProfile = d.DefaultProfile
		if _, ok := p.Profiles[p.DefaultProfile]; !ok && len(p.Profiles) > 0 {
			p.DefaultProfile = slices.Min(slices.Collect(maps.Keys(p.Profiles)))
		}
	}
	return &p
}

func or[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// profile is the named one, or the default.
func (p *Policy) profile(name string) Profile {
	if name == "" {
		name = p.DefaultProfile
	}
	f := p.Profiles[name]
	or(&f.Lifetime, 90*24*time.Hour)
	or(&f.MaxNames, p.MaxNames)
	or(&f.AuthzLifetime, p.AuthzLifetime)
	or(&f.OrderLifetime, p.OrderLifetime)
	return f
}

// Policy is the CA's policy as it is now.
func (ca *CA) Policy() Policy { return *ca.policy.Load() }

// SetPolicy replaces the policy, from the next request on. What has been made
// keeps the dates it has.
func (ca *CA) SetPolicy(p Policy) { ca.policy.Store(p.filled()) }

// ChangePolicy changes the policy, from the next request on. change may be
// called more than once and must not write to the policy's slices and maps.
func (ca *CA) ChangePolicy(change func(*Policy)) {
	for {
		before := ca.policy.Load()
		after := *before
		change(&after)
		if ca.policy.CompareAndSwap(before, after.filled()) {
			return
		}
	}
}
