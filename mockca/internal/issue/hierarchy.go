package issue

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// RFC 5280, Section 4.2.1.9 (authorities); RFC 8555, Section 7.4.2 (alternates).

// The limits of Options.
const (
	MaxDepth = 64
	MaxRoots = 64
)

// Options shape a hierarchy. The zero value is a P-256 root with one P-256
// intermediate.
type Options struct {
	Name    string  // in the subjects' common names; default "acme-e2e"
	KeyType KeyType // of all authorities; default P-256; not Ed25519

	// Depth is the number of intermediates between root and leaf, at most
	// MaxDepth: 0 means one, -1 means that the root signs the leaves.
	Depth int
	// Roots is the number of roots, at most MaxRoots; default one. Each beyond
	// the first makes one alternate chain.
	Roots int
	// CrossRoots makes the alternates long: root 0's key, certified by root n,
	// is sent along. Otherwise root n certifies the top intermediate. Without
	// intermediates it is always so.
	CrossRoots bool

	// Now is the moment of creation; validity begins an hour earlier. Default:
	// the machine's time at New.
	Now time.Time
	// Lifetime is that of roots; intermediates live half as long. Default 40 years.
	Lifetime time.Duration
}

// Authority can sign certificates.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Hierarchy is a CA's authorities. They are made at first use, so that a CA
// with RSA keys starts as fast as any. It is safe for concurrent use.
type Hierarchy struct {
	opts Options

	base     sync.Once
	line     []*Authority // root 0, the top intermediate, ..., the issuer
	roots    []lazyRoot   // of the alternates, from root 1 on
	stranger struct {
		once sync.Once
		*Authority
	}
}

// lazyRoot is a root beyond the first, and its certificate for the default line.
type lazyRoot struct {
	once  sync.Once
	root  *Authority
	cross *x509.Certificate
}

// New checks the options. It makes no key yet.
func New(o Options) (*Hierarchy, error) {
	var errs []error
	if !o.KeyType.canIssue() {
		errs = append(errs, fmt.Errorf("authorities cannot have keys of type %q", o.KeyType))
	}
	if o.Depth < -1 || o.Depth > MaxDepth {
		errs = append(errs, fmt.Errorf("depth %d is not within -1 and %d", o.Depth, MaxDepth))
	}
	if o.Roots < 0 || o.Roots > MaxRoots {
		errs = append(errs, fmt.Errorf("%d roots are not within 0 and %d", o.Roots, MaxRoots))
	}
	if o.Lifetime < 0 {
		errs = append(errs, fmt.Errorf("lifetime %s is negative", o.Lifetime))
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Lifetime == 0 {
		o.Lifetime = 40 * 365 * 24 * time.Hour
	}
	if end := o.Now.UTC().Add(o.Lifetime); o.Now.UTC().Year() < 1 || end.Year() > 9999 || end.Before(o.Now) {
		errs = append(errs, fmt.Errorf("certificates cannot say a validity of %s from %s on", o.Lifetime, o.Now))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = "acme-e2e"
	}
	if o.KeyType == "" {
		o.KeyType = P256
	}
	switch o.Depth {
	case 0:
		o.Depth = 1
	case -1:
		o.Depth = 0
	}
	o.Roots = max(o.Roots, 1)
	return &Hierarchy{opts: o, roots: make([]lazyRoot, o.Roots-1)}, nil
}

// Chains is the number of chains that lead from a leaf to a root: chain 0 is
// the default, the others are the alternates.
func (h *Hierarchy) Chains() int { return len(h.roots) + 1 }

// Root is the root that chain n ends at.
func (h *Hierarchy) Root(n int) *Authority {
	if n == 0 {
		return h.authorities()[0]
	}
	return h.alternate(n).root
}

// Issuer signs leaves, revocation lists and OCSP answers.
func (h *Hierarchy) Issuer() *Authority {
	line := h.authorities()
	return line[len(line)-1]
}

// Intermediates are those of chain n, the leaf's issuer first, without the root.
func (h *Hierarchy) Intermediates(n int) []*x509.Certificate {
	var list []*x509.Certificate
	for _, a := range slices.Backward(h.authorities()[1:]) {
		list = append(list, a.Cert)
	}
	switch {
	case n == 0:
		return list
	case h.crossesRoot():
		return append(list, h.alternate(n).cross)
	}
	list[len(list)-1] = h.alternate(n).cross
	return list
}

// Chain is a leaf with the intermediates of chain n, in DER, as a download has
// them (RFC 8555, Section 9.1).
func (h *Hierarchy) Chain(n int, leaf []byte) [][]byte {
	chain := [][]byte{leaf}
	for _, c := range h.Intermediates(n) {
		chain = append(chain, c.Raw)
	}
	return chain
}

// Roots are all roots, those of the alternates made if they are not yet.
func (h *Hierarchy) Roots() []*x509.Certificate {
	list := make([]*x509.Certificate, h.Chains())
	for n := range list {
		list[n] = h.Root(n).Cert
	}
	return list
}

// Pool holds all roots.
func (h *Hierarchy) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range h.Roots() {
		pool.AddCert(c)
	}
	return pool
}

