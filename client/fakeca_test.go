package client

import (
	"bytes"
	"context"
	"crypto"
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
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/internal/memnet"
)

// fakeCA is a CA of few words that a test bends: hook sees every request first
// and may answer it; shape rewrites any JSON object before it is sent.
type fakeCA struct {
	t     *testing.T
	srv   *httptest.Server
	hook  func(w http.ResponseWriter, r *request) bool
	shape func(kind string, o map[string]any)
	chain func(leaf, issuer []byte) []byte // PEM to serve

	mu     sync.Mutex
	nonce  int
	seen   map[string]int // by kind
	log    []string
	orders []*fakeOrder
	accts  map[string]string // thumbprint to URL
	urls   map[string]*jose.JSONWebKey
	key    *ecdsa.PrivateKey
	issuer *x509.Certificate
}

type fakeOrder struct {
	ids                []Identifier
	status             string
	authz              []string
	cert               []byte
	validated, problem map[int]any
}

// request is a request as the fake CA understood it.
type request struct {
	*http.Request
	kind    string // "newOrder", "authz", ...
	n       int    // which of its kind, from 1
	payload []byte
	header  map[string]any
	acct    string
	ca      *fakeCA
}

func newFakeCA(t *testing.T) *fakeCA {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return newFakeCAOn(t, l)
}

// bubbled is a CA and an account of it for use in a synctest bubble.
func bubbled(t *testing.T, change ...func(*Config)) (*fakeCA, *Account) {
	l := memnet.Listen()
	ca := newFakeCAOn(t, l)
	tr := &http.Transport{DialContext: l.Dial}
	t.Cleanup(tr.CloseIdleConnections)
	return ca, ca.account(append(change, func(c *Config) { c.Transport, c.Retry = tr, RetryPolicy{} })...)
}

func newFakeCAOn(t *testing.T, l net.Listener) *fakeCA {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &fakeCA{t: t, seen: map[string]int{}, accts: map[string]string{}, urls: map[string]*jose.JSONWebKey{}, key: key}
	now := time.Now()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Fake Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(87600 * time.Hour), KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte{1, 2, 3}}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	require.NoError(t, err)
	ca.issuer, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	ca.srv = httptest.NewUnstartedServer(ca)
	require.NoError(t, ca.srv.Listener.Close())
	ca.srv.Listener = l
	ca.srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	ca.srv.Start()
	t.Cleanup(ca.srv.Close)
	return ca
}

func (ca *fakeCA) client(change ...func(*Config)) *Client {
	cfg := Config{DirectoryURL: ca.srv.URL + "/dir", AllowHTTP: true, Retry: RetryPolicy{MinDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	require.NoError(ca.t, err)
	ca.t.Cleanup(c.Close)
	return c
}

func (ca *fakeCA) account(change ...func(*Config)) *Account {
	a, err := ca.client(change...).NewAccount(ca.t.Context(), testKey(ca.t), AccountOptions{AgreeTerms: true})
	require.NoError(ca.t, err)
	return a
}

func testKey(t testing.TB) crypto.Signer {
	k, err := GenerateKey(P256)
	require.NoError(t, err)
	return k
}

func (ca *fakeCA) count(kind string) int {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.seen[kind]
}

func (ca *fakeCA) url(path string) string { return ca.srv.URL + path }

func (ca *fakeCA) fresh() string {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.nonce++
	return fmt.Sprintf("nonce%d", ca.nonce)
}

func (ca *fakeCA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{Request: r, ca: ca, kind: strings.SplitN(r.URL.Path, "/", 3)[1]}
	if r.Method == "POST" {
		body, _ := io.ReadAll(r.Body)
		jws, err := jose.ParseSignedJSON(string(body), []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.RS256, jose.PS256, jose.EdDSA})
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		raw, _ := base64.RawURLEncoding.DecodeString(between(string(body), `"protected":"`))
		_ = json.Unmarshal(raw, &q.header)
		h := jws.Signatures[0].Protected
		ca.mu.Lock()
		key := h.JSONWebKey
		if kid := h.KeyID; kid != "" {
			key, q.acct = ca.urls[kid], kid
		}
		ca.mu.Unlock()
		if key == nil {
			q.problem(w, 400, "accountDoesNotExist", "")
			return
		}
		if q.payload, err = jws.Verify(key); err != nil {
			q.problem(w, 400, "malformed", "signature: "+err.Error())
			return
		}
		if q.header["url"] != ca.url(r.URL.Path) {
			q.problem(w, 401, "unauthorized", "url")
			return
		}
		thumb, _ := key.Thumbprint(crypto.SHA256)
		q.header["thumb"] = base64.RawURLEncoding.EncodeToString(thumb)
		q.header["key"] = key
	}
	ca.mu.Lock()
	ca.seen[q.kind]++
	q.n = ca.seen[q.kind]
	ca.log = append(ca.log, r.Method+" "+r.URL.Path)
	ca.mu.Unlock()
	if ca.hook != nil && ca.hook(w, q) {
		return
	}
	ca.serve(w, q)
}

func between(s, start string) string {
	_, s, _ = strings.Cut(s, start)
	s, _, _ = strings.Cut(s, `"`)
	return s
}

func (q *request) problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Replay-Nonce", q.ca.fresh())
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": errorURN + kind, "detail": detail})
}

