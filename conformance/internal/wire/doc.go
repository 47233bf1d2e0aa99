// Package wire speaks raw ACME over HTTP for the cases that judge servers: what
// a client library would send, and all that none would.
//
// A Session belongs to one case. Its Post signs and sends a Message, with a
// nonce that the session looks after; a Message has a field for each thing that
// can be wrong with a JWS. Well-formed messages are signed by go-jose, the
// others by the few lines in raw.go.
//
//	s := wire.NewSession(wire.Options{DirectoryURL: url, RootCAs: pool})
//	key, err := wire.NewKey(wire.P256)
//	answer, err := s.Post(ctx, dir.NewAccount, wire.Message{Key: key, Payload: ...})
//
// Answers are taken as they are: a Session follows no redirects, reads bounded
// bodies, waits for a bounded time and never looks at a status. What prevents
// an answer is an *Error, which says whether the surroundings or the server
// are to blame. Every exchange is handed to Options.Record.
package wire
