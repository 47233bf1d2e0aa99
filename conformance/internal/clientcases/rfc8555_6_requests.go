package clientcases

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 5 and 6.1 to 6.4: the form of every request.

// manners are scenarios that look at each request of a plain issuance.
type manners struct {
	id, title    string
	requirements []string
	expects      string
	should       bool
	all          bool // also requests that are not signed
	wrong        func(*request) string
}

func (m manners) scenario() Scenario {
	return Scenario{
		ID: m.id, Title: m.title, Requirements: m.requirements,
		Does: "Issues a certificate, without any fault.", Expects: m.expects,
		Play: func(t *Trial) {
			r := t.run(Issue)
			xs, each := signed(r.Exchanges), t.each
			if m.all {
				xs = r.Exchanges
			}
			if m.should {
				each = t.eachShould
			}
			if each(xs, m.requirements[0], m.expects, m.wrong) {
				t.has(r)
			}
		},
	}
}

func requestScenarios() []Scenario {
	var out []Scenario
	for _, m := range requestManners() {
		out = append(out, m.scenario())
	}
	return append(out, transportScenarios()...)
}

func requestManners() []manners {
	return []manners{
		{
			id: "rfc8555/5/utf-8", title: "Requests are UTF-8", requirements: []string{"RFC8555-5-02"},
			expects: "envelope, protected header and payload in UTF-8",
			wrong: func(r *request) string {
				for part, data := range map[string][]byte{"the body": r.RequestBody, "the protected header": r.decoded("protected"), "the payload": r.payload} {
					if !utf8.Valid(data) {
						return part + " is not"
					}
				}
				return ""
			},
		},
		{
			id: "rfc8555/6.1/user-agent", title: "Every request says who asks", requirements: []string{"RFC8555-6.1-06"}, all: true,
			expects: "a User-Agent header field",
			wrong:   func(r *request) string { return unless(r.RequestHeader.Get("User-Agent") != "", "it has none") },
		},
		{
			id: "rfc8555/6.1/user-agent-products", title: "User-Agent names the software and its HTTP library", requirements: []string{"RFC8555-6.1-07"}, all: true, should: true,
			expects: "at least two products with a version in User-Agent",
			wrong: func(r *request) string {
				agent := r.RequestHeader.Get("User-Agent")
				return unless(len(product.FindAllString(agent, -1)) >= 2, "it is %q", agent)
			},
		},
		{
			id: "rfc8555/6.1/accept-language", title: "Requests say which language their user reads", requirements: []string{"RFC8555-6.1-08"}, should: true,
			expects: "an Accept-Language header field",
			wrong:   func(r *request) string { return unless(r.RequestHeader.Get("Accept-Language") != "", "it has none") },
		},
		{
			id: "rfc8555/6.1/base64url", title: "Binary values are base64url without padding", requirements: []string{"RFC8555-6.1-11", "RFC8555-6.1-15", "RFC7515-2-01"},
			expects: "the URL-safe alphabet and nothing else in binary values",
			wrong: func(r *request) string {
				values := map[string]any{"protected": r.envelope["protected"], "payload": r.envelope["payload"], "signature": r.envelope["signature"], "csr": r.object()["csr"]}
				if jwk, ok := r.protected["jwk"].(map[string]any); ok {
					for _, name := range []string{"x", "y", "n", "e"} {
						values["jwk."+name] = jwk[name]
					}
				}
				for name, v := range values {
					if s, is := v.(string); is && strings.Trim(s, base64urlAlphabet) != "" {
						return fmt.Sprintf("%s has %q", name, strings.Trim(s, base64urlAlphabet)[:1])
					}
				}
				return ""
			},
		},
		{
			id: "rfc8555/6.2/flattened-jws", title: "Each POST is one flattened JWS", requirements: []string{"RFC8555-6.2-01", "RFC8555-6.2-05", "RFC8555-6.2-07", "RFC7515-7.2.2-01"},
			expects: "a JSON object with protected, payload and one signature",
			wrong: func(r *request) string {
				for _, name := range []string{"protected", "signature"} {
					if r.member(name) == "" {
						return "it has no " + name
					}
				}
				for name := range r.envelope {
					if !slices.Contains([]string{"protected", "payload", "signature", "header"}, name) {
						return "it has the member " + name
					}
				}
				return ""
			},
		},
		{
			id: "rfc8555/6.2/payload-attached", title: "The payload is in the JWS", requirements: []string{"RFC8555-6.2-13"},
			expects: "a payload member",
			wrong: func(r *request) string {
				_, is := r.envelope["payload"].(string)
				return unless(is, "there is none")
			},
		},
		{
			id: "rfc8555/6.2/no-unprotected-header", title: "All of the header is protected", requirements: []string{"RFC8555-6.2-11"},
			expects: "no header member",
			wrong: func(r *request) string {
				_, has := r.envelope["header"]
				return unless(!has, "there is one")
			},
		},
		{
			id: "rfc8555/6.2/no-unencoded-payload", title: "Payloads are encoded", requirements: []string{"RFC8555-6.2-09"},
			expects: "neither b64 nor crit",
			wrong: func(r *request) string {
				return unless(r.protected["b64"] == nil && r.protected["crit"] == nil, "the protected header has b64 or crit")
			},
		},
		{
			id: "rfc8555/6.2/algorithm", title: "Requests are signed with a public-key algorithm", requirements: []string{"RFC8555-6.2-16", "RFC8555-6.2-15"},
			expects: "alg, and neither none nor a MAC",
			wrong: func(r *request) string {
				alg := r.header("alg")
				return unless(alg != "" && alg != "none" && !strings.HasPrefix(alg, "HS"), "alg is %q", alg)
			},
		},
		{
			id: "rfc8555/6.2/nonce-and-url", title: "The protected header has nonce and url",
			requirements: []string{"RFC8555-6.2-18", "RFC8555-6.2-19", "RFC8555-6.4.1-01", "RFC8555-6.4.1-02", "RFC8555-6.5-03", "RFC8555-6.5.2-01", "RFC8555-6.5.2-02"},
			expects:      "a nonce in base64url, and the URL that is asked",
			wrong: func(r *request) string {
				nonce, url := r.header("nonce"), r.header("url")
				switch {
				case nonce == "" || strings.Trim(nonce, base64urlAlphabet) != "":
					return fmt.Sprintf("nonce is %q", nonce)
				case url != r.URL:
					return fmt.Sprintf("url is %q, asked is %s", url, r.URL)
				}
				return ""
			},
		},
		{
			id: "rfc8555/6.2/jwk-or-kid", title: "newAccount is signed by jwk, all else by kid", requirements: []string{"RFC8555-6.2-21", "RFC8555-6.2-26", "RFC8555-6.2-30"},
			expects: "exactly one of jwk and kid, jwk for newAccount",
			wrong: func(r *request) string {
				_, jwk := r.protected["jwk"]
				_, kid := r.protected["kid"]
				return unless(jwk != kid && jwk == (r.Endpoint == mockca.NewAccount), "jwk %t, kid %t", jwk, kid)
			},
		},
		{
			id: "rfc8555/6.2/jwk-public", title: "jwk is the public half of the key that signs", requirements: []string{"RFC8555-6.2-28", "RFC7517-9.2-01"},
			expects: "a public key that verifies the signature",
			wrong: func(r *request) string {
				raw, ok := r.protected["jwk"].(map[string]any)
				if !ok {
					return ""
				}
				for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
					if raw[private] != nil {
						return "jwk has the private member " + private
					}
				}
				return verifies(r, r.jwk())
			},
		},
		{
			id: "rfc8555/6.2/content-type", title: "POSTs are application/jose+json", requirements: []string{"RFC8555-6.2-41"},
			expects: "Content-Type application/jose+json",
			wrong: func(r *request) string {
				return unless(r.RequestHeader.Get("Content-Type") == "application/jose+json", "it is %q", r.RequestHeader.Get("Content-Type"))
			},
		},
		{
			id: "rfc8555/6.5.1/no-replay-nonce-sent", title: "Replay-Nonce is for answers", requirements: []string{"RFC8555-6.5.1-05"}, all: true, should: true,
			expects: "no Replay-Nonce header field in requests",
			wrong:   func(r *request) string { return unless(r.RequestHeader.Get("Replay-Nonce") == "", "it has one") },
		},
	}
}

const base64urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

var product = regexp.MustCompile(`[^\s()/,;]+/[^\s()/,;]*[0-9][^\s()/,;]*`)

// unless is what is wrong, unless all is well.
func unless(ok bool, format string, args ...any) string {
	if ok {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// verifies says what is wrong with a signature.
func verifies(r *request, key *jose.JSONWebKey) string {
	if key == nil {
		return "jwk can't be read"
	}
	m, err := jose.ParseSignedJSON(string(r.RequestBody), []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA})
	if err != nil {
		return err.Error()
	}
	if _, err := m.Verify(key); err != nil {
		return "the key does not verify it: " + err.Error()
	}
	return ""
}
