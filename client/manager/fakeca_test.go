package manager_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
)

// fakeCA is a CA inside a RoundTripper, for bubbles in which a year passes in a
// moment: it checks no signatures and validates nothing. The other CAs of the
// tests do.
type fakeCA struct {
	now      func() time.Time
	lifetime time.Duration
	backdate time.Duration
	misnamed bool // certificates are for other names than those ordered
	// fail answers in place of the CA when it returns true.
	fail func(w http.ResponseWriter, r *http.Request) bool
	// info is the renewal information of a certificate; nil is none.
	info func(c *x509.Certificate) (start, end time.Time, retryAfter string)

	key  *ecdsa.PrivateKey
	cert *x509.Certificate

	mu       sync.Mutex
	nonce    int
	orders   map[string]*fakeOrder
	accounts map[string]string // key to URL
	issued   []*x509.Certificate
	requests map[string][]time.Time // by first element of the path
	replaces []string
}

type fakeOrder struct {
	Status         string              `json:"status"`
	Identifiers    []client.Identifier `json:"identifiers"`
	Authorizations []string            `json:"authorizations"`
	Finalize       string              `json:"finalize"`
	Certificate    string              `json:"certificate,omitempty"`
	Replaces       string              `json:"replaces,omitempty"`
	chain          []byte
}

const fakeURL = "https://ca.example"

func newFakeCA(t testing.TB, lifetime time.Duration) *fakeCA {
	ca := &fakeCA{now: time.Now, lifetime: lifetime, orders: map[string]*fakeOrder{}, accounts: map[string]string{}, requests: map[string][]time.Time{}}
	var err error
	ca.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	from := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake"}, NotBefore: from.Add(-time.Hour), NotAfter: from.Add(100 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte("fake")}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	require.NoError(t, err)
	ca.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return ca
}

// RoundTrip implements http.RoundTripper.
func (ca *fakeCA) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	w.Header().Set("Date", ca.now().UTC().Format(http.TimeFormat))
	ca.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	if res.Header.Get("Connection") == "close" {
		return nil, io.ErrUnexpectedEOF
	}
	return res, nil
}

// ServeHTTP implements http.Handler.
func (ca *fakeCA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.requests[parts[0]] = append(ca.requests[parts[0]], ca.now())
	ca.nonce++
	w.Header().Set("Replay-Nonce", fmt.Sprintf("nonce-%d", ca.nonce))
	if ca.fail != nil && ca.fail(w, r) {
		return
	}
	var payload struct {
		Identifiers        []client.Identifier
		CSR, Replaces      string
		OnlyReturnExisting bool
	}
	kid, key := jws(r, &payload)
	if known := ca.known(kid); kid != "" && !known {
		problem(w, http.StatusBadRequest, "accountDoesNotExist", "no such account")
		return
	}
	switch parts[0] {
	case "dir":
		d := map[string]string{"newNonce": fakeURL + "/nonce", "newAccount": fakeURL + "/account", "newOrder": fakeURL + "/order", "revokeCert": fakeURL + "/revoke", "keyChange": fakeURL + "/rollover"}
		if ca.info != nil {
			d["renewalInfo"] = fakeURL + "/ari"
		}
		answer(w, http.StatusOK, d)
	case "account":
		url, old := ca.accounts[key]
		if !old {
			url = fmt.Sprintf("%s/acct/%d", fakeURL, ca.nonce)
			ca.accounts[key] = url
		}
		w.Header().Set("Location", url)
		answer(w, map[bool]int{true: http.StatusOK, false: http.StatusCreated}[old], map[string]string{"status": "valid"})
	case "order":
		if len(parts) == 1 {
			id := fmt.Sprint(ca.nonce)
			ca.orders[id] = &fakeOrder{Status: "ready", Identifiers: payload.Identifiers, Authorizations: []string{}, Finalize: fakeURL + "/finalize/" + id, Replaces: payload.Replaces}
			ca.replaces = append(ca.replaces, payload.Replaces)
			w.Header().Set("Location", fakeURL+"/order/"+id)
			answer(w, http.StatusCreated, ca.orders[id])
			return
		}
		ca.order(w, parts[1])
	case "finalize":
		if o := ca.orders[parts[1]]; o != nil && o.Status == "ready" {
			ca.issue(parts[1], o, payload.CSR)
		}
		ca.order(w, parts[1])
	case "cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(ca.orders[parts[1]].chain)
	case "ari":
		ca.renewalInfo(w, parts[1])
	}
}

func (ca *fakeCA) known(url string) bool {
	for _, u := range ca.accounts {
		if u == url {
			return true
		}
	}
	return false
}

func (ca *fakeCA) order(w http.ResponseWriter, id string) {
	o := ca.orders[id]
	if o == nil {
		problem(w, http.StatusNotFound, "malformed", "no such order")
		return
	}
	answer(w, http.StatusOK, o)
}

