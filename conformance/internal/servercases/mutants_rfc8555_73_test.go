package servercases

import (
	"encoding/json"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that violate RFC 8555, Section 7.3: accounts.

// asks tells whether the payload has a member.
func asks(name string) func(*mockca.Exchange) bool {
	return func(x *mockca.Exchange) bool { return payload(x).has(name) }
}

func payload(x *mockca.Exchange) object {
	var o object
	_ = json.Unmarshal(x.Payload(), &o) // nil is what else it can be
	return o
}

// by changes the answers of refusals by a check.
func by(check mockca.Check, change func(*mockca.Response), at ...mockca.Endpoint) func(*stage) {
	return answers(func(x *mockca.Exchange, r *mockca.Response) {
		if x.Check == check {
			change(r)
		}
	}, at...)
}

func both(makers ...func(*stage)) func(*stage) {
	return func(s *stage) {
		for _, make := range makers {
			make(s)
		}
	}
}

func accountMutants() []mutant {
	created := func(change func(x *mockca.Exchange, r *mockca.Response)) func(*stage) {
		return answers(func(x *mockca.Exchange, r *mockca.Response) {
			if r.Status == 201 {
				change(x, r)
			}
		}, mockca.NewAccount)
	}
	found := func(change func(x *mockca.Exchange, r *mockca.Response)) func(*stage) {
		return answers(func(x *mockca.Exchange, r *mockca.Response) {
			if r.Status == 200 {
				change(x, r)
			}
		}, mockca.NewAccount)
	}
	echo := func(name string) func(*stage) {
		return created(func(x *mockca.Exchange, r *mockca.Response) {
			if value, ok := payload(x)[name]; ok {
				r.Edit(set(name, value))
			}
		})
	}
	// takes makes an account show what clients may not set.
	takes := func(name string) func(*stage) {
		var taken memory
		return answers(func(x *mockca.Exchange, r *mockca.Response) {
			if value, ok := payload(x)[name]; ok {
				taken.put(x.URL, value)
			}
			if value := taken.get(x.URL); value != nil && r.Status == 200 {
				r.Edit(set(name, value))
			}
		}, mockca.AccountURL)
	}
	return []mutant{
		{"account-created-200", "answers newAccount with 200", created(func(_ *mockca.Exchange, r *mockca.Response) { r.Status = 200 }), map[string]string{
			"rfc8555/7.3/contact-mailto":  "RFC8555-7.3-07",
			"rfc8555/7.3/create":          "RFC8555-7.3-18",
			"rfc8555/7.3/ignored-members": "RFC8555-7.3-03",
		}},
		{"account-location", "has relative Locations of accounts", headers("Location", pathOf, mockca.NewAccount), map[string]string{
			"rfc8555/7.3/create": "RFC8555-7.3-19",
		}},
		{"account-media-type", "gives accounts as text", headers("Content-Type", func(string) string { return "text/plain" }, mockca.NewAccount), map[string]string{
			"rfc8555/7.3/create": "RFC8555-7.3-20",
		}},
		{"account-orders-taken", "takes the client's list of orders", echo("orders"), map[string]string{
			"rfc8555/7.3/ignored-members": "RFC8555-7.3-02",
		}},
		{"account-unknown-refused", "refuses unknown members of accounts", refusing("malformed", 400, asks("xUnknown"), mockca.NewAccount), map[string]string{
			"rfc8555/7.3/ignored-members": "RFC8555-7.3-03",
		}},
		{"account-unknown-taken", "keeps unknown members of accounts", echo("xUnknown"), map[string]string{
			"rfc8555/7.3/ignored-members": "RFC8555-7.3-05",
		}},
		{"terms-hidden", "requires terms that it does not name", objects(inMeta(without("termsOfService")), mockca.Directory), map[string]string{
			"rfc8555/7.3/terms-required": "RFC8555-7.3-14",
		}},
		{"terms-unasked", "takes accounts that agree to nothing", off(mockca.CheckTerms), map[string]string{
			"rfc8555/7.3/terms-required": "RFC8555-7.3-15",
		}},
		{"found-created", "answers 201 for an account that was there", found(func(_ *mockca.Exchange, r *mockca.Response) { r.Status = 201 }), map[string]string{
			"rfc8555/7.3.1/found": "RFC8555-7.3.1-01 RFC8555-7.3.1-04",
		}},
		{"found-without-location", "does not say where the account is that it found", found(func(_ *mockca.Exchange, r *mockca.Response) { r.Header.Del("Location") }), map[string]string{
			"rfc7638/3/extra-members": "RFC7638-3-01",
			"rfc8555/7.3.1/found":     "DNSACCOUNT-3.5-01 RFC8555-11.1-08 RFC8555-7.3.1-02",
			"rfc8555/7.3.5/conflict":  "RFC8555-11.1-08",
			"rfc8555/7.3.5/success":   "DNSACCOUNT-3.5-01",
		}},
		{"found-updated", "changes the contact of an account that it finds", func(s *stage) {
			var contacts memory
			both(found(func(x *mockca.Exchange, _ *mockca.Response) {
				if payload(x).has("contact") {
					contacts.put(x.Account, payload(x)["contact"])
				}
			}), answers(func(x *mockca.Exchange, r *mockca.Response) {
				if c := contacts.get(x.URL); c != nil {
					r.Edit(set("contact", c))
				}
			}, mockca.AccountURL))(s)
		}, map[string]string{
			"rfc8555/7.3.1/found": "RFC8555-7.3.1-03",
		}},
		{"found-by-full-payload", "refuses an empty object for an account that is there", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if string(x.Payload()) == "{}" {
				stated(r, 400)
			}
		}, mockca.NewAccount), map[string]string{
			"rfc8555/7.3.1/found": "RFC8555-7.3.1-04",
		}},
		{"found-other", "shows the contact that was sent, and not the account's", found(func(x *mockca.Exchange, r *mockca.Response) {
			if payload(x).has("contact") {
				r.Edit(set("contact", payload(x)["contact"]))
			}
		}), map[string]string{
			"rfc8555/7.3.1/found": "RFC8555-7.3.1-05",
		}},
		{"lookup-creates", "creates accounts for lookups", off(mockca.CheckOnlyReturnExisting), map[string]string{
			"rfc8555/7.3.1/unknown-key":   "RFC8555-7.3-01 RFC8555-7.3.1-07 RFC8555-7.3.1-08",
			"rfc8555/7.3.4/no-jws":        "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/no-signature":  "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/nonce":         "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-key":     "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-secret":  "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-url":     "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/signature-alg": "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/unknown-kid":   "RFC8555-7.3.4-19",
		}},
		{"lookup-status", "answers lookups of nothing with 404", restated("accountDoesNotExist", 404, mockca.NewAccount), map[string]string{
			"rfc8555/7.3.1/unknown-key": "RFC8555-7.3.1-07",
		}},
		{"lookup-type", "calls an account that is not there malformed", renamed("accountDoesNotExist", "malformed", mockca.NewAccount), map[string]string{
			"rfc8555/7.3.1/unknown-key":   "RFC8555-7.3.1-08",
			"rfc8555/7.3.4/no-jws":        "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/no-signature":  "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/nonce":         "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-key":     "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-secret":  "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-url":     "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/signature-alg": "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/unknown-kid":   "RFC8555-7.3.4-19",
		}},
		{"lookup-finds", "says that it knows every key", accepting(200, `{"status":"valid"}`, asks("onlyReturnExisting"), mockca.NewAccount), map[string]string{
			"rfc8555/7.3.1/unknown-key":   "RFC8555-7.3-01 RFC8555-7.3.1-07 RFC8555-7.3.1-08",
			"rfc8555/7.3.4/no-jws":        "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/no-signature":  "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/nonce":         "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-key":     "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-secret":  "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/other-url":     "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/signature-alg": "RFC8555-7.3.4-19",
			"rfc8555/7.3.4/unknown-kid":   "RFC8555-7.3.4-19",
		}},
		{"update-ignored", "ignores new contacts", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if payload(x).has("contact") && r.Status == 200 {
				r.Edit(set("contact", []any{"mailto:conformance@mockca.test"}))
			}
		}, mockca.AccountURL), map[string]string{
			"rfc8555/7.3.2/update": "RFC8555-7.3.2-05",
		}},
		{"update-orders", "takes another list of orders", takes("orders"), map[string]string{
			"rfc8555/7.3.2/ignored-orders": "RFC8555-7.3.2-01",
		}},
		{"update-terms", "lets accounts take back that they agreed", takes("termsOfServiceAgreed"), map[string]string{
			"rfc8555/7.3.2/ignored-terms": "RFC8555-7.3.2-02",
		}},
		{"update-status", "lets accounts revoke themselves", takes("status"), map[string]string{
			"rfc8555/7.3.2/ignored-status": "RFC8555-7.3.2-03",
		}},
		{"update-unknown", "keeps unknown members of updates", takes("xUnknown"), map[string]string{
			"rfc8555/7.3.2/ignored-unknown": "RFC8555-7.3.2-04",
		}},
		{"new-terms-unasked", "does not ask for agreement to new terms", off(mockca.CheckTermsChanged), map[string]string{
			"rfc8555/7.3.3/new-terms": "RFC8555-7.3.3-01 RFC8555-7.3.3-02 RFC8555-7.3.3-03 RFC8555-7.3.3-04",
		}},
		{"new-terms-status", "asks for agreement with 400", by(mockca.CheckTermsChanged, func(r *mockca.Response) { stated(r, 400) }), map[string]string{
			"rfc8555/7.3.3/new-terms": "RFC8555-7.3.3-01",
		}},
		{"new-terms-type", "calls it unauthorized not to have agreed", by(mockca.CheckTermsChanged, func(r *mockca.Response) { typed(r, "unauthorized") }), map[string]string{
			"rfc8555/7.3.3/new-terms": "RFC8555-7.3.3-02",
		}},
		{"new-terms-link", "does not link to new terms", by(mockca.CheckTermsChanged, func(r *mockca.Response) { r.Header.Del("Link") }), map[string]string{
			"rfc8555/7.3.3/new-terms": "RFC8555-7.3.3-03",
		}},
		{"new-terms-instance", "does not say where to agree", by(mockca.CheckTermsChanged, func(r *mockca.Response) { r.Edit(without("instance")) }), map[string]string{
			"rfc8555/7.3.3/new-terms": "RFC8555-7.3.3-04",
		}},
		{"mailto-refused", "knows no mailto", refusing("unsupportedContact", 400, func(x *mockca.Exchange) bool {
			return strings.Contains(string(x.Payload()), "mailto:admin@acme-e2e")
		}, mockca.NewAccount), map[string]string{
			"rfc8555/7.3/contact-mailto": "RFC8555-7.3-07",
		}},
		{"contact-unchecked", "takes any contact", off(mockca.CheckContact), map[string]string{
			"rfc8555/7.3/contact-empty":   "RFC8555-7.3-13",
			"rfc8555/7.3/contact-hfields": "RFC8555-7.3-10",
			"rfc8555/7.3/contact-invalid": "RFC8555-7.3-06",
			"rfc8555/7.3/contact-scheme":  "RFC8555-7.3-11 RFC8555-7.3-12",
			"rfc8555/7.3/contact-two":     "RFC8555-7.3-10",
		}},
		{"contact-detail", "does not say which contacts it takes", undetailed("unsupportedContact"), map[string]string{
			"rfc8555/7.3/contact-scheme": "RFC8555-7.3-12",
		}},
	}
}

func pathOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

func bindingMutants() []mutant {
	bound := func(match func(any) bool) func(*stage) {
		return accepting(201, "{}", func(x *mockca.Exchange) bool { return match(payload(x)["externalAccountBinding"]) }, mockca.NewAccount)
	}
	return []mutant{
		{"binding-unasked", "takes accounts without the binding that it says it requires", off(mockca.CheckEABRequired), map[string]string{
			"rfc8555/7.3.4/required": "RFC8555-7.3.4-11",
		}},
		{"binding-flag", "does not say that it requires bindings", objects(inMeta(without("externalAccountRequired")), mockca.Directory), map[string]string{
			"rfc8555/7.3.4/required": "RFC8555-7.3.4-10",
		}},
		{"binding-hidden", "does not show bindings", objects(without("externalAccountBinding"), mockca.NewAccount), map[string]string{
			"rfc8555/7.3.4/echoed": "RFC8555-7.3.4-18",
		}},
		{"binding-string", "takes strings for bindings", bound(func(v any) bool { _, text := v.(string); return text }), map[string]string{
			"rfc8555/7.3.4/no-jws": "RFC8555-7.3.4-13",
		}},
		{"binding-unsigned", "takes bindings without signature", bound(func(v any) bool {
			m, is := v.(map[string]any)
			return is && m["signature"] == nil
		}), map[string]string{
			"rfc8555/7.3.4/no-signature": "RFC8555-7.3.4-13",
		}},
		{"binding-url", "does not compare the binding's url", off(mockca.CheckEABURL), map[string]string{
			"rfc8555/7.3.4/other-url": "RFC8555-7.3.4-14 RFC8555-7.3.4-19",
		}},
		{"binding-nonce", "takes bindings with a nonce", off(mockca.CheckEABNonce), map[string]string{
			"rfc8555/7.3.4/nonce": "RFC8555-7.3.4-14 RFC8555-7.3.4-19",
		}},
		{"binding-algorithm", "takes bindings that are no MAC", both(off(mockca.CheckEABAlgorithm), bound(func(v any) bool {
			m, _ := v.(map[string]any)
			protected, _ := decodeLeniently(object(m).text("protected"))
			return strings.Contains(string(protected), `"ES256"`)
		})), map[string]string{
			"rfc8555/7.3.4/signature-alg": "RFC8555-7.3.4-14",
		}},
		{"binding-unverified", "does not verify bindings", off(mockca.CheckEABSignature), map[string]string{
			"rfc8555/7.3.4/not-echoed":   "RFC8555-7.3.4-12",
			"rfc8555/7.3.4/other-secret": "RFC8555-7.3.4-16 RFC8555-7.3.4-19",
			"rfc8555/7.3.4/unknown-kid":  "RFC8555-7.3.4-15 RFC8555-7.3.4-19",
		}},
		{"binding-key", "does not compare the binding's key", off(mockca.CheckEABKey), map[string]string{
			"rfc8555/7.3.4/other-key": "RFC8555-7.3.4-17 RFC8555-7.3.4-19",
		}},
	}
}

