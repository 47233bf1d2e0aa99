// Package storage keeps what the life of a certificate needs between two starts
// of a program: the certificate with its key, the account's key, the pending
// order, and notes.
//
// Store is the contract, File its implementation in files that web servers can
// read. A Store holds the state of one certificate; a program with several has
// several.
package storage

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
)

// A Store keeps named values. Implementations are safe for concurrent use.
//
// Two promises make crashes harmless. Save is atomic: at any moment, and after a
// crash at any moment, Load gives the value of one Save, whole. And it is
// durable: once Save has returned, a crash does not bring the old value back.
type Store interface {
	// Load returns a value; the error is fs.ErrNotExist when there is none.
	Load(ctx context.Context, name string) ([]byte, error)
	// Save sets a value.
	Save(ctx context.Context, name string, value []byte) error
	// Create sets a value that is not there yet; else the error is fs.ErrExist
	// and nothing is changed.
	Create(ctx context.Context, name string, value []byte) error
	// Delete removes a value. One that is not there is no error.
	Delete(ctx context.Context, name string) error
	// Lock waits until nobody else, in this process or another, holds the
	// store's lock, and takes it. It ends with ctx. A holder that died must not
	// keep it. waiting, if not nil, is called once when there is a wait.
	Lock(ctx context.Context, waiting func()) (unlock func() error, err error)
}

// The names of values. Others are for keeping aside what may still be wanted;
// they consist of a-z, 0-9, "-" and ".".
const (
	Certificate = "certificate" // a Pair, as Encode makes it
	AccountKey  = "account-key" // PKCS#8 PEM
	Accounts    = "accounts"    // the accounts' URLs
	Pending     = "pending"     // the order under way, with its private key
	Renewal     = "renewal"     // when to renew
)

// A Stamper is a Store that can tell cheaply whether a value has changed. Two
// equal stamps mean that it has not.
type Stamper interface {
	Stamp(ctx context.Context, name string) (string, error)
}

// A Checker is a Store that can tell beforehand whether Save will work. It is
// asked before anything is ordered from a CA.
type Checker interface {
	Check(ctx context.Context) error
}

// Pair is a certificate chain and its private key, both PEM, as they are in the
// files. Whether they belong together is for the reader to check.
type Pair struct {
	Chain, Key []byte
}

// Encode puts a pair into one value: the key's PEM blocks, then the chain's.
func (p Pair) Encode() []byte {
	return bytes.Join([][]byte{bytes.TrimSpace(p.Key), bytes.TrimSpace(p.Chain), nil}, []byte("\n"))
}

// errNotAPair is what DecodePair says of a value that lacks a half.
var errNotAPair = errors.New("not a certificate and a private key in PEM")

// DecodePair takes a value apart: certificates into Chain, all other PEM blocks
// into Key.
func DecodePair(value []byte) (Pair, error) {
	var p Pair
	for rest := value; ; {
		block, next := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = next
		if block.Type == "CERTIFICATE" {
			p.Chain = append(p.Chain, pem.EncodeToMemory(block)...)
		} else {
			p.Key = append(p.Key, pem.EncodeToMemory(block)...)
		}
	}
	if len(p.Chain) == 0 || len(p.Key) == 0 {
		return p, errNotAPair
	}
	return p, nil
}
