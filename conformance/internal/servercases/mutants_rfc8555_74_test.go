package servercases

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that violate RFC 8555, Sections 7.4 to 7.6: orders, certificates,
// authorizations, revocation.

// shows are faults of mockca that its catalogue has.
func shows(faults ...mockca.Fault) func(*stage) {
	return func(s *stage) { s.faults = append(s.faults, faults...) }
}

func orderMutants() []mutant {
	ordered := func(change func(map[string]any)) func(*stage) { return objects(change, mockca.NewOrder) }
	return []mutant{
		{"order-created-200", "answers newOrder with 200", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			if r.Status == 201 {
				r.Status = 200
			}
		}, mockca.NewOrder), map[string]string{
			"rfc8555/7.4/new-order":       "RFC8555-7.4-05",
			"rfc8555/9.7.2/server-fields": "RFC8555-9.7.2-01",
		}},
		{"order-location", "has relative Locations of orders", headers("Location", pathOf, mockca.NewOrder), map[string]string{
			"rfc8555/7.4/new-order": "RFC8555-7.4-06",
		}},
		{"order-more", "adds a name to what was ordered", ordered(func(m map[string]any) {
			ids, _ := m["identifiers"].([]any)
			m["identifiers"] = append(ids, map[string]any{"type": "dns", "value": "extra.example"})
		}), map[string]string{
			"rfc8555/7.4/new-order": "RFC8555-7.4-07",
		}},
		{"order-of-nothing", "takes orders without identifiers", accepting(201, "{}", func(x *mockca.Exchange) bool {
			ids, _ := payload(x)["identifiers"].([]any)
			return x.Check == mockca.CheckIdentifierCount && len(ids) == 0
		}, mockca.NewOrder), map[string]string{
			"rfc8555/7.4/no-identifiers": "RFC8555-7.4-09",
		}},
		{"dates-fail", "fails over orders with dates", refusing("serverInternal", 500, asks("notBefore"), mockca.NewOrder), map[string]string{
			"rfc8555/7.4/bad-dates": "RFC8555-7.4-02",
			"rfc8555/7.4/dates":     "RFC8555-7.4-02",
		}},
		{"dates-unchecked", "takes any dates", off(mockca.CheckOrderDates), map[string]string{
			"rfc8555/7.4/bad-dates": "RFC8555-7.4-02",
		}},
		{"dates-dropped", "does not show the dates that were asked for", ordered(func(m map[string]any) { delete(m, "notBefore"); delete(m, "notAfter") }), map[string]string{
			"rfc8555/7.4/dates": "RFC8555-7.4-08",
		}},
		{"dates-form", "writes dates in words", ordered(func(m map[string]any) {
			if m["notBefore"] != nil {
				m["notBefore"] = "soon"
			}
		}), map[string]string{
			"rfc8555/7.4/dates": "RFC8555-7.1.3-05 RFC8555-7.4-08",
		}},
		{"dates-ignored", "issues from now, whatever was asked for", shows(mockca.CertShort(0)), map[string]string{
			"rfc8555/7.4/dates": "RFC8555-7.4-03",
		}},
		{"order-detail", "does not say what is wrong with an order", undetailed("malformed", mockca.NewOrder), map[string]string{
			"rfc8555/7.4/bad-dates": "RFC8555-7.4-04",
		}},
		{"server-fields-refused", "refuses members of orders that it sets itself", refusing("malformed", 400, asks("finalize"), mockca.NewOrder), map[string]string{
			"rfc8555/9.7.2/server-fields": "RFC8555-9.7.2-01",
		}},
		{"authorizations-twice", "lists valid authorizations twice", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			urls, _ := r.JSON()["authorizations"].([]any)
			if r.JSON()["status"] == "ready" {
				r.Edit(set("authorizations", append(urls, urls...)))
			}
		}, mockca.NewOrder), map[string]string{
			"rfc8555/7.1.3/reuse": "RFC8555-7.1.3-16 RFC8555-7.1.3-17",
		}},
		{"counted-urls", "numbers orders and authorizations", with(func(p *mockca.Policy) { p.UnguessableURLs = false }), map[string]string{
			"rfc8555/10.5/urls": "RFC8555-10.5-01",
		}},
		wide(mutant{"one-token", "has one token for all challenges", off(mockca.HabitSingleUseToken), map[string]string{
			"rfc8555/11.3/tokens": "RFC8555-11.3-01",
		}}),
		{"short-tokens", "makes short tokens", knobs(func(x *mockca.Exchange, k *mockca.Knobs) { k.Token = func() string { return x.Nonce()[:12] } }, mockca.NewOrder), map[string]string{
			"rfc8555/11.3/tokens":  "DNSACCOUNT-3.1-02 RFC8555-8.3-01 RFC8555-8.4-01 RFC8737-3-02",
			"rfc8555/7.4.1/counts": "RFC8555-7.4.1-09",
		}},
		{"token-alphabet", "makes tokens of other characters", knobs(func(x *mockca.Exchange, k *mockca.Knobs) { k.Token = func() string { return x.Nonce() + "$" } }, mockca.NewOrder), map[string]string{
			"rfc8555/11.3/tokens": "DNSACCOUNT-3.1-03 RFC8555-8.3-02 RFC8555-8.4-02 RFC8737-3-03",
		}},
		{"tokenless", "has no tokens in tls-alpn-01 and dns-account-01", objects(func(m map[string]any) {
			ofChallenges(tlsalpn01, without("token"))(m)
			ofChallenges(dnsAccount01, without("token"))(m)
		}, mockca.Authz), map[string]string{
			"rfc8555/11.3/tokens": "DNSACCOUNT-3.1-01 DNSACCOUNT-3.1-02 DNSACCOUNT-3.1-03 RFC8555-11.3-01 RFC8737-3-01 RFC8737-3-02 RFC8737-3-03",
		}},
	}
}

