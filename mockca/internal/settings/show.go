package settings

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
)

type field struct {
	name  string
	index []int
	typ   reflect.Type
	omit  bool
}

// fieldsOf are the fields that have names outside, those of embedded structs
// among them.
func fieldsOf(t reflect.Type) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" {
			continue
		}
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
			continue
		}
		if tag == "" {
			tag = camel(f.Name)
		}
		list = append(list, field{name: tag, index: []int{i}, typ: f.Type, omit: strings.HasPrefix(options, "omit")})
	}
	return list
}

// camel is a field's name outside: "maxNames", "caaIdentities", "noCRL".
func camel(name string) string {
	r := []rune(name)
	for i := range r {
		if i > 0 && (!unicode.IsUpper(r[i]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

// Show is v as Decode would read it, for encoding as JSON or YAML. Empty fields
// are left out where their tag says so.
func Show(v any) any { return show(reflect.ValueOf(v)) }

func show(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	switch {
	case v.Type() == durationType:
		return FormatDuration(time.Duration(v.Int()))
	case v.Type() == timeType:
		return v.Interface().(time.Time).UTC().Format(time.RFC3339)
	}
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := text.MarshalText()
		if err != nil {
			return fmt.Sprint(v.Interface())
		}
		return string(b)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return show(v.Elem())
	case reflect.Struct:
		m := make(map[string]any)
		for _, f := range fieldsOf(v.Type()) {
			if value := v.FieldByIndex(f.index); !f.omit || !value.IsZero() {
				m[f.name] = show(value)
			}
		}
		return m
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = show(v.Index(i))
		}
		return list
	case reflect.Map:
		m := make(map[string]any, v.Len())
		for key, value := range v.Seq2() {
			m[key.String()] = show(value)
		}
		return m
	}
	return v.Interface()
}

// FormatDuration writes a duration without parts that are zero: "36h", "1m30s".
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	}
	return "a number"
}
