package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/acme-e2e/acme-e2e/internal/durable"
)

// serveReady is what serve prints with --json when it is ready.
type serveReady struct {
	Directory     string `json:"directory"`
	CABundle      string `json:"caBundle,omitempty"` // file, with --out
	Roots         string `json:"roots,omitempty"`
	Management    string `json:"management"`
	Challtestsrv  string `json:"challtestsrv"`
	Token         string `json:"token,omitempty"`
	DNS           string `json:"dns"`
	HTTPPort      int    `json:"httpPort"`
	HTTPSPort     int    `json:"httpsPort"`
	TLSPort       int    `json:"tlsPort"`
	TSIGName      string `json:"tsigName"`
	TSIGSecret    string `json:"tsigSecret"`
	TSIGAlgorithm string `json:"tsigAlgorithm"`
	EABKeyID      string `json:"eabKid,omitempty"` // of the first key, where there are some
	EABKey        string `json:"eabHmacKey,omitempty"`
	Seed          uint64 `json:"seed"`
	PID           int    `json:"pid"`
}

func (s *served) ready() serveReady {
	r := serveReady{Directory: s.ca.DirectoryURL(), CABundle: s.bundle, Roots: s.roots, Management: s.management, Challtestsrv: s.challtestsrv,
		Token: s.token, DNS: s.dns.Addr(), HTTPPort: s.flags.httpPort, HTTPSPort: s.flags.httpsPort, TLSPort: s.flags.tlsPort,
		TSIGName: s.tsig.Name, TSIGSecret: s.tsig.Secret, TSIGAlgorithm: s.tsig.Algorithm, Seed: s.ca.Seed(), PID: os.Getpid()}
	if len(s.eab) > 0 {
		r.EABKeyID, r.EABKey = s.eab[0].KeyID, base64.RawURLEncoding.EncodeToString(s.eab[0].Key)
	}
	return r
}

// write puts what clients need into a directory, env last: who sees it finds the
// rest.
func (s *served) write(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	s.bundle, s.roots = filepath.Join(dir, "ca-bundle.pem"), filepath.Join(dir, "roots.pem")
	var files durable.Files
	if err := files.Write(s.bundle, s.ca.RootPEM(), 0o644); err != nil {
		return err
	}
	if err := files.Write(s.roots, s.ca.IssuingRootsPEM(), 0o644); err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, "env"), []byte(s.env()), 0o600)
}

// env is a shell file.
func (s *served) env() string {
	r := s.ready()
	dnsHost, dnsPort, _ := net.SplitHostPort(r.DNS) // its own address
	var b strings.Builder
	for _, v := range [][2]string{
		{"DIRECTORY", r.Directory}, {"CA_BUNDLE", r.CABundle}, {"ROOTS", r.Roots},
		{"HTTP_PORT", fmt.Sprint(r.HTTPPort)}, {"HTTPS_PORT", fmt.Sprint(r.HTTPSPort)}, {"TLS_PORT", fmt.Sprint(r.TLSPort)},
		{"DNS", r.DNS}, {"DNS_HOST", dnsHost}, {"DNS_PORT", dnsPort}, {"MANAGEMENT", r.Management}, {"CHALLTESTSRV", r.Challtestsrv}, {"TOKEN", r.Token},
		{"TSIG_NAME", r.TSIGName}, {"TSIG_SECRET", r.TSIGSecret}, {"TSIG_ALGORITHM", r.TSIGAlgorithm},
		{"EAB_KID", r.EABKeyID}, {"EAB_HMAC_KEY", r.EABKey}, {"PID", fmt.Sprint(r.PID)},
	} {
		if v[1] != "" {
			fmt.Fprintf(&b, "%s=%s\n", v[0], shellWord(v[1]))
		}
	}
	return b.String()
}
