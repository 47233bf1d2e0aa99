package client_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

func directoryDuties() map[string]func(*attempt) {
	// needed is an entry that only some operation needs.
	needed := func(entry string, operation func(*attempt, *client.Certificate) error) func(*attempt) {
		return fine(func(w *attempt, cert *client.Certificate) {
			w.complains(operation(w, cert), client.ErrNotOffered, entry)
		})
	}
	return map[string]func(*attempt){
		"directory-missing":            unregistered(client.ErrNotOffered, "newNonce"),
		"directory-missing:newAccount": unregistered(client.ErrNotOffered, "newAccount"),
		"directory-missing:newOrder":   func(w *attempt) { w.inject().connect().refuses(client.ErrNotOffered, "newOrder") },
		"directory-missing:revokeCert": needed("revokeCert", func(w *attempt, cert *client.Certificate) error {
			return w.a.Revoke(w.t.Context(), cert.Chain[0], client.Unspecified)
		}),
		"directory-missing:keyChange": needed("keyChange", func(w *attempt, _ *client.Certificate) error {
			return w.a.ChangeKey(w.t.Context(), newKey(w.t, client.P256))
		}),
		"directory-not-acme":       unregistered(client.ErrNotACME, "ACMEv1"),
		"directory-not-acme:html":  unregistered(client.ErrNotACME, "Buy certificates here"),
		"directory-not-acme:empty": unregistered(client.ErrNotACME, "is this the URL of an ACME directory?"),
		"directory-cross-origin":   fine(),
		"directory-http":           unregistered(client.ErrRefused, "not https"),
		"directory-moved": fine(func(w *attempt, _ *client.Certificate) {
			require.Equal(w.t, 2, w.count(mockca.Directory))
		}),
		"directory-meta-odd": fine(),
	}
}

func accountDuties() map[string]func(*attempt) {
	stopped := func(w *attempt) {
		w.connect().inject().refuses(client.ErrUnauthorized)
		require.Len(w.t, w.ca.Accounts(), 1, "no new account without being told to")
		require.Equal(w.t, 1, w.count(mockca.NewOrder))
	}
	binding := func(want error, words ...string) func(*attempt) {
		return func(w *attempt) {
			w.inject()
			require.Error(w.t, w.register())
			_, err := w.c.NewAccount(w.t.Context(), newKey(w.t, client.P256), client.AccountOptions{EAB: &client.ExternalAccountBinding{KeyID: "kid-1", Key: []byte("a key of thirty-two octets, or so")}})
			w.complains(err, want, words...)
			require.Empty(w.t, w.ca.Accounts())
		}
	}
	contact := func(want error) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			_, err := w.c.NewAccount(w.t.Context(), newKey(w.t, client.P256), client.AccountOptions{Contact: []string{"a@example.org"}})
			w.complains(err, want, "mailto:a@example.org")
			_, err = w.a.Update(w.t.Context(), client.AccountUpdate{Contact: []string{"a@example.org"}})
			w.complains(err, want)
		}
	}
	return map[string]func(*attempt){
		"account-exists": fine(),
		"account-gone": func(w *attempt) {
			w.connect().inject().refuses(client.ErrAccountDoesNotExist)
			require.Empty(w.t, w.ca.Accounts())
			var err error
			w.a, err = w.c.NewAccount(w.t.Context(), w.a.Key(), client.AccountOptions{AgreeTerms: true})
			require.NoError(w.t, err)
			w.obtains()
		},
		"account-deactivated": stopped,
		"account-revoked":     stopped,
		"tos-changed": func(w *attempt) {
			w.connect().inject()
			err := w.refuses(client.ErrUserActionRequired, "https://ca.test/terms")
			require.Contains(w.t, problemIn(w.t, err).TermsOfService, "https://ca.test/terms")
			_, err = w.a.Update(w.t.Context(), client.AccountUpdate{AgreeTerms: true})
			require.NoError(w.t, err)
			w.obtains()
		},
		"eab-required":      unregistered(client.ErrExternalAccountRequired, "set EAB"),
		"eab-rejected":      binding(client.ErrMalformed, "MAC"),
		"eab-rejected:kid":  binding(client.ErrUnauthorized, "no such key"),
		"eab-rejected:used": binding(client.ErrUnauthorized, "has been used"),
		"contact-invalid":   contact(client.ErrInvalidContact), "contact-invalid:unsupportedContact": contact(client.ErrUnsupportedContact),
		"new-account-lost": fine(func(w *attempt, _ *client.Certificate) { require.Len(w.t, w.ca.Accounts(), 1) }),
		"key-change-lost": func(w *attempt) {
			w.connect().inject()
			next := newKey(w.t, client.P256)
			require.NoError(w.t, w.a.ChangeKey(w.t.Context(), next))
			require.Equal(w.t, next, w.a.Key())
			require.Equal(w.t, 1, w.count(mockca.KeyChange))
			w.obtains()
		},
		"key-change-conflict": func(w *attempt) {
			w.connect().inject()
			old := w.a.Key()
			err := w.a.ChangeKey(w.t.Context(), newKey(w.t, client.P256))
			w.complains(err, client.ErrMalformed, "another account", "/acme/acct/4711")
			require.Equal(w.t, old, w.a.Key())
			w.obtains()
		},
		"bad-signature-algorithm": fine(),
		"bad-signature-algorithm:RS256": func(w *attempt) {
			w.connect().inject().refuses(client.ErrBadSignatureAlgorithm, "ES256", "RS256")
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		},
		"bad-signature-algorithm:RS512": func(w *attempt) {
			w.connect().inject()
			var err error
			w.a, err = w.c.NewAccount(w.t.Context(), newKey(w.t, client.RSA2048), client.AccountOptions{AgreeTerms: true})
			require.NoError(w.t, err)
			w.obtains()
		},
	}
}

