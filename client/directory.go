package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// The directory: RFC 8555, Section 7.1.1.

// Directory is what a CA offers and where. Entries may be on other hosts than
// the directory itself (RFC 8555 demands no common origin); they must be https.
// An entry that the CA does not offer, or that is not a URL to be used, is empty.
type Directory struct {
	NewNonce, NewAccount, NewOrder, NewAuthz, RevokeCert, KeyChange string

	RenewalInfo string // RFC 9773, Section 4.1

	TermsOfService, Website string
	CAAIdentities           []string
	ExternalAccountRequired bool
	Profiles                map[string]string // name to description (draft-ietf-acme-profiles)
}

// endpoint is one entry of the directory, by the name it has there.
type endpoint struct {
	name string
	of   func(*Directory) string
}

// The entries.
var (
	endpointNewNonce    = &endpoint{"newNonce", func(d *Directory) string { return d.NewNonce }}
	endpointNewAccount  = &endpoint{"newAccount", func(d *Directory) string { return d.NewAccount }}
	endpointNewOrder    = &endpoint{"newOrder", func(d *Directory) string { return d.NewOrder }}
	endpointNewAuthz    = &endpoint{"newAuthz", func(d *Directory) string { return d.NewAuthz }}
	endpointRevokeCert  = &endpoint{"revokeCert", func(d *Directory) string { return d.RevokeCert }}
	endpointKeyChange   = &endpoint{"keyChange", func(d *Directory) string { return d.KeyChange }}
	endpointRenewalInfo = &endpoint{"renewalInfo", func(d *Directory) string { return d.RenewalInfo }}
)

const (
	directoryLife  = 24 * time.Hour
	directoryPause = 10 * time.Minute // before the next try to replace an old one
)

// Directory returns the CA's directory, fetched at the first call and again
// after a day, once for all who ask meanwhile. The caller must not change it.
func (c *Client) Directory(ctx context.Context) (*Directory, error) {
	for waited := false; ; waited = true {
		c.dirMu.Lock()
		d, age, busy := c.dir, c.dirAge, c.dirBusy
		stale := d == nil || c.clock.Now().Sub(age) >= directoryLife
		mine := stale && busy == nil // nobody else is fetching it
		if mine {
			busy = make(chan struct{})
			c.dirBusy = busy
		}
		c.dirMu.Unlock()
		switch {
		case !stale:
			return d, nil
		case mine:
			fresh, err := c.Refresh(ctx)
			c.dirMu.Lock()
			if c.dirBusy = nil; err != nil {
				c.dirAge = c.clock.Now().Add(directoryPause - directoryLife)
			}
			c.dirMu.Unlock()
			close(busy)
			if err != nil && d != nil {
				return d, nil // an old directory is better than none
			}
			return fresh, err
		case d != nil:
			return d, nil
		case waited:
			return c.Refresh(ctx) // the other failed; don't queue up behind each other
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, &Error{Step: "fetching directory", Method: http.MethodGet, URL: c.cfg.DirectoryURL, Err: context.Cause(ctx)}
		}
	}
}

