package pebbleharness_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// BenchmarkStart is from nothing to the answer to a first request.
func BenchmarkStart(b *testing.B) {
	for _, algorithm := range []string{"ecdsa", "rsa"} {
		b.Run(algorithm, func(b *testing.B) {
			var requests atomic.Int64
			options := pebbleharness.Options{KeyAlgorithm: algorithm, Middleware: func(pebble http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					pebble.ServeHTTP(w, r)
				})
			}}
			for b.Loop() {
				h, err := pebbleharness.Start(b.Context(), options)
				require.NoError(b, err)
				response, err := h.HTTPClient().Get(h.DirectoryURL())
				require.NoError(b, err)
				require.NoError(b, response.Body.Close())
				h.Close()
			}
			b.ReportMetric(float64(requests.Load())/float64(b.N), "requests/op")
		})
	}
}

// BenchmarkAtOnce issues 1,500 certificates for each operation, as many at once
// as the name says. Without the guard most runs hang at 32 at once: they are
// counted, and certificates a second are those of the runs that ended. For the
// whole proof:
//
//	go test -run '^$' -bench AtOnce -benchtime 50x -timeout 2h ./pebbleharness
func BenchmarkAtOnce(b *testing.B) {
	const certificates = 1500
	for _, workers := range []int{8, 32} {
		for _, row := range []struct {
			name    string
			options pebbleharness.Options
		}{
			{"guarded", pebbleharness.Options{AlwaysValid: true}},
			{"unguarded", pebbleharness.Unguarded(pebbleharness.Options{AlwaysValid: true})},
		} {
			b.Run(fmt.Sprintf("%d/%s", workers, row.name), func(b *testing.B) {
				var hung, completed int
				var busy time.Duration
				for b.Loop() {
					took, err := issueAtOnce(b, row.options, certificates, workers)
					if err != nil {
						hung++
						b.Logf("run %d: %v", hung+completed, err)
						continue
					}
					completed++
					busy += took
				}
				b.ReportMetric(float64(hung), "hung")
				b.ReportMetric(float64(completed), "completed")
				if completed > 0 {
					b.ReportMetric(float64(completed*certificates)/busy.Seconds(), "certs/s")
				}
			})
		}
	}
}

// issueAtOnce is an error when nothing is issued for 10 seconds.
func issueAtOnce(t testing.TB, options pebbleharness.Options, certificates, workers int) (time.Duration, error) {
	h, err := pebbleharness.Start(t.Context(), options)
	require.NoError(t, err)
	defer h.Close()
	p := newPlayer(t, h, client.AccountOptions{})
	defer p.client.Close()
	p.solvers[0].Solver = nobody{}

	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	const patience = 10 * time.Second
	stuck := time.AfterFunc(patience, func() { cancel(fmt.Errorf("nothing was issued for %v", patience)) })
	defer stuck.Stop()

	began := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(certificates) || ctx.Err() != nil {
					return
				}
				if _, err := p.obtain(ctx, nil, fmt.Sprintf("n%d.example", n)); err != nil {
					cancel(err)
					return
				}
				stuck.Reset(patience)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return time.Since(began), h.Err()
}

// The benchmark's proof, small: this hangs in nearly every run without the
// guard.
func TestManyAtOnce(t *testing.T) {
	for range 2 {
		_, err := issueAtOnce(t, pebbleharness.Options{AlwaysValid: true}, 600, 32)
		require.NoError(t, err)
	}
}
