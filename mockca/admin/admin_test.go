package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/admin"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// world is a CA with its management, and a client that somebody else wrote.
type world struct {
	t      *testing.T
	ca     *mockca.CA
	dns    *dnsserver.Server
	server *httptest.Server
	acme   *acme.Client
}

func newWorld(t *testing.T, change func(*mockca.Options, *admin.Options)) *world {
	t.Helper()
	w := &world{t: t, dns: dnsserver.New(t, dnsserver.Options{})}
	ca := mockca.Options{Validation: mockca.Validation{Off: true, DNS: w.dns}, Paths: mockca.PebblePaths(), Hierarchy: mockca.Hierarchy{Roots: 2}}
	o := admin.Options{DNS: w.dns}
	if change != nil {
		change(&ca, &o)
	}
	w.ca = mockca.New(t, ca)
	o.CA = w.ca
	w.server = httptest.NewServer(admin.New(o))
	t.Cleanup(w.server.Close)
	w.acme = &acme.Client{Key: newKey(t), HTTPClient: w.ca.Client(), DirectoryURL: w.ca.DirectoryURL()}
	return w
}

// do sends a request and wants a status.
func (w *world) do(status int, method, path, body string) []byte {
	w.t.Helper()
	got, answer := w.send(method, path, body)
	require.Equal(w.t, status, got, "%s %s: %s", method, path, answer)
	return []byte(answer)
}

func (w *world) send(method, path, body string) (status int, answer string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	require.NoError(w.t, err)
	resp, err := w.server.Client().Do(req)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp.StatusCode, string(data)
}

func (w *world) get(path string, into any) {
	w.t.Helper()
	require.NoError(w.t, json.Unmarshal(w.do(http.StatusOK, http.MethodGet, path, ""), into), path)
}

func TestObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	account, _ := w.issue("a.example.org", "b.example.org")

	var accounts []mockca.Account
	w.get("/api/accounts", &accounts)
	require.Len(t, accounts, 1)
	require.Equal(t, account.URI, accounts[0].URL)
	var orders []mockca.Order
	w.get("/api/orders?status=valid&account=1&identifier=B.example.org", &orders)
	require.Len(t, orders, 1)
	w.get("/api/orders?status=pending", &orders)
	require.Empty(t, orders)
	var order mockca.Order
	w.get("/api/orders/1", &order)
	require.Equal(t, "valid", order.Status)
	var authorizations []mockca.Authorization
	w.get("/api/authorizations?limit=1", &authorizations)
	require.Len(t, authorizations, 1)
	require.Equal(t, "b.example.org", authorizations[0].Identifier.Value, "the latest")

	var certificates []admin.Certificate
	w.get("/api/certificates", &certificates)
	require.Len(t, certificates, 1)
	serial := certificates[0].Serial
	require.Contains(t, certificates[0].PEM, "BEGIN CERTIFICATE")
	require.False(t, certificates[0].Renewal.ByHand)
	w.do(http.StatusOK, http.MethodPut, "/api/certificates/"+serial+"/renewal-info", `{"start":"2030-01-01T00:00:00Z","end":"2030-01-02T00:00:00Z","retryAfter":"1h"}`)
	resp, err := w.ca.Client().Get(w.ca.URL(mockca.RenewalInfo) + "/" + certificates[0].CertID)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, string(body), "2030-01-01T00:00:00Z")
	require.Equal(t, "3600", resp.Header.Get("Retry-After"))
	w.do(http.StatusBadRequest, http.MethodPut, "/api/certificates/"+serial+"/renewal-info", `{"start":"2030-01-01T00:00:00Z"}`)
	w.do(http.StatusOK, http.MethodDelete, "/api/certificates/"+serial+"/renewal-info", "")
	w.do(http.StatusOK, http.MethodPost, "/api/certificates/"+serial+"/revoke", `{"reason":4}`)
	w.do(http.StatusConflict, http.MethodPost, "/api/certificates/"+serial+"/revoke", `{"reason":4}`)
	w.do(http.StatusNotFound, http.MethodGet, "/api/certificates/00ff", "")
	w.get("/api/certificates?status=revoked", &certificates)
	require.Equal(t, 4, certificates[0].Reason)

	w.do(http.StatusOK, http.MethodPatch, "/api/orders/1", `{"status":"invalid","error":{"type":"caa","detail":"by hand"}}`)
	w.get("/api/orders/1", &order)
	require.Equal(t, "caa", order.Error.Type)
	w.do(http.StatusBadRequest, http.MethodPatch, "/api/orders/1", `{"status":"revoked"}`)
	w.do(http.StatusOK, http.MethodPatch, "/api/authorizations/1", `{"status":"expired"}`)
	w.do(http.StatusBadRequest, http.MethodPatch, "/api/authorizations/1", `{"status":"ready"}`)
	w.do(http.StatusOK, http.MethodPatch, "/api/accounts/1", `{"status":"revoked"}`)
	_, err = w.acme.AuthorizeOrder(t.Context(), acme.DomainIDs("a.example.org"))
	require.ErrorContains(t, err, "unauthorized")
	w.do(http.StatusNoContent, http.MethodPost, "/api/accounts/1/pause", `{"names":["a.example.org"]}`)
	w.do(http.StatusBadRequest, http.MethodPost, "/api/accounts/1/pause", `{"names":[]}`)
	w.do(http.StatusNoContent, http.MethodPost, "/api/accounts/1/unpause", "")
	w.do(http.StatusNoContent, http.MethodDelete, "/api/orders/1", "")
	w.do(http.StatusNotFound, http.MethodGet, "/api/orders/1", "")
	w.do(http.StatusNoContent, http.MethodDelete, "/api/accounts/1", "")
	w.do(http.StatusNotFound, http.MethodDelete, "/api/accounts/1", "")
	w.do(http.StatusNoContent, http.MethodPost, "/api/forget", "")
	require.Empty(t, w.ca.Authorizations())
}

func TestClockPolicyChecksAndKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	before := w.ca.Clock().Now()
	w.do(http.StatusOK, http.MethodPost, "/api/clock", `{"advance":"60d"}`)
	require.WithinDuration(t, before.Add(60*24*time.Hour), w.ca.Clock().Now(), time.Minute)
	w.do(http.StatusOK, http.MethodPost, "/api/clock", `{"set":"2031-02-03T04:05:06Z"}`)
	var clock admin.Clock
	w.get("/api/clock", &clock)
	require.Equal(t, 2031, clock.Now.Year())
	w.do(http.StatusOK, http.MethodPost, "/api/clock", `{"reset":true}`)
	require.WithinDuration(t, time.Now(), w.ca.Clock().Now(), time.Minute)
	for _, body := range []string{`{}`, `{"advance":"1h","reset":true}`, `{"advance":"soon"}`, `{"forward":"1h"}`, ``, `[]`} {
		w.do(http.StatusBadRequest, http.MethodPost, "/api/clock", body)
	}

	w.do(http.StatusOK, http.MethodPatch, "/api/policy", `{"requireEAB":true,"orderLifetime":"30m","profiles":{"one":{"lifetime":"1d"}},"rateLimits":[{"name":"NewOrdersPerAccount","count":1,"period":"3h"}]}`)
	p := w.ca.Policy()
	require.True(t, p.RequireEAB)
	require.Equal(t, 30*time.Minute, p.OrderLifetime)
	require.Equal(t, 24*time.Hour, p.Profiles["one"].Lifetime)
	require.Equal(t, "NewOrdersPerAccount", p.RateLimits[0].Name)
	require.Equal(t, 100, p.MaxNames, "what is not named stays")
	require.Contains(t, string(w.do(http.StatusBadRequest, http.MethodPatch, "/api/policy", `{"maxNames":5,"orderLifetme":"1h"}`)), `there is no \"orderLifetme\"`)
	require.Equal(t, 100, w.ca.Policy().MaxNames, "nothing changes when something is wrong")
	var policy map[string]any
	w.get("/api/policy", &policy)
	require.Equal(t, "30m", policy["orderLifetime"])
	whole := string(w.do(http.StatusOK, http.MethodGet, "/api/policy", ""))
	require.JSONEq(t, whole, string(w.do(http.StatusOK, http.MethodPatch, "/api/policy", whole)), "what is shown can be set")

	var eab admin.EAB
	require.NoError(t, json.Unmarshal(w.do(http.StatusCreated, http.MethodPost, "/api/eab", `{"kid":"mine"}`), &eab))
	key, err := mockca.ParseEABKey(eab.Key)
	require.NoError(t, err)
	_, err = w.acme.Register(t.Context(), &acme.Account{}, acme.AcceptTOS)
	require.ErrorContains(t, err, "externalAccountRequired")
	_, err = w.acme.Register(t.Context(), &acme.Account{ExternalAccountBinding: &acme.ExternalAccountBinding{KID: "mine", Key: key}}, acme.AcceptTOS)
	require.NoError(t, err)
	var eabs []admin.EAB
	w.get("/api/eab", &eabs)
	require.Len(t, eabs, 1)
	require.NotEmpty(t, eabs[0].Account)
	w.do(http.StatusBadRequest, http.MethodPost, "/api/eab", `{"kid":"x","key":"?"}`)
	w.do(http.StatusBadRequest, http.MethodPost, "/api/eab", `{"algorithm":"RS256"}`)
	w.do(http.StatusCreated, http.MethodPost, "/api/eab", `{}`)
	w.do(http.StatusNoContent, http.MethodDelete, "/api/eab/mine", "")
	w.do(http.StatusNotFound, http.MethodDelete, "/api/eab/mine", "")

	w.do(http.StatusOK, http.MethodPut, "/api/personality", `{"personality":"letsencrypt"}`)
	require.Equal(t, "letsencrypt", w.ca.Policy().Name)
	w.do(http.StatusBadRequest, http.MethodPut, "/api/personality", `{"personality":"nobody"}`)
	w.do(http.StatusNoContent, http.MethodPut, "/api/checks/nonce", `{"on":false}`)
	require.Equal(t, []mockca.Check{mockca.CheckNonce}, w.ca.Disabled())
	w.do(http.StatusNoContent, http.MethodPut, "/api/checks/nonce", `{"on":true}`)
	w.do(http.StatusNotFound, http.MethodPut, "/api/checks/nothing", `{"on":true}`)
	w.do(http.StatusNoContent, http.MethodPost, "/api/terms", `{"url":"https://ca.test/new"}`)
	require.Equal(t, "https://ca.test/new", w.ca.Policy().TermsOfService)
}

