package validate

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/acme-e2e/acme-e2e/internal/clock"
)

// RFC 8555, Section 8 (validation); Section 10.2 (perspectives).

// The challenge types that can be validated.
const (
	HTTP01       = "http-01"
	TLSALPN01    = "tls-alpn-01"
	DNS01        = "dns-01"
	DNSAccount01 = "dns-account-01"
	DNSPersist01 = "dns-persist-01"
)

// Identifier is what is to be certified.
type Identifier struct {
	Type  string // "dns" or "ip"
	Value string // a name in A-labels without "*.", or an address as text
}

// Request is one challenge that the applicant says is answered.
type Request struct {
	Type             string
	Identifier       Identifier
	Wildcard         bool // "*." in front of the name was ordered
	Token            string
	KeyAuthorization string
	AccountURL       string   // dns-account-01 and dns-persist-01
	IssuerDomains    []string // dns-persist-01: those that the challenge offered
}

// Dialer connects to "host:port" over "tcp" or "udp".
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Perspective is one place on the network to look from.
type Perspective struct {
	Name string
	DNS  Exchanger // default: the Config's
	Dial Dialer    // default: the Config's
	Fail *Problem  // found without looking
}

// Config says where to look. The zero value finds every name on loopback, at
// the ports that Pebble uses.
type Config struct {
	HTTPPort  int // default 5002; stands for port 80
	HTTPSPort int // default 5003; stands for port 443 in redirects
	TLSPort   int // default 5001

	DNS  Exchanger // default: Everywhere()
	Dial Dialer    // default: net.Dialer

	// Perspectives look too once the first look, from the Config's own, has
	// succeeded. Quorum is how many must agree; 0: all but one of two to five,
	// all but two of six and more.
	Perspectives []Perspective
	Quorum       int

	// CAAIdentities are the issuer domain names that CAA may name.
	CAAIdentities []string
	// ShowBodies repeats in problems what HTTP servers said, as Boulder does
	// and RFC 8555, Section 10.4, advises against.
	ShowBodies bool
	// Mismatch is the problem type of an answer that is not the expected one:
	// default "incorrectResponse"; Boulder says "unauthorized".
	Mismatch string

	Timeout      time.Duration // for one look from one perspective; default 20 s, real time
	DialTimeout  time.Duration // for one connection; default 5 s
	MaxRedirects int           // default 10; below zero: none are followed
	UserAgent    string
	Clock        clock.Clock  // for the times in results and persistUntil; default the machine's
	Logger       *slog.Logger // default silent
}

// Validator validates. Make it with New.
type Validator struct {
	c       Config
	primary Perspective
}

