// Package conformance judges ACME servers and clients against every requirement
// of the standards that can be observed from outside, and traces each verdict to
// its section.
//
// A server is a Target: PlanServer and ServerRun.Run judge it, or TestServer in a
// Go test. A client is a TestedClient, a function that does what Env says: see
// PlanClient, ClientRun.Run and TestClient; a Profile makes one of a program in
// any language. Both end in a Report.
package conformance