func (ca *fakeCA) issue(id string, o *fakeOrder, csr string) {
	der, _ := base64.RawURLEncoding.DecodeString(csr)
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return
	}
	if ca.misnamed {
		req.DNSNames = []string{"other.example"}
	}
	from := ca.now().Add(-ca.backdate)
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(1000 + ca.nonce)), NotBefore: from, NotAfter: from.Add(ca.lifetime - time.Second),
		DNSNames: req.DNSNames, IPAddresses: req.IPAddresses, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leaf, err := x509.CreateCertificate(rand.Reader, template, ca.cert, req.PublicKey, ca.key)
	if err != nil {
		return
	}
	cert, _ := x509.ParseCertificate(leaf)
	ca.issued = append(ca.issued, cert)
	var b bytes.Buffer
	for _, c := range [][]byte{leaf, ca.cert.Raw} {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c})
	}
	o.chain, o.Status, o.Certificate = b.Bytes(), "valid", fakeURL+"/cert/"+id
}

func (ca *fakeCA) renewalInfo(w http.ResponseWriter, id string) {
	for _, c := range ca.issued {
		if certID, _ := client.CertID(c); certID == id && ca.info != nil {
			start, end, retry := ca.info(c)
			if retry != "" {
				w.Header().Set("Retry-After", retry)
			}
			answer(w, http.StatusOK, map[string]any{"suggestedWindow": map[string]time.Time{"start": start.UTC(), "end": end.UTC()}})
			return
		}
	}
	problem(w, http.StatusNotFound, "malformed", "no such certificate")
}

// times are when requests came for what begins with a path element.
func (ca *fakeCA) times(element string) []time.Time {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return append([]time.Time(nil), ca.requests[element]...)
}

// certificates are those issued so far.
func (ca *fakeCA) certificates() []*x509.Certificate {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return append([]*x509.Certificate(nil), ca.issued...)
}

// set changes how the CA behaves.
func (ca *fakeCA) set(f func()) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	f()
}

func jws(r *http.Request, payload any) (kid, key string) {
	body, _ := io.ReadAll(r.Body)
	var outer struct{ Protected, Payload string }
	_ = json.Unmarshal(body, &outer)
	var header struct {
		Kid string
		JWK json.RawMessage
	}
	protected, _ := base64.RawURLEncoding.DecodeString(outer.Protected)
	_ = json.Unmarshal(protected, &header)
	data, _ := base64.RawURLEncoding.DecodeString(outer.Payload)
	_ = json.Unmarshal(data, payload)
	return header.Kid, string(header.JWK)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status})
}

// memStore is a storage.Store in memory.
type memStore struct {
	mu     sync.Mutex
	values map[string][]byte
	locked chan struct{}
	fail   func(op, name string) error
}

func newMemStore() *memStore {
	return &memStore{values: map[string][]byte{}, locked: make(chan struct{}, 1)}
}

func (s *memStore) refused(op, name string) error {
	if s.fail != nil {
		return s.fail(op, name)
	}
	return nil
}

func (s *memStore) Load(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refused("load", name); err != nil {
		return nil, err
	}
	v, ok := s.values[name]
	if !ok {
		return nil, &fs.PathError{Op: "load", Path: name, Err: fs.ErrNotExist}
	}
	return bytes.Clone(v), nil
}

func (s *memStore) Save(_ context.Context, name string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refused("save", name); err != nil {
		return err
	}
	s.values[name] = bytes.Clone(value)
	return nil
}

func (s *memStore) Create(_ context.Context, name string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refused("create", name); err != nil {
		return err
	}
	if _, ok := s.values[name]; ok {
		return fs.ErrExist
	}
	s.values[name] = bytes.Clone(value)
	return nil
}

func (s *memStore) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, name)
	return s.refused("delete", name)
}

func (s *memStore) Lock(ctx context.Context, waiting func()) (func() error, error) {
	select {
	case s.locked <- struct{}{}:
	default:
		waiting()
		select {
		case s.locked <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return func() error { <-s.locked; return nil }, nil
}

func (s *memStore) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.values {
		names = append(names, name)
	}
	return names
}

// noSolver is never asked: the fake CA validates nothing.
type noSolver struct{}

func (noSolver) Present(context.Context, []challenge.Challenge) error { return nil }
func (noSolver) CleanUp(context.Context, []challenge.Challenge) error { return nil }

// fakeLife is a manager with the fake CA.
func fakeLife(t testing.TB, ca *fakeCA, store *memStore, log *events, change func(*manager.Config, *manager.Options)) *manager.Manager {
	cfg := manager.Config{Domains: []string{"a.example", "b.example"}, DirectoryURL: fakeURL + "/dir", AgreeTerms: true}
	o := manager.Options{Store: store, Transport: ca, NoSignals: true, ReloadEvery: -1, Observer: log.add,
		Solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: noSolver{}}}}
	if change != nil {
		change(&cfg, &o)
	}
	return newManager(t, cfg, o)
}

func keyID(k crypto.PublicKey) string {
	der, _ := x509.MarshalPKIXPublicKey(k)
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
