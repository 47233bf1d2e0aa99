package issue

import (
	"crypto/x509"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RFC 5280, Section 4.2.1.4: certificate policies, which carry the marks.

// TestOrganization is the organization in the name of every issuer.
const TestOrganization = "acme-e2e TEST CA - do not trust"

// testNotice is what a person reads in a leaf.
const testNotice = "acme-e2e TEST certificate - do not trust"

// testPolicy is an identifier under 2.999, the arc of examples (ITU-T X.660).
// Its numbers are small: clients built with Go before 1.22 read no others, and
// refuse the certificate.
const testPolicy = "2.999.8555.1"

// TestPolicy is the policy in every leaf, which no real CA asserts.
func TestPolicy() x509.OID {
	id, err := x509.ParseOID(testPolicy)
	if err != nil {
		panic("issue: the test policy's identifier: " + err.Error())
	}
	return id
}

// addTestPolicy writes the policy with its notice.
func addTestPolicy(c *cryptobyte.Builder) {
	der, err := testPolicyInfo()
	if err != nil {
		c.SetError(err)
		return
	}
	addExtension(c, oidPolicies, false, func(c *cryptobyte.Builder) { c.AddBytes(der) })
}

// testPolicyInfo is the extension's value, the same in every leaf.
var testPolicyInfo = sync.OnceValues(func() ([]byte, error) {
	id, err := TestPolicy().MarshalBinary()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(c *cryptobyte.Builder) { c.AddBytes(id) })
			c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
				c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
					c.AddASN1ObjectIdentifier(oidUserNotice)
					c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
						c.AddASN1(cbasn1.UTF8String, func(c *cryptobyte.Builder) { c.AddBytes([]byte(testNotice)) })
					})
				})
			})
		})
	})
	return b.Bytes()
})
