package admin

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/internal/settings"
)

// EAB is a key for a binding (RFC 8555, Section 7.3.4).
type EAB struct {
	KeyID     string `json:"kid,omitempty"`
	Key       string `json:"key,omitempty"` // base64url
	Algorithm string `json:"algorithm,omitempty"`
	Account   string `json:"account,omitempty"` // that used it last
}

// Check is one thing that the CA verifies, or a habit in its answers.
type Check struct {
	Name    string `json:"name"`
	Doc     string `json:"doc"`
	Section string `json:"section"`
	Problem string `json:"problem,omitempty"` // type that it answers with
	On      bool   `json:"on"`
}

type checkSwitch struct {
	On bool `json:"on"`
}

type terms struct {
	URL string `json:"url"` // empty: new ones of the CA's own
}

type personality struct {
	Personality string `json:"personality"` // empty: the strict CA without faults
}

// policyJSON describes mockca.Policy, with camel case names.
type policyJSON = shown[mockca.Policy]

func (s *Server) policyRoutes() []route {
	patch := operation(http.MethodPatch, "/api/policy", "Changes what is named, from the next request on", s.patchPolicy)
	patch.body = policyJSON{}
	return []route{
		operation(http.MethodGet, "/api/policy", "What the CA decides for itself", func(*http.Request, none) (policyJSON, error) { return policyJSON{s.ca.Policy()}, nil }),
		patch,
		operation(http.MethodGet, "/api/personalities", "The policies of known CAs", func(*http.Request, none) ([]string, error) { return mockca.Personalities(), nil }),
		operation(http.MethodPut, "/api/personality", "Takes the policy of a known CA", s.setPersonality),
		operation(http.MethodPost, "/api/terms", "Replaces the terms of service: accounts must agree anew", func(_ *http.Request, in terms) (none, error) {
			s.ca.ChangeTerms(in.URL)
			return none{}, nil
		}),
		operation(http.MethodGet, "/api/checks", "What the CA verifies", s.checks),
		operation(http.MethodPut, "/api/checks/{name}", "Turns a check off, or on again", s.switchCheck),
		operation(http.MethodGet, "/api/eab", "Keys for external account bindings", s.eabs),
		created(operation(http.MethodPost, "/api/eab", "Adds a key; what is not given is made", s.addEAB)),
		operation(http.MethodDelete, "/api/eab/{kid}", "Forgets a key", s.removeEAB),
	}
}

func (s *Server) patchPolicy(_ *http.Request, node *settings.Node) (policyJSON, error) {
	trial := s.ca.Policy() // complain before anything changes
	if err := settings.DecodeNode(node, &trial); err != nil {
		return policyJSON{}, badRequest("the body: %v", err)
	}
	s.ca.ChangePolicy(func(p *mockca.Policy) { _ = settings.DecodeNode(node, p) })
	return policyJSON{s.ca.Policy()}, nil
}

func (s *Server) setPersonality(_ *http.Request, in personality) (policyJSON, error) {
	p, err := mockca.PolicyOf(in.Personality)
	if err != nil {
		return policyJSON{}, badRequest("%v", err)
	}
	s.ca.SetPolicy(p)
	return policyJSON{s.ca.Policy()}, nil
}

func (s *Server) checks(*http.Request, none) ([]Check, error) {
	off := s.ca.Disabled()
	var list []Check
	for _, c := range mockca.Checks() {
		list = append(list, Check{Name: string(c), Doc: c.Doc(), Section: c.Section(), Problem: c.Problem(), On: !slices.Contains(off, c)})
	}
	return list, nil
}

func (s *Server) switchCheck(r *http.Request, in checkSwitch) (none, error) {
	c := mockca.Check(r.PathValue("name"))
	if !slices.Contains(mockca.Checks(), c) {
		return none{}, notFound("there is no check %q", c)
	}
	if in.On {
		s.ca.Enable(c)
	} else {
		s.ca.Disable(c)
	}
	return none{}, nil
}

func (s *Server) eabs(*http.Request, none) ([]EAB, error) {
	list := []EAB{}
	for _, e := range s.ca.EABs() {
		list = append(list, showEAB(e))
	}
	return list, nil
}

func showEAB(e mockca.EAB) EAB {
	return EAB{KeyID: e.KeyID, Key: base64.RawURLEncoding.EncodeToString(e.Key), Algorithm: e.Algorithm, Account: e.Account}
}

func (s *Server) addEAB(_ *http.Request, in EAB) (EAB, error) { return addEAB(s.ca, in) }

func addEAB(ca *mockca.CA, in EAB) (EAB, error) {
	if in.Account != "" {
		return EAB{}, badRequest(`"account" can't be set`)
	}
	if in.Algorithm != "" && !slices.Contains([]string{"HS256", "HS384", "HS512"}, in.Algorithm) {
		return EAB{}, badRequest("algorithm %q is not one of HS256, HS384 and HS512", in.Algorithm)
	}
	key, err := mockca.ParseEABKey(in.Key)
	if err != nil {
		return EAB{}, badRequest("the key is not base64url: %v", err)
	}
	if len(key) == 0 || in.KeyID == "" {
		kid, made := ca.NewEAB()
		if in.KeyID == "" {
			in.KeyID = kid
		} else {
			ca.RemoveEAB(kid)
		}
		if len(key) == 0 {
			key = made
		}
	}
	var algorithm []string
	if in.Algorithm != "" {
		algorithm = []string{in.Algorithm}
	}
	ca.AddEAB(in.KeyID, key, algorithm...)
	return showEAB(mockca.EAB{KeyID: in.KeyID, Key: key, Algorithm: in.Algorithm}), nil
}

func (s *Server) removeEAB(r *http.Request, _ none) (none, error) {
	kid := r.PathValue("kid")
	if !slices.ContainsFunc(s.ca.EABs(), func(e mockca.EAB) bool { return e.KeyID == kid }) {
		return none{}, notFound("there is no key %q", kid)
	}
	s.ca.RemoveEAB(kid)
	return none{}, nil
}

var _ json.Marshaler = policyJSON{}
