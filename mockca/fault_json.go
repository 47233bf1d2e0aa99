package mockca

import (
	"bytes"
	"strconv"
	"strings"
)

// Faults of JSON bodies: RFC 8259; RFC 8555, Sections 5 and 7.1.

func jsonFaults() []FaultInfo {
	return []FaultInfo{
		simple(JSONTruncated), simple(JSONGarbage), simple(JSONTrailing),
		counted(100_000, JSONDeep), counted(1_000_000, JSONLongArray), counted(2<<20, JSONBigNumber),
		worded("status", JSONNull), worded("status", JSONWrongType), simple(JSONDuplicateKeys), simple(JSONUnknownFields),
		simple(JSONInvalidUTF8), simple(JSONControlChars), worded("frozen", StatusUnknown), chosen(TimesGarbage, "garbage", "fraction", "offset", "lowercase"),
	}
}

// objectEndpoints answer with an object that has a status.
func objectEndpoints() []Endpoint { return []Endpoint{NewOrder, OrderURL, Finalize, Authz} }

// isObject tells whether a body is a JSON object.
func (r *Response) isObject() bool { return firstByte(r.Body) == '{' }

// rewritten is a fault that changes bodies which are JSON objects.
func rewritten(name, doc, duty string, change func(body []byte) []byte) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Response: func(_ *Exchange, r *Response) {
			if r.isObject() {
				r.Body = change(bytes.TrimSpace(r.Body))
			}
		},
	}
}

// JSONTruncated ends the body in its middle, as if that were all.
func JSONTruncated() Fault {
	return rewritten("json-truncated", "the body ends in the middle of the JSON", notACME, func(body []byte) []byte { return body[:len(body)/2] })
}

// JSONGarbage sends octets that are no JSON.
func JSONGarbage() Fault {
	return rewritten("json-garbage", "the body is not JSON", notACME, func([]byte) []byte { return []byte("\x00\x01\xfe{{]]\"\\u12") })
}

// JSONTrailing sends a second object after the first.
func JSONTrailing() Fault {
	return rewritten("json-trailing", "a second object follows the first", notACME, func(body []byte) []byte {
		return append(bytes.Clone(body), `{"status":"valid"}`...)
	})
}

// hostile answers orders and the directory with a shape that is meant to hurt.
func hostile(name, doc string, size int, answer func(*Exchange) *Response) Fault {
	return Fault{
		Name: name, Params: strconv.Itoa(size), Doc: doc, Duty: "stop at a limit, and fail",
		Endpoints: []Endpoint{NewOrder, OrderURL, Authz},
		Request:   answer,
	}
}

// JSONDeep answers with arrays nested so many times.
func JSONDeep(depth int) Fault {
	return hostile("json-deep", "arrays nested a hundred thousand times", depth, func(x *Exchange) *Response {
		return flood(x, "application/json", `{"status":"pending","identifiers":`, "[", int64(depth), strings.Repeat("]", min(depth, 1<<20))+"}")
	})
}

// JSONLongArray answers with an array of so many elements.
func JSONLongArray(n int) Fault {
	return hostile("json-long-array", "an array of a million authorizations", n, func(x *Exchange) *Response {
		const element = `"https://ca.invalid/1",`
		return flood(x, "application/json", `{"status":"pending","authorizations":[`, element, int64(n)*int64(len(element)), `"https://ca.invalid/1"]}`)
	})
}

// JSONBigNumber answers with a number of so many digits.
func JSONBigNumber(digits int) Fault {
	return hostile("json-big-number", "a number of millions of digits", digits, func(x *Exchange) *Response {
		return flood(x, "application/json", `{"status":"pending","expires":1`, "0", int64(digits), "}")
	})
}

// JSONNull makes a member of orders and authorizations null, where it is there.
func JSONNull(field string) Fault {
	return Fault{
		Name: "json-null", Params: field, Doc: "a member is null", Duty: "fail, naming the member",
		Endpoints: objectEndpoints(),
		Response: func(_ *Exchange, r *Response) {
			r.editMember(field, func(any) any { return nil })
		},
	}
}

