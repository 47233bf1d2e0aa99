package mockca

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// HTTP Archive 1.2, as browsers and HTTP debuggers read it. What is ACME's own
// is in members whose name begins with an underscore, as the format wants.

type har struct {
	Log harLog `json:"log"`
}

type harLog struct {
	Version string     `json:"version"`
	Creator harCreator `json:"creator"`
	Entries []harEntry `json:"entries"`
}

type harCreator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type harEntry struct {
	Started    string      `json:"startedDateTime"`
	Time       float64     `json:"time"` // milliseconds, here and below
	Request    harRequest  `json:"request"`
	Response   harResponse `json:"response"`
	Cache      struct{}    `json:"cache"`
	Timings    harTimings  `json:"timings"`
	Connection string      `json:"connection,omitempty"`
	ACME       harACME     `json:"_acme"`
}

type harRequest struct {
	Method      string     `json:"method"`
	URL         string     `json:"url"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []struct{} `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Query       []harPair  `json:"queryString"`
	PostData    *harPost   `json:"postData,omitempty"`
	HeadersSize int        `json:"headersSize"`
	BodySize    int        `json:"bodySize"`
}

type harPost struct {
	MimeType string    `json:"mimeType"`
	Params   []harPair `json:"params"`
	Text     string    `json:"text"`
}

type harResponse struct {
	Status      int        `json:"status"`
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []struct{} `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Content     harContent `json:"content"`
	RedirectURL string     `json:"redirectURL"`
	HeadersSize int        `json:"headersSize"`
	BodySize    int        `json:"bodySize"`
}

type harContent struct {
	Size     int    `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Encoding string `json:"encoding,omitempty"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

// harACME is what the CA knows of an exchange beyond HTTP.
type harACME struct {
	Exchange    int64           `json:"exchange"`
	Endpoint    Endpoint        `json:"endpoint"`
	Account     string          `json:"account,omitempty"`
	Identifiers []Identifier    `json:"identifiers,omitempty"`
	Object      string          `json:"object,omitempty"`
	Protected   map[string]any  `json:"protected,omitempty"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	Problem     string          `json:"problem,omitempty"`
	Check       Check           `json:"check,omitempty"`
	Rules       []string        `json:"rules,omitempty"`
	Changes     []Change        `json:"changes,omitempty"`
	Wire        string          `json:"wire,omitempty"`
}

// WriteHAR writes the exchanges as an HTTP Archive 1.2, which browsers' network
// panels open. Times are the CA's clock's; protected headers, payloads, faults
// and changes of state are in the member "_acme" of each entry.
func (t *Transcript) WriteHAR(w io.Writer) error { return writeHAR(w, t.Exchanges()) }

func writeHAR(w io.Writer, exchanges []*Exchange) error {
	log := harLog{Version: "1.2", Creator: harCreator{Name: "acme-e2e mockca", Version: "1"}, Entries: []harEntry{}}
	for _, x := range byNumber(exchanges) {
		log.Entries = append(log.Entries, harOf(x))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(har{log})
}

// byNumber is in the order in which requests came; the transcript's is that of
// the answers.
func byNumber(exchanges []*Exchange) []*Exchange {
	return slices.SortedStableFunc(slices.Values(exchanges), func(a, b *Exchange) int { return cmp.Compare(a.ID, b.ID) })
}

func harOf(x *Exchange) harEntry {
	took := float64(x.Duration) / float64(time.Millisecond)
	e := harEntry{
		Started: x.Start.Format(time.RFC3339Nano), Time: took, Connection: x.Remote,
		Timings: harTimings{Wait: took},
		Request: harRequest{
			Method: x.Method, URL: x.URL, HTTPVersion: x.Proto, Cookies: []struct{}{},
			Headers: harHeaders(x.RequestHeader), Query: harQuery(x.URL), HeadersSize: -1, BodySize: len(x.RequestBody),
		},
		Response: harResponse{
			Status: x.Status, StatusText: http.StatusText(x.Status), HTTPVersion: x.Proto, Cookies: []struct{}{},
			Headers: harHeaders(x.ResponseHeader), RedirectURL: x.ResponseHeader.Get("Location"), HeadersSize: -1, BodySize: len(x.ResponseBody),
			Content: harBody(x.ResponseHeader, x.ResponseBody),
		},
		ACME: harACME{
			Exchange: x.ID, Endpoint: x.Endpoint, Account: x.Account, Identifiers: x.Identifiers, Object: x.Object,
			Protected: x.Protected(), Problem: x.Problem, Check: x.Check, Rules: x.Rules, Changes: x.Changes, Wire: x.Wire,
		},
	}
	if p := x.Payload(); json.Valid(p) {
		e.ACME.Payload = p
	}
	if len(x.RequestBody) > 0 {
		e.Request.PostData = &harPost{MimeType: x.RequestHeader.Get("Content-Type"), Params: []harPair{}, Text: string(x.RequestBody)}
	}
	if x.Status < 300 || x.Status > 399 {
		e.Response.RedirectURL = "" // a Location of ACME's is no redirect
	}
	return e
}

func harHeaders(h http.Header) []harPair {
	list := []harPair{}
	for name, values := range h {
		for _, v := range values {
			list = append(list, harPair{name, v})
		}
	}
	slices.SortStableFunc(list, func(a, b harPair) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func harQuery(raw string) []harPair {
	u, err := url.Parse(raw)
	if err != nil {
		return []harPair{}
	}
	return harHeaders(http.Header(u.Query()))
}

// harBody is a body as text, or in base64 where it is none.
func harBody(h http.Header, body []byte) harContent {
	c := harContent{Size: len(body), MimeType: h.Get("Content-Type"), Text: string(body)}
	if !utf8.Valid(body) {
		c.Text, c.Encoding = base64.StdEncoding.EncodeToString(body), "base64"
	}
	return c
}
