package servercases

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that validate wrongly: RFC 8555, Section 8; dns-account-01 and
// dns-persist-01.

// judging overrules what comes of validations of a type; all when it is empty.
func judging(kind string, verdict func(v mockca.ValidationRequest, found *mockca.Problem) *mockca.Problem) func(*stage) {
	return knobs(func(_ *mockca.Exchange, k *mockca.Knobs) {
		k.Verdict = func(v mockca.ValidationRequest, found *mockca.Problem) *mockca.Problem {
			if kind != "" && v.Type != kind {
				return found
			}
			return verdict(v, found)
		}
	}, mockca.ChallengeURL)
}

func believing(kind string) func(*stage) {
	return judging(kind, func(mockca.ValidationRequest, *mockca.Problem) *mockca.Problem { return nil })
}

func doubting(kind string) func(*stage) {
	return judging(kind, func(mockca.ValidationRequest, *mockca.Problem) *mockca.Problem {
		return &mockca.Problem{Type: mockca.TypeIncorrectResponse, Detail: "not believed"}
	})
}

// visiting does something at the responder in place of the CA's validation by
// a type.
func visiting(kind string, visit func(v mockca.ValidationRequest, r *responder.Responder) error) func(*stage) {
	return func(s *stage) {
		knobs(func(_ *mockca.Exchange, k *mockca.Knobs) {
			k.Verdict = func(v mockca.ValidationRequest, found *mockca.Problem) *mockca.Problem {
				if v.Type != kind || found != nil {
					return found
				}
				if err := visit(v, s.answers); err != nil {
					return &mockca.Problem{Type: mockca.TypeConnection, Detail: err.Error()}
				}
				return nil
			}
		}, mockca.ChallengeURL)(s)
	}
}

// resolver rewrites what the DNS answers to the CA.
type resolver struct {
	next mockca.Exchanger
	edit func(ask func(name string) *dns.Msg, q dns.Question, m *dns.Msg)
}

func (r resolver) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	m, err := r.next.Exchange(ctx, q)
	if err == nil {
		r.edit(func(name string) *dns.Msg {
			other := q.Copy()
			other.Question[0].Name = dns.Fqdn(name)
			answer, err := r.next.Exchange(ctx, other)
			if err != nil {
				return new(dns.Msg)
			}
			return answer
		}, q.Question[0], m)
	}
	return m, err
}

func resolving(edit func(ask func(name string) *dns.Msg, q dns.Question, m *dns.Msg)) func(*stage) {
	return func(s *stage) {
		s.resolver = func(next mockca.Exchanger) mockca.Exchanger { return resolver{next, edit} }
	}
}

// hearing rewrites what HTTP servers say to the CA.
func hearing(edit func([]byte) []byte) func(*stage) {
	return func(s *stage) {
		s.options.Validation.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &heard{Conn: conn, edit: edit}, nil
		}
	}
}

// heard is a connection whose HTTP answer comes rewritten, as a whole.
type heard struct {
	net.Conn
	edit func([]byte) []byte
	rest *bytes.Reader
}

func (h *heard) Read(p []byte) (int, error) {
	if h.rest == nil {
		first := make([]byte, 5)
		n, err := io.ReadFull(h.Conn, first)
		if n == 0 {
			return 0, err
		}
		text := first[:n]
		if string(text) == "HTTP/" {
			all, _ := io.ReadAll(h.Conn) // what was said before the end
			text = h.edit(append(text, all...))
		}
		h.rest = bytes.NewReader(text)
	}
	if h.rest.Len() > 0 {
		return h.rest.Read(p)
	}
	return h.Conn.Read(p)
}

