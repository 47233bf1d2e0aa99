// Package settings reads and shows Go structs as people write them: in YAML, or
// in JSON, which is read as YAML. Names are those of the fields' json tags, or
// the fields' own in camel case ("maxNames", "caaIdentities"); durations are
// text ("36h", "30d"). Reading is strict: what is not known is an error with its
// line, and nothing counts twice.
package settings

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Node is a part that was not read yet: a field of this type keeps it for
// DecodeNode.
type Node = yaml.Node

// Decode reads a document into a struct, whose fields keep their values where
// the document does not name them. It stops at the first error.
func Decode(data []byte, into any) error {
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("there is nothing in it")
		}
		return cleaned(err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one document in it")
	}
	return DecodeNode(doc.Content[0], into)
}

func cleaned(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

// DecodeNode is Decode for a part.
func DecodeNode(n *Node, into any) error {
	return decode(n, reflect.ValueOf(into).Elem(), "")
}

// complaint names the line and the place of what is wrong.
func complaint(n *Node, where, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if where != "" {
		what = where + ": " + what
	}
	return fmt.Errorf("line %d: %s", n.Line, what)
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	nodeType     = reflect.TypeFor[*Node]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func decode(n *Node, v reflect.Value, where string) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return complaint(n, where, "anchors and aliases are not supported")
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return nil
	}
	if n.Tag == "!!null" {
		v.SetZero()
		return nil
	}
	switch {
	case v.Type() == durationType:
		d, err := parseDuration(n)
		if err != nil {
			return complaint(n, where, "%v", err)
		}
		v.SetInt(int64(d))
		return nil
	case v.Type() == timeType:
		t, err := time.Parse(time.RFC3339, n.Value)
		if err != nil {
			return complaint(n, where, "%q is not a time as 2030-01-31T12:00:00Z", n.Value)
		}
		v.Set(reflect.ValueOf(t))
		return nil
	case reflect.PointerTo(v.Type()).Implements(textType):
		if n.Kind != yaml.ScalarNode {
			return complaint(n, where, "want text")
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
			return complaint(n, where, "%v", err)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		if err := decode(n, fresh.Elem(), where); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	case reflect.Struct:
		return decodeStruct(n, v, where)
	case reflect.Slice:
		return decodeSlice(n, v, where)
	case reflect.Map:
		return decodeMap(n, v, where)
	}
	return decodeScalar(n, v, where)
}

func decodeScalar(n *Node, v reflect.Value, where string) error {
	if n.Kind != yaml.ScalarNode {
		return complaint(n, where, "want %s", kindName(v.Type()))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		b, err := strconv.ParseBool(n.Value)
		if err != nil || n.Tag != "!!bool" {
			return complaint(n, where, "%q is not true or false", n.Value)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if err != nil {
			return complaint(n, where, "%q is not a whole number", n.Value)
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(n.Value, 10, v.Type().Bits())
		if err != nil {
			return complaint(n, where, "%q is not a whole number from 0 on", n.Value)
		}
		v.SetUint(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return complaint(n, where, "%q is not a number", n.Value)
		}
		v.SetFloat(f)
	default:
		return complaint(n, where, "cannot be set")
	}
	return nil
}

func decodeSlice(n *Node, v reflect.Value, where string) error {
	if n.Kind != yaml.SequenceNode {
		return complaint(n, where, "want a list")
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if err := decode(item, list.Index(i), fmt.Sprintf("%s[%d]", where, i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func decodeMap(n *Node, v reflect.Value, where string) error {
	if n.Kind != yaml.MappingNode {
		return complaint(n, where, "want names with values")
	}
	m := reflect.MakeMap(v.Type())
	return eachPair(n, where, func(key *Node, at string, value *Node) error {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decode(value, item, at); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
		v.Set(m)
		return nil
	})
}

func decodeStruct(n *Node, v reflect.Value, where string) error {
	if n.Kind != yaml.MappingNode {
		return complaint(n, where, "want names with values")
	}
	fields := fieldsOf(v.Type())
	return eachPair(n, where, func(key *Node, at string, value *Node) error {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
		if i < 0 {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			return complaint(key, where, "there is no %q here; there are %s", key.Value, strings.Join(names, ", "))
		}
		return decode(value, v.FieldByIndex(fields[i].index), at)
	})
}

func eachPair(n *Node, where string, f func(key *Node, at string, value *Node) error) error {
	seen := make(map[string]bool)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return complaint(key, where, "a name must be text")
		}
		if seen[key.Value] {
			return complaint(key, where, "%q is there twice", key.Value)
		}
		seen[key.Value] = true
		if err := f(key, strings.TrimPrefix(where+"."+key.Value, "."), value); err != nil {
			return err
		}
	}
	return nil
}

// parseDuration reads "36h", and days: "30d", "1d12h".
func parseDuration(n *Node) (time.Duration, error) {
	text, days := n.Value, int64(0)
	if head, rest, ok := strings.Cut(text, "d"); ok {
		d, err := strconv.ParseInt(head, 10, 64)
		if err == nil && d > -100_000 && d < 100_000 {
			days, text = d, rest
		}
	}
	if n.Value != "" && (text == "" || text == "0") {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf(`%q is not a duration as "90s", "36h" or "30d"`, n.Value)
	}
	return time.Duration(days)*24*time.Hour + d, nil
}
