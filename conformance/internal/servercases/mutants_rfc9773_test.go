package servercases

import (
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// Mutants that violate RFC 9773 and the draft of profiles.

func renewalInfoMutants() []mutant {
	info := []mockca.Endpoint{mockca.RenewalInfo}
	window := func(change func(map[string]any)) func(*stage) {
		return objects(func(m map[string]any) {
			if w := object(m).member("suggestedWindow"); w != nil {
				change(w)
			}
		}, info...)
	}
	ordered := func(status string, at ...mockca.Endpoint) func(*stage) {
		return objects(when(status, without("replaces")), at...)
	}
	return []mutant{
		{"renewal-info-signed", "wants signatures under renewal information", refusing("unauthorized", 401, always, info...), map[string]string{
			"rfc9773/4.1/leading-zero": "RFC9773-4.1-07",
			"rfc9773/4.2/renewal-info": "RFC9773-4.1-02",
		}},
		{"renewal-info-type", "gives renewal information as text", headers("Content-Type", func(string) string { return "text/plain" }, info...), map[string]string{
			"rfc9773/4.2/renewal-info": "RFC9773-4.2-02",
		}},
		{"renewal-info-window", "has windows without an end", window(without("end")), map[string]string{
			"rfc9773/4.2/renewal-info": "RFC9773-4.2-01",
		}},
		{"renewal-info-order", "has windows that end before they start", window(func(w map[string]any) { w["start"], w["end"] = w["end"], w["start"] }), map[string]string{
			"rfc9773/4.2/renewal-info": "RFC9773-4.2-13",
		}},
		{"renewal-info-explanation", "explains windows at no URL", objects(set("explanationURL", "by phone"), info...), map[string]string{
			"rfc9773/4.2/renewal-info": "RFC9773-4.2-03",
		}},
		{"renewal-info-retry", "does not say when to ask again", headers("Retry-After", func(string) string { return "" }, info...), map[string]string{
			"rfc9773/4.2/renewal-info": "RFC9773-4.3-02",
		}},
		{"renewal-info-retry-form", "says in words when to ask again", headers("Retry-After", func(string) string { return "tomorrow" }, info...), map[string]string{
			"rfc9773/4.2/renewal-info": "RFC9110-10.2.3-02",
		}},
		wide(mutant{"renewal-info-zero", "does not know serial numbers with a leading zero", refusing("malformed", 404, func(x *mockca.Exchange) bool {
			return strings.HasPrefix(x.URL[strings.LastIndexByte(x.URL, '.'):], ".A") // the first six bits
		}, info...), map[string]string{
			"rfc9773/4.1/leading-zero": "RFC9773-4.1-07",
		}}),
		{"renewal-info-of-anything", "has renewal information of anything", accepting(200, "{}", always, info...), map[string]string{
			"rfc9773/4.1/bad-identifiers": "RFC9773-4.1-08",
		}},
		{"replaces-refused", "replaces nothing", refusing("malformed", 400, asks("replaces"), mockca.NewOrder), map[string]string{
			"rfc9773/5/replaces": "RFC9773-5-11",
		}},
		{"replaces-hidden", "does not show replaces in new orders", ordered("ready", mockca.NewOrder), map[string]string{
			"rfc9773/5/replaces": "RFC9773-5-11",
		}},
		{"replaces-lost", "does not show replaces in orders that are ready", ordered("ready", mockca.OrderURL), map[string]string{
			"rfc9773/5/replaces": "RFC9773-5-12",
		}},
		{"replaces-lost-in-the-end", "does not show replaces in orders that are valid", ordered("valid", mockca.Finalize), map[string]string{
			"rfc9773/5/replaces": "RFC9773-5-12",
		}},
		{"replaced-twice", "replaces certificates twice", off(mockca.CheckAlreadyReplaced), map[string]string{
			"rfc9773/5/replaced-twice": "RFC9773-5-06 RFC9773-5-07",
		}},
		{"already-replaced-status", "refuses what was replaced with 400", restated("alreadyReplaced", 400), map[string]string{
			"rfc9773/5/replaced-twice": "RFC9773-5-08",
		}},
		{"already-replaced-type", "calls it malformed to replace twice", renamed("alreadyReplaced", "malformed"), map[string]string{
			"rfc9773/5/replaced-twice": "RFC9773-5-09",
		}},
		{"replaced-by-failures", "holds certificates for replaced by orders that failed", func(s *stage) {
			var replaced memory
			s.faults = append(s.faults, mockca.Fault{Name: "mutant", Doc: "remembers", Duty: "none", Endpoints: []mockca.Endpoint{mockca.NewOrder}, Request: func(x *mockca.Exchange) *mockca.Response {
				id := payload(x).text("replaces")
				if id == "" {
					return nil
				}
				if replaced.get(id) != nil {
					return mockca.ProblemResponse(&mockca.Problem{Type: mockca.TypeAlreadyReplaced, Status: 409, Detail: "it has been"})
				}
				replaced.put(id, true)
				return nil
			}})
		}, map[string]string{
			"rfc9773/5/replaced-after-failure": "RFC9773-5-10",
		}},
		{"replaces-other-names", "replaces certificates of other names", answers(func(_ *mockca.Exchange, r *mockca.Response) {
			if strings.Contains(object(r.JSON()).text("detail"), "no identifier in common") {
				r.Status, r.Body = 201, []byte("{}")
			}
		}, mockca.NewOrder), map[string]string{
			"rfc9773/5/bad-replaces": "RFC9773-5-05 RFC9773-5-07",
		}},
		{"replaces-anything", "replaces anything", off(mockca.CheckReplaces), map[string]string{
			"rfc9773/5/bad-replaces": "RFC9773-5-04 RFC9773-5-07 RFC9773-5-13",
		}},
	}
}

func profileMutants() []mutant {
	profiles := func(change func(map[string]any)) func(*stage) {
		return objects(inMeta(func(m map[string]any) {
			if p := object(m).member("profiles"); p != nil {
				change(p)
			}
		}), mockca.Directory)
	}
	return []mutant{
		{"profiles-none", "lists no profile", profiles(func(p map[string]any) { clear(p) }), map[string]string{
			"profiles/directory": "PROFILES-3-01",
		}},
		{"profiles-undescribed", "does not describe profiles", profiles(set("classic", "")), map[string]string{
			"profiles/directory": "PROFILES-3-02",
		}},
		{"profiles-unchecked", "takes unknown profiles", off(mockca.CheckProfile), map[string]string{
			"profiles/unknown": "PROFILES-4-03",
		}},
		{"profile-hidden", "does not show the profile of an order", objects(func(m map[string]any) {
			if m["profile"] != "classic" {
				delete(m, "profile")
			}
		}, mockca.NewOrder), map[string]string{
			"profiles/selected": "PROFILES-4-05",
		}},
		{"profile-unchosen", "chooses no profile", off(mockca.HabitShowProfile), map[string]string{
			"profiles/selected": "PROFILES-4-06",
		}},
	}
}
