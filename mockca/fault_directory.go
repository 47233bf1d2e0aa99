package mockca

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Faults of the directory: RFC 8555, Section 7.1.1.

func directoryFaults() []FaultInfo {
	return []FaultInfo{
		chosen(DirectoryMissing, directoryFields()...), chosen(DirectoryNotACME, "v1", "html", "empty"),
		worded("localhost", DirectoryCrossOrigin), simple(DirectoryHTTP), simple(DirectoryMoved), simple(DirectoryMetaOdd),
	}
}

func directoryFields() []string {
	return []string{"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"}
}

// directoryEdit is a fault that changes the directory's members.
func directoryEdit(name, doc, duty string, change func(*Exchange, map[string]any)) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Endpoints: []Endpoint{Directory},
		Response:  func(x *Exchange, r *Response) { r.Edit(func(m map[string]any) { change(x, m) }) },
	}
}

// DirectoryMissing leaves an entry out: "newNonce", "newAccount", "newOrder",
// "revokeCert" or "keyChange". ParseFault also takes "directory-missing-newNonce"
// and so on.
func DirectoryMissing(field string) Fault {
	f := directoryEdit("directory-missing", "the directory lacks an entry", "fail when it is needed, naming it", func(_ *Exchange, m map[string]any) { delete(m, field) })
	f.Params = field
	return f
}

// DirectoryNotACME answers with something else: a directory of ACME "v1", an
// "html" page, or an "empty" object.
func DirectoryNotACME(what string) Fault {
	return Fault{
		Name: "directory-not-acme", Params: what, Doc: "the directory is one of ACME v1, a page, or an empty object", Duty: "fail: this is no directory of RFC 8555",
		Endpoints: []Endpoint{Directory},
		Request: func(x *Exchange) *Response {
			switch what {
			case "html":
				return NewResponse(http.StatusOK, "text/html", "<!doctype html><title>Certificates</title><p>Buy certificates here.\n")
			case "empty":
				return NewResponse(http.StatusOK, "application/json", "{}")
			}
			b := x.Base()
			return NewResponse(http.StatusOK, "application/json",
				fmt.Sprintf(`{"new-reg":"%s/acme/new-reg","new-authz":"%s/acme/new-authz","new-cert":"%s/acme/new-cert","revoke-cert":"%s/acme/revoke-cert"}`, b, b, b, b))
		},
	}
}

// eachURL changes the URLs of the directory's entries.
func eachURL(m map[string]any, change func(*url.URL)) {
	for name, v := range m {
		s, isText := v.(string)
		if u, err := url.Parse(s); isText && err == nil {
			change(u)
			m[name] = u.String()
		}
	}
}

// DirectoryCrossOrigin has the directory's entries on another host, which must
// lead to the CA as well; the port stays unless there is one in host.
func DirectoryCrossOrigin(host string) Fault {
	f := directoryEdit("directory-cross-origin", "the directory's entries are on another host", "follow them, as long as they are https",
		func(_ *Exchange, m map[string]any) {
			eachURL(m, func(u *url.URL) {
				if port := u.Port(); port != "" && !strings.Contains(host, ":") {
					u.Host = host + ":" + port
				} else {
					u.Host = host
				}
			})
		})
	f.Params = host
	return f
}

// DirectoryHTTP has the directory's entries as http URLs.
func DirectoryHTTP() Fault {
	f := directoryEdit("directory-http", "the directory's entries are http URLs", "refuse, unless they are on the loopback interface and that is allowed",
		func(_ *Exchange, m map[string]any) { eachURL(m, func(u *url.URL) { u.Scheme = "http" }) })
	f.Requirements = []string{"RFC8555-6.1-02"}
	return f
}

// DirectoryMoved moves the directory's entries once, after it was fetched: at
// the next request to one of them the old URLs get 404, until the directory is
// fetched again.
func DirectoryMoved() Fault {
	var mu sync.Mutex
	generation, fetched := 1, false
	const name = "generation"
	entries := []Endpoint{NewAccount, NewOrder, NewAuthz, RevokeCert, KeyChange}
	return Fault{
		Name: "directory-moved", Doc: "the directory's entries move between requests, and the old ones are gone", Duty: "fetch the directory again, once, and try again",
		Endpoints: append(slices.Clone(entries), Directory, NewNonce),
		Request: func(x *Exchange) *Response {
			mu.Lock()
			defer mu.Unlock()
			if x.Endpoint == Directory {
				return nil
			}
			if fetched && generation == 1 && slices.Contains(entries, x.Endpoint) {
				generation++
			}
			if !fetched || x.Request().URL.Query().Get(name) == strconv.Itoa(generation) {
				return nil
			}
			return ProblemResponse(problem(TypeMalformed, "there is nothing at %s any more", x.URL).withStatus(http.StatusNotFound))
		},
		Response: func(x *Exchange, r *Response) {
			if x.Endpoint != Directory {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			fetched = true
			r.Edit(func(m map[string]any) {
				eachURL(m, func(u *url.URL) {
					if !strings.HasSuffix(u.Path, x.CA().routes.path[RenewalInfo]) { // paths are appended to it
						u.RawQuery = name + "=" + strconv.Itoa(generation)
					}
				})
			})
		},
	}
}

// DirectoryMetaOdd has the members of meta in wrong types.
func DirectoryMetaOdd() Fault {
	f := directoryEdit("directory-meta-odd", "the directory's meta has members of wrong types", "ignore them, or fail and say so",
		func(_ *Exchange, m map[string]any) {
			m["meta"] = map[string]any{"termsOfService": 7, "website": []string{"x"}, "caaIdentities": "x", "externalAccountRequired": "yes", "profiles": []int{1}}
		})
	f.Requirements = []string{"RFC8555-7.1.1-08"}
	return f
}
