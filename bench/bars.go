package main

import (
	"fmt"
	"strings"
)

// figure is one column, as a thing to compare clients by.
type figure struct {
	name   string
	of     func(result) float64
	higher bool // is better
}

var (
	requests  = figure{name: "requests", of: func(r result) float64 { return r.Requests }}
	medianMS  = figure{name: "median ms", of: func(r result) float64 { return r.MedianMS }}
	meanMS    = figure{name: "mean ms", of: func(r result) float64 { return r.MeanMS }}
	perSecond = figure{name: "certs/s", of: func(r result) float64 { return r.PerSecond }, higher: true}
	cpuMS     = figure{name: "CPU ms", of: func(r result) float64 { return r.CPUMS }}
	mallocs   = figure{name: "mallocs", of: func(r result) float64 { return r.Mallocs }}
	kib       = figure{name: "KiB", of: func(r result) float64 { return r.KiB }}
	share     = figure{name: "issued %", of: func(r result) float64 { return 100 * float64(r.Issued) / float64(r.Issued+r.Failed+r.CutOff) }, higher: true}
)

// bar is what ours must reach for one figure of one row. The zero value of each
// limit asks for nothing.
type bar struct {
	figure
	toFloor float64 // ours is at most this many times the floor (at least its inverse, where higher is better)
	toPeers float64 // ours is at most this many times the best peer
	limit   float64 // ours is at most (or at least) this
	all     bool    // as many as the row wants were begun
	row     string  // ours is at most 1.1 times ours in this other row
}

const noMoreThan = 1.1

// bars by row. What stands here without a limit is compared all the same.
func bars() map[string][]bar {
	b := map[string][]bar{
		"names-1":        {{figure: requests}, {figure: medianMS}, {figure: mallocs}, {figure: kib}},
		"names-10":       {{figure: requests, limit: 34}, {figure: medianMS}, {figure: mallocs}, {figure: kib}},
		"names-50":       {{figure: requests, limit: 154}, {figure: medianMS}, {figure: mallocs}, {figure: kib}},
		"names-100":      {{figure: requests}, {figure: medianMS, limit: 300}, {figure: mallocs, toFloor: 1.15}, {figure: kib, toFloor: 1.15}},
		"names-1-50ms":   {{figure: requests, limit: 7}, {figure: medianMS, toFloor: 1.1}},
		"names-10-50ms":  {{figure: requests, limit: 34}, {figure: medianMS, toFloor: 1.1, toPeers: 1. / 4}},
		"names-50-50ms":  {{figure: requests, limit: 154}, {figure: medianMS, toFloor: 1.1, toPeers: 1. / 18}},
		"names-100-50ms": {{figure: requests}, {figure: medianMS, toFloor: 1.1}},
		"retry-after-1":  {{figure: meanMS}, {figure: requests}},
		"retry-after-10": {{figure: meanMS, row: "retry-after-1"}, {figure: requests}},
		"badnonce":       {{figure: share, limit: 100, all: true}, {figure: medianMS, toFloor: 1.2}, {figure: requests}},
		"bulk":           {{figure: perSecond, toFloor: 1.1}, {figure: cpuMS, toFloor: 1.15, toPeers: 1}, {figure: mallocs, toFloor: 1.15, toPeers: 1}, {figure: kib, toFloor: 1.15, toPeers: 1}, {figure: requests}},
	}
	for _, faulty := range []string{"503-html", "503-problem", "reset-before", "reset-after"} {
		b[faulty] = []bar{{figure: share, limit: 100, all: true}, {figure: medianMS}, {figure: requests}}
	}
	return b
}

// verdict is one bar, held against what was measured.
type verdict struct {
	Row       string  `json:"row"`
	Figure    string  `json:"figure"`
	Ours      float64 `json:"ours"`
	Floor     float64 `json:"floor,omitempty"`
	BestPeer  float64 `json:"bestPeer,omitempty"`
	Peer      string  `json:"peer,omitempty"`
	ToFloor   float64 `json:"oursToFloor,omitempty"`
	ToPeer    float64 `json:"oursToBestPeer,omitempty"`
	Bar       string  `json:"bar,omitempty"`
	Met       bool    `json:"met"`
	unlimited bool
}

func judge(rep *report) []verdict {
	var all []verdict
	for _, m := range rep.Rows {
		for _, b := range bars()[m.Name] {
			if us, ok := rep.find(m.Name, ours); ok {
				all = append(all, b.against(rep, m.Name, us))
			}
		}
	}
	return all
}

func (b bar) against(rep *report, row string, us result) verdict {
	v := verdict{Row: row, Figure: b.name, Ours: b.of(us), Met: true}
	if r, ok := rep.find(row, theFloor); ok {
		v.Floor = b.of(r)
		v.ToFloor = v.Ours / v.Floor
	}
	for _, name := range clients() {
		if r, ok := rep.find(row, name); ok && isPeer(name) && (v.Peer == "" || b.better(b.of(r), v.BestPeer)) {
			v.Peer, v.BestPeer = name, b.of(r)
		}
	}
	if v.Peer != "" {
		v.ToPeer = v.Ours / v.BestPeer
	}
	var limits []string
	demand := func(met bool, format string, args ...any) {
		limits = append(limits, fmt.Sprintf(format, args...))
		v.Met = v.Met && met
	}
	if b.toFloor > 0 && v.Floor > 0 {
		demand(!b.better(v.Floor, b.scaled(v.Ours, b.toFloor)), "within %.4g of the floor", b.toFloor)
	}
	if b.toPeers > 0 && v.Peer != "" {
		demand(v.ToPeer <= b.toPeers, "at most %.2g of the best peer", b.toPeers)
	}
	if b.limit > 0 {
		demand(v.Ours == b.limit || b.better(v.Ours, b.limit), "%.4g", b.limit)
	}
	if b.all {
		demand(us.Issued == us.Wanted, "%d of %d", us.Wanted, us.Wanted)
	}
	if other, ok := rep.find(b.row, ours); b.row != "" && ok {
		demand(v.Ours <= noMoreThan*b.of(other), "within %.4g of %s", noMoreThan, b.row)
	}
	v.Bar, v.unlimited = strings.Join(limits, ", "), len(limits) == 0
	return v
}

func (f figure) better(a, b float64) bool {
	if f.higher {
		return a > b
	}
	return a < b
}

// scaled is what ours would be if it were better by the factor.
func (f figure) scaled(ours, factor float64) float64 {
	if f.higher {
		return ours * factor
	}
	return ours / factor
}

func (v verdict) line() string {
	s := fmt.Sprintf("  %s: ours %s", v.Figure, short(v.Ours))
	if v.Floor > 0 {
		s += fmt.Sprintf(", %.2f of the floor's %s", v.ToFloor, short(v.Floor))
	}
	if v.Peer != "" {
		s += fmt.Sprintf(", %.3g of %s's %s", v.ToPeer, v.Peer, short(v.BestPeer))
	}
	switch {
	case v.unlimited:
		return s
	case v.Met:
		return s + "; bar met: " + v.Bar
	}
	return s + "; BAR MISSED: " + v.Bar
}
