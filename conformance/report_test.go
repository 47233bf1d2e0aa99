package conformance

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// aReport has a case of each verdict, a hostile server, and deviations that are
// known, new and fixed.
func aReport(t *testing.T) *Report {
	t.Helper()
	expected := Expectations{
		"rfc8555/7.4/known": {Verdict: suite.Fail, Reason: "see the findings"},
		"rfc8555/7.9/fixed": {Verdict: suite.Fail, Reason: "was so"},
	}
	finding := func(v suite.Verdict) []suite.Finding {
		return []suite.Finding{{Verdict: v, Requirement: "RFC8555-7.1-03", Expected: "a Link", Actual: "<script>alert(1)</script>\x1b[2J\x00", Exchange: 1}}
	}
	exchange := []suite.Exchange{{Method: "POST", URL: "https://ca.example/new<b>", Protected: `{"alg":"ES256"}`, Status: 400, ResponseBody: "</pre><script>"}}
	r := &Report{Suite: Server, Target: "https://ca.example/dir", Start: time.Unix(1700000000, 0).UTC(), Duration: time.Second, Seed: 7}
	r.Coverage = coverageOf(Server, someCases())
	result := func(id string, v suite.Verdict, f []suite.Finding, reason string) suite.Result {
		return suite.Result{ID: id, Title: "title of " + id, Requirements: []string{"RFC8555-7.1-03"}, Verdict: v, Reason: reason, Findings: f, Exchanges: exchange, Start: r.Start, Duration: 5 * time.Millisecond}
	}
	r.build([]suite.Result{
		result("rfc8555/7.10/pass", suite.Pass, nil, ""),
		result("rfc8555/7.4/known", suite.Fail, finding(suite.Fail), ""),
		result("rfc8555/7.4/new", suite.Fail, finding(suite.Fail), ""),
		result("rfc8555/7.9/fixed", suite.Pass, nil, ""),
		result("rfc8555/7.9/warn", suite.Warn, finding(suite.Warn), ""),
		result("rfc9773/4/skip", suite.Skip, nil, "not offered"),
		result("rfc9773/4/env", suite.Inconclusive, nil, "no network"),
	}, expected)
	return r
}

func TestReportCountsAndSorts(t *testing.T) {
	t.Parallel()
	r := aReport(t)
	require.False(t, r.OK)
	require.Equal(t, Summary{Pass: 2, Fail: 2, Warn: 1, Skip: 1, Inconclusive: 1}, r.Summary)
	var order []string
	for _, c := range r.Results {
		order = append(order, c.ID)
	}
	require.Equal(t, []string{"rfc8555/7.4/known", "rfc8555/7.4/new", "rfc8555/7.9/fixed", "rfc8555/7.9/warn", "rfc8555/7.10/pass", "rfc9773/4/env", "rfc9773/4/skip"}, order)
}

func TestCoverageCountsWhatCanBeObserved(t *testing.T) {
	t.Parallel()
	c := coverageOf(Server, someCases())
	require.Equal(t, 5, c.Covered)
	observable := 0
	for _, s := range c.Specs {
		require.Len(t, s.Missing, s.Observable-s.Covered)
		if strings.HasPrefix(s.Spec, "RFC8555") {
			observable = s.Observable
		}
	}
	require.Greater(t, observable, 300)
	require.Greater(t, c.Observable, observable)
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	r := aReport(t)
	var out bytes.Buffer
	require.NoError(t, r.WriteJSON(&out))
	again, err := ReadReport(bytes.NewReader(out.Bytes()))
	require.NoError(t, err)
	require.Equal(t, r, again)
	var top struct {
		Summary  map[string]int
		Coverage struct{ Observable, Covered int }
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &top))
	require.Equal(t, map[string]int{"pass": 2, "fail": 2, "warn": 1, "skip": 1, "inconclusive": 1}, top.Summary)
	require.NotZero(t, top.Coverage.Observable)
	for _, text := range []string{"", "{}", "[]"} {
		_, err := ReadReport(strings.NewReader(text))
		require.Error(t, err)
	}
}

func TestJUnitIsXMLWithWhatCISystemsCount(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, aReport(t).WriteJUnit(&out))
	var got junitSuites
	require.NoError(t, xml.Unmarshal(out.Bytes(), &got))
	require.Equal(t, 7, got.Tests)
	require.Equal(t, 2, got.Failures, "the new one, and the one that is fixed and still listed")
	require.Equal(t, 3, got.Skipped, "the known one, the skipped one and the inconclusive one")
	require.Contains(t, out.String(), "RFC8555, Section 7.1, MUST")
	require.NotContains(t, out.String(), "\x1b")
}

func TestSARIFNamesRulesAndSuppressions(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, aReport(t).WriteSARIF(&out))
	var got struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Rules []struct{ ID, HelpURI string }
				}
			}
			Results []struct {
				RuleID, Level string
				Suppressions  []struct{ Justification string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Equal(t, "2.1.0", got.Version)
	require.Len(t, got.Runs[0].Tool.Driver.Rules, 1)
	require.Equal(t, "https://www.rfc-editor.org/rfc/rfc8555#section-7.1", got.Runs[0].Tool.Driver.Rules[0].HelpURI)
	require.Len(t, got.Runs[0].Results, 3)
	require.Equal(t, "see the findings", got.Runs[0].Results[0].Suppressions[0].Justification)
	require.Equal(t, "warning", got.Runs[0].Results[2].Level)
}

func TestHTMLIsOnePageAndHarmless(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, aReport(t).WriteHTML(&out))
	page := out.String()
	require.NotContains(t, page, "<script>alert", "what a server sends is text")
	require.NotContains(t, page, "</pre><script>")
	require.NotContains(t, page, "\x1b")
	for _, external := range []string{`src="http`, `href="style`, "@import", "url("} {
		require.NotContains(t, page, external)
	}
	for _, wanted := range []string{"✗ fail", "✓ pass", "? inconclusive", "Known deviation: see the findings", `href="#RFC-8555-7.1"`, "fixed, and still listed", "RFC8555-7.1-03", "<svg", "Not covered"} {
		require.Contains(t, page, wanted)
	}
}
