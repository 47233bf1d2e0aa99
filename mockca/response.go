package mockca

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Response is an answer before it is sent: what faults rewrite.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Wire   Wire // how it gets to the client

	// Bare answers get none of the headers that every answer of the CA has:
	// Replay-Nonce, Cache-Control and the index link. Set it for what a proxy
	// or a captive portal would say.
	Bare bool

	problem *Problem
}

// NewResponse returns a bare answer, as of something between client and CA.
func NewResponse(status int, contentType, body string) *Response {
	return &Response{Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body), Bare: true}
}

// ProblemResponse returns the CA's answer with a problem document.
func ProblemResponse(p *Problem) *Response {
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers only: can't be
		panic(err)
	}
	r := &Response{Status: p.HTTPStatus(), Header: make(http.Header, 8), Body: body, problem: p}
	r.Header.Set("Content-Type", "application/problem+json")
	if p.RetryAfter > 0 {
		r.retryAfter(p.RetryAfter)
	}
	if p.Location != "" {
		r.Header.Set("Location", p.Location)
	}
	for _, link := range p.Links {
		r.Header.Add("Link", link)
	}
	return r
}

// JSONResponse returns the CA's answer with a JSON value.
func JSONResponse(status int, v any) *Response {
	r := &Response{Status: status, Header: make(http.Header, 8)}
	r.Header["Content-Type"] = jsonType
	var err error
	if r.Body, err = json.Marshal(v); err != nil {
		return ProblemResponse(problem(TypeServerInternal, "encoding the answer: %v", err))
	}
	return r
}

var jsonType = []string{"application/json"}

// IsProblem tells whether the answer is a problem document of the CA's.
func (r *Response) IsProblem() bool { return r.problem != nil }

// JSON is the body as a JSON object; nil when it is none. Changes to it count
// when it is handed to SetJSON.
func (r *Response) JSON() map[string]any {
	var m map[string]any
	if json.Unmarshal(r.Body, &m) != nil {
		return nil
	}
	return m
}

// SetJSON replaces the body by a JSON value.
func (r *Response) SetJSON(v any) {
	if body, err := json.Marshal(v); err == nil {
		r.Body = body
	}
}

// Edit changes members of the body, where it is a JSON object.
func (r *Response) Edit(change func(map[string]any)) {
	if m := r.JSON(); m != nil {
		change(m)
		r.SetJSON(m)
	}
}

func (r *Response) retryAfter(d time.Duration) {
	r.Header.Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
}

func (r *Response) link(url, rel string) {
	r.Header["Link"] = append(r.Header["Link"], "<"+url+`>;rel="`+rel+`"`)
}

// problemType is the short type of the problem in the answer, "" if none.
func (r *Response) problemType() string {
	if r.problem != nil {
		return r.problem.Type
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json") {
		var p Problem
		if json.Unmarshal(r.Body, &p) == nil {
			return p.Type
		}
	}
	return ""
}
