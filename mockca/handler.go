package mockca

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/jws"
)

// The way of a request: RFC 8555, Sections 6.1 to 6.3 and 7.1.

const maxBody = 1 << 20

// request is an exchange while it goes on.
type request struct {
	ca     *CA
	x      *Exchange
	http   *http.Request
	base   string // of URLs in the answer
	rest   string // of the path, after the endpoint's
	policy *Policy
	now    time.Time
	knobs  Knobs

	tooLarge bool
	message  *jws.Message // nil when there is none, or formErr
	formErr  error

	ordered    *newOrderPayload // see orderPayload
	misordered *Problem

	account *account // who signed; nil when signed by a key of no account
	order   *order   // addressed, or made
	authz   *authz
	chall   *challenge
	cert    *certificate
}

// answer is how an endpoint is served.
type answer struct {
	get     bool // by GET and HEAD
	post    bool
	signer  signer
	asGet   bool // the POST is a POST-as-GET, always
	handler func(*request) (*Response, *Problem)
}

type signer int

const (
	byAccount signer = iota // kid
	byKey                   // jwk
	byEither
)

// answers are looked up by endpoint; a switch, so that there is no table to
// make for each CA.
func answers(e Endpoint) (answer, bool) {
	switch e {
	case Directory:
		return answer{get: true, post: true, asGet: true, handler: (*request).directory}, true
	case NewNonce:
		return answer{get: true, post: true, asGet: true, handler: (*request).newNonce}, true
	case NewAccount:
		return answer{post: true, signer: byKey, handler: (*request).newAccount}, true
	case AccountURL:
		return answer{post: true, handler: (*request).accountObject}, true
	case OrdersList:
		return answer{post: true, asGet: true, handler: (*request).ordersList}, true
	case NewOrder:
		return answer{post: true, handler: (*request).newOrder}, true
	case OrderURL:
		return answer{post: true, asGet: true, handler: (*request).orderObject}, true
	case Finalize:
		return answer{post: true, handler: (*request).finalize}, true
	case NewAuthz:
		return answer{post: true, handler: (*request).newAuthz}, true
	case Authz:
		return answer{post: true, handler: (*request).authzObject}, true
	case ChallengeURL:
		return answer{post: true, handler: (*request).challengeObject}, true
	case Certificate:
		return answer{post: true, asGet: true, handler: (*request).certificateObject}, true
	case RevokeCert:
		return answer{post: true, signer: byEither, handler: (*request).revokeCert}, true
	case KeyChange:
		return answer{post: true, handler: (*request).keyChange}, true
	case RenewalInfo:
		return answer{get: true, handler: (*request).renewalInfo}, true
	case Terms:
		return answer{get: true, handler: (*request).terms}, true
	case Issuer:
		return answer{get: true, handler: (*request).issuer}, true
	}
	return answer{}, false
}

// ServeHTTP answers a request.
func (ca *CA) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !ca.work.enter(false) {
		panic(http.ErrAbortHandler)
	}
	defer ca.work.leave(false)
	begun := time.Now()
	r := ca.begin(req)
	if r.x.Endpoint == CRL || r.x.Endpoint == OCSP {
		ca.serveStatus(w, req, r)
		return
	}
	hits := ca.rules.match(r)
	resp := r.respond(hits)
	if err := ca.Sync(); err != nil { // what is not kept is not answered
		resp = ProblemResponse(problem(TypeServerInternal, "%v", err))
	}
	r.x.Status, r.x.ResponseHeader, r.x.ResponseBody = resp.Status, resp.Header, resp.Body
	r.x.Problem = resp.problemType()
	r.x.Wire = resp.Wire.String()
	r.x.Duration = time.Since(begun)
	r.x.r = nil
	ca.record.add(r.x) // before it is written, which may take as long as the client likes
	if ca.log.Enabled(req.Context(), slog.LevelInfo) {
		ca.log.LogAttrs(req.Context(), slog.LevelInfo, "exchange", r.x.logAttrs()...)
	}
	resp.send(w, req, ca)
}

