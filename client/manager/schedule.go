package manager

import (
	"crypto/x509"
	"math/rand/v2"
	"time"
)

// When to renew, by lifetime, by RFC 9773, and after failures. Everything here
// is arithmetic; the waiting is in loop.go.

const (
	day           = 24 * time.Hour
	checkEvery    = 12 * time.Hour
	checkJitter   = time.Hour // a check comes up to this much early or late
	countsDays    = 90 * day  // certificates of this lifetime or more go by RenewBeforeDays
	veryShort     = 10 * day  // below, half of the lifetime is kept in reserve and not a third
	leastUse      = 2 * day   // of a certificate's lifetime before the days setting may renew it
	longestRetry  = 7 * day   // of the CA's Retry-After
	longestGap    = 7 * day
	defaultPeriod = 90 * day // lifetime assumed where there is no certificate
)

// lifetime includes the last second (RFC 5280, Section 4.1.2.5).
func lifetime(c *x509.Certificate) time.Duration {
	return c.NotAfter.Sub(c.NotBefore) + time.Second
}

// dueByLifetime is when a certificate is about to expire: when fewer than the
// configured days remain, or less than a fraction of a short lifetime. Measured
// from NotBefore it is never at the very start, so that the next certificate of
// the same kind is not due at once.
func dueByLifetime(c *x509.Certificate, days int) time.Time {
	whole := lifetime(c)
	reserve := time.Duration(days) * day
	switch {
	case whole < veryShort:
		reserve = whole / 2
	case whole < countsDays || whole-reserve < leastUse:
		reserve = whole / 3
	}
	return c.NotAfter.Add(-reserve)
}

// between is a random duration of at least a and less than b.
func between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + rand.N(b-a)
}

// backoff is how long to wait after n failures in a row: a minute, doubling to
// an hour, less for certificates of which a minute is much. The upper half of
// each step is random.
func backoff(n int, whole time.Duration) time.Duration {
	least := min(max(whole/1000, time.Second), time.Minute)
	most := min(max(whole/50, 10*time.Second), time.Hour)
	d := least
	for range n - 1 {
		if d *= 2; d >= most {
			d = most
			break
		}
	}
	return between(d/2, d)
}

// gap is the time that must pass between two renewals when n certificates in a
// row were replaced before their time: a CA whose suggestions never change, or a
// clock that is wrong, must not lead to a flood of orders. The first early
// renewal is free; then it is an hour, doubling to a week, less for certificates
// of which an hour is much.
func gap(n int, whole time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	d, most := min(max(whole/100, time.Second), time.Hour), min(whole/5, longestGap)
	for range n - 1 {
		if d *= 2; d >= most {
			return most
		}
	}
	return d
}

// freeAt is when a certificate that was issued after n early renewals may be
// renewed again. A quarter of what was left of its life stays in reserve.
func freeAt(c *x509.Certificate, issued time.Time, n int) time.Time {
	return issued.Add(min(gap(n, lifetime(c)), max(0, c.NotAfter.Sub(issued)*3/4)))
}

// early reports whether a certificate that is renewed now, as the CA suggests or
// because of its lifetime, is renewed before its time.
func early(c *x509.Certificate, issued, now time.Time, suggested bool, days int) bool {
	if suggested {
		return now.Sub(issued) < lifetime(c)/4
	}
	return dueByLifetime(c, days).Before(issued.Add(lifetime(c) / 100)) // as good as due when it was issued
}

// earliest is the first of the times that are set.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
