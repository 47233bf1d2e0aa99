package client

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func TestLostNewAccountIsFoundByKey(t *testing.T) {
	ca := newFakeCA(t)
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newAccount" && r.n == 1 {
			carryOut(r)
			drop(w)
			return true
		}
		return false
	}
	a := ca.account()
	require.Equal(t, ca.url("/acct/0"), a.URL())
	require.Len(t, ca.accts, 1)
}

// roll is keyChange as the fake CA does it.
func roll(t *testing.T, ca *fakeCA, r *request) {
	inner, err := jose.ParseSignedJSON(string(r.payload), []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	h := inner.Signatures[0].Protected
	require.Empty(t, h.Nonce, "the inner JWS has no nonce")
	require.Equal(t, r.header["url"], h.ExtraHeaders["url"])
	payload, err := inner.Verify(h.JSONWebKey)
	require.NoError(t, err)
	var v struct {
		Account string
		OldKey  jose.JSONWebKey
	}
	require.NoError(t, json.Unmarshal(payload, &v))
	require.Equal(t, r.acct, v.Account)
	ca.mu.Lock()
	defer ca.mu.Unlock()
	require.True(t, samePublicKey(ca.urls[r.acct].Key, v.OldKey.Key))
	clear(ca.accts)
	thumb, err := newJWSSigner(blind{fixed{h.JSONWebKey.Key}})
	require.NoError(t, err)
	ca.accts[thumb.thumb], ca.urls[r.acct] = r.acct, h.JSONWebKey
}

func TestKeyChange(t *testing.T) {
	for name, fault := range map[string]func(w http.ResponseWriter, r *request, roll func()) bool{
		"as it should be":          func(w http.ResponseWriter, r *request, roll func()) bool { roll(); return false },
		"lost before":              func(w http.ResponseWriter, r *request, roll func()) bool { drop(w); return true },
		"lost after":               func(w http.ResponseWriter, r *request, roll func()) bool { roll(); drop(w); return true },
		"answered 500 though done": func(w http.ResponseWriter, r *request, roll func()) bool { roll(); w.WriteHeader(500); return true },
		"answered with no JSON":    func(w http.ResponseWriter, r *request, roll func()) bool { roll(); write(w, "<html>"); return true },
		"refused once by a stale nonce": func(w http.ResponseWriter, r *request, roll func()) bool {
			r.problem(w, 400, "badNonce", "")
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			ca := newFakeCA(t)
			a := ca.account()
			old, next := a.Key(), testKey(t)
			ca.hook = func(w http.ResponseWriter, r *request) bool {
				if r.kind != "keyChange" {
					return false
				}
				if r.n > 1 {
					roll(t, ca, r)
					return false
				}
				return fault(w, r, func() { roll(t, ca, r) })
			}
			require.NoError(t, a.ChangeKey(t.Context(), next))
			require.True(t, samePublicKey(a.Key().Public(), next.Public()))
			_, err := a.Read(t.Context())
			require.NoError(t, err)
			has, err := a.c.FindKey(t.Context(), a.URL(), old, next)
			require.NoError(t, err)
			require.Equal(t, next, has)
			require.ErrorIs(t, a.ChangeKey(t.Context(), next), ErrKeyInUse)
		})
	}
}

func TestRefusedKeyChangeKeepsTheOldKey(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	old := a.Key()
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "keyChange" {
			r.problem(w, 409, "malformed", "key in use")
			return true
		}
		return false
	}
	require.Error(t, a.ChangeKey(t.Context(), testKey(t)))
	require.Equal(t, old, a.Key())
	_, err := a.c.FindKey(t.Context(), a.URL(), testKey(t))
	require.ErrorIs(t, err, ErrAccountDoesNotExist)
}

func TestTermsThatChanged(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "newOrder" {
			w.Header().Add("Link", `<https://ca.example/terms/2>;rel="terms-of-service"`)
			w.WriteHeader(403)
			write(w, `{"type":"urn:ietf:params:acme:error:userActionRequired","detail":"new terms","instance":"https://ca.example/agree"}`)
			return true
		}
		if r.kind == "acct" {
			require.Contains(t, string(r.payload), `"termsOfServiceAgreed":true`)
			r.send(w, 200, map[string]any{"status": "valid", "termsOfServiceAgreed": true})
			return true
		}
		return false
	}
	_, err := a.Obtain(t.Context(), new(paper).request(t, "a.example"))
	require.ErrorIs(t, err, ErrUserActionRequired)
	require.ErrorContains(t, err, "a person must visit https://ca.example/agree")
	var p *Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "https://ca.example/terms/2", p.TermsOfService)
	info, err := a.Update(t.Context(), AccountUpdate{AgreeTerms: true})
	require.NoError(t, err)
	require.True(t, info.TermsOfServiceAgreed)
}

func TestTermsAreNeverAgreedToByItself(t *testing.T) {
	ca := newFakeCA(t)
	ca.shape = func(kind string, o map[string]any) {
		if kind == "dir" {
			o["meta"] = map[string]any{"termsOfService": "https://ca.example/tos"}
		}
	}
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		require.NotContains(t, string(r.payload), "termsOfServiceAgreed")
		return false
	}
	_, err := ca.client().NewAccount(t.Context(), testKey(t), AccountOptions{})
	require.ErrorIs(t, err, ErrTermsNotAgreed)
	require.ErrorContains(t, err, "https://ca.example/tos")
}

func TestOrdersListWithoutEnd(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	ca.shape = func(kind string, o map[string]any) {
		if kind == "acct" {
			o["status"], o["orders"] = "valid", ca.url("/orders/0")
		}
	}
	ca.hook = func(w http.ResponseWriter, r *request) bool {
		if r.kind == "orders" {
			w.Header().Set("Link", `</orders/0>;rel="next"`)
		}
		return false
	}
	var last error
	for _, err := range a.Orders(t.Context()) {
		last = err
	}
	require.ErrorIs(t, last, ErrRefused)
	ca.shape = nil
	for _, err := range a.Orders(t.Context()) {
		last = err
	}
	require.ErrorIs(t, last, ErrNotOffered)
}

func TestManyObtainsShareOneClient(t *testing.T) {
	ca := newFakeCA(t)
	a := ca.account()
	var wg sync.WaitGroup
	errs := make(chan error, 32)
	for range 32 {
		wg.Go(func() {
			_, err := a.Obtain(context.WithoutCancel(t.Context()), new(paper).request(t, "a.example", "b.example"))
			errs <- err
		})
	}
	wg.Wait()
	for range 32 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 1, ca.count("dir"))
}

func TestDirectoryIsFetchedOnceByMany(t *testing.T) {
	ca := newFakeCA(t)
	c := ca.client()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _, _ = c.Directory(t.Context()) })
	}
	wg.Wait()
	require.Equal(t, 1, ca.count("dir"))
	_, err := c.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, ca.count("dir"))
}
