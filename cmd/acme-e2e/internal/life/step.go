package life

import "time"

// Verdict is how a step ended.
type Verdict string

// The verdicts. NotOffered is for what this CA can't do, or can't be told to
// do; the step's Detail says which.
const (
	Passed     Verdict = "passed"
	Failed     Verdict = "failed"
	NotOffered Verdict = "not offered"
)

// Step is one step of a certificate's life.
type Step struct {
	Name    string        `json:"name"`
	Section string        `json:"section"` // of the standard, "RFC 8555, Section 7.3"
	Verdict Verdict       `json:"verdict"`
	Took    time.Duration `json:"-"`
	Millis  float64       `json:"milliseconds"`
	Detail  string        `json:"detail,omitempty"`
	Error   string        `json:"error,omitempty"`
}

// diary keeps the steps as they happen. Steps come one after the other, each
// taking the time since the one before.
type diary struct {
	steps  []Step
	last   time.Time
	onStep func(Step)
}

func (d *diary) add(s Step) {
	now := time.Now()
	s.Took = now.Sub(d.last)
	s.Millis = float64(s.Took.Microseconds()) / 1000
	d.last = now
	d.steps = append(d.steps, s)
	if d.onStep != nil {
		d.onStep(s)
	}
}

func (d *diary) passed(name, section, detail string) {
	d.add(Step{Name: name, Section: section, Verdict: Passed, Detail: detail})
}

func (d *diary) notOffered(name, section, why string) {
	d.add(Step{Name: name, Section: section, Verdict: NotOffered, Detail: why})
}
