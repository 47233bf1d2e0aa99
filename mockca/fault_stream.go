package mockca

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"time"
)

// Answers that are too much: they are written piece by piece, so that they cost
// the CA a few kilobytes whatever their size, and end with the client, with the
// CA, or after floodTime.

const (
	floodTime  = time.Minute
	floodPiece = 64 << 10
)

// flood answers with size bytes made of unit, between two ends.
func flood(x *Exchange, contentType, before, unit string, size int64, after string) *Response {
	piece := strings.Repeat(unit, max(floodPiece/len(unit), 1))
	return poured(x, contentType, "", func(w io.Writer) error {
		if _, err := io.WriteString(w, before); err != nil {
			return err
		}
		for left := size - size%int64(len(unit)); left > 0; left -= int64(len(piece)) {
			if _, err := io.WriteString(w, piece[:min(left, int64(len(piece)))]); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, after)
		return err
	})
}

// bomb answers with a gzip body of zeros that unpacks to size bytes.
func bomb(x *Exchange, size int64) *Response {
	const member = 1 << 20
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // a level that there is
	_, _ = z.Write(make([]byte, member))                       // a buffer takes everything
	_ = z.Close()
	return poured(x, "application/json", "gzip", func(w io.Writer) error {
		for unpacked := int64(0); unpacked < size; unpacked += member { // members add up: RFC 1952, Section 2.2
			if _, err := w.Write(packed.Bytes()); err != nil {
				return err
			}
		}
		return nil
	})
}

// poured is an answer whose body pour writes.
func poured(x *Exchange, contentType, encoding string, pour func(io.Writer) error) *Response {
	ca := x.CA()
	r := NewResponse(http.StatusOK, contentType, "")
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	r.Wire.Write = func(w http.ResponseWriter, req *http.Request, resp *Response) {
		resp.writeHeader(w)
		if req.Method == http.MethodHead {
			return
		}
		until := time.Now().Add(floodTime)
		_ = http.NewResponseController(w).SetWriteDeadline(until) // not every server can: the loop below ends too
		err := pour(writerFunc(func(p []byte) (int, error) {
			if req.Context().Err() != nil || ca.ctx.Err() != nil || time.Now().After(until) {
				return 0, http.ErrAbortHandler
			}
			return w.Write(p)
		}))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	return r
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// writeHeader sends status and headers.
func (r *Response) writeHeader(w http.ResponseWriter) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.Status)
}
