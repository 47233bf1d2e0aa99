package clientcases

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// How the reference gets a certificate.

type identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// order is an order as the reference reads it.
type order struct {
	Status         string       `json:"status"`
	Identifiers    []identifier `json:"identifiers"`
	Authorizations []string     `json:"authorizations"`
	Finalize       string       `json:"finalize"`
	Certificate    string       `json:"certificate"`
	Error          struct {
		Detail string `json:"detail"`
	} `json:"error"`

	url string
}

func (v *visit) identifiers() (ids []identifier) {
	for _, name := range v.Domains {
		if a, err := netip.ParseAddr(name); err == nil && !v.on("address-as-name") {
			text := a.String()
			if v.on("address-as-written") {
				text = name
			}
			ids = append(ids, identifier{"ip", text})
			continue
		}
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil || v.on("no-letters") {
			ascii = name
		}
		ids = append(ids, identifier{"dns", ascii})
	}
	return ids
}

func sortedIDs(ids []identifier) []identifier {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b identifier) int { return strings.Compare(a.Value, b.Value) })
	return ids
}

// issue orders, proves, finalizes and installs. replaces is the identifier of a
// certificate, or empty.
func (v *visit) issue(replaces string) error {
	if err := v.account(); err != nil {
		return err
	}
	ids := v.identifiers()
	o, err := v.newOrder(ids, replaces)
	if err != nil {
		return err
	}
	if v.on("needs-pending") && o.Status != "pending" {
		return errors.New("the order is not pending")
	}
	if v.on("expects-order") && !slices.Equal(o.Identifiers, ids) || v.on("expects-one-each") && len(o.Authorizations) != len(ids) {
		return errors.New("an odd order")
	}
	if o.Status == "pending" || v.on("answers-valid") {
		urls := slices.Compact(slices.Sorted(slices.Values(o.Authorizations)))
		if v.on("one-authorization") {
			urls = urls[:1]
		}
		if err := v.prove(urls); err != nil {
			return err
		}
	}
	key := newCertificateKey()
	if v.on("account-key-in-csr") {
		key = v.key
	}
	if o, err = v.finalize(o, key, ids); err != nil {
		return err
	}
	chain, err := v.download(o)
	if err != nil {
		return err
	}
	if !v.on("installs-anything") {
		if err := v.check(chain, key, ids); err != nil {
			return err
		}
	}
	if v.on("two-certificates") {
		first, rest := pem.Decode(chain)
		second, _ := pem.Decode(rest)
		chain = slices.Concat(pem.EncodeToMemory(first), pem.EncodeToMemory(second))
	}
	if err := v.writePair(chain, key.Signer); err != nil {
		return err
	}
	if !v.on("no-early-look") {
		leaf, _ := pem.Decode(chain)
		if c, err := x509.ParseCertificate(leaf.Bytes); err == nil {
			_, _ = v.askARI(c)
		}
	}
	return nil
}

func (v *visit) newOrder(ids []identifier, replaces string) (*order, error) {
	payload := map[string]any{"identifiers": ids}
	if v.on("odd-identifiers") {
		payload["identifiers"] = []any{map[string]any{"type": "dns", "value": ids[0].Value, "x": 1}, map[string]any{"type": "dns", "value": ids[1].Value, "x": 1}}
	}
	if v.Profile != "" && !v.on("no-profile") {
		payload["profile"] = v.Profile
	}
	if replaces != "" {
		payload["replaces"] = replaces
	}
	r, err := v.post(v.url("newOrder"), encodeJSON(payload))
	if kind := kindOf(err); replaces != "" && (kind == "alreadyReplaced" || kind == "malformed") && !v.on("insists-on-replaces") {
		return v.newOrder(ids, "")
	}
	if err != nil {
		return nil, err
	}
	var o order
	if err := r.JSON(&o); err != nil {
		if v.on("no-retries") {
			return nil, err
		}
		return v.newOrder(ids, replaces)
	}
	o.url = r.Location()
	return &o, nil
}

// read reads an order again.
func (v *visit) read(o *order) (*order, *wire.Response, error) {
	if v.on("reads-by-get") {
		r, err := v.session.Do(v.ctx, wire.Request{Method: http.MethodGet, URL: o.url, Headers: v.headers(false)})
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("status %d", r.Status)
	}
	r, err := v.post(o.url, nil)
	if err != nil {
		return nil, nil, err
	}
	next := order{url: o.url}
	if err := r.JSON(&next); err != nil {
		return nil, nil, err
	}
	if !v.on("trusts-changes") && !slices.Equal(sortedIDs(next.Identifiers), sortedIDs(o.Identifiers)) {
		return nil, nil, errors.New("the order changed")
	}
	return &next, r, nil
}

// waitFor polls an order until it is in another state than those given.
func (v *visit) waitFor(o *order, last *wire.Response, states ...string) (*order, error) {
	for range 40 {
		if !slices.Contains(states, o.Status) {
			return o, nil
		}
		if v.on("polls-fast") {
			last = nil
		}
		v.rest(last, 250*time.Millisecond)
		next, r, err := v.read(o)
		if err != nil {
			return nil, err
		}
		o, last = next, r
	}
	return nil, errors.New("the order does not get on")
}

