package memnet_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/internal/memnet"
)

func TestHTTPOverTLSInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			io.WriteString(w, r.Proto)
		}))
		srv.Listener = l
		srv.EnableHTTP2 = true
		srv.StartTLS()
		defer srv.Close()
		hc := srv.Client()
		hc.Transport.(*http.Transport).DialContext = l.Dial
		hc.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true // the fixed test certificate is not valid at the bubble's time
		begun := time.Now()
		resp, err := hc.Get("https://ca.example/")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "HTTP/2.0", string(body))
		require.Equal(t, time.Hour, time.Since(begun))
		hc.CloseIdleConnections()
	})
}

func TestClosedListenerRefuses(t *testing.T) {
	l := memnet.Listen()
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	_, err := l.Dial(t.Context(), "tcp", "x:1")
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)

	busy := memnet.Listen()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = busy.Dial(ctx, "tcp", "x:1")
	require.ErrorIs(t, err, context.Canceled)
}
