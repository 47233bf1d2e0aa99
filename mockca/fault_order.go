package mockca

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults of orders: RFC 8555, Sections 7.1.3, 7.1.6 and 7.4.

func orderFaults() []FaultInfo {
	return append([]FaultInfo{
		entry("duration or polls=5s", func(params string) (Fault, error) {
			if params == "" {
				params = "5s"
			}
			if n, err := strconv.Atoi(params); err == nil && n >= 0 {
				return OrderProcessingPolls(n), nil
			}
			d, err := time.ParseDuration(params)
			if err != nil || d < 0 {
				return Fault{}, fmt.Errorf("fault order-processing: %q is neither a duration as \"90s\" nor a number of polls", params)
			}
			return OrderProcessing(d), nil
		}),
		simple(OrderProcessingForever), timed(5*time.Second, OrderReadyLate), counted(1, OrderNotReady),
		chosen(OrderInvalid, "error", "subproblems", "silent"), chosen(OrderExpired, "404", "invalid"), simple(OrderReused),
		simple(OrderValidAtOnce), simple(OrderNoCertificate), chosen(OrderURLChanged, "changed", "missing"), chosen(OrderPaused, TypeRateLimited, TypeUnauthorized),
		simple(NewOrderLost), chosen(FinalizeLost, "reset", "500"), simple(BadCSR),
	}, append(identifierFaults(), verdictFaults()...)...)
}

// shownOrder are the endpoints that answer with an order.
func shownOrder() []Endpoint { return []Endpoint{NewOrder, OrderURL, Finalize} }

// OrderProcessing has orders stay in processing for d of the CA's time.
func OrderProcessing(d time.Duration) Fault {
	return Fault{
		Name: "order-processing", Params: d.String(), Doc: "the order stays in processing for a while", Duty: "look again when Retry-After says so",
		Requirements: []string{"RFC8555-7.4-35", "RFC8555-7.4-36", "RFC8555-7.1.6-20"},
		Endpoints:    []Endpoint{Finalize},
		Core:         func(_ *Exchange, k *Knobs) { k.FinalizeDelay = d },
	}
}

// OrderProcessingPolls shows each order as processing when it is finalized and
// to the next n looks.
func OrderProcessingPolls(n int) Fault {
	var mu sync.Mutex
	looks := make(map[string]int) // left, by order
	return Fault{
		Name: "order-processing", Params: strconv.Itoa(n), Doc: "the order stays in processing for some looks", Duty: "look again when Retry-After says so",
		Requirements: []string{"RFC8555-7.4-35", "RFC8555-7.4-36", "RFC8555-7.1.6-20"},
		Endpoints:    []Endpoint{Finalize, OrderURL},
		Response: func(x *Exchange, r *Response) {
			mu.Lock()
			defer mu.Unlock()
			if x.Endpoint == Finalize && !r.IsProblem() {
				looks[x.Object] = n + 1
			}
			left, counted := looks[x.Object]
			if !counted {
				return
			}
			if left == 0 {
				delete(looks, x.Object)
				return
			}
			looks[x.Object]--
			r.Edit(func(m map[string]any) {
				m["status"] = statusProcessing
				delete(m, "certificate")
			})
			r.Header.Set("Retry-After", "1")
		},
	}
}

// OrderProcessingForever has orders stay in processing.
func OrderProcessingForever() Fault {
	return Fault{
		Name: "order-processing-forever", Doc: "the order never leaves processing", Duty: "give up after a time, and keep the order to go on with it later",
		Requirements: []string{"RFC8555-7.4-35", "RFC8555-7.1.6-20"},
		Endpoints:    []Endpoint{Finalize},
		Core:         func(_ *Exchange, k *Knobs) { k.NeverFinalize = true },
	}
}

// OrderReadyLate has orders stay pending for d of the CA's time, though all their
// authorizations are valid.
func OrderReadyLate(d time.Duration) Fault {
	return Fault{
		Name: "order-ready-late", Params: d.String(), Doc: "all authorizations are valid, and the order stays pending for a while", Duty: "look again, and don't finalize before it is ready",
		Requirements: []string{"RFC8555-7.4-33", "RFC8555-7.4-34"},
		Endpoints:    []Endpoint{NewOrder},
		Core:         func(_ *Exchange, k *Knobs) { k.ReadyDelay = d },
	}
}

