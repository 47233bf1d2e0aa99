package mockca

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Certificates and their alternates: RFC 8555, Sections 7.4.2 and 9.1.

type certificate struct {
	account     *account
	order       *order
	identifiers []Identifier
	der         []byte
	serial      []byte
	id          string // of RFC 9773
	issued      time.Time
	notBefore   time.Time
	notAfter    time.Time

	mu         sync.Mutex
	revoked    time.Time
	reason     int
	replacedBy *order
	renewal    *RenewalAnswer // set by hand
}

func (c *certificate) serialHex() string { return hex.EncodeToString(c.serial) }

func (c *certificate) replacement() *order {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replacedBy
}

// claim makes o the order that replaces the certificate, unless there is one.
func (c *certificate) claim(o *order) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replacedBy != nil {
		return false
	}
	c.replacedBy = o
	return true
}

// release lets another order replace the certificate, after o failed.
func (c *certificate) release(o *order) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replacedBy == o {
		c.replacedBy = nil
	}
}

func (ca *CA) certificateURL(base string, c *certificate, chain int) string {
	url := base + ca.routes.path[Certificate] + "/" + c.serialHex()
	if chain > 0 {
		url += "/" + strconv.Itoa(chain)
	}
	return url
}

func (r *request) certificateObject() (*Response, *Problem) {
	c := r.cert
	_, alternate, isAlternate := strings.Cut(r.rest, "/")
	chain := 0
	if isAlternate {
		chain = int(number(alternate))
	}
	if c == nil || isAlternate && chain == 0 || chain >= r.ca.hierarchy.Chains() {
		return nil, r.missing("certificate")
	}
	if p := r.mine(c.account, "certificate"); p != nil {
		return nil, p
	}
	bundle := issue.NewBundle(r.ca.hierarchy.Chain(chain, c.der)...)
	resp := &Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {r.policy.PEMChainType}}}
	if r.knobs.Bundle != nil {
		resp.Body = r.ca.hierarchy.Edit(bundle, r.knobs.Bundle...)
	} else {
		resp.Body = bundle.Bytes()
	}
	if r.ca.on(HabitAlternateLinks) {
		for n := range r.ca.hierarchy.Chains() {
			if n != chain {
				resp.link(r.ca.certificateURL(r.base, c, n), "alternate")
			}
		}
	}
	return resp, nil
}

// issuer serves the issuing certificate, which leaves point at.
func (r *request) issuer() (*Response, *Problem) {
	return &Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/pkix-cert"}},
		Body: r.ca.hierarchy.Issuer().Cert.Raw, Bare: true}, nil
}
