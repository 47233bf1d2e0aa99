//go:build unix

package challenge_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
)

func TestHTTP01AnswersOnAnInheritedSocketAgainAndAgain(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	defer f.Close()
	s := challenge.NewHTTP01(challenge.HTTP01Options{Listen: challenge.ListenFile(f)})
	c := http01("tok")
	for range 3 {
		require.NoError(t, s.Check(t.Context()))
		require.NoError(t, s.Present(t.Context(), list(c)))
		status, _ := fetch(t, "GET", "http://"+s.Addr().String()+challenge.HTTP01Path+"tok")
		require.Equal(t, 200, status)
		require.NoError(t, s.CleanUp(t.Context(), list(c)))
	}
	none := challenge.NewHTTP01(challenge.HTTP01Options{Listen: challenge.ListenFile(nil)})
	require.ErrorContains(t, none.Check(t.Context()), "no inherited socket")
}
