package issue

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

// Downloads that a client must refuse, or must get along with: what is changed
// after signing.

// BundleEdit makes a download wrong in one way. Edits compose. An edit does not
// write to its argument's blocks.
type BundleEdit func(*Hierarchy, Bundle) Bundle

// Edit applies edits in order and writes the download.
func (h *Hierarchy) Edit(b Bundle, edits ...BundleEdit) []byte {
	for _, edit := range edits {
		b = edit(h, b)
	}
	return b.Bytes()
}

// blocks makes an edit of a change to the list of blocks.
func blocks(change func(*Hierarchy, []*pem.Block) []*pem.Block) BundleEdit {
	return func(h *Hierarchy, b Bundle) Bundle {
		b.Blocks = change(h, slices.Clone(b.Blocks))
		return b
	}
}

// Reversed sends the chain with the leaf last.
func Reversed() BundleEdit {
	return blocks(func(_ *Hierarchy, list []*pem.Block) []*pem.Block {
		slices.Reverse(list)
		return list
	})
}

// LeafOnly sends the first certificate alone.
func LeafOnly() BundleEdit {
	return blocks(func(_ *Hierarchy, list []*pem.Block) []*pem.Block { return list[:min(1, len(list))] })
}

// WithoutIntermediate leaves out the leaf's issuer, and keeps the rest of the
// chain, followed by the root, so that there is a gap in it.
func WithoutIntermediate() BundleEdit {
	return blocks(func(h *Hierarchy, list []*pem.Block) []*pem.Block {
		list = append(list, certificate(h.Root(0).Cert.Raw))
		if len(list) > 2 {
			list = slices.Delete(list, 1, 2)
		}
		return list
	})
}

// WithoutLeaf sends the intermediates alone.
func WithoutLeaf() BundleEdit {
	return blocks(func(_ *Hierarchy, list []*pem.Block) []*pem.Block { return list[min(1, len(list)):] })
}

// UnrelatedIntermediate sends the Stranger's certificate instead of the
// intermediates: the name is right, the key is not.
func UnrelatedIntermediate() BundleEdit {
	return blocks(func(h *Hierarchy, list []*pem.Block) []*pem.Block {
		return append(list[:min(1, len(list))], certificate(h.Stranger().Cert.Raw))
	})
}

// WithRoot appends the root of the default chain.
func WithRoot() BundleEdit {
	return blocks(func(h *Hierarchy, list []*pem.Block) []*pem.Block {
		return append(list, certificate(h.Root(0).Cert.Raw))
	})
}

// Duplicated sends every certificate twice.
func Duplicated() BundleEdit {
	return blocks(func(_ *Hierarchy, list []*pem.Block) []*pem.Block {
		var twice []*pem.Block
		for _, b := range list {
			twice = append(twice, b, b)
		}
		return twice
	})
}

// Huge repeats the issuer's certificate until the download has at least so many
// bytes.
func Huge(size int) BundleEdit {
	return blocks(func(h *Hierarchy, list []*pem.Block) []*pem.Block {
		more := certificate(h.Issuer().Cert.Raw)
		one := len(pem.EncodeToMemory(more))
		for total := 0; total < size; total += one {
			list = append(list, more)
		}
		return list
	})
}

// CRLF ends lines as Windows does.
func CRLF() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle { b.NewLine = "\r\n"; return b }
}

// NoFinalNewline leaves out the last line's end.
func NoFinalNewline() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle { b.NoFinalNewline = true; return b }
}

// TextBefore puts lines of text before the first certificate.
func TextBefore() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle {
		b.Before += "subject=/CN=explanatory text\nissuer=/O=" + TestOrganization + "\n"
		return b
	}
}

// TextBetween puts lines of text between certificates.
func TextBetween() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle { b.Between += "\n# the next certificate\n"; return b }
}

// JunkBlock puts a CERTIFICATE block that is no certificate after the leaf.
func JunkBlock() BundleEdit {
	return inserted(func(*Hierarchy) *pem.Block { return certificate([]byte("this is not a certificate")) })
}

// PrivateKeyInside puts a private key, of no use to anybody, after the leaf.
func PrivateKeyInside() BundleEdit {
	return inserted(func(*Hierarchy) *pem.Block {
		key, err := P256.Generate()
		var der []byte
		if err == nil {
			der, err = x509.MarshalPKCS8PrivateKey(key)
		}
		if err != nil {
			panic("issue: making a P-256 key: " + err.Error())
		}
		return &pem.Block{Type: "PRIVATE KEY", Bytes: der}
	})
}

// CRLInside puts an empty revocation list after the leaf.
func CRLInside(now time.Time) BundleEdit {
	return inserted(func(h *Hierarchy) *pem.Block {
		der, err := h.CRL(1, now, now.Add(time.Hour), nil)
		if err != nil {
			panic("issue: making an empty revocation list: " + err.Error())
		}
		return &pem.Block{Type: "X509 CRL", Bytes: der}
	})
}

// inserted puts a block in the second place.
func inserted(block func(*Hierarchy) *pem.Block) BundleEdit {
	return blocks(func(h *Hierarchy, list []*pem.Block) []*pem.Block {
		return slices.Insert(list, min(1, len(list)), block(h))
	})
}

// PKCS7Type calls the blocks PKCS7.
func PKCS7Type() BundleEdit {
	return blocks(func(_ *Hierarchy, list []*pem.Block) []*pem.Block {
		for i, b := range list {
			list[i] = &pem.Block{Type: "PKCS7", Bytes: b.Bytes}
		}
		return list
	})
}

// BrokenBase64 overwrites a line of the first block with what base64 has no
// letters for.
func BrokenBase64() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle {
		data := slices.Clone(b.Bytes())
		for i := 40; i < min(60, len(data)); i++ {
			data[i] = '!'
		}
		b.Raw = data
		return b
	}
}

// AsDER sends the leaf alone and in binary.
func AsDER() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle {
		b.Raw = []byte{}
		if len(b.Blocks) > 0 {
			b.Raw = b.Blocks[0].Bytes
		}
		return b
	}
}

// Truncated ends the download in the middle of its last block.
func Truncated() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle {
		data := b.Bytes()
		b.Raw = slices.Clone(data[:max(0, len(data)-200)])
		return b
	}
}

// Empty sends nothing.
func Empty() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle { b.Raw = []byte{}; return b }
}

// Garbage sends what is no PEM at all.
func Garbage() BundleEdit {
	return func(_ *Hierarchy, b Bundle) Bundle {
		b.Raw = []byte("\x00\xff<html>certificate\r\n-----BEGIN NOTHING-----\n")
		return b
	}
}