func orderDuties() map[string]func(*attempt) {
	invalid := func(want error, words ...string) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject().refuses(want, words...)
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
			require.Equal(w.t, 1, w.count(mockca.Finalize))
			require.Empty(w.t, w.ca.Certificates())
		}
	}
	changed := hopeless(client.ErrRefused, "the order is for")
	after := func(least, most time.Duration) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject().obtains()
			require.GreaterOrEqual(w.t, w.passed(), least)
			require.LessOrEqual(w.t, w.passed(), most)
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
			require.Equal(w.t, 1, w.count(mockca.Finalize))
		}
	}
	anew := func(w *attempt) {
		w.connect().inject().obtains()
		require.Equal(w.t, 2, w.count(mockca.NewOrder))
		require.Len(w.t, w.ca.Certificates(), 1)
	}
	once := func(w *attempt) {
		w.connect().inject().obtains()
		require.Equal(w.t, 1, w.count(mockca.Finalize))
		require.Len(w.t, w.ca.Certificates(), 1)
		require.Len(w.t, w.ca.Orders(), 1)
	}
	return map[string]func(*attempt){
		"order-processing":   after(5*time.Second, 12*time.Second),
		"order-processing:4": after(4*time.Second, 12*time.Second),
		"order-processing-forever": func(w *attempt) {
			w.connect(func(cfg *client.Config) { cfg.PollTimeout = time.Hour }).inject()
			w.most = 1000
			err := w.refuses(client.ErrTimeout, "processing")
			require.True(w.t, client.Temporary(err))
			require.InDelta(w.t, time.Hour, w.passed(), float64(10*time.Second))
			last := w.kept[len(w.kept)-1]
			require.True(w.t, last.Finalizing)
			require.Equal(w.t, w.ca.Orders()[0].URL, last.OrderURL, "to go on with")
		},
		"order-ready-late": after(5*time.Second, 12*time.Second),
		"order-not-ready": func(w *attempt) {
			w.connect().inject().obtains()
			require.Equal(w.t, 2, w.count(mockca.Finalize))
			require.Len(w.t, w.ca.Orders(), 1)
		},
		"order-not-ready:0": func(w *attempt) {
			w.connect().inject().refuses(client.ErrOrderNotReady)
			require.LessOrEqual(w.t, w.count(mockca.Finalize), 12)
		},
		"order-invalid":             invalid(client.ErrUnauthorized, "at the last moment"),
		"order-invalid:subproblems": invalid(client.ErrUnauthorized, "a.example was refused", "b.example was refused"),
		"order-invalid:silent":      invalid(client.ErrServerInternal, "gave no reason"),
		"order-expired":             anew,
		"order-expired:invalid":     anew,
		"order-reused": func(w *attempt) {
			w.connect().inject()
			o, err := w.a.NewOrder(w.t.Context(), client.OrderRequest{Identifiers: w.request().Identifiers})
			require.NoError(w.t, err)
			require.Equal(w.t, o.URL, w.obtains().OrderURL)
			require.NotEqual(w.t, o.URL, w.obtains().OrderURL, "that one is spent")
		},
		"order-valid-at-once": func(w *attempt) {
			w.ca.ChangePolicy(func(p *mockca.Policy) { p.AsyncFinalize, p.FinalizeDelay = true, time.Minute })
			w.connect().inject().obtains()
			require.Less(w.t, w.passed(), 10*time.Second)
			all := w.ca.Transcript().Exchanges()
			require.Equal(w.t, []mockca.Endpoint{mockca.Finalize, mockca.Certificate}, []mockca.Endpoint{all[len(all)-2].Endpoint, all[len(all)-1].Endpoint})
		},
		"order-no-certificate":               hopeless(client.ErrRefused, "names no certificate"),
		"order-identifiers-reordered":        fine(),
		"order-identifiers-lowercased":       fine(),
		"order-identifiers-changed":          changed,
		"order-identifiers-changed:added":    changed,
		"order-identifiers-changed:replaced": changed,
		"order-authz-missing":                hopeless(client.ErrRefused, "none for b.example"),
		"order-authz-duplicate": fine(func(w *attempt, _ *client.Certificate) {
			require.Equal(w.t, 2, w.count(mockca.Authz))
			require.Equal(w.t, 2, w.count(mockca.ChallengeURL))
		}),
		"order-authz-foreign":       hopeless(client.ErrUnauthorized, "another account"),
		"order-url-changed":         fine(),
		"order-url-changed:missing": fine(),
		"order-paused":              func(w *attempt) { w.connect().inject().refuses(client.ErrRateLimited, "/unpause?account=1") },
		"order-paused:unauthorized": func(w *attempt) { w.connect().inject().refuses(client.ErrUnauthorized, "/unpause?account=1") },
		"new-order-lost":            once,
		"new-order-lost/without a list": func(w *attempt) {
			w.ca.ChangePolicy(func(p *mockca.Policy) { p.NoOrdersList = true })
			w.connect().inject().obtains()
			require.Len(w.t, w.ca.Orders(), 2)
			require.Len(w.t, w.ca.Certificates(), 1)
		},
		"finalize-lost": once, "finalize-lost:500": once,
		"bad-csr": func(w *attempt) {
			w.connect().inject().refuses(client.ErrBadCSR, "not to the CA's taste")
			require.Equal(w.t, 1, w.count(mockca.Finalize))
		},
	}
}

