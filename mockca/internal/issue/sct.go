package issue

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RFC 6962, Sections 3.2 and 3.3: timestamps of certificate transparency.

var oidSCTList = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

// addSCTs adds two timestamps, well-formed and of logs that do not exist, so that
// their signatures prove nothing.
func addSCTs(c *cryptobyte.Builder, at time.Time) {
	addExtension(c, oidSCTList, false, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.OCTET_STRING, func(c *cryptobyte.Builder) {
			c.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) {
				for n := range 2 {
					c.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) { addSCT(c, n+1, at) })
				}
			})
		})
	})
}

func addSCT(c *cryptobyte.Builder, log int, at time.Time) {
	id := sha256.Sum256(fmt.Appendf(nil, "mockca test log %d", log))
	c.AddUint8(0) // v1
	c.AddBytes(id[:])
	c.AddUint64(uint64(at.UnixMilli()))
	c.AddUint16(0)           // no extensions
	c.AddBytes([]byte{4, 3}) // SHA-256 with ECDSA
	c.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			for range 2 {
				half := make([]byte, 32)
				_, _ = rand.Read(half) // never fails
				half[0] = half[0]&0x7f | 1
				c.AddASN1(cbasn1.INTEGER, func(c *cryptobyte.Builder) { c.AddBytes(half) })
			}
		})
	})
}
