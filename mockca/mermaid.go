package mockca

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Mermaid sequence diagrams of what happened between clients and the CA.

// WriteMermaid draws all exchanges as a sequence diagram in Mermaid's language,
// with one lifeline for each account. Notes are changes of state; a cross at the
// end of an arrow is an answer that did not arrive.
func (t *Transcript) WriteMermaid(w io.Writer) error {
	return writeMermaid(w, t.Exchanges(), t.Changes())
}

// WriteMermaidOrder draws what belongs to one order: its own exchanges, those of
// its authorizations, challenges and certificate, and what the CA did to them.
func (t *Transcript) WriteMermaidOrder(w io.Writer, order string) error {
	exchanges, changes := t.OfOrder(order)
	return writeMermaid(w, exchanges, changes)
}

// OfOrder picks out what belongs to an order, by its URL or the path of that:
// its own exchanges, those of its authorizations, challenges and certificate,
// and what the CA did to them.
func (t *Transcript) OfOrder(order string) ([]*Exchange, []Change) {
	return ofOrder(t.Exchanges(), t.Changes(), order)
}

// ofOrder goes by paths, as a CA may be reached by several names. Answers lead
// from the order to its other objects, so one pass in order of time finds them
// all.
func ofOrder(exchanges []*Exchange, changes []Change, order string) ([]*Exchange, []Change) {
	order = path(order)
	mine := map[string]bool{order: true}
	var list []*Exchange
	for _, x := range byNumber(exchanges) {
		created := path(x.ResponseHeader.Get("Location")) == order || slices.ContainsFunc(x.Changes, func(c Change) bool { return path(c.URL) == order })
		if !created && !mine[path(x.Object)] && !mine[path(x.URL)] {
			continue
		}
		list = append(list, x)
		for _, u := range urlsIn(x.JSON()) {
			mine[path(u)] = true
		}
		if x.Endpoint == NewOrder {
			for _, c := range x.Changes {
				mine[path(c.URL)] = c.Kind != "account"
			}
		}
	}
	var kept []Change
	for _, c := range changes {
		if mine[path(c.URL)] {
			kept = append(kept, c)
		}
	}
	return list, kept
}

// urlsIn are the URLs by which an order or an authorization names its objects.
func urlsIn(object map[string]any) []string {
	var list []string
	add := func(v any) {
		if s, ok := v.(string); ok && s != "" {
			list = append(list, s)
		}
	}
	add(object["finalize"])
	add(object["certificate"])
	authorizations, _ := object["authorizations"].([]any)
	for _, a := range authorizations {
		add(a)
	}
	challenges, _ := object["challenges"].([]any)
	for _, c := range challenges {
		if m, ok := c.(map[string]any); ok {
			add(m["url"])
		}
	}
	return list
}

func writeMermaid(w io.Writer, exchanges []*Exchange, changes []Change) error {
	exchanges = byNumber(exchanges)
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "sequenceDiagram")
	lines := lifelines(exchanges)
	for _, l := range lines.list {
		fmt.Fprintf(out, "    participant %s as %s\n", l.id, mermaidText(l.label))
	}
	fmt.Fprintln(out, "    participant CA")
	alone := byItself(changes)
	for _, x := range exchanges {
		for len(alone) > 0 && alone[0].after < x.ID && !alone[0].Time.After(x.Start) {
			writeChange(out, alone[0].Change)
			alone = alone[1:]
		}
		writeExchange(out, lines.of(x), x)
	}
	for _, c := range alone {
		writeChange(out, c.Change)
	}
	return out.Flush()
}

// later is a change that the CA made by itself, after an exchange: a clock that
// stands does not tell which came first, the order of the changes does.
type later struct {
	Change
	after int64
}

func byItself(changes []Change) []later {
	var list []later
	var last int64
	for _, c := range changes {
		if c.Exchange == 0 {
			list = append(list, later{c, last})
		}
		last = max(last, c.Exchange)
	}
	return list
}

func writeExchange(out io.Writer, client string, x *Exchange) {
	what := x.Method + " " + string(x.Endpoint)
	for _, id := range x.Identifiers {
		what += " " + id.Value
	}
	fmt.Fprintf(out, "    %s->>CA: %s\n", client, mermaidText(what))
	if len(x.Rules) > 0 {
		fmt.Fprintf(out, "    Note right of CA: fault %s\n", mermaidText(strings.Join(x.Rules, ", ")))
	}
	for _, c := range x.Changes {
		writeChange(out, c)
	}
	arrow, answer := "-->>", strconv.Itoa(x.Status)
	if x.Wire != "" {
		answer = strings.TrimPrefix(answer+" ", "0 ") + x.Wire
	}
	if lost(x.Wire) {
		arrow = "--x"
	}
	switch status, _ := x.JSON()["status"].(string); {
	case x.Problem != "":
		answer += " " + x.Problem
	case status != "":
		answer += " " + status
	}
	fmt.Fprintf(out, "    CA%s%s: %s\n", arrow, client, mermaidText(answer))
}

// lost tells whether the answer did not arrive whole; Wire.String has the words.
func lost(wire string) bool {
	return wire != "" && wire != "goaway" && !strings.HasPrefix(wire, "late") && !strings.HasPrefix(wire, "one byte")
}

func writeChange(out io.Writer, c Change) {
	text := c.Kind + " " + path(c.URL) + " "
	if c.From != "" {
		text += c.From + " → "
	}
	text += c.To
	if c.Detail != "" {
		text += " (" + c.Detail + ")"
	}
	fmt.Fprintf(out, "    Note over CA: %s\n", mermaidText(text))
}

// path is a URL without the part that all of a CA's have in common.
func path(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Path != "" {
		return u.Path
	}
	return raw
}

// lifeline is one client of a diagram.
type lifeline struct{ id, label string }

type diagram struct {
	list []lifeline
	byID map[string]string // account to identifier
}

// lifelines gives each account a line. Who has none yet is drawn with the
// account that the same connection uses later, so far as there is one.
func lifelines(exchanges []*Exchange) *diagram {
	d := &diagram{byID: map[string]string{}}
	byRemote := map[string]string{}
	for _, x := range exchanges {
		if x.Account != "" && byRemote[x.Remote] == "" {
			byRemote[x.Remote] = x.Account
		}
	}
	for _, x := range exchanges {
		account := x.Account
		if account == "" {
			account = byRemote[x.Remote]
		}
		id, known := d.byID[account]
		if !known {
			id = "C" + strconv.Itoa(len(d.list)+1)
			label := "client"
			if account != "" {
				label = "account " + path(account)
			}
			d.list = append(d.list, lifeline{id, label})
			d.byID[account] = id
		}
		if x.Account == "" {
			d.byID[remoteKey(x)] = id
		}
	}
	return d
}

// remoteKey cannot be an account's URL.
func remoteKey(x *Exchange) string { return "\x00" + x.Remote }

func (d *diagram) of(x *Exchange) string {
	if x.Account == "" {
		return d.byID[remoteKey(x)]
	}
	return d.byID[x.Account]
}

// mermaidText is text that cannot end a message, begin a comment or hold
// anything that a renderer takes for markup.
func mermaidText(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > 160 {
			b.WriteString("…")
			break
		}
		switch {
		case r < 0x20 || r == 0x7f || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		case strings.ContainsRune(`#;<>&"%`+"`", r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