func verdictDuties() map[string]func(*attempt) {
	alone := func(want error, words ...string) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject().refuses(want, words...)
			require.Equal(w.t, 1, w.count(mockca.NewOrder), "the same again does not help")
		}
	}
	perName := func(want error) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			w.refuses(want, "a.example was refused", "b.example was refused")
		}
	}
	again := func(words ...string) func(*attempt) {
		return func(w *attempt) {
			w.connect()
			r := w.request()
			var err error
			r.Replaces, err = client.CertID(w.obtains().Leaf)
			require.NoError(w.t, err)
			w.inject()
			cert, err := w.try(r)
			require.NoError(w.t, err)
			require.Len(w.t, cert.Warnings, 1)
			require.Contains(w.t, cert.Warnings[0], "as a replacement")
			for _, word := range words {
				require.Contains(w.t, cert.Warnings[0], word)
			}
		}
	}
	return map[string]func(*attempt){
		"caa": alone(client.ErrCAA, "CAA record"), "caa:subproblems": perName(client.ErrCAA),
		"rejected-identifier": alone(client.ErrRejectedIdentifier, "policy"), "rejected-identifier:subproblems": perName(client.ErrRejectedIdentifier),
		"unsupported-identifier": alone(client.ErrUnsupportedIdentifier), "unsupported-identifier:subproblems": perName(client.ErrUnsupportedIdentifier),
		"dns-problem": alone(client.ErrDNS, "SERVFAIL"), "dns-problem:subproblems": perName(client.ErrDNS),
		"connection-problem": alone(client.ErrConnection, "firewall"), "connection-problem:subproblems": perName(client.ErrConnection),
		"incorrect-response": alone(client.ErrIncorrectResponse, "not the one expected"), "incorrect-response:subproblems": perName(client.ErrIncorrectResponse),
		"already-replaced":   again("alreadyReplaced"),
		"replaces-malformed": again("malformed"),
		"replaces-unknown":   again("404"),
		"profile-unknown": func(w *attempt) {
			w.connect().inject()
			r := w.request()
			r.Profile = "shortlived"
			_, err := w.try(r)
			w.complains(err, client.ErrInvalidProfile, "shortlived", "classic", "tlsserver")
		},
	}
}
