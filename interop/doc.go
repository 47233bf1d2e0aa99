// Package interop holds the tests of acme-e2e serve with clients that others
// wrote. It is a module of its own, so that they never get into ours.
package interop