// requested is the CSR of a finalize request; nil when there is none.
func requested(x *mockca.Exchange) *x509.CertificateRequest {
	der, err := decodeLeniently(payload(x).text("csr"))
	if err != nil {
		return nil
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil
	}
	return csr
}

func finalizeMutants() []mutant {
	finalize := []mockca.Endpoint{mockca.Finalize}
	return []mutant{
		{"finalize-unready", "finalizes orders that are not ready", off(mockca.CheckOrderReady), map[string]string{
			"rfc8555/7.4/finalize-not-ready": "RFC8555-7.4-27 RFC8555-7.4-28",
		}},
		{"not-ready-status", "refuses to finalize with 400", restated("orderNotReady", 400), map[string]string{
			"rfc8555/7.4/finalize-not-ready": "RFC8555-7.4-27",
		}},
		{"not-ready-type", "calls orders malformed that are not ready", renamed("orderNotReady", "malformed"), map[string]string{
			"rfc8555/7.4/finalize-not-ready": "RFC8555-7.4-28",
		}},
		{"csr-sequence", "wants the CSR's names in the order's sequence", refusing("badCSR", 400, func(x *mockca.Exchange) bool {
			csr := requested(x)
			return csr != nil && len(csr.DNSNames) > 2 && csr.DNSNames[0] > csr.DNSNames[1]
		}, finalize...), map[string]string{
			"rfc8555/7.4/csr-order": "RFC8555-7.4-20",
		}},
		{"csr-common-name", "wants a subjectAltName in CSRs", refusing("badCSR", 400, func(x *mockca.Exchange) bool {
			csr := requested(x)
			return csr != nil && len(csr.DNSNames)+len(csr.IPAddresses) == 0
		}, finalize...), map[string]string{
			"rfc8555/7.4/csr-common-name": "RFC8555-7.4-19",
		}},
		{"csr-ca", "issues CA certificates", both(off(mockca.CheckCSRNames), answers(func(_ *mockca.Exchange, r *mockca.Response) {
			_, r.Body = pem.Decode(r.Body) // leaves what is a CA's
		}, mockca.Certificate)), map[string]string{
			"rfc8555/7.4/contents":         "RFC8555-7.4-03",
			"rfc8555/7.4/csr-ca":           "RFC8555-7.4-23",
			"rfc8555/7.4/csr-extra-name":   "RFC8555-7.4-21",
			"rfc8555/7.4/csr-missing-name": "RFC8555-7.4-21",
			"rfc8555/7.4/csr-order":        "RFC8555-7.4-03",
			"rfc8555/7.4/csr-other-name":   "RFC8555-7.4-21",
			"rfc8555/7.4/dates":            "RFC8555-7.4-03",
			"rfc8738/4/certificate":        "RFC8738-4-06",
		}},
		{"csr-names", "takes CSRs for other names", off(mockca.CheckCSRNames), map[string]string{
			"rfc8555/7.4/csr-extra-name":   "RFC8555-7.4-21",
			"rfc8555/7.4/csr-missing-name": "RFC8555-7.4-21",
			"rfc8555/7.4/csr-other-name":   "RFC8555-7.4-21",
		}},
		{"csr-signature", "does not verify CSRs", off(mockca.CheckCSRSignature), map[string]string{
			"rfc8555/7.4/csr-signature": "RFC8555-7.4-16",
		}},
		{"csr-key", "takes CSRs with weak keys", off(mockca.CheckCSRKey), map[string]string{
			"rfc8555/7.4/csr-weak-key": "RFC8555-10.5-02",
		}},
		{"csr-account-key", "takes CSRs with the account's key", off(mockca.CheckCSRAccountKey), map[string]string{
			"rfc8555/7.4/csr-account-key": "RFC8555-11.1-07",
		}},
		{"csr-known-key", "takes CSRs with keys of other accounts", off(mockca.CheckCSRKnownKey), map[string]string{
			"rfc8555/7.4/csr-other-account-key": "RFC8555-11.1-06",
		}},
		{"csr-padded", "takes CSRs with padding", accepting(200, "{}", func(x *mockca.Exchange) bool {
			return strings.Contains(payload(x).text("csr"), "=") && !strings.Contains(payload(x).text("csr"), "-----")
		}, finalize...), map[string]string{
			"rfc8555/7.4/csr-encoding": "RFC8555-6.1-13",
		}},
		{"csr-anything", "takes anything for a CSR", accepting(200, "{}", func(x *mockca.Exchange) bool {
			return x.Check == mockca.CheckCSRForm && !strings.HasSuffix(payload(x).text("csr"), "=")
		}, finalize...), map[string]string{
			"rfc8555/7.4/csr-encoding": "RFC8555-7.4-15",
		}},
		{"bad-csr-type", "calls bad CSRs malformed", renamed("badCSR", "malformed"), map[string]string{
			"rfc8555/7.4/csr-account-key":       "RFC8555-7.4-24",
			"rfc8555/7.4/csr-extra-name":        "RFC8555-7.4-24",
			"rfc8555/7.4/csr-missing-name":      "RFC8555-7.4-24",
			"rfc8555/7.4/csr-other-account-key": "RFC8555-7.4-24",
			"rfc8555/7.4/csr-other-name":        "RFC8555-7.4-24",
			"rfc8555/7.4/csr-signature":         "RFC8555-7.4-24",
			"rfc8555/7.4/csr-weak-key":          "RFC8555-7.4-24",
		}},
		{"bad-csr-detail", "does not say what is wrong with a CSR", undetailed("badCSR"), map[string]string{
			"rfc8555/7.4/bad-csr-again": "RFC8555-7.4-25",
		}},
		{"bad-csr-final", "gives orders up for a bad CSR", problems("badCSR", func(x *mockca.Exchange, _ *mockca.Response) {
			_ = x.CA().SetOrderStatus(strings.Replace(x.URL, "/finalize/", "/order/", 1), "invalid", nil)
		}, finalize...), map[string]string{
			"rfc8555/7.4/bad-csr-again": "RFC8555-7.4-26",
			"rfc8555/7.4/csr-encoding":  "RFC8555-6.1-13 RFC8555-7.4-15",
		}},
		{"certificate-lacks", "leaves a name out of certificates", shows(mockca.CertMissingName()), map[string]string{
			"rfc8555/7.4/contents":  "RFC8555-7.4-03",
			"rfc8555/7.4/csr-order": "RFC8555-7.4-03",
			"rfc8738/4/certificate": "RFC8738-4-06",
		}},
	}
}

