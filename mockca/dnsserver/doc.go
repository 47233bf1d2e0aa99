// Package dnsserver is a DNS server for tests of ACME: authoritative for every
// name there is, changed from Go or by dynamic update, and ill on demand.
//
//	d := dnsserver.New(t, dnsserver.Options{})
//	d.SetTXT("_acme-challenge.a.example", "value")
//	d.SetBehavior("b.example", dnsserver.Behavior{Rcode: dns.RcodeServerFailure})
//	// ... point a resolver at d.Addr(): UDP and TCP on one port of loopback
//
// A name without addresses of its own has the default ones, 127.0.0.1 and ::1,
// so that every name leads to the machine itself. A name below the apex of a
// zone has its SOA in the authority section, as a client expects that looks for
// the zone to update; which names are apexes is up to Options.Zones.
//
// Clients change records by dynamic update (RFC 2136), signed with one of
// Options.Keys (RFC 8945).
//
// All methods are safe for concurrent use. Everything is in memory.
package dnsserver
