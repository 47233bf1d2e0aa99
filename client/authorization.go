package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/challenge"
)

// Authorizations and challenges: RFC 8555, Sections 7.1.4, 7.1.5, 7.4.1, 7.5 and 8.

// Authorization is the CA's authorization object.
type Authorization struct {
	URL        string
	Identifier Identifier // without "*."
	Wildcard   bool
	Status     string
	Expires    time.Time // zero when unknown
	Challenges []Challenge
	RetryAfter time.Time
}

// Challenge is one way offered to prove control over an identifier.
type Challenge struct {
	Type      string
	URL       string
	Status    string
	Token     string // empty for types without one
	Validated time.Time
	Error     *Problem

	AccountURI        string   // dns-persist-01
	IssuerDomainNames []string // dns-persist-01
	RetryAfter        time.Time
}

type wireAuthorization struct {
	Identifier Identifier      `json:"identifier"`
	Wildcard   bool            `json:"wildcard"`
	Status     string          `json:"status"`
	Expires    timestamp       `json:"expires"`
	Challenges []wireChallenge `json:"challenges"`
}

type wireChallenge struct {
	Type       string    `json:"type"`
	URL        string    `json:"url"`
	Status     string    `json:"status"`
	Token      string    `json:"token"`
	Validated  timestamp `json:"validated"`
	Error      *Problem  `json:"error"`
	AccountURI string    `json:"accounturi"`
	Issuers    []string  `json:"issuer-domain-names"`
	IssuersNew []string  `json:"issuerDomainNames"`
}

const (
	knownChallenges = 5 // types of them: CAs seldom offer more
	maxChallenges   = 50
)

func (c *Client) readAuthorization(a *answer, url string) (*Authorization, error) {
	w := wireAuthorization{Challenges: make([]wireChallenge, 0, knownChallenges)} // so that decoding need not grow it
	if err := a.object(&w); err != nil {
		return nil, err
	}
	z := &Authorization{URL: url, Identifier: w.Identifier.normal(), Wildcard: w.Wildcard, Status: w.Status,
		Expires: w.Expires.Time, RetryAfter: a.retryAfter()}
	switch w.Status {
	case StatusPending, StatusValid, StatusInvalid, StatusDeactivated, StatusExpired, StatusRevoked:
	case StatusProcessing: // of early CAs; not final
		z.Status = StatusPending
	default:
		return nil, wrapf(ErrRefused, "authorization in unknown status %q", printable(w.Status))
	}
	offered := w.Challenges[:min(len(w.Challenges), maxChallenges)]
	z.Challenges = make([]Challenge, 0, len(offered))
	for i := range offered {
		if ch, err := c.readChallenge(&offered[i]); err == nil {
			z.Challenges = append(z.Challenges, ch)
		} else if len(w.Challenges) == 1 {
			return nil, err
		}
	}
	return z, nil
}

func (c *Client) readChallenge(w *wireChallenge) (Challenge, error) {
	if err := c.checkURL(w.URL); err != nil {
		return Challenge{}, fmt.Errorf("challenge: %w", err)
	}
	ch := Challenge{Type: printable(w.Type), URL: w.URL, Status: w.Status, Token: w.Token, Validated: w.Validated.Time,
		Error: w.Error, AccountURI: w.AccountURI, IssuerDomainNames: w.Issuers}
	if len(ch.IssuerDomainNames) == 0 {
		ch.IssuerDomainNames = w.IssuersNew
	}
	return ch, nil
}

// checkToken refuses tokens that a solver could be hurt by, or that can be
// guessed: RFC 8555, Section 8.3, wants base64url and 128 bits of entropy.
func checkToken(token string) error {
	if len(token) < 22 || len(token) > 256 || !isBase64URL(token) {
		return wrapf(ErrRefused, "challenge token %q is not 22 to 256 characters of base64url", clip(printable(token), 80))
	}
	return nil
}

// solvable is the challenge as a solver wants it.
func (a *Account) solvable(z *Authorization, ch *Challenge, wildcard bool) (challenge.Challenge, error) {
	s := challenge.Challenge{
		Type: ch.Type, URL: ch.URL, IdentifierType: z.Identifier.Type, Identifier: z.Identifier.Value, Wildcard: wildcard,
		Token: ch.Token, AccountURL: a.url, IssuerDomainNames: ch.IssuerDomainNames,
	}
	if ch.Type == challenge.DNSPersist01 {
		if n := len(ch.IssuerDomainNames); n == 0 || n > 10 {
			return s, wrapf(ErrRefused, "dns-persist-01 with %d issuer names", n)
		}
		if ch.AccountURI != "" && ch.AccountURI != a.url {
			return s, wrapf(ErrRefused, "dns-persist-01 for another account, %q", printable(ch.AccountURI))
		}
		return s, nil
	}
	if err := checkToken(ch.Token); err != nil {
		return s, err
	}
	s.KeyAuthorization = a.KeyAuthorization(ch.Token)
	return s, nil
}

// SolverChallenge is ch in the form that solvers take, with its key
// authorization. It refuses tokens that are not what RFC 8555 wants.
func (a *Account) SolverChallenge(z *Authorization, ch *Challenge) (challenge.Challenge, error) {
	return a.solvable(z, ch, z.Wildcard)
}

