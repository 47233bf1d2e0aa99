package mockca

import (
	"net/http"
	"strconv"
	"strings"
)

// Faults of HTTP that are about size, places and links.

// HugeHeaders adds so many bytes of header fields.
func HugeHeaders(size int) Fault {
	return Fault{
		Name: "huge-headers", Params: strconv.Itoa(size), Doc: "megabytes of header fields", Duty: "stop reading at a limit, and fail",
		Response: func(_ *Exchange, r *Response) {
			line := strings.Repeat("x", 8<<10)
			body := r.Body
			r.Wire.Write = func(w http.ResponseWriter, _ *http.Request, resp *Response) {
				for n := 0; n < size; n += len(line) { // the same string over and over: no memory
					w.Header()["X-Padding"] = append(w.Header()["X-Padding"], line)
				}
				resp.writeHeader(w)
				_, _ = w.Write(body) // who does not read it has gone
			}
		},
	}
}

// HugeBody answers with so many bytes of JSON that begins as any other.
func HugeBody(size int) Fault {
	return Fault{
		Name: "huge-body", Params: strconv.Itoa(size), Doc: "a body that does not end", Duty: "stop reading at a limit, and fail",
		Request: func(x *Exchange) *Response {
			return flood(x, "application/json", `{"status":"valid","padding":"`, "x", int64(size), `"}`)
		},
	}
}

// GzipBomb answers with a small compressed body that unpacks to so many bytes.
func GzipBomb(size int) Fault {
	return Fault{
		Name: "gzip-bomb", Params: strconv.Itoa(size), Doc: "a compressed body that unpacks to gigabytes", Duty: "stop unpacking at a limit, and fail",
		Request: func(x *Exchange) *Response { return bomb(x, int64(size)) },
	}
}

// MissingLocation leaves Location out where an account or an order was made.
func MissingLocation() Fault {
	return Fault{
		Name: "missing-location", Doc: "no Location for the new account or order", Duty: "fail and say so; an account can be found again by its key",
		Requirements: []string{"RFC8555-7.3-22"},
		Endpoints:    []Endpoint{NewAccount, NewOrder},
		Response:     func(_ *Exchange, r *Response) { r.Header.Del("Location") },
	}
}

// RelativeLocation makes URLs relative, in Location and in bodies.
func RelativeLocation() Fault {
	return Fault{
		Name: "relative-location", Doc: "Location and the URLs in objects are relative", Duty: "resolve them, or refuse them; don't crash",
		Endpoints: []Endpoint{NewAccount, NewOrder, OrderURL, Finalize, Authz, ChallengeURL},
		Response: func(x *Exchange, r *Response) {
			if l := r.Header.Get("Location"); l != "" {
				r.Header.Set("Location", strings.TrimPrefix(l, x.Base()))
			}
			r.rebase(x.Base(), "")
		},
	}
}

// Wrong201 answers 200 where something was made, and 201 where nothing was.
func Wrong201() Fault {
	return Fault{
		Name: "wrong-201", Doc: "200 instead of 201, and the other way round", Duty: "carry on",
		Requirements: []string{"RFC8555-7.3.1-09"},
		Endpoints:    []Endpoint{NewAccount, NewOrder, OrderURL, Finalize, Authz, ChallengeURL, Certificate},
		Response: func(_ *Exchange, r *Response) {
			switch r.Status {
			case http.StatusOK:
				r.Status = http.StatusCreated
			case http.StatusCreated:
				r.Status = http.StatusOK
			}
		},
	}
}

// LinkGarbage adds Link fields that can't be read, many of them, with commas in
// quotes and targets.
func LinkGarbage() Fault {
	return Fault{
		Name: "link-garbage", Doc: "many Link fields, malformed and with commas inside", Duty: "ignore what can't be read",
		Requirements: []string{"RFC8288-3-01", "RFC8288-3-02"},
		Response: func(_ *Exchange, r *Response) {
			if r.Header == nil {
				r.Header = make(http.Header)
			}
			for range 50 {
				r.Header["Link"] = append(r.Header["Link"], `<no end;rel="alternate`, `rel="up"`, `<a,b>;rel="x,y", ,;;`, `<:>;rel`, "\xff<>;rel=next")
			}
		},
	}
}
