package pebbleharness

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letsencrypt/pebble/v2/db"
	"github.com/stretchr/testify/require"
)

func guardOf(handler http.HandlerFunc, log *bytes.Buffer) *guard {
	return newGuard(handler, db.NewMemoryStore(), 30*time.Second, slog.New(slog.NewTextHandler(log, nil)))
}

func TestHangBecomesAnErrorThatSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		release := make(chan struct{})
		g := guardOf(func(http.ResponseWriter, *http.Request) { <-release }, &log)

		began := time.Now()
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/order-plz", nil))
		require.Equal(t, 30*time.Second, time.Since(began))
		require.ErrorIs(t, g.err(), ErrHung)
		require.ErrorContains(t, g.err(), "/order-plz")
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		require.Contains(t, w.Body.String(), "pebble hangs")
		require.Contains(t, log.String(), "TestHangBecomesAnErrorThatSaysSo", "the log has the stacks")

		w = httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/dir", nil))
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.Equal(t, 30*time.Second, time.Since(began), "later requests are not kept waiting")
		close(release)
	})
}

func TestPanicIsAnswered(t *testing.T) {
	var log bytes.Buffer
	g := guardOf(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/order-plz" {
			panic("on purpose")
		}
	}, &log)
	for path, want := range map[string]int{"/order-plz": 500, "/authZ/1": 200} {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		require.Equal(t, want, w.Code, path)
	}
	require.NoError(t, g.err())
	require.Contains(t, log.String(), "on purpose")
}

func TestBodiesAreLimited(t *testing.T) {
	g := guardOf(func(http.ResponseWriter, *http.Request) { t.Error("reached Pebble") }, &bytes.Buffer{})
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/order-plz", strings.NewReader(strings.Repeat("x", maxBody+1))))
	require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
}

func TestEachRequestHasItsRoom(t *testing.T) {
	for path, want := range map[string]room{
		"/dir": noRoom, "/nonce-plz": noRoom, "/sign-me-up": noRoom, "/certZ/1": noRoom,
		"/authZ/1":     authzRoom,
		"/my-order/1":  orderRoom,
		"/order-plz":   storeRoom,
		"/revoke-cert": storeRoom, "/chalZ/1": storeRoom, "/finalize-order/1": storeRoom, "/list-orderz/1": storeRoom,
	} {
		require.Equal(t, want, roomOf(path), path)
	}
}

// No two rooms are ever in use at once, everybody gets in, and those who want
// the same are in together.
func TestRoomsAreUsedOneAtATime(t *testing.T) {
	var rooms rooms
	var inside [roomsCount]atomic.Int32
	var all sync.WaitGroup
	for i := range 300 {
		want := room(1 + i%(int(roomsCount)-1))
		all.Go(func() {
			for range 100 {
				rooms.enter(want)
				inside[want].Add(1)
				for other := range inside {
					if room(other) != want && inside[other].Load() != 0 {
						t.Errorf("room %d is in use while somebody is in room %d", other, want)
					}
				}
				inside[want].Add(-1)
				rooms.leave()
			}
		})
	}
	all.Wait()
	require.Zero(t, rooms.inside)
	require.Empty(t, rooms.queue)
	for range 3 {
		rooms.enter(1) // would wait for ever if it were a lock
	}
	require.Equal(t, 3, rooms.inside)
}

func TestRoomsLetNobodyStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rooms rooms
		rooms.enter(authzRoom)
		entered := make(chan room, 2)
		go func() { rooms.enter(storeRoom); entered <- storeRoom }()
		synctest.Wait()
		go func() { rooms.enter(authzRoom); entered <- authzRoom }()
		synctest.Wait()
		require.Empty(t, entered, "who comes later queues behind those who wait")
		rooms.leave()
		require.Equal(t, storeRoom, <-entered)
		rooms.leave()
		require.Equal(t, authzRoom, <-entered)
		rooms.leave()
	})
}

func TestKeysExcludeOnlyThemselves(t *testing.T) {
	var locks keyed
	unlockA := locks.lock("a")
	locks.lock("b")()
	second := make(chan struct{})
	go func() { locks.lock("a")(); close(second) }()
	select {
	case <-second:
		t.Fatal("two had the lock of one key")
	default:
	}
	unlockA()
	<-second
	require.Empty(t, locks.locks, "unused locks are forgotten")
}

func TestReplacedSerial(t *testing.T) {
	body := func(payload string) []byte {
		return fmt.Appendf(nil, `{"payload":%q}`, base64.RawURLEncoding.EncodeToString([]byte(payload)))
	}
	for name, row := range map[string]struct {
		body []byte
		want []byte
	}{
		"replaces":      {body(`{"replaces":"AQ.AIQ"}`), []byte{0, 0x84}},
		"no replaces":   {body(`{}`), nil},
		"no dot":        {body(`{"replaces":"AQ"}`), nil},
		"not base64":    {body(`{"replaces":"AQ.!"}`), nil},
		"payload":       {[]byte(`{"payload":"!"}`), nil},
		"not an object": {body(`7`), nil},
		"not JSON":      {[]byte("x"), nil},
	} {
		require.Equal(t, row.want, replacedSerial(row.body), name)
	}
}
