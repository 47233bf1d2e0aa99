package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// result is one client under one row: of a quick client the median of each
// figure over the rounds.
type result struct {
	Row    string `json:"row"`
	Client string `json:"client"`

	Issued int      `json:"issued"`
	Failed int      `json:"failed"`
	CutOff int      `json:"cutOff"` // under way when the row's time was over
	Wanted int      `json:"wanted"` // no more were begun than time allowed
	Errors []string `json:"errors,omitempty"`
	Broken string   `json:"broken,omitempty"` // why there are no figures

	MedianMS     float64 `json:"medianMS"` // one issuance
	P95MS        float64 `json:"p95MS"`
	MeanMS       float64 `json:"meanMS"`
	PerSecond    float64 `json:"perSecond"` // issued by wall time
	Requests     float64 `json:"requests"`  // for each certificate, as the following
	NewNonces    float64 `json:"newNonces"`
	Connections  float64 `json:"newConnections"` // in the whole row, beyond the first
	CPUMS        float64 `json:"cpuMS"`
	Mallocs      float64 `json:"mallocs"`
	KiB          float64 `json:"allocatedKiB"`
	Faults       int     `json:"faults"` // that the row's condition struck with
	WallSeconds  float64 `json:"wallSeconds"`
	RoundsSpread float64 `json:"roundsSpread,omitempty"` // slowest by fastest round's median
}

// figures are those that are taken the median of.
func (r *result) figures() []*float64 {
	return []*float64{&r.MedianMS, &r.P95MS, &r.MeanMS, &r.PerSecond, &r.Requests, &r.NewNonces, &r.Connections, &r.CPUMS, &r.Mallocs, &r.KiB, &r.WallSeconds}
}

// run measures one client once, in a process of its own, against a fresh CA.
func run(r row, client string) result {
	res := result{Row: r.Name, Client: client}
	f, err := startFront(r)
	if err != nil {
		res.Broken = err.Error()
		return res
	}
	defer f.close()
	res.Wanted = r.issuances(client)
	o, err := f.drive(r, client)
	if err != nil {
		res.Broken = err.Error()
		return res
	}
	res.fill(o, f)
	return res
}

func (f *front) drive(r row, client string) (outcome, error) {
	return job{
		Client: client, Directory: f.directory(), RootPEM: f.rootPEM(), ResponderPort: f.pebble.HTTPPort,
		Names: r.Names, Issuances: r.issuances(client), Parallel: r.Parallel, Concurrency: r.Concurrency, AlwaysValid: r.AlwaysValid, Unlimited: r.Unlimited,
		WarmUp: r.RetryAfterOrder == 0, Budget: r.Budget, Cap: r.Cap,
	}.run(func() { f.begin(r) })
}

// run has the job done by a process of its own. It calls begin when the client
// is ready, before anything is measured.
func (j job) run(begin func()) (outcome, error) {
	var o outcome
	order, err := json.Marshal(j)
	if err != nil {
		return o, err
	}
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	runtime.GC() // the CA's garbage of the row before is not this client's
	cmd := exec.Command(self, workerFlag)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return o, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return o, err
	}
	if err := cmd.Start(); err != nil {
		return o, err
	}
	hung := time.AfterFunc(registering+j.Cap+30*time.Second, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	err = func() error {
		if _, err := fmt.Fprintf(in, "%s\n", order); err != nil {
			return err
		}
		lines := bufio.NewReader(out)
		if ready, err := lines.ReadString('\n'); err != nil || ready != "ready\n" {
			return fmt.Errorf("not ready: %q, %v", ready, err)
		}
		begin()
		if _, err := fmt.Fprintln(in, "go"); err != nil {
			return err
		}
		return json.NewDecoder(lines).Decode(&o)
	}()
	_ = in.Close()
	if werr := cmd.Wait(); werr != nil {
		err = fmt.Errorf("%w: %s", werr, strings.TrimSpace(complaints.String()))
	}
	return o, err
}

func (r *result) fill(o outcome, f *front) {
	r.Issued, r.Failed, r.CutOff, r.Errors = o.Issued, o.Failed, o.CutOff, o.Errors
	r.Faults = f.fault.Load().hits()
	r.Connections = float64(f.connections.Load())
	r.WallSeconds = o.Wall.Seconds()
	if o.Issued == 0 {
		return
	}
	slices.Sort(o.Each)
	n := float64(o.Issued)
	r.MedianMS, r.P95MS = ms(o.Each[len(o.Each)/2]), ms(o.Each[(len(o.Each)*95+99)/100-1])
	var sum time.Duration
	for _, d := range o.Each {
		sum += d
	}
	r.MeanMS = ms(sum) / n
	r.PerSecond = n / o.Wall.Seconds()
	r.Requests, r.NewNonces = float64(f.requests.Load())/n, float64(f.nonces.Load())/n
	r.CPUMS, r.Mallocs, r.KiB = ms(o.CPU)/n, float64(o.Mallocs)/n, float64(o.Allocated)/1024/n
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measure runs all clients of a row. The quick ones alternate, so that what
// slows the machine for a while slows both.
func measure(r row, which []string, say func(result)) []result {
	rounds := make(map[string][]result)
	for range max(r.Rounds, 1) {
		for _, client := range which {
			if !isPeer(client) {
				rounds[client] = append(rounds[client], run(r, client))
			}
		}
	}
	var results []result
	for _, client := range which {
		var res result
		if isPeer(client) {
			res = run(r, client)
		} else {
			res = median(rounds[client])
		}
		say(res)
		results = append(results, res)
	}
	return results
}

// median takes the median of each figure; counts are summed.
func median(rounds []result) result {
	res := rounds[0]
	res.Issued, res.Failed, res.CutOff, res.Wanted, res.Faults, res.Errors = 0, 0, 0, 0, 0, nil
	var medians []float64
	for i := range rounds {
		r := &rounds[i]
		res.Issued += r.Issued
		res.Failed += r.Failed
		res.CutOff += r.CutOff
		res.Wanted += r.Wanted
		res.Faults += r.Faults
		res.Errors = append(res.Errors, r.Errors...)
		res.Broken = cmp.Or(res.Broken, r.Broken)
		medians = append(medians, r.MedianMS)
	}
	for i, into := range res.figures() {
		var values []float64
		for j := range rounds {
			values = append(values, *rounds[j].figures()[i])
		}
		slices.Sort(values)
		*into = values[len(values)/2]
	}
	if low := slices.Min(medians); len(rounds) > 1 && low > 0 {
		res.RoundsSpread = slices.Max(medians) / low
	}
	return res
}