func retryMutants() []mutant {
	patient := func(s *stage) {
		s.policy.ValidationRetries, s.policy.PollRetryAfter = 1, time.Second
	}
	return []mutant{
		{"one-try", "gives up after one try", func(*stage) {}, map[string]string{unretried: "RFC8555-8.2-02"}},
		{"impatient", "tries again at once", both(patient, with(func(p *mockca.Policy) { p.ValidationRetryWait = 1500 * time.Millisecond })), map[string]string{unretried: "RFC8555-8.2-03"}},
		{"retries-hidden", "calls challenges pending between tries", both(patient, objects(when("processing", set("status", "pending")), mockca.ChallengeURL)), map[string]string{unretried: "RFC8555-7.1.6-03 RFC8555-8.2-04"}},
		{"retries-unannounced", "does not say when it tries again", both(patient, with(func(p *mockca.Policy) { p.PollRetryAfter = -1 })), map[string]string{unretried: "RFC8555-8.2-05"}},
		{"retries-announced-early", "says to come back before it tries again", both(patient, headers("Retry-After", func(value string) string {
			if value == "" {
				return ""
			}
			return "1"
		}, mockca.ChallengeURL)), map[string]string{unretried: "RFC8555-8.2-07"}},
		{"retries-unexplained", "does not say why it tries again", both(patient, objects(when("processing", func(m map[string]any) {
			if e := object(m).member("error"); e != nil {
				delete(e, "type")
			}
		}), mockca.ChallengeURL)), map[string]string{unretried: "RFC8555-8.2-06"}},
	}
}

func http01Mutants() []mutant {
	get := func(method, path, host string, r *responder.Responder) error {
		req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", r.HTTPPort(), path), nil)
		if err != nil {
			return err
		}
		req.Host = host
		answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	}
	hears := func(old, new string) func(*stage) {
		return hearing(func(text []byte) []byte { return bytes.Replace(text, []byte(old), []byte(new), 1) })
	}
	failure := func(with string) func(*stage) {
		return hearing(func(text []byte) []byte {
			if head, _, _ := bytes.Cut(text, []byte("\r\n\r\n")); bytes.Contains(bytes.ToLower(head), []byte(with)) {
				return []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
			}
			return text
		})
	}
	return []mutant{
		{"http-01-believed", "believes every answer by http-01", believing(http01), map[string]string{
			"rfc8555/8.3/empty":            "RFC8555-8.3-09",
			"rfc8555/8.3/no-address":       "RFC8555-8.3-12",
			"rfc8555/8.3/not-found":        "RFC8555-8.3-12",
			"rfc8555/8.3/server-error":     "RFC8555-8.3-12",
			"rfc8555/8.3/suffix":           "RFC8555-8.3-09",
			"rfc8555/8.3/wrong-thumbprint": "RFC8555-8.3-09",
			"rfc8555/8.3/wrong-token":      "RFC8555-8.3-09",
		}},
		wide(mutant{"http-01-doubted", "finds every answer by http-01 wrong", doubting(http01), map[string]string{
			"rfc8738/4/http-01":                   "RFC8738-4-04",
			"rfc8555/8.3/html":                    "RFC8555-8.3-15",
			"rfc8555/8.3/ipv4-only":               "RFC8555-8.3-14",
			"rfc8555/8.3/no-type":                 "RFC8555-8.3-15",
			"rfc8555/8.3/redirect-301":            "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-302":            "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-307":            "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-308":            "RFC8555-8.3-11",
			"rfc8555/8.3/request":                 "RFC7638-3-02 RFC7638-3-03 RFC7638-3-04 RFC8555-8.1-01",
			"rfc8555/8.3/thumbprint-ed25519":      "RFC7638-3.2-03",
			"rfc8555/8.3/thumbprint-leading-zero": "RFC7518-6.2.1.2-02",
			"rfc8555/8.3/thumbprint-p384":         "RFC7638-3.2-01",
			"rfc8555/8.3/thumbprint-rsa":          "RFC7638-3.2-02",
			"rfc8555/8.3/thumbprint-rsa-high-bit": "RFC8555-8.1-03",
			"rfc8555/8.3/white-space":             "RFC8555-8.3-10",
		}}),
		{"http-01-post", "asks by POST", visiting(http01, func(v mockca.ValidationRequest, r *responder.Responder) error {
			return get("POST", responder.WellKnown+v.Token, v.Identifier.Value, r)
		}), map[string]string{
			"rfc8555/8.3/request": "RFC8555-8.3-08",
		}},
		{"http-01-host", "asks for another host", visiting(http01, func(v mockca.ValidationRequest, r *responder.Responder) error {
			return get("GET", responder.WellKnown+v.Token, "other.example", r)
		}), map[string]string{
			"rfc8555/8.3/request": "RFC8555-8.3-07",
			"rfc8738/4/http-01":   "RFC8738-5-01 RFC8738-5-02",
		}},
		{"http-01-status", "takes answers of any status", hearing(func(text []byte) []byte {
			for _, status := range []string{"404 Not Found", "500 Internal Server Error"} {
				text = bytes.Replace(text, []byte("HTTP/1.1 "+status), []byte("HTTP/1.1 200 OK"), 1)
			}
			return text
		}), map[string]string{
			"rfc8555/8.3/not-found":    "RFC8555-8.3-12",
			"rfc8555/8.3/server-error": "RFC8555-8.3-12",
		}},
		{"http-01-suffix", "takes answers with something after them", hearing(func(text []byte) []byte {
			if bytes.HasSuffix(text, []byte("x")) {
				text[len(text)-1] = ' '
			}
			return text
		}), map[string]string{
			"rfc8555/8.3/suffix": "RFC8555-8.3-09",
		}},
		{"http-01-white-space", "minds white space after an answer", hears(" \r\n\t \n", " \r\n\t x"), map[string]string{
			"rfc8555/8.3/white-space": "RFC8555-8.3-10",
		}},
		{"http-01-html", "minds HTML", failure("content-type: text/html"), map[string]string{
			"rfc8555/8.3/html":         "RFC8555-8.3-15",
			"rfc8555/8.3/redirect-301": "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-302": "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-307": "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-308": "RFC8555-8.3-11",
		}},
		{"http-01-redirect", "follows no redirects", failure("location:"), map[string]string{
			"rfc8555/8.3/redirect-301": "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-302": "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-307": "RFC8555-8.3-11",
			"rfc8555/8.3/redirect-308": "RFC8555-8.3-11",
		}},
	}
}

