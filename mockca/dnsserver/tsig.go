package dnsserver

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// RFC 8945: transaction signatures.

// Key may sign updates.
type Key struct {
	Name      string // "key.example"
	Algorithm string // "hmac-sha1", "-sha224", "-sha256", "-sha384" or "-sha512"; empty: any of them
	Secret    string // base64
}

// AddKey lets a key sign, in place of an earlier one of that name.
func (s *Server) AddKey(k Key) error {
	if k.Name == "" {
		return errors.New("a TSIG key needs a name")
	}
	secret, err := base64.StdEncoding.DecodeString(k.Secret)
	if err != nil || len(secret) == 0 {
		return fmt.Errorf("the secret of TSIG key %q is not base64", k.Name)
	}
	if k.Algorithm != "" {
		if newHash(k.Algorithm) == nil {
			return fmt.Errorf("algorithm %q of TSIG key %q is not one of hmac-sha1, -sha224, -sha256, -sha384, -sha512", k.Algorithm, k.Name)
		}
		k.Algorithm = dns.CanonicalName(k.Algorithm)
	}
	k.Name = dns.CanonicalName(k.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[k.Name] = k
	return nil
}

// RemoveKey withdraws a key.
func (s *Server) RemoveKey(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, dns.CanonicalName(name))
}

func newHash(algorithm string) func() hash.Hash {
	switch dns.CanonicalName(algorithm) {
	case dns.HmacSHA1:
		return sha1.New
	case dns.HmacSHA224:
		return sha256.New224
	case dns.HmacSHA256:
		return sha256.New
	case dns.HmacSHA384:
		return sha512.New384
	case dns.HmacSHA512:
		return sha512.New
	}
	return nil
}

// Generate implements dns.TsigProvider.
func (k Key) Generate(msg []byte, t *dns.TSIG) ([]byte, error) {
	algorithm := newHash(t.Algorithm)
	if algorithm == nil || k.Algorithm != "" && k.Algorithm != dns.CanonicalName(t.Algorithm) {
		return nil, dns.ErrKeyAlg
	}
	secret, err := base64.StdEncoding.DecodeString(k.Secret)
	if err != nil {
		return nil, err
	}
	h := hmac.New(algorithm, secret)
	h.Write(msg)
	return h.Sum(nil), nil
}

// Verify implements dns.TsigProvider.
func (k Key) Verify(msg []byte, t *dns.TSIG) error {
	want, err := k.Generate(msg, t)
	if err != nil {
		return err
	}
	got, err := hex.DecodeString(t.MAC)
	if err != nil || !hmac.Equal(want, got) {
		return dns.ErrSig
	}
	return nil
}

// malformedTSIG is RFC 8945, Section 5.2, as far as the answer depends on it.
func malformedTSIG(q *dns.Msg) bool {
	t := q.IsTsig()
	return t != nil && (t.Hdr.Class != dns.ClassANY || t.Hdr.Ttl != 0 || t.Algorithm == "")
}

// signature is what a question was signed with, and how its answer is. The zero
// value is no signature.
type signature struct {
	request *dns.TSIG
	key     Key
	problem uint16 // RcodeBadKey, RcodeBadSig, RcodeBadTime; zero: verified
}

// verify looks at the signature of q, which raw is the wire form of.
func (s *Server) verify(q *dns.Msg, raw []byte) signature {
	t := q.IsTsig()
	if t == nil {
		return signature{}
	}
	s.mu.RLock()
	key, known := s.keys[dns.CanonicalName(t.Hdr.Name)]
	s.mu.RUnlock()
	sig := signature{request: t, key: key}
	if !known {
		sig.problem = dns.RcodeBadKey
		return sig
	}
	switch err := dns.TsigVerifyWithProvider(raw, key, "", false); {
	case err == nil:
	case errors.Is(err, dns.ErrTime):
		sig.problem = dns.RcodeBadTime
	case errors.Is(err, dns.ErrKeyAlg):
		sig.problem = dns.RcodeBadKey
	default:
		sig.problem = dns.RcodeBadSig
	}
	return sig
}

func (g signature) verified() bool { return g.request != nil && g.problem == 0 }

func (g signature) name() string {
	if !g.verified() {
		return ""
	}
	return strings.TrimSuffix(g.key.Name, ".")
}

// room is what the signature adds to an answer, at most.
func (g signature) room() int {
	if g.request == nil {
		return 0
	}
	return len(g.request.Hdr.Name) + len(g.request.Algorithm) + 128
}

// pack writes an answer, signed as the question was.
func (g signature) pack(m *dns.Msg) ([]byte, error) {
	if g.request == nil {
		return m.Pack()
	}
	m.SetTsig(g.request.Hdr.Name, g.request.Algorithm, 300, time.Now().Unix())
	t := m.IsTsig()
	t.OrigId, t.Error = m.Id, g.problem
	if g.problem == dns.RcodeBadTime { // Section 5.2.3: the server's time
		t.TimeSigned, t.OtherLen = g.request.TimeSigned, 6
		t.OtherData = fmt.Sprintf("%012x", time.Now().Unix())
	}
	raw, _, err := dns.TsigGenerateWithProvider(m, g.key, g.request.MAC, false)
	return raw, err
}
