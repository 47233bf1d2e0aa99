package client_test

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
)

func authorizationDuties() map[string]func(*attempt) {
	stuck := func(status string) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			err := w.refuses(client.ErrUnauthorized, "a.example", "b.example")
			if status != "invalid" {
				require.ErrorContains(w.t, err, status)
			}
			require.Zero(w.t, w.count(mockca.ChallengeURL))
		}
	}
	return map[string]func(*attempt){
		"authz-valid": fine(func(w *attempt, _ *client.Certificate) {
			require.Zero(w.t, w.count(mockca.ChallengeURL))
			require.Zero(w.t, w.paper.looks())
		}),
		"authz-invalid": stuck("invalid"), "authz-expired": stuck("expired"), "authz-revoked": stuck("revoked"), "authz-deactivated": stuck("deactivated"),
		"authz-no-challenge":         hopeless(client.ErrNoSolver, "nothing", "dns-01"),
		"authz-no-challenge:unknown": hopeless(client.ErrNoSolver, "future-01", "dns-01"),
		"authz-unknown-types":        fine(),
		"authz-wrong-identifier":     hopeless(client.ErrRefused, "unasked.example"),
		"authz-wildcard-flag":        func(w *attempt) { w.connect().inject().obtains("*.a.example", "a.example") },
		"authz-wildcard-flag:wrong":  fine(),
	}
}

func challengeDuties() map[string]func(*attempt) {
	refusesToken := func(w *attempt) {
		w.connect().inject().refuses(client.ErrRefused, "token")
		require.Zero(w.t, w.count(mockca.ChallengeURL))
		require.NotContains(w.t, w.log.String(), "X-Injected: yes\n")
	}
	invalid := func(want error) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject().refuses(want, "for the sake of a test")
			require.Equal(w.t, 1, w.count(mockca.NewOrder))
		}
	}
	return map[string]func(*attempt){
		"challenge-token-missing": refusesToken, "challenge-token-short": refusesToken, "challenge-token-bad-chars": refusesToken,
		"challenge-token-path-traversal": refusesToken,
		"challenge-processing": func(w *attempt) {
			w.most = 300
			w.connect().inject().refuses(client.ErrTimeout, "pending")
			require.InDelta(w.t, 10*time.Minute, w.passed(), float64(10*time.Second))
			require.Equal(w.t, 2, w.count(mockca.ChallengeURL))
		},
		"challenge-slow": func(w *attempt) {
			w.connect().inject().obtains()
			require.GreaterOrEqual(w.t, w.passed(), 5*time.Second)
			require.Equal(w.t, 2, w.count(mockca.ChallengeURL), "answered once each")
		},
		"challenge-invalid": invalid(client.ErrIncorrectResponse), "challenge-invalid:unauthorized": invalid(client.ErrUnauthorized),
		"challenge-invalid:connection": invalid(client.ErrConnection), "challenge-invalid:dns": invalid(client.ErrDNS), "challenge-invalid:tls": invalid(client.ErrTLS),
		"challenge-invalid:caa": invalid(client.ErrCAA), "challenge-invalid:malformed": invalid(client.ErrMalformed),
		"challenge-invalid:rejectedIdentifier": invalid(client.ErrRejectedIdentifier), "challenge-invalid:serverInternal": invalid(client.ErrServerInternal),
		"challenge-retry": func(w *attempt) {
			w.connect().inject().obtains()
			require.GreaterOrEqual(w.t, w.passed(), 10*time.Second, "the response was in place till the end")
			require.Equal(w.t, 2, w.count(mockca.ChallengeURL), "answered once each")
		},
		"challenge-already-answered": fine(),
		"validation-many":            fine(func(w *attempt, _ *client.Certificate) { require.Equal(w.t, 10, w.paper.looks()) }),
		"validation-late": fine(func(w *attempt, _ *client.Certificate) {
			time.Sleep(2 * time.Second)
			require.Equal(w.t, 4, w.paper.looks())
		}),
		"dns-stale": func(w *attempt) {
			w.connect().inject().refuses(client.ErrUnauthorized, "ns2.a.example")
		},
	}
}

