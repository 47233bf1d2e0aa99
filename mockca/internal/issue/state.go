package issue

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// state is a hierarchy on disk.
type state struct {
	Version    int              `json:"version"`
	Name       string           `json:"name"`
	KeyType    KeyType          `json:"keyType"`
	CrossRoots bool             `json:"crossRoots,omitempty"`
	Now        time.Time        `json:"now"`
	Lifetime   time.Duration    `json:"lifetime"`
	Line       []authorityState `json:"line"`
	Alternates []authorityState `json:"alternates,omitempty"`
}

// authorityState is one authority, in PEM.
type authorityState struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	Cross       string `json:"cross,omitempty"`
}

// Export is the whole hierarchy as JSON, private keys included: keep it as one
// keeps a key. What has not been made yet is made.
func (h *Hierarchy) Export() ([]byte, error) {
	s := state{Version: 1, Name: h.opts.Name, KeyType: h.opts.KeyType, CrossRoots: h.opts.CrossRoots, Now: h.opts.Now, Lifetime: h.opts.Lifetime}
	for _, a := range h.authorities() {
		one, err := exportAuthority(a)
		if err != nil {
			return nil, err
		}
		s.Line = append(s.Line, one)
	}
	for n := 1; n < h.Chains(); n++ {
		alt := h.alternate(n)
		one, err := exportAuthority(alt.root)
		if err != nil {
			return nil, err
		}
		one.Cross = string(PEM(alt.cross.Raw))
		s.Alternates = append(s.Alternates, one)
	}
	return json.MarshalIndent(s, "", "  ")
}

func exportAuthority(a *Authority) (authorityState, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.Key)
	if err != nil {
		return authorityState{}, fmt.Errorf("exporting the key of %q: %w", a.Cert.Subject, err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return authorityState{Certificate: string(PEM(a.Cert.Raw)), Key: string(key)}, nil
}

// Import is the hierarchy that Export wrote.
func Import(data []byte) (*Hierarchy, error) {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading a hierarchy: %w", err)
	}
	if s.Version != 1 || len(s.Line) == 0 {
		return nil, fmt.Errorf("reading a hierarchy: version %d with %d authorities is not known here", s.Version, len(s.Line))
	}
	depth := len(s.Line) - 1
	if depth == 0 {
		depth = -1
	}
	h, err := New(Options{Name: s.Name, KeyType: s.KeyType, Depth: depth, Roots: len(s.Alternates) + 1, CrossRoots: s.CrossRoots, Now: s.Now, Lifetime: s.Lifetime})
	if err != nil {
		return nil, fmt.Errorf("reading a hierarchy: %w", err)
	}
	for i, one := range s.Line {
		a, err := importAuthority(one)
		if err == nil {
			err = a.Cert.CheckSignatureFrom(append(h.line, a)[max(i-1, 0)].Cert)
		}
		if err != nil {
			return nil, fmt.Errorf("reading authority %d of a hierarchy: %w", i, err)
		}
		h.line = append(h.line, a)
	}
	for i, one := range s.Alternates {
		root, err := importAuthority(one)
		var cross *x509.Certificate
		if err == nil {
			cross, err = importCertificate(one.Cross)
		}
		if err == nil {
			err = cross.CheckSignatureFrom(root.Cert)
		}
		if err != nil {
			return nil, fmt.Errorf("reading alternate root %d of a hierarchy: %w", i+1, err)
		}
		h.roots[i].root, h.roots[i].cross = root, cross
	}
	return h, nil
}

func importAuthority(s authorityState) (*Authority, error) {
	cert, err := importCertificate(s.Certificate)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(s.Key))
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("there is no private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its private key: %w", err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", parsed)
	}
	pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(key.Public()) {
		return nil, fmt.Errorf("the private key is not that of %q", cert.Subject)
	}
	if _, err := algorithmOf(key); err != nil {
		return nil, err
	}
	return &Authority{Cert: cert, Key: key}, nil
}

func importCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("there is no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