// Authorization reads an authorization.
func (a *Account) Authorization(ctx context.Context, url string) (*Authorization, error) {
	var z *Authorization
	_, err := a.post(ctx, &call{step: "reading authorization", url: url,
		decode: func(ans *answer) (err error) {
			z, err = a.c.readAuthorization(ans, url)
			return err
		}})
	if err != nil {
		return nil, err
	}
	return z, nil
}

// NewAuthorization asks for an authorization before any order (RFC 8555, Section
// 7.4.1); ErrNotOffered when the CA has no newAuthz. Wildcards can't be asked for.
func (a *Account) NewAuthorization(ctx context.Context, id Identifier) (*Authorization, error) {
	ids, err := normalise([]Identifier{id})
	if err != nil {
		return nil, err
	}
	id = ids[0]
	if id.Wildcard() {
		return nil, fmt.Errorf("acme: pre-authorization of a wildcard (%s) is not possible; order it", id.Value)
	}
	payload, err := json.Marshal(map[string]any{"identifier": id})
	if err != nil {
		return nil, err
	}
	var z *Authorization
	_, err = a.post(ctx, &call{step: "creating authorization", ids: ids, endpoint: endpointNewAuthz, payload: payload,
		decode: func(ans *answer) (err error) {
			url := ans.location()
			if err := a.c.checkURL(url); err != nil {
				return wrapf(ErrNotACME, "no authorization URL in Location: %v", err)
			}
			if z, err = a.c.readAuthorization(ans, url); err == nil && z.Identifier != id {
				err = wrapf(ErrRefused, "the authorization is for %q", printable(z.Identifier.Value))
			}
			return err
		}})
	if err != nil {
		return nil, err
	}
	return z, nil
}

// DeactivateAuthorization gives an authorization up (RFC 8555, Section 7.5.2).
func (a *Account) DeactivateAuthorization(ctx context.Context, url string) error {
	_, err := a.post(ctx, &call{step: "deactivating authorization", url: url, payload: []byte(`{"status":"deactivated"}`)})
	return err
}

// Answer tells the CA that the response to a challenge is in place, for the
// first time or again (RFC 8555, Sections 7.5.1 and 8.2). Answering a challenge
// that the CA is already validating is no error.
func (a *Account) Answer(ctx context.Context, ch *Challenge) (*Challenge, error) {
	var after *Challenge
	_, err := a.post(ctx, &call{step: "answering " + ch.Type + " challenge", url: ch.URL, payload: []byte("{}"), limit: maxObject,
		decode: func(ans *answer) (err error) {
			var w wireChallenge
			if err := ans.object(&w); err != nil {
				return err
			}
			if w.URL == "" {
				w.URL = ch.URL
			}
			read, err := a.c.readChallenge(&w)
			if err != nil {
				return err
			}
			read.RetryAfter = ans.retryAfter()
			after = &read
			return nil
		}})
	if err != nil && (errors.Is(err, ErrMalformed) || isConflict(err)) {
		// It may have been answered before: an earlier attempt, an earlier run.
		if now, rerr := a.readChallengeAt(ctx, ch.URL); rerr == nil && now.Status != StatusPending {
			return now, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return after, nil
}

func (a *Account) readChallengeAt(ctx context.Context, url string) (*Challenge, error) {
	var ch *Challenge
	_, err := a.post(ctx, &call{step: "reading challenge", url: url, decode: func(ans *answer) (err error) {
		var w wireChallenge
		if err := ans.object(&w); err != nil {
			return err
		}
		if w.URL == "" {
			w.URL = url
		}
		read, err := a.c.readChallenge(&w)
		ch = &read
		return err
	}})
	if err != nil {
		return nil, err
	}
	return ch, nil
}

// WaitAuthorization polls an authorization by Retry-After until it is no longer
// pending (RFC 8555, Section 7.5.1).
func (a *Account) WaitAuthorization(ctx context.Context, url string) (*Authorization, error) {
	poll := a.c.newPoller()
	for {
		z, err := a.Authorization(ctx, url)
		if err != nil || z.Status != StatusPending {
			return z, err
		}
		if err := poll.wait(ctx, z.RetryAfter); err != nil {
			return nil, &Error{Step: "waiting for authorization", Identifier: z.Identifier.Value, Method: "POST", URL: url, RetryAt: z.RetryAfter, Err: err}
		}
	}
}

// reason is why the authorization is not valid, and by which challenge.
func (z *Authorization) reason() (challengeType string, err error) {
	for _, ch := range z.Challenges {
		if ch.Error != nil {
			return ch.Type, ch.Error
		}
	}
	for _, ch := range z.Challenges {
		if ch.Status == StatusInvalid {
			return ch.Type, wrapf(ErrUnauthorized, "the challenge is invalid; the CA gave no reason")
		}
	}
	return "", wrapf(ErrUnauthorized, "the authorization is %s", z.Status)
}

func (z *Authorization) offers() string {
	var types []string
	for _, ch := range z.Challenges {
		if !slices.Contains(types, ch.Type) {
			types = append(types, ch.Type)
		}
	}
	if len(types) == 0 {
		return "nothing"
	}
	return strings.Join(types, ", ")
}
