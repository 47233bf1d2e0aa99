package admin

import (
	"maps"
	"net/http"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Status is the CA at a glance.
type Status struct {
	Directory    string            `json:"directory"`
	Personality  string            `json:"personality"` // the policy's name
	Clock        Clock             `json:"clock"`
	Accounts     int               `json:"accounts"`
	Orders       int               `json:"orders"`
	Certificates int               `json:"certificates"`
	Exchanges    int               `json:"exchanges"`
	Rules        int               `json:"rules"`
	Facts        map[string]string `json:"facts"`
}

// Clock is the CA's time.
type Clock struct {
	Now   time.Time `json:"now"`
	Ahead string    `json:"ahead"` // of the machine's clock, a duration
}

// ClockMove moves the clock: one of its members.
type ClockMove struct {
	Advance time.Duration `json:"advance,omitempty"` // negative: back
	Set     time.Time     `json:"set,omitzero"`
	Reset   bool          `json:"reset,omitempty"` // to the machine's time
}

func (s *Server) statusRoutes() []route {
	return []route{
		operation(http.MethodGet, "/api", "This description, OpenAPI 3.1", func(*http.Request, none) (map[string]any, error) { return s.openAPI(), nil }),
		operation(http.MethodGet, "/api/status", "The CA at a glance", s.status),
		operation(http.MethodGet, "/api/clock", "The CA's time", func(*http.Request, none) (Clock, error) { return s.clock(), nil }),
		operation(http.MethodPost, "/api/clock", "Moves the clock: nonces, orders, authorizations, certificates, rate limits and renewal windows follow", s.moveClock),
		operation(http.MethodPost, "/api/forget", "Forgets all accounts, orders, authorizations and certificates", func(*http.Request, none) (none, error) {
			s.ca.ForgetEverything()
			return none{}, nil
		}),
		{method: http.MethodGet, path: "/api/ca-bundle.pem", media: pemMedia, summary: "What to trust in order to reach the CA", status: http.StatusOK, handle: s.pem(s.ca.RootPEM)},
		{method: http.MethodGet, path: "/api/roots.pem", media: pemMedia, summary: "The roots of what the CA issues", status: http.StatusOK, handle: s.pem(s.ca.IssuingRootsPEM)},
		operation(http.MethodPost, "/api/scenario", "Sets everything up that a scenario says", s.applyScenario),
	}
}

const pemMedia = "application/x-pem-file"

func (s *Server) pem(content func() []byte) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", pemMedia)
		_, _ = w.Write(content()) // the client is gone
		return nil
	}
}

func (s *Server) status(*http.Request, none) (Status, error) {
	facts := maps.Clone(s.facts)
	if facts == nil {
		facts = map[string]string{}
	}
	n := s.ca.Totals()
	return Status{Directory: s.ca.DirectoryURL(), Personality: s.ca.Policy().Name, Clock: s.clock(), Accounts: n.Accounts,
		Orders: n.Orders, Certificates: n.Certificates, Exchanges: s.ca.Transcript().Count(), Rules: len(s.ca.Rules()), Facts: facts}, nil
}

func (s *Server) clock() Clock {
	now := s.ca.Clock().Now()
	return Clock{Now: now.UTC(), Ahead: time.Until(now).Round(time.Second).String()}
}

func (s *Server) moveClock(_ *http.Request, move ClockMove) (Clock, error) {
	if err := move.check(); err != nil {
		return Clock{}, err
	}
	move.apply(s.ca.Clock())
	return s.clock(), nil
}

func (m ClockMove) check() error {
	given := 0
	for _, is := range []bool{m.Advance != 0, !m.Set.IsZero(), m.Reset} {
		if is {
			given++
		}
	}
	if given != 1 {
		return badRequest(`want one of "advance", "set" and "reset"`)
	}
	return nil
}

func (m ClockMove) apply(c *mockca.Clock) {
	switch {
	case m.Advance != 0:
		c.Advance(m.Advance)
	case m.Reset:
		c.Set(time.Now())
	default:
		c.Set(m.Set)
	}
}
