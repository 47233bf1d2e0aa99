package servercases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// scene is one case while it runs: what it may do, and what it found.
type scene struct {
	ctx  context.Context
	env  *Env
	wire *wire.Session
	out  outcome

	requirements []string // of the case, the first is blamed for what has no name
	cleanups     []func()
	exchanges    []wire.Exchange
	about        int // number of the exchange that findings are about, 0: the latest
	recorder     func(wire.Exchange)
}

// outcome is where findings go.
type outcome interface {
	Finding(f finding)
	Record(requirement, text string) // what the server chose to do
	Note(format string, args ...any)
}

// severity of a finding.
type severity int

const (
	broken severity = iota + 1 // a MUST
	unwise                     // a SHOULD
)

type finding struct {
	severity         severity
	requirement      string
	expected, actual string
	exchange         int // that shows it, from 1; 0 when there was none yet
}

// stop unwinds a case that can't go on.
type stop struct {
	kind   stopKind
	reason string
}

type stopKind int

const (
	stopFailed       stopKind = iota + 1 // findings say why
	stopSkipped                          // the server does not offer it
	stopInconclusive                     // something else is in the way
)

func (s *scene) skip(format string, args ...any) {
	panic(&stop{stopSkipped, fmt.Sprintf(format, args...)})
}

func (s *scene) inconclusive(format string, args ...any) {
	panic(&stop{stopInconclusive, fmt.Sprintf(format, args...)})
}

func (s *scene) end() { panic(&stop{stopFailed, ""}) }

// must reports a broken MUST unless ok. It returns ok.
func (s *scene) must(requirement string, ok bool, expected, actual string, args ...any) bool {
	return s.check(broken, requirement, ok, expected, actual, args)
}

// should reports a SHOULD that was not followed unless ok. It returns ok.
func (s *scene) should(requirement string, ok bool, expected, actual string, args ...any) bool {
	return s.check(unwise, requirement, ok, expected, actual, args)
}

func (s *scene) check(severity severity, requirement string, ok bool, expected, actual string, args []any) bool {
	if !ok {
		if len(args) > 0 {
			actual = fmt.Sprintf(actual, args...)
		}
		exchange := s.about
		if exchange == 0 {
			exchange = len(s.exchanges)
		}
		s.out.Finding(finding{severity, requirement, expected, actual, exchange})
	}
	return ok
}

// at says that the findings up to the next exchange are about r. Without it
// they are about the latest answer.
func (s *scene) at(r *wire.Response) {
	s.about = 1 + slices.IndexFunc(s.exchanges, func(x wire.Exchange) bool { return r != nil && x.Response == r })
}

// atObject is at for the answer that first showed o.
func (s *scene) atObject(o object) {
	s.about = 1 + slices.IndexFunc(s.exchanges, func(x wire.Exchange) bool { return x.Response != nil && objectOf(x.Response).shows(o) })
}

// demand is must, and ends the case if it is not ok.
func (s *scene) demand(requirement string, ok bool, expected, actual string, args ...any) {
	if !s.must(requirement, ok, expected, actual, args...) {
		s.end()
	}
}

// may notes what the server chose to do.
func (s *scene) may(requirement, format string, args ...any) {
	s.out.Record(requirement, fmt.Sprintf(format, args...))
}

// cleanup runs f when the case is over, whatever its verdict.
func (s *scene) cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// answered ends the case if there was no answer.
func (s *scene) answered(r *wire.Response, err error) *wire.Response {
	if err == nil {
		return r
	}
	var failure *wire.Error
	if errors.As(err, &failure) && failure.Kind == wire.Server {
		s.demand(s.requirements[0], false, "an answer in HTTP", "%v", err)
	}
	s.inconclusive("%v", err)
	return nil
}

// get sends an unsigned GET.
func (s *scene) get(url string) *wire.Response { return s.answered(s.wire.Get(s.ctx, url)) }

// do sends an unsigned request.
func (s *scene) do(r wire.Request) *wire.Response { return s.answered(s.wire.Do(s.ctx, r)) }

// send signs and sends m.
func (s *scene) send(url string, m wire.Message) *wire.Response {
	if url == "" {
		s.inconclusive("the server did not say to which URL to send this")
	}
	return s.answered(s.wire.Post(s.ctx, url, m))
}

// post sends payload as account a: nil is a POST-as-GET, a string goes as it
// is, all else as JSON.
func (s *scene) post(a *account, url string, payload any) *wire.Response {
	return s.send(url, wire.Message{Key: a.key, KID: a.url, Payload: encodePayload(payload)})
}

func encodePayload(payload any) []byte {
	switch p := payload.(type) {
	case nil:
		return nil
	case string:
		return []byte(p)
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("servercases: payload: %v", err)) // cases make only what can be encoded
	}
	return text
}

// directory fetches the directory, or ends the case.
func (s *scene) directory() *wire.Directory {
	directory, err := s.wire.Directory(s.ctx)
	if err != nil {
		s.answered(nil, err)
	}
	return directory
}

// optional are the resources that a directory may lack, with what allows that.
var optional = map[string]string{
	"newAuthz":    "RFC 8555, Section 7.1.1: without pre-authorization it is omitted",
	"renewalInfo": "RFC 9773, Section 3: it is for servers that wish to provide it",
}

// url of a resource in the directory. Without it the case is skipped when the
// resource is optional, and can't be judged when it is not.
func (s *scene) url(resource string) string {
	url := s.directory().URL(resource)
	if url == "" {
		if allowed := optional[resource]; allowed != "" {
			s.skip("the directory has no %s (%s)", resource, allowed)
		}
		s.inconclusive("the directory has no %s, which every server must have (RFC 8555, Section 7.1.1)", resource)
	}
	return url
}

// refuses checks that r is an error that blames the request, with a problem
// document of one of the types when some are named.
func (s *scene) refuses(requirement string, r *wire.Response, what string, types ...string) bool {
	s.at(r)
	expected := what + " is refused"
	if len(types) > 0 {
		expected += " as " + strings.Join(types, " or ")
	}
	if !s.must(requirement, r.Status >= 400 && r.Status < 500, expected, "%s", r.Excerpt()) {
		return false
	}
	return len(types) == 0 || s.must(requirement, slices.Contains(types, shortType(r)), expected, "%s", r.Excerpt())
}

// succeeds checks that r has one of the statuses.
func (s *scene) succeeds(requirement string, r *wire.Response, what string, statuses ...int) bool {
	s.at(r)
	return s.must(requirement, slices.Contains(statuses, r.Status), fmt.Sprintf("%s is answered with %s", what, list(statuses)), "%s", r.Excerpt())
}

func list(statuses []int) string {
	texts := make([]string, len(statuses))
	for i, status := range statuses {
		texts[i] = fmt.Sprint(status)
	}
	return strings.Join(texts, " or ")
}

// shortType is the type of a problem without its prefix, "" for all else.
func shortType(r *wire.Response) string {
	problem, err := r.Problem()
	if err != nil {
		return ""
	}
	return problem.Short()
}

// noted ends the case if err is one.
func (s *scene) noted(err error) {
	if err != nil {
		s.answered(nil, err)
	}
}
