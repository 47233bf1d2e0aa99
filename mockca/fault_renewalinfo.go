package mockca

import (
	"net/http"
	"sync"
	"time"
)

// Faults of renewal information: RFC 9773, Section 4.

func renewalInfoFaults() []FaultInfo {
	return []FaultInfo{
		simple(ARIPast), simple(ARIFuture), simple(ARIInverted), simple(ARIZero), simple(ARIHuge), timed(24*time.Hour, ARIMoves),
		worded("https://ca.example/why", ARIExplanation),
		simple(ARI404), simple(ARI500), simple(ARI429), simple(ARIGarbage), simple(ARIMissing),
		simple(ARIRetryAfter0), simple(ARIRetryAfterHuge), simple(ARIRetryAfterMissing),
	}
}

// window shows another window than the CA's.
func window(name, doc, duty string, change func(x *Exchange, c IssuedCertificate) (start, end time.Time)) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Requirements: []string{"RFC9773-4.2-05"},
		Endpoints:    []Endpoint{RenewalInfo},
		Response: func(x *Exchange, r *Response) {
			c, ok := x.Certificate()
			if !ok || r.IsProblem() {
				return
			}
			start, end := change(x, c)
			r.editMember("suggestedWindow", func(any) any {
				return map[string]any{"start": start.UTC().Truncate(time.Second), "end": end.UTC().Truncate(time.Second)}
			})
		},
	}
}

// ARIPast suggests a window that has passed.
func ARIPast() Fault {
	f := window("ari-past", "the suggested window has passed", "renew now", func(x *Exchange, _ IssuedCertificate) (time.Time, time.Time) {
		return x.Time().Add(-48 * time.Hour), x.Time().Add(-time.Hour)
	})
	f.Requirements = append(f.Requirements, "RFC9773-4.2-07")
	return f
}

// ARIFuture suggests a window after the certificate has expired.
func ARIFuture() Fault {
	return window("ari-future", "the suggested window lies after the certificate's expiry", "renew before the expiry all the same", func(_ *Exchange, c IssuedCertificate) (time.Time, time.Time) {
		return c.NotAfter.Add(24 * time.Hour), c.NotAfter.Add(72 * time.Hour)
	})
}

const noWindow = "take it for no answer, and go by the certificate's lifetime"

// ARIInverted suggests a window that ends before it begins.
func ARIInverted() Fault {
	f := window("ari-inverted", "the suggested window ends before it begins", noWindow, func(x *Exchange, _ IssuedCertificate) (time.Time, time.Time) {
		return x.Time().Add(time.Hour), x.Time().Add(-time.Hour)
	})
	f.Requirements = []string{"RFC9773-4.2-14", "RFC9773-4.3.3-05", "RFC9773-4.3.3-08"}
	return f
}

// ARIZero suggests a window of no length.
func ARIZero() Fault {
	f := window("ari-zero", "the suggested window ends when it begins", noWindow, func(x *Exchange, _ IssuedCertificate) (time.Time, time.Time) {
		return x.Time(), x.Time()
	})
	f.Requirements = []string{"RFC9773-4.2-14", "RFC9773-4.3.3-05", "RFC9773-4.3.3-08"}
	return f
}

// ARIHuge suggests a window of four centuries.
func ARIHuge() Fault {
	return window("ari-huge", "the suggested window spans centuries", noWindow, func(x *Exchange, _ IssuedCertificate) (time.Time, time.Time) {
		return x.Time().AddDate(-200, 0, 0), x.Time().AddDate(200, 0, 0)
	})
}

// ARIMoves suggests a window that is earlier by step with each answer, until it
// is now.
func ARIMoves(step time.Duration) Fault {
	var mu sync.Mutex
	asked := make(map[string]int) // by serial
	f := window("ari-moves", "each answer has another window, earlier than the last", "follow the newest, no later than Retry-After allows", func(x *Exchange, c IssuedCertificate) (time.Time, time.Time) {
		mu.Lock()
		earlier := time.Duration(asked[c.Serial]) * step
		asked[c.Serial]++
		mu.Unlock()
		start, end := x.r.cert.window(c.Revoked)
		if start = start.Add(-earlier); start.Before(x.Time()) {
			start = x.Time().Add(-time.Minute)
		}
		if end = end.Add(-earlier); !end.After(start) {
			end = start.Add(time.Minute)
		}
		return start, end
	})
	f.Params = step.String()
	f.Requirements = append(f.Requirements, "RFC9773-4.3.2-01", "RFC9773-4.2-10")
	return f
}

