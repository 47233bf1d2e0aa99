package clientcases

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// How the reference proves control.

type challenge struct {
	Type   string `json:"type"`
	URL    string `json:"url"`
	Status string `json:"status"`
	Token  string `json:"token"`
	Error  struct {
		Detail string `json:"detail"`
	} `json:"error"`
}

type authorization struct {
	Status     string      `json:"status"`
	Identifier identifier  `json:"identifier"`
	Wildcard   bool        `json:"wildcard"`
	Challenges []challenge `json:"challenges"`

	url string
}

func (v *visit) authorization(url string) (*authorization, *wire.Response, error) {
	r, err := v.post(url, nil)
	if err != nil {
		return nil, nil, err
	}
	z := authorization{url: url}
	return &z, r, r.JSON(&z)
}

// proof is one challenge at work.
type proof struct {
	z      *authorization
	c      challenge
	looked atomic.Bool // the CA came
}

// prove completes authorizations: all responses are in place before the first
// challenge is answered.
func (v *visit) prove(urls []string) error {
	var proofs []*proof
	for _, url := range urls {
		z, _, err := v.authorization(url)
		if err != nil {
			return err
		}
		if z.Status == "valid" && !v.on("answers-valid") {
			continue
		}
		i := slices.IndexFunc(z.Challenges, func(c challenge) bool { return c.Type == v.Challenge })
		if v.on("first-challenge") {
			i = 0
		}
		if i < 0 {
			return fmt.Errorf("no %s", v.Challenge)
		}
		c := z.Challenges[i]
		if !replayNonce.MatchString(c.Token) && !v.on("any-token") {
			return errors.New("the token is not base64url")
		}
		proofs = append(proofs, &proof{z: z, c: c})
	}
	answer := func() error {
		for _, p := range proofs {
			payload := []byte("{}")
			if v.on("odd-response") {
				payload = encodeJSON(map[string]string{"keyAuthorization": v.keyAuthorization(p.c.Token)})
			}
			if _, err := v.post(p.c.URL, payload); err != nil && !v.on("answers-valid") {
				return err
			}
		}
		return nil
	}
	if v.on("answers-first") {
		if err := answer(); err != nil {
			return err
		}
	}
	away, err := v.present(proofs)
	if err != nil {
		return err
	}
	if v.on("leaves-response") {
		time.AfterFunc(8*time.Second, away)
	} else {
		defer away()
	}
	if !v.on("answers-first") {
		if err := answer(); err != nil {
			return err
		}
	}
	if v.on("removes-early") {
		away()
	}
	for _, p := range proofs {
		if err := v.waitForProof(p); err != nil {
			return err
		}
	}
	return nil
}

// waitForProof polls, once the CA came to look or some time has passed.
func (v *visit) waitForProof(p *proof) error {
	for range 80 {
		if p.looked.Load() || v.on("polls-early") || v.Clock != nil || v.Challenge != "http-01" {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	for range 60 {
		z, r, err := v.authorization(p.z.url)
		if err != nil {
			return err
		}
		switch z.Status {
		case "valid":
			return nil
		case "pending":
		default:
			for _, c := range z.Challenges {
				if c.Error.Detail != "" {
					return fmt.Errorf("%s: %s", z.Identifier.Value, c.Error.Detail)
				}
			}
			return fmt.Errorf("the authorization is %s", z.Status)
		}
		if v.on("polls-fast") {
			r = nil
		}
		v.rest(r, 200*time.Millisecond)
	}
	return errors.New("the authorization does not get on")
}

func (v *visit) keyAuthorization(token string) string {
	text := v.key.KeyAuthorization(token)
	if v.on("wrong-thumbprint") {
		text = token + "." + builtIn.Thumbprint()
	}
	return text
}

// present puts responses in place, and returns what takes them away again.
func (v *visit) present(proofs []*proof) (away func(), err error) {
	switch v.Challenge {
	case "dns-01":
		return v.presentDNS(proofs)
	case "tls-alpn-01":
		return v.presentTLS(proofs)
	}
	byPath := map[string]*proof{}
	for _, p := range proofs {
		byPath["/.well-known/acme-challenge/"+p.c.Token] = p
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", v.HTTPPort))
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p, known := byPath[req.URL.Path]
		switch {
		case known:
			_, _ = w.Write([]byte(v.keyAuthorization(p.c.Token)))
			p.looked.Store(true)
		case v.on("echoes-tokens"):
			token := strings.TrimPrefix(req.URL.Path, "/.well-known/acme-challenge/")
			_, _ = w.Write([]byte(v.keyAuthorization(token)))
		default:
			http.NotFound(w, req)
		}
	})}
	go func() { _ = server.Serve(l) }()
	return sync.OnceFunc(func() { _ = server.Close() }), nil
}

func (v *visit) presentDNS(proofs []*proof) (func(), error) {
	zone := responder.RFC2136{Server: v.DNSServer, Zone: "conformance.test", KeyName: v.DNSKeyName, KeySecret: v.DNSKeySecret}
	var answers []responder.Answer
	for _, p := range proofs {
		sum := sha256.Sum256([]byte(v.keyAuthorization(p.c.Token)))
		a := responder.Answer{Type: "dns-01", Name: p.z.Identifier.Value, TXT: base64.RawURLEncoding.EncodeToString(sum[:])}
		if v.on("wrong-owner") {
			a.Name = "x." + a.Name
		}
		if err := zone.Publish(v.ctx, a); err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return sync.OnceFunc(func() {
		for _, a := range answers {
			_ = zone.Remove(context.WithoutCancel(v.ctx), a)
		}
	}), nil
}

func (v *visit) presentTLS(proofs []*proof) (func(), error) {
	certificates := map[string]*tls.Certificate{}
	for _, p := range proofs {
		c := responder.TLSCertificate{KeyAuthorization: v.keyAuthorization(p.c.Token), NotCritical: v.on("not-critical")}
		name := serverName(mockca.Identifier(p.z.Identifier))
		if addr, err := netip.ParseAddr(p.z.Identifier.Value); err == nil {
			c.IPs = []netip.Addr{addr}
		} else {
			c.DNS = []string{p.z.Identifier.Value}
		}
		if v.on("forward-name") {
			name = p.z.Identifier.Value
		}
		made, err := c.Make()
		if err != nil {
			return nil, err
		}
		certificates[name] = made
	}
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c := certificates[hello.ServerName]
		if v.on("any-server-name") {
			for _, any := range certificates {
				c = any
			}
		}
		alpn := slices.Equal(hello.SupportedProtos, []string{"acme-tls/1"})
		if c == nil || !alpn && !v.on("shows-everybody") {
			return nil, errors.New("nobody here")
		}
		config := &tls.Config{Certificates: []tls.Certificate{*c}}
		if alpn {
			config.NextProtos = []string{"acme-tls/1"}
		}
		return config, nil
	}}
	l, err := tls.Listen("tcp", fmt.Sprintf(":%d", v.TLSPort), config)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				if c.(*tls.Conn).Handshake() == nil {
					_, _ = bytes.NewBuffer(nil).ReadFrom(c)
				}
			}()
		}
	}()
	return sync.OnceFunc(func() { _ = l.Close() }), nil
}
