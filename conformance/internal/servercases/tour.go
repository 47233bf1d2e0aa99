package servercases

import (
	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// tour is one certificate's whole life, and some errors, which the cases that
// only look at what a server says share.
type tour struct {
	a     *account
	names []string

	directory           *wire.Response
	headNonce, getNonce *wire.Response
	account             *wire.Response // read by POST-as-GET
	newOrder            *wire.Response
	orders              []object // states of the order, oldest first
	orderURL            string
	authorizations      []object // all states seen
	authorizationURLs   []string
	challenges          []object // all states seen, inside authorizations or fetched
	challengeUps        []up
	finalized           *wire.Response
	issued              *issued
	posts               []step // answered with success
	errors              []step // refused
}

type step struct {
	what     string
	response *wire.Response
}

// up is a challenge answer with the authorization that it belongs to.
type up struct {
	response      *wire.Response
	authorization string
}

// toured makes the tour, or returns the one that was made.
func (s *scene) toured() *tour {
	return shared(s, "tour", func(s *scene) *tour {
		t := &tour{names: []string{s.name(), s.name()}}
		t.begin(s)
		t.obtain(s)
		t.collectErrors(s)
		return t
	})
}

func (t *tour) ok(what string, r *wire.Response) *wire.Response {
	t.posts = append(t.posts, step{what, r})
	return r
}

func (t *tour) begin(s *scene) {
	t.directory = s.get(s.env.DirectoryURL)
	t.headNonce = s.do(wire.Request{Method: "HEAD", URL: s.url("newNonce")})
	t.getNonce = s.get(s.url("newNonce"))
	t.a = s.account()
	t.ok("newAccount", t.a.created)
	t.account = t.ok("account", s.post(t.a, t.a.url, nil))
}

func (t *tour) obtain(s *scene) {
	o := s.order(t.a, t.names...)
	t.newOrder, t.orderURL = t.ok("newOrder", o.created), o.url
	t.orders = append(t.orders, o.object)
	for _, z := range s.authorizations(t.a, o) {
		t.authorizationURLs = append(t.authorizationURLs, z.url)
		t.see(z.object)
		t.validate(s, z)
	}
	pending := o
	o = &order{s.poll(t.a, o.url, func(status string) bool { return status != "pending" }), o.url, o.created}
	t.orders = append(t.orders, o.object)
	if o.status() != "ready" {
		s.inconclusive("the order became %s instead of ready", o.status())
	}
	key := s.newKey()
	t.finalized = t.ok("finalize", s.finalize(t.a, pending, s.csrFor(o, key)))
	if t.finalized.Status != 200 {
		s.inconclusive("the order could not be finalized: %s", t.finalized.Excerpt())
	}
	t.orders = append(t.orders, objectOf(t.finalized))
	t.issued = s.download(t.a, o, key)
	t.orders = append(t.orders, t.issued.order.object)
	t.ok("order", s.post(t.a, t.orderURL, nil))
	t.ok("certificate", t.issued.pem)
}

func (t *tour) validate(s *scene, z *authorization) {
	t.ok("authorization", s.post(t.a, z.url, nil))
	challenge := s.pick(z)
	before := t.ok("challenge", s.post(t.a, challenge.text("url"), nil))
	t.challengeUps = append(t.challengeUps, up{before, z.url})
	s.publish(t.a, z, challenge)
	answered := t.ok("answer to a challenge", s.respond(t.a, challenge))
	if answered.Status != 200 {
		s.inconclusive("the challenge could not be answered: %s", answered.Excerpt())
	}
	t.challengeUps = append(t.challengeUps, up{answered, z.url})
	for _, r := range []*wire.Response{before, answered} {
		if o := objectOf(r); o != nil && r.Status == 200 {
			t.challenges = append(t.challenges, o)
		}
	}
	final := s.settle(t.a, z)
	t.see(final.object)
	if final.status() != "valid" {
		s.inconclusive("the authorization for %s became %s: %s", z.name(), final.status(), explain(final))
	}
	t.challengeUps = append(t.challengeUps, up{s.post(t.a, challenge.text("url"), nil), z.url})
}

func (t *tour) see(z object) {
	t.authorizations = append(t.authorizations, z)
	challenges, _ := z.objects("challenges")
	t.challenges = append(t.challenges, challenges...)
}

// collectErrors does what must be refused, in as many ways as are cheap.
func (t *tour) collectErrors(s *scene) {
	newOrder := s.url("newOrder")
	add := func(what string, r *wire.Response) { t.errors = append(t.errors, step{what, r}) }
	add("newOrder without identifiers", s.post(t.a, newOrder, map[string]any{}))
	add("newOrder with a payload that is not JSON", s.post(t.a, newOrder, "{"))
	add("newOrder with an unknown identifier type", s.newOrder(t.a, []id{{"x-unknown", "value"}}, nil))
	add("finalize of a finished order", s.post(t.a, t.issued.order.text("finalize"), map[string]any{"csr": "AAAA"}))
	add("a request whose nonce was never issued", s.send(newOrder, wire.Message{Key: t.a.key, KID: t.a.url,
		Nonce: wire.Encode([]byte("never issued by anybody")), Payload: encodePayload(map[string]any{"identifiers": dnsIDs(t.names)})}))
	add("a request of an account that does not exist", s.send(newOrder, wire.Message{Key: t.a.key, KID: t.a.url + "0",
		Payload: encodePayload(map[string]any{"identifiers": dnsIDs(t.names)})}))
	add("newAccount for a lookup of an unknown key", s.post(&account{key: s.newKey()}, s.url("newAccount"), map[string]any{"onlyReturnExisting": true}))
	add("revocation of garbage", s.post(t.a, s.directory().URL("revokeCert"), map[string]any{"certificate": "AAAA"}))
	add("a POST with another Content-Type", s.send(newOrder, wire.Message{Key: t.a.key, KID: t.a.url, ContentType: "application/json",
		Payload: encodePayload(map[string]any{"identifiers": dnsIDs(t.names)})}))
}
