// Command bench issues certificates with this module's client, with the peers
// that Go programs use, and with a client that does only what the protocol
// needs (the floor), all from Pebble in this process and under the same
// conditions, and prints what each of them took.
//
//	go run . [-rows REGEXP] [-clients LIST] [-quick] [-json FILE]
//
// Each client runs in a process of its own, so that its processor time and
// allocations are its own. Every client of every row gets a fresh CA, and faults
// come from a seed. docs/bench.md says what the figures mean.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

const workerFlag = "-worker"

func main() {
	if len(os.Args) == 2 && os.Args[1] == workerFlag {
		exit(work(os.Stdin, os.Stdout))
	}
	exit(bench(os.Args[1:], os.Stdout, os.Stderr))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type options struct {
	rows, clients, json string
	quick, list         bool
}

func bench(args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.rows, "rows", "", "measure only rows whose name matches this regular expression")
	flags.StringVar(&o.clients, "clients", strings.Join(clients(), ","), "clients, separated by commas")
	flags.StringVar(&o.json, "json", "", "also write all figures to this file as JSON; \"-\" is standard output in place of the table")
	flags.BoolVar(&o.quick, "quick", false, "fewer issuances, one round: shows that it works, not how fast")
	flags.BoolVar(&o.list, "list", false, "list the rows and do nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, which, err := o.choose()
	if err != nil {
		return err
	}
	if o.list {
		for _, r := range chosen {
			fmt.Fprintf(stdout, "%-16s %s\n", r.Name, r.Title)
		}
		return nil
	}
	rep := newReport()
	for _, r := range chosen {
		fmt.Fprintf(stderr, "%s: %s\n", r.Name, r.Title)
		rep.add(r, measure(r, which, func(res result) { fmt.Fprintf(stderr, "  %s\n", res.line()) }))
	}
	rep.finish()
	return rep.write(o.json, stdout)
}

func (o options) choose() ([]row, []string, error) {
	pattern, err := regexp.Compile(o.rows)
	if err != nil {
		return nil, nil, err
	}
	var chosen []row
	for _, r := range rows() {
		if pattern.MatchString(r.Name) {
			if o.quick {
				r = r.quick()
			}
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, fmt.Errorf("no row matches %q; -list shows them", o.rows)
	}
	which := strings.Split(o.clients, ",")
	for _, name := range which {
		if !slices.Contains(clients(), name) {
			return nil, nil, fmt.Errorf("no client %q; there are %s", name, strings.Join(clients(), ", "))
		}
	}
	return chosen, which, nil
}

func writeJSON(file string, v any, stdout io.Writer) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if file == "-" {
		_, err = stdout.Write(data)
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
