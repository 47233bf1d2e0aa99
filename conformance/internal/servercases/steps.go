package servercases

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// account is an account at the server, or a key that has none when url is "".
type account struct {
	key     *wire.Key
	url     string
	created *wire.Response
}

// order is an order as it was last seen.
type order struct {
	object
	url     string
	created *wire.Response
}

// authorization is one as it was last seen.
type authorization struct {
	object
	url string
}

// issued is a certificate with all that led to it.
type issued struct {
	order *order
	key   *wire.Key
	url   string
	chain []*x509.Certificate
	pem   *wire.Response
}

func (i *issued) leaf() *x509.Certificate { return i.chain[0] }

// newKey makes a key, P-256 if no type is named.
func (s *scene) newKey(kind ...wire.KeyType) *wire.Key {
	kind = append(kind, wire.P256)
	type made struct {
		key *wire.Key
		err error
	}
	done := make(chan made, 1)
	go func() {
		key, err := wire.NewKey(kind[0])
		done <- made{key, err}
	}()
	select {
	case m := <-done:
		if m.err != nil {
			s.inconclusive("%v", m.err)
		}
		return m.key
	case <-s.ctx.Done(): // RSA takes its time where there is no processor to be had
		s.inconclusive("the case was ended while it made a key: %v", context.Cause(s.ctx))
		return nil
	}
}

// name is a fresh DNS name.
func (s *scene) name() string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	return "c" + hex.EncodeToString(random[:]) + "." + s.env.Domain
}

// account returns an account: one for the case alone, unless the run shares.
func (s *scene) account() *account {
	if s.env.ShareAccount {
		return shared(s, "account", func(s *scene) *account { return s.ownAccount() })
	}
	return s.ownAccount()
}

// ownAccount creates an account, of a P-256 key if no type is named.
func (s *scene) ownAccount(kind ...wire.KeyType) *account {
	a := &account{key: s.newKey(kind...)}
	s.register(a)
	if a.url == "" {
		s.inconclusive("no account could be had: newAccount answered %s", a.created.Excerpt())
	}
	return a
}

// register sends newAccount for a.
func (s *scene) register(a *account) {
	a.created = s.post(&account{key: a.key}, s.url("newAccount"), s.accountPayload(a.key))
	if a.created.Status == 201 || a.created.Status == 200 {
		a.url = a.created.Location()
	}
}

// accountPayload is what newAccount gets for key.
func (s *scene) accountPayload(key *wire.Key) map[string]any {
	payload := map[string]any{"termsOfServiceAgreed": true}
	if len(s.env.Contact) > 0 {
		payload["contact"] = s.env.Contact
	}
	if s.env.Binding != nil {
		payload["externalAccountBinding"] = s.binding(key, bindingEdit{})
	}
	return payload
}

// id is an identifier object.
type id struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

func dnsIDs(names []string) []id {
	ids := []id{}
	for _, name := range names {
		ids = append(ids, id{"dns", name})
	}
	return ids
}

// order creates an order for names.
func (s *scene) order(a *account, names ...string) *order { return s.orderWith(a, dnsIDs(names), nil) }

// orderWith creates an order with further members.
func (s *scene) orderWith(a *account, ids []id, extra map[string]any) *order {
	r := s.newOrder(a, ids, extra)
	o := &order{object: objectOf(r), url: r.Location(), created: r}
	if r.Status != 201 || o.url == "" || o.object == nil {
		s.inconclusive("no order could be had: newOrder answered %s", r.Excerpt())
	}
	return o
}

// newOrder sends newOrder and takes any answer.
func (s *scene) newOrder(a *account, ids []id, extra map[string]any) *wire.Response {
	payload := map[string]any{"identifiers": ids}
	for name, value := range extra {
		payload[name] = value
	}
	return s.post(a, s.url("newOrder"), payload)
}

// read fetches an object by POST-as-GET, or ends the case.
func (s *scene) read(a *account, url string) object {
	r := s.post(a, url, nil)
	o := objectOf(r)
	if r.Status != 200 || o == nil {
		s.inconclusive("%s could not be read: %s", url, r.Excerpt())
	}
	return o
}

// authorizations fetches all of an order's.
func (s *scene) authorizations(a *account, o *order) []*authorization {
	urls, _ := o.texts("authorizations")
	var all []*authorization
	for _, url := range urls {
		all = append(all, &authorization{s.read(a, url), url})
	}
	if len(all) == 0 {
		s.inconclusive("the order lists no authorizations")
	}
	return all
}

// challenge of that type, or nil.
func (z *authorization) challenge(kind string) object {
	challenges, _ := z.objects("challenges")
	for _, challenge := range challenges {
		if challenge.text("type") == kind {
			return challenge
		}
	}
	return nil
}