// OrderNotReady refuses to finalize, n times, though the order is ready; 0: each
// time.
func OrderNotReady(n int) Fault {
	return Fault{
		Name: "order-not-ready", Params: strconv.Itoa(n), Doc: "finalize is answered with 403 orderNotReady", Duty: "look at the order, then finalize again",
		Requirements: []string{"RFC8555-7.4-29", "RFC8555-7.4-34"},
		Endpoints:    []Endpoint{Finalize}, Times: n,
		Request: func(*Exchange) *Response {
			return ProblemResponse(problem(TypeOrderNotReady, "the order is not ready yet"))
		},
	}
}

// OrderInvalid makes orders invalid when they are finalized: with an "error",
// with "subproblems", one for each identifier, or "silent", without any reason.
func OrderInvalid(how string) Fault {
	return Fault{
		Name: "order-invalid", Params: how, Doc: "the order becomes invalid, with an error, with subproblems or without a reason", Duty: "fail, with the reason per identifier where there is one",
		Requirements: []string{"RFC8555-7.4-32", "RFC8555-6.7.1-05", "RFC8555-6.7-05"},
		Endpoints:    []Endpoint{Finalize, OrderURL},
		Core: func(x *Exchange, k *Knobs) {
			k.FinalizeProblem = problem(TypeUnauthorized, "issuance was refused at the last moment")
			if o, ok := x.Order(); ok && how == "subproblems" {
				k.FinalizeProblem = perIdentifier(TypeUnauthorized, o.Identifiers)
			}
		},
		Response: func(_ *Exchange, r *Response) {
			if how == "silent" {
				r.Edit(func(m map[string]any) { delete(m, "error") })
			}
		},
	}
}

// perIdentifier is one problem for several identifiers: RFC 8555, Section 6.7.1.
func perIdentifier(typ string, ids []Identifier) *Problem {
	p := problem(typ, "some identifiers were refused")
	for i, id := range ids {
		sub := problem(typ, "%s was refused", id.Value)
		sub.Identifier = &ids[i]
		p.Subproblems = append(p.Subproblems, sub)
	}
	return p
}

// OrderExpired has the first order that is finalized expire: the CA has
// forgotten it and answers "404", or it is "invalid" and says since when.
func OrderExpired(how string) Fault {
	var mu sync.Mutex
	var expired string // the order's URL
	is := func(x *Exchange) (o Order, yes bool) {
		o, ok := x.Order()
		mu.Lock()
		defer mu.Unlock()
		if ok && expired == "" && x.Endpoint == Finalize {
			expired = o.URL
		}
		return o, ok && o.URL == expired
	}
	return Fault{
		Name: "order-expired", Params: how, Doc: "the order has expired: 404, or invalid", Duty: "make a new order",
		Requirements: []string{"RFC8555-7.4-32"},
		Endpoints:    []Endpoint{Finalize, OrderURL},
		Request: func(x *Exchange) *Response {
			o, yes := is(x)
			switch {
			case !yes || x.Endpoint != Finalize:
				return nil
			case how == "invalid":
				_ = x.CA().SetOrderStatus(o.URL, statusInvalid, problem(TypeMalformed, "the order has expired")) // it is there
				return nil
			}
			_ = x.CA().ForgetOrder(o.URL)
			return ProblemResponse(problem(TypeMalformed, "there is no order at %s", x.URL).withStatus(http.StatusNotFound))
		},
		Response: func(x *Exchange, r *Response) {
			if _, yes := is(x); yes {
				r.editMember("expires", func(any) any { return x.Time().Add(-time.Minute).UTC().Truncate(time.Second) })
			}
		},
	}
}

