package client

import (
	"net/url"
	"strings"
)

// Link headers: RFC 8288, as RFC 8555 uses them ("alternate", "next", "help",
// "terms-of-service", "up", "index").

type link struct {
	target string // absolute
	rels   []string
}

func (l link) has(rel string) bool {
	for _, r := range l.rels {
		if strings.EqualFold(r, rel) {
			return true
		}
	}
	return false
}

const maxLinks = 64

// parseLinks reads the Link headers of an answer from the URL base, leaving out
// what can't be read.
func parseLinks(headers []string, base string) []link {
	var links []link
	for _, h := range headers {
		for len(links) < maxLinks {
			start := strings.IndexByte(h, '<')
			if start < 0 {
				break
			}
			end := strings.IndexByte(h[start:], '>')
			if end < 0 {
				break
			}
			target := h[start+1 : start+end]
			var params string
			params, h = cutLink(h[start+end+1:])
			if abs, ok := resolve(base, target); ok {
				links = append(links, link{target: abs, rels: relations(params)})
			}
		}
	}
	return links
}

// cutLink cuts s at the comma that ends a link's parameters; commas in quotes
// do not.
func cutLink(s string) (params, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// relations is the value of the first rel parameter (RFC 8288, Section 3.3).
func relations(params string) []string {
	for params != "" {
		var p string
		p, params = cutParam(params)
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			return strings.Fields(strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return nil
}

func cutParam(s string) (param, rest string) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func resolve(base, target string) (string, bool) {
	if len(target) > maxURL || target == "" {
		return "", false
	}
	if rest, ok := strings.CutPrefix(target, "https://"); ok && plainURL(rest) && !strings.Contains(rest, "/.") {
		return target, true
	}
	b, err := url.Parse(base)
	if err != nil {
		return "", false
	}
	u, err := b.Parse(strings.TrimSpace(target))
	if err != nil || u.Host == "" {
		return "", false
	}
	u.Fragment = ""
	return u.String(), true
}
