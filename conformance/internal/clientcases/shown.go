package clientcases

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
	"github.com/acme-e2e/acme-e2e/mockca"
)

// bodyLimit is how much of a body reports show.
const bodyLimit = 6 << 10

// shown is an exchange as reports show it.
func shown(x *mockca.Exchange) suite.Exchange {
	out := suite.Exchange{
		Start: x.Start, Duration: x.Duration, From: "client", To: string(x.Endpoint), Method: x.Method, URL: x.URL,
		RequestHeader: x.RequestHeader, Payload: text(x.Payload()),
		Status: x.Status, ResponseHeader: x.ResponseHeader, ResponseBody: text(x.ResponseBody), Note: strings.Join(x.Rules, ", "),
	}
	if p := x.Protected(); p != nil {
		if data, err := json.Marshal(p); err == nil {
			out.Protected = string(data)
		}
	} else {
		out.RequestBody = text(x.RequestBody)
	}
	if x.Wire != "" {
		out.Error = "the answer did not arrive as it is: " + x.Wire
	}
	if x.Check != "" {
		out.Note = strings.TrimPrefix(out.Note+", refused by the check "+string(x.Check), ", ")
	}
	return out
}

func text(body []byte) string {
	if !utf8.Valid(body) {
		return fmt.Sprintf("[%d bytes that are no text]", len(body))
	}
	if len(body) > bodyLimit {
		return strings.ToValidUTF8(string(body[:bodyLimit]), "") + fmt.Sprintf(" [... %d bytes more]", len(body)-bodyLimit)
	}
	return string(body)
}
