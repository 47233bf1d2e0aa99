package clientcases

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// How the reference asks.

var errNotHTTPS = errors.New("not https")

func (v *visit) allowed(url string) error {
	if !strings.HasPrefix(url, "https://") && !v.on("goes-anywhere") {
		return fmt.Errorf("%s: %w", url, errNotHTTPS)
	}
	return nil
}

func (v *visit) headers(signed bool) map[string]string {
	h := map[string]string{"Accept-Language": "en"}
	if v.on("no-user-agent") {
		h["User-Agent"] = ""
	}
	if v.on("no-language") {
		delete(h, "Accept-Language")
	}
	if v.on("sends-replay-nonce") {
		h["Replay-Nonce"] = "abc"
	}
	if signed {
		h["Content-Type"] = "application/jose+json"
		if v.on("plain-json") {
			h["Content-Type"] = "application/json"
		}
	}
	return h
}

// get reads something public. It follows a few redirects, to https only.
func (v *visit) get(url string) (*wire.Response, error) {
	hops := 5
	if v.on("follows-for-ever") {
		hops = 100
	}
	for range hops {
		if err := v.allowed(url); err != nil {
			return nil, err
		}
		r, err := v.exchange(wire.Request{Method: http.MethodGet, URL: url, Headers: v.headers(false)})
		if err != nil {
			return nil, err
		}
		if r.Status/100 != 3 {
			return r, problemOf(r)
		}
		url = r.Location()
	}
	return nil, errors.New("too many redirects")
}

// exchange sends once, and once more where the connection failed or the server
// is not well.
func (v *visit) exchange(request wire.Request) (*wire.Response, error) {
	tries := 2
	switch {
	case v.on("hammers"):
		tries = 60
	case v.on("no-retries"):
		tries = 1
	}
	for try := 1; ; try++ {
		r, err := v.session.Do(v.ctx, request)
		if err == nil && r.Status/100 != 5 || try >= tries || request.Method == http.MethodPost {
			return r, err
		}
		v.rest(r, 50*time.Millisecond)
	}
}

// rest waits as long as the answer says, or usual.
func (v *visit) rest(r *wire.Response, usual time.Duration) {
	if r != nil {
		if wait, ok, err := r.RetryAfter(); ok && err == nil && !v.on("ignores-retry-after") {
			usual = wait
		}
	}
	_ = v.clock.Sleep(v.ctx, usual)
}

var replayNonce = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (v *visit) keep(r *wire.Response) {
	if n := r.Header.Get("Replay-Nonce"); replayNonce.MatchString(n) || v.on("any-nonce") && n != "" {
		v.nonces = append(v.nonces, n)
	}
}

func (v *visit) nonce() (string, error) {
	if n := len(v.nonces); n > 0 {
		nonce := v.nonces[n-1]
		v.nonces = v.nonces[:n-1]
		return nonce, nil
	}
	if v.on("needs-replay-nonce") && v.kid != "" {
		return "", errors.New("no nonce")
	}
	r, err := v.exchange(wire.Request{Method: http.MethodHead, URL: v.url("newNonce"), Headers: v.headers(false)})
	if err != nil {
		return "", err
	}
	if v.on("needs-200") && r.Status != http.StatusOK {
		return "", errors.New("newNonce is not 200")
	}
	if r.Status/100 != 2 {
		return "", problemOf(r)
	}
	return r.Header.Get("Replay-Nonce"), nil
}

// post sends a signed request: again after badNonce, when the server is
// overloaded, and when the connection fails. payload nil is POST-as-GET.
func (v *visit) post(url string, payload []byte, change ...func(*wire.Message)) (*wire.Response, error) {
	if err := v.allowed(url); err != nil {
		return nil, err
	}
	badNonces, failures := 0, 0
	for {
		r, err := v.postOnce(url, payload, change)
		switch p := problem(r); {
		case v.ctx.Err() != nil:
			return nil, v.ctx.Err()
		case err != nil || r.Status/100 == 5:
			if failures++; failures > 3 || v.on("no-retries") || v.on("forgets-key") && url == v.url("newAccount") {
				if err == nil {
					err = problemOf(r)
				}
				return nil, err
			}
			v.rest(r, 50*time.Millisecond)
			if v.on("hammers") {
				failures = 0
			}
			continue
		case p.Short() == "badNonce" && !v.on("gives-up-on-bad-nonce"):
			if _, number := p.Members["status"].(float64); !number && v.on("strict-problems") {
				return nil, problemOf(r)
			}
			if badNonces++; badNonces > 5 && !v.on("retries-for-ever") || badNonces > 80 {
				return nil, problemOf(r)
			}
			continue
		case (r.Status == http.StatusTemporaryRedirect) && v.on("follows-post"):
			body, _ := wire.Message{Key: v.key, KID: v.kid, Payload: payload, URL: url, Nonce: "x"}.Body()
			return v.session.Do(v.ctx, wire.Request{Method: http.MethodPost, URL: r.Location(), Headers: v.headers(true), Body: body})
		case r.Status == http.StatusTooManyRequests:
			if badNonces++; badNonces > 2 {
				return nil, problemOf(r)
			}
			v.rest(r, time.Second)
			continue
		}
		return r, problemOf(r)
	}
}

