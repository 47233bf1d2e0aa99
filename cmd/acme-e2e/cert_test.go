package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// TestCertificateScripts runs the commands that get certificates, each script
// with a CA of its own.
func TestCertificateScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/cert", RequireExplicitExec: true, RequireUniqueNames: true, Setup: issuingCA,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "deactivate": deactivate, "eventually": eventually, "signals": signals, "suggest": suggest, "listing": listing,
		}})
}

// issuingCA gives a script a CA in $DIRECTORY and $BUNDLE that validates at $PORT,
// and in $NOTACME, $NOBODY and $TAKEN what is in the way of getting certificates.
func issuingCA(env *testscript.Env) error {
	ca, err := pebbleharness.Start(context.Background(), pebbleharness.Options{})
	if err != nil {
		return err
	}
	env.Defer(ca.Close)
	env.Values[caKey{}] = ca
	bundle := env.WorkDir + "/ca.pem"
	if err := os.WriteFile(bundle, ca.RootPEM(), 0o666); err != nil {
		return err
	}
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<h1>Welcome to our hotel</h1>")
	}))
	env.Defer(portal.Close)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { _ = taken.Close() })
	free, err := net.Listen("tcp", "127.0.0.1:0") // held, so that nobody else answers there
	if err != nil {
		return err
	}
	env.Defer(func() { _ = free.Close() })
	go func() {
		for c, err := free.Accept(); err == nil; c, err = free.Accept() {
			_ = c.Close()
		}
	}()
	env.Setenv("DIRECTORY", ca.DirectoryURL())
	env.Setenv("BUNDLE", bundle)
	env.Setenv("PORT", fmt.Sprint(ca.HTTPPort))
	env.Setenv("NOTACME", portal.URL+"/directory")
	env.Setenv("NOBODY", "https://"+free.Addr().String()+"/dir")
	env.Setenv("TAKEN", fmt.Sprint(taken.Addr().(*net.TCPAddr).Port))
	env.Setenv("RWS_CONFIG_ACME_DIRECTORY", ca.DirectoryURL())
	env.Setenv("RWS_CONFIG_ACME_CHALLENGE_PORT", fmt.Sprint(ca.HTTPPort))
	return nil
}

// caKey is where a script keeps its CA.
type caKey struct{}

// deactivate ends the account of a key at the CA.
func deactivate(ts *testscript.TestScript, _ bool, args []string) {
	key, err := client.ParseKey([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	pool, err := readPool("BUNDLE", ts.Getenv("BUNDLE"))
	ts.Check(err)
	c, err := client.New(client.Config{DirectoryURL: ts.Getenv("DIRECTORY"), RootCAs: pool})
	ts.Check(err)
	a, err := c.FindAccount(context.Background(), key)
	ts.Check(err)
	ts.Check(a.Deactivate(context.Background()))
}

// eventually waits for a file to contain a text: eventually FILE TEXT.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		if data, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && strings.Contains(string(data), args[1]) {
			return
		}
	}
	ts.Fatalf("%s never contained %q", args[0], args[1])
}

// signals sends a signal to the background processes: signals TERM.
func signals(ts *testscript.TestScript, _ bool, args []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}[args[0]]))
	}
}

// suggest has the CA suggest to renew a certificate at once: suggest cert.pem.
func suggest(ts *testscript.TestScript, _ bool, args []string) {
	block, _ := pem.Decode([]byte(ts.ReadFile(args[0])))
	cert, err := x509.ParseCertificate(block.Bytes)
	ts.Check(err)
	past := time.Now().Add(-time.Hour)
	ca := ts.Value(caKey{}).(*pebbleharness.Harness)
	ts.Check(ca.SetRenewalInfo(cert, pebbleharness.RenewalInfo{Start: past, End: past.Add(time.Minute)}))
}

// listing writes the names of a directory's files, and its own, to a file.
func listing(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	if !errors.Is(err, os.ErrNotExist) {
		ts.Check(err)
	}
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintln(&b, e.Name())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o666))
}
