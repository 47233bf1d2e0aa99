package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ErrorPrefix begins the types of ACME's own errors (RFC 8555, Section 6.7).
const ErrorPrefix = "urn:ietf:params:acme:error:"

// Exchange is a request and what came of it.
type Exchange struct {
	Start         time.Time
	Duration      time.Duration
	Method, URL   string
	RequestHeader http.Header
	RequestBody   []byte
	Protected     string // of a JWS, decoded; empty when it can't be
	Payload       string
	Response      *Response // nil when Err is set
	Err           error
}

// Response is an answer, read whole.
type Response struct {
	Method, URL string // of the request
	Status      int
	Header      http.Header
	Body        []byte
}

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type, Title, Detail, Instance string
	Status                        int
	Algorithms                    []string
	Members                       map[string]any // all, as they came
}

// Short is the type without ErrorPrefix.
func (p *Problem) Short() string {
	if p == nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, ErrorPrefix)
}

// MediaType of the answer, without parameters, in lower case.
func (r *Response) MediaType() string {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// JSON decodes the body into v.
func (r *Response) JSON(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("the body is not the JSON expected: %w", err)
	}
	return nil
}

// Object decodes the body as a JSON object.
func (r *Response) Object() (map[string]any, error) {
	var object map[string]any
	if err := r.JSON(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("the body is null instead of a JSON object")
	}
	return object, nil
}

// Problem decodes the body as a problem document. It does not look at the
// media type, nor at the status.
func (r *Response) Problem() (*Problem, error) {
	object, err := r.Object()
	if err != nil {
		return nil, err
	}
	p := ProblemOf(object)
	if p.Type == "" && p.Detail == "" && p.Title == "" {
		return nil, errors.New("the body has neither type, title nor detail")
	}
	return p, nil
}

// ProblemOf reads a problem document's members from a JSON object.
func ProblemOf(object map[string]any) *Problem {
	p := &Problem{Members: object}
	for name, field := range map[string]*string{"type": &p.Type, "title": &p.Title, "detail": &p.Detail, "instance": &p.Instance} {
		*field, _ = object[name].(string)
	}
	if status, ok := object["status"].(float64); ok {
		p.Status = int(status)
	}
	if list, ok := object["algorithms"].([]any); ok {
		for _, item := range list {
			if name, ok := item.(string); ok {
				p.Algorithms = append(p.Algorithms, name)
			}
		}
	}
	return p
}

// Location is the Location header as an absolute URL, or "".
func (r *Response) Location() string { return r.resolve(r.Header.Get("Location")) }

func (r *Response) resolve(reference string) string {
	if reference == "" {
		return ""
	}
	base, err := url.Parse(r.URL)
	if err != nil {
		return reference
	}
	absolute, err := base.Parse(reference)
	if err != nil {
		return reference
	}
	return absolute.String()
}

var linkPattern = regexp.MustCompile(`<([^>]*)>((?:\s*;\s*[^;,"=\s]+\s*(?:=\s*(?:"[^"]*"|[^;,"\s]*))?)*)`)
var relPattern = regexp.MustCompile(`(?i);\s*rel\s*=\s*(?:"([^"]*)"|([^;,"\s]*))`)

// Links are the targets of Link headers with relation rel, absolute (RFC 8288,
// Section 3).
func (r *Response) Links(rel string) []string {
	var targets []string
	for _, line := range r.Header.Values("Link") {
		for _, link := range linkPattern.FindAllStringSubmatch(line, -1) {
			if m := relPattern.FindStringSubmatch(link[2]); m != nil && slices.Contains(strings.Fields(strings.ToLower(m[1]+m[2])), rel) {
				targets = append(targets, r.resolve(link[1]))
			}
		}
	}
	return targets
}

// RetryAfter reads the header of that name (RFC 9110, Section 10.2.3); ok is
// false when it is missing, err says what is wrong with it.
func (r *Response) RetryAfter() (wait time.Duration, ok bool, err error) {
	value := r.Header.Get("Retry-After")
	if value == "" {
		return 0, false, nil
	}
	var seconds int64
	if regexp.MustCompile(`^[0-9]{1,9}$`).MatchString(value) {
		_, err := fmt.Sscan(value, &seconds)
		return time.Duration(seconds) * time.Second, true, err
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, true, fmt.Errorf("Retry-After %q is neither seconds nor a date", value)
	}
	return max(0, time.Until(at)), true, nil
}

// Excerpt is what the answer was, in a line.
func (r *Response) Excerpt() string {
	if p, err := r.Problem(); err == nil && r.Status >= 400 {
		return fmt.Sprintf("%d %s: %s", r.Status, p.Short(), cut(p.Detail, 200))
	}
	if len(r.Body) == 0 {
		return fmt.Sprintf("%d without a body", r.Status)
	}
	return fmt.Sprintf("%d %s: %s", r.Status, r.MediaType(), cut(strings.Join(strings.Fields(string(r.Body)), " "), 200))
}

func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// decodeParts shows what a flattened JWS says; both are empty for all else.
func decodeParts(body []byte) (protected, payload string) {
	var parts Parts
	if json.Unmarshal(body, &parts) != nil {
		return "", ""
	}
	decode := func(text string) string {
		data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return ""
		}
		return string(data)
	}
	return decode(parts.Protected), decode(parts.Payload)
}
