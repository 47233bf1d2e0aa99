package challenge_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
)

var (
	_ challenge.Solver  = (*challenge.HTTP01Solver)(nil)
	_ challenge.Checker = (*challenge.HTTP01Solver)(nil)
	_ challenge.Watcher = (*challenge.HTTP01Solver)(nil)
	_ challenge.Solver  = (*challenge.Webroot)(nil)
	_ challenge.Checker = (*challenge.Webroot)(nil)
)

func http01(token string) challenge.Challenge {
	return challenge.Challenge{Type: challenge.HTTP01, URL: "https://ca.example/c/" + token, IdentifierType: "dns",
		Identifier: "a.example", Token: token, KeyAuthorization: token + ".thumbprint"}
}

func list(c ...challenge.Challenge) []challenge.Challenge { return c }

func fetch(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestHTTP01ListensOnlyWhilePending(t *testing.T) {
	t.Parallel()
	s := challenge.NewHTTP01(challenge.HTTP01Options{Address: "127.0.0.1:0"})
	require.NoError(t, s.Check(t.Context()))
	require.Nil(t, s.Addr())
	first, second := list(http01("one"), http01("two")), list(http01("two"), http01("three"))
	require.NoError(t, s.Present(t.Context(), first))
	addr := s.Addr().String()
	require.NoError(t, s.Present(t.Context(), second))
	require.Equal(t, addr, s.Addr().String(), "one listener for all orders")
	require.NoError(t, s.Check(t.Context()), "its own listener is no obstacle")

	base := "http://" + addr
	for path, want := range map[string]int{
		"one": 200, "two": 200, "three": 200, "four": 404, "": 404, "one/": 404, "one/two": 404, "%6fne": 404, "../one": 404,
	} {
		status, body := fetch(t, "GET", base+challenge.HTTP01Path+path)
		require.Equal(t, want, status, path)
		if want == 200 {
			require.Equal(t, path+".thumbprint", body)
		}
	}
	status, _ := fetch(t, "GET", base+"/")
	require.Equal(t, 404, status)

	require.NoError(t, s.CleanUp(t.Context(), first))
	status, _ = fetch(t, "GET", base+challenge.HTTP01Path+"two")
	require.Equal(t, 200, status, "the second order still needs it")
	status, _ = fetch(t, "GET", base+challenge.HTTP01Path+"one")
	require.Equal(t, 404, status)
	require.NoError(t, s.CleanUp(t.Context(), second))
	require.Nil(t, s.Addr())
	_, err := net.Dial("tcp", addr)
	require.Error(t, err, "the listener is gone")
}

func TestHTTP01SeenAfterGETAndNotHEAD(t *testing.T) {
	t.Parallel()
	s := challenge.NewHTTP01(challenge.HTTP01Options{Address: "127.0.0.1:0"})
	c := http01("tok")
	require.Nil(t, s.Seen(c))
	require.NoError(t, s.Present(t.Context(), list(c)))
	seen := s.Seen(c)
	url := "http://" + s.Addr().String() + challenge.HTTP01Path + c.Token
	status, _ := fetch(t, "HEAD", url)
	require.Equal(t, 200, status)
	status, _ = fetch(t, "POST", url)
	require.Equal(t, 405, status)
	require.False(t, isClosed(seen))
	fetch(t, "GET", url)
	<-seen
	fetch(t, "GET", url) // from another perspective
	require.NoError(t, s.CleanUp(t.Context(), list(c)))
}

func TestHTTP01PortTakenSaysWhomToAsk(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	s := challenge.NewHTTP01(challenge.HTTP01Options{Address: l.Addr().String()})
	c := http01("tok")
	for _, err := range []error{s.Check(t.Context()), s.Present(t.Context(), list(c))} {
		require.ErrorIs(t, err, challenge.ErrPortTaken)
		require.NotErrorIs(t, err, challenge.ErrPortNotAllowed)
		require.ErrorContains(t, err, "another program listens there")
	}
	require.Len(t, challenge.Failed(s.Present(t.Context(), list(c)), list(c)), 1)
	require.NoError(t, s.CleanUp(t.Context(), list(c)))

	denied := challenge.NewHTTP01(challenge.HTTP01Options{Listen: func(context.Context, string, string) (net.Listener, error) {
		return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", os.ErrPermission)}
	}})
	require.ErrorIs(t, denied.Check(t.Context()), challenge.ErrPortNotAllowed)
}

func TestHTTP01AnswersOverIPv4AndIPv6(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here")
	} else {
		l.Close()
	}
	s := challenge.NewHTTP01(challenge.HTTP01Options{Address: ":0"})
	c := http01("tok")
	require.NoError(t, s.Present(t.Context(), list(c)))
	defer func() { require.NoError(t, s.CleanUp(context.Background(), list(c))) }()
	_, port, err := net.SplitHostPort(s.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "::1"} {
		status, _ := fetch(t, "GET", "http://"+net.JoinHostPort(host, port)+challenge.HTTP01Path+c.Token)
		require.Equal(t, 200, status, host)
	}
}

