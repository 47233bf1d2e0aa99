package servercases

import (
	"slices"
	"strings"
	"sync"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that violate RFC 8555, Sections 7.1 and 8: directory and objects.

func set(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

func without(name string) func(map[string]any) { return func(m map[string]any) { delete(m, name) } }

// when edits objects in one status.
func when(status string, change func(map[string]any)) func(map[string]any) {
	return func(m map[string]any) {
		if m["status"] == status {
			change(m)
		}
	}
}

func inMeta(change func(map[string]any)) func(map[string]any) {
	return func(m map[string]any) {
		if meta := object(m).member("meta"); meta != nil {
			change(meta)
		}
	}
}

// ofChallenges edits the challenges of a type, all when it is empty, in
// authorizations.
func ofChallenges(kind string, change func(map[string]any)) func(map[string]any) {
	return func(m map[string]any) {
		all, _ := object(m).objects("challenges")
		for _, c := range all {
			if kind == "" || c.text("type") == kind {
				change(c)
			}
		}
	}
}

func directoryMutants() []mutant {
	directory := func(change func(map[string]any)) func(*stage) { return objects(change, mockca.Directory) }
	return []mutant{
		wide(mutant{"directory-status", "answers the directory with 203", answers(func(_ *mockca.Exchange, r *mockca.Response) { r.Status = 203 }, mockca.Directory), map[string]string{
			"rfc7638/3/extra-members":                 "RFC7638-3-01",
			"rfc8555/6.1/cors":                        "RFC8555-6.1-09",
			"rfc8555/6.1/https":                       "RFC8555-6.1-01",
			"rfc8555/6.1/padded-payload":              "RFC8555-6.1-13",
			"rfc8555/6.1/padded-protected":            "RFC8555-6.1-13",
			"rfc8555/6.1/padded-signature":            "RFC8555-6.1-13",
			"rfc8555/6.3/directory":                   "RFC8555-6.3-09",
			"rfc8555/6.3/post-as-get-changes-nothing": "RFC8555-6.3-07",
			"rfc8555/6.5.1/unique":                    "RFC8555-6.5.1-01",
			"rfc8555/6.5/missing":                     "RFC8555-6.5-09",
			"rfc8555/6.5/never-issued":                "RFC8555-6.5-04",
			"rfc8555/6.5/replayed":                    "RFC8555-6.5-05",
			"rfc8555/6.5/scope":                       "RFC8555-6.5-16",
			"rfc8555/6.5/spent-by-error":              "RFC8555-6.5-06",
			"rfc8555/7.1.1/directory":                 "RFC8555-7.1-01 RFC8555-7.1.1-01",
			"rfc8555/7.1.1/meta":                      "RFC8555-7.1.1-05",
			"rfc8555/7.1.1/resources-work":            "RFC8555-7.1.1-03",
			"rfc8555/7.1.2.1/invalid-not-listed":      "RFC8555-7.1.2.1-03",
			"rfc8555/7.1.2.1/orders":                  "RFC8555-7.1.2.1-01",
			"rfc8555/7.1.3/reuse":                     "RFC8555-7.1.3-16",
			"rfc8555/7.1.4/ascii-a-label":             "RFC8555-7.1.4-11",
			"rfc8555/7.1.4/bad-a-label":               "RFC8555-7.1.4-11",
			"rfc8555/7.1.4/u-label":                   "RFC8555-7.1.4-10",
			"rfc8555/7.1.4/wildcard":                  "RFC8555-7.1.3-12",
			"rfc8555/7.1.4/wildcard-alone":            "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-and-base":         "RFC8555-7.1.4-13",
			"rfc8555/7.1.4/wildcard-inside":           "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-part":             "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-twice":            "RFC8555-7.1.3-11",
			"rfc8555/7.1.6/beginning":                 "RFC8555-7.1.6-01",
			"rfc8555/7.1.6/deactivated-authorization": "RFC8555-7.1.6-15",
			"rfc8555/7.1.6/failure":                   "RFC8555-7.1.6-05",
			"rfc8555/7.1.6/final":                     "RFC8555-7.1.6-18",
			"rfc8555/7.1.6/processing":                "RFC8555-7.1.6-02",
			"rfc8555/7.1.6/success":                   "RFC8555-7.1.6-04",
			"rfc8555/7.3.1/found":                     "RFC8555-7.3.1-01",
			"rfc8555/7.3.1/unknown-key":               "RFC8555-7.3-01",
			"rfc8555/7.3.2/ignored-orders":            "RFC8555-7.3.2-01",
			"rfc8555/7.3.2/ignored-status":            "RFC8555-7.3.2-03",
			"rfc8555/7.3.2/ignored-terms":             "RFC8555-7.3.2-02",
			"rfc8555/7.3.2/ignored-unknown":           "RFC8555-7.3.2-04",
			"rfc8555/7.3.2/update":                    "RFC8555-7.3.2-05",
			"rfc8555/7.3.3/new-terms":                 "RFC8555-7.3.3-01",
			"rfc8555/7.3.4/echoed":                    "RFC8555-7.3.4-18",
			"rfc8555/7.3.4/no-jws":                    "RFC8555-7.3.4-13",
			"rfc8555/7.3.4/no-signature":              "RFC8555-7.3.4-13",
			"rfc8555/7.3.4/nonce":                     "RFC8555-7.3.4-14",
			"rfc8555/7.3.4/not-echoed":                "RFC8555-7.3.4-12",
			"rfc8555/7.3.4/other-key":                 "RFC8555-7.3.4-17",
			"rfc8555/7.3.4/other-secret":              "RFC8555-7.3.4-16",
			"rfc8555/7.3.4/other-url":                 "RFC8555-7.3.4-14",
			"rfc8555/7.3.4/required":                  "RFC8555-7.3.4-01",
			"rfc8555/7.3.4/signature-alg":             "RFC8555-7.3.4-14",
			"rfc8555/7.3.4/unknown-kid":               "RFC8555-7.3.4-15",
			"rfc8555/7.3.5/conflict":                  "RFC8555-7.3.5-16",
			"rfc8555/7.3.5/deactivated":               "RFC8555-7.3.5-08",
			"rfc8555/7.3.5/inner-nonce":               "RFC8555-7.3.5-17",
			"rfc8555/7.3.5/inner-signature":           "RFC8555-7.3.5-11",
			"rfc8555/7.3.5/inner-url":                 "RFC8555-7.3.5-13",
			"rfc8555/7.3.5/no-jwk":                    "RFC8555-7.3.5-10",
			"rfc8555/7.3.5/no-jws":                    "RFC8555-7.3.5-09",
			"rfc8555/7.3.5/no-old-key":                "RFC8555-7.3.5-12",
			"rfc8555/7.3.5/other-account":             "RFC8555-7.3.5-14",
			"rfc8555/7.3.5/other-old-key":             "RFC8555-7.3.5-15",
			"rfc8555/7.3.5/pending-order":             "RFC8555-7.3.5-24",
			"rfc8555/7.3.5/success":                   "RFC8555-7.3.5-18",
			"rfc8555/7.3.6/certificates":              "RFC8555-7.3.6-07",
			"rfc8555/7.3.6/final":                     "RFC8555-7.3.6-08",
			"rfc8555/7.3.6/foreign":                   "RFC8555-7.3.6-03",
			"rfc8555/7.3.6/refused":                   "RFC8555-7.3.6-01",
			"rfc8555/7.3.6/success":                   "RFC8555-7.3.6-04",
			"rfc8555/7.3/contact-empty":               "RFC8555-7.3-13",
			"rfc8555/7.3/contact-hfields":             "RFC8555-7.3-10",
			"rfc8555/7.3/contact-invalid":             "RFC8555-7.3-06",
			"rfc8555/7.3/contact-mailto":              "RFC8555-7.3-07",
			"rfc8555/7.3/contact-scheme":              "RFC8555-7.3-11",
			"rfc8555/7.3/contact-two":                 "RFC8555-7.3-10",
			"rfc8555/7.3/create":                      "RFC8555-7.3-18",
			"rfc8555/7.3/ignored-members":             "RFC8555-7.3-02",
			"rfc8555/7.3/terms-required":              "RFC8555-7.3-14",
			"rfc8555/8.3/request":                     "RFC8555-8.3-07",
		}}),
		{"directory-type", "gives the directory as text", headers("Content-Type", func(string) string { return "text/plain" }, mockca.Directory), map[string]string{
			"rfc8555/7.1.1/directory": "RFC8555-7.1.1-01",
		}},
		{"directory-lacks", "has no keyChange in the directory", directory(without("keyChange")), map[string]string{
			"rfc8555/7.1.1/directory": "RFC8555-7.1.1-02",
		}},
		{"directory-itself", "lists the directory's URL as another resource", answers(func(x *mockca.Exchange, r *mockca.Response) {
			r.Edit(set("x-again", x.URL))
		}, mockca.Directory), map[string]string{
			"rfc8555/7.1.1/directory": "RFC8555-7.1.1-16 RFC8555-9.7.5-01",
		}},
		wide(mutant{"meta-form", "has a meta that is no object", directory(set("meta", "none")), map[string]string{
			"rfc8555/6.1/https":          "RFC8555-6.1-01",
			"rfc8555/7.1.1/meta":         "RFC8555-7.1.1-06",
			"rfc8555/7.3.4/required":     "RFC8555-7.3.4-10",
			"rfc8555/7.3/terms-required": "RFC8555-7.3-14",
		}}),
		{"terms-form", "has terms that are no URL", directory(inMeta(set("termsOfService", "on request"))), map[string]string{
			"rfc8555/7.1.1/meta": "RFC8555-7.1.1-09",
		}},
		{"website-form", "has a website that is no URL", directory(inMeta(set("website", "on request"))), map[string]string{
			"rfc8555/7.1.1/meta": "RFC8555-7.1.1-10",
		}},
		{"caa-identities-form", "has caaIdentities that are no host names", directory(inMeta(func(m map[string]any) {
			m["caaIdentities"] = []any{"mockca.test", "not a name!"}
		})), map[string]string{
			"rfc8555/7.1.1/meta": "RFC8555-7.1.1-11",
		}},
		{"binding-flag-form", "has an externalAccountRequired that is no boolean", directory(inMeta(set("externalAccountRequired", "yes"))), map[string]string{
			"rfc8555/7.1.1/meta":     "RFC8555-7.1.1-13",
			"rfc8555/7.3.4/required": "RFC8555-7.3.4-10",
		}},
		{"subdomain-flag-form", "has a subdomainAuthAllowed that is no boolean", directory(inMeta(set("subdomainAuthAllowed", "no"))), map[string]string{
			"rfc8555/7.1.1/meta": "RFC9444-4.4-01",
		}},
		{"meta-unregistered", "has a member of meta that is not registered", directory(inMeta(set("x-unregistered", 1))), map[string]string{
			"rfc8555/7.1.1/meta": "RFC8555-9.7.6-01",
		}},
		{"key-change-missing", "lists a keyChange that is not there", refusing("malformed", 404, func(x *mockca.Exchange) bool { return string(x.Payload()) == "{}" }, mockca.KeyChange), map[string]string{
			"rfc8555/7.1.1/resources-work": "RFC8555-7.1.1-03",
		}},
		{"new-authz-missing", "lists a newAuthz that is not there", refusing("malformed", 404, always, mockca.NewAuthz), map[string]string{
			"rfc8555/7.1.1/resources-work": "RFC8555-7.1.1-04",
		}},
		{"no-index", "does not link to the directory", off(mockca.HabitIndexLink), map[string]string{
			"rfc8555/7.1/index": "RFC8555-7.1-03",
		}},
		{"no-up", "does not link from challenges to authorizations", off(mockca.HabitUpLink), map[string]string{
			"rfc8555/7.1/up": "RFC8555-7.1-04",
		}},
	}
}

func objectMutants() []mutant {
	account := func(change func(map[string]any)) func(*stage) {
		return answers(func(x *mockca.Exchange, r *mockca.Response) {
			if r.Status == 200 && len(x.Payload()) == 0 {
				r.Edit(change)
			}
		}, mockca.AccountURL)
	}
	finalized := func(change func(map[string]any)) func(*stage) { return objects(change, mockca.Finalize) }
	valid := func(change func(map[string]any)) func(*stage) { return objects(when("valid", change), mockca.Authz) }
	return []mutant{
		{"account-status", "calls accounts active", account(set("status", "active")), map[string]string{
			"rfc8555/7.1.2/account": "RFC8555-7.1.2-01",
		}},
		{"account-contact", "shows contacts that are no URLs", account(set("contact", []any{"conformance"})), map[string]string{
			"rfc8555/7.1.2/account": "RFC8555-7.1.2-02",
			"rfc8555/7.3.1/found":   "RFC8555-7.3.1-05",
		}},
		{"account-terms", "shows a termsOfServiceAgreed that is no boolean", account(set("termsOfServiceAgreed", "yes")), map[string]string{
			"rfc8555/7.1.2/account": "RFC8555-7.1.2-03",
		}},
		{"account-orders", "has no list of orders in accounts", account(without("orders")), map[string]string{
			"rfc8555/7.1.2/account": "RFC8555-7.1.2-04",
		}},
		{"account-member", "shows members of accounts that are not registered", account(set("createdAt", "2020-01-01T00:00:00Z")), map[string]string{
			"rfc8555/7.1.2/account": "RFC8555-9.7.1-01",
		}},
		{"order-status", "calls orders finished", finalized(set("status", "finished")), map[string]string{
			"rfc8555/7.1.3/order":   "RFC8555-7.1.3-01",
			"rfc8555/7.1.6/success": "RFC8555-7.1.6-12 RFC8555-7.4-30",
		}},
		{"order-expires", "does not say when orders expire", objects(without("expires"), mockca.OrderURL), map[string]string{
			"rfc8555/7.1.3/order": "RFC8555-7.1.3-02",
		}},
		{"order-expires-form", "writes the expiry of orders in words", objects(set("expires", "tomorrow"), mockca.OrderURL), map[string]string{
			"rfc8555/7.1.3/order": "RFC8555-7.1.3-03",
		}},
		{"order-identifiers", "leaves out the types of an order's identifiers", finalized(func(m map[string]any) {
			ids, _ := object(m).objects("identifiers")
			for _, i := range ids {
				delete(i, "type")
			}
		}), map[string]string{
			"rfc8555/7.1.3/constant": "RFC8555-7.1.3-14",
			"rfc8555/7.1.3/order":    "RFC8555-7.1.3-04",
		}},
		{"order-authorizations", "lists no authorizations of finished orders", finalized(set("authorizations", "none")), map[string]string{
			"rfc8555/7.1.3/constant": "RFC8555-7.1.3-14",
			"rfc8555/7.1.3/order":    "RFC8555-7.1.3-07",
		}},
		{"order-finalize", "has no finalize in finished orders", finalized(without("finalize")), map[string]string{
			"rfc8555/7.1.3/order": "RFC8555-7.1.3-08",
		}},
		{"order-certificate", "has no certificate in orders that finalize made valid", finalized(without("certificate")), map[string]string{
			"rfc8555/7.1.3/order": "RFC8555-7.1.3-09",
		}},
		{"order-member", "shows members of orders that are not registered", finalized(set("createdAt", "2020-01-01T00:00:00Z")), map[string]string{
			"rfc8555/7.1.3/order": "RFC8555-9.7.2-02",
		}},
		{"order-changes", "forgets authorizations of finished orders", finalized(func(m map[string]any) {
			if urls, ok := m["authorizations"].([]any); ok {
				m["authorizations"] = urls[:1]
			}
		}), map[string]string{
			"rfc8555/7.1.3/constant": "RFC8555-7.1.3-14",
		}},
		{"authorization-type", "leaves out the type of a valid authorization's identifier", valid(func(m map[string]any) { delete(object(m).member("identifier"), "type") }), map[string]string{
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-01 RFC8555-9.7.7-01",
		}},
		{"authorization-status", "calls untouched authorizations new", objects(when("pending", func(m map[string]any) {
			challenges, _ := object(m).objects("challenges")
			if !slices.ContainsFunc(challenges, func(c object) bool { return c.status() != "pending" }) {
				m["status"] = "new"
			}
		}), mockca.Authz), map[string]string{
			"dns-persist-01/challenge":    "DNSPERSIST-4.2-02",
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-02",
			"rfc8555/7.1.6/beginning":     "RFC8555-7.1.6-06",
		}},
		{"authorization-expires", "does not say when valid authorizations expire", valid(without("expires")), map[string]string{
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-03 RFC8555-7.5.1-08",
		}},
		{"authorization-expires-form", "writes the expiry of authorizations in words", valid(set("expires", "tomorrow")), map[string]string{
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-04",
		}},
		{"authorization-challenges", "does not say which challenge made an authorization valid", valid(set("challenges", []any{})), map[string]string{
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-05",
			"rfc8555/7.1.6/processing":    "RFC8555-7.1.6-02",
			"rfc8555/7.1.6/success":       "RFC8555-7.1.6-04",
		}},
		{"authorization-wildcard", "has a wildcard that is no boolean", valid(set("wildcard", "no")), map[string]string{
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-07",
		}},
		{"authorization-dot", "shows names with a dot at the end", valid(func(m map[string]any) {
			i := object(m).member("identifier")
			i["value"] = i.text("value") + "."
		}), map[string]string{
			"rfc8555/7.1.3/reuse":         "RFC8555-7.1.3-17",
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-09",
		}},
		{"authorization-star", "shows names with a star", valid(func(m map[string]any) {
			i := object(m).member("identifier")
			i["value"] = "*." + i.text("value")
		}), map[string]string{
			"rfc8555/7.1.3/reuse":         "RFC8555-7.1.3-17",
			"rfc8555/7.1.4/authorization": "RFC8555-7.1.4-09 RFC8555-7.1.4-12",
		}},
		{"authorization-member", "shows members of authorizations that are not registered", valid(set("createdAt", "2020-01-01T00:00:00Z")), map[string]string{
			"rfc8555/7.1.4/authorization": "RFC8555-9.7.3-01",
		}},
		{"identifier-unregistered", "calls dns identifiers host", valid(func(m map[string]any) { object(m).member("identifier")["type"] = "host" }), map[string]string{
			"rfc8555/7.1.4/authorization": "RFC8555-9.7.7-01",
		}},
		{"challenge-form", "shows challenges without a status", objects(ofChallenges(dnsPersist01, without("status")), mockca.Authz), map[string]string{
			"dns-persist-01/challenge": "DNSPERSIST-3.1-01",
			"rfc8555/7.1.6/beginning":  "RFC8555-7.1.6-01",
			"rfc8555/8/challenge":      "RFC8555-8-01 RFC8555-8-02",
		}},
		{"challenge-status", "calls challenges waiting", objects(ofChallenges(dnsPersist01, set("status", "waiting")), mockca.Authz), map[string]string{
			"rfc8555/7.1.6/beginning": "RFC8555-7.1.6-01",
			"rfc8555/8/challenge":     "RFC8555-8-02",
		}},
		{"challenge-validated", "does not say when challenges were validated", objects(ofChallenges("", without("validated")), mockca.Authz), map[string]string{
			"rfc8555/8/challenge": "RFC8555-8-03",
		}},
		{"challenge-validated-form", "writes the time of validation in words", valid(ofChallenges("", set("validated", "just now"))), map[string]string{
			"rfc8555/8/challenge": "RFC8555-8-04",
		}},
		{"challenge-error", "shows errors of challenges that are valid", valid(ofChallenges("", set("error", map[string]any{"type": errorPrefix + "dns", "detail": "none"}))), map[string]string{
			"rfc8555/8/challenge": "RFC8555-8-05",
		}},
		{"challenge-unregistered", "offers a challenge that is not registered", objects(when("pending", func(m map[string]any) {
			challenges, _ := m["challenges"].([]any)
			m["challenges"] = append(challenges, map[string]any{"type": "smoke-01", "url": "https://mockca.test/smoke", "status": "pending", "token": "AAAAAAAAAAAAAAAAAAAAAA"})
		}), mockca.Authz), map[string]string{
			"rfc8555/8/challenge": "RFC8555-9.7.8-01",
		}},
		{"orders-list-form", "lists orders that are not there", objects(func(m map[string]any) {
			urls, _ := m["orders"].([]any)
			if len(urls) > 0 {
				m["orders"] = append(urls, urls[0].(string)+"0")
			}
		}, mockca.OrdersList), map[string]string{
			"rfc8555/7.1.2.1/orders": "RFC8555-7.1.2.1-01",
		}},
		{"orders-list-empty", "lists no orders", objects(set("orders", []any{}), mockca.OrdersList), map[string]string{
			"rfc8555/7.1.2.1/orders": "RFC8555-7.1.2.1-02",
		}},
		{"orders-list-endless", "has lists of orders without end", answers(func(x *mockca.Exchange, r *mockca.Response) {
			r.Header.Add("Link", "<"+x.URL+`>;rel="next"`)
		}, mockca.OrdersList), map[string]string{
			"rfc8555/7.1.2.1/invalid-not-listed": "RFC8555-7.1.2.1-04",
			"rfc8555/7.1.2.1/orders":             "RFC8555-7.1.2.1-04",
		}},
		{"invalid-listed", "lists invalid orders", off(mockca.HabitOpenOrders), map[string]string{
			"rfc8555/7.1.2.1/invalid-not-listed": "RFC8555-7.1.2.1-03",
		}},
	}
}

func stateMutants() []mutant {
	order := func(change func(map[string]any)) func(*stage) { return objects(change, mockca.OrderURL) }
	return []mutant{
		{"account-begins", "begins accounts as pending", objects(set("status", "pending"), mockca.NewAccount), map[string]string{
			"rfc8555/7.1.6/beginning": "RFC8555-7.1.6-17",
			"rfc8555/7.3.1/found":     "RFC8555-7.3.1-05",
		}},
		{"order-begins", "begins orders as ready", objects(when("pending", set("status", "ready")), mockca.NewOrder), map[string]string{
			"rfc8555/7.1.6/beginning":     "RFC8555-7.1.6-10",
			"rfc8555/7.5.2/deactivation":  "RFC8555-7.5.2-04",
			"rfc8555/7.5/own-account":     "RFC8555-7.5-02",
			"rfc8555/9.7.2/server-fields": "RFC8555-9.7.2-01",
		}},
		{"challenge-finished", "leaves challenges pending that were met", objects(when("valid", ofChallenges("", set("status", "pending"))), mockca.Authz), map[string]string{
			"rfc8555/7.1.6/processing": "RFC8555-7.1.6-02",
			"rfc8555/7.1.6/success":    "RFC8555-7.1.6-04",
		}},
		wide(mutant{"nobody-valid", "finds every answer to a challenge wrong", knobs(func(_ *mockca.Exchange, k *mockca.Knobs) {
			k.Verdict = func(mockca.ValidationRequest, *mockca.Problem) *mockca.Problem {
				return &mockca.Problem{Type: mockca.TypeIncorrectResponse, Detail: "wrong"}
			}
		}, mockca.ChallengeURL), map[string]string{
			"rfc8555/7.1.6/processing": "RFC8555-7.1.6-02",
			"rfc8555/7.1.6/success":    "RFC8555-7.1.4-15 RFC8555-7.1.6-07",
			"rfc8555/8.3/request":      "RFC7638-3-02 RFC7638-3-03 RFC7638-3-04 RFC8555-8.1-01",
		}}),
		{"ready-early", "makes orders ready before all authorizations are valid", order(when("pending", set("status", "ready"))), map[string]string{
			"rfc8555/7.1.6/success":       "RFC8555-7.1.6-11",
			"rfc8555/7.3.5/pending-order": "RFC8555-7.3.5-24",
		}},
		{"finalize-state", "says ready in the answer to finalize", objects(set("status", "ready"), mockca.Finalize), map[string]string{
			"rfc8555/7.1.6/success": "RFC8555-7.1.6-12 RFC8555-7.4-30",
		}},
		{"valid-without-certificate", "has no certificate in valid orders", order(without("certificate")), map[string]string{
			"rfc8555/7.1.6/success": "RFC8555-7.1.6-13",
		}},
		{"processing-hidden", "calls challenges pending that are processing", objects(func(m map[string]any) {
			when("processing", set("status", "pending"))(m)
			ofChallenges("", when("processing", set("status", "pending")))(m)
		}, mockca.Authz, mockca.ChallengeURL), map[string]string{
			"rfc8555/7.1.6/processing": "RFC8555-7.1.6-02",
		}},
		wide(mutant{"processing-unreadable", "does not show authorizations that it validates", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			challenges, _ := object(r.JSON()).objects("challenges")
			if slices.ContainsFunc(challenges, func(c object) bool { return c.status() == "processing" }) {
				r.Status = 503
			}
		}, mockca.Authz), map[string]string{
			"rfc8555/7.1.6/processing": "RFC8555-7.5.1-13",
		}}),
		{"failed-challenge-state", "leaves challenges processing that failed", objects(when("invalid", ofChallenges("", set("status", "processing"))), mockca.Authz), map[string]string{
			"rfc8555/7.1.6/failure": "RFC8555-7.1.6-05",
		}},
		wide(mutant{"failed-authorization-state", "calls authorizations expired that failed", objects(when("invalid", set("status", "expired")), mockca.Authz), map[string]string{
			"rfc8555/7.1.6/failure":   "RFC8555-7.1.6-08",
			"rfc8737/4/bad-signature": "RFC8737-4-07",
		}}),
		{"failed-order-state", "leaves orders processing that failed", order(when("invalid", set("status", "processing"))), map[string]string{
			"rfc8555/7.1.6/deactivated-authorization": "RFC8555-7.1.6-15",
			"rfc8555/7.1.6/failure":                   "RFC8555-7.1.6-14",
			"rfc8555/7.1.6/final":                     "RFC8555-7.1.6-18",
		}},
		{"failure-silent", "does not say why a challenge failed", objects(ofChallenges("", without("error")), mockca.Authz), map[string]string{
			"rfc8555/7.1.6/failure": "RFC8555-8-06",
		}},
		{"failure-form", "has errors of challenges without detail", objects(ofChallenges("", func(c map[string]any) {
			delete(object(c).member("error"), "detail")
		}), mockca.Authz), map[string]string{
			"rfc8555/7.1.6/failure": "RFC8555-8-07",
		}},
		{"failure-unlisted", "leaves out the challenge that failed", objects(when("invalid", set("challenges", []any{})), mockca.Authz), map[string]string{
			"rfc8555/7.1.6/failure": "RFC8555-7.1.4-05 RFC8555-7.5.1-11",
		}},
		{"order-error-form", "says what is wrong with an order in a string", order(when("invalid", set("error", "failed"))), map[string]string{
			"rfc8555/7.1.6/failure": "RFC8555-7.1.3-06",
		}},
		{"failed-again", "lets invalid authorizations become pending", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if x.Check == mockca.CheckChallengeState {
				_ = x.CA().SetAuthorizationStatus(authorizationOf(x), "pending", nil)
			}
		}, mockca.ChallengeURL), map[string]string{
			"rfc8555/7.1.6/final": "RFC8555-7.1.6-18",
		}},
		{"valid-again", "makes valid authorizations invalid that are answered again", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if len(x.Payload()) > 0 && r.Status == 200 && r.JSON()["status"] == "valid" {
				_ = x.CA().SetAuthorizationStatus(authorizationOf(x), "invalid", nil)
			}
		}, mockca.ChallengeURL), map[string]string{
			"rfc8555/7.1.6/final": "RFC8555-7.1.6-09",
		}},
		{"deactivation-survived", "leaves orders pending whose authorization was deactivated", order(when("invalid", func(m map[string]any) {
			if strings.Contains(object(m).member("error").text("detail"), "deactivated") {
				m["status"] = "pending"
			}
		})), map[string]string{
			"rfc8555/7.1.6/deactivated-authorization": "RFC8555-7.1.6-15",
		}},
	}
}

