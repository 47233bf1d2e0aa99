// Package store holds the memory of a simulated CA that grows with use and must
// not: nonces that cost a bit each, and a queue that forgets its oldest.
package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

// NonceWindow is how many nonces can be outstanding: one that was followed by
// as many others is refused as unknown.
const NonceWindow = 1 << 17

// Verdict is what Redeem found.
type Verdict int

// The verdicts. A nonce that is Used, Expired or Unknown must be refused.
const (
	Fresh Verdict = iota
	Used
	Expired
	Unknown
)

// Nonces issues nonces that can be used once. A nonce is its number and its
// time, encrypted, so that only one bit per nonce has to be kept. It is safe for
// concurrent use; make it with NewNonces.
type Nonces struct {
	block cipher.Block

	mu   sync.Mutex
	next uint64
	good uint64   // the first that has not been made to expire
	used []uint64 // one bit per number, modulo NonceWindow; grows as nonces are issued
}

// NewNonces returns an issuer with a key of its own.
func NewNonces() *Nonces {
	var key [16]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	return &Nonces{block: block, next: 1}
}

// Issue returns a new nonce, in base64url.
func (n *Nonces) Issue(now time.Time) string {
	n.mu.Lock()
	number := n.next
	n.next++
	word, bit := slot(number)
	if word >= len(n.used) {
		n.used = append(n.used, 0)
	}
	n.used[word] &^= bit
	n.mu.Unlock()
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], number)
	binary.BigEndian.PutUint64(b[8:], uint64(now.UnixMilli()))
	n.block.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Redeem tells what a nonce is and uses it up. A lifetime of zero is for ever.
func (n *Nonces) Redeem(nonce string, now time.Time, lifetime time.Duration) Verdict {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != aes.BlockSize {
		return Unknown
	}
	n.block.Decrypt(b, b)
	number := binary.BigEndian.Uint64(b[:8])
	issued := time.UnixMilli(int64(binary.BigEndian.Uint64(b[8:])))
	n.mu.Lock()
	defer n.mu.Unlock()
	if number == 0 || number >= n.next || n.next-number > NonceWindow {
		return Unknown
	}
	word, bit := slot(number)
	if n.used[word]&bit != 0 {
		return Used
	}
	n.used[word] |= bit
	if number < n.good || lifetime > 0 && now.Sub(issued) > lifetime {
		return Expired
	}
	return Fresh
}

// ExpireAll makes everything issued so far Expired.
func (n *Nonces) ExpireAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.good = n.next
}

func slot(number uint64) (word int, bit uint64) {
	i := number % NonceWindow
	return int(i / 64), 1 << (i % 64)
}
