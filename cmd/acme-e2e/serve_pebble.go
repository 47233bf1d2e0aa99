package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// pebbleConfig is Pebble's configuration file, as of version 2.10. What else is
// in one is ignored, as Pebble does.
type pebbleConfig struct {
	ListenAddress           string
	ManagementListenAddress string
	HTTPPort                int
	TLSPort                 int
	Certificate             string
	PrivateKey              string

	ExternalAccountBindingRequired bool
	ExternalAccountMACKeys         map[string]string
	CAAIdentities                  []string
	DomainBlocklist                []string
	KeyAlgorithm                   string
	Profiles                       map[string]struct {
		Description       string
		PromoteCommonName bool
		ValidityPeriod    uint64 // seconds
	}
	RetryAfter struct{ Authz, Order int }
}

// readPebbleConfig reads the file, and takes from it what flags don't say.
// Addresses count for their ports only: where to listen is up to --listen.
func (f *serveFlags) readPebbleConfig(cmd *cobra.Command) error {
	wrong := func(err error) error {
		return configError(fmt.Errorf("--pebble-config %s: %w", f.pebbleConfig, err), "it must be a configuration of Pebble, in JSON")
	}
	data, err := os.ReadFile(f.pebbleConfig)
	if err != nil {
		return configError(fmt.Errorf("--pebble-config: %w", err), "name a file that can be read")
	}
	var file struct{ Pebble *pebbleConfig }
	if err := json.Unmarshal(data, &file); err != nil {
		return wrong(lineOf(data, err))
	}
	if file.Pebble == nil {
		return wrong(fmt.Errorf(`there is no "pebble" in it`))
	}
	f.pebble = file.Pebble
	changed := cmd.Flags().Changed
	for _, at := range []struct {
		name, address string
		port          *int
	}{{"acme-port", f.pebble.ListenAddress, &f.acmePort}, {"management-port", f.pebble.ManagementListenAddress, &f.managementPort}} {
		if at.address == "" || changed(at.name) {
			continue
		}
		_, text, err := net.SplitHostPort(at.address)
		port, err2 := strconv.Atoi(text)
		if err != nil || err2 != nil {
			return wrong(fmt.Errorf("the address %q has no port", at.address))
		}
		*at.port = port
	}
	if f.pebble.HTTPPort != 0 && !changed("http-port") {
		f.httpPort = f.pebble.HTTPPort
	}
	if f.pebble.TLSPort != 0 && !changed("tls-port") {
		f.tlsPort = f.pebble.TLSPort
	}
	if !changed("personality") {
		f.personality = "pebble"
	}
	if !changed("key-type") {
		f.keyType = map[string]string{"": "RSA-2048", "rsa": "RSA-2048", "ecdsa": "P-256"}[f.pebble.KeyAlgorithm]
		if f.keyType == "" {
			return wrong(fmt.Errorf(`keyAlgorithm %q is neither "rsa" nor "ecdsa"`, f.pebble.KeyAlgorithm))
		}
	}
	for kid, key := range f.pebble.ExternalAccountMACKeys {
		f.eab = append(f.eab, kid+":"+key)
	}
	slices.Sort(f.eab)
	return nil
}

// lineOf names the line of an error in JSON.
func lineOf(data []byte, err error) error {
	offset := int64(-1)
	switch e := err.(type) {
	case *json.SyntaxError:
		offset = e.Offset
	case *json.UnmarshalTypeError:
		offset = e.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
}

// apply puts the rest into the CA's options.
func (c *pebbleConfig) apply(o *mockca.Options) error {
	p := o.Policy
	p.RequireEAB = c.ExternalAccountBindingRequired
	p.Blocked = c.DomainBlocklist
	if len(c.CAAIdentities) > 0 {
		p.CAAIdentities = c.CAAIdentities
	}
	profiles := c.Profiles
	p.Profiles, p.DefaultProfile = map[string]mockca.Profile{}, ""
	for name, profile := range profiles {
		lifetime := 90 * day // Pebble's, where a profile has none
		if profile.ValidityPeriod != 0 && profile.ValidityPeriod < math.MaxInt64/uint64(time.Second) {
			lifetime = time.Duration(profile.ValidityPeriod) * time.Second
		}
		p.Profiles[name] = mockca.Profile{Description: profile.Description, CommonName: profile.PromoteCommonName, Lifetime: lifetime}
	}
	if len(profiles) == 0 {
		p.Profiles["default"] = mockca.Profile{Description: "The default profile", Lifetime: 90 * day}
	}
	if _, ok := p.Profiles["default"]; ok {
		p.DefaultProfile = "default"
	}
	if c.RetryAfter.Order > 0 {
		p.PollRetryAfter = time.Duration(c.RetryAfter.Order) * time.Second
	}
	if c.Certificate == "" && c.PrivateKey == "" {
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.PrivateKey)
	if err != nil {
		return fmt.Errorf("certificate and privateKey: %w", err)
	}
	o.Certificate = &certificate
	return nil
}

const day = 24 * time.Hour
