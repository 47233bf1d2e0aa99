package mockca

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Faults of HTTP: RFC 9110; rate limits: RFC 8555, Section 6.6; problem
// documents: RFC 9457 and RFC 8555, Section 6.7.

func httpFaults() []FaultInfo {
	return []FaultInfo{
		simple(Status500), simple(Status502), simple(Status504), timed(0, Status503), simple(Status500After),
		timed(30*time.Second, RateLimited), simple(RateLimitedNoHint),
		timed(5*time.Second, RetryAfterDate), simple(RetryAfterPast), simple(RetryAfterNegative), simple(RetryAfterHuge), simple(RetryAfterGarbage),
		simple(Empty200), simple(HTML200), simple(WrongContentType), simple(Problem2xx), simple(StatusMismatch),
		worded("urn:example:error:fullMoon", UnknownProblem),
		counted(10<<20, HugeHeaders), counted(1<<30, HugeBody), counted(4<<30, GzipBomb),
		simple(MissingLocation), simple(RelativeLocation), simple(Wrong201), simple(LinkGarbage),
	}
}

const again = "try again, after finding out what became of a request that must not be carried out twice"

// frontEnd answers in place of the CA, as what stands before it would.
func frontEnd(name, doc, duty string, status int, body string) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Requirements: []string{"RFC8555-6.7-07"},
		Request:      func(*Exchange) *Response { return NewResponse(status, "text/html", body) },
	}
}

// Status500 answers 500 with an HTML page.
func Status500() Fault {
	return frontEnd("status-500", "500 with an HTML page", again, http.StatusInternalServerError, "<html><body><h1>500 Internal Server Error</h1></body></html>\n")
}

// Status502 answers 502 with an HTML page.
func Status502() Fault {
	return frontEnd("status-502", "502 with an HTML page", again, http.StatusBadGateway, "<html><body><h1>502 Bad Gateway</h1></body></html>\n")
}

// Status504 answers 504 with an empty body.
func Status504() Fault {
	return frontEnd("status-504", "504 with an empty body", again, http.StatusGatewayTimeout, "")
}

// Status503 answers as an overloaded front end does; retryAfter of zero gives no
// hint when to come back.
func Status503(retryAfter time.Duration) Fault {
	f := overloaded("status-503", "503, as from an overloaded front end", "wait as told, within reason, and try again", func(*Exchange) string {
		if retryAfter <= 0 {
			return ""
		}
		return strconv.Itoa(int((retryAfter + time.Second - 1) / time.Second))
	})
	f.Params = retryAfter.String()
	return f
}

// overloaded answers 503 with a Retry-After.
func overloaded(name, doc, duty string, retryAfter func(*Exchange) string) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Requirements: []string{"RFC9110-10.2.3-01", "RFC8555-6.6-05"},
		Request: func(x *Exchange) *Response {
			r := NewResponse(http.StatusServiceUnavailable, "text/html", "<html><body><h1>503 Service Unavailable</h1></body></html>\n")
			if v := retryAfter(x); v != "" {
				r.Header.Set("Retry-After", v)
			}
			return r
		},
	}
}

// Status500After lets the CA act, and answers 500.
func Status500After() Fault {
	f := frontEnd("status-500-after", "the request is carried out and answered with 500", "find out what became of the request, then carry on",
		http.StatusInternalServerError, "<html><body><h1>500 Internal Server Error</h1></body></html>\n")
	f.Stage = After
	return f
}

// rateLimit refuses new orders; after of zero gives no hint.
func rateLimit(name, doc, duty string, after time.Duration) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Requirements: []string{"RFC8555-6.6-05", "RFC8555-6.7-05"},
		Endpoints:    []Endpoint{NewOrder},
		Request: func(x *Exchange) *Response {
			p := problem(TypeRateLimited, "too many new orders recently")
			p.RetryAfter = after
			p.Links = []string{"<" + x.Base() + `/docs/rate-limits>;rel="help"`}
			return ProblemResponse(p)
		},
	}
}

// RateLimited refuses new orders for a rate limit, with a Retry-After and a page
// of help.
func RateLimited(after time.Duration) Fault {
	f := rateLimit("rate-limited", "429 rateLimited with Retry-After and a link to help", "come back when told, if that is within the caller's patience, else fail with that time", after)
	f.Params = after.String()
	return f
}

// RateLimitedNoHint is RateLimited without Retry-After.
func RateLimitedNoHint() Fault {
	return rateLimit("rate-limited-no-hint", "429 rateLimited without Retry-After", "try again ever more seldom, then fail", 0)
}

