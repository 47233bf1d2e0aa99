package clientcases

import (
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 9773: renewal information, for clients that a timer runs.

const day = 24 * time.Hour

func renewalScenarios() []Scenario {
	all := []Scenario{
		{
			ID: "rfc9773/4.1/request", Title: "Asks for renewal information by GET, under the certificate's identifier",
			Requirements: []string{"RFC9773-4.1-01", "RFC9773-4.1-03", "RFC9773-4.1-04", "RFC9773-4.1-05", "RFC9773-4.1-06"}, Needs: []Feature{Renewal},
			Does: "Issues, and lets the client look whether to renew.", Expects: "GET of renewalInfo, a slash, and the key identifier and the serial in base64url",
			Play: func(t *Trial) {
				p := t.has(t.obtains())
				t.run(Renew)
				asked := t.asksARI()
				want := t.CA.URL(mockca.RenewalInfo) + "/" + certID(p.leaf().AuthorityKeyId, p.leaf().SerialNumber)
				t.each(asked, t.main(), "GET "+want, func(r *request) string {
					return unless(r.Method == http.MethodGet && len(r.RequestBody) == 0 && r.URL == want, "it is %s %s", r.Method, r.URL)
				})
			},
		},
		{
			ID: "rfc9773/4.3/after-issuance", Title: "Asks for renewal information as soon as it has the certificate",
			Requirements: []string{"RFC9773-4.3-01"},
			Does:         "Issues a certificate.", Expects: "a request for its renewal information in the same run",
			Play: func(t *Trial) {
				r := t.obtains()
				if len(r.to(mockca.RenewalInfo)) == 0 && t.client.Has(Renewal) {
					t.run(Renew)
					t.asksARI()
				}
				t.Should(len(r.to(mockca.RenewalInfo)) > 0, t.main(), "a request for renewal information after the download", "none")
			},
		},
		{
			ID: "rfc9773/5/replaces", Title: "Says what a new order replaces",
			Requirements: []string{"RFC9773-5-02", "RFC9773-5-01"}, Needs: []Feature{Renewal},
			Does: "Issues a certificate that is soon to expire, and lets the client renew.", Expects: "replaces in newOrder, with the identifier of the old certificate",
			Stage: due,
			Play: func(t *Trial) {
				old := t.has(t.obtains())
				r := t.renews(old)
				t.asksARI()
				want := certID(old.leaf().AuthorityKeyId, old.leaf().SerialNumber)
				t.eachShould(r.to(mockca.NewOrder), t.main(), "replaces "+want, func(r *request) string {
					got, _ := r.object()["replaces"].(string)
					return unless(got != "", "there is none")
				})
				t.each(r.to(mockca.NewOrder), "RFC9773-5-01", "replaces "+want, func(r *request) string {
					got, _ := r.object()["replaces"].(string)
					return unless(got == "" || got == want, "it is %s", got)
				})
			},
		},
		{
			ID: "rfc9773/5/not-offered", Title: "Sends no replaces to a CA without renewal information",
			Requirements: []string{"RFC9773-5-03"}, Needs: []Feature{Renewal},
			Does: "Has no renewal information; issues a certificate that is soon to expire, and lets the client renew.", Expects: "a renewal without replaces",
			Stage: func(s *Stage) { due(s); s.Policy.NoRenewalInfo = true },
			Play: func(t *Trial) {
				r := t.renews(t.has(t.obtains()))
				t.eachShould(r.to(mockca.NewOrder), t.main(), "no replaces", func(r *request) string {
					return unless(r.object()["replaces"] == nil, "it is %v", r.object()["replaces"])
				})
			},
		},
		{
			ID: "rfc9773/5/refused", Title: "Renews without replaces when the CA does not take it",
			Requirements: []string{"RFC9773-5-02"}, Needs: []Feature{Renewal},
			Does: "Refuses replaces with alreadyReplaced.", Expects: "an order without it, and a new certificate",
			Faults: []string{"already-replaced"},
			Stage: func(s *Stage) {
				due(s)
				s.inject(0, refuse("already-replaced", mockca.Problem{Type: mockca.TypeAlreadyReplaced, Status: 409, Detail: "replaced before"}),
					mockca.When{Endpoint: mockca.NewOrder, Match: func(x *mockca.Exchange) bool { return strings.Contains(string(x.Payload()), `"replaces"`) }})
			},
			Play: func(t *Trial) {
				old := t.has(t.obtains())
				r := t.run(Renew)
				if len(r.to(mockca.RenewalInfo)) == 0 {
					t.asksARI()
				}
				p, err := t.pair(t.Env)
				t.Should(err == nil && !sameCertificate(p, old), t.main(), "a new certificate, ordered without replaces", "the old one; %s", r.story())
			},
		},
		{
			ID: "rfc9773/4.2/past", Title: "Renews at once when the suggested window has passed",
			Requirements: []string{"RFC9773-4.2-07", "RFC9773-4.2-05"}, Needs: []Feature{Renewal},
			Does: "Issues a certificate of 90 days whose window lies in the past.", Expects: "a new certificate",
			Faults: []string{"ari-past"},
			Stage:  past,
			Play: func(t *Trial) {
				old := t.has(t.obtains())
				r := t.run(Renew)
				t.asksARI()
				p, err := t.pair(t.Env)
				t.Should(err == nil && !sameCertificate(p, old), t.main(), "a renewal", "none; %s", r.story())
			},
		},
		{
			ID: "rfc9773/4.2/future", Title: "Does not renew before its time",
			Requirements: []string{"RFC9773-4.2-05"}, Needs: []Feature{Renewal},
			Does: "Issues a certificate of 90 days, whose window is weeks away.", Expects: "no order",
			Play: func(t *Trial) {
				t.obtains()
				r := t.run(Renew)
				t.Must(len(r.to(mockca.NewOrder)) == 0, t.main(), "no order", "%d", len(r.to(mockca.NewOrder)))
				t.Should(r.Err == nil, t.main(), "no failure", "%s", r.story())
			},
		},
		{
			ID: "rfc9773/4.2/explanation", Title: "Passes the CA's explanation on",
			Requirements: []string{"RFC9773-4.2-04"}, Needs: []Feature{Renewal},
			Does: "The window is in the past, and there is a page that explains it.", Expects: "the page's URL in what the client says",
			Faults: []string{"ari-explanation"},
			Stage: func(s *Stage) {
				past(s)
				s.inject(0, rewrite("ari-explanation", func(m map[string]any) { m["explanationURL"] = "https://ca.test/incident/4711" }), at(mockca.RenewalInfo))
			},
			Play: func(t *Trial) {
				first := t.obtains()
				r := t.run(Renew)
				t.asksARI()
				t.Should(first.says("https://ca.test/incident/4711") || r.says("https://ca.test/incident/4711"), t.main(), "the URL in what the client says", "it said: %s", excerpt(r.Output))
			},
		},
		inverted("inverted", "ari-inverted", "ends before it begins", -12*time.Hour),
		inverted("empty", "ari-zero", "ends when it begins", 0),
		{
			ID: "rfc9773/4.3/expired", Title: "Asks nothing about a certificate that has expired",
			Requirements: []string{"RFC9773-4.3-03"}, Needs: []Feature{Renewal},
			Does: "Issues a certificate of 5 seconds, and lets the client look when it has expired.", Expects: "no request for renewal information",
			Stage: func(s *Stage) {
				s.Policy.Profiles = map[string]mockca.Profile{"classic": {Lifetime: 5*time.Second + time.Hour, Backdate: time.Hour}}
			},
			Play: func(t *Trial) {
				p := t.has(t.obtains())
				t.CA.ChangePolicy(func(policy *mockca.Policy) { policy.Profiles = mockca.DefaultPolicy().Profiles })
				if wait := time.Until(p.leaf().NotAfter) + 1100*time.Millisecond; !t.pause(wait) {
					return
				}
				old := certID(p.leaf().AuthorityKeyId, p.leaf().SerialNumber)
				r := t.run(Renew)
				t.each(r.to(mockca.RenewalInfo), t.main(), "no request about the expired certificate", func(r *request) string {
					return unless(!strings.HasSuffix(r.URL, old), "it is about it")
				})
				t.has(r)
			},
		},
		{
			ID: "rfc9773/4.3/replaced", Title: "Asks nothing about a certificate that it has replaced",
			Requirements: []string{"RFC9773-4.3-04"}, Needs: []Feature{Renewal},
			Does: "Issues certificates whose window lies in the past, has the client renew, and lets it look again.", Expects: "no request about the first certificate in the last run",
			Stage: past,
			Play: func(t *Trial) {
				p := t.has(t.obtains())
				t.run(Renew)
				t.asksARI()
				old := certID(p.leaf().AuthorityKeyId, p.leaf().SerialNumber)
				if len(t.CA.Certificates()) < 2 {
					t.Stop() // it does not go by the window, which another scenario is about
				}
				r := t.run(Renew)
				t.each(r.to(mockca.RenewalInfo), t.main(), "no request about the replaced certificate", func(r *request) string {
					return unless(!strings.HasSuffix(r.URL, old), "it is about it")
				})
			},
		},
		{
			ID: "rfc9773/4.2/failing-ca", Title: "Keeps the old certificate while the CA fails, and does not hammer it",
			Requirements: []string{"RFC9773-4.2-11"}, Needs: []Feature{Renewal},
			Does: "Issues a certificate that is soon to expire; then every order fails with 503.", Expects: "the old pair in its place, and no more than 20 orders in a run",
			Faults: []string{"ca-down-for-days", "status-503"},
			Stage:  due,
			Play: func(t *Trial) {
				old := t.has(t.obtains())
				id := t.CA.Inject(mockca.Status503(0), at(mockca.NewOrder))
				r := t.run(Renew)
				t.bounded(r.to(mockca.NewOrder), 20, t.main(), "orders")
				p, err := t.pair(t.Env)
				t.Must(err == nil && sameCertificate(p, old), t.main(), "the old pair", "it is gone; %s", r.story())
				t.Should(r.Err != nil, t.main(), "a failure", "the client said that it succeeded")
				t.CA.RemoveRule(id)
			},
		},
		{
			ID: "rfc9773/4.2/failures-kept", Title: "A timer that runs too often does not make it hammer a CA that fails",
			Requirements: []string{"RFC9773-4.2-12"}, Needs: []Feature{Renewal},
			Does: "Issues a certificate that is soon to expire; then orders fail, and the client is run five times in a row.", Expects: "fewer than five runs with an order",
			Stage: due,
			Play: func(t *Trial) {
				t.obtains()
				t.CA.Inject(refuse("status-500", mockca.Problem{Type: mockca.TypeServerInternal, Status: 500, Detail: "not now"}), at(mockca.NewOrder))
				tried := 0
				for range 5 {
					if len(t.run(Renew).to(mockca.NewOrder)) > 0 {
						tried++
					}
				}
				t.Should(tried < 5, t.main(), "runs that only note that it is too early", "all five ordered")
			},
		},
		{
			ID: "rfc9773/6/skew", Title: "Makes up its mind although the CA's clock is hours ahead",
			Requirements: []string{"RFC9773-6-02"}, Needs: []Feature{Renewal},
			Does: "Its clock is three hours ahead; issues, and lets the client look twice.", Expects: "one order in all",
			Faults: []string{"clock-behind"},
			Stage: func(s *Stage) {
				s.Policy.Profiles = map[string]mockca.Profile{"classic": {Lifetime: 91 * day, Backdate: day}}
				s.Start = func(ca *mockca.CA) { ca.Clock().Advance(3 * time.Hour) }
			},
			Play: func(t *Trial) {
				t.obtains()
				t.run(Renew)
				t.run(Renew)
				t.Should(len(t.CA.Orders()) == 1, t.main(), "one order", "%d", len(t.CA.Orders()))
			},
		},
	}
	return append(all, fallbackScenarios()...)
}

// fallbackScenarios: RFC 9773, Section 4.3.3.
func fallbackScenarios() (all []Scenario) {
	answer := func(status int, media, text string) mockca.Fault {
		return mockca.Fault{Name: "renewal-info", Doc: "no renewal information", Duty: "fall back", Request: func(*mockca.Exchange) *mockca.Response {
			return mockca.NewResponse(status, media, text)
		}}
	}
	for _, c := range []struct {
		name, fault, does string
		inject            mockca.Fault
	}{
		{"not-found", "ari-404", "Answers 404 for renewal information.", answer(404, "text/plain", "no\n")},
		{"server-error", "ari-500", "Answers 500 for renewal information.", answer(500, "text/plain", "no\n")},
		{"garbage", "ari-garbage", "Answers renewal information that is no JSON.", answer(200, "application/json", "<html>")},
		{"no-window", "ari-garbage", "Answers renewal information without a window.", answer(200, "application/json", `{"explanationURL":"https://ca.test/"}`)},
	} {
		all = append(all, Scenario{
			ID: "rfc9773/4.3.3/" + c.name, Title: "Renews by the certificate's lifetime when there is no renewal information",
			Requirements: []string{"RFC9773-4.3.3-08"}, Needs: []Feature{Renewal},
			Does: c.does + " The certificate is soon to expire.", Expects: "a new certificate",
			Faults: []string{c.fault},
			Stage: func(s *Stage) {
				due(s)
				s.inject(0, c.inject, at(mockca.RenewalInfo))
			},
			Play: func(t *Trial) { t.renews(t.has(t.obtains())) },
		})
	}
	return append(all, Scenario{
		ID: "rfc9773/4.3.3/refused", Title: "Renews by the certificate's lifetime when renewal information can't be reached",
		Requirements: []string{"RFC9773-4.3.3-08"}, Needs: []Feature{Renewal},
		Does: "renewalInfo is at a port where nobody listens. The certificate is soon to expire.", Expects: "a new certificate",
		Faults: []string{"refuse"},
		Stage: func(s *Stage) {
			due(s)
			s.inject(0, rewrite("refuse", func(m map[string]any) { m["renewalInfo"] = "https://127.0.0.1:1/renewal-info" }), at(mockca.Directory))
		},
		Play: func(t *Trial) { t.renews(t.has(t.obtains())) },
	})
}

// due has the CA issue certificates that are soon to expire.
func due(s *Stage) {
	s.Policy.Profiles = map[string]mockca.Profile{"classic": {Lifetime: 90 * day, Backdate: 80 * day}}
}

// renews has the client renew, and ends the scenario unless there is a new
// certificate.
func (t *Trial) renews(old *pair) *Run {
	r := t.run(Renew)
	p := t.has(r)
	t.Require(!sameCertificate(p, old), t.main(), "a new certificate", "the old one, with ten days left; %s", r.story())
	return r
}

func sameCertificate(a, b *pair) bool { return a.leaf().Equal(b.leaf()) }

// asksARI are the requests for renewal information so far. A client that has
// made none does not know it.
func (t *Trial) asksARI() []*mockca.Exchange {
	all := t.CA.Transcript().For(mockca.RenewalInfo)
	if len(all) == 0 {
		t.NotApplicable("the client never asks for renewal information")
	}
	return all
}

// past has all windows lie in the past.
func past(s *Stage) { suggest(s, -48*time.Hour, 24*time.Hour, 6*time.Hour) }

// inverted is about windows that are none.
func inverted(name, fault, does string, width time.Duration) Scenario {
	return Scenario{
		ID: "rfc9773/4.2/" + name, Title: "A window that " + does + " counts for nothing",
		Requirements: []string{"RFC9773-4.2-14"}, Needs: []Feature{Renewal},
		Does: "Issues a certificate of 90 days whose window, in the past, " + does + ".", Expects: "no order, as the certificate is fresh",
		Faults: []string{fault},
		Stage:  func(s *Stage) { suggest(s, -48*time.Hour, width, 6*time.Hour) },
		Play: func(t *Trial) {
			t.obtains()
			r := t.run(Renew)
			t.asksARI()
			t.Must(len(r.to(mockca.NewOrder)) == 0, t.main(), "no order", "%d", len(r.to(mockca.NewOrder)))
		},
	}
}

// certID is the identifier of RFC 9773, Section 4.1.
func certID(keyID []byte, serial *big.Int) string {
	octets := serial.Bytes()
	if len(octets) == 0 || octets[0]&0x80 != 0 {
		octets = append([]byte{0}, octets...)
	}
	return base64.RawURLEncoding.EncodeToString(keyID) + "." + base64.RawURLEncoding.EncodeToString(octets)
}

// pause waits, and reports whether there is time left.
func (t *Trial) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.Context().Done():
		return false
	}
}
