package validate

import (
	"fmt"
	"strings"
)

// RFC 8659, Section 4.2: the issue-value, in CAA records and in dns-persist-01.

type parameter struct{ tag, value string }

// issuer is the name that an issue-value begins with, in lower case, whether or
// not the rest can be read. It is empty when there is none.
func issuer(s string) string {
	name, _, _ := strings.Cut(s, ";")
	return strings.TrimSuffix(strings.ToLower(strings.Trim(name, " \t")), ".")
}

// parseIssueValue takes an issue-value apart. Tags come in lower case and may
// repeat.
func parseIssueValue(s string) (name string, parameters []parameter, err error) {
	name, rest, more := strings.Cut(s, ";")
	name = strings.Trim(name, " \t")
	if name != "" {
		for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
			if !ldh(label) {
				return "", nil, fmt.Errorf("malformed issuer domain name %q", name)
			}
		}
	}
	if !more || strings.Trim(rest, " \t") == "" {
		return issuer(s), nil, nil
	}
	for one := range strings.SplitSeq(rest, ";") {
		one = strings.Trim(one, " \t")
		tag, value, ok := strings.Cut(one, "=")
		tag, value = strings.TrimRight(tag, " \t"), strings.TrimLeft(value, " \t")
		switch {
		case one == "":
			return "", nil, fmt.Errorf("empty parameter")
		case !ok || !ldh(tag):
			return "", nil, fmt.Errorf("malformed parameter %q: want tag=value", one)
		case strings.ContainsFunc(value, func(r rune) bool { return r < 0x21 || r > 0x7e }):
			return "", nil, fmt.Errorf("malformed value of parameter %q", tag)
		}
		parameters = append(parameters, parameter{strings.ToLower(tag), value})
	}
	return issuer(s), parameters, nil
}

// ldh tells whether s is letters, digits and, between them, hyphens.
func ldh(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digit(c)
		if !alnum && (c != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return s != ""
}

// values are those of a tag.
func values(parameters []parameter, tag string) []string {
	var list []string
	for _, p := range parameters {
		if p.tag == tag {
			list = append(list, p.value)
		}
	}
	return list
}
