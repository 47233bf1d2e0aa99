package servercases

import (
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/responder"
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// Env is what all cases of a run have in common: the server they judge, and
// the means to answer its validations.
type Env struct {
	DirectoryURL string
	Transport    http.RoundTripper // trusts the API's certificate; shared by all cases
	UserAgent    string
	Timeout      time.Duration // of one exchange; wire's default when 0

	// Domain is where all names of the run lie, as fresh labels below it.
	Domain string

	// Responder answers validations on ports of its own, with whatever a case
	// wants; Publisher hands right answers on to others. AlwaysValid says that
	// the server looks at none. With none of them nothing is issued.
	Responder   *responder.Responder
	Publisher   responder.Publisher
	AlwaysValid bool

	// ResolvesHere says that the server asks the responder's DNS.
	ResolvesHere bool

	// Addresses reach the responder, for identifiers of type ip.
	Addresses []netip.Addr

	// Binding is an external account (RFC 8555, Section 7.3.4), or nil.
	Binding *Binding

	// Contact goes into new accounts; may be empty.
	Contact []string

	// ShareAccount lets all cases that don't harm it use one account.
	ShareAccount bool

	// Terms, if set, changes the server's terms of service, to see how it asks
	// for agreement (RFC 8555, Section 7.3.3).
	Terms func()

	addressBusy sync.Mutex // held by the case that answers TLS for an address

	once   sync.Mutex
	shared map[string]*sharedResult
}

// Binding is the MAC key of an external account.
type Binding struct {
	KeyID string
	Key   []byte
}

type sharedResult struct {
	once      sync.Once
	value     any
	stop      *stop
	exchanges []wire.Exchange
}

func (e *Env) sharedResult(name string) *sharedResult {
	e.once.Lock()
	defer e.once.Unlock()
	if e.shared == nil {
		e.shared = map[string]*sharedResult{}
	}
	if e.shared[name] == nil {
		e.shared[name] = &sharedResult{}
	}
	return e.shared[name]
}

// answerable are the challenge types whose right answer can be given, best
// first.
func (e *Env) answerable() []string {
	if e.AlwaysValid {
		return []string{http01, dns01, tlsalpn01}
	}
	var types []string
	if e.Responder != nil {
		if e.Responder.HTTPPort() != 0 {
			types = append(types, http01)
		}
		if e.Responder.DNSAddr() != "" && e.ResolvesHere {
			types = append(types, dns01)
		}
		if e.Responder.TLSPort() != 0 {
			types = append(types, tlsalpn01)
		}
	}
	if e.Publisher != nil {
		for _, kind := range e.Publisher.Types() {
			if !slices.Contains(types, kind) {
				types = append(types, kind)
			}
		}
	}
	return types
}

// Challenge types.
const (
	http01       = "http-01"
	dns01        = "dns-01"
	tlsalpn01    = "tls-alpn-01"
	dnsAccount01 = "dns-account-01"
	dnsPersist01 = "dns-persist-01"
)
