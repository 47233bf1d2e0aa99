package clientcases

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// reference is a client that does everything right, but for one thing: the
// switch that is on, or the switches, separated by spaces. It judges the judges.
type reference struct{ wrong string }

func (ref reference) client() Client {
	return Client{Name: "reference", Features: Features(), Run: ref.run}
}

// visit is one run of the reference.
type visit struct {
	Env
	ctx     context.Context
	wrong   string
	session *wire.Session
	clock   clock.Clock

	directory map[string]any
	nonces    []string
	spent     string // a nonce that was used
	key       *wire.Key
	kid       string
	state     state
}

// state is what is kept between runs.
type state struct {
	Renewals map[string]string `json:"renewals,omitempty"` // identifiers of certificates asked about
	Failures int               `json:"failures,omitempty"`
	NotUntil time.Time         `json:"notUntil,omitzero"`
}

// on reports whether a switch is on.
func (v *visit) on(name string) bool { return slices.Contains(strings.Fields(v.wrong), name) }

func (ref reference) run(ctx context.Context, env Env) error {
	v := &visit{Env: env, ctx: ctx, wrong: ref.wrong, clock: env.Clock}
	if v.clock == nil {
		v.clock = clock.System
	}
	err := v.perform()
	v.save()
	switch {
	case err != nil && v.on("leaves-lock"):
		_ = os.WriteFile(filepath.Join(v.AccountDir, "lock"), nil, 0o600)
	case err != nil && v.on("hides-errors"):
		return errors.New("it did not work")
	case v.on("claims-success"):
		return nil
	}
	return err
}

func (v *visit) perform() error {
	if _, err := os.Stat(filepath.Join(v.AccountDir, "lock")); err == nil {
		return errors.New("locked")
	}
	if data, err := os.ReadFile(filepath.Join(v.AccountDir, "state.json")); err == nil {
		if err := json.Unmarshal(data, &v.state); err != nil {
			return err
		}
	}
	if err := v.connect(); err != nil {
		return err
	}
	switch v.Operation {
	case Issue:
		return v.issue("")
	case Renew:
		return v.renew()
	case KeepRenewed:
		return v.keepRenewed()
	case Revoke:
		return v.revoke(false)
	case RevokeByKey:
		return v.revoke(true)
	}
	return v.manageAccount()
}

func (v *visit) save() {
	if data, err := json.Marshal(v.state); err == nil {
		_ = os.WriteFile(filepath.Join(v.AccountDir, "state.json"), data, 0o600)
	}
}

// connect prepares the session, and reads the directory.
func (v *visit) connect() error {
	bundle, err := os.ReadFile(v.CABundle)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, InsecureSkipVerify: v.on("trusts-anything")}, ForceAttemptHTTP2: true}
	context.AfterFunc(v.ctx, transport.CloseIdleConnections)
	o := wire.Options{DirectoryURL: v.Directory, Transport: transport, UserAgent: "reference/1.0 Go-http-client/2.0", Timeout: 2 * time.Second}
	switch {
	case v.on("impatient"):
		o.Timeout = 100 * time.Millisecond
	case v.on("reads-everything"):
		o.MaxBody, o.Timeout = 1<<40, time.Minute
	case v.on("one-product"):
		o.UserAgent = "reference/1.0"
	}
	v.session = wire.NewSession(o)
	if v.on("nonce-first") {
		_, _ = v.session.Do(v.ctx, wire.Request{Method: http.MethodHead, URL: v.Directory})
	}
	r, err := v.get(v.Directory)
	if err != nil {
		return err
	}
	if v.directory, err = r.Object(); err != nil {
		return err
	}
	meta, _ := v.directory["meta"].(map[string]any)
	if v.on("needs-meta") && meta == nil || v.on("strict-json") && v.directory["x-null"] == nil && v.directory["x-text"] != nil {
		return errors.New("an odd directory")
	}
	if v.Profile != "" && !v.on("any-profile") {
		offered, _ := meta["profiles"].(map[string]any)
		if offered[v.Profile] == nil {
			return fmt.Errorf("the profile %s is not offered", v.Profile)
		}
	}
	return nil
}

func (v *visit) url(resource string) string {
	s, _ := v.directory[resource].(string)
	return s
}

// keyFile is where the account's key for a CA is.
func (v *visit) keyFile() string {
	sum := sha256.Sum256([]byte(v.Directory))
	name := hex.EncodeToString(sum[:4])
	if v.on("shared-key") {
		name = "shared"
	}
	return filepath.Join(v.AccountDir, "account-"+name+".json")
}

type keptAccount struct {
	Key jose.JSONWebKey `json:"key"`
	URL string          `json:"url"`
}

// builtIn is a key that is the same everywhere, for the client that has one.
var builtIn = newReferenceKey("p256")

func newReferenceKey(kind string) *wire.Key {
	types := map[string]wire.KeyType{"rsa2048": wire.RSA2048, "p384": wire.P384, "ed25519": wire.Ed25519}
	t, ok := types[kind]
	if !ok {
		t = wire.P256
	}
	key, err := wire.NewKey(t)
	if err != nil {
		panic(err)
	}
	return key
}

// account loads the account, or makes one.
func (v *visit) account() error {
	var kept keptAccount
	if data, err := os.ReadFile(v.keyFile()); err == nil {
		if err := json.Unmarshal(data, &kept); err != nil {
			return err
		}
		if v.key, err = wireKey(kept.Key.Key); err != nil {
			return err
		}
		v.kid = kept.URL
		if v.kid != "" && v.Operation != FindAccount && !v.on("new-account-each-time") {
			return nil
		}
	}
	if v.key == nil || v.on("new-account-each-time") {
		v.key = newReferenceKey(v.KeyType)
	}
	if v.on("built-in-key") {
		v.key = builtIn
	}
	if err := v.keepKey(); err != nil {
		return err
	}
	if err := v.register(); err != nil {
		return err
	}
	return v.keepKey()
}

func (v *visit) keepKey() error {
	data, err := json.Marshal(keptAccount{jose.JSONWebKey{Key: v.key.Signer}, v.kid})
	if err != nil {
		return err
	}
	return os.WriteFile(v.keyFile(), data, 0o600)
}

func wireKey(private any) (*wire.Key, error) {
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P384() {
			return &wire.Key{Signer: k, Type: wire.P384, Algorithm: jose.ES384}, nil
		}
		return &wire.Key{Signer: k, Type: wire.P256, Algorithm: jose.ES256}, nil
	case *rsa.PrivateKey:
		return &wire.Key{Signer: k, Type: wire.RSA2048, Algorithm: jose.RS256}, nil
	}
	return nil, fmt.Errorf("a key of type %T", private)
}

// writePair puts chain and key into their places, the key first.
func (v *visit) writePair(chain []byte, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if !v.on("half-a-pair") {
		if err := os.WriteFile(v.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(v.CertFile, chain, 0o600)
}

func newCertificateKey() *wire.Key {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &wire.Key{Signer: key, Type: wire.P256, Algorithm: jose.ES256}
}
