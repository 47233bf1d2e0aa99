package servercases

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// RFC 8555, Section 7.4: applying for certificate issuance.

func orderCases() []spec {
	return []spec{
		{
			id: "rfc8555/7.4/new-order", title: "newOrder creates an order",
			requirements: []string{"RFC8555-7.4-05", "RFC8555-7.4-06", "RFC8555-7.4-07"},
			does:         "Orders two names and reads the order.",
			expects:      "201 with Location and the identifiers that were asked for.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				a := s.account()
				names := []string{s.name(), s.name()}
				r := s.newOrder(a, dnsIDs(names), nil)
				s.succeeds("RFC8555-7.4-05", r, "newOrder", 201)
				s.demand("RFC8555-7.4-06", isURL(r.Header.Get("Location")), "Location is an absolute URL", "%q", r.Header.Get("Location"))
				read := s.post(a, r.Location(), nil)
				s.must("RFC8555-7.4-06", read.Status == 200 && objectOf(read).text("finalize") != "", "the order is at Location", "%s", read.Excerpt())
				wanted := []string{"dns:" + names[0], "dns:" + names[1]}
				sort.Strings(wanted)
				s.must("RFC8555-7.4-07", slices.Equal(objectOf(r).identifiers(), wanted), "identifiers "+strings.Join(wanted, ", "), "%q", objectOf(r).identifiers())
			},
		},
		{
			id: "rfc8555/7.4/no-identifiers", title: "No order without identifiers",
			requirements: []string{"RFC8555-7.4-09"},
			does:         "Sends newOrder without identifiers, with an empty array, and with null.",
			expects:      "400 malformed.",
			cost:         cost{accounts: 1},
			run: func(s *scene) {
				a := s.account()
				for _, payload := range []string{`{}`, `{"identifiers":[]}`, `{"identifiers":null}`} {
					s.refuses("RFC8555-7.4-09", s.post(a, s.url("newOrder"), payload), "newOrder with the payload "+payload, "malformed")
				}
			},
		},
		{
			id: "rfc8555/7.4/dates", title: "Dates that were asked for are met or refused",
			requirements: []string{"RFC8555-7.4-02", "RFC8555-7.4-08", "RFC8555-7.1.3-05", "RFC8555-7.4-03"},
			does:         "Orders a certificate from now for a week, with dates in another time zone; if accepted, has it issued.",
			expects:      "An error, or the same instants in the order and in the certificate.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 1},
			run: orderDates,
		},
		{
			id: "rfc8555/7.4/bad-dates", title: "Dates that can't be met are refused",
			requirements: []string{"RFC8555-7.4-02", "RFC8555-7.4-04"},
			does:         "Orders a certificate that ends before it begins, and one that ended long ago.",
			expects:      "An error with a detail.",
			cost:         cost{accounts: 1, orders: 2},
			run: func(s *scene) {
				a := s.account()
				now := time.Now().UTC().Truncate(time.Second)
				for what, extra := range map[string]map[string]any{
					"notAfter before notBefore": {"notBefore": now.Add(48 * time.Hour).Format(time.RFC3339), "notAfter": now.Add(24 * time.Hour).Format(time.RFC3339)},
					"notAfter in the past":      {"notBefore": now.AddDate(-10, 0, 0).Format(time.RFC3339), "notAfter": now.AddDate(-9, 0, 0).Format(time.RFC3339)},
				} {
					r := s.newOrder(a, dnsIDs([]string{s.name()}), extra)
					if s.refuses("RFC8555-7.4-02", r, "newOrder with "+what) {
						problem, err := r.Problem()
						s.should("RFC8555-7.4-04", err == nil && problem.Detail != "", "a detail that says what to change", "%s", r.Excerpt())
					}
				}
			},
		},
		{
			id: "rfc8555/9.7.2/server-fields", title: "newOrder ignores what the server sets",
			requirements: []string{"RFC8555-9.7.2-01"},
			does:         "Sends newOrder with status, finalize, certificate and authorizations.",
			expects:      "An order with the server's values.",
			cost:         cost{accounts: 1, orders: 1},
			run: func(s *scene) {
				extra := map[string]any{"status": "valid", "finalize": "https://other.example/", "certificate": "https://other.example/", "authorizations": []string{"https://other.example/"}}
				r := s.newOrder(s.account(), dnsIDs([]string{s.name()}), extra)
				if r.Status != 201 {
					s.must("RFC8555-9.7.2-01", false, "the members are ignored", "%s", r.Excerpt())
					return
				}
				o := objectOf(r)
				urls, _ := o.texts("authorizations")
				s.must("RFC8555-9.7.2-01", o.status() == "pending" && !strings.Contains(o.text("finalize")+o.text("certificate")+strings.Join(urls, ""), "other.example"),
					"the server's values", "%s", r.Excerpt())
			},
		},
		{
			id: "rfc8555/7.1.3/reuse", title: "Later orders list all authorizations that count",
			requirements: []string{"RFC8555-7.1.3-16", "RFC8555-7.1.3-17"},
			does:         "Completes an authorization, and orders the same name again.",
			expects:      "The second order lists a valid authorization if it is ready, and a pending one if it is not.",
			needs:        []need{needsValidation}, cost: cost{accounts: 1, orders: 2},
			run: func(s *scene) {
				a, name := s.account(), s.name()
				s.ready(a, name)
				o := s.order(a, name)
				all := s.authorizations(a, o)
				valid := len(all) == 1 && all[0].status() == "valid"
				s.should("RFC8555-7.1.3-16", len(all) == 1 && (valid || o.status() == "pending"), "one authorization, valid if the order is not pending", "%d, order %s", len(all), o.status())
				s.should("RFC8555-7.1.3-17", len(all) == 1 && all[0].name() == name, "an authorization for "+name, "%d of them", len(all))
			},
		},
		{
			id: "rfc8555/10.5/urls", title: "URLs can't be guessed",
			requirements: []string{"RFC8555-10.5-01"},
			does:         "Creates three orders.",
			expects:      "Their URLs, and those of their authorizations, differ in more than a counter.",
			cost:         cost{accounts: 1, orders: 3},
			run: func(s *scene) {
				a := s.account()
				var orders, authorizations []string
				for range 3 {
					o := s.order(a, s.name())
					orders = append(orders, o.url)
					urls, _ := o.texts("authorizations")
					authorizations = append(authorizations, urls...)
				}
				s.should("RFC8555-10.5-01", !counted(orders), "URLs of orders that can't be guessed", "%q", orders)
				s.should("RFC8555-10.5-01", !counted(authorizations), "URLs of authorizations that can't be guessed", "%q", authorizations)
			},
		},
		{
			id: "rfc8555/11.3/tokens", title: "Tokens are new for every authorization",
			requirements: []string{"RFC8555-11.3-01", "RFC8555-8.3-01", "RFC8555-8.3-02", "RFC8555-8.3-03", "RFC8555-8.4-01", "RFC8555-8.4-02", "RFC8737-3-01", "RFC8737-3-02", "RFC8737-3-03", "RFC8737-3-04", "DNSACCOUNT-3.1-01", "DNSACCOUNT-3.1-02", "DNSACCOUNT-3.1-03"},
			does:         "Orders the same name four times and looks at the tokens.",
			expects:      "Each has 22 characters or more of base64url, and none comes twice for different challenges.",
			cost:         cost{accounts: 1, orders: 4},
			run:          tokens,
		},
	}
}

