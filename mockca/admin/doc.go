// Package admin is the management of a mockca.CA over HTTP: what its methods do
// from Go, for everybody else.
//
//	GET    /api                    the description, OpenAPI 3.1
//	GET    /api/faults             the catalogue; POST /api/rules to have one happen
//	POST   /api/clock              {"advance": "60d"}
//	PATCH  /api/policy             {"requireEAB": true}
//	GET    /api/orders             and accounts, authorizations, certificates
//	GET    /api/transcript         also .jsonl, .har and .mmd
//	GET    /api/events             what happens, as it happens (server-sent events)
//	GET    /                       a page for people
//
// It also answers at the management paths of Pebble and pebble-challtestsrv, so
// that test suites made for those need no change; see pebblePaths and
// challtestsrvPaths in the source for the list.
//
// Without a token it serves the machine itself only: requests over loopback
// interfaces, addressed to localhost or a loopback address (a web page can make
// a browser send others, by a name that it points here), and not sent by another
// origin's page.
package admin