// ARIExplanation gives a URL of an explanation, followed by what attacks who
// shows it.
func ARIExplanation(url string) Fault {
	return Fault{
		Name: "ari-explanation", Params: url, Doc: "the answer has an explanationURL, with hostile characters in it", Duty: "show it, without what could harm terminals and logs",
		Requirements: []string{"RFC9773-4.2-04"},
		Endpoints:    []Endpoint{RenewalInfo},
		Response: func(_ *Exchange, r *Response) {
			r.Edit(func(m map[string]any) { m["explanationURL"] = url + "\x1b[2J\r\n\u202e" })
		},
	}
}

const noAnswer = "go by the certificate's lifetime, and ask again later, without hammering"

// ariAnswer answers instead of the CA.
func ariAnswer(name, doc string, answer func(*Exchange) *Response, requirements ...string) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: noAnswer,
		Requirements: append(requirements, "RFC9773-4.3.3-08"),
		Endpoints:    []Endpoint{RenewalInfo},
		Request:      answer,
	}
}

// ARI404 answers as for a certificate that the CA does not know.
func ARI404() Fault {
	return ariAnswer("ari-404", "404 for renewal information", func(*Exchange) *Response {
		return ProblemResponse(problem(TypeMalformed, "there is no such certificate").withStatus(http.StatusNotFound))
	}, "RFC9773-4.3.3-07")
}

// ARI500 answers 500.
func ARI500() Fault {
	return ariAnswer("ari-500", "500 for renewal information", func(*Exchange) *Response {
		return ProblemResponse(problem(TypeServerInternal, "something went wrong"))
	}, "RFC9773-4.3.3-01", "RFC9773-4.3.3-02")
}

// ARI429 answers with a rate limit of an hour.
func ARI429() Fault {
	return ariAnswer("ari-429", "429 for renewal information", func(*Exchange) *Response {
		p := problem(TypeRateLimited, "too many questions")
		p.RetryAfter = time.Hour
		return ProblemResponse(p)
	}, "RFC9773-4.3.3-07")
}

// ARIGarbage answers with no JSON.
func ARIGarbage() Fault {
	return ariAnswer("ari-garbage", "renewal information that can't be read", func(*Exchange) *Response {
		return NewResponse(http.StatusOK, "application/json", `{"suggestedWindow":{"start":"soon"}]`)
	}, "RFC9773-4.3.3-05")
}

// ARIMissing has no renewal information, and none in the directory.
func ARIMissing() Fault {
	return Fault{
		Name: "ari-missing", Doc: "the CA has no renewal information", Duty: "go by the certificate's lifetime, and send no replaces",
		Requirements: []string{"RFC9773-4.3.3-08", "RFC9773-5-03"},
		Endpoints:    []Endpoint{Directory, RenewalInfo},
		Core:         func(x *Exchange, _ *Knobs) { x.decide(func(p *Policy) { p.NoRenewalInfo = true }) },
	}
}

// ariRetryAfter sends another Retry-After.
func ariRetryAfter(name, doc, duty, value string) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Requirements: []string{"RFC9773-4.3.2-02"},
		Endpoints:    []Endpoint{RenewalInfo},
		Response: func(_ *Exchange, r *Response) {
			if r.Header.Del("Retry-After"); value != "" {
				r.Header.Set("Retry-After", value)
			}
		},
	}
}

// ARIRetryAfter0 wants to be asked again at once.
func ARIRetryAfter0() Fault {
	return ariRetryAfter("ari-retry-after-0", "renewal information with a Retry-After of 0", "wait a minute at least", "0")
}

// ARIRetryAfterHuge wants to be asked again in ten years.
func ARIRetryAfterHuge() Fault {
	return ariRetryAfter("ari-retry-after-huge", "renewal information with a Retry-After of ten years", "wait a day at most", "315360000")
}

// ARIRetryAfterMissing does not say when to ask again.
func ARIRetryAfterMissing() Fault {
	f := ariRetryAfter("ari-retry-after-missing", "renewal information without Retry-After", "wait six hours", "")
	f.Requirements = append(f.Requirements, "RFC9773-4.3.3-04")
	return f
}
