package mockca_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// webSolver answers http-01 on a port of its own.
type webSolver struct {
	responses map[string]string
	port      int
}

func newWebSolver(t *testing.T) *webSolver {
	s := &webSolver{responses: make(map[string]string)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(s.responses[r.URL.Path]))
	})}}
	srv.Start()
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	s.port, err = strconv.Atoi(port)
	require.NoError(t, err)
	return s
}

func (s *webSolver) Present(_ context.Context, list []challenge.Challenge) error {
	for _, c := range list {
		s.responses["/.well-known/acme-challenge/"+c.Token] = c.KeyAuthorization
	}
	return nil
}

func (s *webSolver) CleanUp(context.Context, []challenge.Challenge) error { return nil }

func TestValidationGoesOut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, caa, wantProblem string
		broken                 bool
		perspectives           []mockca.Perspective
	}{
		{name: "answered"},
		{name: "wrong answer", broken: true, wantProblem: "incorrectResponse"},
		{name: "CAA allows", caa: "mockca.test"},
		{name: "CAA forbids", caa: "other.test", wantProblem: "caa"},
		{name: "one of two perspectives fails", perspectives: []mockca.Perspective{{Name: "a"}, {Name: "b", Fail: &mockca.Problem{Type: "dns", Detail: "far away"}}}},
		{name: "both perspectives fail", wantProblem: "dns", perspectives: []mockca.Perspective{
			{Name: "a", Fail: &mockca.Problem{Type: "dns", Detail: "far away"}}, {Name: "b", Fail: &mockca.Problem{Type: "dns", Detail: "far away"}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			web, dns := newWebSolver(t), dnsserver.NewUnstarted(dnsserver.Options{})
			dns.SetA("a.example.org", netipLoopback)
			if row.caa != "" {
				dns.SetCAA("example.org", dnsserver.CAA{Tag: "issue", Value: row.caa})
			}
			ca := mockca.New(t, mockca.Options{Validation: mockca.Validation{HTTPPort: web.port, DNS: dns, Perspectives: row.perspectives}})
			account, err := newClient(t, ca).NewAccount(t.Context(), newKey(t), client.AccountOptions{})
			require.NoError(t, err)
			var solver challenge.Solver = web
			if row.broken {
				solver = noSolver{}
			}
			id, err := client.DNS("a.example.org")
			require.NoError(t, err)
			_, err = account.Obtain(t.Context(), client.Request{Identifiers: []client.Identifier{id}, Roots: ca.Issuers(),
				Solvers: []client.SolverFor{{Type: "http-01", Solver: solver}}})
			z := ca.Authorizations()[0]
			require.Len(t, z.Challenges, map[bool]int{true: 1, false: 4}[row.wantProblem == ""], "only what was validated is kept")
			if row.wantProblem == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Equal(t, row.wantProblem, z.Challenges[0].Error.Type)
			require.Equal(t, "invalid", ca.Orders()[0].Status)
		})
	}
}
