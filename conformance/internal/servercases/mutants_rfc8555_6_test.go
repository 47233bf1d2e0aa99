package servercases

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that violate RFC 8555, Sections 5 and 6.

func transportMutants() []mutant {
	return []mutant{
		{"latin-1", "writes errors in Latin-1", problems("", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Body = bytes.Replace(r.Body, []byte(`"detail":"`), []byte("\"detail\":\"\xe9 "), 1)
		}), map[string]string{
			"rfc8555/5/utf8": "RFC8555-5-01",
		}},
		{"plain-http", "links to http URLs", headers("Location", func(url string) string { return strings.Replace(url, "https:", "http:", 1) }, mockca.Finalize),
			map[string]string{
				"rfc8555/6.1/https": "RFC8555-6.1-01",
			}},
		{"old-tls", "speaks TLS 1.0", func(s *stage) {
			s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "speaks TLS 1.0", Duty: "none", Handshake: func(h *mockca.Handshake) error {
				h.Config.MinVersion = tls.VersionTLS10
				return nil
			}})
		}, map[string]string{
			"rfc8555/6.1/tls": "RFC8555-6.1-04",
		}},
		{"no-cors", "keeps scripts out", headers("Access-Control-Allow-Origin", func(string) string { return "" }, mockca.NewNonce), map[string]string{
			"rfc8555/6.1/cors": "RFC8555-6.1-09",
		}},
		{"no-cors-headers", "hides headers from scripts", headers("Access-Control-Expose-Headers", func(string) string { return "" }, mockca.NewNonce), map[string]string{
			"rfc8555/6.1/cors": "RFC8555-6.1-10",
		}},
		{"padded-tokens", "pads tokens", knobs(func(x *mockca.Exchange, k *mockca.Knobs) {
			k.Token = func() string { return x.Nonce() + "==" }
		}, mockca.NewOrder), map[string]string{
			"rfc8555/11.3/tokens":        "DNSACCOUNT-3.1-03 RFC8555-8.3-03 RFC8555-8.4-02 RFC8737-3-04",
			"rfc8555/6.1/base64url-sent": "RFC8555-6.1-12",
			"rfc8555/7.4.1/counts":       "RFC8555-7.4.1-09",
		}},
		{"padding-taken", "takes base64url with padding", accepting(201, "{}", func(x *mockca.Exchange) bool {
			return bytes.Contains(x.RequestBody, []byte("="))
		}, mockca.NewOrder), map[string]string{
			"rfc8555/6.1/padded-payload":   "RFC8555-6.1-13",
			"rfc8555/6.1/padded-protected": "RFC8555-6.1-13",
			"rfc8555/6.1/padded-signature": "RFC8555-6.1-13",
		}},
	}
}

// header reads a protected header whatever else is wrong with the message.
func header(x *mockca.Exchange) object {
	var body struct{ Protected string }
	if json.Unmarshal(x.RequestBody, &body) != nil {
		return nil
	}
	text, err := decodeLeniently(body.Protected)
	if err != nil {
		return nil
	}
	var members object
	_ = json.Unmarshal(text, &members) // nil is what else it can be
	return members
}

