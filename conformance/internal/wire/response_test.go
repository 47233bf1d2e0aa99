package wire

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLinksByRelation(t *testing.T) {
	t.Parallel()
	r := &Response{URL: "https://ca.example/a/b", Header: http.Header{"Link": {
		`<https://ca.example/dir>;rel="index"`,
		`</up>; title="a, b"; rel=UP, <c>;rel="alternate other"`,
		`<nonsense`, `;rel="index"`, `<x>;rel=`,
	}}}
	require.Equal(t, []string{"https://ca.example/dir"}, r.Links("index"))
	require.Equal(t, []string{"https://ca.example/up"}, r.Links("up"))
	require.Equal(t, []string{"https://ca.example/a/c"}, r.Links("alternate"))
	require.Equal(t, []string{"https://ca.example/a/c"}, r.Links("other"))
	require.Empty(t, r.Links("terms-of-service"))
}

func TestRetryAfterInBothForms(t *testing.T) {
	t.Parallel()
	at := func(value string) (time.Duration, bool, error) {
		return (&Response{Header: http.Header{"Retry-After": {value}}}).RetryAfter()
	}
	wait, ok, err := at("120")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 2*time.Minute, wait)
	wait, ok, err = at(time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	require.NoError(t, err)
	require.True(t, ok)
	require.Zero(t, wait, "what has passed is now")
	_, ok, err = at("")
	require.NoError(t, err)
	require.False(t, ok)
	for _, bad := range []string{"-1", "soon", "1.5", strings.Repeat("9", 30)} {
		_, ok, err = at(bad)
		require.True(t, ok)
		require.Error(t, err, bad)
	}
}

func TestProblemsAreReadByTheirMembers(t *testing.T) {
	t.Parallel()
	r := &Response{Status: 400, Body: []byte(`{"type":"urn:ietf:params:acme:error:badNonce","detail":"x","status":400,"algorithms":["ES256",7]}`)}
	p, err := r.Problem()
	require.NoError(t, err)
	require.Equal(t, "badNonce", p.Short())
	require.Equal(t, 400, p.Status)
	require.Equal(t, []string{"ES256"}, p.Algorithms)
	require.Equal(t, "400 badNonce: x", r.Excerpt())
	for _, body := range []string{"", "null", "[]", "{}", `{"type":7}`, "<html>"} {
		_, err := (&Response{Body: []byte(body)}).Problem()
		require.Error(t, err, body)
	}
}

// FuzzResponse reads whatever a server may send: nothing panics, and what is
// said of it is short and in UTF-8.
func FuzzResponse(f *testing.F) {
	f.Add(400, "application/problem+json", `</a>;rel="up"`, "120", "/x", []byte(`{"type":"a","detail":"b"}`))
	f.Add(200, "text/html;;", `<;rel="`, "Fri, 31 Dec 1999 23:59:59 GMT", "%zz", []byte("\xff"))
	f.Fuzz(func(t *testing.T, status int, media, link, after, location string, body []byte) {
		r := &Response{URL: "https://ca.example/a", Status: status, Body: body,
			Header: http.Header{"Content-Type": {media}, "Link": {link}, "Retry-After": {after}, "Location": {location}}}
		_ = r.MediaType()
		_ = r.Location()
		for _, target := range r.Links("up") {
			require.NotEmpty(t, target)
		}
		if wait, ok, err := r.RetryAfter(); ok && err == nil {
			require.GreaterOrEqual(t, wait, time.Duration(0))
		}
		excerpt := r.Excerpt()
		require.True(t, strings.ToValidUTF8(excerpt, "") == excerpt)
		require.Less(t, len(excerpt), 600+len(media)+len(body)/2)
		_, _ = decodeParts(body)
	})
}