// New takes over c with its defaults.
func New(c Config) *Validator {
	if c.HTTPPort == 0 {
		c.HTTPPort = 5002
	}
	if c.HTTPSPort == 0 {
		c.HTTPSPort = 5003
	}
	if c.TLSPort == 0 {
		c.TLSPort = 5001
	}
	if c.DNS == nil {
		c.DNS = Everywhere()
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Mismatch == "" {
		c.Mismatch = IncorrectResponse
	}
	if c.Timeout <= 0 {
		c.Timeout = 20 * time.Second
	}
	if c.DialTimeout <= 0 {
		c.DialTimeout = 5 * time.Second
	}
	if c.MaxRedirects == 0 {
		c.MaxRedirects = 10
	}
	if c.UserAgent == "" {
		c.UserAgent = "Mozilla/5.0 (compatible; acme-e2e mockca validation; for testing)"
	}
	if c.Clock == nil {
		c.Clock = clock.System
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	v := &Validator{c: c, primary: Perspective{DNS: c.DNS, Dial: c.Dial}}
	v.c.Perspectives = nil
	for i, p := range c.Perspectives {
		if p.Name == "" {
			p.Name = fmt.Sprintf("perspective %d", i+1)
		}
		if p.DNS == nil {
			p.DNS = c.DNS
		}
		if p.Dial == nil {
			p.Dial = c.Dial
		}
		v.c.Perspectives = append(v.c.Perspectives, p)
	}
	return v
}

// Record is one address that was looked at, in the form of Boulder's
// validationRecord.
type Record struct {
	URL         string   `json:"url,omitempty"`
	Hostname    string   `json:"hostname,omitempty"`
	Port        string   `json:"port,omitempty"`
	Addresses   []string `json:"addressesResolved,omitempty"`
	AddressUsed string   `json:"addressUsed,omitempty"`
	Perspective string   `json:"perspective,omitempty"` // empty: the first look
}

// Outcome is what was seen from one perspective.
type Outcome struct {
	Perspective string
	Problem     *Problem // nil: all is well
	Records     []Record
}

// Result is the verdict on a Request.
type Result struct {
	Problem        *Problem // nil: the challenge is valid
	Records        []Record // of all perspectives
	Started, Ended time.Time
	Perspectives   []Outcome     // beyond the first
	TTL            time.Duration // dns-persist-01: how long the record may be relied on; zero: not at all beyond now
}

// look is one validation under way from one perspective.
type look struct {
	*Validator
	Perspective
	req     Request
	records []Record
	ttl     time.Duration
}

// Validate looks from all perspectives. It returns when ctx ends at the latest.
func (v *Validator) Validate(ctx context.Context, r Request) Result {
	result := Result{Started: v.c.Clock.Now()}
	first := &look{Validator: v, Perspective: v.primary, req: r}
	result.Problem = v.within(ctx, first.validate)
	result.Records, result.TTL = first.records, first.ttl
	if result.Problem == nil && len(v.c.Perspectives) > 0 {
		looks := make([]*look, len(v.c.Perspectives))
		result.Perspectives, result.Problem = v.corroborate(ctx, func(i int, p Perspective) func(context.Context) *Problem {
			looks[i] = &look{Validator: v, Perspective: p, req: r}
			return looks[i].validate
		})
		for i, l := range looks {
			result.Perspectives[i].Records = l.records
			result.Records = append(result.Records, l.records...)
		}
	}
	result.Ended = v.c.Clock.Now()
	if p := result.Problem; p != nil {
		v.c.Logger.InfoContext(ctx, "validation failed", "type", r.Type, "identifier", r.Identifier.Value, "problem", p.Type, "detail", p.Detail)
	}
	return result
}

// within gives one look its time.
func (v *Validator) within(ctx context.Context, look func(context.Context) *Problem) *Problem {
	ctx, cancel := context.WithTimeout(ctx, v.c.Timeout)
	defer cancel()
	return look(ctx)
}

// corroborate looks from the further perspectives at once, and says what is
// wrong unless enough of them agree.
func (v *Validator) corroborate(ctx context.Context, prepare func(int, Perspective) func(context.Context) *Problem) ([]Outcome, *Problem) {
	list := v.c.Perspectives
	problems := make(chan int, len(list))
	outcomes := make([]Outcome, len(list))
	for i, p := range list {
		outcomes[i].Perspective = p.Name
		run := prepare(i, p)
		go func() {
			if outcomes[i].Problem = p.Fail; p.Fail == nil {
				outcomes[i].Problem = v.within(ctx, run)
			}
			problems <- i
		}()
	}
	agree, worst := 0, -1
	for range list {
		i := <-problems
		switch {
		case outcomes[i].Problem == nil:
			agree++
		case worst < 0 || i < worst:
			worst = i
		}
	}
	if agree >= v.quorum() {
		return outcomes, nil
	}
	p := *outcomes[worst].Problem
	p.Detail = fmt.Sprintf("During secondary validation (%s): %s", list[worst].Name, p.Detail)
	return outcomes, &p
}

// quorum is by default that of the CA/Browser Forum's Baseline Requirements,
// Section 3.2.2.9.
func (v *Validator) quorum() int {
	n := len(v.c.Perspectives)
	switch {
	case v.c.Quorum > 0:
		return min(v.c.Quorum, n)
	case n >= 6:
		return n - 2
	case n >= 2:
		return n - 1
	}
	return n
}

func (l *look) validate(ctx context.Context) *Problem {
	if p := l.check(); p != nil {
		return p
	}
	switch l.req.Type {
	case HTTP01:
		return l.http01(ctx)
	case TLSALPN01:
		return l.tlsALPN01(ctx)
	case DNS01:
		return l.dns01(ctx, "_acme-challenge."+l.req.Identifier.Value, "")
	case DNSAccount01:
		return l.dns01(ctx, DNSAccountLabel(l.req.AccountURL)+"._acme-challenge."+l.req.Identifier.Value, l.req.AccountURL)
	default:
		return l.dnsPersist01(ctx)
	}
}

// check refuses what no validation can be about. RFC 8738, Section 7, and RFC
// 8555, Section 7.1.3, say which types fit which identifiers.
func (l *look) check() *Problem {
	r := l.req
	byDNS := r.Type == DNS01 || r.Type == DNSAccount01 || r.Type == DNSPersist01
	switch {
	case !byDNS && r.Type != HTTP01 && r.Type != TLSALPN01:
		return problem(Malformed, "challenge type %q is not known", r.Type)
	case r.Identifier.Type == "ip" && byDNS:
		return problem(Malformed, "an address cannot be validated by %s", r.Type)
	case r.Identifier.Type == "ip":
		if _, err := netip.ParseAddr(r.Identifier.Value); err != nil {
			return problem(Malformed, "%q is not an address", r.Identifier.Value)
		}
	case r.Identifier.Type != "dns":
		return problem(Malformed, "identifier type %q is not known", r.Identifier.Type)
	case r.Wildcard && !byDNS:
		return problem(Malformed, "the wildcard *.%s cannot be validated by %s", r.Identifier.Value, r.Type)
	}
	return nil
}

// record notes what is looked at.
func (l *look) record(r Record) {
	r.Perspective = l.Name
	l.records = append(l.records, r)
}

// dial connects to one address within the time for it.
func (l *look) dial(ctx context.Context, addr netip.Addr, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.c.DialTimeout)
	defer cancel()
	return l.Dial(ctx, "tcp", netip.AddrPortFrom(addr, uint16(port)).String())
}
