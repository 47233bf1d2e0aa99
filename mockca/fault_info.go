package mockca

import (
	"fmt"
	"strconv"
	"time"
)

// FaultInfo describes a fault of the catalogue, and makes it from text.
type FaultInfo struct {
	Name   string // as in "--fault NAME"
	Params string // what may follow after a colon, with its default: "duration=1h0m0s"; empty: nothing
	Doc    string // what it does
	Duty   string // what a correct client does about it

	Requirements []string   // ids in the catalogue of requirements that it probes
	Endpoints    []Endpoint // where it acts unless a rule says otherwise; nil: everywhere

	// Make returns the fault; empty params stand for the default.
	Make func(params string) (Fault, error)
}

// entry describes what make returns for the default parameters.
func entry(params string, make func(params string) (Fault, error)) FaultInfo {
	f, err := make("")
	if err != nil {
		panic("mockca: a fault without parameters: " + err.Error())
	}
	return FaultInfo{Name: f.Name, Params: params, Doc: f.Doc, Duty: f.Duty, Requirements: f.Requirements, Endpoints: f.Endpoints, Make: make}
}

// simple is for constructors without parameters.
func simple(make func() Fault) FaultInfo {
	return entry("", func(params string) (Fault, error) {
		f := make()
		if params != "" {
			return Fault{}, fmt.Errorf("fault %s takes no parameters, not %q", f.Name, params)
		}
		return f, nil
	})
}

// timed is for constructors that take a duration, "90s".
func timed(usual time.Duration, make func(time.Duration) Fault) FaultInfo {
	return entry("duration="+usual.String(), func(params string) (Fault, error) {
		d := usual
		if params != "" {
			var err error
			if d, err = time.ParseDuration(params); err != nil || d < 0 {
				return Fault{}, fmt.Errorf("fault %s: %q is not a duration as \"90s\"", make(usual).Name, params)
			}
		}
		return make(d), nil
	})
}

// counted is for constructors that take a number.
func counted(usual int, make func(int) Fault) FaultInfo {
	return entry("number="+strconv.Itoa(usual), func(params string) (Fault, error) {
		n := usual
		if params != "" {
			var err error
			if n, err = strconv.Atoi(params); err != nil || n < 0 {
				return Fault{}, fmt.Errorf("fault %s: %q is not a number", make(usual).Name, params)
			}
		}
		return make(n), nil
	})
}

// worded is for constructors that take text.
func worded(usual string, make func(string) Fault) FaultInfo {
	return entry("text="+usual, func(params string) (Fault, error) {
		if params == "" {
			params = usual
		}
		return make(params), nil
	})
}
