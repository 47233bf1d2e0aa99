package issue

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/netip"
	"slices"
	"time"
)

// Certificates that a client must refuse, or at least report: what is changed
// before signing.

// LeafEdit makes a certificate wrong in one way. Edits compose.
type LeafEdit func(*Hierarchy, *Leaf)

// IssueEdited issues a leaf after edits, in order.
func (h *Hierarchy) IssueEdited(l Leaf, edits ...LeafEdit) (der, serial []byte, err error) {
	l.DNSNames, l.IPAddresses = slices.Clone(l.DNSNames), slices.Clone(l.IPAddresses)
	for _, edit := range edits {
		edit(h, &l)
	}
	return h.Issue(l)
}

// WrongKey certifies a key that nobody asked for.
func WrongKey() LeafEdit {
	return func(_ *Hierarchy, l *Leaf) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic("issue: making a P-256 key: " + err.Error())
		}
		l.PublicKey, l.RawPublicKey = key.Public(), nil
	}
}

// MissingName leaves out the last name, or the last address when there is no
// name, also where it is the only one.
func MissingName() LeafEdit {
	return func(_ *Hierarchy, l *Leaf) {
		switch n, a := len(l.DNSNames), len(l.IPAddresses); {
		case n > 0:
			if l.CommonName == l.DNSNames[n-1] {
				l.CommonName = ""
			}
			l.DNSNames = l.DNSNames[:n-1]
		case a > 0:
			l.IPAddresses = l.IPAddresses[:a-1]
		}
	}
}

// ExtraName adds a name that was not ordered.
func ExtraName(name string) LeafEdit {
	return func(_ *Hierarchy, l *Leaf) { l.DNSNames = append(l.DNSNames, name) }
}

// OtherNames replaces all names and addresses.
func OtherNames(names ...string) LeafEdit {
	return func(_ *Hierarchy, l *Leaf) {
		l.CommonName, l.DNSNames, l.IPAddresses = "", nil, nil
		for _, n := range names {
			if a, err := netip.ParseAddr(n); err == nil {
				l.IPAddresses = append(l.IPAddresses, a)
				continue
			}
			l.DNSNames = append(l.DNSNames, n)
		}
	}
}

// NoNames leaves out all names.
func NoNames() LeafEdit { return OtherNames() }

// Expired moves the validity so that it ended an hour before now.
func Expired(now time.Time) LeafEdit {
	return func(_ *Hierarchy, l *Leaf) {
		l.move(now.Add(-time.Hour).Sub(l.NotAfter))
	}
}

// NotYetValid moves the validity so that it begins a day after now.
func NotYetValid(now time.Time) LeafEdit {
	return func(_ *Hierarchy, l *Leaf) {
		l.move(now.Add(24 * time.Hour).Sub(l.NotBefore))
	}
}

// Backdated begins the validity earlier by d and leaves its end.
func Backdated(d time.Duration) LeafEdit {
	return func(_ *Hierarchy, l *Leaf) { l.NotBefore = l.NotBefore.Add(-d) }
}

// Short ends the validity at now+d.
func Short(now time.Time, d time.Duration) LeafEdit {
	return func(_ *Hierarchy, l *Leaf) { l.NotAfter = now.Add(d).UTC().Truncate(time.Second) }
}

func (l *Leaf) move(d time.Duration) {
	l.NotBefore = l.NotBefore.Add(d).Truncate(time.Second)
	l.NotAfter = l.NotAfter.Add(d).Truncate(time.Second)
}

// UnknownIssuer has the leaf signed by the Stranger. With UnrelatedIntermediate
// in the download the chain is sound, and ends at a root that nobody trusts;
// without it the signature is not that of the intermediate sent.
func UnknownIssuer() LeafEdit {
	return func(h *Hierarchy, l *Leaf) { l.Issuer = h.Stranger() }
}

// BadSignature names the right issuer, and is signed by another key.
func BadSignature() LeafEdit {
	return func(h *Hierarchy, l *Leaf) {
		l.Issuer = &Authority{Cert: h.Issuer().Cert, Key: h.Stranger().Key}
	}
}

// NoMustStaple leaves out the extension that was asked for.
func NoMustStaple() LeafEdit {
	return func(_ *Hierarchy, l *Leaf) { l.MustStaple = false }
}

// NoSCT leaves out the signed certificate timestamps.
func NoSCT() LeafEdit {
	return func(_ *Hierarchy, l *Leaf) { l.SCT = false }
}

// ByRoot has the leaf signed by the root of the default chain.
func ByRoot() LeafEdit {
	return func(h *Hierarchy, l *Leaf) { l.Issuer = h.Root(0) }
}