func TestHTTP01RefusesWhatItCannotProve(t *testing.T) {
	t.Parallel()
	s := challenge.NewHTTP01(challenge.HTTP01Options{Address: "127.0.0.1:0"})
	for name, change := range map[string]func(*challenge.Challenge){
		"wildcard":  func(c *challenge.Challenge) { c.Wildcard = true },
		"type":      func(c *challenge.Challenge) { c.Type = challenge.DNS01 },
		"traversal": func(c *challenge.Challenge) { c.Token = "../../etc/passwd" },
		"empty":     func(c *challenge.Challenge) { c.Token = "" },
		"CRLF":      func(c *challenge.Challenge) { c.Token = "a\r\nb" },
		"no answer": func(c *challenge.Challenge) { c.KeyAuthorization = "" },
	} {
		bad, good := http01("bad"), http01("good")
		change(&bad)
		err := s.Present(t.Context(), list(bad, good))
		require.ErrorIs(t, err, challenge.ErrNotPresented, name)
		failed := challenge.Failed(err, list(bad, good))
		require.Len(t, failed, 1, name)
		require.Contains(t, failed, bad.URL, name)
		require.ErrorIs(t, (&challenge.Webroot{Dir: t.TempDir()}).Present(t.Context(), list(bad)), challenge.ErrNotPresented, name)
		require.NoError(t, s.CleanUp(t.Context(), list(bad, good)))
		require.Nil(t, s.Addr(), name)
	}
}

func TestHTTP01ManyOrdersAtOnce(t *testing.T) {
	t.Parallel()
	s := challenge.NewHTTP01(challenge.HTTP01Options{Address: "127.0.0.1:0"})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			c := list(http01(strings.Repeat("a", i+1)), http01("shared"))
			for range 5 {
				if err := s.Present(t.Context(), c); err != nil {
					t.Error(err)
				}
				if s.Addr() == nil {
					t.Error("pending without a listener")
				}
				if err := s.CleanUp(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Nil(t, s.Addr())
}

func TestHTTP01MountedFallsThrough(t *testing.T) {
	t.Parallel()
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "site "+r.URL.Path) })
	s := challenge.NewHTTP01(challenge.HTTP01Options{Mounted: true, Next: next, Address: "invalid"})
	srv := httptest.NewServer(s)
	defer srv.Close()
	require.NoError(t, s.Check(t.Context()))
	c := http01("tok")
	require.NoError(t, s.Present(t.Context(), list(c)))
	_, body := fetch(t, "GET", srv.URL+challenge.HTTP01Path+"tok")
	require.Equal(t, c.KeyAuthorization, body)
	for _, path := range []string{"/", challenge.HTTP01Path + "other"} {
		_, body = fetch(t, "GET", srv.URL+path)
		require.Equal(t, "site "+path, body)
	}
	require.NoError(t, s.CleanUp(t.Context(), list(c)))
	_, body = fetch(t, "GET", srv.URL+challenge.HTTP01Path+"tok")
	require.Equal(t, "site "+challenge.HTTP01Path+"tok", body)
}

