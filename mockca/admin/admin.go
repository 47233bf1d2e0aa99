package admin

import (
	"log/slog"
	"net/http"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// Options say what is managed. Only CA is required.
type Options struct {
	CA  *mockca.CA
	DNS *dnsserver.Server // that the CA asks; nil: there are no DNS records to manage

	// Token is asked of every request, as "Authorization: Bearer TOKEN", as the
	// parameter token of the URL, or as the cookie that a page opened with that
	// parameter gets. Certificates that are public anyway are given out without.
	// Empty: no token, for requests from the machine itself only.
	Token string

	// Responder answers challenges itself, as pebble-challtestsrv does when it is
	// told to. nil: its paths for that answer 404.
	Responder *Responder

	// Facts are shown on the page and in /api/status: ports, files, a version.
	Facts  map[string]string
	Logger *slog.Logger // default: silent
}

// Server is the management as an HTTP handler. It is safe for concurrent use.
type Server struct {
	ca        *mockca.CA
	dns       *dnsserver.Server
	token     string
	responder *Responder
	facts     map[string]string
	log       *slog.Logger
	routes    []route
	mux       *http.ServeMux
}

// New returns the management of a CA.
func New(o Options) *Server {
	s := &Server{ca: o.CA, dns: o.DNS, token: o.Token, responder: o.Responder, facts: o.Facts, log: o.Logger, mux: http.NewServeMux()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, list := range [][]route{s.statusRoutes(), s.faultRoutes(), s.policyRoutes(), s.objectRoutes(), s.certificateRoutes(),
		s.dnsRoutes(), s.transcriptRoutes()} {
		s.routes = append(s.routes, list...)
	}
	for _, r := range s.routes {
		s.mux.Handle(r.method+" "+r.path, s.serve(r))
	}
	for pattern, h := range s.pebblePaths() {
		s.mux.HandleFunc(pattern, h)
	}
	for pattern, h := range s.challtestsrvPaths() {
		s.mux.HandleFunc(pattern, h)
	}
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, &Error{Status: http.StatusNotFound, Detail: "there is nothing at " + r.Method + " " + r.URL.Path + "; GET /api describes what there is"})
	})
	s.mux.Handle("/", pages())
	return s
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused := s.guard(w, r); refused != nil {
		s.fail(w, refused)
		return
	}
	s.mux.ServeHTTP(w, r)
}
