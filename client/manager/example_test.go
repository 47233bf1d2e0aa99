package manager_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client/manager"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// A server that gets its certificate, and keeps it good, by itself. A real one
// has ConfigFromEnv, or a Config of its own, and no Options.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ca, err := pebbleharness.Start(ctx, pebbleharness.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer ca.Close()

	m, err := manager.New(manager.Config{
		Domains:        []string{"www.example.org", "example.org"},
		Email:          "admin@example.org",
		DirectoryURL:   ca.DirectoryURL(),
		AgreeTerms:     true,
		CertPath:       filepath.Join(dir, "cert.pem"),
		KeyPath:        filepath.Join(dir, "key.pem"),
		AccountKeyPath: filepath.Join(dir, "acme_account.key"),
	}, manager.Options{
		RootCAs: ca.Pool(),
		HTTP01:  challenge.HTTP01Options{Address: fmt.Sprintf("127.0.0.1:%d", ca.HTTPPort)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if err := m.ProvisionIfNeeded(ctx); err != nil {
		log.Fatal(err)
	}
	go m.RunRenewalLoop(ctx)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{TLSConfig: m.TLSConfig(), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})}
	go server.ServeTLS(l, "", "")
	defer server.Close()

	fmt.Println(fetch(l.Addr().String(), ca.IssuingPool()))

	// the CA wants the certificate renewed: the loop notices when it asks again,
	// and CheckNow does at once
	past := time.Now().Add(-time.Hour)
	if err := ca.SetRenewalInfo(m.Certificate().Leaf, pebbleharness.RenewalInfo{Start: past, End: past.Add(time.Minute)}); err != nil {
		log.Fatal(err)
	}
	out, err := m.CheckNow(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("renewed:", out.Renewed, "because", out.Status.State)
	fmt.Println(fetch(l.Addr().String(), ca.IssuingPool()))
	// Output:
	// hello from www.example.org
	// renewed: true because suggested
	// hello from www.example.org
}

func fetch(address string, roots *x509.CertPool) string {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "www.example.org"}}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get("https://" + address)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(body) + " from www.example.org"
}

// The variables are read once; which of them is wrong, and how, comes as one
// error.
func ExampleConfigFrom() {
	env := map[string]string{
		manager.EnvDomains:       "example.org",
		manager.EnvChallengePort: "eighty",
		manager.EnvStaging:       "perhaps",
	}
	_, err := manager.ConfigFrom(func(name string) string { return env[name] })
	fmt.Println(err)
	// Output:
	// acme: configuration: RWS_CONFIG_ACME_STAGING is "perhaps": expected true or false; RWS_CONFIG_ACME_CHALLENGE_PORT is "eighty": expected a port from 1 to 65535
}
