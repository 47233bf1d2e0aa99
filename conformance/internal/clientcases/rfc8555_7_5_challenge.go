package clientcases

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8555, Sections 7.4.1, 7.5 and 8: authorizations and their challenges.

func challengeScenarios() []Scenario {
	return []Scenario{
		{
			ID: "rfc8555/7.5.1/response", Title: "One challenge of each authorization is answered, once, with {}",
			Requirements: []string{"RFC8555-7.5.1-01", "RFC8555-7.5.1-02", "RFC8555-7.1.4-14"},
			Does:         "Issues for two names, with several challenges offered for each.", Expects: "one POST of {} to the URL of one challenge each",
			Stage: func(s *Stage) { s.Env.Domains = twoNames },
			Play: func(t *Trial) {
				r := t.run(Issue)
				answers := r.to(mockca.ChallengeURL)
				answers = slices.DeleteFunc(answers, func(x *mockca.Exchange) bool { return len(x.Payload()) == 0 }) // POST-as-GET: polls
				t.each(answers, "RFC8555-7.5.1-02", "the payload {}", func(r *request) string {
					return unless(string(bytes.TrimSpace(r.payload)) == "{}", "it is %s", excerpt(string(r.payload)))
				})
				t.each(r.to(mockca.Authz), "RFC8555-7.5.1-01", "nothing but reads of authorizations", func(r *request) string {
					return unless(len(r.payload) == 0 || r.object()["status"] != nil, "the payload is %s", excerpt(string(r.payload)))
				})
				urls := map[string]int{}
				for _, x := range answers {
					urls[x.URL]++
					t.at(x).Must(urls[x.URL] == 1, "RFC8555-7.5.1-02", "each challenge answered once", "%d times", urls[x.URL])
				}
				t.Should(len(urls) == 2, "RFC8555-7.1.4-14", "two challenges answered", "%d", len(urls))
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.5.1/polling", Title: "Polls an authorization until it is final, as Retry-After says",
			Requirements: []string{"RFC8555-7.5.1-15", "RFC8555-7.5.1-16", "RFC8555-7.1.6-20"},
			Does:         "Validation takes three seconds; pending authorizations have Retry-After: 2.", Expects: "a poll every two seconds, and a certificate",
			Faults: []string{"challenge-slow"},
			Stage: func(s *Stage) {
				s.Policy.ValidationDelay = 3 * time.Second
				s.inject(0, retryAfter(2, "pending", "processing"), at(mockca.Authz, mockca.ChallengeURL))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				polls := r.to(mockca.Authz)
				for i, x := range polls[:max(0, len(polls)-1)] {
					answered := to(r.Exchanges[:], mockca.ChallengeURL)
					if len(answered) == 0 || x.ID < answered[0].ID || x.JSON()["status"] != "pending" {
						continue
					}
					if gap := polls[i+1].Start.Sub(x.Start); gap < 1900*time.Millisecond {
						t.at(polls[i+1]).Should(false, "RFC8555-7.5.1-16", "the next poll not before the 2 s of Retry-After", "it came after %.2f s", gap.Seconds())
						break
					}
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.5.1/no-early-polls", Title: "Does not poll before the CA came to look",
			Requirements: []string{"RFC8555-7.5.1-12"},
			Does:         "Looks at the response a second and a half after the challenge was answered.", Expects: "no poll of the authorization before that",
			Stage: func(s *Stage) { s.Policy.ValidationDelay = 1500 * time.Millisecond },
			Play: func(t *Trial) {
				r := t.run(Issue)
				answered := r.to(mockca.ChallengeURL)
				if len(answered) == 0 {
					t.has(r)
				}
				for _, x := range r.to(mockca.Authz, mockca.ChallengeURL) {
					if x.ID > answered[0].ID && x.Start.Sub(answered[0].Start) < 1400*time.Millisecond {
						t.at(x).Should(false, t.main(), "no poll before the CA has looked", "one %.2f s after the challenge was answered", x.Start.Sub(answered[0].Start).Seconds())
						break
					}
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/7.5.1/response-refused", Title: "Takes its response away when the CA does not want it",
			Requirements: []string{"RFC8555-7.5.1-07"},
			Does:         "Refuses the answer to the challenge.", Expects: "a failure, and nothing left to see",
			Stage: func(s *Stage) {
				s.inject(0, refuse("challenge-refused", mockca.Problem{Type: mockca.TypeMalformed, Detail: "not this way"}), at(mockca.ChallengeURL))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "the challenge was refused")
				t.responseGone()
			},
		},
		{
			ID: "rfc8555/7.5.1/validation-fails", Title: "Says why validation failed, and takes its response away",
			Requirements: []string{"RFC8555-6.7-05", "RFC8555-8.3-16"},
			Does:         "Finds something else than the response, and says so.", Expects: "a failure that shows it, and nothing left to see",
			Faults: []string{"challenge-invalid"},
			Stage: func(s *Stage) {
				s.CA.Validation.Script = func(context.Context, mockca.ValidationRequest) *mockca.Problem {
					return &mockca.Problem{Type: mockca.TypeUnauthorized, Detail: "found page 4711 instead"}
				}
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				t.lacks(r, t.main(), "validation failed")
				t.Should(r.says("found page 4711 instead"), t.main(), "the challenge's error in what the client says", "it said: %s", excerpt(r.Output))
				t.responseGone()
				t.bounded(r.to(mockca.NewOrder), 5, t.main(), "orders")
			},
		},
		{
			ID: "rfc8555/8.2/retried-by-the-ca", Title: "Leaves its response in place while the CA tries again",
			Requirements: []string{"RFC8555-7.5.1-15", "RFC8555-8.2-08"},
			Does:         "Does not see the response at first, and looks again a second later.", Expects: "a certificate",
			Faults: []string{"challenge-retry"},
			Stage: func(s *Stage) {
				s.Policy.ValidationRetries, s.Policy.ValidationRetryWait = 2, time.Second
				port := s.Env.HTTPPort
				s.CA.Validation.Script = func(_ context.Context, v mockca.ValidationRequest) *mockca.Problem {
					if v.Attempt < 2 {
						return &mockca.Problem{Type: mockca.TypeConnection, Detail: "no answer yet"}
					}
					return fetchProblem(port, v)
				}
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/8/unknown-types", Title: "Skips challenges of types that it does not know",
			Requirements: []string{"RFC8555-8-08"},
			Does:         "Lists challenges of types from the future before and after the others.", Expects: "a certificate",
			Faults: []string{"authz-unknown-types"},
			Stage: func(s *Stage) {
				s.inject(0, rewrite("authz-unknown-types", func(m map[string]any) {
					list, _ := m["challenges"].([]any)
					odd := func(kind string, n int) any {
						return map[string]any{"type": kind, "url": fmt.Sprintf("https://127.0.0.1/none/%d", n), "status": "pending", "more": []any{n}}
					}
					m["challenges"] = slices.Concat([]any{odd("telepathy-01", 1), odd("http-09", 2)}, list, []any{odd("", 3)})
				}), at(mockca.Authz))
			},
			Play: func(t *Trial) { t.obtains() },
		},
		{
			ID: "rfc8555/6.1/padded-token", Title: "A token with padding is not used",
			Requirements: []string{"RFC8555-6.1-14"},
			Does:         "The token ends with =.", Expects: "no answer to the challenge, and a failure",
			Faults: []string{"challenge-token-bad-chars"},
			Stage: func(s *Stage) {
				s.inject(0, rewrite("challenge-token-bad-chars", func(m map[string]any) {
					list, _ := m["challenges"].([]any)
					for _, each := range list {
						if c, ok := each.(map[string]any); ok {
							c["token"] = fmt.Sprint(c["token"]) + "="
						}
					}
				}), at(mockca.Authz))
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				answers := r.to(mockca.ChallengeURL)
				if len(answers) > 0 {
					t.at(answers[0]).Must(false, t.main(), "no answer to the challenge", "it was answered")
					return
				}
				t.lacks(r, t.main(), "the token is not base64url")
			},
		},
		{
			ID: "rfc8555/8.2/ready-first", Title: "The response is in place before the challenge is answered",
			Requirements: []string{"RFC8555-8.2-01", "RFC8555-8.3-04", "RFC8555-8.3-05", "RFC8555-8.3-06", "RFC8555-8.1-01"},
			Does:         "Fetches the response the moment the challenge is answered.", Expects: "the key authorization, over plain HTTP, where it belongs",
			Stage: func(s *Stage) {
				port := s.Env.HTTPPort
				s.CA.Validation.Script = func(_ context.Context, v mockca.ValidationRequest) *mockca.Problem { return fetchProblem(port, v) }
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				for _, z := range t.CA.Authorizations() {
					for _, c := range z.Challenges {
						t.Must(c.Error == nil, "RFC8555-8.3-04", "the key authorization and nothing else", "%v", c.Error)
					}
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/8.3/other-tokens", Title: "Serves the responses of its challenges, and no other token",
			Requirements: []string{"RFC8555-8.3-18", "RFC8555-8.3-17"},
			Does:         "While it validates it asks for tokens that it never gave out, well-formed and not.", Expects: "404, and nothing of the request in the answer",
			Stage: func(s *Stage) {
				port := s.Env.HTTPPort
				s.CA.Validation.Script = func(_ context.Context, v mockca.ValidationRequest) *mockca.Problem {
					for _, token := range []string{strings.Repeat("Zz9-_", 9), "%3Cscript%3Ealert(1)%3C%2Fscript%3E"} {
						status, body := fetch(port, v.Identifier.Value, token)
						if status == http.StatusOK && (strings.Contains(body, "Zz9-_Zz9-_") || strings.Contains(body, "<script>")) {
							return &mockca.Problem{Type: mockca.TypeIncorrectResponse, Detail: "a token that nobody gave out was answered: " + excerpt(body)}
						}
					}
					return fetchProblem(port, v)
				}
			},
			Play: func(t *Trial) {
				r := t.run(Issue)
				for _, z := range t.CA.Authorizations() {
					for _, c := range z.Challenges {
						t.Must(c.Error == nil, "RFC8555-8.3-17", "no token but the challenge's", "%v", c.Error)
					}
				}
				t.has(r)
			},
		},
		{
			ID: "rfc8555/8.3/removed", Title: "Takes its response away once the challenge is final",
			Requirements: []string{"RFC8555-8.3-16"},
			Does:         "Fetches the responses again after the run.", Expects: "nothing",
			Stage: func(s *Stage) { s.Env.Domains = twoNames },
			Play: func(t *Trial) {
				t.obtains()
				t.responseGone()
			},
		},
		{
			ID: "rfc8555/7.4.1/pre-authorization", Title: "Asks for an authorization before any order",
			Requirements: []string{"RFC8555-7.4.1-01"}, Needs: []Feature{Preauthorization},
			Does: "Offers newAuthz.", Expects: "newAuthz with an identifier of type and value; no challenge for the order after that",
			Play: func(t *Trial) {
				r := t.run(PreAuthorize)
				t.each(r.to(mockca.NewAuthz), t.main(), `{"identifier":{"type":"dns","value":...}}`, func(r *request) string {
					id, _ := r.object()["identifier"].(map[string]any)
					return unless(id["type"] == "dns" && id["value"] == t.Env.Domains[0], "the payload is %s", r.payload)
				})
				t.Must(len(r.to(mockca.NewAuthz)) > 0, t.main(), "a request to newAuthz", "none; %s", r.story())
			},
		},
		{
			ID: "rfc8555/7.5.2/deactivate", Title: "Gives an authorization up by its status",
			Requirements: []string{"RFC8555-7.5.2-01"}, Needs: []Feature{AuthzDeactivation},
			Does: "Issues; then the user gives the authorization up.", Expects: `{"status":"deactivated"} to its URL`,
			Play: func(t *Trial) {
				t.obtains()
				z := t.CA.Authorizations()[0]
				r := t.run(DeactivateAuthz, func(e *Env) { e.URL = z.URL })
				t.each(signed(r.to(mockca.Authz)), t.main(), `{"status":"deactivated"}`, func(r *request) string {
					o := r.object()
					return unless(len(r.payload) == 0 || o["status"] == "deactivated" && len(o) == 1, "the payload is %s", r.payload)
				})
				after, _ := t.CA.Authorization(z.URL)
				t.Must(after.Status == "deactivated", t.main(), "the authorization deactivated", "it is %s; %s", after.Status, r.story())
			},
		},
	}
}

// responseGone says that no http-01 response is served after a run.
func (t *Trial) responseGone() {
	for _, z := range t.CA.Authorizations() {
		for _, c := range z.Challenges {
			if c.Type != "http-01" {
				continue
			}
			if status, body := fetch(t.Env.HTTPPort, z.Identifier.Value, c.Token); status == http.StatusOK && strings.Contains(body, c.Token) {
				t.Should(false, t.main(), "nothing served after the run", "the response for %s is still there", z.Identifier.Value)
				return
			}
		}
	}
}

// fetcher asks for responses, each time anew.
var fetcher = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// fetch asks for an http-01 response as a CA does. Status 0: no answer.
func fetch(port int, host, token string) (status int, body string) {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/.well-known/acme-challenge/%s", port, token), nil)
	if err != nil {
		return 0, ""
	}
	req.Host = host
	res, err := fetcher.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	data, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, string(data)
}

// fetchProblem fetches a response and compares it with what it has to be (RFC
// 8555, Section 8.3).
func fetchProblem(port int, v mockca.ValidationRequest) *mockca.Problem {
	host := v.Identifier.Value
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]"
	}
	status, body := fetch(port, host, v.Token)
	switch {
	case status == 0:
		return &mockca.Problem{Type: mockca.TypeConnection, Detail: body}
	case status != http.StatusOK:
		return &mockca.Problem{Type: mockca.TypeUnauthorized, Detail: fmt.Sprintf("status %d", status)}
	case strings.TrimRight(body, " \t\r\n") != v.KeyAuthorization:
		return &mockca.Problem{Type: mockca.TypeIncorrectResponse, Detail: fmt.Sprintf("found %q, not %q", excerpt(body), v.KeyAuthorization)}
	}
	return nil
}
