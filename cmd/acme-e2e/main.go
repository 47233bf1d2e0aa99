// Command acme-e2e gets TLS certificates by ACME and shows that it will keep
// getting them: it walks a certificate's whole life, provisions and renews for
// real, simulates a CA with every fault, and judges servers and clients.
//
// Results go to standard output, words for people to standard error. The exit
// code is 0 when all is good, 1 when the thing tested or asked for failed, 2
// when the command line is wrong and 3 when the environment is in the way.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(runMain())
}

func runMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:], newTerminal(os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
