package clientcases

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// RFC 8737: tls-alpn-01. The certificate that a client shows is judged by the
// suite itself while the CA validates.

var acmeIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// handshake is what a client showed at one handshake.
type handshake struct {
	err   error
	state tls.ConnectionState
	extra string // what came after the handshake
}

// greet connects as a CA does.
func greet(port int, serverName string, protocols ...string) (h handshake) {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 3 * time.Second}, Config: &tls.Config{ServerName: serverName, NextProtos: protocols, InsecureSkipVerify: true}}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	c, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		h.err = err
		return h
	}
	defer func() { _ = c.Close() }()
	h.state = c.(*tls.Conn).ConnectionState()
	_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	data, _ := io.ReadAll(io.LimitReader(c, 1024))
	h.extra = string(data)
	return h
}

func (h handshake) leaf() *x509.Certificate {
	if h.err != nil || len(h.state.PeerCertificates) == 0 {
		return nil
	}
	return h.state.PeerCertificates[0]
}

// serverName is how a CA asks for an identifier (RFC 8738, Section 6).
func serverName(id mockca.Identifier) string {
	if _, err := netip.ParseAddr(id.Value); err == nil {
		if name, err := dns.ReverseAddr(id.Value); err == nil {
			return strings.TrimSuffix(name, ".")
		}
	}
	return id.Value
}

// judgeALPN validates by tls-alpn-01 and leaves what it saw in m.
func judgeALPN(port int, m *memory) func(context.Context, mockca.ValidationRequest) *mockca.Problem {
	return func(_ context.Context, v mockca.ValidationRequest) *mockca.Problem {
		if v.Type != "tls-alpn-01" {
			return &mockca.Problem{Type: mockca.TypeMalformed, Detail: "tls-alpn-01 was wanted"}
		}
		h := greet(port, serverName(v.Identifier), "acme-tls/1")
		problems := alpnProblems(h, v)
		for _, p := range problems {
			m.note(p)
		}
		if len(problems) > 0 {
			return &mockca.Problem{Type: mockca.TypeIncorrectResponse, Detail: problems[0]}
		}
		return nil
	}
}

// alpnProblems are what is wrong, each as the requirement's id, a space and the
// finding.
func alpnProblems(h handshake, v mockca.ValidationRequest) (out []string) {
	wrong := func(requirement, format string, args ...any) {
		out = append(out, requirement+" "+fmt.Sprintf(format, args...))
	}
	leaf := h.leaf()
	if leaf == nil {
		wrong("RFC8737-3-11", "no certificate for ALPN acme-tls/1 with SNI %s: %v", serverName(v.Identifier), h.err)
		return out
	}
	if h.state.NegotiatedProtocol != "acme-tls/1" {
		wrong("RFC8737-6.2-01", "the protocol negotiated is %q", h.state.NegotiatedProtocol)
	}
	if leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) != nil {
		wrong("RFC8737-3-05", "the certificate is not signed by its own key")
	}
	sans := len(leaf.DNSNames) + len(leaf.IPAddresses) + len(leaf.EmailAddresses) + len(leaf.URIs)
	if addr, err := netip.ParseAddr(v.Identifier.Value); err == nil {
		if sans != 1 || len(leaf.IPAddresses) != 1 || leaf.IPAddresses[0].String() != addr.String() {
			wrong("RFC8738-6-01", "subjectAltName has %v %v", leaf.DNSNames, leaf.IPAddresses)
		}
	} else if sans != 1 || len(leaf.DNSNames) != 1 || leaf.DNSNames[0] != v.Identifier.Value {
		wrong("RFC8737-3-07", "subjectAltName has %v %v", leaf.DNSNames, leaf.IPAddresses)
	}
	found := false
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(acmeIdentifier) {
			continue
		}
		found = true
		if !e.Critical {
			wrong("RFC8737-3-09", "acmeIdentifier is not critical")
		}
		sum := sha256.Sum256([]byte(v.KeyAuthorization))
		var digest []byte
		if rest, err := asn1.Unmarshal(e.Value, &digest); err != nil || len(rest) > 0 || len(digest) != len(sum) {
			wrong("RFC8737-3-10", "acmeIdentifier is % x, not an OCTET STRING of 32 bytes", e.Value)
		} else if [32]byte(digest) != sum {
			wrong("RFC8737-3-08", "acmeIdentifier is not the digest of the key authorization")
		}
	}
	if !found {
		wrong("RFC8737-3-06", "the certificate has no acmeIdentifier")
	}
	if h.extra != "" {
		wrong("RFC8737-4-06", "after the handshake came %q", h.extra)
	}
	return out
}

// report turns what a validation saw into findings.
func (m *memory) report(t *Trial) {
	for _, note := range m.all() {
		requirement, text, _ := strings.Cut(note, " ")
		if !slices.Contains(t.scenario.Requirements, requirement) {
			requirement = t.main()
		}
		t.at(nil).Must(false, requirement, "a handshake as the standard wants it", "%s", text)
	}
}