// JSONWrongType gives a member of orders and authorizations another type, where
// it is there.
func JSONWrongType(field string) Fault {
	return Fault{
		Name: "json-wrong-type", Params: field, Doc: "a member is of another type", Duty: "fail, naming the member",
		Endpoints: objectEndpoints(),
		Response: func(_ *Exchange, r *Response) {
			r.editMember(field, func(old any) any {
				if _, text := old.(string); text {
					return []any{map[string]any{"was": old}}
				}
				return "of another type"
			})
		},
	}
}

func (r *Response) editMember(name string, change func(any) any) {
	r.Edit(func(m map[string]any) {
		if old, ok := m[name]; ok {
			m[name] = change(old)
		}
	})
}

// JSONDuplicateKeys puts a second status, "invalid", before the true one.
func JSONDuplicateKeys() Fault {
	f := rewritten("json-duplicate-keys", "the object has two members status", "take one of them, and always the same", func(body []byte) []byte {
		return append([]byte(`{"status":"invalid",`), body[1:]...)
	})
	f.Endpoints = objectEndpoints()
	return f
}

// JSONUnknownFields adds members that nobody has specified.
func JSONUnknownFields() Fault {
	f := rewritten("json-unknown-fields", "the object has members from the future", "ignore them", func(body []byte) []byte {
		more := `{"futureText":"\u2603","futureNumber":1.5e300,"futureObject":{"status":"invalid","url":"https://future.invalid/"},"futureList":[null,[],{}]`
		if len(body) > 2 {
			more += ","
		}
		return append([]byte(more), body[1:]...)
	})
	f.Requirements = []string{"RFC8555-7.1.1-15", "RFC8555-8-09"}
	return f
}

// hostileText refuses new orders with a problem whose detail attacks who shows
// it. The text is written as it is.
func hostileText(name, doc, text string) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: "show it without what could harm terminals and logs",
		Requirements: []string{"RFC8555-6.7-05"},
		Endpoints:    []Endpoint{NewOrder},
		Request: func(*Exchange) *Response {
			r := ProblemResponse(problem(TypeRejectedIdentifier, "DETAIL"))
			r.Body = bytes.Replace(r.Body, []byte("DETAIL"), []byte(text), 1)
			return r
		},
	}
}

// JSONInvalidUTF8 refuses new orders with text that is not UTF-8.
func JSONInvalidUTF8() Fault {
	return hostileText("json-invalid-utf8", "a problem's detail is not UTF-8", "no \xff\xfe\xc0\x80 orders\xed\xa0\x80 today")
}

// JSONControlChars refuses new orders with text that has escape sequences of
// terminals, line ends, and marks that turn the direction of writing.
func JSONControlChars() Fault {
	return hostileText("json-control-chars", "a problem's detail has escape sequences, line ends and direction marks",
		`no \u001b[2J\u001b]0;owned\u0007orders\r\nlevel=INFO msg=\"all is well\" \u202etxet desrever\u2066 today`)
}

// StatusUnknown gives orders and authorizations a status that no RFC names.
func StatusUnknown(status string) Fault {
	return Fault{
		Name: "status-unknown", Params: status, Doc: "orders and authorizations are in a status that no RFC names", Duty: "fail, naming it, instead of asking for ever",
		Requirements: []string{"RFC8555-7.1.3-18"},
		Endpoints:    objectEndpoints(),
		Response: func(_ *Exchange, r *Response) {
			r.editMember("status", func(any) any { return status })
		},
	}
}

// TimesGarbage writes the member expires as "garbage", or as RFC 3339 allows but
// few do: with a "fraction", an "offset", or in "lowercase".
func TimesGarbage(how string) Fault {
	return Fault{
		Name: "times-garbage", Params: how, Doc: "expires is no date of RFC 3339, or an unusual one", Duty: "take what is legal, and ignore the rest",
		Requirements: []string{"RFC3339-5.6-01"},
		Endpoints:    objectEndpoints(),
		Response: func(_ *Exchange, r *Response) {
			r.editMember("expires", func(old any) any {
				s, _ := old.(string)
				switch how {
				case "fraction":
					return strings.Replace(s, "Z", ".123456789Z", 1)
				case "offset":
					return strings.Replace(s, "Z", "+00:00", 1)
				case "lowercase":
					return strings.ToLower(s)
				}
				return "next Tuesday, 25:61"
			})
		},
	}
}
