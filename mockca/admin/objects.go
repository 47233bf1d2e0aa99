package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// StatusChange puts an object into another state.
type StatusChange struct {
	Status string   `json:"status"`
	Error  *Problem `json:"error,omitempty"`
}

// Problem is an error as clients see it (RFC 8555, Section 6.7).
type Problem struct {
	Type   string `json:"type"` // "rateLimited", or a URI
	Detail string `json:"detail,omitempty"`
	Status int    `json:"status,omitempty"`
}

func (p *Problem) problem() *mockca.Problem {
	if p == nil {
		return nil
	}
	return &mockca.Problem{Type: strings.TrimPrefix(p.Type, "urn:ietf:params:acme:error:"), Detail: p.Detail, Status: p.Status}
}

type names struct {
	Names []string `json:"names"`
}

var filterParameters = []parameter{limitParameter, {"account", "only those of this account: URL, path or number"},
	{"status", "only those in this state"}, {"identifier", "only those about this identifier's value"}}

func (s *Server) objectRoutes() []route {
	return []route{
		operation(http.MethodGet, "/api/accounts", "The accounts", s.accounts, limitParameter, parameter{"status", "only those in this state"}),
		operation(http.MethodGet, "/api/accounts/{id}", "An account", s.account),
		operation(http.MethodPatch, "/api/accounts/{id}", "Makes an account valid, deactivated or revoked", s.changeAccount),
		operation(http.MethodDelete, "/api/accounts/{id}", "Forgets an account: its requests get accountDoesNotExist", s.forgetAccount),
		operation(http.MethodPost, "/api/accounts/{id}/pause", "Prevents an account from ordering for names, as too many failures do (with a policy that has limits)", s.pause),
		operation(http.MethodPost, "/api/accounts/{id}/unpause", "Lets it order again", s.unpause),
		operation(http.MethodGet, "/api/orders", "The orders", s.orders, filterParameters...),
		operation(http.MethodGet, "/api/orders/{id}", "An order", s.order),
		operation(http.MethodPatch, "/api/orders/{id}", "Puts an order into another state", s.changeOrder),
		operation(http.MethodDelete, "/api/orders/{id}", "Forgets an order, with what only it has", s.forgetOrder),
		operation(http.MethodGet, "/api/authorizations", "The authorizations, with their challenges", s.authorizations, filterParameters...),
		operation(http.MethodGet, "/api/authorizations/{id}", "An authorization", s.authorization),
		operation(http.MethodPatch, "/api/authorizations/{id}", "Puts an authorization into another state", s.changeAuthorization),
	}
}

// objectURL is an object's URL as the CA's methods take it: by its path.
func (s *Server) objectURL(e mockca.Endpoint, r *http.Request) string {
	return s.ca.URL(e) + "/" + r.PathValue("id")
}

// filter tells whether an object is among those asked for.
func filter(r *http.Request, account, status string, ids ...mockca.Identifier) bool {
	q := r.URL.Query()
	if a := q.Get("account"); a != "" && a != account && !strings.HasSuffix(account, "/"+strings.TrimPrefix(a, "/")) {
		return false
	}
	if want := q.Get("status"); want != "" && want != status {
		return false
	}
	want := q.Get("identifier")
	return want == "" || slices.ContainsFunc(ids, func(id mockca.Identifier) bool { return strings.EqualFold(id.Value, want) })
}

func (s *Server) accounts(r *http.Request, _ none) ([]mockca.Account, error) {
	return latest(r, slices.DeleteFunc(s.ca.Accounts(), func(a mockca.Account) bool { return !filter(r, a.URL, a.Status) }))
}

func (s *Server) account(r *http.Request, _ none) (mockca.Account, error) {
	a, ok := s.ca.Account(s.objectURL(mockca.AccountURL, r))
	if !ok {
		return a, notFound("there is no account %s", r.PathValue("id"))
	}
	return a, nil
}

func (s *Server) changeAccount(r *http.Request, in StatusChange) (mockca.Account, error) {
	a, err := s.account(r, none{})
	if err != nil {
		return a, err
	}
	if in.Error != nil {
		return a, badRequest("an account has no error")
	}
	if err := s.ca.SetAccountStatus(a.URL, in.Status); err != nil {
		return a, badRequest("%v", err)
	}
	return s.account(r, none{})
}

func (s *Server) forgetAccount(r *http.Request, _ none) (none, error) {
	a, err := s.account(r, none{})
	if err == nil {
		err = s.ca.ForgetAccount(a.URL)
	}
	return none{}, err
}

func (s *Server) pause(r *http.Request, in names) (none, error) {
	a, err := s.account(r, none{})
	if err != nil {
		return none{}, err
	}
	if len(in.Names) == 0 {
		return none{}, badRequest(`"names" is empty`)
	}
	return none{}, s.ca.Pause(a.URL, in.Names...)
}

func (s *Server) unpause(r *http.Request, _ none) (none, error) {
	a, err := s.account(r, none{})
	if err != nil {
		return none{}, err
	}
	return none{}, s.ca.Unpause(a.URL)
}

func (s *Server) orders(r *http.Request, _ none) ([]mockca.Order, error) {
	return latest(r, slices.DeleteFunc(s.ca.Orders(), func(o mockca.Order) bool { return !filter(r, o.Account, o.Status, o.Identifiers...) }))
}

func (s *Server) order(r *http.Request, _ none) (mockca.Order, error) {
	o, ok := s.ca.Order(s.objectURL(mockca.OrderURL, r))
	if !ok {
		return o, notFound("there is no order %s", r.PathValue("id"))
	}
	return o, nil
}

var (
	orderStates = []string{"pending", "ready", "processing", "valid", "invalid"}
	authzStates = []string{"pending", "valid", "invalid", "deactivated", "expired", "revoked"}
)

func (s *Server) changeOrder(r *http.Request, in StatusChange) (mockca.Order, error) {
	o, err := s.order(r, none{})
	if err != nil {
		return o, err
	}
	if !slices.Contains(orderStates, in.Status) {
		return o, badRequest("an order can't be %q, but %s", in.Status, strings.Join(orderStates, ", "))
	}
	if err := s.ca.SetOrderStatus(o.URL, in.Status, in.Error.problem()); err != nil {
		return o, err
	}
	return s.order(r, none{})
}

func (s *Server) forgetOrder(r *http.Request, _ none) (none, error) {
	o, err := s.order(r, none{})
	if err == nil {
		err = s.ca.ForgetOrder(o.URL)
	}
	return none{}, err
}

func (s *Server) authorizations(r *http.Request, _ none) ([]mockca.Authorization, error) {
	return latest(r, slices.DeleteFunc(s.ca.Authorizations(), func(a mockca.Authorization) bool { return !filter(r, a.Account, a.Status, a.Identifier) }))
}

func (s *Server) authorization(r *http.Request, _ none) (mockca.Authorization, error) {
	a, ok := s.ca.Authorization(s.objectURL(mockca.Authz, r))
	if !ok {
		return a, notFound("there is no authorization %s", r.PathValue("id"))
	}
	return a, nil
}

func (s *Server) changeAuthorization(r *http.Request, in StatusChange) (mockca.Authorization, error) {
	a, err := s.authorization(r, none{})
	if err != nil {
		return a, err
	}
	if !slices.Contains(authzStates, in.Status) {
		return a, badRequest("an authorization can't be %q, but %s", in.Status, strings.Join(authzStates, ", "))
	}
	if err := s.ca.SetAuthorizationStatus(a.URL, in.Status, in.Error.problem()); err != nil {
		return a, err
	}
	return s.authorization(r, none{})
}