// offered is the challenge of that type; the case is skipped without.
func (s *scene) offered(z *authorization, kind string) object {
	challenge := z.challenge(kind)
	if challenge == nil {
		s.skip("the server does not offer %s, as it may choose the types (RFC 8555, Section 7.1.4)", kind)
	}
	return challenge
}

// name of the identifier.
func (z *authorization) name() string { return z.member("identifier").text("value") }

// pick is a challenge that can be answered rightly.
func (s *scene) pick(z *authorization) object {
	for _, kind := range s.env.answerable() {
		if challenge := z.challenge(kind); challenge != nil {
			return challenge
		}
	}
	s.skip("none of the challenges offered can be answered in this run; which types there are is the server's choice (RFC 8555, Section 7.1.4)")
	return nil
}

// publish makes the right answer to challenge visible until the case ends.
func (s *scene) publish(a *account, z *authorization, challenge object) {
	if s.env.AlwaysValid {
		return
	}
	token, kind := challenge.text("token"), challenge.text("type")
	own := s.env.Responder
	switch {
	case kind == http01 && own != nil && own.HTTPPort() != 0:
		s.serveHTTP(token, responder.Text(a.key.KeyAuthorization(token)))
	case kind == tlsalpn01 && own != nil && own.TLSPort() != 0:
		s.serveTLS(z, responder.TLSCertificate{KeyAuthorization: a.key.KeyAuthorization(token)})
	case kind == dns01 && own != nil && own.DNSAddr() != "" && s.env.ResolvesHere:
		s.serveTXT("_acme-challenge."+z.name(), a.key.DNSValue(token))
	default:
		s.handOn(a, z, challenge)
	}
}

func (s *scene) handOn(a *account, z *authorization, challenge object) {
	token := challenge.text("token")
	answer := responder.Answer{Type: challenge.text("type"), Name: z.name(), Token: token,
		KeyAuthorization: a.key.KeyAuthorization(token), TXT: a.key.DNSValue(token)}
	if err := s.env.Publisher.Publish(s.ctx, answer); err != nil {
		s.inconclusive("the answer to %s could not be published: %v", answer.Type, err)
	}
	s.cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 20*time.Second)
		defer cancel()
		if err := s.env.Publisher.Remove(ctx, answer); err != nil {
			s.out.Note("the answer to %s could not be removed: %v", answer.Type, err)
		}
	})
}

func (s *scene) serveTXT(name string, values ...string) {
	s.env.Responder.SetTXT(name, values...)
	s.cleanup(func() { s.env.Responder.ClearDNS(name) })
}

// serveTLS answers tls-alpn-01 for z. Names and addresses that certificate
// lacks are z's identifier.
func (s *scene) serveTLS(z *authorization, certificate responder.TLSCertificate) {
	if len(certificate.DNS)+len(certificate.IPs) == 0 {
		if addr, err := netip.ParseAddr(z.name()); err == nil {
			certificate.IPs = []netip.Addr{addr}
		} else {
			certificate.DNS = []string{z.name()}
		}
	}
	config, err := certificate.Config()
	if err != nil {
		s.inconclusive("%v", err)
	}
	s.answerTLS(z, func(*tls.ClientHelloInfo) (*tls.Config, error) { return config, nil })
}

func (s *scene) answerTLS(z *authorization, answer responder.TLSAnswer) {
	name := serverName(z.name())
	s.env.Responder.SetTLS(name, answer)
	s.cleanup(func() { s.env.Responder.ClearTLS(name) })
}

// respond tells the server to validate, and returns its answer.
func (s *scene) respond(a *account, challenge object) *wire.Response {
	return s.post(a, challenge.text("url"), "{}")
}

// settle polls an authorization until it is final.
func (s *scene) settle(a *account, z *authorization) *authorization {
	return &authorization{s.poll(a, z.url, func(status string) bool { return status != "pending" }), z.url}
}

// complete makes an authorization valid.
func (s *scene) complete(a *account, z *authorization) *authorization {
	if z.status() == "valid" {
		return z
	}
	challenge := s.pick(z)
	s.publish(a, z, challenge)
	if r := s.respond(a, challenge); r.Status != 200 {
		s.inconclusive("the challenge could not be answered: %s", r.Excerpt())
	}
	final := s.settle(a, z)
	if final.status() != "valid" {
		s.inconclusive("the authorization for %s became %s: %s", z.name(), final.status(), explain(final))
	}
	return final
}

