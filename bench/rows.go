package main

import (
	"fmt"
	"time"
)

// row is one condition under which every client issues certificates.
type row struct {
	Name  string
	Title string

	Names       int // identifiers in each certificate
	Issuances   int // at most, by each client; see Slow
	Slow        int // for clients that are known to take long, 0: as Issuances
	Parallel    int // independent clients, each with an account and connections of its own
	Concurrency int // issuances at once of each of them
	Rounds      int // of the quick clients, alternating; the median of each figure counts

	Latency                          time.Duration // of each request
	RetryAfterAuthz, RetryAfterOrder time.Duration
	AlwaysValid                      bool // the CA does not validate
	Fault                            faultKind
	Seed                             uint64
	Unlimited                        bool // lego's own request limit is off

	Budget time.Duration // no issuance begins after it
	Cap    time.Duration // all ends after it
}

func (r row) issuances(client string) int {
	if isPeer(client) && r.Slow > 0 {
		return r.Slow
	}
	return r.Issuances
}

// rows are the conditions of the table, in its order.
func rows() []row {
	var all []row
	for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
		for _, names := range []int{1, 10, 50, 100} {
			r := row{
				Name:  fmt.Sprintf("names-%d", names),
				Title: fmt.Sprintf("%d names on loopback", names),
				Names: names, Issuances: map[int]int{1: 40, 10: 20, 50: 8, 100: 6}[names], Rounds: 3,
				Latency: latency, Budget: 8 * time.Second, Cap: 100 * time.Second,
			}
			if latency > 0 {
				r.Name += "-50ms"
				r.Title = fmt.Sprintf("%d names, each request takes 50 ms", names)
				r.Issuances = map[int]int{1: 10, 10: 10, 50: 8, 100: 6}[names]
			}
			all = append(all, r)
		}
	}
	for _, names := range []int{1, 10} {
		all = append(all, row{
			Name: fmt.Sprintf("retry-after-%d", names), Title: fmt.Sprintf("Retry-After 3 and 5 s, as in Pebble's sample configuration, %d names", names),
			Names: names, Issuances: 16, Slow: 4, Parallel: 4, RetryAfterAuthz: 3 * time.Second, RetryAfterOrder: 5 * time.Second,
			Budget: 30 * time.Second, Cap: 100 * time.Second,
		})
	}
	all = append(all,
		row{Name: "badnonce", Title: "half of all nonces refused", Fault: badNonces, Issuances: 100, Slow: 24, Rounds: 3},
		row{Name: "503-html", Title: "503 as HTML on 20 % of the POSTs", Fault: busyHTML, Issuances: 200, Slow: 50},
		row{Name: "503-problem", Title: "503 as a problem with Retry-After: 1 on 20 % of the POSTs", Fault: busyProblem, Issuances: 200, Slow: 50},
		row{Name: "reset-before", Title: "10 % of the requests end in a reset, before they are handled", Fault: resetBefore, Issuances: 200, Slow: 50},
		row{Name: "reset-after", Title: "10 % of the requests end in a reset, after they were handled", Fault: resetAfter, Issuances: 200, Slow: 50},
	)
	for i := range all {
		r := &all[i]
		if r.Fault != noFault {
			r.Names, r.Parallel, r.Seed = 1, 4, uint64(i)
			r.Budget, r.Cap = 60*time.Second, 90*time.Second
			if r.Fault == busyProblem {
				r.Parallel = 8 // who obeys Retry-After sleeps most of the time
			}
		}
	}
	all = append(all, row{
		Name: "bulk", Title: "500 certificates, 16 at once", Names: 1, Issuances: 500, Concurrency: 16, AlwaysValid: true, Unlimited: true,
		Rounds: 9, Budget: 90 * time.Second, Cap: 100 * time.Second,
	})
	return all
}

// quick shortens a row to a smoke test.
func (r row) quick() row {
	r.Rounds = 1
	r.Issuances = max(1, r.Issuances/20)
	r.Slow = min(r.Slow, 2)
	r.Parallel = min(r.Parallel, 2)
	r.Budget, r.Cap = 2*time.Second, 15*time.Second
	return r
}
