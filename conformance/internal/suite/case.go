// Package suite is the vocabulary of the conformance suites: what a case is, how
// it says what it found, and what comes of running it. The cases that judge
// servers and those that judge clients share it, and so do the reports.
package suite

import (
	"net/http"
	"time"
)

// Case is one test of a server, or of a client.
type Case struct {
	// ID is stable: "rfc8555/7.4/finalize-not-ready", that is standard, section
	// and name.
	ID string
	// Title says in a line what must hold.
	Title string
	// Requirements are the ids of the catalogue that the case proves. What a
	// finding is about must be among them.
	Requirements []string
	// Does and Expects describe the case to somebody who sees it fail.
	Does, Expects string
	// Needs are what the one who is judged must offer. Without it the case is
	// skipped.
	Needs []Capability
	// Cost is what the case uses up at a server that counts.
	Cost Cost
	// Shares are costs of what cases make once for all that use it, by its name:
	// only the first of them takes it.
	Shares map[string]Cost
	// Timeout ends the case; 0 is the runner's default.
	Timeout time.Duration
	// Alone cases are run while no other is.
	Alone bool
	// Run is the case. It ends when it returns, or at the first Fatal, Skip or
	// Inconclusive.
	Run func(*T)
}

// Capability is something that a server or a client may offer or not:
// "newAuthz", "renewalInfo".
type Capability string

// Cost is what a case uses up of what a CA limits.
type Cost struct {
	Accounts, Orders, FailedValidations int
}

// Add returns the sum.
func (c Cost) Add(other Cost) Cost {
	return Cost{c.Accounts + other.Accounts, c.Orders + other.Orders, c.FailedValidations + other.FailedValidations}
}

// Verdict is how a case ended.
type Verdict string

// The verdicts, the worst first. Inconclusive says that the surroundings failed
// and that nothing is known; NotApplicable that a client has no such feature.
const (
	Fail          Verdict = "fail"         // a MUST was broken
	Inconclusive  Verdict = "inconclusive" // with the reason
	Warn          Verdict = "warn"         // a SHOULD was not followed
	Skip          Verdict = "skip"         // with the reason
	NotApplicable Verdict = "n/a"
	Pass          Verdict = "pass"
)

// Verdicts are all of them, in that order.
func Verdicts() []Verdict { return []Verdict{Fail, Inconclusive, Warn, Skip, NotApplicable, Pass} }

// Finding is one thing that was not as expected, or that is worth recording.
type Finding struct {
	Verdict     Verdict `json:"verdict"`     // Fail, Warn, or Pass for what is only recorded
	Requirement string  `json:"requirement"` // id in the catalogue
	Expected    string  `json:"expected,omitempty"`
	Actual      string  `json:"actual"`
	// Exchange is the number of the exchange that shows it, from 1 in the order
	// of Result.Exchanges; 0 when there was none yet.
	Exchange int `json:"exchange,omitempty"`
}

// Exchange is a request and its answer, as reports show them.
type Exchange struct {
	Start         time.Time     `json:"start"`
	Duration      time.Duration `json:"duration_ns"`
	From          string        `json:"from,omitempty"` // who asked, when that is not the suite: "CA", "client"
	To            string        `json:"to,omitempty"`   // who was asked: "server", "responder"
	Method        string        `json:"method"`
	URL           string        `json:"url"`
	RequestHeader http.Header   `json:"request_header,omitempty"`
	RequestBody   string        `json:"request_body,omitempty"`
	Protected     string        `json:"protected,omitempty"` // of a JWS, decoded
	Payload       string        `json:"payload,omitempty"`   // of a JWS, decoded

	Status         int         `json:"status,omitempty"` // 0 without an answer
	ResponseHeader http.Header `json:"response_header,omitempty"`
	ResponseBody   string      `json:"response_body,omitempty"`
	Error          string      `json:"error,omitempty"` // why there was no answer
	Note           string      `json:"note,omitempty"`  // what else is to be said: a fault that was injected
}

// Result is what came of running a case.
type Result struct {
	ID           string        `json:"id"`
	Title        string        `json:"title"`
	Requirements []string      `json:"requirements"`
	Verdict      Verdict       `json:"verdict"`
	Reason       string        `json:"reason,omitempty"` // of Skip, Inconclusive and NotApplicable
	Findings     []Finding     `json:"findings,omitempty"`
	Log          []string      `json:"log,omitempty"`
	Exchanges    []Exchange    `json:"exchanges,omitempty"`
	Start        time.Time     `json:"start"`
	Duration     time.Duration `json:"duration_ns"`
}
