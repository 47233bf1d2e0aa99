package life

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// page is what the server serves.
const page = "It works: this page came over TLS, with a certificate by ACME.\n"

// webServer is the TLS server whose certificate lives the life.
type webServer struct {
	addr string
	http *http.Server
	done chan struct{}
}

func serveTLS(config *tls.Config) (*webServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &webServer{
		addr: l.Addr().String(),
		http: &http.Server{
			TLSConfig:         config,
			Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }),
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // a failed visit is counted by the visitor
		},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.http.ServeTLS(l, "", "") // ends with ErrServerClosed
	}()
	return s, nil
}

func (s *webServer) close() {
	_ = s.http.Close()
	<-s.done
}

// browser fetches pages from the server whatever name is in the URL, and
// verifies what it is shown.
type browser struct{ http *http.Client }

func (s *webServer) browser(roots *x509.CertPool) *browser {
	return &browser{&http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, s.addr)
			},
		},
	}}
}

// fetch gets the page under name and returns the certificate that it came with.
func (b *browser) fetch(ctx context.Context, name string) (*x509.Certificate, error) {
	host := name
	if ip := net.ParseIP(name); ip != nil && ip.To4() == nil {
		host = "[" + name + "]"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return nil, err
	}
	response, err := b.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK || string(body) != page {
		return nil, fmt.Errorf("GET https://%s/: status %d and not the page", host, response.StatusCode)
	}
	return response.TLS.PeerCertificates[0], nil
}

func (b *browser) close() { b.http.CloseIdleConnections() }

// Visits is what the visitors saw while the certificate was renewed.
type Visits struct {
	Requests   int `json:"requests"`
	Failed     int `json:"failed"`
	Handshakes int `json:"handshakes"`
	Before     int `json:"with_first_certificate"`
	After      int `json:"with_second_certificate"`
}

// visitors fetch pages all the time: some with a new connection for each, one
// over a connection that it keeps.
type visitors struct {
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex
	visits Visits
	failed error // the first failure
}

const newcomers = 2

func (s *webServer) visit(ctx context.Context, roots *x509.CertPool, name string, first *big.Int) *visitors {
	ctx, cancel := context.WithCancel(ctx)
	v := &visitors{cancel: cancel}
	for i := range newcomers + 1 {
		v.all.Go(func() {
			b := s.browser(roots)
			defer b.close()
			for ctx.Err() == nil {
				cert, err := b.fetch(ctx, name)
				if ctx.Err() != nil {
					return // told to go, perhaps in the middle of a page
				}
				newcomer := i < newcomers
				v.note(cert, err, newcomer, first)
				if newcomer {
					b.close()
				}
				time.Sleep(time.Millisecond) // visitors, not a flood
			}
		})
	}
	return v
}

func (v *visitors) note(cert *x509.Certificate, err error, newConnection bool, first *big.Int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.visits.Requests++
	switch {
	case err != nil:
		v.visits.Failed++
		if v.failed == nil {
			v.failed = err
		}
	case cert.SerialNumber.Cmp(first) == 0:
		v.visits.Before++
	default:
		v.visits.After++
	}
	if newConnection {
		v.visits.Handshakes++
	}
}

// leave sends the visitors away and returns what they saw.
func (v *visitors) leave() (Visits, error) {
	v.cancel()
	v.all.Wait()
	return v.visits, v.failed
}

// came waits until more visitors have been served than were when it was called.
func (v *visitors) came(ctx context.Context) error {
	const more = 50
	count := func() int {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.visits.Requests
	}
	for wanted := count() + more; count() < wanted; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
