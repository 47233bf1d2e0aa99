package mockca

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultInfo describes a fault of the catalogue, and makes it from text.
type FaultInfo struct {
	Name   string `json:"name"`             // as in "--fault NAME"
	Group  string `json:"group"`            // what it is a fault of: "Transport", "Order", ...
	Params string `json:"params,omitempty"` // what may follow after a colon: "duration=1h0m0s" with its default, or "a|b|c", the first being the default; empty: nothing
	Doc    string `json:"doc"`              // what it does
	Duty   string `json:"duty"`             // what a correct client does about it

	Requirements []string   `json:"requirements,omitempty"` // ids in the catalogue of requirements that it probes
	Endpoints    []Endpoint `json:"endpoints,omitempty"`    // where it acts unless a rule says otherwise; nil: everywhere
	Times        int        `json:"times,omitempty"`        // how often it happens unless a rule says otherwise; 0: without limit

	// Make returns the fault; empty params stand for the default.
	Make func(params string) (Fault, error) `json:"-"`
}

// Faults is the catalogue: every fault that has a name.
func Faults() []FaultInfo {
	var all []FaultInfo
	for _, group := range [...]struct {
		name   string
		faults []FaultInfo
	}{
		{"Transport", transportFaults()}, {"HTTP", httpFaults()}, {"Nonces", nonceFaults()}, {"JSON", jsonFaults()},
		{"Directory", directoryFaults()}, {"Account", accountFaults()}, {"Order", orderFaults()}, {"Authorization", authorizationFaults()},
		{"Challenge", challengeFaults()}, {"Certificate", certificateFaults()}, {"Revocation", revocationFaults()},
		{"Renewal information", renewalInfoFaults()}, {"Time", timeFaults()},
	} {
		for _, f := range group.faults {
			f.Group = group.name
			all = append(all, f)
		}
	}
	return all
}

// ParseFault makes a fault of "name" or "name:params", as "--fault" takes it.
func ParseFault(text string) (Fault, error) {
	name, params, given := strings.Cut(strings.TrimSpace(text), ":")
	if given && params == "" {
		return Fault{}, fmt.Errorf("fault %q: nothing follows the colon", text)
	}
	if field, ok := strings.CutPrefix(name, "directory-missing-"); ok && !given {
		name, params = "directory-missing", field
	}
	faults := Faults()
	i := slices.IndexFunc(faults, func(f FaultInfo) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, fmt.Errorf("there is no fault %q%s", name, similar(name, faults))
	}
	return faults[i].Make(params)
}

// similar suggests the faults whose names have a word of a wrong name.
func similar(name string, faults []FaultInfo) string {
	var found []string
	for _, word := range strings.Split(name, "-") {
		for _, f := range faults {
			if len(word) > 2 && strings.Contains(f.Name, word) && !slices.Contains(found, f.Name) {
				found = append(found, f.Name)
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	return "; there are " + strings.Join(found[:min(len(found), 8)], ", ")
}

// entry describes what make returns for the default parameters.
func entry(params string, make func(params string) (Fault, error)) FaultInfo {
	f, err := make("")
	if err != nil {
		panic("mockca: a fault without parameters: " + err.Error())
	}
	return FaultInfo{Name: f.Name, Params: params, Doc: f.Doc, Duty: f.Duty, Requirements: f.Requirements, Endpoints: f.Endpoints, Times: f.Times, Make: make}
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

// chosen is for constructors that take one of some words; the first is usual.
func chosen[W ~string](make func(W) Fault, words ...W) FaultInfo {
	list := join(words, "|")
	return entry(list, func(params string) (Fault, error) {
		if params == "" {
			params = string(words[0])
		}
		if !slices.Contains(words, W(params)) {
			return Fault{}, fmt.Errorf("fault %s: %q is not one of %s", make(words[0]).Name, params, list)
		}
		return make(W(params)), nil
	})
}

func join[W ~string](words []W, between string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(string(w))
	}
	return b.String()
}
