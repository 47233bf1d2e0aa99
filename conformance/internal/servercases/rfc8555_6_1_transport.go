package servercases

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// RFC 8555, Sections 5 and 6.1: character encoding, HTTPS, CORS, base64url.

var base64urlPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func transportCases() []spec {
	return []spec{
		{
			id: "rfc8555/5/utf8", title: "Answers are in UTF-8",
			requirements: []string{"RFC8555-5-01"},
			does:         "Obtains a certificate and provokes errors.",
			expects:      "Every body is valid UTF-8.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				s.toured()
				for _, x := range s.exchanges {
					if x.Response != nil {
						s.at(x.Response)
						s.must("RFC8555-5-01", utf8.Valid(x.Response.Body), "a body in UTF-8", "%s %s: %q", x.Method, x.URL, x.Response.Excerpt())
					}
				}
			},
		},
		{
			id: "rfc8555/6.1/https", title: "All resources are offered over HTTPS",
			requirements: []string{"RFC8555-6.1-01"},
			does:         "Obtains a certificate and looks at every URL in answers.",
			expects:      "The directory's, the headers' and the objects' URLs of ACME resources have the scheme https.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: allHTTPS,
		},
		{
			id: "rfc8555/6.1/tls", title: "TLS is configured as recommended",
			requirements: []string{"RFC8555-6.1-04"},
			does:         "Tries to shake hands with TLS 1.0, with TLS 1.1, and with RC4 and 3DES alone.",
			expects:      "The server refuses each.",
			run:          oldTLS,
		},
		{
			id: "rfc8555/6.1/cors", title: "Web clients may use the server",
			requirements: []string{"RFC8555-6.1-09", "RFC8555-6.1-10"},
			does:         "Asks for the directory and a nonce with an Origin header.",
			expects:      "Access-Control-Allow-Origin: *, and Replay-Nonce, Location and Link exposed.",
			run: func(s *scene) {
				r := s.do(wire.Request{Method: "GET", URL: s.url("newNonce"), Headers: map[string]string{"Origin": "https://client.example"}})
				s.should("RFC8555-6.1-09", r.Header.Get("Access-Control-Allow-Origin") == "*",
					"Access-Control-Allow-Origin: *", "%q", r.Header.Get("Access-Control-Allow-Origin"))
				exposed := strings.ToLower(strings.Join(r.Header.Values("Access-Control-Expose-Headers"), ","))
				for _, name := range []string{"replay-nonce", "location", "link"} {
					s.should("RFC8555-6.1-10", strings.Contains(exposed, name), "Access-Control-Expose-Headers lists "+name, "%q", exposed)
				}
			},
		},
		{
			id: "rfc8555/6.1/base64url-sent", title: "Binary values are sent as base64url without padding",
			requirements: []string{"RFC8555-6.1-12"},
			does:         "Obtains a certificate and looks at nonces and tokens.",
			expects:      "None has padding or a character that is not in the alphabet.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				t := s.toured()
				for _, x := range s.exchanges {
					if x.Response != nil && x.Response.Header.Get("Replay-Nonce") != "" {
						s.at(x.Response)
						nonce := x.Response.Header.Get("Replay-Nonce")
						s.must("RFC8555-6.1-12", base64urlPattern.MatchString(nonce), "Replay-Nonce in base64url without padding", "%q", nonce)
					}
				}
				for _, challenge := range t.challenges {
					if challenge.has("token") {
						s.atObject(challenge)
						s.must("RFC8555-6.1-12", base64urlPattern.MatchString(challenge.text("token")), "a token in base64url without padding", "%q", challenge.text("token"))
					}
				}
			},
		},
		padded("protected", func(p *wire.Parts) { p.Protected = pad(p.Protected) }),
		padded("payload", func(p *wire.Parts) { p.Payload = pad(p.Payload) }),
		padded("signature", func(p *wire.Parts) { p.Signature = pad(p.Signature) }),
	}
}

// padded sends a JWS with one member padded. The header and the payload are
// chosen so that padding is due.
func padded(member string, edit func(*wire.Parts)) spec {
	return spec{
		id: "rfc8555/6.1/padded-" + member, title: "A padded " + member + " is badly encoded",
		requirements: []string{"RFC8555-6.1-13"},
		does:         "Sends newOrder with = at the end of " + member + ", signed as it is sent.",
		expects:      "The request is refused as malformed.",
		cost:         cost{accounts: 1, orders: 1},
		run: func(s *scene) {
			a := s.account()
			payload := encodePayload(map[string]any{"identifiers": dnsIDs([]string{s.name()})})
			for len(payload)%3 == 0 {
				payload = append(payload, ' ')
			}
			r := s.send(s.url("newOrder"), wire.Message{Key: a.key, KID: a.url, Payload: payload,
				Edit: func(h *wire.Header) { fill(h) },
				Envelope: func(p wire.Parts) any {
					edit(&p)
					signature, err := a.key.SignJWS([]byte(p.Protected + "." + p.Payload))
					if err != nil {
						s.inconclusive("%v", err)
					}
					if member != "signature" {
						p.Signature = wire.Encode(signature)
					}
					return p.Flattened()
				}})
			s.refuses("RFC8555-6.1-13", r, "a padded "+member, "malformed")
		},
	}
}

// fill makes the header so long that its base64url would need padding.
func fill(h *wire.Header) {
	for text := ""; ; text += "x" {
		if data, err := json.Marshal(h); err != nil || len(data)%3 != 0 {
			return
		}
		h.Set("x", text)
	}
}

func pad(text string) string {
	return text + strings.Repeat("=", (4-len(text)%4)%4)
}

func allHTTPS(s *scene) {
	t := s.toured()
	seen := map[string]string{}
	for name, value := range s.directory().Members {
		if text, ok := value.(string); ok {
			seen["the directory's "+name] = text
		}
	}
	for _, x := range s.exchanges {
		if x.Response != nil && x.Response.Header.Get("Location") != "" {
			seen["Location of "+x.URL] = x.Response.Location()
		}
	}
	for _, o := range t.orders {
		seen["finalize"] = o.text("finalize")
		urls, _ := o.texts("authorizations")
		for i, each := range urls {
			seen[fmt.Sprintf("authorizations[%d]", i)] = each
		}
		if o.has("certificate") {
			seen["certificate"] = o.text("certificate")
		}
	}
	for _, challenge := range t.challenges {
		seen["url of challenge "+challenge.text("type")] = challenge.text("url")
	}
	for what, each := range seen {
		s.must("RFC8555-6.1-01", isHTTPS(each), what+" is an https URL", "%q", each)
	}
}

func oldTLS(s *scene) {
	u, err := url.Parse(s.env.DirectoryURL)
	if err != nil || u.Scheme != "https" {
		s.skip("the directory is not served over TLS")
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	for what, config := range map[string]*tls.Config{
		"TLS 1.0": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"TLS 1.1": {MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11},
		"RC4 and 3DES": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
			tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
			tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}},
	} {
		config.InsecureSkipVerify = true // what is asked is whether it shakes hands at all
		config.ServerName = u.Hostname()
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: config}
		conn, err := dialer.DialContext(s.ctx, "tcp", host)
		var unreachable *net.OpError
		if errors.As(err, &unreachable) && unreachable.Op == "dial" {
			s.inconclusive("%v", err)
		}
		if err == nil {
			conn.Close()
		}
		s.should("RFC8555-6.1-04", err != nil, what+" is refused", "the handshake was completed")
	}
}