func keyChangeMutants() []mutant {
	change := []mockca.Endpoint{mockca.KeyChange}
	no := func(match func(*mockca.Exchange) bool) func(*stage) { return accepting(200, "{}", match, change...) }
	inner := func(x *mockca.Exchange) object {
		text, _ := decodeLeniently(payload(x).text("protected"))
		var o object
		_ = json.Unmarshal(text, &o) // nil is what else it can be
		return o
	}
	// after makes accounts show something else once their key was changed.
	after := func(edit func(map[string]any)) func(*stage) {
		var changed memory
		return both(answers(func(x *mockca.Exchange, r *mockca.Response) {
			if r.Status == 200 {
				changed.put(x.Account, true)
			}
		}, change...), answers(func(x *mockca.Exchange, r *mockca.Response) {
			if r.Status == 200 && changed.get(x.Account) != nil {
				r.Edit(edit)
			}
		}, mockca.AccountURL))
	}
	return []mutant{
		{"key-change-status", "answers keyChange with 201", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			if r.Status == 200 {
				r.Status = 201
			}
		}, change...), map[string]string{
			"rfc8555/7.3.5/success": "RFC8555-7.3.5-18",
		}},
		{"key-change-ignored", "changes no key", func(s *stage) {
			s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "changes no key", Duty: "none", Endpoints: change, Request: func(x *mockca.Exchange) *mockca.Response {
				if inner(x).has("nonce") || !inner(x).has("jwk") {
					return nil
				}
				return mockca.JSONResponse(200, map[string]any{"status": "valid"})
			}})
		}, map[string]string{
			"rfc8555/7.3.5/conflict":        "RFC8555-7.3.5-16 RFC8555-7.3.5-20 RFC8555-7.3.5-21 RFC8555-7.3.5-22",
			"rfc8555/7.3.5/deactivated":     "RFC8555-7.3.5-08",
			"rfc8555/7.3.5/inner-signature": "RFC8555-7.3.5-11",
			"rfc8555/7.3.5/inner-url":       "RFC8555-7.3.5-13",
			"rfc8555/7.3.5/no-old-key":      "RFC8555-7.3.5-12",
			"rfc8555/7.3.5/other-account":   "RFC8555-7.3.5-14",
			"rfc8555/7.3.5/other-old-key":   "RFC8555-7.3.5-15",
			"rfc8555/7.3.5/pending-order":   "RFC8555-7.3.5-24",
			"rfc8555/7.3.5/success":         "DNSACCOUNT-3.5-01 RFC8555-7.3.5-19 RFC8555-7.3.5-23",
			"rfc8555/7.3.6/refused":         "RFC8555-7.3.6-05",
		}},
		{"key-change-forgets", "forgets the contact when the key changes", after(without("contact")), map[string]string{
			"rfc8555/7.3.5/success": "RFC8555-7.3.5-23",
		}},
		{"key-change-moves", "moves the account when the key changes", func(s *stage) {
			var moved memory
			both(answers(func(x *mockca.Exchange, r *mockca.Response) {
				if r.Status == 200 {
					moved.put(x.Account, true)
				}
			}, change...), answers(func(x *mockca.Exchange, r *mockca.Response) {
				if moved.get(x.Account) != nil {
					r.Header.Set("Location", x.Account+"0")
				}
			}, mockca.NewAccount))(s)
		}, map[string]string{
			"rfc8555/7.3.5/success": "DNSACCOUNT-3.5-01",
		}},
		{"key-change-orders", "drops orders when the key changes", answers(func(x *mockca.Exchange, r *mockca.Response) {
			for _, o := range x.CA().Orders() {
				if o.Account == x.Account && r.Status == 200 {
					_ = x.CA().SetOrderStatus(o.URL, "invalid", nil)
				}
			}
		}, change...), map[string]string{
			"rfc8555/7.3.5/pending-order": "RFC8555-7.3.5-24",
		}},
		{"key-change-validation", "validates with the key that was", func(s *stage) {
			var changed memory
			both(answers(func(x *mockca.Exchange, r *mockca.Response) {
				if r.Status == 200 {
					changed.put(x.Account, true)
				}
			}, change...), knobs(func(x *mockca.Exchange, k *mockca.Knobs) {
				if changed.get(x.Account) != nil {
					k.ValidationProblem = &mockca.Problem{Type: mockca.TypeIncorrectResponse, Detail: "the old key's was expected"}
				}
			}, mockca.ChallengeURL))(s)
		}, map[string]string{
			"rfc8555/7.3.5/pending-order": "RFC8555-7.3.5-24 RFC8555-8.3-13",
		}},
		{"key-change-conflict", "takes keys of other accounts", off(mockca.CheckKeyChangeConflict), map[string]string{
			"rfc8555/7.3.5/conflict": "RFC8555-11.1-08 RFC8555-7.3.5-16 RFC8555-7.3.5-20 RFC8555-7.3.5-21 RFC8555-7.3.5-22",
		}},
		{"key-change-conflict-status", "answers conflicts with 400", by(mockca.CheckKeyChangeConflict, func(r *mockca.Response) { stated(r, 400) }), map[string]string{
			"rfc8555/7.3.5/conflict": "RFC8555-7.3.5-21",
		}},
		{"key-change-conflict-location", "does not say whose the key is", by(mockca.CheckKeyChangeConflict, func(r *mockca.Response) { r.Header.Del("Location") }), map[string]string{
			"rfc8555/7.3.5/conflict": "RFC8555-7.3.5-22",
		}},
		{"key-change-errors", "answers errors of keyChange in HTML", problems("", func(_ *mockca.Exchange, r *mockca.Response) {
			r.Body = []byte("<h1>Error</h1>")
			r.Header.Set("Content-Type", "text/html")
		}, change...), map[string]string{
			"rfc8555/7.3.5/conflict":        "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/deactivated":     "RFC8555-7.3.5-08",
			"rfc8555/7.3.5/inner-nonce":     "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/inner-signature": "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/inner-url":       "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/no-jwk":          "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/no-jws":          "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/no-old-key":      "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/other-account":   "RFC8555-7.3.5-20",
			"rfc8555/7.3.5/other-old-key":   "RFC8555-7.3.5-20",
			"rfc8555/7.3.6/refused":         "RFC8555-7.3.6-02",
		}},
		{"key-change-no-jws", "takes anything for keyChange", no(func(x *mockca.Exchange) bool { return string(x.Payload()) == "{}" }), map[string]string{
			"rfc8555/7.3.5/no-jws": "RFC8555-7.3.5-09",
		}},
		{"key-change-no-jwk", "changes the key to none", no(func(x *mockca.Exchange) bool { return payload(x).has("protected") && !inner(x).has("jwk") }), map[string]string{
			"rfc8555/7.3.5/no-jwk": "RFC8555-7.3.5-10",
		}},
		{"key-change-signature", "does not verify the inner signature", off(mockca.CheckKeyChangeSignature), map[string]string{
			"rfc8555/7.3.5/inner-signature": "RFC8555-7.3.5-11",
		}},
		{"key-change-url", "does not compare the inner url", off(mockca.CheckKeyChangeURL), map[string]string{
			"rfc8555/7.3.5/inner-url": "RFC8555-7.3.5-13",
		}},
		{"key-change-nonce", "takes an inner nonce", off(mockca.CheckKeyChangeNonce), map[string]string{
			"rfc8555/7.3.5/inner-nonce": "RFC8555-7.3.5-17",
		}},
		{"key-change-account", "does not compare the inner account", off(mockca.CheckKeyChangeAccount), map[string]string{
			"rfc8555/7.3.5/other-account": "RFC8555-7.3.5-14",
		}},
		{"key-change-old-key", "does not compare the old key", off(mockca.CheckKeyChangeOldKey), map[string]string{
			"rfc8555/7.3.5/no-old-key":    "RFC8555-7.3.5-12",
			"rfc8555/7.3.5/other-old-key": "RFC8555-7.3.5-15",
		}},
	}
}

