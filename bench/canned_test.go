package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// canned is a CA without network, checks and validation: what it costs is the
// same for all clients, so that differences are the clients' own.
type canned struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	n    atomic.Int64
	leaf atomic.Pointer[[]byte]
}

func newCanned(b *testing.B) *canned {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "canned"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	c := &canned{key: key}
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := 200, ""
	header := http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().UTC().Format(http.TimeFormat)},
		"Replay-Nonce": {fmt.Sprintf("nonce%d", c.n.Add(1))}}
	order := func(status string) string {
		return fmt.Sprintf(`{"status":"%s","expires":"2036-01-02T03:04:05Z","identifiers":[{"type":"dns","value":"n0.i1.example"}],"authorizations":["https://ca.example/authZ/1"],"finalize":"https://ca.example/finalize/1","certificate":"https://ca.example/cert/1"}`, status)
	}
	switch r.URL.Path {
	case "/dir":
		body = `{"newNonce":"https://ca.example/nonce","newAccount":"https://ca.example/account","newOrder":"https://ca.example/new","revokeCert":"https://ca.example/r","keyChange":"https://ca.example/k"}`
	case "/account":
		status, body = 201, `{"status":"valid"}`
		header.Set("Location", "https://ca.example/account/1")
	case "/new":
		status, body = 201, strings.Replace(order("pending"), `,"certificate":"https://ca.example/cert/1"`, "", 1)
		header.Set("Location", "https://ca.example/order/1")
	case "/authZ/1":
		body = `{"status":"pending","identifier":{"type":"dns","value":"n0.i1.example"},"expires":"2036-01-02T03:04:05Z","challenges":[` +
			`{"type":"dns-01","url":"https://ca.example/ch/1","token":"abcdefghijklmnopqrstuvwxyz012345","status":"pending"},` +
			`{"type":"http-01","url":"https://ca.example/ch/2","token":"abcdefghijklmnopqrstuvwxyz012345","status":"pending"},` +
			`{"type":"tls-alpn-01","url":"https://ca.example/ch/3","token":"abcdefghijklmnopqrstuvwxyz012345","status":"pending"}]}`
	case "/ch/2":
		body = `{"type":"http-01","url":"https://ca.example/ch/2","token":"abcdefghijklmnopqrstuvwxyz012345","status":"pending"}`
	case "/order/1":
		body = order("ready")
		if c.leaf.Load() != nil {
			body = order("valid")
		}
	case "/finalize/1":
		c.finalize(r)
		body = strings.Replace(order("processing"), `,"certificate":"https://ca.example/cert/1"`, "", 1)
	case "/cert/1":
		header.Set("Content-Type", "application/pem-certificate-chain")
		body = string(*c.leaf.Swap(nil))
	}
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

func (c *canned) finalize(r *http.Request) {
	var jws struct{ Payload string }
	_ = json.NewDecoder(r.Body).Decode(&jws)
	payload, _ := base64.RawURLEncoding.DecodeString(jws.Payload)
	var p struct{ CSR string }
	_ = json.Unmarshal(payload, &p)
	der, _ := base64.RawURLEncoding.DecodeString(p.CSR)
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		panic(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(c.n.Add(1)), NotBefore: c.cert.NotBefore, NotAfter: c.cert.NotAfter, DNSNames: csr.DNSNames}
	leaf, err := x509.CreateCertificate(rand.Reader, t, c.cert, csr.PublicKey, c.key)
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
	b := out.Bytes()
	c.leaf.Store(&b)
}

// BenchmarkWithoutNetwork is what the clients themselves cost; the canned CA's
// part is the same for each.
func BenchmarkWithoutNetwork(b *testing.B) {
	for _, name := range []string{theFloor, ours} {
		b.Run(name, func(b *testing.B) {
			ca := newCanned(b)
			e := environment{Directory: "https://ca.example/dir", RoundTripper: ca, Responder: &responder{unseen: true, tasks: map[string]*task{}}}
			d, err := newDriver(name, e)
			if err != nil {
				b.Fatal(err)
			}
			if err := d.Register(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				if _, err := d.Obtain(b.Context(), []string{"n0.i1.example"}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}