func orderDates(s *scene) {
	a := s.account()
	zone := time.FixedZone("", 3600)
	from := time.Now().Add(time.Minute).Truncate(time.Second)
	to := from.AddDate(0, 0, 7)
	r := s.newOrder(a, dnsIDs([]string{s.name()}), map[string]any{"notBefore": from.In(zone).Format(time.RFC3339), "notAfter": to.In(zone).Format(time.RFC3339)})
	if r.Status >= 400 {
		s.refuses("RFC8555-7.4-02", r, "an order whose dates the server does not accept")
		return
	}
	o := &order{object: objectOf(r), url: r.Location(), created: r}
	for name, wanted := range map[string]time.Time{"notBefore": from, "notAfter": to} {
		got, ok := o.time(name)
		s.must("RFC8555-7.1.3-05", ok || !o.has(name), name+" in RFC 3339", "%v", o.object[name])
		s.must("RFC8555-7.4-08", ok && got.Equal(wanted), name+" is "+wanted.UTC().Format(time.RFC3339), "%v", o.object[name])
	}
	leaf := s.issueFor(a, s.makeReady(a, o)).leaf()
	s.must("RFC8555-7.4-03", leaf.NotBefore.Equal(from) && within(leaf.NotAfter, to, time.Second), "a certificate from "+from.UTC().String()+" to "+to.UTC().String(), "%v to %v", leaf.NotBefore, leaf.NotAfter)
}

func within(a, b time.Time, slack time.Duration) bool { return a.Sub(b).Abs() <= slack }

// counted says whether URLs differ in a few digits at their ends at most.
func counted(urls []string) bool {
	for i := 1; i < len(urls); i++ {
		a, b := urls[i-1], urls[i]
		same := 0
		for same < min(len(a), len(b)) && a[same] == b[same] {
			same++
		}
		if rest := b[same:]; len(rest) > 4 || strings.Trim(rest, "0123456789") != "" {
			return false
		}
	}
	return true
}

func tokens(s *scene) {
	requirements := map[string][3]string{
		http01: {"RFC8555-8.3-01", "RFC8555-8.3-02", "RFC8555-8.3-03"}, dns01: {"RFC8555-8.4-01", "RFC8555-8.4-02", "RFC8555-8.4-02"},
		tlsalpn01: {"RFC8737-3-02", "RFC8737-3-03", "RFC8737-3-04"}, dnsAccount01: {"DNSACCOUNT-3.1-02", "DNSACCOUNT-3.1-03", "DNSACCOUNT-3.1-03"},
	}
	a, name := s.account(), s.name()
	owner := map[string]string{}
	for range 4 {
		o := s.order(a, name)
		for _, z := range s.authorizations(a, o) {
			challenges, _ := z.objects("challenges")
			for _, c := range challenges {
				kind, token := c.text("type"), c.text("token")
				ids, known := requirements[kind]
				if !known {
					continue
				}
				if kind == tlsalpn01 {
					s.must("RFC8737-3-01", token != "", "a token", "none")
				}
				if kind == dnsAccount01 {
					s.must("DNSACCOUNT-3.1-01", token != "", "a token", "none")
				}
				s.must(ids[0], len(token) >= 22, "a "+kind+" token of 22 characters or more", "%q", token)
				s.must(ids[1], base64urlPattern.MatchString(strings.TrimRight(token, "=")), "a "+kind+" token in the alphabet of base64url", "%q", token)
				s.must(ids[2], !strings.Contains(token, "="), "a "+kind+" token without padding", "%q", token)
				// The challenges of one authorization may share a token.
				before, again := owner[token]
				s.should("RFC8555-11.3-01", !again || before == z.url, "a token that was not used before", "%q", token)
				owner[token] = z.url
			}
		}
	}
}