func TestDNS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.do(http.StatusNoContent, http.MethodPost, "/api/dns/records", `{"set":["a.example. 60 IN TXT one"],"add":["a.example. 60 IN TXT two","b.example. 1 IN A 192.0.2.1"]}`)
	w.do(http.StatusBadRequest, http.MethodPost, "/api/dns/records", `{"add":["nonsense"]}`)
	w.do(http.StatusBadRequest, http.MethodPost, "/api/dns/records", `{}`)
	w.do(http.StatusNoContent, http.MethodPut, "/api/dns/defaults", `{"ipv4":"192.0.2.9","ipv6":""}`)
	w.do(http.StatusBadRequest, http.MethodPut, "/api/dns/defaults", `{"ipv4":"::1"}`)
	w.do(http.StatusNoContent, http.MethodPut, "/api/dns/behaviors/c.example", `{"rcode":"servfail","latency":"1ms","types":["txt"]}`)
	w.do(http.StatusBadRequest, http.MethodPut, "/api/dns/behaviors/c.example", `{"rcode":"SOMEFAIL"}`)
	w.do(http.StatusBadRequest, http.MethodPut, "/api/dns/behaviors/c.example", `{"types":["TEXT"]}`)
	var state struct {
		Records   []string
		IPv4      string
		Behaviors map[string]struct{ Rcode, Latency string }
	}
	w.get("/api/dns", &state)
	require.Len(t, state.Records, 3)
	require.Equal(t, "192.0.2.9", state.IPv4)
	require.Equal(t, "SERVFAIL", state.Behaviors["c.example"].Rcode)
	addrs, err := w.dns.Resolver().LookupHost(t.Context(), "anything.example")
	require.NoError(t, err)
	require.Equal(t, []string{"192.0.2.9"}, addrs)
	_, err = w.dns.Resolver().LookupTXT(t.Context(), "c.example")
	require.Error(t, err)
	txt, err := w.dns.Resolver().LookupTXT(t.Context(), "a.example")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"one", "two"}, txt)
	var queries []dnsserver.Query
	w.get("/api/dns/queries?name=a.example", &queries)
	require.NotEmpty(t, queries)
	w.do(http.StatusNoContent, http.MethodDelete, "/api/dns/queries", "")
	w.do(http.StatusNoContent, http.MethodDelete, "/api/dns/records/a.example?type=txt", "")
	w.do(http.StatusBadRequest, http.MethodDelete, "/api/dns/records/a.example?type=text", "")
	w.do(http.StatusNoContent, http.MethodDelete, "/api/dns/behaviors/c.example", "")
	w.get("/api/dns", &state)
	require.Len(t, state.Records, 1)
	w.do(http.StatusNoContent, http.MethodDelete, "/api/dns", "")
	require.Empty(t, w.dns.Records())
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+"/api/events", nil)
	require.NoError(t, err)
	stream, err := w.server.Client().Do(req)
	require.NoError(t, err)
	defer stream.Body.Close()
	require.Equal(t, "text/event-stream", stream.Header.Get("Content-Type"))

	w.issue("a.example.org")
	w.issue("b.example.org")
	var all, some []map[string]any
	w.get("/api/transcript", &all)
	require.Equal(t, w.ca.Transcript().Count(), len(all))
	w.get("/api/transcript?endpoint=newOrder&status=201", &some)
	require.Len(t, some, 2)
	w.get("/api/transcript?order=2&endpoint=newOrder", &some)
	require.Len(t, some, 1)
	w.get("/api/transcript?text=B.EXAMPLE.ORG&endpoint=newOrder", &some)
	require.Len(t, some, 1)
	require.Equal(t, "b.example.org", some[0]["payload"].(map[string]any)["identifiers"].([]any)[0].(map[string]any)["value"])
	w.do(http.StatusBadRequest, http.MethodGet, "/api/transcript?status=good", "")
	w.do(http.StatusBadRequest, http.MethodGet, "/api/transcript?limit=-1", "")
	var one map[string]any
	w.get("/api/transcript/1", &one)
	require.Equal(t, "directory", one["endpoint"])
	w.do(http.StatusNotFound, http.MethodGet, "/api/transcript/9999", "")
	require.Equal(t, len(all), bytes.Count(w.do(http.StatusOK, http.MethodGet, "/api/transcript.jsonl", ""), []byte("\n")))
	w.get("/api/transcript.har", &one)
	require.Len(t, one["log"].(map[string]any)["entries"], len(all))
	require.Contains(t, string(w.do(http.StatusOK, http.MethodGet, "/api/transcript.mmd", "")), "sequenceDiagram")
	diagram := string(w.do(http.StatusOK, http.MethodGet, "/api/orders/2/diagram", ""))
	require.Contains(t, diagram, "b.example.org")
	require.NotContains(t, diagram, "a.example.org")
	var steps admin.OrderSteps
	w.get("/api/orders/2/steps", &steps)
	require.NotEmpty(t, steps.Exchanges)
	require.NotEmpty(t, steps.Changes)
	w.do(http.StatusNotFound, http.MethodGet, "/api/orders/3/diagram", "")

	seen := map[string]int{}
	for lines := bufio.NewScanner(stream.Body); seen["event: exchange"] < len(all) && lines.Scan(); {
		seen[lines.Text()]++
	}
	require.Equal(t, len(all), seen["event: exchange"])
	require.NotZero(t, seen["event: change"])
	w.do(http.StatusNoContent, http.MethodDelete, "/api/transcript", "")
	w.get("/api/transcript", &all)
	require.Empty(t, all)
}