// RetryAfterDate answers 503 with a Retry-After that is a date.
func RetryAfterDate(d time.Duration) Fault {
	f := overloaded("retry-after-date", "503 with Retry-After as a date", "wait as told, and try again", func(x *Exchange) string {
		return x.Time().Add(d).UTC().Format(http.TimeFormat)
	})
	f.Params = d.String()
	return f
}

// RetryAfterPast answers 503 with a Retry-After that has passed.
func RetryAfterPast() Fault {
	return overloaded("retry-after-past", "503 with Retry-After as a date of yesterday", "try again, with a wait of its own", func(x *Exchange) string {
		return x.Time().Add(-24 * time.Hour).UTC().Format(http.TimeFormat)
	})
}

// RetryAfterNegative answers 503 with a Retry-After below zero.
func RetryAfterNegative() Fault {
	return overloaded("retry-after-negative", "503 with a negative Retry-After", "try again, with a wait of its own", func(*Exchange) string { return "-30" })
}

// RetryAfterHuge answers 503 with a Retry-After of ten years.
func RetryAfterHuge() Fault {
	return overloaded("retry-after-huge", "503 with a Retry-After of ten years", "don't wait so long: fail with that time", func(*Exchange) string { return "315360000" })
}

// RetryAfterGarbage answers 503 with a Retry-After that is neither number nor
// date.
func RetryAfterGarbage() Fault {
	return overloaded("retry-after-garbage", "503 with a Retry-After that can't be read", "try again, with a wait of its own", func(*Exchange) string { return "soon, very soon" })
}

const notACME = "try again, after finding out what became of the request, then fail: this is no ACME answer"

// Empty200 lets the CA act, and answers 200 with nothing.
func Empty200() Fault {
	f := frontEnd("empty-200", "the request is carried out and answered with 200 and an empty body", notACME, http.StatusOK, "")
	f.Stage = After
	return f
}

// HTML200 answers with the page of a captive portal.
func HTML200() Fault {
	return frontEnd("html-200", "200 with a captive portal's page", "fail: this is no ACME answer", http.StatusOK, "<!doctype html><title>Welcome to the hotel</title><p>Please log in.\n")
}

// WrongContentType sends objects as text/plain and problems as application/json.
func WrongContentType() Fault {
	return Fault{
		Name: "wrong-content-type", Doc: "objects come as text/plain, problem documents as application/json", Duty: "know a problem by its status, and take the object all the same",
		Response: func(_ *Exchange, r *Response) {
			switch t := r.Header.Get("Content-Type"); {
			case strings.HasPrefix(t, "application/problem+json"):
				r.Header.Set("Content-Type", "application/json")
			case strings.HasPrefix(t, "application/json"):
				r.Header.Set("Content-Type", "text/plain; charset=utf-8")
			}
		},
	}
}

// Problem2xx answers 200 with a problem document.
func Problem2xx() Fault {
	return Fault{
		Name: "problem-2xx", Doc: "200 with a problem document", Duty: "fail",
		Endpoints: []Endpoint{NewAccount, NewOrder, OrderURL, Finalize, Authz, ChallengeURL, Certificate},
		Request: func(*Exchange) *Response {
			return ProblemResponse(problem(TypeServerInternal, "something went wrong").withStatus(http.StatusOK))
		},
	}
}

// StatusMismatch answers 403 with a problem document that says 500.
func StatusMismatch() Fault {
	return Fault{
		Name: "status-mismatch", Doc: "403 with a problem document that says 500", Duty: "go by the HTTP status",
		Requirements: []string{"RFC9457-3.1.2-02"},
		Endpoints:    []Endpoint{NewOrder},
		Request: func(*Exchange) *Response {
			r := ProblemResponse(problem(TypeUnauthorized, "not with this account").withStatus(http.StatusInternalServerError))
			r.Status = http.StatusForbidden
			return r
		},
	}
}

// UnknownProblem refuses new orders with an error type of nobody's registry, or
// with "about:blank".
func UnknownProblem(typ string) Fault {
	return Fault{
		Name: "unknown-problem", Params: typ, Doc: "403 with an error type that no registry has", Duty: "fail, and show it whole",
		Requirements: []string{"RFC8555-6.7-05", "RFC8555-6.7-06", "RFC9457-3.2-01"},
		Endpoints:    []Endpoint{NewOrder},
		Request: func(*Exchange) *Response {
			return ProblemResponse(problem(typ, "no orders while the moon is full").withStatus(http.StatusForbidden))
		},
	}
}
