package servercases

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/miekg/dns"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that violate RFC 8737 and RFC 8738: tls-alpn-01 and addresses.

func tlsALPNMutants() []mutant {
	connect := func(change func(*tls.Config), then func(*tls.Conn)) func(*stage) {
		return visiting(tlsalpn01, func(v mockca.ValidationRequest, r *responder.Responder) error {
			config := &tls.Config{ServerName: serverName(v.Identifier.Value), NextProtos: []string{responder.ALPN}, InsecureSkipVerify: true}
			change(config)
			conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.TLSPort()), config)
			if err != nil {
				return nil // it was seen all the same
			}
			then(conn)
			return conn.Close()
		})
	}
	none := func(*tls.Conn) {}
	return []mutant{
		{"tls-alpn-01-believed", "believes every answer by tls-alpn-01", believing(tlsalpn01), map[string]string{
			"rfc8555/6.7/validation-tls": "RFC8555-6.7-11",
			"rfc8737/3/extra-name":       "RFC8737-3-19 RFC8737-3-23",
			"rfc8737/3/no-alpn":          "RFC8737-3-18 RFC8737-3-23",
			"rfc8737/3/no-extension":     "RFC8737-3-20 RFC8737-3-23",
			"rfc8737/3/no-name":          "RFC8737-3-19 RFC8737-3-23",
			"rfc8737/3/not-critical":     "RFC8737-3-20 RFC8737-3-23",
			"rfc8737/3/old-tls":          "RFC8737-3-23 RFC8737-4-09",
			"rfc8737/3/other-name":       "RFC8737-3-19 RFC8737-3-23",
			"rfc8737/3/raw-digest":       "RFC8737-3-20 RFC8737-3-23",
			"rfc8737/3/wrong-digest":     "RFC8737-3-13 RFC8737-3-23",
			"rfc8738/6/as-name":          "RFC8738-6-02",
			"rfc8738/6/extra-name":       "RFC8738-6-02",
			"rfc8738/6/other-address":    "RFC8738-6-02",
		}},
		{"tls-alpn-01-doubted", "finds every answer by tls-alpn-01 wrong", doubting(tlsalpn01), map[string]string{
			"rfc8555/6.7/validation-tls": "RFC8555-6.7-11",
			"rfc8737/3/connection":       "RFC8737-3-13 RFC8737-4-08",
			"rfc8737/3/upper-case":       "RFC8737-3-21",
			"rfc8738/6/tls-alpn-01":      "RFC8738-6-03",
		}},
		{"tls-alpn-01-protocols", "offers HTTP beside acme-tls/1", connect(func(c *tls.Config) { c.NextProtos = append(c.NextProtos, "http/1.1") }, none), map[string]string{
			"rfc8737/3/connection": "RFC8737-3-16 RFC8737-6.2-01",
		}},
		wide(mutant{"tls-alpn-01-sni", "names nobody", func(s *stage) {
			knobs(func(_ *mockca.Exchange, k *mockca.Knobs) {
				k.Validate = func(mockca.ValidationRequest) *mockca.Problem { return nil }
			}, mockca.ChallengeURL)(s)
		}, map[string]string{
			"rfc8737/3/connection": "RFC8737-3-17",
		}}),
		{"tls-alpn-01-data", "sends a request after the handshake", connect(func(*tls.Config) {}, func(c *tls.Conn) { _, _ = c.Write([]byte("GET / HTTP/1.0\r\n\r\n")) }), map[string]string{
			"rfc8737/3/connection": "RFC8737-4-04",
		}},
		{"tls-alpn-01-lingers", "stays after the handshake", connect(func(*tls.Config) {}, func(*tls.Conn) { time.Sleep(2100 * time.Millisecond) }), map[string]string{
			"rfc8737/3/connection": "RFC8737-4-05",
		}},
		{"tls-alpn-01-version", "offers TLS 1.0", connect(func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }, none), map[string]string{
			"rfc8737/3/connection": "RFC8737-4-09",
		}},
		{"tls-alpn-01-error", "does not say why tls-alpn-01 failed", objects(ofChallenges(tlsalpn01, without("error")), mockca.Authz), map[string]string{
			"rfc8737/3/extra-name":   "RFC8737-3-23",
			"rfc8737/3/no-alpn":      "RFC8737-3-23",
			"rfc8737/3/no-extension": "RFC8737-3-23",
			"rfc8737/3/no-name":      "RFC8737-3-23",
			"rfc8737/3/not-critical": "RFC8737-3-23",
			"rfc8737/3/old-tls":      "RFC8737-3-23",
			"rfc8737/3/other-name":   "RFC8737-3-23",
			"rfc8737/3/raw-digest":   "RFC8737-3-23",
			"rfc8737/3/wrong-digest": "RFC8737-3-23",
		}},
	}
}

