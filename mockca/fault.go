package mockca

import (
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Fault is something that a CA, or what lies between it and the client, can do
// to the client. It is a value: a name, what it does and what a correct client
// does about it, and one or more hooks, of which each acts at another level:
//
//   - Request answers in place of the CA: an overloaded server, a proxy, a
//     captive portal, an error that the CA has no reason for. With Stage After
//     the CA has carried the request out before. It may also change the CA's
//     books (by Exchange.CA) and return nil.
//   - Core turns knobs that the CA reads where it decides: which key gets
//     certified, how long an order stays in processing.
//   - Response rewrites the answer that was made, whatever it is, and says by
//     Response.Wire how the bytes travel: late, cut off, not at all.
//   - Accept and Handshake disturb connections, before there is a request.
//
// Constructors return faults; a new one is a few lines:
//
//	func WrongStatus(status int) Fault {
//		return Fault{
//			Name: "wrong-status", Doc: "answers with another HTTP status", Duty: "ignore",
//			Endpoints: []Endpoint{NewOrder},
//			Response:  func(_ *Exchange, r *Response) { r.Status = status },
//		}
//	}
//
// Hooks are called for several exchanges at once and keep no state but in what
// they close over, which they must guard themselves.
type Fault struct {
	Name   string // as "reset-after"
	Params string // as given, for the transcript: "5s"
	Doc    string // what it does, one sentence
	Duty   string // what a correct client does about it, one sentence

	Requirements []string   // ids in the catalogue of requirements that it probes
	Endpoints    []Endpoint // where it makes sense, for rules that don't say; nil: everywhere
	Stage        Stage      // of Request, for rules that don't say; AsFault is Before
	Times        int        // how often it happens, for rules that don't say; 0: without limit

	Request  func(*Exchange) *Response
	Core     func(*Exchange, *Knobs)
	Response func(*Exchange, *Response)

	Accept    func(*Conn) error
	Handshake func(*Handshake) error
}

// String is the name with the parameters.
func (f Fault) String() string {
	if f.Params == "" {
		return f.Name
	}
	return f.Name + ":" + f.Params
}

// LeafEdit makes a certificate wrong, BundleEdit its download: see the
// constructors in mockca/internal/issue, which faults are made of.
type (
	LeafEdit   = issue.LeafEdit
	BundleEdit = issue.BundleEdit
)

// Knobs are what the CA reads where it decides. The zero value leaves all as
// usual. What is set while an order is finalized, or a challenge answered,
// holds until that has come to its end.
type Knobs struct {
	// newOrder and newAuthz

	Identifiers func([]Identifier) []Identifier // what the order is really made for
	Challenges  func(types []string) []string   // what is offered, for each authorization made
	Token       func() string                   // of each challenge made
	AuthzStatus string                          // of authorizations made: "valid", "invalid", "expired", ...
	ReadyDelay  time.Duration                   // the order does not become ready before

	// challenge

	ValidationDelay   time.Duration
	ValidationProblem *Problem                         // the outcome, without looking
	Validate          func(ValidationRequest) *Problem // looks instead of the CA
	ValidationTimes   int                              // how often the CA looks

	// Verdict is asked what comes of what the CA, or Validate, found; nil is
	// control proved.
	Verdict func(v ValidationRequest, found *Problem) *Problem

	// finalize

	FinalizeDelay   time.Duration // answers processing; the certificate comes so much later
	FinalizeProblem *Problem      // the order becomes invalid
	NeverFinalize   bool          // the order stays in processing
	Leaf            []LeafEdit    // what is certified

	// certificate

	Bundle []BundleEdit // what is sent

	// every answer

	Nonce   func(fresh string) string // what is sent as Replay-Nonce
	NoNonce bool
}