func newAuthzMutants() []mutant {
	return []mutant{
		{"new-authz-200", "answers newAuthz with 200", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			if r.Status == 201 {
				r.Status = 200
			}
		}, mockca.NewAuthz), map[string]string{
			"rfc8555/7.4.1/new": "RFC8555-7.4.1-06",
		}},
		{"new-authz-begins", "begins authorizations made in advance as processing", objects(set("status", "processing"), mockca.NewAuthz), map[string]string{
			"rfc8555/7.4.1/new": "RFC8555-7.4.1-05",
		}},
		{"new-authz-flag", "makes wildcards of authorizations made in advance", objects(set("wildcard", true), mockca.NewAuthz), map[string]string{
			"rfc8555/7.4.1/new": "RFC8555-7.4.1-08",
		}},
		{"new-authz-wildcard", "makes authorizations for wildcards in advance", off(mockca.CheckNewAuthzAllowed), map[string]string{
			"rfc8555/7.4.1/wildcard": "RFC8555-7.4.1-07",
		}},
		{"new-authz-anything", "makes authorizations for anything in advance", accepting(201, "{}", func(x *mockca.Exchange) bool { return x.Check == mockca.CheckIdentifierType }, mockca.NewAuthz), map[string]string{
			"rfc8555/7.4.1/unwilling": "RFC8555-7.4.1-02 RFC8555-7.4.1-03 RFC8555-7.4.1-04",
		}},
		{"new-authz-status", "refuses authorizations in advance with 400", by(mockca.CheckIdentifierType, func(r *mockca.Response) { stated(r, 400) }, mockca.NewAuthz), map[string]string{
			"rfc8555/7.4.1/unwilling": "RFC8555-7.4.1-03",
		}},
		{"new-authz-detail", "does not say why it refuses authorizations in advance", undetailed("unsupportedIdentifier", mockca.NewAuthz), map[string]string{
			"rfc8555/7.4.1/unwilling": "RFC8555-7.4.1-04",
		}},
		{"new-authz-unused", "forgets authorizations made in advance", knobs(func(_ *mockca.Exchange, k *mockca.Knobs) {
			k.Challenges = func(types []string) []string { return types }
		}, mockca.NewOrder), map[string]string{
			"rfc8555/7.4.1/counts": "RFC8555-7.4.1-09",
		}},
	}
}

