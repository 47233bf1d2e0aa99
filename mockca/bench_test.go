package mockca_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// What mockca takes alone. Beside Pebble it is measured by BenchmarkCapacity in
// the module bench. Where two things are compared they take turns, so that what
// slows the machine for a while slows both.

// BenchmarkStart is from nothing until the CA listens, and until a client without
// a connection has the answer to its first request, TLS and all. It also reports
// what a CA that did so keeps.
func BenchmarkStart(b *testing.B) {
	for _, keyType := range []string{"P-256", "P-384", "RSA-2048", "RSA-4096"} {
		b.Run(keyType, func(b *testing.B) {
			start := func() (ca *mockca.CA, constructed time.Duration) {
				begun := time.Now()
				ca, err := mockca.Start(context.Background(), mockca.Options{Hierarchy: mockca.Hierarchy{KeyType: keyType}})
				require.NoError(b, err)
				constructed = time.Since(begun)
				resp, err := ca.Client().Get(ca.DirectoryURL())
				require.NoError(b, err)
				resp.Body.Close()
				return ca, constructed
			}
			b.ReportAllocs()
			var constructed, answered []time.Duration
			for b.Loop() {
				begun := time.Now()
				ca, c := start()
				constructed, answered = append(constructed, c), append(answered, time.Since(begun))
				ca.Close()
			}
			b.ReportMetric(median(constructed), "listening-us")
			b.ReportMetric(median(answered), "answered-us")
			b.ReportMetric(float64(slices.Min(answered).Microseconds()), "fastest-answered-us")
			const instances = 50
			before := heapInUse()
			var all []*mockca.CA
			for range instances {
				ca, _ := start()
				all = append(all, ca)
			}
			b.ReportMetric(float64(heapInUse()-before)/instances, "kept-B/CA")
			for _, ca := range all {
				ca.Close()
			}
		})
	}
}

// heapInUse is what garbage collection leaves.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools held
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var quiet = mockca.TranscriptOptions{Off: true}

// BenchmarkIssuance is the CA's work, with that of a lean client, for one name.
func BenchmarkIssuance(b *testing.B) {
	for name, transcript := range map[string]mockca.TranscriptOptions{"transcript": {}, "no-transcript": quiet} {
		b.Run(name, func(b *testing.B) {
			c := newLean(b, mockca.New(b, mockca.Options{Validation: off, Transcript: transcript}))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				c.issue(fmt.Sprintf("n%d.example", n))
			}
		})
	}
}

// BenchmarkGrowth fills a CA with 100,000 finished orders and compares it with
// an empty one: what an issuance takes, and an order for 100 names. It also
// reports what a finished order keeps, and what one more does once MaxOrders is
// reached.
func BenchmarkGrowth(b *testing.B) {
	const orders = 100_000
	full := mockca.New(b, mockca.Options{Validation: off, Transcript: quiet, MaxOrders: orders})
	fill(b, full, 10) // what is made at first use
	before := heapInUse()
	fill(b, full, orders-10)
	kept := heapInUse() - before
	fresh := func() *lean {
		return newLean(b, mockca.New(b, mockca.Options{Validation: off, Transcript: quiet}))
	}
	old := newLean(b, full)
	many := make([]string, 100)
	b.Run("issuance", func(b *testing.B) {
		young, n := fresh(), 0
		issue := func(c *lean) func() {
			return func() { n++; c.issue(fmt.Sprintf("n%d.again.example", n)) }
		}
		ratio(b, "100000th/1st", issue(old), issue(young))
		b.ReportMetric(float64(kept)/orders, "kept-B/order")
		b.ReportMetric(float64(len(full.Orders())), "orders")
	})
	order := func(c *lean, names, serial int) {
		for i := range names {
			many[i] = fmt.Sprintf("n%d.i%d.example", i, serial)
		}
		c.post(c.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers(many[:names]...)+`}`)
	}
	b.Run("100-names", func(b *testing.B) {
		young, n := fresh(), 0
		hundred := func(c *lean) func() { return func() { n++; order(c, 100, n) } }
		ratio(b, "full/empty", hundred(old), hundred(young))
	})
	b.Run("100-names-by-10", func(b *testing.B) {
		n := 0
		ratio(b, "100-names/10-times-10", func() { n++; order(old, 100, n) }, func() {
			for range 10 {
				n++
				order(old, 10, n)
			}
		})
	})
	b.Run("beyond-the-limit", func(b *testing.B) {
		limited := mockca.New(b, mockca.Options{Validation: off, Transcript: quiet, MaxOrders: 1000})
		fill(b, limited, 2000)
		before := heapInUse()
		fill(b, limited, 5000)
		b.ReportMetric((float64(heapInUse())-float64(before))/5000, "kept-B/order")
		b.ReportMetric(float64(len(limited.Orders())), "orders")
		b.ReportMetric(0, "ns/op")
	})
}

// fill issues, for ten accounts.
func fill(b *testing.B, ca *mockca.CA, certificates int) {
	var all sync.WaitGroup
	for a := range 10 {
		c := newLean(b, ca)
		all.Go(func() {
			for i := range certificates / 10 {
				c.issue(fmt.Sprintf("n%d.a%d.example", i, a))
			}
		})
	}
	all.Wait()
}

// BenchmarkRules compares an order at a CA with rules that don't match with one
// at a CA without any.
func BenchmarkRules(b *testing.B) {
	for name, when := range map[string]mockca.When{
		"endpoint":   {Endpoint: mockca.RevokeCert},
		"account":    {Account: "4711"},
		"identifier": {Identifier: "nobody.example"},
		"nth":        {Nth: 1 << 40},
	} {
		for _, rules := range []int{1, 16} {
			b.Run(fmt.Sprintf("%d-by-%s", rules, name), func(b *testing.B) {
				ruled := mockca.New(b, mockca.Options{Validation: off, Transcript: quiet})
				for range rules {
					ruled.Inject(mockca.Status500(), when)
				}
				n := 0
				order := func(c *lean) func() {
					return func() {
						n++
						c.post(c.ca.URL(mockca.NewOrder), `{"identifiers":`+identifiers(fmt.Sprintf("n%d.example", n))+`}`)
					}
				}
				ratio(b, "ruled/free", order(newLean(b, ruled)), order(newLean(b, mockca.New(b, mockca.Options{Validation: off, Transcript: quiet}))))
			})
		}
	}
}

// ratio reports the ratio of the medians of two things that take turns. An
// operation is one of each.
func ratio(b *testing.B, name string, one, other func()) {
	var took [2][]time.Duration
	for b.Loop() {
		for i, f := range []func(){one, other} {
			begun := time.Now()
			f()
			took[i] = append(took[i], time.Since(begun))
		}
	}
	b.ReportMetric(median(took[0])/median(took[1]), name)
	b.ReportMetric(median(took[0]), strings.Split(name, "/")[0]+"-us")
}

// median is in microseconds.
func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds())
}
