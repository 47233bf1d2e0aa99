//go:build !unix

package durable_test

const onUnix = false
