package mockca

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Finalization: RFC 8555, Section 7.4.

func (r *request) finalize() (*Response, *Problem) {
	o := r.order
	if o == nil {
		return nil, r.missing("order")
	}
	if p := r.mine(o.account, "order"); p != nil {
		return nil, p
	}
	var in struct {
		CSR string `json:"csr"`
	}
	if p := r.decode(&in); p != nil {
		return nil, p
	}
	r.x.Object = r.url(OrderURL, o.id)
	status, why, _ := r.ca.settleOrder(r.x, r.now, o)
	if status != statusReady && r.ca.on(CheckOrderReady) {
		p := fails(CheckOrderReady, TypeOrderNotReady, "the order is %s, not ready", status)
		if status == statusInvalid && why != nil {
			p.Detail += ": " + why.Detail
		}
		return nil, p
	}
	csr, p := r.checkCSR(in.CSR, o)
	if p != nil {
		return nil, p
	}
	o.mu.Lock()
	from := o.status
	if from != status { // two at once
		o.mu.Unlock()
		return nil, fails(CheckOrderReady, TypeOrderNotReady, "the order is %s, not ready", from)
	}
	o.status, o.csr = statusProcessing, csr.Raw
	o.mu.Unlock()
	r.ca.changed(r.x, r.now, "order", r.x.Object, from, statusProcessing, "")
	r.spendCertificate(o)
	r.ca.beginIssuance(r, o, csr)
	return r.located(r.orderResponse(http.StatusOK, o), r.x.Object), nil
}

// beginIssuance issues at once, or in the background.
func (ca *CA) beginIssuance(r *request, o *order, csr *x509.CertificateRequest) {
	knobs := r.knobs
	delay := knobs.FinalizeDelay
	if r.policy.AsyncFinalize {
		delay += r.policy.FinalizeDelay
	}
	policy, base := r.policy, r.base
	if delay <= 0 && !r.policy.AsyncFinalize && !knobs.NeverFinalize {
		ca.endIssuance(r.x, r.now, base, policy, o, csr, knobs)
		return
	}
	ca.work.start(!knobs.NeverFinalize, func() {
		if knobs.NeverFinalize {
			<-ca.ctx.Done()
			return
		}
		if ca.clock.Sleep(ca.ctx, delay) != nil {
			return
		}
		ca.endIssuance(nil, ca.clock.Now(), base, policy, o, csr, knobs)
	})
}

func (ca *CA) endIssuance(x *Exchange, now time.Time, base string, policy *Policy, o *order, csr *x509.CertificateRequest, knobs Knobs) {
	var cert *certificate
	problem := knobs.FinalizeProblem
	if problem == nil {
		var err error
		if cert, err = ca.issueFor(now, base, policy, o, csr, knobs.Leaf); err != nil {
			problem = &Problem{Type: TypeServerInternal, Detail: "issuing: " + err.Error()}
		}
	}
	to := statusValid
	if problem != nil {
		to = statusInvalid
	}
	o.mu.Lock()
	o.status, o.err, o.cert, o.csr = to, problem, cert, nil
	o.mu.Unlock()
	if cert != nil {
		ca.changed(x, now, "certificate", ca.certificateURL(base, cert, 0), "", statusValid, cert.serialHex())
	}
	ca.orderChanged(x, now, o, statusProcessing, to, problem)
}

func (ca *CA) issueFor(now time.Time, base string, policy *Policy, o *order, csr *x509.CertificateRequest, edits []LeafEdit) (*certificate, error) {
	shape := issue.Profile{Lifetime: o.shape.Lifetime, Backdate: o.shape.Backdate, CommonName: o.shape.CommonName,
		ClientAuth: o.shape.ClientAuth, KeyEncipherment: o.shape.KeyEncipherment, SKI: o.shape.SubjectKeyID}
	var names []string
	var addrs []netip.Addr
	for _, id := range o.identifiers {
		if id.Type == "ip" {
			if a, err := netip.ParseAddr(id.Value); err == nil {
				addrs = append(addrs, a)
			}
			continue
		}
		names = append(names, id.Value)
	}
	leaf := shape.Leaf(csr.PublicKey, names, addrs, now, o.notBefore, o.notAfter)
	leaf.RawPublicKey = csr.RawSubjectPublicKeyInfo
	leaf.MustStaple, leaf.SCT = issue.MustStaple(csr), o.shape.SCT
	path := ca.routes.path
	leaf.IssuerURL = []string{base + path[Issuer]}
	if !policy.NoCRL {
		leaf.CRL = []string{base + path[CRL]}
	}
	if !policy.NoOCSP {
		leaf.OCSP = []string{base + path[OCSP]}
	}
	der, serial, err := ca.hierarchy.IssueEdited(leaf, edits...)
	if err != nil {
		return nil, err
	}
	cert := &certificate{account: o.account, order: o, identifiers: o.identifiers, der: der, serial: serial, issued: now,
		id: issue.CertID(ca.hierarchy.Issuer().Cert.SubjectKeyId, serial), notBefore: leaf.NotBefore, notAfter: leaf.NotAfter}
	ca.books.certs.put(string(trimZeros(serial)), cert)
	return cert, nil
}

