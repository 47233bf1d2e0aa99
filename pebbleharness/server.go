package pebbleharness

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// server is an HTTPS server on its own listener.
type server struct {
	url  string
	http *http.Server
	done chan struct{} // closed when Serve has returned
}

func serve(handler http.Handler, address string, id identity, logger *slog.Logger) (*server, error) {
	l, err := net.Listen("tcp", loopback(address))
	if err != nil {
		return nil, err
	}
	s := &server{
		url: "https://" + l.Addr().String(),
		http: &http.Server{
			Handler:           handler,
			TLSConfig:         &tls.Config{Certificates: []tls.Certificate{id.certificate}},
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
			ReadHeaderTimeout: 30 * time.Second,
		},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.http.ServeTLS(l, "", "") // ends with ErrServerClosed
	}()
	return s, nil
}

// close waits two seconds for the answers under way, then cuts the connections.
func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.done
}
