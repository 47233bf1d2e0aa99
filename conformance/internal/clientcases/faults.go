package clientcases

import (
	"net/http"
	"strconv"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// What scenarios do to clients and what is too particular for the catalogue of
// faults.

// catalogued is a fault of the catalogue, with its parameters if any.
func catalogued(text string) mockca.Fault {
	f, err := mockca.ParseFault(text)
	if err != nil {
		panic(err) // a test makes each of them
	}
	return f
}

// refuse answers with a problem, before anything is done.
func refuse(name string, p mockca.Problem) mockca.Fault {
	return mockca.Fault{Name: name, Doc: "the request is refused", Duty: "fail, and say why",
		Request: func(*mockca.Exchange) *mockca.Response { return mockca.ProblemResponse(&p) }}
}

// rewrite changes members of a JSON object that is answered.
func rewrite(name string, change func(map[string]any)) mockca.Fault {
	return mockca.Fault{Name: name, Doc: "members of the answer are changed", Duty: "see the scenario",
		Response: func(_ *mockca.Exchange, r *mockca.Response) {
			if !r.IsProblem() {
				r.Edit(change)
			}
		}}
}

// alter changes an answer.
func alter(name string, change func(*mockca.Exchange, *mockca.Response)) mockca.Fault {
	return mockca.Fault{Name: name, Doc: "the answer is changed", Duty: "see the scenario", Response: change}
}

// knobs turns what the CA reads where it decides.
func knobs(name string, turn func(*mockca.Knobs)) mockca.Fault {
	return mockca.Fault{Name: name, Doc: "the CA decides otherwise", Duty: "see the scenario",
		Core: func(_ *mockca.Exchange, k *mockca.Knobs) { turn(k) }}
}

// retryAfter puts Retry-After on answers whose object is in one of the states.
func retryAfter(seconds int, states ...string) mockca.Fault {
	return alter("retry-after", func(_ *mockca.Exchange, r *mockca.Response) {
		status, _ := r.JSON()["status"].(string)
		for _, s := range states {
			if s == status {
				r.Header.Set("Retry-After", strconv.Itoa(seconds))
			}
		}
	})
}

// retryDate is the same, as an HTTP date.
func retryDate(wait time.Duration, states ...string) mockca.Fault {
	return alter("retry-after-date", func(x *mockca.Exchange, r *mockca.Response) {
		status, _ := r.JSON()["status"].(string)
		for _, s := range states {
			if s == status {
				r.Header.Set("Retry-After", x.Time().Add(wait).UTC().Format(http.TimeFormat))
			}
		}
	})
}

// redirect sends the client elsewhere.
func redirect(status int, to string) mockca.Fault {
	return mockca.Fault{Name: "redirect", Doc: "the client is sent elsewhere", Duty: "follow where it is safe, a bounded number of times",
		Request: func(*mockca.Exchange) *mockca.Response {
			r := mockca.NewResponse(status, "text/plain", "elsewhere\n")
			r.Header.Set("Location", to)
			return r
		}}
}