func (q *request) send(w http.ResponseWriter, status int, o map[string]any) {
	if q.ca.shape != nil {
		q.ca.shape(q.kind, o)
	}
	w.Header().Set("Replay-Nonce", q.ca.fresh())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(o)
}

func (ca *fakeCA) serve(w http.ResponseWriter, q *request) {
	var in struct {
		Identifiers []Identifier
		Only        bool `json:"onlyReturnExisting"`
		CSR         string
	}
	_ = json.Unmarshal(q.payload, &in)
	var n, i int
	_, _ = fmt.Sscanf(q.URL.Path, "/"+q.kind+"/%d/%d", &n, &i)
	switch q.kind {
	case "dir":
		q.send(w, 200, map[string]any{"newNonce": ca.url("/newNonce"), "newAccount": ca.url("/newAccount"), "newOrder": ca.url("/newOrder"),
			"revokeCert": ca.url("/revokeCert"), "keyChange": ca.url("/keyChange"), "renewalInfo": ca.url("/renewalInfo"), "meta": map[string]any{"profiles": map[string]any{"short": "six days"}}})
	case "newNonce":
		w.Header().Set("Replay-Nonce", ca.fresh())
	case "newAccount":
		ca.serveAccount(w, q, in.Only)
	case "newOrder":
		ca.mu.Lock()
		o := &fakeOrder{ids: in.Identifiers, status: "pending", validated: map[int]any{}, problem: map[int]any{}}
		ca.orders = append(ca.orders, o)
		n = len(ca.orders) - 1
		for i := range o.ids {
			o.authz = append(o.authz, ca.url(fmt.Sprintf("/authz/%d/%d", n, i)))
		}
		ca.mu.Unlock()
		w.Header().Set("Location", ca.url(fmt.Sprintf("/order/%d", n)))
		q.send(w, 201, ca.object(n))
	case "order":
		q.send(w, 200, ca.object(n))
	case "authz":
		q.send(w, 200, ca.authz(n, i, string(q.payload)))
	case "chall":
		ca.mu.Lock()
		o := ca.orders[n]
		o.validated[i] = true
		if len(o.validated) == len(o.ids) && o.status == "pending" {
			o.status = "ready"
		}
		ca.mu.Unlock()
		q.send(w, 200, map[string]any{"type": "http-01", "url": q.header["url"], "status": "valid", "token": fakeToken})
	case "finalize":
		der, _ := base64.RawURLEncoding.DecodeString(in.CSR)
		ca.finalize(n, der)
		q.send(w, 200, ca.object(n))
	case "cert":
		ca.mu.Lock()
		leaf := ca.orders[n].cert
		ca.mu.Unlock()
		w.Header().Set("Replay-Nonce", ca.fresh())
		w.Header().Set("Content-Type", pemChain)
		if ca.chain != nil {
			_, _ = w.Write(ca.chain(leaf, ca.issuer.Raw))
			return
		}
		_, _ = w.Write(pemOf(leaf, ca.issuer.Raw))
	default:
		q.send(w, 200, map[string]any{})
	}
}

