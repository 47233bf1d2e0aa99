// Package conformance judges ACME servers and clients against every requirement
// of the standards that can be observed from outside, and traces each verdict to
// its section.
package conformance