// memoryStore is a TokenStore as a fleet would have over the network.
type memoryStore struct {
	mu sync.Mutex
	m  map[string]string
}

func (s *memoryStore) Put(_ context.Context, k, v string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]string{}
	}
	s.m[k] = v
	return nil
}

func (s *memoryStore) Get(_ context.Context, k string) (string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[k]
	return v, ok, nil
}

func (s *memoryStore) Delete(_ context.Context, k string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, k)
	return nil
}

type brokenStore struct{ memoryStore }

func (*brokenStore) Put(context.Context, string, string) error { return errors.New("store is down") }

func TestHTTP01AnyNodeOfAFleetAnswers(t *testing.T) {
	t.Parallel()
	store := &memoryStore{}
	one := challenge.NewHTTP01(challenge.HTTP01Options{Mounted: true, Store: store})
	other := httptest.NewServer(challenge.NewHTTP01(challenge.HTTP01Options{Mounted: true, Store: store}))
	defer other.Close()
	c := http01("tok")
	require.NoError(t, one.Present(t.Context(), list(c)))
	status, body := fetch(t, "GET", other.URL+challenge.HTTP01Path+"tok")
	require.Equal(t, 200, status)
	require.Equal(t, c.KeyAuthorization, body)
	require.NoError(t, one.CleanUp(t.Context(), list(c)))
	status, _ = fetch(t, "GET", other.URL+challenge.HTTP01Path+"tok")
	require.Equal(t, 404, status)
	require.Empty(t, store.m)

	broken := challenge.NewHTTP01(challenge.HTTP01Options{Mounted: true, Store: &brokenStore{}})
	require.ErrorContains(t, broken.Present(t.Context(), list(c)), "store is down")
}

func TestWebrootLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &challenge.Webroot{Dir: dir}
	require.NoError(t, w.Check(t.Context()))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "Check cleans up after itself")

	c := list(http01("one"), http01("two"))
	require.NoError(t, w.Present(t.Context(), c))
	require.NoError(t, w.Present(t.Context(), c[:1]))
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer srv.Close()
	_, body := fetch(t, "GET", srv.URL+challenge.HTTP01Path+"one")
	require.Equal(t, "one.thumbprint", body)
	files, err := os.ReadDir(filepath.Join(dir, ".well-known/acme-challenge"))
	require.NoError(t, err)
	require.Len(t, files, 2, "no temporary files")
	require.NoError(t, w.CleanUp(t.Context(), c))
	require.FileExists(t, filepath.Join(dir, ".well-known/acme-challenge/one"), "another order needs it")
	require.NoError(t, w.CleanUp(t.Context(), c[:1]))
	entries, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestWebrootKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".well-known"), 0o755))
	w := &challenge.Webroot{Dir: dir}
	require.NoError(t, w.Present(t.Context(), list(http01("one"))))
	require.NoError(t, w.CleanUp(t.Context(), list(http01("one"))))
	require.DirExists(t, filepath.Join(dir, ".well-known"))
	require.NoDirExists(t, filepath.Join(dir, ".well-known/acme-challenge"))
}

func TestWebrootRefusesLinksThatLeadOut(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, ".well-known")); err != nil {
		t.Skip(err)
	}
	w := &challenge.Webroot{Dir: dir}
	require.Error(t, w.Check(t.Context()))
	require.Error(t, w.Present(t.Context(), list(http01("one"))))
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Error(t, (&challenge.Webroot{Dir: filepath.Join(dir, "missing")}).Check(t.Context()))
}

func FuzzHTTP01Path(f *testing.F) {
	for _, p := range []string{"tok", "", "../tok", "tok/", "%74ok", "tok?x", "tok\x00"} {
		f.Add(p)
	}
	s := challenge.NewHTTP01(challenge.HTTP01Options{Mounted: true})
	if err := s.Present(f.Context(), list(http01("tok"))); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = challenge.HTTP01Path + token
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if (w.Code == http.StatusOK) != (token == "tok") {
			t.Fatalf("token %q: status %d", token, w.Code)
		}
	})
}
