package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// job is what the process that holds the CA tells one that holds a client.
type job struct {
	Client, Directory string
	RootPEM           []byte
	ResponderPort     int
	Names             int
	Issuances         int
	Parallel          int
	Concurrency       int
	AlwaysValid       bool
	Unlimited         bool
	WarmUp            bool
	Budget, Cap       time.Duration
}

// outcome is what it answers, about the measured time alone.
type outcome struct {
	Wall      time.Duration
	Each      []time.Duration // of the issuances that succeeded
	Issued    int
	Failed    int
	CutOff    int      // under way when the cap came
	Errors    []string // of the first few that failed
	CPU       time.Duration
	Mallocs   uint64
	Allocated uint64 // bytes
}

// work is the whole life of a client's process: it reads a job, says "ready",
// waits for a line, and answers with the outcome.
func work(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	var j job
	if line, err := lines.ReadBytes('\n'); err != nil {
		return err
	} else if err := json.Unmarshal(line, &j); err != nil {
		return err
	}
	w, err := newWorker(j)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	if _, err := lines.ReadBytes('\n'); err != nil {
		return err
	}
	o := w.measure()
	if err := w.check(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(o)
}

type worker struct {
	job     job
	drivers []driver
	begun   atomic.Int64

	mu      sync.Mutex
	outcome outcome
	issued  []issued
}

type issued struct {
	names []string
	leaf  []byte
}

const registering = 60 * time.Second

// newWorker makes the clients and their accounts, before anything is measured.
func newWorker(j job) (*worker, error) {
	responder, err := newResponder(j.ResponderPort, j.AlwaysValid)
	if err != nil {
		return nil, err
	}
	w := &worker{job: j}
	ctx, cancel := context.WithTimeout(context.Background(), registering)
	defer cancel()
	for i := range max(j.Parallel, 1) {
		tr, err := transport(j.RootPEM)
		if err != nil {
			return nil, err
		}
		d, err := newDriver(j.Client, environment{j.Directory, tr, responder, j.Unlimited})
		if err != nil {
			return nil, err
		}
		if err := d.Register(ctx); err != nil {
			return nil, fmt.Errorf("account: %w", err)
		}
		if j.WarmUp {
			if _, err := d.Obtain(ctx, []string{fmt.Sprintf("warm%d.example", i)}); err != nil {
				return nil, fmt.Errorf("first issuance: %w", err)
			}
		}
		w.drivers = append(w.drivers, d)
	}
	return w, nil
}

// measure issues, and looks at the clocks before and after.
func (w *worker) measure() outcome {
	w.outcome.Each = make([]time.Duration, 0, w.job.Issuances)
	w.issued = make([]issued, 0, w.job.Issuances)
	ctx, cancel := context.WithTimeout(context.Background(), w.job.Cap)
	defer cancel()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, begun := cpuTime(), time.Now()
	var wg sync.WaitGroup
	for _, d := range w.drivers {
		for range max(w.job.Concurrency, 1) {
			wg.Go(func() { w.issue(ctx, d, begun.Add(w.job.Budget)) })
		}
	}
	wg.Wait()
	o := &w.outcome
	o.Wall, o.CPU = time.Since(begun), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	o.Mallocs, o.Allocated = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return *o
}

func (w *worker) issue(ctx context.Context, d driver, until time.Time) {
	for {
		n := int(w.begun.Add(1))
		if n > w.job.Issuances || n > 1 && time.Now().After(until) || ctx.Err() != nil {
			return
		}
		names := make([]string, w.job.Names)
		for i := range names {
			names[i] = fmt.Sprintf("n%d.i%d.example", i, n)
		}
		begun := time.Now()
		leaf, err := d.Obtain(ctx, names)
		took := time.Since(begun)
		w.record(names, leaf, took, err, ctx.Err() != nil)
	}
}

const errorsKept = 3

func (w *worker) record(names []string, leaf []byte, took time.Duration, err error, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := &w.outcome
	if err != nil && cut {
		o.CutOff++
		return
	}
	if err != nil {
		o.Failed++
		if len(o.Errors) < errorsKept {
			o.Errors = append(o.Errors, err.Error())
		}
		return
	}
	o.Issued++
	o.Each = append(o.Each, took)
	w.issued = append(w.issued, issued{names, leaf})
}

// check makes sure that what was counted was a certificate, for the names.
func (w *worker) check() error {
	seen := make(map[string]bool, len(w.issued))
	for _, i := range w.issued {
		leaf, err := x509.ParseCertificate(i.leaf)
		if err != nil {
			return err
		}
		slices.Sort(leaf.DNSNames)
		slices.Sort(i.names)
		if !slices.Equal(leaf.DNSNames, i.names) {
			return fmt.Errorf("a certificate for %v is for %v", i.names, leaf.DNSNames)
		}
		if serial := leaf.SerialNumber.String(); seen[serial] {
			return errors.New("one certificate was counted twice")
		} else {
			seen[serial] = true
		}
	}
	return nil
}
