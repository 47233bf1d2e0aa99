package issue

import (
	"crypto"
	"net/netip"
	"time"
)

// draft-ietf-acme-profiles: what a profile makes of a certificate.

// Profile is the shape of the certificates of one kind.
type Profile struct {
	Lifetime time.Duration // from NotBefore to NotAfter, both included; default 90 days
	Backdate time.Duration // NotBefore lies this long before issuance; default none

	CommonName      bool // the first name that fits into 64 characters, as common name
	ClientAuth      bool
	KeyEncipherment bool
	SKI             bool
}

// Classic is Let's Encrypt's profile "classic": 90 days, with a common name.
func Classic() Profile {
	return Profile{Lifetime: 90 * 24 * time.Hour, Backdate: time.Hour, CommonName: true, KeyEncipherment: true, SKI: true}
}

// TLSServer is Let's Encrypt's profile "tlsserver": 90 days and nothing that the
// CA/Browser Forum advises against.
func TLSServer() Profile {
	return Profile{Lifetime: 90 * 24 * time.Hour, Backdate: time.Hour}
}

// ShortLived is Let's Encrypt's profile "shortlived": 160 hours.
func ShortLived() Profile {
	return Profile{Lifetime: 160 * time.Hour, Backdate: time.Hour}
}

// Leaf is what the profile makes of names and a key at the time now. A notBefore
// that was asked for replaces the profile's; a notAfter can only shorten its
// lifetime. Both are zero when not asked for.
func (p Profile) Leaf(pub crypto.PublicKey, names []string, addrs []netip.Addr, now, notBefore, notAfter time.Time) Leaf {
	l := Leaf{
		PublicKey: pub, DNSNames: names, IPAddresses: addrs,
		ClientAuth: p.ClientAuth, KeyEncipherment: p.KeyEncipherment, NoSKI: !p.SKI,
		NotBefore: now.Add(-p.Backdate).UTC().Truncate(time.Second),
	}
	if !notBefore.IsZero() {
		l.NotBefore = notBefore.UTC().Truncate(time.Second)
	}
	lifetime := p.Lifetime
	if lifetime <= 0 {
		lifetime = 90 * 24 * time.Hour
	}
	l.NotAfter = l.NotBefore.Add(lifetime - time.Second)
	if asked := notAfter.UTC().Truncate(time.Second); !notAfter.IsZero() && asked.Before(l.NotAfter) {
		l.NotAfter = asked
	}
	if p.CommonName {
		for _, n := range names {
			if len(n) <= 64 { // ub-common-name of RFC 5280, Appendix A.1
				l.CommonName = n
				break
			}
		}
	}
	return l
}