func certificateMutants() []mutant {
	downloads := func(change func(x *mockca.Exchange, r *mockca.Response)) func(*stage) {
		return answers(func(x *mockca.Exchange, r *mockca.Response) {
			if r.Status == 200 {
				change(x, r)
			}
		}, mockca.Certificate)
	}
	inDER := func(change func(*mockca.Response)) func(*stage) {
		return downloads(func(x *mockca.Exchange, r *mockca.Response) {
			if x.RequestHeader.Get("Accept") != "application/pkix-cert" {
				return
			}
			block, _ := pem.Decode(r.Body)
			r.Body = block.Bytes
			r.Header.Set("Content-Type", "application/pkix-cert")
			r.Header.Add("Link", "<"+x.CA().URL(mockca.Issuer)+`>;rel="up"`)
			change(r)
		})
	}
	body := func(change func([]byte) []byte) func(*stage) {
		return downloads(func(_ *mockca.Exchange, r *mockca.Response) { r.Body = change(r.Body) })
	}
	return []mutant{
		{"pem-type", "gives certificates as text", with(func(p *mockca.Policy) { p.PEMChainType = "text/plain" }), map[string]string{
			"rfc8555/7.4.2/media-type": "RFC8555-7.4.2-02",
		}},
		{"alternates-broken", "has alternates that are none", downloads(func(x *mockca.Exchange, r *mockca.Response) {
			if strings.HasSuffix(x.URL, "/1") {
				r.Body = bytes.Replace(r.Body, []byte("-----END CERTIFICATE-----"), nil, 1)
			}
		}), map[string]string{
			"rfc8555/7.4.2/alternates": "RFC8555-7.4.2-04",
		}},
		{"certificate-changes", "shows another certificate later", func(s *stage) {
			var shown memory
			downloads(func(x *mockca.Exchange, r *mockca.Response) {
				if shown.get(x.URL) != nil {
					_, rest := pem.Decode(r.Body)
					r.Body = rest
				}
				shown.put(x.URL, true)
			})(s)
		}, map[string]string{
			"rfc8555/7.4.2/constant": "RFC8555-7.4.2-07",
		}},
		{"formats-fail", "fails over another format of certificates", refusing("serverInternal", 500, func(x *mockca.Exchange) bool {
			return x.RequestHeader.Get("Accept") == "application/pkix-cert"
		}, mockca.Certificate), map[string]string{
			"rfc8555/7.4.2/formats": "RFC8555-7.4.2-10",
		}},
		{"der-other", "gives something else as DER", inDER(func(r *mockca.Response) { r.Body = r.Body[:len(r.Body)-1] }), map[string]string{
			"rfc8555/7.4.2/formats": "RFC8555-7.4.2-10",
		}},
		{"der-up", "does not link from DER to the issuer", inDER(func(r *mockca.Response) { r.Header.Del("Link") }), map[string]string{
			"rfc8555/7.4.2/formats": "RFC8555-7.4.2-11",
		}},
		{"pem-lines", "writes PEM in lines of 32 characters", body(func(text []byte) []byte {
			var out [][]byte
			for line := range bytes.SplitSeq(text, []byte("\n")) {
				if len(line) == 64 {
					out = append(out, line[:32])
					line = line[32:]
				}
				out = append(out, line)
			}
			return bytes.Join(out, []byte("\n"))
		}), map[string]string{
			"rfc8555/9.1/strict-pem": "RFC8555-9.1-01",
		}},
		{"pem-comments", "writes comments between certificates", body(func(text []byte) []byte {
			return bytes.ReplaceAll(text, []byte("-----BEGIN"), []byte("subject: CN=nobody\n-----BEGIN"))
		}), map[string]string{
			"rfc8555/9.1/strict-pem": "RFC8555-9.1-02",
		}},
		{"chain-reversed", "puts the issuer first", body(func(text []byte) []byte {
			block, rest := pem.Decode(text)
			return append(rest, pem.EncodeToMemory(block)...)
		}), map[string]string{
			"rfc8555/7.4.2/alternates": "RFC8555-7.4.2-04",
			"rfc8555/7.4/contents":     "RFC8555-7.4-03",
			"rfc8555/9.1/chain":        "RFC8555-9.1-03 RFC8555-9.1-04",
		}},
		{"chain-unrelated", "puts certificates into chains that certify nothing", body(func(text []byte) []byte {
			block, rest := pem.Decode(text)
			return slices.Concat(pem.EncodeToMemory(block), pem.EncodeToMemory(block), rest)
		}), map[string]string{
			"rfc8555/9.1/chain": "RFC8555-9.1-04",
		}},
	}
}

