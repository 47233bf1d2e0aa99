package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options of a Session. DirectoryURL alone is needed.
type Options struct {
	DirectoryURL string
	RootCAs      *x509.CertPool    // for the API; nil: the system's
	Transport    http.RoundTripper // in place of one made of RootCAs; may be shared
	UserAgent    string
	Timeout      time.Duration  // of one exchange; 15 s when 0
	MaxBody      int64          // of an answer, in bytes; 1 MiB when 0
	Record       func(Exchange) // is given every exchange, one at a time
}

const (
	defaultTimeout = 15 * time.Second
	defaultMaxBody = 1 << 20
	nonceRetries   = 8
)

// Session talks to one server. Its methods are safe for concurrent use.
type Session struct {
	options   Options
	client    *http.Client
	recording sync.Mutex

	mu        sync.Mutex
	directory *Directory
	nonces    []string
	seen      map[string]bool // nonces that were handed out by the server
}

// NewTransport makes a transport for sessions to share. It speaks HTTP/2 where
// the server does.
func NewTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       30 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
	}
}

// NewSession makes a session. It does not use the network.
func NewSession(options Options) *Session {
	if options.Transport == nil {
		options.Transport = NewTransport(options.RootCAs)
	}
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	if options.MaxBody == 0 {
		options.MaxBody = defaultMaxBody
	}
	if options.UserAgent == "" {
		options.UserAgent = "acme-e2e-conformance"
	}
	return &Session{
		options: options,
		client: &http.Client{
			Transport:     options.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		seen: map[string]bool{},
	}
}

// Request is an unsigned request.
type Request struct {
	Method, URL string
	Headers     map[string]string // "-" as Content-Type sends none
	Body        []byte
}

// Do sends one request and reads the answer. No status is an error.
func (s *Session) Do(ctx context.Context, r Request) (*Response, error) {
	return s.exchange(ctx, r, nil)
}

// Get is Do with method GET.
func (s *Session) Get(ctx context.Context, url string) (*Response, error) {
	return s.Do(ctx, Request{Method: http.MethodGet, URL: url})
}

// Post signs m for url and sends it. Answers badNonce are tried again unless
// m.Retries is Once.
func (s *Session) Post(ctx context.Context, url string, m Message) (*Response, error) {
	for attempt := 0; ; attempt++ {
		response, err := s.postOnce(ctx, url, m)
		if err != nil || m.Retries == Once || m.Nonce != "" || m.NoNonce || attempt == nonceRetries {
			return response, err
		}
		if problem, _ := response.Problem(); problem == nil || problem.Type != ErrorPrefix+"badNonce" {
			return response, nil
		}
	}
}

func (s *Session) postOnce(ctx context.Context, url string, m Message) (*Response, error) {
	if m.URL == "" {
		m.URL = url
	}
	if m.Nonce == "" && !m.NoNonce {
		nonce, err := s.Nonce(ctx)
		if err != nil {
			return nil, err
		}
		m.Nonce = nonce
	}
	body, err := m.Body()
	if err != nil {
		return nil, err
	}
	headers := map[string]string{"Content-Type": "application/jose+json"}
	for name, value := range m.Headers {
		headers[name] = value
	}
	if m.ContentType != "" {
		headers["Content-Type"] = m.ContentType
	}
	return s.exchange(ctx, Request{Method: http.MethodPost, URL: url, Headers: headers, Body: body}, &m)
}

// Nonce takes a nonce out of an earlier answer, or fetches one (RFC 8555,
// Section 7.2).
func (s *Session) Nonce(ctx context.Context) (string, error) {
	s.mu.Lock()
	if n := len(s.nonces); n > 0 {
		nonce := s.nonces[n-1]
		s.nonces = s.nonces[:n-1]
		s.mu.Unlock()
		return nonce, nil
	}
	s.mu.Unlock()
	nonce, _, err := s.FreshNonce(ctx)
	return nonce, err
}

// FreshNonce asks newNonce, and keeps the nonce out of Nonce's reach.
func (s *Session) FreshNonce(ctx context.Context) (string, *Response, error) {
	directory, err := s.Directory(ctx)
	if err != nil {
		return "", nil, err
	}
	response, err := s.exchange(ctx, Request{Method: http.MethodHead, URL: directory.URL("newNonce")}, nil)
	if err != nil {
		return "", nil, err
	}
	nonce := response.Header.Get("Replay-Nonce")
	if nonce == "" {
		return "", response, &Error{Kind: Server, URL: response.URL,
			Err: fmt.Errorf("newNonce answered %d without Replay-Nonce", response.Status)}
	}
	return nonce, response, nil
}

// keep puts the nonce of an answer to a POST into the stock.
func (s *Session) keep(r *Response) {
	if nonce := r.Header.Get("Replay-Nonce"); nonce != "" && r.Method == http.MethodPost {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.seen[nonce] {
			s.seen[nonce] = true
			s.nonces = append(s.nonces, nonce)
		}
	}
}

// DropNonces empties the stock.
func (s *Session) DropNonces() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nonces = nil
}

func (s *Session) exchange(ctx context.Context, r Request, m *Message) (*Response, error) {
	x := Exchange{Start: time.Now(), Method: r.Method, URL: r.URL, RequestBody: r.Body}
	if m != nil {
		x.Protected, x.Payload = decodeParts(r.Body)
	}
	response, err := s.send(ctx, r, &x)
	x.Duration = time.Since(x.Start)
	if err != nil {
		x.Err = err
	} else {
		x.Response = response
		s.keep(response)
	}
	if s.options.Record != nil {
		s.recording.Lock()
		defer s.recording.Unlock()
		s.options.Record(x)
	}
	return response, err
}

func (s *Session) send(parent context.Context, r Request, x *Exchange) (*Response, error) {
	ctx, cancel := context.WithTimeout(parent, s.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, &Error{Kind: Server, URL: r.URL, Err: fmt.Errorf("not a URL to send a request to: %w", err)}
	}
	if scheme := strings.ToLower(request.URL.Scheme); scheme != "https" && scheme != "http" {
		return nil, &Error{Kind: Server, URL: r.URL, Err: fmt.Errorf("the scheme %q is not one of HTTP", scheme)}
	}
	request.Header.Set("User-Agent", s.options.UserAgent)
	for name, value := range r.Headers {
		if value == "-" {
			request.Header.Del(name)
			continue
		}
		request.Header.Set(name, value)
	}
	x.RequestHeader = request.Header.Clone()
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, blame(parent, r.URL, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, s.options.MaxBody+1))
	if err != nil {
		return nil, blame(parent, r.URL, fmt.Errorf("reading the body: %w", err))
	}
	if int64(len(body)) > s.options.MaxBody {
		return nil, &Error{Kind: Server, URL: r.URL, Err: fmt.Errorf("the body is longer than %d bytes", s.options.MaxBody)}
	}
	return &Response{Method: r.Method, URL: r.URL, Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}
