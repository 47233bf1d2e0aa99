package mockca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// The API's own certificate: RFC 8555, Section 6.1.

type apiCertificate struct {
	root    []byte // DER
	rootKey *ecdsa.PrivateKey
	leaf    tls.Certificate
}

// RootPEM is what to trust in order to reach the API, in PEM. With
// Options.Certificate it is the last certificate of its chain.
func (ca *CA) RootPEM() []byte {
	if own := ca.options.Certificate; own != nil && len(own.Certificate) > 0 {
		return issue.PEM(own.Certificate[len(own.Certificate)-1])
	}
	a, err := ca.apiOnce()
	if err != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root})
}

func (ca *CA) tlsConfig() (*tls.Config, error) {
	cert := ca.options.Certificate
	if cert == nil {
		a, err := ca.apiOnce()
		if err != nil {
			return nil, err
		}
		cert = &a.leaf
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{*cert},
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: ca.handshake,
	}, nil
}

// makeAPIRoot makes the root of the API's certificates.
func makeAPIRoot(now time.Time) (*apiCertificate, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Organization: []string{issue.TestOrganization}, CommonName: "mockca API root"},
		NotBefore:    now.Add(-24 * time.Hour), NotAfter: now.AddDate(30, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		SubjectKeyId: issue.KeyID(rootKey.Public()),
	}
	a := &apiCertificate{rootKey: rootKey}
	a.root, err = x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	return a, err
}

// issue makes one more certificate for the API, of the same root.
func (a *apiCertificate) issue(notBefore, notAfter time.Time, hosts ...string) (tls.Certificate, error) {
	root, err := x509.ParseCertificate(a.root)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(issue.NewSerial()),
		Subject:      pkix.Name{Organization: []string{issue.TestOrganization}, CommonName: "mockca API"},
		NotBefore:    notBefore, NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else if h != "" {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), a.rootKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, a.root}, PrivateKey: key}, nil
}

// apiHosts are the names that the API's certificate is for.
func (ca *CA) apiHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1", "ca.test", ca.options.Host}
	if u, err := url.Parse(ca.options.BaseURL); err == nil {
		hosts = append(hosts, u.Hostname())
	}
	if h, _, err := net.SplitHostPort(ca.options.Addr); err == nil {
		if ip := net.ParseIP(h); ip == nil || !ip.IsUnspecified() {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func (ca *CA) lazyAPICertificate() func() (*apiCertificate, error) {
	return sync.OnceValues(func() (*apiCertificate, error) {
		// TLS clients go by the machine's time, whatever the CA's clock says.
		now := time.Now()
		a, err := ca.apiRoot()
		if err == nil {
			a.leaf, err = a.issue(now.Add(-24*time.Hour), now.AddDate(20, 0, 0), ca.apiHosts()...)
		}
		if err != nil {
			return nil, fmt.Errorf("making the API's certificate: %w", err)
		}
		return a, nil
	})
}
