package life

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// wiretap is the road to the CA: it counts the requests, and keeps what the CA
// said last, which is more than a client that forgives tells its caller.
type wiretap struct {
	http.RoundTripper

	mu       sync.Mutex
	requests int
	problem  string // type of the last answer that was a problem document
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(r)
	problem := ""
	if err == nil {
		problem, err = problemOf(response)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	w.problem = problem
	return response, err
}

const maxProblem = 64 << 10

// problemOf reads the type of a problem document and leaves the body to be read
// again.
func problemOf(response *http.Response) (string, error) {
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "application/problem+json" {
		return "", nil
	}
	body := response.Body
	read, err := io.ReadAll(io.LimitReader(body, maxProblem))
	if err != nil {
		return "", err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read), body), body}
	var problem struct{ Type string }
	_ = json.Unmarshal(read, &problem) // what is none has no type
	return strings.TrimPrefix(problem.Type, "urn:ietf:params:acme:error:"), nil
}

// said is the type of the problem that the last answer was, empty if it was none.
func (w *wiretap) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.problem
}

func (w *wiretap) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests
}
