package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

// pebble-challtestsrv's management paths, with its answers: 200 and nothing, or
// 400.

// challtestOrder is the body of all of them.
type challtestOrder struct {
	Host, IP, Value, Target string
	Addresses               []string
	Policies                []struct{ Tag, Value string }
	Token, Content          string
	Path, TargetURL         string
	Type                    string
}

func (s *Server) challtestsrvPaths() map[string]http.HandlerFunc {
	paths := make(map[string]http.HandlerFunc)
	add := func(path string, do func(in challtestOrder) error, required ...func(challtestOrder) bool) {
		paths["POST "+path] = func(w http.ResponseWriter, r *http.Request) {
			in, err := readOrder(w, r, required)
			if err == nil {
				err = do(in)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		}
	}
	if s.dns != nil {
		s.challtestDNS(add)
	}
	if s.responder != nil {
		s.challtestResponder(add)
	}
	for path, events := range map[string]func(host string) []any{"/dns-request-history": s.dnsHistory, "/http-request-history": s.httpHistory, "/tlsalpn01-request-history": s.tlsHistory} {
		paths["POST "+path] = func(w http.ResponseWriter, r *http.Request) {
			in, err := readOrder(w, r, []func(challtestOrder) bool{host})
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			list := events(in.Host)
			if list == nil {
				list = []any{}
			}
			_ = write(w, http.StatusOK, list)
		}
	}
	add("/clear-request-history", s.clearHistory, host)
	return paths
}

func host(in challtestOrder) bool    { return in.Host != "" }
func token(in challtestOrder) bool   { return in.Token != "" }
func content(in challtestOrder) bool { return in.Content != "" }

func readOrder(w http.ResponseWriter, r *http.Request, required []func(challtestOrder) bool) (in challtestOrder, err error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return in, err
	}
	if len(data) == 0 {
		return in, errors.New("expected JSON POST body, was empty")
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return in, err
	}
	for _, has := range required {
		if !has(in) {
			return in, errors.New("a parameter of the POST body is missing or empty")
		}
	}
	return in, nil
}

type adder func(path string, do func(in challtestOrder) error, required ...func(challtestOrder) bool)

func (s *Server) challtestDNS(add adder) {
	d := s.dns
	add("/set-default-ipv4", func(in challtestOrder) error {
		_, v6 := d.Defaults()
		return setDefaults(d, Addresses{in.IP, addrText(v6)})
	})
	add("/set-default-ipv6", func(in challtestOrder) error {
		v4, _ := d.Defaults()
		return setDefaults(d, Addresses{addrText(v4), in.IP})
	})
	addresses := func(in challtestOrder) bool { return len(in.Addresses) > 0 }
	addAddresses := func(fits func(netip.Addr) bool) func(in challtestOrder) error {
		return func(in challtestOrder) error {
			var list []netip.Addr
			for _, text := range in.Addresses {
				a, err := address(text, fits)
				if err != nil {
					return err
				}
				list = append(list, a)
			}
			d.AddA(in.Host, list...)
			return nil
		}
	}
	add("/add-a", addAddresses(netip.Addr.Is4), host, addresses)
	add("/add-aaaa", addAddresses(netip.Addr.Is6), host, addresses)
	add("/set-txt", func(in challtestOrder) error {
		d.AddTXT(in.Host, in.Value)
		return nil
	}, host, func(in challtestOrder) bool { return in.Value != "" })
	add("/set-cname", func(in challtestOrder) error {
		d.SetCNAME(in.Host, in.Target)
		return nil
	}, host, func(in challtestOrder) bool { return in.Target != "" })
	add("/add-caa", func(in challtestOrder) error {
		for _, p := range in.Policies {
			if err := d.Add(fmt.Sprintf("%s IN CAA 0 %s %q", dns.Fqdn(in.Host), p.Tag, p.Value)); err != nil {
				return err
			}
		}
		return nil
	}, host, func(in challtestOrder) bool { return len(in.Policies) > 0 })
	add("/set-servfail", func(in challtestOrder) error {
		d.SetBehavior(in.Host, dnsserver.Behavior{Rcode: dns.RcodeServerFailure})
		return nil
	}, host)
	add("/clear-servfail", func(in challtestOrder) error {
		d.ClearBehavior(in.Host)
		return nil
	}, host)
	for path, typ := range map[string]string{"/clear-a": "A", "/clear-aaaa": "AAAA", "/clear-txt": "TXT", "/clear-cname": "CNAME", "/clear-caa": "CAA"} {
		add(path, func(in challtestOrder) error {
			d.Clear(in.Host, typ)
			return nil
		}, host)
	}
}

func (s *Server) challtestResponder(add adder) {
	r := s.responder
	path := func(in challtestOrder) bool { return in.Path != "" }
	add("/add-http01", func(in challtestOrder) error { return r.SetHTTP01(in.Token, in.Content) }, token, content)
	add("/del-http01", func(in challtestOrder) error { return r.SetHTTP01(in.Token, "") }, token)
	add("/add-redirect", func(in challtestOrder) error { return r.SetRedirect(in.Path, in.TargetURL) }, path, func(in challtestOrder) bool { return in.TargetURL != "" })
	add("/del-redirect", func(in challtestOrder) error { return r.SetRedirect(in.Path, "") }, path)
	add("/add-tlsalpn01", func(in challtestOrder) error { return r.SetTLSALPN01(in.Host, in.Content) }, host, content)
	add("/del-tlsalpn01", func(in challtestOrder) error { return r.SetTLSALPN01(in.Host, "") }, host)
}

// dnsHistory is what was asked about a name, in challtestsrv's form.
func (s *Server) dnsHistory(host string) (list []any) {
	if s.dns == nil {
		return nil
	}
	type question struct {
		Name   string
		Qtype  uint16
		Qclass uint16
	}
	for _, q := range s.dns.Queries(host) {
		if !q.Update {
			list = append(list, struct {
				Question  question
				UserAgent string
			}{question{q.Name + ".", dns.StringToType[q.Type], dns.ClassINET}, ""})
		}
	}
	return list
}

func (s *Server) httpHistory(host string) (list []any) {
	if s.responder == nil {
		return nil
	}
	for _, x := range s.responder.HTTPRequests(host) {
		list = append(list, x)
	}
	return list
}

func (s *Server) tlsHistory(host string) (list []any) {
	if s.responder == nil {
		return nil
	}
	for _, x := range s.responder.TLSRequests(host) {
		list = append(list, x)
	}
	return list
}

// clearHistory forgets what was asked about a host.
func (s *Server) clearHistory(in challtestOrder) error {
	switch strings.ToLower(in.Type) {
	case "dns":
		if s.dns != nil {
			s.dns.ClearQueries(in.Host)
		}
	case "http":
		if s.responder != nil {
			s.responder.forget(in.Host, true)
		}
	case "tlsalpn":
		if s.responder != nil {
			s.responder.forget(in.Host, false)
		}
	default:
		return fmt.Errorf("%q event type unknown", in.Type)
	}
	return nil
}
