package servercases

import (
	"net/url"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// object is a JSON object as it came.
type object map[string]any

func (o object) text(name string) string {
	value, _ := o[name].(string)
	return value
}

func (o object) status() string { return o.text("status") }

// texts is the array of strings of that name; ok is false when it is none.
func (o object) texts(name string) (values []string, ok bool) {
	items, ok := o[name].([]any)
	for _, item := range items {
		text, isText := item.(string)
		ok = ok && isText
		values = append(values, text)
	}
	return values, ok
}

// objects is the array of objects of that name; ok is false when it is none.
func (o object) objects(name string) (values []object, ok bool) {
	items, ok := o[name].([]any)
	for _, item := range items {
		member, isObject := item.(map[string]any)
		ok = ok && isObject
		values = append(values, member)
	}
	return values, ok
}

// member is the object of that name, or nil.
func (o object) member(name string) object {
	value, _ := o[name].(map[string]any)
	return value
}

// shows reports whether o is the other object, or an authorization with it as a
// challenge.
func (o object) shows(other object) bool {
	challenges, _ := o.objects("challenges")
	return slices.ContainsFunc(append(challenges, o), func(each object) bool { return each != nil && reflect.DeepEqual(each, other) })
}

func (o object) has(name string) bool { _, ok := o[name]; return ok }

// time reads an RFC 3339 timestamp.
func (o object) time(name string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, o.text(name))
	return at, err == nil
}

// identifiers as "type:value", sorted.
func (o object) identifiers() []string {
	items, _ := o.objects("identifiers")
	var ids []string
	for _, item := range items {
		ids = append(ids, item.text("type")+":"+item.text("value"))
	}
	sort.Strings(ids)
	return ids
}

func (o object) unknown(registered ...string) []string {
	var names []string
	for name := range o {
		if !slices.Contains(registered, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// objectOf decodes an answer's body; nil when it is no object.
func objectOf(r *wire.Response) object {
	members, err := r.Object()
	if err != nil {
		return nil
	}
	return members
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && u.Host != ""
}

func isHTTPS(text string) bool {
	return isURL(text) && strings.HasPrefix(strings.ToLower(text), "https:")
}

// hasDirective looks for a directive of Cache-Control.
func hasDirective(r *wire.Response, name string) bool {
	for _, line := range r.Header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), name) {
				return true
			}
		}
	}
	return false
}

// hasScheme accepts URLs without a host, such as data: ones, too.
func hasScheme(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs()
}