// A real http-01 solver, which the CA asks many times, by HEAD, and too late.
func TestDutyTowardsManyFetches(t *testing.T) {
	t.Parallel()
	solver := challenge.NewHTTP01(challenge.HTTP01Options{Mounted: true})
	server := httptest.NewServer(solver)
	defer server.Close()
	ca := mockca.New(t, mockca.Options{Validation: mockca.Validation{HTTPPort: server.Listener.Addr().(*net.TCPAddr).Port, NoCAA: true}})
	ca.Inject(mockca.ValidationMany(10))
	ca.Inject(mockca.ValidationLate(time.Millisecond))
	ids, err := client.ParseIdentifiers("a.example", "b.example")
	require.NoError(t, err)
	a := mockAccount(t, mockClient(t, ca), newKey(t, client.P256))
	_, err = a.Obtain(t.Context(), client.Request{Identifiers: ids, Solvers: []client.SolverFor{{Type: challenge.HTTP01, Solver: solver}}, Roots: ca.Issuers()})
	require.NoError(t, err)
}

func certificateDuties() map[string]func(*attempt) {
	refused := func(reason string) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			err := w.refuses(client.ErrRefused)
			invalid, ok := errors.AsType[*client.VerificationError](err)
			require.True(w.t, ok, "%v", err)
			require.Equal(w.t, reason, invalid.Reason)
			require.Equal(w.t, 1, w.count(mockca.NewOrder), "another would be the same")
		}
	}
	unreadable := func(w *attempt) {
		w.connect().inject()
		_, err := w.try(w.request())
		require.True(w.t, errors.Is(err, client.ErrRefused) || errors.Is(err, client.ErrNotACME), "%v", err)
		require.LessOrEqual(w.t, w.count(mockca.Certificate), 3)
	}
	warned := func(change func(*client.Request), word string) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			r := w.request()
			change(&r)
			cert, err := w.try(r)
			require.NoError(w.t, err)
			require.Contains(w.t, strings.Join(cert.Warnings, "; "), word)
			require.Contains(w.t, w.log.String(), word)
			w.ca.ClearRules()
			cert, err = w.try(r)
			require.NoError(w.t, err)
			require.Empty(w.t, cert.Warnings)
			w.inject().obtains()
		}
	}
	alternates := func(most int) func(*attempt) {
		return func(w *attempt) {
			w.connect().inject()
			r := w.request()
			r.Chain.IssuerName = "an issuer that nobody has"
			cert, err := w.try(r)
			require.NoError(w.t, err)
			require.Contains(w.t, strings.Join(cert.Warnings, "; "), "the CA's default is used")
			require.LessOrEqual(w.t, w.count(mockca.Certificate), most)
		}
	}
	clean := fine(func(w *attempt, cert *client.Certificate) {
		require.True(w.t, strings.HasPrefix(string(cert.PEM), "-----BEGIN CERTIFICATE-----\n"))
		require.True(w.t, strings.HasSuffix(string(cert.PEM), "-----END CERTIFICATE-----\n"))
		require.NotContains(w.t, string(cert.PEM), "\r")
	})
	download := func(w *attempt) {
		w.connect().inject().obtains()
		require.Equal(w.t, 2, w.count(mockca.Certificate))
		require.Len(w.t, w.ca.Orders(), 1)
	}
	return map[string]func(*attempt){
		"cert-wrong-key": refused("key"), "cert-wrong-names": refused("names"), "cert-extra-name": refused("names"), "cert-missing-name": refused("names"),
		"cert-expired": refused("dates"), "cert-not-yet-valid": refused("dates"),
		"cert-backdated": fine(), "cert-backdated:24h": fine(),
		"cert-short": fine(func(w *attempt, cert *client.Certificate) {
			require.InDelta(w.t, 10*time.Minute, time.Until(cert.Leaf.NotAfter), float64(5*time.Second))
		}),
		"sct-missing":         warned(func(r *client.Request) { r.SCT = true }, "certificate transparency"),
		"must-staple-missing": warned(func(r *client.Request) { r.MustStaple = true }, "must-staple"),
		"cert-500-then-ok":    download, "cert-404-then-ok": download,
		"cert-404-then-ok:0": func(w *attempt) {
			w.connect().inject()
			_, err := w.try(w.request())
			require.Equal(w.t, 404, problemIn(w.t, err).Status)
		},
		"cert-wrong-content-type": fine(),
		"alternate-loop":          alternates(2), "alternate-404": alternates(12), "alternate-garbage": alternates(12), "alternate-many": alternates(12),
		"chain-out-of-order": refused("key"), "chain-missing-intermediate": refused("chain"), "chain-unrelated": refused("chain"),
		"chain-with-root": fine(), "chain-single": fine(),
		"chain-single/without roots": warned(func(r *client.Request) { r.Roots = nil }, "alone"),
		"pem-garbage":                unreadable, "pem-der": unreadable, "pem-private-key": unreadable, "pem-crl-inside": unreadable, "cert-huge": unreadable,
		"pem-text-before": clean, "pem-crlf": clean, "pem-no-final-newline": clean,
	}
}
