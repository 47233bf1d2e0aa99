package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/settings"
)

// route is one operation: what is served, and what is said about it.
type route struct {
	method, path string
	summary      string
	query        []parameter
	body, answer any    // zero values of what is read and answered as JSON; nil: nothing
	status       int    // of success
	media        string // of an answer that is not JSON
	handle       func(w http.ResponseWriter, r *http.Request) error
}

type parameter struct{ name, doc string }

// none stands for no body, and no answer.
type none struct{}

const maxBody = 4 << 20

// operation makes a route of a function. A body of none is not read; an answer
// of none is 204.
func operation[B, A any](method, path, summary string, f func(r *http.Request, body B) (A, error), query ...parameter) route {
	rt := route{method: method, path: path, summary: summary, query: query, status: http.StatusOK}
	var body B
	var answer A
	_, noBody := any(body).(none)
	_, noAnswer := any(answer).(none)
	if !noBody {
		rt.body = body
	}
	if !noAnswer {
		rt.answer = answer
	} else {
		rt.status = http.StatusNoContent
	}
	rt.handle = func(w http.ResponseWriter, r *http.Request) error {
		var in B
		if !noBody {
			if err := read(w, r, &in); err != nil {
				return err
			}
		}
		out, err := f(r, in)
		if err != nil {
			return err
		}
		if noAnswer {
			w.WriteHeader(rt.status)
			return nil
		}
		return write(w, rt.status, out)
	}
	return rt
}

// created has a route's success be 201.
func created(r route) route {
	handle := r.handle
	r.status = http.StatusCreated
	r.handle = func(w http.ResponseWriter, req *http.Request) error {
		return handle(&statusWriter{w, http.StatusCreated}, req)
	}
	return r
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if status == http.StatusOK {
		status = w.status
	}
	w.ResponseWriter.WriteHeader(status)
}

func read(w http.ResponseWriter, r *http.Request, into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return badRequest("reading the body: %v", err)
	}
	if len(data) == 0 {
		return badRequest("the body is empty; want JSON")
	}
	if err := settings.Decode(data, into); err != nil {
		return badRequest("the body: %v", err)
	}
	return nil
}

func write(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client is gone
	return nil
}

// serve answers a route. What has been changed is on disk before: see
// mockca.Options.KeepObjects.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		held := http.ResponseWriter(w)
		if rt.method != http.MethodGet {
			held = &syncedWriter{ResponseWriter: w, server: s}
		}
		if err := rt.handle(held, r); err != nil {
			s.fail(w, err)
			return
		}
		if rt.method != http.MethodGet {
			s.log.Info("managed", "method", rt.method, "path", r.URL.Path)
		}
	})
}

// syncedWriter writes nothing before the CA's books are on disk.
type syncedWriter struct {
	http.ResponseWriter
	server *Server
	err    error
}

func (w *syncedWriter) WriteHeader(status int) {
	if w.err = w.server.ca.Sync(); w.err != nil {
		w.server.fail(w.ResponseWriter, w.err)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *syncedWriter) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	return w.ResponseWriter.Write(b)
}

// Error is what a request that failed is answered with, as JSON (RFC 9457).
type Error struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (e *Error) Error() string { return e.Detail }

func badRequest(format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &Error{Status: http.StatusNotFound, Detail: fmt.Sprintf(format, args...)}
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Detail: err.Error()}
	}
	e = &Error{Status: e.Status, Title: http.StatusText(e.Status), Detail: e.Detail}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(e) // the client is gone
}

// latest cuts a list down to its end, as the parameter limit says.
func latest[T any](r *http.Request, list []T) ([]T, error) {
	if list == nil {
		list = []T{}
	}
	text := r.URL.Query().Get("limit")
	if text == "" {
		return list, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil, badRequest("limit=%s is not a number", text)
	}
	return list[max(0, len(list)-n):], nil
}

var limitParameter = parameter{"limit", "only the latest so many"}

// shown is a value with durations as text, for answers.
type shown[T any] struct{ value T }

func (s shown[T]) MarshalJSON() ([]byte, error) { return json.Marshal(settings.Show(s.value)) }

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
