// Package floor is the least that an ACME client can do (RFC 8555): the measure
// that other clients are held against. It works on all names at once, fetches
// nonces while the order is on its way, polls the order alone, and repeats what
// fails. It ignores Retry-After, checks nothing that the CA says, and explains
// no error: it is no client to use.
package floor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Responder puts the responses to http-01 challenges in place. A nil channel
// says that nobody will fetch them.
type Responder interface {
	Present(token, keyAuthorization string) (fetched <-chan struct{})
	CleanUp(token string)
}

// Client has one account at one CA. It is safe for concurrent use.
type Client struct {
	Directory string
	Transport http.RoundTripper
	Responder Responder

	key        *ecdsa.PrivateKey
	jwk        string
	thumbprint string
	kid        string
	dir        struct{ NewNonce, NewAccount, NewOrder string }

	mu     sync.Mutex
	nonces []string
}

const (
	parallel  = 50
	tries     = 100
	firstPoll = 2 * time.Millisecond
	lastPoll  = 40 * time.Millisecond
	fetchWait = 100 * time.Millisecond
)

var b64 = base64.RawURLEncoding

// Register reads the directory and makes an account.
func (c *Client) Register(ctx context.Context) (err error) {
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	point, err := c.key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	c.jwk = fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:]))
	sum := sha256.Sum256([]byte(c.jwk))
	c.thumbprint = b64.EncodeToString(sum[:])
	_, _, err = c.request(ctx, http.MethodGet, c.Directory, nil, &c.dir)
	if err != nil {
		return err
	}
	header, _, err := c.post(ctx, c.dir.NewAccount, []byte(`{"termsOfServiceAgreed":true}`), nil)
	c.kid = header.Get("Location")
	return err
}

type order struct {
	Status         string
	Authorizations []string
	Finalize       string
	Certificate    string
}

type authorization struct {
	Challenges []struct{ Type, URL, Token string }
}

// Obtain returns the chain for a new key and names, the leaf first.
func (c *Client) Obtain(ctx context.Context, names []string) ([]byte, *ecdsa.PrivateKey, error) {
	stop := c.prefetch(ctx, min(len(names), parallel))
	defer stop()
	key, csr, err := request(names)
	if err != nil {
		return nil, nil, err
	}
	var o order
	header, _, err := c.post(ctx, c.dir.NewOrder, newOrder(names), &o)
	if err != nil {
		return nil, nil, err
	}
	url := header.Get("Location")
	if o.Status == "pending" {
		tokens, err := c.authorize(ctx, o.Authorizations)
		defer func() {
			for _, token := range tokens {
				c.Responder.CleanUp(token)
			}
		}()
		if err != nil {
			return nil, nil, err
		}
		if o, err = c.poll(ctx, url, o, "pending"); err != nil {
			return nil, nil, err
		}
	}
	_, _, err = c.post(ctx, o.Finalize, []byte(`{"csr":"`+b64.EncodeToString(csr)+`"}`), &o)
	if err != nil && !errors.As(err, new(refusal)) { // a repeated finalize is refused: the order tells
		return nil, nil, err
	}
	if o.Certificate == "" {
		time.Sleep(firstPoll)
		if o, err = c.poll(ctx, url, o, "processing"); err != nil {
			return nil, nil, err
		}
	}
	_, chain, err := c.post(ctx, o.Certificate, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, nil, errors.New("the chain is not PEM")
	}
	return chain, key, nil
}

func newOrder(names []string) []byte {
	b := []byte(`{"identifiers":[`)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		kind := "dns"
		if _, err := netip.ParseAddr(name); err == nil {
			kind = "ip"
		}
		b = append(append(append(append(append(b, `{"type":"`...), kind...), `","value":"`...), name...), `"}`...)
	}
	return append(b, `]}`...)
}

func request(names []string) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	return key, csr, err
}

// authorize reads each authorization, answers its challenge, and waits for the
// CA to fetch the responses. They must stay until the order is ready, as the CA
// may look again.
func (c *Client) authorize(ctx context.Context, urls []string) (tokens []string, err error) {
	type task struct {
		url     string
		fetched <-chan struct{}
	}
	tasks := make([]task, len(urls))
	tokens = make([]string, len(urls))
	err = each(len(urls), func(i int) error {
		var z authorization
		if _, _, err := c.post(ctx, urls[i], nil, &z); err != nil {
			return err
		}
		for _, ch := range z.Challenges {
			if ch.Type == "http-01" {
				tokens[i] = ch.Token
				tasks[i] = task{ch.URL, c.Responder.Present(ch.Token, ch.Token+"."+c.thumbprint)}
				return nil
			}
		}
		return errors.New("no http-01")
	})
	if err != nil {
		return tokens, err
	}
	err = each(len(tasks), func(i int) error {
		_, _, err := c.post(ctx, tasks[i].url, []byte("{}"), nil)
		if errors.As(err, new(refusal)) {
			return nil // a repeated answer is refused: the order tells
		}
		return err
	})
	if err != nil {
		return tokens, err
	}
	limit := time.NewTimer(fetchWait)
	defer limit.Stop()
	for _, t := range tasks {
		if t.fetched == nil {
			break
		}
		select {
		case <-t.fetched:
			continue
		case <-limit.C:
		}
		break
	}
	time.Sleep(firstPoll)
	return tokens, nil
}

