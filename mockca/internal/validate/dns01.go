package validate

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// RFC 8555, Section 8.4: dns-01; draft-ietf-acme-dns-account-label: dns-account-01.

// DNSAccountLabel is the label that stands for an account in dns-account-01.
func DNSAccountLabel(accountURL string) string {
	sum := sha256.Sum256([]byte(accountURL))
	return "_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// dns01 wants one of the TXT records at a name to be the digest. The account is
// named in problems when the name depends on it.
func (l *look) dns01(ctx context.Context, name, account string) *Problem {
	suffix := ""
	if account != "" {
		suffix = " (for account " + account + ")"
	}
	l.record(Record{Hostname: l.req.Identifier.Value, URL: name})
	values, _, err := l.txt(ctx, name)
	if err != nil {
		p := err.problem()
		p.Detail += suffix
		return p
	}
	sum := sha256.Sum256([]byte(l.req.KeyAuthorization))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	for _, v := range values {
		if subtle.ConstantTimeCompare([]byte(v), []byte(want)) == 1 {
			return nil
		}
	}
	if len(values) == 0 {
		return problem(l.c.Mismatch, "No TXT record found at %s%s", name, suffix)
	}
	more := ""
	if len(values) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(values)-1)
	}
	return problem(l.c.Mismatch, "Incorrect TXT record %q%s found at %s%s", values[0][:min(len(values[0]), 200)], more, name, suffix)
}

// txt are the values at a name, and for how many seconds they may be kept.
func (l *look) txt(ctx context.Context, name string) (values []string, ttl []uint32, err *dnsError) {
	rrs, err := l.query(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, nil, err
	}
	for _, rr := range rrs {
		if t, ok := rr.(*dns.TXT); ok {
			values, ttl = append(values, text(t)), append(ttl, t.Hdr.Ttl)
		}
	}
	return values, ttl, nil
}