func ipMutants() []mutant {
	ip := func(change func(map[string]any)) func(*stage) {
		return objects(func(m map[string]any) {
			if object(m).member("identifier").text("type") == "ip" {
				change(m)
			}
		}, mockca.Authz)
	}
	return []mutant{
		{"ip-type", "calls addresses dns", ip(func(m map[string]any) { object(m).member("identifier")["type"] = "dns" }), map[string]string{
			"rfc8738/3/authorization": "RFC8738-3-01",
		}},
		{"ip-form", "shows addresses in another form", ip(func(m map[string]any) {
			i := object(m).member("identifier")
			i["value"] = i.text("value") + "/128"
		}), map[string]string{
			"rfc8738/3/authorization": "RFC8738-3-03",
		}},
		{"ip-anything", "takes addresses of any form", accepting(201, "{}", func(x *mockca.Exchange) bool {
			ids, _ := payload(x).objects("identifiers")
			return x.Check == mockca.CheckIdentifierSyntax && len(ids) == 1 && ids[0].text("type") == "ip"
		}, mockca.NewOrder), map[string]string{
			"rfc8738/3/capitals": "RFC8738-3-05",
			"rfc8738/3/long":     "RFC8738-3-05",
			"rfc8738/3/prefix":   "RFC8738-3-05",
			"rfc8738/3/zeros":    "RFC8738-3-05",
			"rfc8738/3/zone":     "RFC8738-3-05",
		}},
		{"ip-dns-01", "offers dns-01 for addresses", ip(func(m map[string]any) {
			challenges, _ := m["challenges"].([]any)
			m["challenges"] = append(challenges, map[string]any{"type": dns01, "url": "https://mockca.test/dns", "status": "pending", "token": "AAAAAAAAAAAAAAAAAAAAAA"})
		}), map[string]string{
			"rfc8738/3/authorization": "RFC8738-7-01",
		}},
		{"ip-host", "asks addresses for other hosts", visiting(http01, func(v mockca.ValidationRequest, r *responder.Responder) error {
			if v.Identifier.Type != "ip" {
				return nil
			}
			req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", r.HTTPPort(), responder.WellKnown+v.Token), nil)
			if err != nil {
				return err
			}
			req.Host = "localhost"
			answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err == nil {
				err = answer.Body.Close()
			}
			return err
		}), map[string]string{
			"rfc8738/4/http-01": "RFC8738-5-01 RFC8738-5-02",
		}},
		{"ip-asks-dns", "asks DNS about addresses", func(s *stage) {
			visiting(http01, func(v mockca.ValidationRequest, r *responder.Responder) error {
				if v.Identifier.Type != "ip" {
					return nil
				}
				q := new(dns.Msg)
				q.SetQuestion(dns.Fqdn(serverName(v.Identifier.Value)), dns.TypePTR)
				_, err := mockca.NewResolver(r.DNSAddr()).Exchange(context.Background(), q)
				return err
			})(s)
		}, map[string]string{
			"rfc8738/4/http-01": "RFC8738-4-03",
		}},
		{"ip-as-name", "certifies addresses as names", shows(mockca.CertWrongNames()), map[string]string{
			"rfc8738/4/certificate": "RFC8738-4-06",
		}},
	}
}