func (c *Client) poll(ctx context.Context, url string, o order, while string) (order, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, lastPoll) {
		o = order{}
		if _, _, err := c.post(ctx, url, nil, &o); err != nil {
			return o, err
		}
		switch o.Status {
		case while:
		case "invalid":
			return o, errors.New("the order is invalid")
		default:
			return o, nil
		}
		select {
		case <-ctx.Done():
			return o, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// each runs f for 0..n-1, parallel at most.
func each(n int, f func(int) error) error {
	if n == 1 {
		return f(0)
	}
	var wg sync.WaitGroup
	errs := make([]error, n)
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = f(i)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// refusal is an answer that repeating does not change.
type refusal struct {
	status int
	body   string
}

func (r refusal) Error() string { return fmt.Sprintf("%d: %s", r.status, r.body) }

// post sends a signed request, with a nil payload a POST-as-GET, until it is
// answered for good.
func (c *Client) post(ctx context.Context, url string, payload []byte, into any) (http.Header, []byte, error) {
	var nonce string
	var last error
	for failures := 0; failures < tries; {
		if nonce == "" {
			var err error
			if nonce, err = c.nonce(ctx); err != nil {
				return nil, nil, err
			}
		}
		body, err := c.sign(url, nonce, payload)
		if err != nil {
			return nil, nil, err
		}
		header, answer, err := c.request(ctx, http.MethodPost, url, body, into)
		nonce = header.Get("Replay-Nonce")
		refused, isRefusal := err.(refusal)
		switch {
		case err == nil:
			c.put(nonce)
			return header, answer, nil
		case isRefusal && refused.status == http.StatusBadRequest && bytes.Contains(answer, []byte(":badNonce")):
			last = err
			continue
		case isRefusal && refused.status < http.StatusInternalServerError:
			c.put(nonce)
			return header, answer, err
		case ctx.Err() != nil:
			return nil, nil, err
		}
		last = err
		failures++
		backOff(failures)
	}
	return nil, nil, fmt.Errorf("%d attempts: %w", tries, last)
}

func backOff(failures int) {
	time.Sleep(mrand.N(5 * time.Millisecond << min(failures, 6)))
}

func (c *Client) request(ctx context.Context, method, url string, body []byte, into any) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if body != nil {
		req.Header["Content-Type"] = []string{"application/jose+json"}
	}
	resp, err := c.Transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer := make([]byte, 0, max(resp.ContentLength, 0)+512)
	buf := bytes.NewBuffer(answer)
	if _, err := io.Copy(buf, resp.Body); err != nil {
		return nil, nil, err
	}
	answer = buf.Bytes()
	if resp.StatusCode >= 300 {
		return resp.Header, answer, refusal{resp.StatusCode, string(answer)}
	}
	if into != nil {
		err = json.Unmarshal(answer, into)
	}
	return resp.Header, answer, err
}

func (c *Client) put(nonce string) {
	if nonce == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nonces = append(c.nonces, nonce)
}

func (c *Client) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.nonces)
	if n == 0 {
		return ""
	}
	nonce := c.nonces[n-1]
	c.nonces = c.nonces[:n-1]
	return nonce
}

func (c *Client) nonce(ctx context.Context) (string, error) {
	if n := c.take(); n != "" {
		return n, nil
	}
	for failures := 1; ; failures++ {
		header, _, err := c.request(ctx, http.MethodHead, c.dir.NewNonce, nil, nil)
		if err == nil || ctx.Err() != nil || failures == tries {
			return header.Get("Replay-Nonce"), err
		}
		backOff(failures)
	}
}

// prefetch fetches what is missing of n nonces.
func (c *Client) prefetch(ctx context.Context, n int) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	n -= len(c.nonces)
	c.mu.Unlock()
	var wg sync.WaitGroup
	for range max(n, 0) {
		wg.Go(func() {
			if header, _, err := c.request(ctx, http.MethodHead, c.dir.NewNonce, nil, nil); err == nil {
				c.put(header.Get("Replay-Nonce"))
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// sign makes a flattened JWS by ES256 (RFC 7515; RFC 7518, Section 3.4).
func (c *Client) sign(url, nonce string, payload []byte) ([]byte, error) {
	h := make([]byte, 0, 512)
	h = append(h, `{"alg":"ES256","`...)
	if c.kid != "" {
		h = append(append(append(h, `kid":"`...), c.kid...), `","nonce":"`...)
	} else {
		h = append(append(append(h, `jwk":`...), c.jwk...), `,"nonce":"`...)
	}
	h = append(append(append(append(h, nonce...), `","url":"`...), url...), `"}`...)
	input := make([]byte, 0, b64.EncodedLen(len(h))+b64.EncodedLen(len(payload))+1)
	input = append(b64.AppendEncode(input, h), '.')
	dot := len(input)
	input = b64.AppendEncode(input, payload)
	sum := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, c.key, sum[:])
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(input)+160)
	b = append(append(b, `{"protected":"`...), input[:dot-1]...)
	b = append(append(b, `","payload":"`...), input[dot:]...)
	b = append(b, `","signature":"`...)
	return append(b64.AppendEncode(b, fixed(r, s)), `"}`...), nil
}

func fixed(r, s *big.Int) []byte {
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return sig
}