// OrderReused answers newOrder with a pending or ready order for the same
// identifiers, where the account has one.
func OrderReused() Fault {
	return Fault{
		Name: "order-reused", Doc: "newOrder gives an order that exists already, pending or ready", Duty: "use it in the state that it is in",
		Requirements: []string{"RFC8555-7.1.3-18", "RFC8555-7.1.3-19"},
		Endpoints:    []Endpoint{NewOrder},
		Core:         func(x *Exchange, _ *Knobs) { x.decide(func(p *Policy) { p.ReuseOrders = true }) },
	}
}

// OrderValidAtOnce issues before finalize is answered.
func OrderValidAtOnce() Fault {
	return Fault{
		Name: "order-valid-at-once", Doc: "finalize is answered with a valid order and its certificate", Duty: "download it without looking at the order again",
		Requirements: []string{"RFC8555-7.1.6-19", "RFC8555-7.4-37"},
		Endpoints:    []Endpoint{Finalize},
		Core:         func(x *Exchange, _ *Knobs) { x.decide(func(p *Policy) { p.AsyncFinalize = false }) },
	}
}

// OrderNoCertificate shows valid orders without their certificate.
func OrderNoCertificate() Fault {
	return Fault{
		Name: "order-no-certificate", Doc: "the order is valid and names no certificate", Duty: "look again a few times, then fail",
		Endpoints: []Endpoint{Finalize, OrderURL},
		Response:  func(_ *Exchange, r *Response) { r.Edit(func(m map[string]any) { delete(m, "certificate") }) },
	}
}

// OrderURLChanged answers finalize with the Location of another order
// ("changed") or with none ("missing").
func OrderURLChanged(how string) Fault {
	return Fault{
		Name: "order-url-changed", Params: how, Doc: "the Location in the answer to finalize is another one, or missing", Duty: "keep the order's URL",
		Requirements: []string{"RFC8555-7.4-31"},
		Endpoints:    []Endpoint{Finalize},
		Response: func(_ *Exchange, r *Response) {
			if l := r.Header.Get("Location"); l != "" {
				r.Header.Set("Location", l+"4711")
			}
			if how == "missing" {
				r.Header.Del("Location")
			}
		},
	}
}

// OrderPaused refuses new orders because the account is paused for the names,
// as "rateLimited" or "unauthorized", with a link to end that.
func OrderPaused(typ string) Fault {
	return Fault{
		Name: "order-paused", Params: typ, Doc: "the account is paused for these names", Duty: "fail, and show where that can be ended",
		Requirements: []string{"RFC8555-6.7-05"},
		Endpoints:    []Endpoint{NewOrder},
		Request: func(x *Exchange) *Response {
			unpause := x.Base() + "/unpause?account=" + x.Account[strings.LastIndexByte(x.Account, '/')+1:]
			p := problem(typ, "the account is paused for these names after too many failures; visit %s", unpause)
			p.Links = []string{"<" + unpause + `>;rel="help"`}
			return ProblemResponse(p)
		},
	}
}

// NewOrderLost makes the order and loses the answer.
func NewOrderLost() Fault {
	return answerLost("new-order-lost", "the order is made, and the answer lost", "find it in the account's list of orders if there is one, else make another", NewOrder)
}

// FinalizeLost carries finalize out and loses the answer: the connection is
// "reset", or the answer is "500".
func FinalizeLost(how string) Fault {
	f := answerLost("finalize-lost", "finalize is carried out, and the answer lost", "look at the order; never make a second key for the same certificate", Finalize)
	f.Params = how
	f.Requirements = []string{"RFC8555-7.4-35", "RFC8555-7.4-37"}
	if how == "500" {
		f.Response, f.Stage = nil, After
		f.Request = func(*Exchange) *Response { return ProblemResponse(problem(TypeServerInternal, "something went wrong")) }
	}
	return f
}

// BadCSR refuses every CSR.
func BadCSR() Fault {
	return Fault{
		Name: "bad-csr", Doc: "finalize is answered with badCSR", Duty: "fail",
		Requirements: []string{"RFC8555-6.7-05"},
		Endpoints:    []Endpoint{Finalize},
		Request: func(*Exchange) *Response {
			return ProblemResponse(problem(TypeBadCSR, "the CSR is not to the CA's taste"))
		},
	}
}
