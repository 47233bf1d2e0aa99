package mockca

import (
	"net/http"
	"strconv"
	"time"
)

// Faults of HTTP.

// Status503 answers as an overloaded front end does; retryAfter of zero gives no
// hint when to come back.
func Status503(retryAfter time.Duration) Fault {
	return Fault{
		Name: "status-503", Params: retryAfter.String(), Doc: "503, as from an overloaded front end", Duty: "wait as told, within reason, and try again",
		Request: func(*Exchange) *Response {
			r := NewResponse(http.StatusServiceUnavailable, "text/html", "<html><body><h1>503 Service Unavailable</h1></body></html>\n")
			if retryAfter > 0 {
				r.Header.Set("Retry-After", strconv.Itoa(int((retryAfter+time.Second-1)/time.Second)))
			}
			return r
		},
	}
}