func authorizationMutants() []mutant {
	return []mutant{
		{"response-members", "refuses unknown members of a response", refusing("malformed", 400, asks("xUnknown"), mockca.ChallengeURL), map[string]string{
			"rfc8555/7.5.1/response": "RFC8555-7.5.1-04",
		}},
		{"response-empty", "answers a response with nothing", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if len(x.Payload()) > 0 && r.Status == 200 {
				r.Body = []byte("{}")
			}
		}, mockca.ChallengeURL), map[string]string{
			"rfc8555/7.5.1/empty-response": "RFC8555-7.5.1-05",
			"rfc8555/7.5.1/response":       "RFC8555-7.5.1-05",
		}},
		{"response-anything", "takes anything for a response", off(mockca.CheckPayload), map[string]string{
			"rfc8555/7.5.1/bad-response": "RFC8555-7.5.1-06",
		}},
		{"deactivation-silent", "answers the deactivation of an authorization with 204", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if asks("status")(x) && r.Status == 200 {
				r.Status, r.Body = 204, nil
			}
		}, mockca.Authz), map[string]string{
			"rfc8555/7.5.2/deactivation": "RFC8555-7.5.2-03",
		}},
		{"deactivation-ignored", "counts authorizations that were deactivated", func(s *stage) {
			var deactivated memory
			s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "deactivates for show", Duty: "none", Endpoints: []mockca.Endpoint{mockca.Authz},
				Request: func(x *mockca.Exchange) *mockca.Response {
					if !asks("status")(x) {
						return nil
					}
					deactivated.put(x.URL, true)
					return mockca.JSONResponse(200, map[string]any{"status": "deactivated"})
				},
				Response: func(x *mockca.Exchange, r *mockca.Response) {
					if deactivated.get(x.URL) != nil {
						r.Edit(set("status", "deactivated"))
					}
				}})
		}, map[string]string{
			"rfc8555/7.5.2/deactivation": "RFC8555-7.5.2-04",
			"rfc8555/7.5.2/foreign":      "RFC8555-7.5.2-02",
		}},
		{"indiscreet", "repeats in errors what targets said", off(mockca.HabitDiscretion), map[string]string{
			"rfc8555/10.4/no-leak": "RFC8555-10.4-02",
		}},
	}
}

