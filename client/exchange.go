package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// One request and its answer: RFC 8555, Sections 6.1 and 6.2, within limits.

// exchange sends one request and reads the answer whole. Signed requests follow
// no redirect: the url in their header would lie (RFC 8555, Section 6.4).
func (c *Client) exchange(ctx context.Context, q *call, url, nonce string) (*answer, error) {
	var body []byte
	if q.signer != nil {
		payload := q.payload
		var err error
		if q.build != nil {
			if payload, err = q.build(url); err != nil {
				return nil, finalError{err}
			}
		}
		if body, err = q.signer.sign(q.kid, url, nonce, payload); err != nil {
			return nil, finalError{err}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	for hop := 0; ; hop++ {
		a, err := c.roundTrip(ctx, q, url, body)
		if err != nil {
			return nil, err
		}
		if q.signer != nil || !isRedirect(a.status) {
			return a, nil
		}
		next := a.location()
		if hop == maxRedirects || next == "" {
			return a, wrapf(ErrRefused, "too many redirects, or one to nowhere")
		}
		if err := c.checkURL(next); err != nil {
			return a, fmt.Errorf("redirect: %w", err)
		}
		url = next
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func (c *Client) roundTrip(ctx context.Context, q *call, url string, body []byte) (*answer, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, q.verb(), url, r)
	if err != nil {
		return nil, finalError{err}
	}
	req.Header["User-Agent"] = c.agent
	if body != nil {
		req.Header["Content-Type"] = c.jose
	}
	if q.accept != "" {
		req.Header["Accept"] = []string{q.accept}
	}
	if c.lang != nil {
		req.Header["Accept-Language"] = c.lang
	}
	resp, err := c.rt.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := readBody(resp, q.limit)
	if err != nil {
		return nil, err
	}
	now := c.clock.Now()
	c.noticeSkew(ctx, resp.Header, now)
	a := &answer{status: resp.StatusCode, header: resp.Header, body: b, url: url, now: now}
	if n := resp.Header.Get("Replay-Nonce"); validNonce(n) {
		a.nonce = n
	}
	return a, nil
}

func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if limit == 0 {
		limit = maxObject
	}
	if resp.ContentLength > limit {
		return nil, finalError{wrapf(ErrRefused, "answer of %d bytes; at most %d are read", resp.ContentLength, limit)}
	}
	// One byte more than announced, so that the end is seen without growing.
	b := make([]byte, 0, max(resp.ContentLength, minBody-1)+1)
	for {
		n, err := resp.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, finalError{wrapf(ErrRefused, "answer of more than %d bytes", limit)}
		case err == io.EOF:
			return b, nil
		case err != nil:
			return nil, fmt.Errorf("reading answer: %w", err)
		case len(b) == cap(b):
			b = append(b, 0)[:len(b)]
		}
	}
}

// minBody is where reading begins that was not announced.
const minBody = 512

const tolerableSkew = 5 * time.Minute

// noticeSkew remembers by how much the CA's clock and this machine's disagree,
// by the Date header, and logs it once.
func (c *Client) noticeSkew(ctx context.Context, h http.Header, now time.Time) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	skew := date.Sub(now)
	if skew.Abs() <= tolerableSkew {
		skew = 0
	}
	c.skew.Store(int64(skew))
	if skew != 0 && c.skewed.CompareAndSwap(false, true) {
		c.log.WarnContext(ctx, "acme: this machine's clock and the CA's disagree", "ours", now.UTC(), "ca", date)
	}
}

// neverSent reports whether a transport error came before anything was sent.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect") || errors.As(err, new(*net.DNSError))
}

// permanent reports whether a transport error will not go away by itself: the
// CA's API certificate is not to be trusted, or it does not speak TLS.
func permanent(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.Is(err, ErrRefused)
}

// checkJSON refuses what no honest CA sends: values nested deeply.
func checkJSON(data []byte) error {
	depth, quoted := 0, false
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("empty answer")
	}
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			if depth++; depth > maxJSONDepth {
				return fmt.Errorf("JSON nested more than %d deep", maxJSONDepth)
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
}
