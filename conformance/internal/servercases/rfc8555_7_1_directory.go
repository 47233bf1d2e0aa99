package servercases

import (
	"regexp"
	"slices"
	"strings"
)

// RFC 8555, Sections 7.1, 7.1.1, 9.7.5 and 9.7.6: links and the directory.

var (
	registeredResources = []string{"newNonce", "newAccount", "newOrder", "newAuthz", "revokeCert", "keyChange", "meta", "renewalInfo"}
	registeredMeta      = []string{"termsOfService", "website", "caaIdentities", "externalAccountRequired", "auto-renewal", "delegation-enabled",
		"allow-certificate-get", "profiles", "subdomainAuthAllowed", "onionCAARequired", "inBandOnionCAARequired"}
	hostname = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
)

func directoryCases() []spec {
	return []spec{
		{
			id: "rfc8555/7.1.1/directory", title: "The directory lists the resources",
			requirements: []string{"RFC8555-7.1-01", "RFC8555-7.1.1-01", "RFC8555-7.1.1-02", "RFC8555-7.1.1-16", "RFC8555-9.7.5-01"},
			does:         "Fetches the directory.",
			expects:      "200, application/json, an object whose members are URLs of other resources.",
			run: func(s *scene) {
				r := s.get(s.env.DirectoryURL)
				o := objectOf(r)
				s.must("RFC8555-7.1-01", r.Status == 200, "200", "%s", r.Excerpt())
				s.demand("RFC8555-7.1.1-01", r.Status == 200 && r.MediaType() == "application/json" && o != nil, "200 with application/json and an object", "%s", r.Excerpt())
				for _, name := range []string{"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"} {
					s.must("RFC8555-7.1.1-02", isHTTPS(o.text(name)), name+" is an absolute https URL", "%v", o[name])
				}
				for name := range o {
					s.should("RFC8555-7.1.1-16", o.text(name) != s.env.DirectoryURL, "the directory's URL differs from that of "+name, "it is the same")
				}
				s.should("RFC8555-9.7.5-01", len(o.unknown(registeredResources...)) == 0, "resource names of the registry", "%q", o.unknown(registeredResources...))
			},
		},
		{
			id: "rfc8555/7.1.1/meta", title: "The directory's meta has the right types",
			requirements: []string{"RFC8555-7.1.1-05", "RFC8555-7.1.1-06", "RFC8555-7.1.1-07", "RFC8555-7.1.1-09", "RFC8555-7.1.1-10", "RFC8555-7.1.1-11", "RFC8555-7.1.1-13", "RFC8555-9.7.6-01", "RFC9444-4.4-01"},
			does:         "Fetches the directory and looks at meta.",
			expects:      "Each member is of the type that its registration names.",
			run: func(s *scene) {
				o := object(s.directory().Members)
				if !o.has("meta") {
					s.may("RFC8555-7.1.1-05", "no meta")
					return
				}
				meta := o.member("meta")
				s.demand("RFC8555-7.1.1-06", meta != nil, "meta is an object", "%v", o["meta"])
				for name, requirement := range map[string]string{"termsOfService": "RFC8555-7.1.1-09", "website": "RFC8555-7.1.1-10"} {
					if meta.has(name) {
						s.must(requirement, isURL(meta.text(name)) || name == "termsOfService" && hasScheme(meta.text(name)), name+" is a URL", "%v", meta[name])
					} else {
						s.may("RFC8555-7.1.1-07", "no %s", name)
					}
				}
				if meta.has("caaIdentities") {
					names, ok := meta.texts("caaIdentities")
					ok = ok && !slices.ContainsFunc(names, func(name string) bool { return !hostname.MatchString(name) })
					s.must("RFC8555-7.1.1-11", ok, "caaIdentities is an array of host names", "%v", meta["caaIdentities"])
				}
				for name, requirement := range map[string]string{"externalAccountRequired": "RFC8555-7.1.1-13", "subdomainAuthAllowed": "RFC9444-4.4-01"} {
					_, ok := meta[name].(bool)
					s.must(requirement, ok || !meta.has(name), name+" is a boolean", "%v", meta[name])
				}
				s.should("RFC8555-9.7.6-01", len(meta.unknown(registeredMeta...)) == 0, "names of the registry", "%q", meta.unknown(registeredMeta...))
			},
		},
		{
			id: "rfc8555/7.1.1/resources-work", title: "What the directory lists works",
			requirements: []string{"RFC8555-7.1.1-03", "RFC8555-7.1.1-04"},
			does:         "Posts to keyChange, revokeCert and newAuthz.",
			expects:      "None is missing or not implemented.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				for _, name := range []string{"keyChange", "revokeCert", "newAuthz"} {
					url := s.directory().URL(name)
					if url == "" {
						continue
					}
					requirement, payload := "RFC8555-7.1.1-03", map[string]any{}
					if name == "newAuthz" {
						requirement, payload = "RFC8555-7.1.1-04", map[string]any{"identifier": id{"dns", s.name()}}
					}
					r := s.post(a, url, payload)
					s.must(requirement, r.Status != 404 && r.Status != 405 && r.Status < 500, name+" is there", "%s", r.Excerpt())
					if name == "newAuthz" {
						s.must(requirement, r.Status == 201 || r.Status == 200 || r.Status == 403, "newAuthz works, or is refused by policy", "%s", r.Excerpt())
					}
				}
			},
		},
		{
			id: "rfc8555/7.1/index", title: "Answers link to the directory",
			requirements: []string{"RFC8555-7.1-03"},
			does:         "Obtains a certificate and provokes errors.",
			expects:      "Each answer but the directory has a link to it with relation index.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				t := s.toured()
				answers := append([]step{{"HEAD newNonce", t.headNonce}, {"GET newNonce", t.getNonce}}, t.posts...)
				for _, each := range append(answers, t.errors...) {
					s.at(each.response)
					s.must("RFC8555-7.1-03", slices.Contains(each.response.Links("index"), s.env.DirectoryURL),
						"a link with relation index to "+s.env.DirectoryURL+" on the answer to "+each.what, "Link: %q", each.response.Header.Values("Link"))
				}
			},
		},
		{
			id: "rfc8555/7.1/up", title: "Challenges link to their authorization",
			requirements: []string{"RFC8555-7.1-04"},
			does:         "Reads challenges before, while and after they are validated.",
			expects:      "Each answer has a link to the authorization with relation up.",
			needs:        []need{needsValidation}, cost: cost{tour: true},
			run: func(s *scene) {
				for _, each := range s.toured().challengeUps {
					s.at(each.response)
					s.must("RFC8555-7.1-04", slices.Contains(each.response.Links("up"), each.authorization),
						"a link with relation up to "+each.authorization, "Link: %q", strings.Join(each.response.Header.Values("Link"), ", "))
				}
			},
		},
	}
}
