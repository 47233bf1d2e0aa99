package issue

import (
	"bytes"
	"encoding/pem"
	"strings"
)

// RFC 8555, Section 9.1, and RFC 7468: the PEM that a certificate is downloaded
// as, and what can be put in its place.

// PEM writes certificates one after the other, as application/pem-certificate-chain.
func PEM(chain ...[]byte) []byte { return NewBundle(chain...).Bytes() }

// Bundle is a download before it is written. The zero value is empty.
type Bundle struct {
	Blocks                 []*pem.Block
	NewLine                string // default "\n"
	Before, Between, After string // text around the blocks, ended by a line end of its own
	NoFinalNewline         bool
	Raw                    []byte // not nil: sent instead of everything else
}

// NewBundle holds certificates in DER.
func NewBundle(chain ...[]byte) Bundle {
	var b Bundle
	for _, der := range chain {
		b.Blocks = append(b.Blocks, certificate(der))
	}
	return b
}

func certificate(der []byte) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: der} }

// Bytes is the download.
func (b Bundle) Bytes() []byte {
	if b.Raw != nil {
		return b.Raw
	}
	var out bytes.Buffer
	out.WriteString(b.Before)
	for i, block := range b.Blocks {
		if i > 0 {
			out.WriteString(b.Between)
		}
		_ = pem.Encode(&out, block) // a buffer takes everything, a block has no headers
	}
	out.WriteString(b.After)
	data := out.Bytes()
	if b.NoFinalNewline {
		data = bytes.TrimRight(data, "\n")
	}
	if b.NewLine != "" && b.NewLine != "\n" {
		data = []byte(strings.ReplaceAll(string(data), "\n", b.NewLine))
	}
	return data
}
