package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// The test binary is the clients' process, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == workerFlag {
		exit(work(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// BenchmarkCapacity issues 1,500 certificates for each operation from Pebble and
// from mockca in turn, neither of which validates. The floor client is a process
// of its own: the CA's processor time and memory are the CA's alone, but the
// processors are shared. Each figure is the median over the operations, and
// "hung" counts those in which not all were issued.
//
//	go test -run '^$' -bench Capacity -benchtime 50x -timeout 1h
func BenchmarkCapacity(b *testing.B) {
	for _, atOnce := range []int{1, 32} {
		b.Run(fmt.Sprint(atOnce), func(b *testing.B) {
			loads := map[string][]load{}
			for b.Loop() {
				for _, ca := range cas {
					l, err := measureLoad(ca, 1500, atOnce)
					if err != nil {
						b.Logf("%s: %v", ca.name, err)
					}
					loads[ca.name] = append(loads[ca.name], l)
				}
			}
			pebble := reported(b, "pebble", loads["pebble"])
			for _, ca := range cas[1:] {
				l := reported(b, ca.name, loads[ca.name])
				b.ReportMetric(l.perSecond/pebble.perSecond, ca.name+"-certs/s-ratio")
				b.ReportMetric(l.cpuMS/pebble.cpuMS, ca.name+"-cpu-ratio")
				b.ReportMetric(l.keptKiB/pebble.keptKiB, ca.name+"-kept-ratio")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// certificateAuthority is one that can be loaded.
type certificateAuthority struct {
	name  string
	start func() (directory string, rootPEM []byte, stop func(), err error)
}

var cas = []certificateAuthority{
	{"pebble", func() (string, []byte, func(), error) {
		h, err := pebbleharness.Start(context.Background(), pebbleharness.Options{AlwaysValid: true})
		if err != nil {
			return "", nil, nil, err
		}
		return h.DirectoryURL(), h.RootPEM(), h.Close, nil
	}},
	{"mockca", startMock(mockca.TranscriptOptions{Off: true})},
	{"mockca+transcript", startMock(mockca.TranscriptOptions{})},
}

func startMock(transcript mockca.TranscriptOptions) func() (string, []byte, func(), error) {
	return func() (string, []byte, func(), error) {
		ca, err := mockca.Start(context.Background(), mockca.Options{Validation: mockca.Validation{Off: true}, Transcript: transcript})
		if err != nil {
			return "", nil, nil, err
		}
		return ca.DirectoryURL(), ca.RootPEM(), func() { ca.Close() }, nil
	}
}

// load is what a CA took for some certificates.
type load struct {
	perSecond, cpuMS, keptKiB float64
	hung                      bool
}

func measureLoad(ca certificateAuthority, certificates, atOnce int) (load, error) {
	directory, root, stop, err := ca.start()
	if err != nil {
		return load{hung: true}, err
	}
	defer stop()
	var cpu time.Duration
	var heap uint64
	o, err := job{Client: theFloor, Directory: directory, RootPEM: root, Names: 1, Issuances: certificates, Concurrency: atOnce, AlwaysValid: true,
		WarmUp: true, Budget: time.Minute, Cap: time.Minute}.run(func() { heap, cpu = heapInUse(), cpuTime() })
	cpu = cpuTime() - cpu
	if err == nil && o.Issued != certificates {
		err = fmt.Errorf("%d of %d issued: %v", o.Issued, certificates, o.Errors)
	}
	if err != nil {
		return load{hung: true}, err
	}
	n := float64(certificates)
	return load{perSecond: n / o.Wall.Seconds(), cpuMS: ms(cpu) / n, keptKiB: (float64(heapInUse()) - float64(heap)) / 1024 / n}, nil
}

// heapInUse is what garbage collection leaves.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// reported is the medians of a CA, which it reports.
func reported(b *testing.B, name string, loads []load) load {
	done := slices.DeleteFunc(slices.Clone(loads), func(l load) bool { return l.hung })
	median := func(of func(load) float64) float64 {
		var all []float64
		for _, l := range done {
			all = append(all, of(l))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	b.ReportMetric(float64(len(loads)-len(done)), name+"-hung")
	if len(done) == 0 {
		return load{}
	}
	l := load{perSecond: median(func(l load) float64 { return l.perSecond }), cpuMS: median(func(l load) float64 { return l.cpuMS }), keptKiB: median(func(l load) float64 { return l.keptKiB })}
	b.ReportMetric(l.perSecond, name+"-certs/s")
	b.ReportMetric(l.cpuMS, name+"-cpu-ms/cert")
	b.ReportMetric(l.keptKiB, name+"-kept-KiB/cert")
	return l
}
