package issue

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"
)

// RFC 5280, Section 5: revocation lists.

// Revoked is one line of a revocation list.
type Revoked struct {
	Serial []byte
	At     time.Time
	Reason int // RFC 5280, Section 5.3.1; zero is left out
}

// CRL signs a list, in DER.
func (h *Hierarchy) CRL(number int64, thisUpdate, nextUpdate time.Time, revoked []Revoked) ([]byte, error) {
	list := x509.RevocationList{Number: big.NewInt(number), ThisUpdate: thisUpdate, NextUpdate: nextUpdate}
	for _, r := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: new(big.Int).SetBytes(r.Serial), RevocationTime: r.At, ReasonCode: r.Reason,
		})
	}
	issuer := h.Issuer()
	der, err := x509.CreateRevocationList(rand.Reader, &list, issuer.Cert, issuer.Key)
	if err != nil {
		return nil, fmt.Errorf("signing a revocation list: %w", err)
	}
	return der, nil
}

// CRLHandler answers GET with a fresh list (RFC 5280, Section 4.2.1.13: DER),
// valid for a day, numbered upwards by the second.
func (h *Hierarchy) CRLHandler(list func() []Revoked, now func() time.Time) http.Handler {
	var mu sync.Mutex
	var last int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "a revocation list is fetched by GET", http.StatusMethodNotAllowed)
			return
		}
		t := now()
		mu.Lock()
		last = max(last+1, t.Unix())
		number := last
		mu.Unlock()
		der, err := h.CRL(number, t, t.Add(24*time.Hour), list())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/pkix-crl")
		_, _ = w.Write(der)
	})
}