func (ca *fakeCA) serveAccount(w http.ResponseWriter, q *request, only bool) {
	thumb := q.header["thumb"].(string)
	ca.mu.Lock()
	url, known := ca.accts[thumb]
	if !known && !only {
		url = ca.url(fmt.Sprintf("/acct/%d", len(ca.accts)))
		ca.accts[thumb], ca.urls[url] = url, q.header["key"].(*jose.JSONWebKey)
	}
	ca.mu.Unlock()
	if url == "" {
		q.problem(w, 400, "accountDoesNotExist", "none with this key")
		return
	}
	w.Header().Set("Location", url)
	q.send(w, 201, map[string]any{"status": "valid"})
}

const fakeToken = "DGyRejmCefe7v4NfDGDKfA"

func (ca *fakeCA) object(n int) map[string]any {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	o := ca.orders[n]
	m := map[string]any{"status": o.status, "identifiers": o.ids, "authorizations": o.authz, "finalize": ca.url(fmt.Sprintf("/finalize/%d", n))}
	if o.status == "valid" {
		m["certificate"] = ca.url(fmt.Sprintf("/cert/%d", n))
	}
	return m
}

func (ca *fakeCA) authz(n, i int, payload string) map[string]any {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	o := ca.orders[n]
	id, status := o.ids[i], "pending"
	if o.validated[i] == true {
		status = "valid"
	}
	if strings.Contains(payload, "deactivated") {
		status = "deactivated"
	}
	ch := map[string]any{"type": "http-01", "url": ca.url(fmt.Sprintf("/chall/%d/%d", n, i)), "status": status, "token": fakeToken}
	m := map[string]any{"identifier": id.base(), "status": status, "challenges": []any{ch}}
	if p := o.problem[i]; p != nil {
		m["status"], ch["status"], ch["error"] = "invalid", "invalid", p
	}
	return m
}

func (ca *fakeCA) finalize(n int, der []byte) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		ca.t.Error(err)
		return
	}
	now := time.Now()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(0x87), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(90 * 24 * time.Hour),
		DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, ca.issuer, csr.PublicKey, ca.key)
	if err != nil {
		ca.t.Error(err)
		return
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.orders[n].cert, ca.orders[n].status = cert, "valid"
}

func pemOf(ders ...[]byte) []byte {
	var b bytes.Buffer
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return b.Bytes()
}

// paper is a solver that keeps books.
type paper struct {
	mu        sync.Mutex
	presented []challenge.Challenge
	presents  int
	cleaned   []challenge.Challenge
	err       error
}

func (p *paper) Present(_ context.Context, c []challenge.Challenge) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.presents++
	p.presented = append(p.presented, c...)
	return p.err
}

func (p *paper) CleanUp(ctx context.Context, c []challenge.Challenge) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleaned = append(p.cleaned, c...)
	return ctx.Err()
}

func names(t testing.TB, list ...string) []Identifier {
	ids, err := ParseIdentifiers(list...)
	require.NoError(t, err)
	return ids
}

func (p *paper) request(t testing.TB, list ...string) Request {
	return Request{Identifiers: names(t, list...), Solvers: []SolverFor{{challenge.HTTP01, p}}}
}

// newTLS serves ca once more, with a certificate that nobody trusts.
func newTLS(t *testing.T, ca *fakeCA) string {
	srv := httptest.NewUnstartedServer(ca)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}
