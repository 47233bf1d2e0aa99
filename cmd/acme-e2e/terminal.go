package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// terminal is where a command reads and writes: results to out, people's text
// to err. Colours and progress appear only when err is a real terminal.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	json     bool // --json
	quiet    bool // --quiet
	live     bool // err is a terminal: progress may be redrawn
	colour   bool
}

func newTerminal(in io.Reader, out, err io.Writer, getenv func(string) string) *terminal {
	live := isTerminal(err) && getenv("TERM") != "dumb"
	return &terminal{in: in, out: out, err: err, live: live, colour: live && getenv("NO_COLOR") == ""}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Style is a way to show a word on a terminal.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// paint colours s where colours are shown.
func (t *terminal) paint(s string, as style) string {
	if !t.colour || as == plain {
		return s
	}
	return "\x1b[" + string(as) + "m" + s + "\x1b[0m"
}

// say writes a line for people, unless --quiet.
func (t *terminal) say(format string, args ...any) {
	if !t.quiet {
		fmt.Fprintf(t.err, format+"\n", args...)
	}
}

// complain writes a line about something that failed, also with --quiet.
func (t *terminal) complain(format string, args ...any) {
	fmt.Fprintf(t.err, format+"\n", args...)
}

// document writes v as the command's one JSON document.
func (t *terminal) document(v any) error {
	enc := json.NewEncoder(t.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// report shows err with its hint and returns the exit code.
func (t *terminal) report(err error) int {
	if err == nil || err == error(errReported) {
		return exitCode(err)
	}
	fmt.Fprintf(t.err, "%s %s\n", t.paint("acme-e2e:", red), strings.TrimPrefix(err.Error(), "acme: "))
	var exit *exitError
	if errors.As(err, &exit) && exit.hint != "" {
		fmt.Fprintf(t.err, "%s %s\n", t.paint("hint:", yellow), exit.hint)
	}
	return exitCode(err)
}
