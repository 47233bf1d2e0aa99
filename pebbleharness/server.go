package pebbleharness

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// server is an HTTPS server on its own listener.
type server struct {
	url      string
	http     *http.Server
	requests sync.RWMutex  // held for reading while one is answered
	done     chan struct{} // closed when Serve has returned
}

func serve(handler http.Handler, address string, id identity, logger *slog.Logger) (*server, error) {
	l, err := net.Listen("tcp", loopback(address))
	if err != nil {
		return nil, err
	}
	s := &server{url: "https://" + l.Addr().String(), done: make(chan struct{})}
	s.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.requests.RLock()
			defer s.requests.RUnlock()
			handler.ServeHTTP(w, r)
		}),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{id.certificate}},
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 30 * time.Second,
	}
	go func() {
		defer close(s.done)
		_ = s.http.ServeTLS(l, "", "") // ends with ErrServerClosed
	}()
	return s, nil
}

// close waits two seconds for the answers under way, then cuts the connections.
// Shutdown would wait another second for each HTTP/2 connection.
func (s *server) close() {
	answered := make(chan struct{})
	go func() {
		s.requests.Lock() // who asks from now on waits, and is cut off
		close(answered)
		<-s.done
		s.requests.Unlock()
	}()
	select {
	case <-answered:
	case <-time.After(2 * time.Second):
	}
	_ = s.http.Close()
	<-s.done
}