// Refresh fetches the directory now: after the CA announced new terms of
// service or profiles, for instance.
func (c *Client) Refresh(ctx context.Context) (*Directory, error) {
	var d *Directory
	_, err := c.do(ctx, &call{
		step: "fetching directory", url: c.cfg.DirectoryURL, limit: maxSmall, accept: "application/json",
		decode: func(a *answer) (err error) {
			d, err = c.readDirectory(a)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	c.dirMu.Lock()
	c.dir, c.dirAge = d, c.clock.Now()
	c.dirMu.Unlock()
	return d, nil
}

func (c *Client) readDirectory(a *answer) (*Directory, error) {
	var m map[string]json.RawMessage
	if err := a.object(&m); err != nil {
		return nil, err
	}
	entry := func(name string) string {
		var s string
		if json.Unmarshal(m[name], &s) != nil || c.checkURL(s) != nil {
			return ""
		}
		return s
	}
	d := &Directory{
		NewNonce: entry("newNonce"), NewAccount: entry("newAccount"), NewOrder: entry("newOrder"), NewAuthz: entry("newAuthz"),
		RevokeCert: entry("revokeCert"), KeyChange: entry("keyChange"), RenewalInfo: entry("renewalInfo"),
	}
	for _, name := range []string{"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"} {
		var s string
		if json.Unmarshal(m[name], &s) == nil && s != "" && entry(name) == "" {
			return nil, wrapf(ErrRefused, "directory entry %s: %v", name, c.checkURL(s))
		}
	}
	switch {
	case d.NewOrder == "" && m["new-reg"] != nil:
		return nil, wrapf(ErrNotACME, "this is a directory of ACMEv1; RFC 8555 is needed")
	case d.NewNonce == "" && d.NewAccount == "" && d.NewOrder == "":
		return nil, wrapf(ErrNotACME, "no newNonce, newAccount or newOrder in it; is this the URL of an ACME directory?")
	}
	d.readMeta(m["meta"])
	return d, nil
}

// readMeta takes what it can read: odd metadata is no reason to fail.
func (d *Directory) readMeta(raw json.RawMessage) {
	var meta map[string]json.RawMessage
	if json.Unmarshal(raw, &meta) != nil {
		return
	}
	_ = json.Unmarshal(meta["termsOfService"], &d.TermsOfService)
	_ = json.Unmarshal(meta["website"], &d.Website)
	_ = json.Unmarshal(meta["caaIdentities"], &d.CAAIdentities)
	_ = json.Unmarshal(meta["externalAccountRequired"], &d.ExternalAccountRequired)
	_ = json.Unmarshal(meta["profiles"], &d.Profiles)
	d.TermsOfService, d.Website = printable(d.TermsOfService), printable(d.Website)
	for i, s := range d.CAAIdentities {
		d.CAAIdentities[i] = printable(s)
	}
	clean := make(map[string]string, len(d.Profiles))
	for k, v := range d.Profiles {
		clean[printable(k)] = printable(v)
	}
	d.Profiles = clean
}

// target is the URL to send q to.
func (c *Client) target(ctx context.Context, q *call) (string, error) {
	if q.endpoint == nil {
		return q.url, c.checkURL(q.url)
	}
	d, err := c.Directory(ctx)
	if err != nil {
		return "", finalError{err}
	}
	url := q.endpoint.of(d)
	if url == "" {
		return "", wrapf(ErrNotOffered, "the directory %s has no %s", c.cfg.DirectoryURL, q.endpoint.name)
	}
	return url + q.url, nil
}

// moved fetches the directory again after an entry of it was not found, and
// reports whether the entry is another now.
func (c *Client) moved(ctx context.Context, q *call) bool {
	c.dirMu.Lock()
	old := c.dir
	c.dirMu.Unlock()
	d, err := c.Refresh(ctx)
	return err == nil && old != nil && q.endpoint.of(d) != q.endpoint.of(old)
}

// checkProfile refuses a profile that the CA does not advertise
// (draft-ietf-acme-profiles, Section 4), naming those that it does.
func (c *Client) checkProfile(ctx context.Context, profile string) error {
	if profile == "" {
		return nil
	}
	d, err := c.Directory(ctx)
	if err != nil {
		return err
	}
	if _, ok := d.Profiles[profile]; ok {
		return nil
	}
	return &Error{Step: "choosing profile", Method: http.MethodGet, URL: c.cfg.DirectoryURL, Err: errors.Join(
		wrapf(ErrNotOffered, "profile %q; offered: %q", profile, slices.Sorted(maps.Keys(d.Profiles))))}
}

// withProfiles adds to an error about a profile what the directory offers now.
func (c *Client) withProfiles(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](err)
	d, derr := c.Refresh(ctx)
	if ok && derr == nil {
		e.Err = fmt.Errorf("%w; offered: %q", e.Err, slices.Sorted(maps.Keys(d.Profiles)))
	}
	return err
}