func dns01Mutants() []mutant {
	return []mutant{
		{"dns-01-believed", "believes every answer by dns-01", believing(dns01), map[string]string{
			"rfc8555/8.4/at-the-name": "RFC8555-8.4-05",
			"rfc8555/8.4/none":        "RFC8555-8.4-07",
			"rfc8555/8.4/nxdomain":    "RFC8555-8.4-07",
			"rfc8555/8.4/wrong":       "RFC8555-8.4-07",
		}},
		{"dns-01-doubted", "finds every answer by dns-01 wrong", doubting(dns01), map[string]string{
			"rfc8555/8.4/among-others": "RFC8555-8.4-06",
			"rfc8555/8.4/cname":        "RFC8555-8.4-08",
			"rfc8555/8.4/right":        "RFC8555-8.4-05",
			"rfc8659/caa-wildcard":     "RFC8555-6.7-12",
		}},
		{"dns-01-first", "looks at the first record alone", resolving(func(_ func(string) *dns.Msg, q dns.Question, m *dns.Msg) {
			if q.Qtype == dns.TypeTXT && len(m.Answer) > 1 && m.Answer[0].Header().Rrtype == dns.TypeTXT {
				m.Answer = m.Answer[:1]
			}
		}), map[string]string{
			"dns-account-01/right":        "DNSACCOUNT-3.3-01 DNSACCOUNT-3.3-02 DNSACCOUNT-3.5-02",
			"dns-persist-01/among-others": "DNSPERSIST-4.1.2-01",
			"rfc8555/8.4/among-others":    "RFC8555-8.4-06",
		}},
		{"dns-01-place", "looks for records at the name itself, too", resolving(func(ask func(string) *dns.Msg, q dns.Question, m *dns.Msg) {
			if name, ok := strings.CutPrefix(q.Name, "_acme-challenge."); ok && q.Qtype == dns.TypeTXT {
				m.Answer = append(m.Answer, renamedTo(q.Name, ask(name).Answer)...)
			}
		}), map[string]string{
			"rfc8555/8.4/at-the-name": "RFC8555-8.4-05",
		}},
		{"dns-01-alias", "follows no aliases", resolving(func(_ func(string) *dns.Msg, q dns.Question, m *dns.Msg) {
			if q.Qtype == dns.TypeTXT && len(m.Answer) > 0 && m.Answer[0].Header().Rrtype == dns.TypeCNAME {
				m.Answer = nil
			}
		}), map[string]string{
			"dns-account-01/cname": "DNSACCOUNT-3.3-03",
			"rfc8555/8.4/cname":    "RFC8555-8.4-08",
		}},
		{"dns-udp", "asks DNS over UDP", func(s *stage) {
			s.resolver = func(mockca.Exchanger) mockca.Exchanger { return overUDP(s.answers.DNSAddr()) }
		}, map[string]string{
			"rfc8555/8.4/transport": "RFC8555-11.2-01",
		}},
		{"dns-01-unasked", "does not ask for TXT", func(s *stage) {
			both(resolving(func(_ func(string) *dns.Msg, _ dns.Question, _ *dns.Msg) {}), knobs(func(_ *mockca.Exchange, k *mockca.Knobs) {
				k.Validate = func(mockca.ValidationRequest) *mockca.Problem { return nil }
			}, mockca.ChallengeURL))(s)
		}, map[string]string{
			"rfc8555/8.4/at-the-name":          "RFC8555-8.4-05",
			"rfc8555/8.4/none":                 "RFC8555-8.4-07",
			"rfc8555/8.4/nxdomain":             "RFC8555-8.4-07",
			"rfc8555/8.4/transport":            "RFC8555-11.2-01 RFC8555-8.4-05",
			"rfc8555/8.4/wrong":                "RFC8555-8.4-07",
			"rfc8657/caa-bad-account":          "RFC8657-3-03",
			"rfc8657/caa-bad-method":           "RFC8657-4-03",
			"rfc8657/caa-no-method":            "RFC8657-4-02",
			"rfc8657/caa-other-account":        "RFC8657-3-01",
			"rfc8657/caa-other-issuer-account": "RFC8657-3-05",
			"rfc8657/caa-other-method":         "RFC8657-4-01",
			"rfc8657/caa-two-accounts":         "RFC8657-3-04",
			"rfc8659/caa-critical":             "RFC8659-4.5-01",
			"rfc8659/caa-forbidden":            "RFC8659-4.2-01",
			"rfc8659/caa-not-advertised":       "RFC8555-7.1.1-12",
			"rfc8659/caa-other":                "RFC8659-3-02",
			"rfc8659/caa-parent":               "RFC8659-3-01",
			"rfc8659/caa-servfail":             "RFC8659-3-03",
			"rfc8659/caa-tag-case":             "RFC8659-4.1-01",
			"rfc8659/caa-wildcard":             "RFC8659-4.3-02",
		}},
		{"dns-account-01-believed", "believes every answer by dns-account-01", believing(dnsAccount01), map[string]string{
			"dns-account-01/plain": "DNSACCOUNT-3.3-04 DNSACCOUNT-3.4-01",
			"dns-account-01/wrong": "DNSACCOUNT-3.3-04",
		}},
		{"dns-account-01-doubted", "finds every answer by dns-account-01 wrong", doubting(dnsAccount01), map[string]string{
			"dns-account-01/cname":      "DNSACCOUNT-3.3-03",
			"dns-account-01/plain":      "DNSACCOUNT-3.4-01",
			"dns-account-01/right":      "DNSACCOUNT-3.3-01 DNSACCOUNT-3.3-02 DNSACCOUNT-3.5-02",
			"dns-account-01/upper-case": "DNSACCOUNT-3.2-04",
		}},
		{"dns-account-01-error", "does not say for which account it looked", objects(ofChallenges(dnsAccount01, func(c map[string]any) {
			if e := object(c).member("error"); e != nil {
				e["detail"] = "no such record"
			}
		}), mockca.Authz), map[string]string{
			"dns-account-01/plain": "DNSACCOUNT-3.4-01",
		}},
		{"dns-persist-01-believed", "believes every answer by dns-persist-01", believing(dnsPersist01), map[string]string{
			"dns-persist-01/expired":       "DNSPERSIST-4-10",
			"dns-persist-01/no-account":    "DNSPERSIST-4-05",
			"dns-persist-01/no-policy":     "DNSPERSIST-4-07",
			"dns-persist-01/only-others":   "DNSPERSIST-4.1.2-02",
			"dns-persist-01/other-account": "DNSPERSIST-4-05",
			"dns-persist-01/other-issuer":  "DNSPERSIST-4-11",
			"dns-persist-01/removed":       "DNSPERSIST-7.10-01",
		}},
		{"dns-persist-01-doubted", "finds every answer by dns-persist-01 wrong", doubting(dnsPersist01), map[string]string{
			"dns-persist-01/among-others": "DNSPERSIST-4.1.2-01",
			"dns-persist-01/policy-case":  "DNSPERSIST-4-06",
			"dns-persist-01/unknown-tag":  "DNSPERSIST-4-03",
		}},
		{"dns-persist-01-nobody", "names no issuer in dns-persist-01", objects(ofChallenges(dnsPersist01, set("issuer-domain-names", []any{})), mockca.Authz), map[string]string{
			"dns-persist-01/challenge": "DNSPERSIST-3.1-02",
		}},
		{"dns-persist-01-form", "has no issuer names in dns-persist-01", objects(ofChallenges(dnsPersist01, without("issuer-domain-names")), mockca.Authz), map[string]string{
			"dns-persist-01/challenge": "DNSPERSIST-3.1-01 DNSPERSIST-3.1-02",
		}},
		{"dns-persist-01-many", "names many issuers in dns-persist-01", objects(ofChallenges(dnsPersist01, func(c map[string]any) {
			names := []any{"mockca.test"}
			for i := range 10 {
				names = append(names, fmt.Sprintf("ca%d.example", i))
			}
			c["issuer-domain-names"] = names
		}), mockca.Authz), map[string]string{
			"dns-persist-01/challenge": "DNSPERSIST-3.1-03",
		}},
		{"dns-persist-01-case", "names issuers in capitals in dns-persist-01", objects(ofChallenges(dnsPersist01, set("issuer-domain-names", []any{"mockca.test", "MOCKCA.TEST."})), mockca.Authz), map[string]string{
			"dns-persist-01/challenge": "DNSPERSIST-3.1-04",
		}},
		{"dns-persist-01-long", "names issuers at length in dns-persist-01", objects(ofChallenges(dnsPersist01, set("issuer-domain-names", []any{"mockca.test", strings.Repeat("mockca.", 40) + "test"})), mockca.Authz), map[string]string{
			"dns-persist-01/challenge": "DNSPERSIST-3.1-05",
		}},
	}
}

func renamedTo(name string, records []dns.RR) []dns.RR {
	for _, each := range records {
		each.Header().Name = name
	}
	return records
}

// overUDP asks a server over UDP alone.
type overUDP string

func (o overUDP) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	m, _, err := new(dns.Client).ExchangeContext(ctx, q, string(o))
	return m, err
}
