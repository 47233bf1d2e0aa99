package mockca

import (
	"net/http"
	"sync"
	"time"
)

// Faults of time: clocks that disagree or jump, and a CA that is away for long.

func timeFaults() []FaultInfo {
	return []FaultInfo{
		timed(time.Hour, ClockAhead), timed(time.Hour, ClockBehind), timed(90*24*time.Hour, ClockJump),
		simple(RevokedWhileHeld), timed(3*24*time.Hour, CADownForDays), simple(CAGone),
	}
}

// date shows a client whose clock is off by how much: a CA's only sign of the
// time is the Date field.
func date(name, doc string, d, off time.Duration) Fault {
	return Fault{
		Name: name, Params: d.String(), Doc: doc, Duty: "notice it by the Date field, warn, and never renew in a tight loop",
		Requirements: []string{"RFC9773-6-02"},
		Response: func(_ *Exchange, r *Response) {
			r.Header.Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		},
	}
}

// ClockAhead has the client's clock seem to be ahead of the CA's by d: Date is
// so much earlier than the machine's time.
func ClockAhead(d time.Duration) Fault {
	return date("clock-ahead", "the client's clock seems to be ahead: Date is in its past", d, -d)
}

// ClockBehind has the client's clock seem to be behind the CA's by d: Date is so
// much later than the machine's time.
func ClockBehind(d time.Duration) Fault {
	return date("clock-behind", "the client's clock seems to be behind: Date is in its future", d, d)
}

// ClockJump moves the CA's clock forward by d, once, as for a client that slept
// so long.
func ClockJump(d time.Duration) Fault {
	return Fault{
		Name: "clock-jump", Params: d.String(), Doc: "a long time passes at once: the CA's clock is moved forward", Duty: "renew at once on waking, if it is due",
		Times: 1,
		Request: func(x *Exchange) *Response {
			x.CA().Clock().Advance(d)
			return nil
		},
	}
}

// RevokedWhileHeld has the CA revoke a certificate when it is next asked for
// renewal information about it; the answer suggests to renew at once.
func RevokedWhileHeld() Fault {
	return Fault{
		Name: "revoked-while-held", Doc: "the CA revokes a certificate that is in use, and says so by renewal information", Duty: "replace it at once",
		Requirements: []string{"RFC9773-4.2-07", "RFC9773-4.3.2-01"},
		Endpoints:    []Endpoint{RenewalInfo}, Times: 1,
		Request: func(x *Exchange) *Response {
			if c, ok := x.Certificate(); ok {
				_ = x.CA().Revoke(c.Serial, 4) // it is there
			}
			return nil
		},
	}
}

// CADownForDays answers nothing but 503, for d of the CA's time from the first
// request on.
func CADownForDays(d time.Duration) Fault {
	var once sync.Once
	var until time.Time
	f := frontEnd("ca-down-for-days", "the CA answers 503 for days, then works again", "keep serving the certificate, try again within hours, and recover", http.StatusServiceUnavailable,
		"<html><body><h1>503 Service Unavailable</h1></body></html>\n")
	f.Params = d.String()
	down := f.Request
	f.Request = func(x *Exchange) *Response {
		once.Do(func() { until = x.Time().Add(d) })
		if x.Time().Before(until) {
			return down(x)
		}
		return nil
	}
	return f
}

// CAGone resets every connection, for ever.
func CAGone() Fault {
	f := Refuse()
	f.Name, f.Doc, f.Duty = "ca-gone", "the CA is dead for good: connections are reset", "try the next CA after a while, where one is configured"
	return f
}
