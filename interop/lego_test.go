package interop_test

import (
	"crypto"
	"strconv"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"
	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/go-acme/lego/v5/challenge/http01"
	"github.com/go-acme/lego/v5/challenge/tlsalpn01"
	"github.com/go-acme/lego/v5/lego"
	"github.com/go-acme/lego/v5/providers/dns/dnsupdate"
	"github.com/go-acme/lego/v5/registration"
	"github.com/stretchr/testify/require"
)

type legoUser struct {
	key          crypto.Signer
	registration *legoacme.ExtendedAccount
}

func (u *legoUser) GetEmail() string                           { return "somebody@example.org" }
func (u *legoUser) GetRegistration() *legoacme.ExtendedAccount { return u.registration }
func (u *legoUser) GetPrivateKey() crypto.Signer               { return u.key }

// TestLego uses lego's own solvers; its DNS client is one for the process.
func TestLego(t *testing.T) {
	for _, typ := range []string{"http-01", "dns-01", "tls-alpn-01"} {
		t.Run(typ, func(t *testing.T) {
			s := serve(t)
			ctx := patient(t)
			user := &legoUser{key: newKey(t)}
			config := lego.NewConfig(user)
			config.CADirURL, config.HTTPClient = s.Directory, s.client(t)
			c, err := lego.NewClient(config)
			require.NoError(t, err)
			names := []string{"a.example", "b.example"}
			switch typ {
			case "http-01":
				err = c.Challenge.SetHTTP01Provider(http01.NewProviderServer("127.0.0.1", strconv.Itoa(s.HTTPPort)))
			case "tls-alpn-01":
				err = c.Challenge.SetTLSALPN01Provider(tlsalpn01.NewProviderServer("127.0.0.1", strconv.Itoa(s.TLSPort)))
			case "dns-01":
				names = append(names, "*.a.example")
				before := dns01.DefaultClient()
				t.Cleanup(func() { dns01.SetDefaultClient(before) })
				o := dns01.NewOptions()
				o.RecursiveNameservers = []string{s.DNS}
				dns01.SetDefaultClient(dns01.NewClient(o))
				update := dnsupdate.NewDefaultConfig()
				update.Nameserver, update.TSIGKey, update.TSIGSecret, update.TSIGAlgorithm = s.DNS, s.TSIGName, s.TSIGSecret, s.TSIGAlgorithm+"."
				update.PollingInterval, update.SequenceInterval = 100*time.Millisecond, 0
				provider, err2 := dnsupdate.NewDNSProviderConfig(update)
				require.NoError(t, err2)
				// It asks authoritative servers at port 53, which is not ours.
				err = c.Challenge.SetDNS01Provider(provider, dns01.DisableAuthoritativeNssPropagationRequirement())
			}
			require.NoError(t, err)
			user.registration, err = c.Registration.Register(ctx, registration.RegisterOptions{TermsOfServiceAgreed: true})
			require.NoError(t, err)
			got, err := c.Certificate.Obtain(ctx, certificate.ObtainRequest{Domains: names, KeyType: certcrypto.EC256, Bundle: true})
			require.NoError(t, err)
			s.verify(t, got.Certificate, "a.example", "b.example")
			for _, used := range s.challenges(t) {
				require.Equal(t, typ, used)
			}
			require.NoError(t, c.Certificate.Revoke(ctx, got.Certificate))
		})
	}
}
