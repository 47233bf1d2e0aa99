package main

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

// inProcess measures a client without a process of its own.
func inProcess(t *testing.T, r row, client string) outcome {
	t.Helper()
	f, err := startFront(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	w, err := newWorker(job{Client: client, Directory: f.directory(), RootPEM: f.rootPEM(), ResponderPort: f.pebble.HTTPPort,
		Names: r.Names, Issuances: r.Issuances, Concurrency: r.Concurrency, AlwaysValid: r.AlwaysValid, Budget: time.Minute, Cap: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	f.begin(r)
	o := w.measure()
	if err := w.check(); err != nil {
		t.Fatal(err)
	}
	if r.Fault != noFault && f.fault.Load().hits() == 0 {
		t.Fatal("no fault struck")
	}
	return o
}

func TestEveryClientIssues(t *testing.T) {
	for _, client := range clients() {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			if o := inProcess(t, row{Names: 2, Issuances: 1}, client); o.Issued != 1 || o.Failed != 0 {
				t.Fatalf("%+v", o)
			}
			if o := inProcess(t, row{Names: 1, Issuances: 4, Concurrency: 2, AlwaysValid: true}, client); o.Issued != 4 || o.Mallocs == 0 {
				t.Fatalf("%+v", o)
			}
		})
	}
}

func TestQuickClientsSurviveEveryFault(t *testing.T) {
	for _, fault := range []faultKind{badNonces, busyHTML, busyProblem, resetBefore, resetAfter} {
		for _, client := range []string{theFloor, ours} {
			t.Run(string(fault)+"/"+client, func(t *testing.T) {
				t.Parallel()
				if o := inProcess(t, row{Names: 1, Issuances: 5, Fault: fault, Seed: 1}, client); o.Issued != 5 {
					t.Fatalf("%+v", o)
				}
			})
		}
	}
}

func TestFaultsComeFromTheSeed(t *testing.T) {
	for _, row := range []struct {
		kind   faultKind
		method string
		share  float64
	}{{badNonces, "POST", 0.5}, {busyHTML, "POST", 0.2}, {busyHTML, "GET", 0}, {resetBefore, "HEAD", 0.1}, {resetAfter, "POST", 0.1}} {
		a, b, other := newFaults(row.kind, 7), newFaults(row.kind, 7), newFaults(row.kind, 8)
		differs := false
		const n = 10_000
		for range n {
			x := a.strikes(row.method)
			if x != b.strikes(row.method) {
				t.Fatal("one seed, two sequences")
			}
			differs = differs || x != other.strikes(row.method)
		}
		if got := float64(a.hits()) / n; math.Abs(got-row.share) > 0.02 || differs != (row.share > 0) {
			t.Errorf("%s: %s: struck %.3f of the times, not %.3f", row.kind, row.method, got, row.share)
		}
	}
	var none *faults
	served := false
	none.serve(nil, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }))
	if !served {
		t.Error("no fault, and not served")
	}
}

func TestBarsAreJudged(t *testing.T) {
	rep := newReport()
	add := func(row string, results ...result) {
		for i := range results {
			results[i].Row = row
		}
		rep.Rows = append(rep.Rows, measured{Name: row, Results: results})
	}
	add("names-10-50ms", result{Client: theFloor, Issued: 1, Requests: 25, MedianMS: 100}, result{Client: ours, Issued: 1, Requests: 34, MedianMS: 109},
		result{Client: acmezV3, Issued: 1, Requests: 34, MedianMS: 1000}, result{Client: xcrypto, Issued: 1, Requests: 40, MedianMS: 400})
	add("bulk", result{Client: theFloor, Issued: 1, PerSecond: 110, Mallocs: 100}, result{Client: ours, Issued: 1, PerSecond: 99, Mallocs: 90}, result{Client: legoV5, Broken: "x"})
	add("badnonce", result{Client: ours, Issued: 99, Wanted: 100})
	rep.finish()
	got := map[string]verdict{}
	for _, v := range rep.Bars {
		got[v.Row+" "+v.Figure] = v
	}
	if v := got["names-10-50ms median ms"]; v.Met || v.Peer != xcrypto || v.ToFloor != 1.09 {
		t.Errorf("within the floor's reach but not a quarter of the best peer: %+v", v)
	}
	if v := got["names-10-50ms requests"]; !v.Met || v.Peer != acmezV3 {
		t.Errorf("%+v", v)
	}
	if v := got["bulk certs/s"]; v.Met || v.Peer != "" {
		t.Errorf("99 is not within 1.1 of 110: %+v", v)
	}
	if v := got["bulk mallocs"]; !v.Met {
		t.Errorf("%+v", v)
	}
	if v := got["badnonce issued %"]; v.Met {
		t.Errorf("one was not begun: %+v", v)
	}
	var text bytes.Buffer
	if err := rep.text(&text); err != nil || strings.Count(text.String(), "BAR MISSED") != 3 || !strings.Contains(text.String(), "no figures: x") {
		t.Errorf("%v\n%s", err, &text)
	}
}

func TestMedianOfRounds(t *testing.T) {
	m := median([]result{{Issued: 2, CPUMS: 3, MedianMS: 10}, {Issued: 2, CPUMS: 1, MedianMS: 20}, {Issued: 1, Failed: 1, CPUMS: 2, MedianMS: 15}})
	if m.CPUMS != 2 || m.MedianMS != 15 || m.Issued != 5 || m.Failed != 1 || m.RoundsSpread != 2 {
		t.Errorf("%+v", m)
	}
}

func TestCommand(t *testing.T) {
	var out, log bytes.Buffer
	if err := bench([]string{"-list", "-rows", "bulk"}, &out, &log); err != nil || !strings.HasPrefix(out.String(), "bulk ") {
		t.Errorf("%v %q", err, &out)
	}
	for _, args := range [][]string{{"-rows", "nonsense"}, {"-clients", "nobody"}, {"-rows", "("}, {"-nonsense"}} {
		if bench(args, &out, &log) == nil {
			t.Errorf("%v is accepted", args)
		}
	}
	var v any
	out.Reset()
	if err := newReport().write("-", &out); err != nil || json.Unmarshal(out.Bytes(), &v) != nil {
		t.Errorf("%v %q", err, &out)
	}
}