func (v *visit) postOnce(url string, payload []byte, change []func(*wire.Message)) (*wire.Response, error) {
	nonce, err := v.nonce()
	if err != nil {
		return nil, err
	}
	m := wire.Message{Key: v.key, KID: v.kid, Payload: payload, URL: url, Nonce: nonce}
	for _, c := range change {
		c(&m)
	}
	v.misform(&m, url)
	body, err := m.Body()
	if err != nil {
		return nil, err
	}
	v.spent = m.Nonce
	r, err := v.exchange(wire.Request{Method: http.MethodPost, URL: url, Headers: v.headers(true), Body: body})
	if err == nil {
		v.keep(r)
	}
	return r, err
}

// misform makes requests wrong.
func (v *visit) misform(m *wire.Message, url string) {
	flat := func(change func(map[string]any)) {
		m.Envelope = func(p wire.Parts) any {
			all := p.Flattened()
			change(all)
			return all
		}
	}
	newOrder := url == v.url("newOrder")
	switch v.wrong {
	case "not-utf8":
		if newOrder {
			m.Payload = []byte("{\"x\":\"\xff\"}")
		}
	case "pads":
		flat(func(all map[string]any) { all["payload"] = all["payload"].(string) + "=" })
	case "several-signatures":
		flat(func(all map[string]any) { all["signatures"] = []any{} })
	case "detaches":
		flat(func(all map[string]any) { delete(all, "payload") })
	case "unprotected":
		flat(func(all map[string]any) { all["header"] = map[string]any{"alg": "ES256"} })
	case "unencoded":
		m.Edit = func(h *wire.Header) { h.Set("b64", false); h.Set("crit", []string{"b64"}) }
	case "mac":
		m.Edit = func(h *wire.Header) { h.Set("alg", "HS256") }
	case "no-url":
		m.NoURL = true
	case "lower-case-url":
		m.URL = strings.ToLower(m.URL)
	case "jwk-everywhere":
		m.KID = ""
	case "private-jwk":
		if m.KID == "" {
			m.Edit = func(h *wire.Header) {
				h.Set("jwk", map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"})
			}
		}
	case "other-key":
		if newOrder {
			m.Key = builtIn
		}
	case "reuses-nonce":
		if newOrder && v.spent != "" {
			m.Nonce = v.spent
			v.spent = ""
		}
	}
}

func problem(r *wire.Response) *wire.Problem {
	if r == nil || r.Status < 400 {
		return nil
	}
	p, err := r.Problem()
	if err != nil {
		return nil
	}
	return p
}

// problemOf is an answer as an error; nil when it is none.
func problemOf(r *wire.Response) error {
	if r.Status < 300 {
		return nil
	}
	text := r.Excerpt()
	if p := problem(r); p != nil {
		text = fmt.Sprintf("%d %s: %s %s", r.Status, p.Type, p.Detail, p.Instance)
		list, _ := p.Members["subproblems"].([]any)
		for _, each := range list {
			if m, ok := each.(map[string]any); ok {
				text += fmt.Sprintf("; %v: %v", m["type"], m["detail"])
			}
		}
		return &problemError{p.Short(), text}
	}
	return &problemError{"", text}
}

// problemError is an error of the CA's.
type problemError struct{ kind, text string }

func (e *problemError) Error() string { return e.text }

func kindOf(err error) string {
	if e, ok := errors.AsType[*problemError](err); ok {
		return e.kind
	}
	return ""
}