// explain finds what the server said about a failed authorization.
func explain(z *authorization) string {
	challenges, _ := z.objects("challenges")
	for _, challenge := range challenges {
		if problem := challenge.member("error"); problem != nil {
			return problem.text("type") + ": " + problem.text("detail")
		}
	}
	return "without an error"
}

// firstLook is how long a server may work before it is asked: asked sooner,
// many are nearly done and say that they need another second.
const firstLook = 30 * time.Millisecond

// poll reads an object until done, in growing steps or as Retry-After says,
// for as long as the case may take.
func (s *scene) poll(a *account, url string, done func(status string) bool) object {
	pause, began := firstLook, time.Now()
	s.pause(pause)
	for {
		r := s.post(a, url, nil)
		o := objectOf(r)
		if r.Status != 200 || o == nil {
			s.inconclusive("%s could not be read: %s", url, r.Excerpt())
		}
		if done(o.status()) {
			return o
		}
		wait := pause
		if after, ok, err := r.RetryAfter(); ok && err == nil {
			wait = max(pause, min(after, 5*time.Second))
		}
		if !s.paused(wait) {
			s.inconclusive("%s is still %s after %.0f s: %v", url, o.status(), time.Since(began).Seconds(), context.Cause(s.ctx))
		}
		pause = min(2*pause, time.Second)
	}
}

// pause waits, unless the case ends before.
func (s *scene) pause(wait time.Duration) {
	if !s.paused(wait) {
		s.inconclusive("the case was ended while it waited: %v", context.Cause(s.ctx))
	}
}

// paused waits, and tells whether the case goes on.
func (s *scene) paused(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// ready makes an order for names that awaits its CSR.
func (s *scene) ready(a *account, names ...string) *order {
	return s.makeReady(a, s.order(a, names...))
}

func (s *scene) makeReady(a *account, o *order) *order {
	for _, z := range s.authorizations(a, o) {
		s.complete(a, z)
	}
	o = &order{s.poll(a, o.url, func(status string) bool { return status != "pending" }), o.url, o.created}
	if o.status() != "ready" {
		s.inconclusive("the order became %s instead of ready", o.status())
	}
	return o
}

// csrFor is a CSR for all identifiers of an order.
func (s *scene) csrFor(o *order, key *wire.Key) wire.CSR {
	csr := wire.CSR{Key: key}
	for _, each := range o.identifiers() {
		kind, value, _ := strings.Cut(each, ":")
		if addr, err := netip.ParseAddr(value); kind == "ip" && err == nil {
			csr.IPs = append(csr.IPs, addr)
		} else {
			csr.DNS = append(csr.DNS, value)
		}
	}
	return csr
}

// finalize sends a CSR.
func (s *scene) finalize(a *account, o *order, csr wire.CSR) *wire.Response {
	der, err := csr.DER()
	if err != nil {
		s.inconclusive("%v", err)
	}
	return s.post(a, o.text("finalize"), map[string]any{"csr": wire.Encode(der)})
}

// download finishes an order whose CSR was accepted.
func (s *scene) download(a *account, o *order, key *wire.Key) *issued {
	o = &order{s.poll(a, o.url, func(status string) bool { return status != "processing" && status != "ready" }), o.url, o.created}
	if o.status() != "valid" {
		s.inconclusive("the order became %s instead of valid: %v", o.status(), o.object["error"])
	}
	r := s.post(a, o.text("certificate"), nil)
	chain, err := parseChain(r.Body)
	if r.Status != 200 || err != nil {
		s.inconclusive("the certificate could not be had: %v: %s", err, r.Excerpt())
	}
	return &issued{o, key, o.text("certificate"), chain, r}
}

// issue gets a certificate for names.
func (s *scene) issue(a *account, names ...string) *issued {
	return s.issueFor(a, s.ready(a, names...))
}

func (s *scene) issueFor(a *account, o *order) *issued {
	key := s.newKey()
	if r := s.finalize(a, o, s.csrFor(o, key)); r.Status != 200 {
		s.inconclusive("the order could not be finalized: %s", r.Excerpt())
	}
	return s.download(a, o, key)
}

func parseChain(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain, text = append(chain, certificate), rest
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("there is no certificate in it")
	}
	return chain, nil
}

// serverName is what SNI says for an identifier (RFC 8738, Section 6).
func serverName(value string) string {
	addr, err := netip.ParseAddr(value)
	if err != nil {
		return value
	}
	var labels []string
	if addr.Is4() {
		for _, octet := range addr.As4() {
			labels = append(labels, fmt.Sprint(octet))
		}
		slices.Reverse(labels)
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	for _, octet := range addr.As16() {
		labels = append(labels, fmt.Sprintf("%x", octet>>4), fmt.Sprintf("%x", octet&15))
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".") + ".ip6.arpa"
}