// Stranger has the issuer's subject but another key, and is certified by a root
// that is not among Roots.
func (h *Hierarchy) Stranger() *Authority {
	h.stranger.once.Do(func() {
		issuer := h.Issuer().Cert
		root := h.selfSigned("Unknown Root")
		key := h.newKey()
		h.stranger.Authority = &Authority{Cert: h.certify(key, issuer.RawSubject, root, 0), Key: key}
	})
	return h.stranger.Authority
}

func (h *Hierarchy) crossesRoot() bool { return h.opts.CrossRoots || h.opts.Depth == 0 }

func (h *Hierarchy) authorities() []*Authority {
	h.base.Do(func() {
		if h.line != nil {
			return // imported
		}
		h.line = []*Authority{h.selfSigned("Root 1")}
		for i := range h.opts.Depth {
			key := h.newKey()
			subject := h.subject(fmt.Sprintf("Intermediate %d", i+1), key)
			cert := h.certify(key, subject, h.line[i], h.opts.Depth-1-i)
			h.line = append(h.line, &Authority{Cert: cert, Key: key})
		}
	})
	return h.line
}

func (h *Hierarchy) alternate(n int) *lazyRoot {
	line := h.authorities()
	alt := &h.roots[n-1]
	alt.once.Do(func() {
		if alt.root != nil {
			return // imported
		}
		alt.root = h.selfSigned(fmt.Sprintf("Root %d", n+1))
		crossed, pathLen := line[0], h.opts.Depth
		if !h.crossesRoot() {
			crossed, pathLen = line[1], h.opts.Depth-1
		}
		alt.cross = h.certify(crossed.Key, crossed.Cert.RawSubject, alt.root, pathLen)
	})
	return alt
}

// subject tells authorities of different hierarchies apart by their keys.
func (h *Hierarchy) subject(what string, key crypto.Signer) []byte {
	return name(TestOrganization, fmt.Sprintf("%s Test %s %s", h.opts.Name, what, hex.EncodeToString(KeyID(key.Public())[:3])))
}

func (h *Hierarchy) newKey() crypto.Signer {
	key, err := h.opts.KeyType.Generate()
	if err != nil {
		panic("issue: New let a key type pass: " + err.Error())
	}
	return key
}

func (h *Hierarchy) selfSigned(what string) *Authority {
	key := h.newKey()
	root := &Authority{Key: key}
	root.Cert = h.certify(key, h.subject(what, key), root, -1)
	return root
}

// certify makes an authority's certificate. An issuer without one signs itself.
func (h *Hierarchy) certify(key crypto.Signer, subject []byte, issuer *Authority, pathLen int) *x509.Certificate {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic("issue: the key of an authority: " + err.Error())
	}
	id := spkiKeyID(spki)
	from := h.opts.Now.Add(-time.Hour)
	b := body{serial: NewSerial(), issuer: subject, subject: subject, notBefore: from, notAfter: from.Add(h.opts.Lifetime), spki: spki}
	authorityID := id
	if issuer.Cert != nil {
		b.issuer, authorityID = issuer.Cert.RawSubject, issuer.Cert.SubjectKeyId
		b.notAfter = from.Add(h.opts.Lifetime / 2)
	}
	b.extensions = func(c *cryptobyte.Builder) {
		addKeyUsage(c, x509.KeyUsageCertSign|x509.KeyUsageCRLSign|x509.KeyUsageDigitalSignature)
		addBasicConstraints(c, true, pathLen)
		addSubjectKeyID(c, id)
		addAuthorityKeyID(c, authorityID)
	}
	der, err := sign(b, issuer.Key)
	if err == nil {
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(der); err == nil {
			return cert
		}
	}
	panic("issue: an authority's own certificate: " + err.Error())
}
