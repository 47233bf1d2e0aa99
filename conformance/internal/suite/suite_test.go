package suite_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

const id = "RFC8555-7.4-01"

func run(t *testing.T, do func(*suite.T)) suite.Result {
	return suite.Run(t.Context(), suite.Case{ID: "rfc8555/7.4/x", Title: "x", Requirements: []string{id}, Run: do}, time.Minute)
}

func TestVerdictIsTheWorstThatWasFound(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		do     func(*suite.T)
		want   suite.Verdict
		reason string
	}{
		"nothing found":      {func(*suite.T) {}, suite.Pass, ""},
		"all was well":       {func(c *suite.T) { c.Must(true, id, "", ""); c.Should(true, id, "", ""); c.Require(true, id, "", "") }, suite.Pass, ""},
		"only recorded":      {func(c *suite.T) { c.Note(id, "present") }, suite.Pass, ""},
		"should":             {func(c *suite.T) { c.Should(false, id, "a", "b") }, suite.Warn, ""},
		"must":               {func(c *suite.T) { c.Should(false, id, "a", "b"); c.Must(false, id, "a", "b") }, suite.Fail, ""},
		"require":            {func(c *suite.T) { c.Require(false, id, "a", "b"); panic("goes on") }, suite.Fail, ""},
		"stop":               {func(c *suite.T) { c.Should(false, id, "a", "b"); c.Stop(); panic("goes on") }, suite.Warn, ""},
		"skip":               {func(c *suite.T) { c.Skip("no %s", "newAuthz"); panic("goes on") }, suite.Skip, "no newAuthz"},
		"not applicable":     {func(c *suite.T) { c.NotApplicable("no revocation") }, suite.NotApplicable, "no revocation"},
		"inconclusive":       {func(c *suite.T) { c.Inconclusive("no network") }, suite.Inconclusive, "no network"},
		"skip after warning": {func(c *suite.T) { c.Should(false, id, "a", "b"); c.Skip("rest") }, suite.Skip, "rest"},
		"skip after failure": {func(c *suite.T) { c.Must(false, id, "a", "b"); c.Skip("rest") }, suite.Fail, "rest"},
		"panic":              {func(*suite.T) { panic("oops") }, suite.Inconclusive, "the case itself is at fault, it panicked: oops"},
		"panic after":        {func(c *suite.T) { c.Must(false, id, "a", "b"); panic("oops") }, suite.Fail, "the case itself is at fault, it panicked: oops"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, row.do)
			require.Equal(t, row.want, got.Verdict)
			require.Equal(t, row.reason, got.Reason)
			require.Equal(t, []string{id}, got.Requirements)
		})
	}
}

func TestFindingsPointToTheExchange(t *testing.T) {
	t.Parallel()
	got := run(t, func(c *suite.T) {
		c.Should(false, id, "before", "there was none")
		require.Equal(t, 1, c.Record(suite.Exchange{Method: "GET"}))
		require.Equal(t, 2, c.Record(suite.Exchange{Method: "POST"}))
		c.Must(false, id, "status 201", "status %d", 200)
		c.Logf("%d of %d", 1, 2)
	})
	require.Equal(t, []suite.Finding{
		{Verdict: suite.Warn, Requirement: id, Expected: "before", Actual: "there was none"},
		{Verdict: suite.Fail, Requirement: id, Expected: "status 201", Actual: "status 200", Exchange: 2},
	}, got.Findings)
	require.Len(t, got.Exchanges, 2)
	require.Equal(t, []string{"1 of 2"}, got.Log)
}

func TestCaseIsUnderItsDeadline(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		do     func(c *suite.T, released chan struct{})
		want   suite.Verdict
		reason string
		took   time.Duration
	}{
		"obeys": {
			func(c *suite.T, _ chan struct{}) { <-c.Context().Done() },
			suite.Inconclusive, "it did not end in time: the case's time is over", time.Second,
		},
		"says why itself": {
			func(c *suite.T, _ chan struct{}) {
				<-c.Context().Done()
				c.Inconclusive("the order is pending for ever")
			},
			suite.Inconclusive, "the order is pending for ever", time.Second,
		},
		"finds a failure then": {
			func(c *suite.T, _ chan struct{}) { <-c.Context().Done(); c.Must(false, id, "a", "b") },
			suite.Fail, "", time.Second,
		},
		"does not obey": {
			func(c *suite.T, released chan struct{}) { <-released; c.Must(false, id, "too", "late") },
			suite.Inconclusive, "it did not end in time: the case's time is over, and goes on", 3 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				released := make(chan struct{})
				began := time.Now()
				got := suite.Run(t.Context(), suite.Case{Timeout: time.Second, Run: func(c *suite.T) { row.do(c, released) }}, time.Hour)
				require.Equal(t, row.want, got.Verdict)
				require.Equal(t, row.reason, got.Reason)
				require.Equal(t, row.took, time.Since(began))
				require.Equal(t, row.took, got.Duration)
				close(released)
				synctest.Wait()
				if row.want != suite.Fail {
					require.Empty(t, got.Findings, "what a case says after it was given up does not count")
				}
			})
		})
	}
}

func TestEndOfTheRunEndsTheCase(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	got := suite.Run(ctx, suite.Case{Run: func(c *suite.T) { cancel(); <-c.Context().Done() }}, time.Hour)
	require.Equal(t, suite.Inconclusive, got.Verdict)
	require.Contains(t, got.Reason, "context canceled")
}

func TestFindingsOfManyGoroutines(t *testing.T) {
	t.Parallel()
	got := run(t, func(c *suite.T) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				c.Record(suite.Exchange{})
				c.Must(false, id, "a", "b")
				c.Logf("x")
			})
		}
		all.Wait()
	})
	require.Len(t, got.Findings, 20)
	require.Len(t, got.Exchanges, 20)
	require.Len(t, got.Log, 20)
}

func TestCostsAddUp(t *testing.T) {
	t.Parallel()
	require.Equal(t, suite.Cost{Accounts: 5, Orders: 7, FailedValidations: 9}, suite.Cost{Accounts: 1, Orders: 2, FailedValidations: 3}.Add(suite.Cost{Accounts: 4, Orders: 5, FailedValidations: 6}))
	require.Len(t, suite.Verdicts(), 6)
}