func jwsMutants() []mutant {
	refused := func(match func(x *mockca.Exchange) bool) func(*stage) {
		return accepting(201, "{}", match, mockca.NewOrder)
	}
	member := func(name string) func(*mockca.Exchange) bool {
		return func(x *mockca.Exchange) bool {
			var body object
			return json.Unmarshal(x.RequestBody, &body) == nil && body.has(name)
		}
	}
	return []mutant{
		{"unverified", "verifies no signature", off(mockca.CheckJWSSignature), map[string]string{
			"rfc7515/5.2/reserialized":              "RFC7515-5.2-01",
			"rfc7518/3.4/der":                       "RFC7518-3.4-02",
			"rfc8555/6.2/altered-payload":           "RFC8555-6.2-03",
			"rfc8555/6.2/bad-signature":             "RFC8555-6.2-03",
			"rfc8555/6.2/foreign-signature":         "RFC8555-6.2-04",
			"rfc8555/6.2/new-account-bad-signature": "RFC8555-6.2-29",
			"rfc8555/6.3/post-as-get-authenticated": "RFC8555-6.3-05",
			"rfc8555/7.3/create":                    "RFC8555-7.3-21",
		}},
		{"compact-taken", "takes compact serialization", refused(func(x *mockca.Exchange) bool {
			return bytes.HasPrefix(x.RequestBody, []byte(`"`)) || bytes.Count(x.RequestBody, []byte(".")) == 2
		}), map[string]string{
			"rfc8555/6.2/compact":           "RFC8555-6.2-06",
			"rfc8555/6.2/unencoded-payload": "RFC8555-6.2-10",
		}},
		{"general-taken", "takes general serialization", refused(func(x *mockca.Exchange) bool {
			return member("signatures")(x) && bytes.Count(x.RequestBody, []byte(`"signature":`)) == 1
		}), map[string]string{
			"rfc8555/6.2/general": "RFC8555-6.2-06",
		}},
		{"two-signatures", "takes several signatures", refused(func(x *mockca.Exchange) bool {
			return member("signatures")(x) && bytes.Count(x.RequestBody, []byte(`"signature":`)) == 2
		}), map[string]string{
			"rfc8555/6.2/two-signatures": "RFC8555-6.2-08",
		}},
		{"unencoded-payload", "takes the b64 option", refused(func(x *mockca.Exchange) bool { return header(x)["b64"] == false }), map[string]string{
			"rfc8555/6.2/unencoded-payload": "RFC8555-6.2-10",
		}},
		{"unprotected-header", "takes unprotected headers", off(mockca.CheckJWSUnprotected), map[string]string{
			"rfc8555/6.2/unprotected-header": "RFC8555-6.2-12",
		}},
		{"critical-ignored", "ignores crit", refused(func(x *mockca.Exchange) bool { return header(x).has("crit") && !header(x).has("b64") }), map[string]string{
			"rfc7515/4.1.11/crit": "RFC7515-4.1.11-01",
		}},
		{"no-payload", "takes a JWS without payload", refused(func(x *mockca.Exchange) bool { return !member("payload")(x) }), map[string]string{
			"rfc8555/6.2/compact":         "RFC8555-6.2-06",
			"rfc8555/6.2/no-payload":      "RFC8555-6.2-14",
			"rfc8555/6.3/get-not-allowed": "RFC8555-6.3-01",
			"rfc8555/6.7/methods":         "RFC8555-6.7-01",
		}},
		{"alg-none", "takes alg none", refused(func(x *mockca.Exchange) bool { return header(x).text("alg") == "none" }), map[string]string{
			"rfc8555/6.2/alg-none": "RFC8555-6.2-17",
		}},
		{"alg-mac", "takes MACs", refused(func(x *mockca.Exchange) bool { return header(x).text("alg") == "HS256" }), map[string]string{
			"rfc8555/6.2/alg-mac": "RFC8555-6.2-17",
		}},
		{"url-unchecked", "does not compare url", off(mockca.CheckJWSURL), map[string]string{
			"rfc8555/6.2/no-url":    "RFC8555-6.2-20",
			"rfc8555/6.4/equality":  "RFC8555-6.4-04",
			"rfc8555/6.4/other-url": "RFC8555-6.4-01",
		}},
		{"key-choice", "takes jwk for kid and kid for jwk", off(mockca.CheckJWSKeyChoice), map[string]string{
			"rfc8555/6.2/both-keys":       "RFC8555-6.2-25",
			"rfc8555/6.2/new-account-kid": "RFC8555-6.2-32",
			"rfc8555/6.2/new-order-jwk":   "RFC8555-6.2-33",
		}},
		{"neither-key", "takes a JWS without jwk and kid", refused(func(x *mockca.Exchange) bool { return !header(x).has("jwk") && !header(x).has("kid") }), map[string]string{
			"rfc8555/6.2/compact":         "RFC8555-6.2-06",
			"rfc8555/6.2/general":         "RFC8555-6.2-06",
			"rfc8555/6.2/neither-key":     "RFC8555-6.2-22",
			"rfc8555/6.2/two-signatures":  "RFC8555-6.2-08",
			"rfc8555/6.3/get-not-allowed": "RFC8555-6.3-01",
			"rfc8555/6.7/methods":         "RFC8555-6.7-01",
		}},
		{"alg-error-status", "refuses algorithms with 403", restated("badSignatureAlgorithm", 403), map[string]string{
			"rfc8555/6.2/unsupported-alg": "RFC8555-6.2-34",
		}},
		{"alg-error-type", "calls a bad algorithm malformed", renamed("badSignatureAlgorithm", "malformed"), map[string]string{
			"rfc8555/6.2/unsupported-alg": "RFC8555-6.2-35",
		}},
		{"alg-error-list", "does not say which algorithms it has", problems("badSignatureAlgorithm", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Edit(func(m map[string]any) { delete(m, "algorithms") })
		}), map[string]string{
			"rfc8555/6.2/unsupported-alg": "RFC8555-6.2-36",
		}},
		{"weak-keys", "takes weak keys", off(mockca.CheckKeyStrength), map[string]string{
			"rfc8555/6.2/weak-key": "RFC8555-6.2-37",
		}},
		{"key-error-status", "refuses keys with 403", restated("badPublicKey", 403), map[string]string{
			"rfc8555/6.2/weak-key": "RFC8555-6.2-37",
		}},
		{"key-error-type", "calls a bad key malformed", renamed("badPublicKey", "malformed"), map[string]string{
			"rfc8555/6.2/off-curve":   "RFC8555-6.2-39",
			"rfc8555/6.2/other-curve": "RFC8555-6.2-39",
			"rfc8555/6.2/weak-key":    "RFC8555-6.2-38",
		}},
		{"key-error-detail", "does not say what is wrong with a key", undetailed("badPublicKey"), map[string]string{
			"rfc8555/6.2/weak-key": "RFC8555-6.2-40",
		}},
		{"unknown-kid", "calls an unknown account malformed", renamed("accountDoesNotExist", "malformed", mockca.NewOrder), map[string]string{
			"rfc8555/6.2/unknown-kid": "RFC8555-6.2-44",
		}},
		{"content-type", "takes any Content-Type", off(mockca.CheckContentType), map[string]string{
			"rfc8555/6.2/content-type-none":  "RFC8555-6.2-43",
			"rfc8555/6.2/content-type-other": "RFC8555-6.2-42",
		}},
		{"content-type-status", "refuses Content-Types with 400", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckContentType {
				stated(r, 400)
			}
		}), map[string]string{
			"rfc8555/6.2/content-type-none":  "RFC8555-6.2-43",
			"rfc8555/6.2/content-type-other": "RFC8555-6.2-42",
		}},
		wide(mutant{"no-es256", "has no ES256", with(func(p *mockca.Policy) { p.Algorithms = []string{"EdDSA", "RS256"} }), map[string]string{
			"rfc8555/6.2/es256": "RFC8555-6.2-23",
		}}),
		{"no-ed25519", "has no EdDSA", with(func(p *mockca.Policy) { p.AccountKeys = []string{"RSA-2048", "P-256", "P-384"} }), map[string]string{
			"rfc8555/6.2/ed25519": "RFC8555-6.2-24",
		}},
		{"thumbprint-of-all", "has an account for each spelling of a key", func(s *stage) {
			var mu sync.Mutex
			answers(func(x *mockca.Exchange, r *mockca.Response) {
				mu.Lock()
				defer mu.Unlock()
				jwk := object(x.Protected()).member("jwk")
				if jwk.has("use") && r.Status == 201 {
					r.Header.Set("Location", r.Header.Get("Location")+"0")
				}
			}, mockca.NewAccount)(s)
		}, map[string]string{
			"rfc7638/3/extra-members": "RFC7638-3-01",
		}},
		{"duplicate-header", "takes the first of duplicate header members", refused(func(x *mockca.Exchange) bool {
			var body struct{ Protected string }
			_ = json.Unmarshal(x.RequestBody, &body) // it was read before
			text, _ := decodeLeniently(body.Protected)
			return bytes.Count(text, []byte(`"url":`)) == 2
		}), map[string]string{
			"rfc7515/4/duplicate-url": "RFC7515-4-01",
		}},
		{"der-signatures", "takes ECDSA signatures in DER", refused(func(x *mockca.Exchange) bool {
			var body struct{ Signature string }
			_ = json.Unmarshal(x.RequestBody, &body) // it was read before
			der, _ := decodeLeniently(body.Signature)
			return len(der) > 64 && der[0] == 0x30
		}), map[string]string{
			"rfc7518/3.4/der": "RFC7518-3.4-02",
		}},
		{"url-types", "takes url headers that are no strings", refused(func(x *mockca.Exchange) bool {
			_, text := header(x)["url"].(string)
			return header(x).has("url") && !text
		}), map[string]string{
			"rfc8555/6.4.1/url-array":  "RFC8555-6.4.1-03",
			"rfc8555/6.4.1/url-number": "RFC8555-6.4.1-03",
		}},
		{"url-error-type", "calls a wrong url malformed", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckJWSURL {
				typed(r, "malformed")
			}
		}), map[string]string{
			"rfc8555/6.4/equality":  "RFC8555-6.4-05",
			"rfc8555/6.4/other-url": "RFC8555-6.4-02",
		}},
		{"url-normalized", "compares url as a URL", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckJWSURL && strings.HasSuffix(header(x).text("url"), "?") {
				r.Status, r.Body = 201, []byte("{}")
			}
		}), map[string]string{
			"rfc8555/6.4/equality": "RFC8555-6.4-04",
		}},
	}
}