// begin finds out what a request is about.
func (ca *CA) begin(req *http.Request) *request {
	r := &request{ca: ca, http: req, policy: ca.policy.Load(), now: ca.clock.Now(), base: ca.base}
	if ca.options.BaseURL == "" && req.Host != "" {
		r.base = ca.scheme() + "://" + req.Host
	}
	endpoint, rest := ca.routes.find(req.URL.Path)
	r.rest = rest
	r.x = &Exchange{ID: ca.record.next(), Start: r.now, Remote: req.RemoteAddr, Proto: req.Proto, Method: req.Method,
		URL: r.base + req.URL.RequestURI(), Endpoint: endpoint, RequestHeader: req.Header, r: r}
	if endpoint == CRL || endpoint == OCSP {
		return r
	}
	if req.Body != nil && req.Body != http.NoBody {
		r.read()
	}
	r.find()
	return r
}

func (r *request) read() {
	size := r.http.ContentLength
	if size < 0 || size > maxBody {
		size = 4096
	}
	body := make([]byte, 0, size+1)
	for {
		n, err := r.http.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.formErr = fmt.Errorf("reading the request: %w", err)
			break
		}
		if len(body) > maxBody && r.ca.on(CheckBodySize) || len(body) > 64*maxBody {
			r.tooLarge = true
			return
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
	r.x.RequestBody = body
	if r.http.Method == http.MethodPost && r.formErr == nil {
		r.message, r.formErr = jws.Parse(body)
	}
}

// find looks for the objects that the request names, without judging.
func (r *request) find() {
	if r.message != nil && r.message.Header.HasKeyID {
		if id, ok := r.objectID(AccountURL, r.message.Header.KeyID); ok {
			if r.account = r.ca.books.account(id); r.account != nil {
				r.x.Account = r.message.Header.KeyID
			}
		}
	}
	b := &r.ca.books
	switch r.x.Endpoint {
	case OrderURL, Finalize:
		r.order = b.order(number(r.rest))
	case Authz:
		r.authz = b.authz(number(r.rest))
	case ChallengeURL:
		id, n, _ := strings.Cut(r.rest, "/")
		if r.authz = b.authz(number(id)); r.authz != nil {
			r.chall = r.authz.challenge(n)
		}
	case Certificate:
		serial, _, _ := strings.Cut(r.rest, "/")
		r.cert = b.bySerialHex(serial)
	case RenewalInfo:
		r.cert, _ = r.ca.certificateOfID(r.rest)
	}
	switch {
	case r.authz != nil:
		r.x.Identifiers = []Identifier{r.authz.orderedIdentifier()}
	case r.order != nil:
		r.x.Identifiers = r.order.identifiers
	case r.cert != nil:
		r.x.Identifiers = r.cert.identifiers
	}
	if r.authz != nil || r.order != nil || r.cert != nil {
		r.x.Object = r.x.URL
	}
}

// objectID is the number in the URL of an object.
func (r *request) objectID(e Endpoint, url string) (uint64, bool) {
	path, ok := strings.CutPrefix(url, r.base)
	if !ok {
		return 0, false
	}
	return r.ca.pathID(e, path)
}

func (ca *CA) pathID(e Endpoint, path string) (uint64, bool) {
	rest, ok := strings.CutPrefix(path, ca.routes.path[e]+"/")
	if !ok {
		return 0, false
	}
	id := number(rest)
	return id, id != 0
}

// number reads an identifier; 0 is none's.
func number(s string) uint64 {
	if s == "" || s[0] == '0' || s[0] == '+' {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (r *request) url(e Endpoint, id uint64) string {
	return r.ca.objectURL(r.base, e, id)
}

func (ca *CA) objectURL(base string, e Endpoint, id uint64) string {
	path := ca.routes.path[e]
	b := make([]byte, 0, len(base)+len(path)+21)
	b = append(append(b, base...), path...)
	return string(strconv.AppendUint(append(b, '/'), id, 10))
}

// act is what the CA does by itself. A panic in it is an error 500, as the
// standard library's server would hide it from whoever looks at the transcript.
func (r *request) act() (resp *Response) {
	defer func() {
		if p := recover(); p != nil {
			r.ca.log.Error("panic", "error", p, "stack", string(debug.Stack()))
			resp = ProblemResponse(problem(TypeServerInternal, "%v", p))
		}
	}()
	resp, problem := r.handle()
	if problem != nil {
		r.x.Check = problem.check
		return ProblemResponse(problem)
	}
	return resp
}

func (r *request) handle() (*Response, *Problem) {
	how, ok := answers(r.x.Endpoint)
	if !ok || r.rest != "" && !hasObjects(r.x.Endpoint) || r.closedEndpoint() {
		return nil, problem(TypeMalformed, "there is nothing at %s", r.x.URL).withStatus(http.StatusNotFound)
	}
	switch method := r.http.Method; {
	case (method == http.MethodGet || method == http.MethodHead) && (how.get || !r.ca.on(CheckMethod)):
		if !how.get {
			if how.signer != byAccount || r.x.Endpoint == NewOrder {
				break
			}
			r.message = &jws.Message{} // a CA that shows its objects to everybody
			r.account = r.owner()
		}
		return how.handler(r)
	case method == http.MethodPost && how.post:
		if p := r.authenticate(how); p != nil {
			return nil, p
		}
		return how.handler(r)
	}
	resp := ProblemResponse(fails(CheckMethod, TypeMalformed, "%s is not a method of %s", r.http.Method, r.x.Endpoint).withStatus(http.StatusMethodNotAllowed))
	r.x.Check = CheckMethod
	var allow []string
	if how.get {
		allow = append(allow, http.MethodGet, http.MethodHead)
	}
	if how.post {
		allow = append(allow, http.MethodPost)
	}
	resp.Header.Set("Allow", strings.Join(allow, ", "))
	return resp, nil
}

// owner is whose object the request addresses.
func (r *request) owner() *account {
	switch {
	case r.order != nil:
		return r.order.account
	case r.authz != nil:
		return r.authz.account
	case r.cert != nil:
		return r.cert.account
	}
	return r.ca.books.account(number(r.rest))
}

func hasObjects(e Endpoint) bool {
	switch e {
	case AccountURL, OrdersList, OrderURL, Finalize, Authz, ChallengeURL, Certificate, RenewalInfo, Issuer:
		return true
	}
	return false
}

// closedEndpoint tells whether the policy has no such endpoint.
func (r *request) closedEndpoint() bool {
	switch r.x.Endpoint {
	case NewAuthz:
		return r.policy.NoNewAuthz
	case OrdersList:
		return r.policy.NoOrdersList
	case RenewalInfo:
		return r.policy.NoRenewalInfo
	case KeyChange:
		return r.policy.NoKeyChange
	}
	return false
}

// common adds what every answer has: RFC 8555, Sections 6.1, 6.5, 7.1 and 7.2.
func (r *request) common(resp *Response) {
	h := resp.Header
	nonce := HabitReplayNonce
	if resp.IsProblem() {
		nonce = HabitErrorNonce
	}
	if !r.knobs.NoNonce && r.ca.on(nonce) && r.x.Endpoint != Terms && r.x.Endpoint != Issuer {
		h["Replay-Nonce"] = []string{r.nonce()}
	}
	if r.ca.on(HabitNoStore) {
		h["Cache-Control"] = noStore
	}
	if r.ca.on(HabitCORS) {
		h["Access-Control-Allow-Origin"], h["Access-Control-Expose-Headers"] = anyOrigin, exposedHeaders
	}
	if r.x.Endpoint != Directory && r.ca.on(HabitIndexLink) {
		resp.link(r.base+r.ca.routes.path[Directory], "index")
	}
}

var (
	noStore        = []string{"no-store"}
	anyOrigin      = []string{"*"}
	exposedHeaders = []string{"Replay-Nonce, Location, Link, Retry-After"}
)

func (r *request) nonce() string {
	nonce := r.ca.nonces.Issue(r.now)
	if r.knobs.Nonce != nil {
		return r.knobs.Nonce(nonce)
	}
	return nonce
}

// decode reads the payload, a JSON object.
func (r *request) decode(v any) *Problem {
	err := json.Unmarshal(r.message.Payload, v)
	if err == nil && firstByte(r.message.Payload) != '{' {
		err = errors.New("it is not an object")
	}
	if err == nil || !r.ca.on(CheckPayload) {
		return nil
	}
	return fails(CheckPayload, TypeMalformed, "the payload can't be read: %v", err)
}

func firstByte(data []byte) byte {
	for _, c := range data {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}
