package mockca

import (
	"fmt"
	"html"
	"net/http"
)

// Directory and nonces: RFC 8555, Sections 7.1.1 and 7.2.

type directoryJSON struct {
	NewNonce    string    `json:"newNonce"`
	NewAccount  string    `json:"newAccount"`
	NewOrder    string    `json:"newOrder"`
	NewAuthz    string    `json:"newAuthz,omitempty"`
	RevokeCert  string    `json:"revokeCert"`
	KeyChange   string    `json:"keyChange,omitempty"`
	RenewalInfo string    `json:"renewalInfo,omitempty"`
	Meta        *metaJSON `json:"meta,omitempty"`
}

type metaJSON struct {
	TermsOfService string            `json:"termsOfService,omitempty"`
	Website        string            `json:"website,omitempty"`
	CAAIdentities  []string          `json:"caaIdentities,omitempty"`
	RequireEAB     bool              `json:"externalAccountRequired,omitempty"`
	Profiles       map[string]string `json:"profiles,omitempty"`
}

func (r *request) directory() (*Response, *Problem) {
	url := func(e Endpoint, off bool) string {
		if off {
			return ""
		}
		return r.base + r.ca.routes.path[e]
	}
	p := r.policy
	out := directoryJSON{
		NewNonce: url(NewNonce, false), NewAccount: url(NewAccount, false), NewOrder: url(NewOrder, false), NewAuthz: url(NewAuthz, p.NoNewAuthz),
		RevokeCert: url(RevokeCert, false), KeyChange: url(KeyChange, p.NoKeyChange), RenewalInfo: url(RenewalInfo, p.NoRenewalInfo),
	}
	if !p.NoMeta {
		out.Meta = &metaJSON{TermsOfService: p.TermsOfService, Website: p.Website, CAAIdentities: p.CAAIdentities, RequireEAB: p.RequireEAB}
		if !p.HideProfiles {
			out.Meta.Profiles = make(map[string]string, len(p.Profiles))
			for name, f := range p.Profiles {
				out.Meta.Profiles[name] = f.Description
			}
		}
	}
	return JSONResponse(http.StatusOK, out), nil
}

// newNonce: HEAD is answered 200, GET 204; the nonce comes with the headers that
// all answers have.
func (r *request) newNonce() (*Response, *Problem) {
	status := http.StatusOK
	if r.http.Method == http.MethodGet {
		status = http.StatusNoContent
	}
	return &Response{Status: status, Header: make(http.Header, 4)}, nil
}

func (r *request) terms() (*Response, *Problem) {
	page := fmt.Sprintf("<!doctype html><title>Terms of service</title><p>%s issues certificates for tests. Nobody must trust them.\n", html.EscapeString(r.policy.Name))
	return &Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte(page), Bare: true}, nil
}

// ChangeTerms replaces the terms of service: every account gets
// userActionRequired until it agrees (RFC 8555, Section 7.3.3). An empty URL
// stands for new terms of the CA's own.
func (ca *CA) ChangeTerms(url string) {
	if url == "" {
		url = fmt.Sprintf("%s?since=%d", ca.URL(Terms), ca.clock.Now().UnixNano())
	}
	ca.ChangePolicy(func(p *Policy) { p.TermsOfService = url })
}