// checkCSR: RFC 8555, Section 7.4; RFC 2986.
func (r *request) checkCSR(encoded string, o *order) (*x509.CertificateRequest, *Problem) {
	der, err := strictBase64(encoded)
	if err != nil && !r.ca.on(CheckCSRForm) {
		der, err = base64.StdEncoding.DecodeString(encoded)
	}
	if err != nil || len(der) == 0 {
		return nil, fails(CheckCSRForm, TypeBadCSR, `"csr" is not base64url without padding`)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fails(CheckCSRForm, TypeBadCSR, "the CSR can't be read: %v", err)
	}
	if r.ca.on(CheckCSRSignature) {
		if err := csr.CheckSignature(); err != nil {
			return nil, fails(CheckCSRSignature, TypeBadCSR, "the CSR is not signed by its key: %v", err)
		}
	}
	if r.ca.on(CheckCSRKey) && !allowedKey(csr.PublicKey, r.policy.CertificateKeys) {
		return nil, fails(CheckCSRKey, TypeBadCSR, "the CSR's key is %s; it must be one of %s", keyName(csr.PublicKey), strings.Join(r.policy.CertificateKeys, ", "))
	}
	if r.ca.on(CheckCSRAccountKey) && sameKey(csr.PublicKey, r.account.publicKey()) {
		return nil, fails(CheckCSRAccountKey, TypeBadCSR, "the CSR's key is the account's key")
	}
	if other := r.ca.books.accountByKey(thumbprint(csr.PublicKey)); other != nil && other != r.account && r.ca.on(CheckCSRKnownKey) {
		return nil, fails(CheckCSRKnownKey, TypeBadCSR, "the CSR's key is that of an account")
	}
	if r.ca.on(CheckCSRNames) {
		if wrong := wrongCSRNames(csr, o.identifiers); wrong != "" {
			return nil, fails(CheckCSRNames, TypeBadCSR, "%s", wrong)
		}
	}
	return csr, nil
}

func sameKey(a, b any) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// wrongCSRNames compares the CSR's names with the order's.
func wrongCSRNames(csr *x509.CertificateRequest, ordered []Identifier) string {
	var asked []Identifier
	for _, n := range csr.DNSNames {
		asked = append(asked, Identifier{"dns", strings.ToLower(n)})
	}
	for _, ip := range csr.IPAddresses {
		asked = append(asked, Identifier{"ip", addrOf(ip)})
	}
	if cn := csr.Subject.CommonName; cn != "" {
		id := Identifier{"dns", strings.ToLower(cn)}
		if a, err := netip.ParseAddr(cn); err == nil {
			id = Identifier{"ip", a.String()}
		}
		if !slices.Contains(ordered, id) {
			return "the CSR's common name " + cn + " is not among the order's identifiers"
		}
		asked = append(asked, id)
	}
	if len(csr.EmailAddresses) > 0 || len(csr.URIs) > 0 {
		return "the CSR has names that are neither host names nor addresses"
	}
	for _, id := range asked {
		if !slices.Contains(ordered, id) {
			return "the CSR names " + id.Value + ", which the order does not"
		}
	}
	for _, id := range ordered {
		if !slices.Contains(asked, id) {
			return "the CSR does not name " + id.Value + ", which the order does"
		}
	}
	for _, e := range csr.Extensions {
		if e.Id.Equal(basicConstraints) {
			var c struct {
				CA bool `asn1:"optional"`
			}
			if asn1.Unmarshal(e.Value, &c); c.CA {
				return "the CSR asks for the certificate of an authority"
			}
		}
	}
	return ""
}

var basicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}

func addrOf(ip net.IP) string {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return ip.String()
	}
	return a.Unmap().String()
}

func strictBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(strings.IndexAny(s, "\r\n"))
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