func TestScenario(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.do(http.StatusNoContent, http.MethodPost, "/api/scenario", `
personality: letsencrypt
policy: {maxNames: 7}
checks: {off: [nonce]}
eab: [{kid: one}]
dns:
  records: ["x.example. IN TXT here"]
  behaviors: {y.example: {rcode: REFUSED}}
clock: {advance: 1d}
`)
	require.Equal(t, "letsencrypt", w.ca.Policy().Name)
	require.Equal(t, 7, w.ca.Policy().MaxNames)
	require.Len(t, w.ca.EABs(), 1)
	require.Len(t, w.dns.Records(), 1)
	require.Greater(t, time.Until(w.ca.Clock().Now()), 23*time.Hour)
	for body, want := range map[string]string{
		"personality: nobody":                          "no personality",
		"policy: {maxName: 1}":                         `there is no \"maxName\"`,
		"policies: {}":                                 `line 1: there is no \"policies\"`,
		"checks: {off: [none]}":                        "there is no check",
		"rules: [{fault: does-not-exist}]":             "rules[0]",
		"clock: {}\ndns: {behaviors: {a: {rcode: X}}}": "no rcode",
		"clock: {advance: 1h, reset: true}":            "one of",
		"dns: {records: [x]}":                          "record",
	} {
		require.Contains(t, string(w.do(http.StatusBadRequest, http.MethodPost, "/api/scenario", body)), want)
	}
	schema, err := json.Marshal(admin.ScenarioSchema())
	require.NoError(t, err)
	require.Contains(t, string(schema), `"caaIdentities"`)
}