// authorizationOf is the URL of the authorization of the challenge addressed.
func authorizationOf(x *mockca.Exchange) string {
	at := strings.LastIndexByte(x.URL, '/')
	return strings.Replace(x.URL[:at], "/chall/", "/authz/", 1)
}

func identifierMutants() []mutant {
	return []mutant{
		{"wildcard-name", "shows wildcard names in authorizations", objects(func(m map[string]any) {
			if m["wildcard"] == true {
				i := object(m).member("identifier")
				i["value"] = "*." + i.text("value")
			}
		}, mockca.Authz), map[string]string{
			"rfc8555/7.1.4/wildcard": "RFC8555-7.1.3-12 RFC8555-7.1.4-12",
		}},
		{"wildcard-flag", "does not say that authorizations are for wildcards", off(mockca.HabitWildcardFlag), map[string]string{
			"rfc8555/7.1.4/wildcard":          "RFC8555-7.1.3-13 RFC8555-7.1.4-06",
			"rfc8555/7.1.4/wildcard-and-base": "RFC8555-7.1.4-13",
		}},
		{"any-name", "takes names of any form", off(mockca.CheckIdentifierSyntax), map[string]string{
			"rfc8555/6.7/malformed":         "RFC8555-6.7-15",
			"rfc8555/7.1.4/ascii-a-label":   "RFC8555-7.1.4-11",
			"rfc8555/7.1.4/bad-a-label":     "RFC8555-7.1.4-11",
			"rfc8555/7.1.4/u-label":         "RFC8555-7.1.4-10",
			"rfc8555/7.1.4/wildcard-alone":  "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-inside": "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-part":   "RFC8555-7.1.3-11",
			"rfc8555/7.1.4/wildcard-twice":  "RFC8555-7.1.3-11",
			"rfc8738/3/as-dns":              "RFC8738-3-06",
			"rfc8738/3/capitals":            "RFC8738-3-05",
			"rfc8738/3/long":                "RFC8738-3-05",
		}},
	}
}

// memory is what a mutant knows of objects, by URL.
type memory struct {
	mu sync.Mutex
	m  map[string]any
}

func (k *memory) put(url string, value any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.m == nil {
		k.m = map[string]any{}
	}
	k.m[url] = value
}

func (k *memory) get(url string) any {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.m[url]
}
