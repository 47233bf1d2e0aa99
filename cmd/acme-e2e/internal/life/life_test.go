package life_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/cmd/acme-e2e/internal/life"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

func options(t *testing.T, h *pebbleharness.Harness) life.Options {
	return life.Options{
		CA: life.CA{
			DirectoryURL: h.DirectoryURL(),
			Transport:    h.HTTPClient().Transport,
			HTTPPort:     h.HTTPPort,
			Roots:        h.IssuingPool(),
		},
		Names: []string{"a.example", "b.example"},
		Dir:   t.TempDir(),
	}
}

func verdicts(result *life.Result) map[string]life.Verdict {
	out := map[string]life.Verdict{}
	for _, s := range result.Steps {
		out[s.Name] = s.Verdict
	}
	return out
}

func TestCAWithoutRenewalInformation(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{Middleware: withoutRenewalInfo})
	result, err := life.Run(t.Context(), options(t, h))
	require.NoError(t, err)
	got := verdicts(result)
	require.Equal(t, life.NotOffered, got["renewal information"])
	require.Equal(t, life.Passed, got["hot reload"])
	require.Equal(t, life.Passed, got["deactivation"])
	require.Empty(t, result.Certificates[1].Replaces)
	require.True(t, result.Certificates[0].Revoked)
	require.NotZero(t, result.Visits.Before)
	require.NotZero(t, result.Visits.After)
}

func withoutRenewalInfo(pebble http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/dir" {
			pebble.ServeHTTP(w, r)
			return
		}
		recorded := httptest.NewRecorder()
		pebble.ServeHTTP(recorded, r)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bytes.ReplaceAll(recorded.Body.Bytes(), []byte("renewalInfo"), []byte("noRenewalInfo")))
	})
}

// A step that fails is the last one, and its error is the life's.
func TestLifeEndsAtTheStepThatFails(t *testing.T) {
	t.Parallel()
	lies := errors.New("the CA lies")
	for name, row := range map[string]struct {
		options pebbleharness.Options
		change  func(*life.Options)
		step    string
		is      error
		says    string
	}{
		"refused name": {
			options: pebbleharness.Options{Blocklist: []string{"b.example"}},
			step:    "issuance", is: client.ErrRejectedIdentifier, says: "b.example",
		},
		"names that don't reach this machine": {
			change: func(o *life.Options) { o.CA.HTTPPort++ },
			step:   "issuance", says: "a.example",
		},
		"suggestion that the CA does not make": {
			change: func(o *life.Options) { o.CA.SuggestRenewal = func(*x509.Certificate) error { return nil } },
			step:   "renewal", says: "did not follow",
		},
		"suggestion that can't be set": {
			change: func(o *life.Options) { o.CA.SuggestRenewal = func(*x509.Certificate) error { return lies } },
			step:   "renewal information", is: lies,
		},
		"certificate from other roots": {
			change: func(o *life.Options) { o.CA.Roots = x509.NewCertPool() },
			step:   "server", says: "unknown authority",
		},
		"revocation that did not happen": {
			change: func(o *life.Options) {
				o.CA.Revoked = func(*x509.Certificate) (bool, error) { return false, nil }
			},
			step: "revocation", says: "does not list",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, pebbleharness.New(t, row.options))
			if row.change != nil {
				row.change(&o)
			}
			result, err := life.Run(t.Context(), o)
			require.Error(t, err)
			if row.is != nil {
				require.ErrorIs(t, err, row.is)
			}
			require.ErrorContains(t, err, row.says)
			last := result.Steps[len(result.Steps)-1]
			require.Equal(t, row.step, last.Name)
			require.Equal(t, life.Failed, last.Verdict)
			require.Contains(t, err.Error(), last.Error)
		})
	}
}

func TestLifeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, h)
	o.OnStep = func(s life.Step) {
		if s.Name == "certificate" {
			cancel()
		}
	}
	_, err := life.Run(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	_, err = http.Get("http://127.0.0.1:" + strconv.Itoa(h.HTTPPort))
	require.Error(t, err, "nothing listens on the challenge port any more")
}
