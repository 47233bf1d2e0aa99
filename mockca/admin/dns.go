package admin

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// DNS is what the name server says.
type DNS struct {
	Records   []string            `json:"records"` // lines of a zone file
	IPv4      string              `json:"ipv4"`    // of names without addresses of their own
	IPv6      string              `json:"ipv6"`
	Behaviors map[string]Behavior `json:"behaviors"` // by name
}

// Records changes records: lines as in a zone file, "a.example. 60 IN TXT x".
type Records struct {
	Set []string `json:"set,omitempty"` // in place of all of the same name and type
	Add []string `json:"add,omitempty"`
}

// Addresses are those of names without any of their own; empty: none.
type Addresses struct {
	IPv4 string `json:"ipv4"`
	IPv6 string `json:"ipv6"`
}

// Behavior is how questions about a name are treated: see dnsserver.Behavior.
type Behavior struct {
	Rcode    string        `json:"rcode,omitempty"` // "SERVFAIL", "REFUSED", "NXDOMAIN", ...
	Drop     bool          `json:"drop,omitempty"`
	Latency  time.Duration `json:"latency,omitempty"`
	Truncate bool          `json:"truncate,omitempty"`
	Types    []string      `json:"types,omitempty"`
}

func (b Behavior) behavior() (dnsserver.Behavior, error) {
	out := dnsserver.Behavior{Drop: b.Drop, Latency: b.Latency, Truncate: b.Truncate}
	if b.Rcode != "" {
		rcode, ok := dns.StringToRcode[strings.ToUpper(b.Rcode)]
		if !ok {
			return out, badRequest("there is no rcode %q; SERVFAIL, REFUSED and NXDOMAIN are some", b.Rcode)
		}
		out.Rcode = rcode
	}
	for _, t := range b.Types {
		t = strings.ToUpper(t)
		if _, ok := dns.StringToType[t]; !ok {
			return out, badRequest("there is no type %q", t)
		}
		out.Types = append(out.Types, t)
	}
	return out, nil
}

func behaviorOf(b dnsserver.Behavior) Behavior {
	out := Behavior{Drop: b.Drop, Latency: b.Latency, Truncate: b.Truncate, Types: b.Types}
	if b.Rcode != 0 {
		out.Rcode = dns.RcodeToString[b.Rcode]
	}
	return out
}

func (s *Server) dnsRoutes() []route {
	if s.dns == nil {
		return nil
	}
	state := operation(http.MethodGet, "/api/dns", "What the name server says", func(*http.Request, none) (shown[DNS], error) { return shown[DNS]{s.dnsState()}, nil })
	return []route{
		state,
		operation(http.MethodPost, "/api/dns/records", "Sets and adds records", s.changeRecords),
		operation(http.MethodDelete, "/api/dns/records/{name}", "Removes the records of a name", s.clearRecords, parameter{"type", "only those of this type"}),
		operation(http.MethodPut, "/api/dns/defaults", "Changes the addresses of names without any of their own", s.setDefaults),
		operation(http.MethodPut, "/api/dns/behaviors/{name}", `Changes how questions about a name are treated; "." stands for all names without a behavior`, s.setBehavior),
		operation(http.MethodDelete, "/api/dns/behaviors/{name}", "Treats a name well again", func(r *http.Request, _ none) (none, error) {
			s.dns.ClearBehavior(r.PathValue("name"))
			return none{}, nil
		}),
		operation(http.MethodGet, "/api/dns/queries", "The latest messages received", s.queries, limitParameter, parameter{"name", "only those about this name"}),
		operation(http.MethodDelete, "/api/dns/queries", "Forgets them", func(*http.Request, none) (none, error) {
			s.dns.ClearQueries()
			return none{}, nil
		}),
		operation(http.MethodDelete, "/api/dns", "Removes all records and behaviors", func(*http.Request, none) (none, error) {
			s.dns.Reset()
			return none{}, nil
		}),
	}
}

func (s *Server) dnsState() DNS {
	v4, v6 := s.dns.Defaults()
	out := DNS{Records: append([]string{}, s.dns.Records()...), IPv4: addrText(v4), IPv6: addrText(v6), Behaviors: map[string]Behavior{}}
	for name, b := range s.dns.Behaviors() {
		if name == "" {
			name = "."
		}
		out.Behaviors[name] = behaviorOf(b)
	}
	return out
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func (s *Server) changeRecords(_ *http.Request, in Records) (none, error) {
	if len(in.Set)+len(in.Add) == 0 {
		return none{}, badRequest(`want "set" or "add"`)
	}
	for _, change := range []struct {
		with    func(...string) error
		records []string
	}{{s.dns.Set, in.Set}, {s.dns.Add, in.Add}} {
		if err := change.with(change.records...); err != nil {
			return none{}, badRequest("%v", err)
		}
	}
	return none{}, nil
}

func (s *Server) clearRecords(r *http.Request, _ none) (none, error) {
	var types []string
	if t := strings.ToUpper(r.URL.Query().Get("type")); t != "" {
		if _, ok := dns.StringToType[t]; !ok {
			return none{}, badRequest("there is no type %q", t)
		}
		types = []string{t}
	}
	s.dns.Clear(r.PathValue("name"), types...)
	return none{}, nil
}

func (s *Server) setDefaults(_ *http.Request, in Addresses) (none, error) {
	return none{}, setDefaults(s.dns, in)
}

func setDefaults(d *dnsserver.Server, in Addresses) error {
	v4, err := address(in.IPv4, netip.Addr.Is4)
	if err != nil {
		return badRequest("ipv4: %v", err)
	}
	v6, err := address(in.IPv6, netip.Addr.Is6)
	if err != nil {
		return badRequest("ipv6: %v", err)
	}
	d.SetDefaults(v4, v6)
	return nil
}

func address(text string, fits func(netip.Addr) bool) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err == nil && !fits(a) {
		return a, badRequest("%s is of the other kind", text)
	}
	return a, err
}

func (s *Server) setBehavior(r *http.Request, in Behavior) (none, error) {
	b, err := in.behavior()
	if err == nil {
		s.dns.SetBehavior(r.PathValue("name"), b)
	}
	return none{}, err
}

func (s *Server) queries(r *http.Request, _ none) ([]dnsserver.Query, error) {
	var names []string
	if name := r.URL.Query().Get("name"); name != "" {
		names = []string{name}
	}
	return latest(r, slices.Clone(s.dns.Queries(names...)))
}
