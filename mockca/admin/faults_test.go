package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/admin"
)

func TestRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var faults []admin.Fault
	w.get("/api/faults", &faults)
	require.Len(t, faults, len(mockca.Faults()))
	for _, f := range faults {
		require.NotEmpty(t, f.Doc, f.Name)
		require.NotEmpty(t, f.Duty, f.Name)
		w.do(http.StatusCreated, http.MethodPost, "/api/rules", fmt.Sprintf(`{"fault":%q}`, f.Name))
	}
	var rules []admin.RuleState
	w.get("/api/rules", &rules)
	require.Len(t, rules, len(faults))
	w.do(http.StatusNoContent, http.MethodDelete, "/api/rules", "")
	require.Empty(t, w.ca.Rules())

	var added admin.RuleState
	require.NoError(t, json.Unmarshal(w.do(http.StatusCreated, http.MethodPost, "/api/rules",
		`{"fault":"status-503","name":"busy","times":1,"when":{"endpoint":"newOrder","method":"POST","nth":1,"identifier":"a.example.org","stage":"before"}}`), &added))
	_, err := w.acme.Register(t.Context(), &acme.Account{}, acme.AcceptTOS)
	require.NoError(t, err)
	w.acme.RetryBackoff = func(int, *http.Request, *http.Response) time.Duration { return -1 }
	_, err = w.acme.AuthorizeOrder(t.Context(), acme.DomainIDs("a.example.org"))
	require.ErrorContains(t, err, "503")
	_, err = w.acme.AuthorizeOrder(t.Context(), acme.DomainIDs("a.example.org"))
	require.NoError(t, err)
	w.get("/api/rules", &rules)
	require.Len(t, rules, 1)
	require.Equal(t, added.Rule, rules[0].Rule, "as it was given")
	require.EqualValues(t, 1, rules[0].Hits)
	require.True(t, rules[0].Spent)

	for _, body := range []string{`{"fault":"no-such-fault"}`, `{}`, `{"fault":"status-503","when":{"endpoint":"nowhere"}}`, `{"fault":"status-503","when":{"stage":"meanwhile"}}`,
		`{"fault":"status-503","when":{"probability":2}}`, `{"fault":"status-503","often":true}`, `{"fault":"status-503:many:more"}`} {
		w.do(http.StatusBadRequest, http.MethodPost, "/api/rules", body)
	}
	w.do(http.StatusNoContent, http.MethodDelete, fmt.Sprintf("/api/rules/%d", added.ID), "")
	w.do(http.StatusNotFound, http.MethodDelete, fmt.Sprintf("/api/rules/%d", added.ID), "")
	w.do(http.StatusNotFound, http.MethodDelete, "/api/rules/one", "")
}
