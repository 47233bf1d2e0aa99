package clientcases

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// pair is what a client left: a chain and its key.
type pair struct {
	chain []*x509.Certificate
	pem   []byte
}

func (p *pair) leaf() *x509.Certificate { return p.chain[0] }

// files are where chain and key of a run are.
func (t *Trial) files(env Env) (cert, key string) {
	if t.client.Files == nil {
		return env.CertFile, env.KeyFile
	}
	return t.client.Files(env)
}

// pair reads what the client left, as a server would that is to use it.
func (t *Trial) pair(env Env) (*pair, error) {
	certFile, keyFile := t.files(env)
	data, err := os.ReadFile(certFile)
	if err != nil {
		return nil, errors.New("no certificate in " + t.inside(certFile))
	}
	p := &pair{pem: data}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s can't be read: %w", t.inside(certFile), err)
		}
		p.chain = append(p.chain, c)
	}
	if len(p.chain) == 0 {
		return nil, errors.New("no certificate in " + t.inside(certFile))
	}
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		return nil, fmt.Errorf("certificate and key don't work together: %w", err)
	}
	return p, nil
}

// inside names a file without what is the same for all.
func (t *Trial) inside(file string) string {
	if short, err := filepath.Rel(t.world.dir, file); err == nil {
		return short
	}
	return file
}

// serves reports whether the leaf is for exactly the names.
func (p *pair) serves(names []string) error {
	has := slices.Clone(p.leaf().DNSNames)
	for _, ip := range p.leaf().IPAddresses {
		has = append(has, ip.String())
	}
	slices.Sort(has)
	want := asciiNames(canonical(names))
	if !slices.Equal(has, want) {
		return fmt.Errorf("the certificate is for %q, not for %q", has, want)
	}
	return nil
}
