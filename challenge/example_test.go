package challenge_test

import (
	"crypto/tls"
	"net/http"
	"os"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// A listener on port 80 that exists only while a challenge is pending.
func ExampleNewHTTP01() {
	var solver challenge.Solver = challenge.NewHTTP01(challenge.HTTP01Options{})
	_ = solver // for client.Request.Solvers
}

// The challenges are answered by the server that owns port 80.
func ExampleNewHTTP01_mounted() {
	site := http.FileServer(http.Dir("/var/www/html"))
	solver := challenge.NewHTTP01(challenge.HTTP01Options{Mounted: true, Next: site})
	_ = &http.Server{Addr: ":80", Handler: solver}
}

// The socket was opened by systemd and handed down as its first.
func ExampleListenFile() {
	_ = challenge.NewHTTP01(challenge.HTTP01Options{Listen: challenge.ListenFile(os.NewFile(3, "http"))})
}

// The challenges are answered by the server that owns port 443.
func ExampleTLSALPN01Solver_Config() {
	solver := challenge.NewTLSALPN01(challenge.TLSALPN01Options{Mounted: true})
	site := &tls.Config{NextProtos: []string{"h2", "http/1.1"}} // with certificates
	_ = &http.Server{Addr: ":443", TLSConfig: solver.Config(site)}
}
