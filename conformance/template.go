package conformance

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
)

// placeholder is {name}, or {name?} for a condition.
var placeholder = regexp.MustCompile(`\{([a-z_]+)(\??)\}`)

// fill puts values in for placeholders; ok is false when one of them stands for
// nothing.
func fill(text string, values map[string]string) (filled string, ok bool) {
	ok = true
	filled = placeholder.ReplaceAllStringFunc(text, func(m string) string {
		name := placeholder.FindStringSubmatch(m)
		ok = ok && values[name[1]] != ""
		if name[2] != "" {
			return ""
		}
		return values[name[1]]
	})
	return filled, ok
}

// expand makes the arguments of a command.
func expand(command []Argument, values map[string]string) (args []string) {
	for _, a := range command {
		if len(a) == 1 {
			arg, _ := fill(a[0], values)
			args = append(args, arg)
			continue
		}
		group := a[1:] // of a group, the first is empty
		if !strings.Contains(strings.Join(group, " "), "{each_domain}") {
			args = append(args, expandGroup(group, values)...)
			continue
		}
		for i := 0; values["#"+strconv.Itoa(i)] != ""; i++ {
			each := maps.Clone(values)
			each["each_domain"] = values["#"+strconv.Itoa(i)]
			args = append(args, expandGroup(group, each)...)
		}
	}
	return args
}

func expandGroup(group []string, values map[string]string) (args []string) {
	for _, text := range group {
		arg, ok := fill(text, values)
		if !ok {
			return nil
		}
		if m := placeholder.FindStringSubmatch(text); m != nil && m[0] == text && m[2] != "" {
			continue
		}
		args = append(args, arg)
	}
	return args
}