func getMutants() []mutant {
	return []mutant{
		{"get-allowed", "shows objects to whoever asks by GET", off(mockca.CheckMethod), map[string]string{
			"rfc8555/6.3/get-not-allowed": "RFC8555-6.3-01",
		}},
		{"get-error-type", "calls a wrong method serverInternal", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckMethod {
				typed(r, "serverInternal")
			}
		}), map[string]string{
			"rfc8555/6.3/get-not-allowed": "RFC8555-6.3-02",
		}},
		{"no-allow", "refuses methods without Allow", answers(func(x *mockca.Exchange, r *mockca.Response) { r.Header.Del("Allow") }), map[string]string{
			"rfc8555/6.3/get-not-allowed": "RFC9110-15.5.6-01",
		}},
		{"no-access-control", "shows objects to every account", off(mockca.CheckAccess), map[string]string{
			"rfc8555/6.3/post-as-get-access": "RFC8555-6.3-06 RFC8555-7.4.2-12",
			"rfc8555/7.3.6/foreign":          "RFC8555-7.3.6-03",
			"rfc8555/7.4/finalize-foreign":   "RFC8555-7.4-22",
			"rfc8555/7.5.2/foreign":          "RFC8555-7.5.2-02",
		}},
		{"access-error-type", "calls foreign objects malformed", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckAccess {
				typed(r, "malformed")
			}
		}), map[string]string{
			"rfc8555/6.3/post-as-get-access": "RFC8555-6.7-16",
		}},
		{"reading-refused", "does not show challenges that are valid", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			if r.JSON()["status"] == "valid" {
				r.Status, r.Body = 404, []byte("{}")
			}
		}, mockca.ChallengeURL), map[string]string{
			"rfc8555/6.3/post-as-get-reads": "RFC8555-6.3-08",
		}},
		{"reading-answers", "takes the reading of a challenge for its answer", func(s *stage) {
			answers(func(x *mockca.Exchange, r *mockca.Response) {
				if x.Method == "POST" && len(x.Payload()) == 0 && r.Status == 200 && r.JSON()["status"] == "pending" {
					r.Edit(func(m map[string]any) { m["status"] = "processing" })
				}
			}, mockca.ChallengeURL)(s)
		}, map[string]string{
			"rfc8555/6.3/post-as-get-changes-nothing": "RFC8555-6.3-07",
		}},
		{"reading-validates", "takes a challenge that is read for one that was met", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Method == "POST" && len(x.Payload()) == 0 && r.JSON()["status"] == "pending" {
				_ = x.CA().SetAuthorizationStatus(authorizationOf(x), "valid", nil)
			}
		}, mockca.ChallengeURL), map[string]string{
			"rfc8555/6.3/post-as-get-changes-nothing": "RFC8555-7.5.1-03",
		}},
		{"directory-post", "has no POST-as-GET of the directory", refusing("malformed", 405, func(x *mockca.Exchange) bool { return x.Method == "POST" }, mockca.Directory), map[string]string{
			"rfc8555/6.3/directory": "RFC8555-6.3-11",
		}},
		{"new-nonce-get", "has no GET of newNonce", refusing("malformed", 405, func(x *mockca.Exchange) bool { return x.Method == "GET" }, mockca.NewNonce), map[string]string{
			"rfc8555/6.3/directory": "RFC8555-6.3-10",
			"rfc8555/7.2/new-nonce": "RFC8555-7.1-02 RFC8555-7.2-04",
		}},
		{"new-nonce-post", "has no POST-as-GET of newNonce", refusing("malformed", 405, func(x *mockca.Exchange) bool { return x.Method == "POST" }, mockca.NewNonce), map[string]string{
			"rfc8555/6.3/directory": "RFC8555-6.3-12",
		}},
	}
}