func revocationMutants() []mutant {
	revoke := []mockca.Endpoint{mockca.RevokeCert}
	owner := func(x *mockca.Exchange) string {
		der, _ := decodeLeniently(payload(x).text("certificate"))
		for _, c := range x.CA().Certificates() {
			if bytes.Equal(c.DER, der) {
				return c.Account
			}
		}
		return ""
	}
	return []mutant{
		{"revocation-refused", "lets no account revoke its own certificates", refusing("unauthorized", 403, func(x *mockca.Exchange) bool {
			return x.Account != "" && owner(x) == x.Account
		}, revoke...), map[string]string{
			"rfc8555/7.6/account":     "RFC8555-7.6-09 RFC8555-7.6-13 RFC8555-7.6-14",
			"rfc8555/7.6/bad-reason":  "RFC8555-7.6-05",
			"rfc8555/7.6/good-reason": "RFC8555-7.6-04",
			"rfc8555/7.6/strangers":   "RFC8555-7.6-08",
		}},
		{"revocation-status", "answers revocation with 204", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			if r.Status == 200 {
				r.Status = 204
			}
		}, revoke...), map[string]string{
			"rfc8555/7.6/account":            "RFC8555-7.6-13",
			"rfc8555/7.6/authorized-account": "RFC8555-7.6-10",
			"rfc8555/7.6/certificate-key":    "RFC8555-7.6-12",
			"rfc8555/7.6/good-reason":        "RFC8555-7.6-04",
			"rfc8555/7.6/strangers":          "RFC8555-7.6-08",
		}},
		{"revocation-again", "revokes certificates twice", off(mockca.CheckAlreadyRevoked), map[string]string{
			"rfc8555/7.6/account": "RFC8555-7.6-14",
		}},
		{"revocation-by-key", "does not let the certificate's key revoke", refusing("unauthorized", 403, func(x *mockca.Exchange) bool { return x.Protected()["jwk"] != nil }, revoke...), map[string]string{
			"rfc8555/7.6/certificate-key": "RFC8555-7.6-12",
		}},
		{"revocation-by-all", "lets everybody revoke", off(mockca.CheckRevokeAuthorization), map[string]string{
			"rfc8555/7.6/half-authorized-account": "RFC8555-7.6-11",
			"rfc8555/7.6/strangers":               "RFC8555-7.6-08",
		}},
		{"revocation-by-authorized", "does not let authorized accounts revoke", refusing("unauthorized", 403, func(x *mockca.Exchange) bool {
			return x.Account != "" && owner(x) != "" && owner(x) != x.Account
		}, revoke...), map[string]string{
			"rfc8555/7.6/authorized-account": "RFC8555-7.6-10",
		}},
		{"reason-unchecked", "takes any reason", off(mockca.CheckRevokeReason), map[string]string{
			"rfc8555/7.6/bad-reason": "RFC8555-7.6-05",
		}},
		{"reason-detail", "does not say which reasons it takes", undetailed("badRevocationReason"), map[string]string{
			"rfc8555/7.6/bad-reason": "RFC8555-7.6-06",
		}},
		{"reason-fails", "fails over reasons", refusing("serverInternal", 500, func(x *mockca.Exchange) bool { return payload(x)["reason"] == 4.0 }, revoke...), map[string]string{
			"rfc8555/7.6/good-reason": "RFC8555-7.6-04",
		}},
		{"revocation-of-anything", "revokes what it did not issue", accepting(200, "", func(x *mockca.Exchange) bool { return owner(x) == "" }, revoke...), map[string]string{
			"rfc8555/7.6/unknown": "RFC8555-7.6-15",
		}},
	}
}