func deactivationMutants() []mutant {
	return []mutant{
		{"deactivated-shown", "calls deactivated accounts valid", objects(when("deactivated", set("status", "valid")), mockca.AccountURL), map[string]string{
			"rfc8555/7.3.6/success": "RFC8555-7.1.2-05 RFC8555-7.3.6-04",
		}},
		{"deactivated-served", "serves deactivated accounts", off(mockca.CheckAccountStatus), map[string]string{
			"rfc8555/7.3.5/deactivated": "RFC8555-7.3.5-08",
			"rfc8555/7.3.6/final":       "RFC8555-7.3.6-08",
			"rfc8555/7.3.6/refused":     "RFC8555-7.3.6-05",
		}},
		{"deactivated-error-status", "refuses deactivated accounts with 403", by(mockca.CheckAccountStatus, func(r *mockca.Response) { stated(r, 403) }), map[string]string{
			"rfc8555/7.3.6/refused": "RFC8555-7.3.6-01",
		}},
		{"deactivated-error-type", "calls deactivated accounts malformed", by(mockca.CheckAccountStatus, func(r *mockca.Response) { typed(r, "malformed") }), map[string]string{
			"rfc8555/7.3.5/deactivated": "RFC8555-7.3.5-08",
			"rfc8555/7.3.6/refused":     "RFC8555-7.3.6-02",
		}},
		{"deactivation-revokes", "revokes the certificates of deactivated accounts", answers(func(x *mockca.Exchange, r *mockca.Response) {
			if payload(x).text("status") != "deactivated" {
				return
			}
			for _, c := range x.CA().Certificates() {
				if c.Account == x.Account {
					_ = x.CA().Revoke(c.Serial, 0)
				}
			}
		}, mockca.AccountURL), map[string]string{
			"rfc8555/7.3.6/certificates": "RFC8555-7.3.6-07",
		}},
	}
}