func nonceMutants() []mutant {
	badNonce := func(change func(*mockca.Exchange, *mockca.Response)) func(*stage) {
		return problems("badNonce", change)
	}
	return []mutant{
		{"no-nonce", "gives no nonces with successes", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if !r.IsProblem() {
				r.Header.Del("Replay-Nonce")
			}
		}, mockca.NewOrder), map[string]string{
			"rfc8555/6.5/on-success": "RFC8555-6.5-01",
		}},
		{"no-nonce-with-errors", "gives no nonces with errors", off(mockca.HabitErrorNonce), map[string]string{
			"rfc8555/6.5/on-error": "RFC8555-6.5-02",
			"rfc8555/6.5/replayed": "RFC8555-6.5-10",
		}},
		{"any-nonce", "takes nonces of anybody", off(mockca.CheckNonce), map[string]string{
			"rfc8555/6.5/missing":      "RFC8555-6.5-09",
			"rfc8555/6.5/never-issued": "RFC8555-6.5-04",
			"rfc8555/6.7/documents":    "RFC8555-6.7-02",
		}},
		{"nonce-reuse", "takes nonces more than once", off(mockca.CheckNonceReuse), map[string]string{
			"rfc8555/6.5/replayed":       "RFC8555-6.5-05 RFC8555-6.5-07 RFC8555-6.5-08",
			"rfc8555/6.5/spent-by-error": "RFC8555-6.5-06",
		}},
		{"nonce-error-status", "refuses nonces with 403", badNonce(func(_ *mockca.Exchange, r *mockca.Response) { stated(r, 403) }), map[string]string{
			"rfc8555/6.5/missing":  "RFC8555-6.5-09",
			"rfc8555/6.5/replayed": "RFC8555-6.5-07",
		}},
		{"nonce-error-type", "calls a bad nonce malformed", badNonce(func(_ *mockca.Exchange, r *mockca.Response) { typed(r, "malformed") }), map[string]string{
			"rfc8555/6.5/missing":        "RFC8555-6.5-09",
			"rfc8555/6.5/never-issued":   "RFC8555-6.5-04",
			"rfc8555/6.5/replayed":       "RFC8555-6.5-08",
			"rfc8555/6.5/spent-by-error": "RFC8555-6.5-06",
		}},
		{"nonce-error-bare", "gives no new nonce for a bad one", badNonce(func(_ *mockca.Exchange, r *mockca.Response) { r.Header.Del("Replay-Nonce") }), map[string]string{
			"rfc8555/6.5/on-error": "RFC8555-6.5-02",
			"rfc8555/6.5/replayed": "RFC8555-6.5-10",
		}},
		{"nonce-error-useless", "gives nonces with badNonce that are of no use", badNonce(func(_ *mockca.Exchange, r *mockca.Response) {
			r.Header.Set("Replay-Nonce", "AAAAAAAAAAAAAAAAAAAAAA")
		}), map[string]string{
			"rfc8555/6.5/replayed": "RFC8555-6.5-11",
		}},
		{"nonce-by-account", "takes nonces by the account alone that it gave them to", func(s *stage) {
			var mu sync.Mutex
			owner := map[string]string{
				"rfc8555/6.5/scope": "RFC8555-6.5-16",
			}
			s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "binds nonces", Duty: "none",
				Request: func(x *mockca.Exchange) *mockca.Response {
					mu.Lock()
					defer mu.Unlock()
					if to := owner[header(x).text("nonce")]; to != "" && to != x.Account {
						return mockca.ProblemResponse(&mockca.Problem{Type: "badNonce", Detail: "another account's"})
					}
					return nil
				},
				Response: func(x *mockca.Exchange, r *mockca.Response) {
					mu.Lock()
					defer mu.Unlock()
					if r.Status == 200 && x.Account != "" {
						owner[r.Header.Get("Replay-Nonce")] = x.Account
					}
				}})
		}, map[string]string{
			"rfc8555/6.5/scope": "RFC8555-6.5-16",
		}},
		{"nonce-repeated", "gives the same nonce to whoever asks by HEAD", func(s *stage) {
			var mu sync.Mutex
			first := ""
			answers(func(x *mockca.Exchange, r *mockca.Response) {
				mu.Lock()
				defer mu.Unlock()
				if x.Method != http.MethodHead {
					return
				}
				if first == "" {
					first = r.Header.Get("Replay-Nonce")
				}
				r.Header.Set("Replay-Nonce", first)
			}, mockca.NewNonce)(s)
		}, map[string]string{
			"rfc8555/6.5.1/unique":  "RFC8555-6.5.1-01",
			"rfc8555/7.2/new-nonce": "RFC8555-7.2-02",
		}},
		{"nonce-counted", "counts nonces", func(s *stage) {
			var mu sync.Mutex
			n := 0
			answers(func(x *mockca.Exchange, r *mockca.Response) {
				mu.Lock()
				defer mu.Unlock()
				n++
				r.Header.Set("Replay-Nonce", encodeText(fmt.Sprintf("counted nonce %06d", n)))
			}, mockca.NewNonce)(s)
		}, map[string]string{
			"rfc8555/6.5.1/unique": "RFC8555-6.5.1-02",
		}},
		wide(mutant{"nonce-alphabet", "makes nonces of other characters", headers("Replay-Nonce", func(n string) string { return n + "." }, mockca.NewNonce), map[string]string{
			"rfc8555/6.5.1/unique": "RFC8555-6.5.1-03",
		}}),
		{"nonce-syntax", "calls a nonce that is no base64url a bad one", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckNonceEncoding {
				typed(r, "badNonce")
			}
		}), map[string]string{
			"rfc8555/6.5.2/bad-syntax": "RFC8555-6.5.2-03",
		}},
		{"new-nonce-status", "answers HEAD of newNonce with 204", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Method == "HEAD" {
				r.Status = 204
			}
		}, mockca.NewNonce), map[string]string{
			"rfc8555/7.2/new-nonce": "RFC8555-7.2-03",
		}},
		{"new-nonce-body", "answers GET of newNonce with 200 and a body", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Method == "GET" {
				r.Status, r.Body = 200, []byte("{}")
			}
		}, mockca.NewNonce), map[string]string{
			"rfc8555/7.2/new-nonce": "RFC8555-7.2-04",
		}},
		{"new-nonce-none", "gives no nonce by GET of newNonce", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Method == "GET" {
				r.Header.Del("Replay-Nonce")
			}
		}, mockca.NewNonce), map[string]string{
			"rfc8555/7.2/new-nonce": "RFC8555-7.2-05",
		}},
		{"new-nonce-cached", "lets caches keep nonces", off(mockca.HabitNoStore), map[string]string{
			"rfc8555/7.2/new-nonce": "RFC8555-7.2-06",
		}},
		{"new-nonce-fails", "has newNonce answer 404 to GET", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Method == "GET" {
				r.Status = 404
			}
		}, mockca.NewNonce), map[string]string{
			"rfc8555/6.3/directory": "RFC8555-6.3-10",
			"rfc8555/7.2/new-nonce": "RFC8555-7.1-02 RFC8555-7.2-04",
		}},
	}
}

