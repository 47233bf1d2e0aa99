//go:build !unix

package main

import "context"

// onHangup does nothing: there is no SIGHUP.
func onHangup(context.Context, func()) (wait func()) { return func() {} }
