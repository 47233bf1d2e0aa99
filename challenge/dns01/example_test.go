package dns01_test

import (
	"fmt"
	"log"
	"time"

	"github.com/libdns/libdns"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/challenge/dns01"
)

// A nameserver of one's own, by dynamic update.
func ExampleRFC2136() {
	solver, err := dns01.New(dns01.Options{
		Provider: &dns01.RFC2136{Server: "192.0.2.53", KeyName: "acme.example.org", Secret: "c2VjcmV0"},
		Journal:  "/var/lib/acme/dns.json",
	})
	if err != nil {
		log.Fatal(err)
	}
	_ = solver // for client.Request.Solvers, as dns-01 or dns-account-01
}

// Any provider of the libdns ecosystem.
func ExampleLibdns() {
	var provider interface { // *cloudflare.Provider, *route53.Provider, ...
		libdns.RecordAppender
		libdns.RecordDeleter
	}
	_ = dns01.Options{Provider: dns01.Libdns(provider), Timeout: 10 * time.Minute}
}

// Commands that were written for certbot.
func ExampleExec() {
	_ = dns01.Options{Provider: &dns01.Exec{Auth: []string{"/etc/hooks/add"}, Cleanup: []string{"/etc/hooks/remove"}}}
}

// The record to set by hand, once.
func ExamplePersistValue() {
	name, err := dns01.Name(challenge.Challenge{Type: challenge.DNSPersist01, IdentifierType: "dns", Identifier: "example.org"})
	if err != nil {
		log.Fatal(err)
	}
	value, err := dns01.PersistValue("ca.example", "https://ca.example/acct/1", true, time.Time{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(name, value)
	// Output: _validation-persist.example.org. ca.example; accounturi=https://ca.example/acct/1; policy=wildcard
}