func errorMutants() []mutant {
	errorType := func(kind string, to string) func(*stage) {
		return objects(func(m map[string]any) { eachError(m, kind, func(e map[string]any) { e["type"] = errorPrefix + to }) }, mockca.Authz, mockca.ChallengeURL)
	}
	return []mutant{
		{"html-errors", "answers errors in HTML", problems("orderNotReady", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Body = []byte("<h1>Error</h1>")
			r.Header.Set("Content-Type", "text/html")
		}), map[string]string{
			"rfc8555/6.7/documents": "RFC8555-6.7-02",
		}},
		{"errors-as-json", "answers errors as application/json", problems("", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Header.Set("Content-Type", "application/json")
		}, mockca.RevokeCert), map[string]string{
			"rfc8555/6.7/documents": "RFC9457-3-01",
		}},
		{"errors-as-success", "answers a malformed order with 200", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if r.IsProblem() && string(x.Payload()) == "{}" {
				r.Status = 200
			}
		}, mockca.NewOrder), map[string]string{
			"rfc8555/6.7/documents":      "RFC8555-6.7-02",
			"rfc8555/7.4/no-identifiers": "RFC8555-7.4-09",
		}},
		{"error-status", "states another status in the document", problems("", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Edit(func(m map[string]any) { m["status"] = 418 })
		}), map[string]string{
			"rfc8555/6.7/documents": "RFC9457-3.1.2-01",
		}},
		{"error-identifier", "names the identifier at the top of a problem", problems("", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Edit(func(m map[string]any) { m["identifier"] = map[string]any{"type": "dns", "value": "a.example"} })
		}), map[string]string{
			"rfc8555/6.7/documents": "RFC8555-6.7.1-04",
		}},
		{"error-type", "makes up error types", renamed("orderNotReady", "notQuiteReady"), map[string]string{
			"rfc8555/6.7/documents":          "RFC8555-6.7-04",
			"rfc8555/7.4/finalize-not-ready": "RFC8555-7.4-28",
		}},
		{"any-method", "takes PUT for POST", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Method == "PUT" {
				r.Status = 200
			}
		}, mockca.NewOrder), map[string]string{
			"rfc8555/6.7/methods": "RFC8555-6.7-01",
		}},
		{"malformed-type", "calls everything malformed serverInternal", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckPayload || x.Check == mockca.CheckIdentifierSyntax {
				typed(r, "serverInternal")
			}
		}, mockca.NewOrder), map[string]string{
			"rfc8555/6.7/malformed":         "RFC8555-6.7-15",
			"rfc8555/7.1.4/ascii-a-label":   "RFC8555-7.1.4-11",
			"rfc8555/7.1.4/bad-a-label":     "RFC8555-7.1.4-11",
			"rfc8555/7.1.4/u-label":         "RFC8555-7.1.4-10",
			"rfc8555/7.1.4/wildcard-alone":  "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-inside": "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-part":   "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-twice":  "RFC8555-7.1.3-11",
		}},
		{"identifier-type-error", "calls an unsupported identifier malformed", renamed("unsupportedIdentifier", "malformed"), map[string]string{
			"rfc8555/6.7/unsupported-identifier": "RFC8555-6.7-14",
		}},
		{"identifier-type-detail", "does not say which identifiers are unsupported", undetailed("unsupportedIdentifier"), map[string]string{
			"rfc8555/6.7/unsupported-identifier": "RFC8555-7.4-04",
			"rfc8555/7.4.1/unwilling":            "RFC8555-7.4.1-04",
		}},
		{"connection-error", "calls errors of connections serverInternal", errorType("connection", "serverInternal"), map[string]string{
			"rfc8555/6.7/validation-connection": "RFC8555-6.7-08",
		}},
		{"dns-error", "calls errors of DNS serverInternal", errorType("dns", "serverInternal"), map[string]string{
			"rfc8555/6.7/validation-dns": "RFC8555-6.7-09",
			"rfc8659/caa-servfail":       "RFC8555-6.7-12",
		}},
		{"tls-error", "calls errors of TLS serverInternal", errorType("tls", "serverInternal"), map[string]string{
			"rfc8555/6.7/validation-tls": "RFC8555-6.7-11",
		}},
		{"incorrect-response-error", "calls a wrong answer serverInternal", errorType("incorrectResponse", "serverInternal"), map[string]string{
			"rfc8555/6.7/validation-incorrect": "RFC8555-6.7-10",
		}},
		{"subproblems-form", "has subproblems that are no objects", problems("", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Edit(func(m map[string]any) {
				if m["subproblems"] != nil {
					m["subproblems"] = []any{"first", "second"}
				}
			})
		}), map[string]string{
			"rfc8555/6.7.1/subproblems": "RFC8555-6.7.1-01",
		}},
		{"subproblems-identifier", "has subproblems with an identifier of no type", problems("", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Edit(func(m map[string]any) {
				all, _ := object(m).objects("subproblems")
				for _, each := range all {
					each["identifier"] = map[string]any{"value": "a.example"}
				}
			})
		}), map[string]string{
			"rfc8555/6.7.1/subproblems": "RFC8555-6.7.1-03",
		}},
	}
}

// eachError visits the errors of a type in an authorization or a challenge.
func eachError(m map[string]any, kind string, visit func(map[string]any)) {
	challenges, _ := object(m).objects("challenges")
	for _, c := range append(challenges, m) {
		if e := c.member("error"); strings.HasSuffix(e.text("type"), ":"+kind) {
			visit(e)
		}
	}
}