func tlsALPN01Scenarios() []Scenario {
	return []Scenario{
		byALPN(Scenario{
			ID: "rfc8737/3/certificate", Title: "Shows a certificate that proves control, and is right in all parts",
			Requirements: []string{"RFC8737-3-11", "RFC8737-3-05", "RFC8737-3-06", "RFC8737-3-07", "RFC8737-3-08", "RFC8737-3-09", "RFC8737-3-10", "RFC8737-4-06", "RFC8737-6.2-01", "RFC8738-6-01"},
			Does:         "Looks closely at the certificate for acme-tls/1.", Expects: "self-signed, for the one name, with the digest in a critical acmeIdentifier; and no data after the handshake",
		}, nil, func(t *Trial, m *memory) {
			r := t.run(Issue)
			m.report(t)
			t.has(r)
		}),
		byALPN(Scenario{
			ID: "rfc8737/3/response", Title: "Answers tls-alpn-01 with {}",
			Requirements: []string{"RFC8737-3-12"},
			Does:         "Validates by tls-alpn-01.", Expects: "the payload {}",
		}, nil, func(t *Trial, _ *memory) {
			r := t.run(Issue)
			t.each(r.to(mockca.ChallengeURL), t.main(), "the payload {}", func(r *request) string {
				return unless(len(r.payload) == 0 || string(r.payload) == "{}", "it is %s", r.payload)
			})
			t.has(r)
		}),
		byALPN(Scenario{
			ID: "rfc8737/4/other-names", Title: "Speaks acme-tls/1 for names that it is proving, and no others",
			Requirements: []string{"RFC8737-4-01"},
			Does:         "While it validates it asks by acme-tls/1 for another name.", Expects: "no handshake",
		}, func(s *Stage, m *memory) {
			usual, port := s.CA.Validation.Script, s.Env.TLSPort
			s.CA.Validation.Script = func(ctx context.Context, v mockca.ValidationRequest) *mockca.Problem {
				if h := greet(port, "elsewhere.conformance.test", "acme-tls/1"); h.leaf() != nil {
					m.note("RFC8737-4-01 a name without a pending challenge was answered with a certificate for " + strings.Join(h.leaf().DNSNames, ", "))
				}
				return usual(ctx, v)
			}
		}, func(t *Trial, m *memory) {
			r := t.run(Issue)
			m.report(t)
			t.has(r)
		}),
		byALPN(Scenario{
			ID: "rfc8737/4/ordinary-clients", Title: "Shows the validation certificate to nobody but the CA",
			Requirements: []string{"RFC8737-4-02"},
			Does:         "While it validates it connects without ALPN, and with h2.", Expects: "another certificate, or no handshake",
		}, func(s *Stage, m *memory) {
			usual, port := s.CA.Validation.Script, s.Env.TLSPort
			s.CA.Validation.Script = func(ctx context.Context, v mockca.ValidationRequest) *mockca.Problem {
				for _, protocols := range [][]string{nil, {"h2"}} {
					leaf := greet(port, serverName(v.Identifier), protocols...).leaf()
					if leaf == nil {
						continue
					}
					for _, e := range leaf.Extensions {
						if e.Id.Equal(acmeIdentifier) {
							m.note(fmt.Sprintf("RFC8737-4-02 a client with ALPN %q gets the validation certificate", protocols))
						}
					}
				}
				return usual(ctx, v)
			}
		}, func(t *Trial, m *memory) {
			r := t.run(Issue)
			m.report(t)
			t.has(r)
		}),
		byALPN(Scenario{
			ID: "rfc8737/3/internationalized", Title: "Proves names with letters beyond ASCII by their A-labels",
			Requirements: []string{"RFC8737-3-22"}, Needs: []Feature{Internationalized},
			Does: "The user wants a certificate for bücher.conformance.test.", Expects: "xn--bcher-kva in SNI and certificate",
		}, func(s *Stage, _ *memory) { s.Env.Domains = []string{"bücher.conformance.test"} }, func(t *Trial, m *memory) {
			r := t.run(Issue)
			m.report(t)
			t.has(r)
		}),
	}
}

// byALPN is a scenario in which the suite validates by tls-alpn-01.
func byALPN(s Scenario, stage func(*Stage, *memory), play func(*Trial, *memory)) Scenario {
	s.Needs = append([]Feature{TLSALPN01}, s.Needs...)
	s.Stage = func(st *Stage) {
		m := &memory{}
		st.memory = m
		st.Env.Challenge = "tls-alpn-01"
		st.CA.Validation.Script = judgeALPN(st.Env.TLSPort, m)
		if stage != nil {
			stage(st, m)
		}
	}
	s.Play = func(t *Trial) { play(t, t.world.memory) }
	return s
}