func (v *visit) finalize(o *order, key *wire.Key, ids []identifier) (*order, error) {
	if o.Status == "pending" && !v.on("finalizes-early") {
		now, last, err := v.read(o)
		if err != nil {
			return nil, err
		}
		if _, err := v.waitFor(now, last, "pending"); err != nil {
			return nil, err
		}
	}
	csr := wire.CSR{Key: key}
	for _, id := range ids {
		if id.Type == "ip" {
			csr.IPs = append(csr.IPs, netip.MustParseAddr(id.Value))
		} else {
			csr.DNS = append(csr.DNS, id.Value)
		}
	}
	if v.on("extra-name") {
		csr.DNS = append(csr.DNS, "extra.conformance.test")
	}
	der, err := csr.DER()
	if err != nil {
		return nil, err
	}
	payload := encodeJSON(map[string]string{"csr": base64.RawURLEncoding.EncodeToString(der)})
	for attempt := 0; ; attempt++ {
		r, err := v.post(o.Finalize, payload)
		if kindOf(err) == "orderNotReady" && !v.on("gives-up-on-not-ready") && attempt < 3 {
			now, last, err := v.read(o)
			if err != nil {
				return nil, err
			}
			if now.Status == "pending" || now.Status == "ready" {
				v.rest(last, 250*time.Millisecond)
				continue
			}
			return v.finished(now, last, o, payload)
		}
		if err != nil {
			return nil, err
		}
		if v.on("needs-location") && r.Location() == "" {
			return nil, errors.New("no location")
		}
		next := order{url: o.url}
		if err := r.JSON(&next); err != nil {
			return nil, err
		}
		if !v.on("trusts-changes") && !slices.Equal(sortedIDs(next.Identifiers), sortedIDs(o.Identifiers)) {
			return nil, errors.New("the order changed")
		}
		return v.finished(&next, r, o, payload)
	}
}

// finished waits until an order that was finalized is valid.
func (v *visit) finished(now *order, last *wire.Response, o *order, payload []byte) (*order, error) {
	done, err := v.waitFor(now, last, "processing")
	if err != nil {
		return nil, err
	}
	if done.Status != "valid" {
		if v.on("finalizes-again") {
			_, _ = v.post(o.Finalize, payload)
		}
		return nil, fmt.Errorf("the order is %s: %s", done.Status, done.Error.Detail)
	}
	return done, nil
}

func (v *visit) download(o *order) ([]byte, error) {
	if v.on("downloads-by-get") {
		r, err := v.session.Get(v.ctx, o.Certificate)
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("status %d", r.Status)
	}
	if strings.HasPrefix(o.Certificate, "http://") && v.on("goes-anywhere") {
		_, err := v.session.Get(v.ctx, o.Certificate)
		return nil, err
	}
	r, err := v.post(o.Certificate, nil)
	if err != nil {
		return nil, err
	}
	chain := r.Body
	for _, url := range r.Links("alternate") {
		if v.Chain == "" && !v.on("needs-alternates") || v.on("first-chain") {
			break
		}
		other, err := v.post(url, nil)
		if err != nil {
			return nil, err
		}
		if issuerOfLast(other.Body) == v.Chain {
			chain = other.Body
		}
	}
	return chain, nil
}

func certificatesIn(chain []byte) (all []*x509.Certificate, err error) {
	for rest := bytes.TrimSpace(chain); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("something else than certificates")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no certificate")
	}
	return all, nil
}

func issuerOfLast(chain []byte) string {
	all, err := certificatesIn(chain)
	if err != nil {
		return ""
	}
	return all[len(all)-1].Issuer.CommonName
}

// check looks at what came before it replaces anything.
func (v *visit) check(chain []byte, key *wire.Key, ids []identifier) error {
	if v.on("needs-lf") && bytes.Contains(chain, []byte("\r")) {
		return errors.New("line ends")
	}
	all, err := certificatesIn(chain)
	if err != nil {
		return err
	}
	if v.on("needs-two") && len(all) < 2 {
		return errors.New("one certificate only")
	}
	leaf := all[0]
	if _, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), keyPEM(key)); err != nil {
		return err
	}
	var names []identifier
	for _, n := range leaf.DNSNames {
		names = append(names, identifier{"dns", n})
	}
	for _, ip := range leaf.IPAddresses {
		names = append(names, identifier{"ip", ip.String()})
	}
	if !slices.Equal(sortedIDs(names), sortedIDs(ids)) {
		return errors.New("other names")
	}
	if v.clock.Now().After(leaf.NotAfter) {
		return errors.New("expired")
	}
	for i, c := range all[:len(all)-1] {
		if err := c.CheckSignatureFrom(all[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func keyPEM(key *wire.Key) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key.Signer)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// revoke revokes the certificate in its place.
func (v *visit) revoke(byKey bool) error {
	chain, err := os.ReadFile(v.CertFile)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(chain)
	der := block.Bytes
	if v.on("revokes-pem") {
		der = chain
	}
	payload := encodeJSON(map[string]any{"certificate": base64.RawURLEncoding.EncodeToString(der), "reason": 0})
	if !byKey || v.on("revokes-by-account") {
		if err := v.account(); err != nil {
			return err
		}
		_, err = v.post(v.url("revokeCert"), payload)
		if kindOf(err) == "alreadyRevoked" && !v.on("hides-errors") {
			return nil
		}
		return err
	}
	data, err := os.ReadFile(v.KeyFile)
	if err != nil {
		return err
	}
	keyBlock, _ := pem.Decode(data)
	private, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return err
	}
	key, err := wireKey(private)
	if err != nil {
		return err
	}
	_, err = v.post(v.url("revokeCert"), payload, func(m *wire.Message) { m.Key, m.KID = key, "" })
	return err
}
