package client_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// BenchmarkObtain issues from Pebble in the same process: its work is in the
// times and allocations too.
func BenchmarkObtain(b *testing.B) {
	for _, row := range []struct {
		names   int
		latency time.Duration
	}{{1, 0}, {10, 0}, {100, 0}, {1, 50 * time.Millisecond}, {10, 50 * time.Millisecond}, {50, 50 * time.Millisecond}} {
		b.Run(fmt.Sprintf("names=%d/latency=%s", row.names, row.latency), func(b *testing.B) {
			p := newPebble(b, pebbleharness.Options{Middleware: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(row.latency) // the network that is measured
					next.ServeHTTP(w, r)
				})
			}})
			a := p.account()
			var n atomic.Int64
			p.requests()
			b.ReportAllocs()
			for b.Loop() {
				i := n.Add(1)
				var list []string
				for j := range row.names {
					list = append(list, fmt.Sprintf("n%d.i%d.example", j, i))
				}
				_, err := a.Obtain(b.Context(), p.request(list...))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(p.requests())/float64(b.N), "requests/op")
		})
	}
}
