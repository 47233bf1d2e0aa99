package interop_test

import (
	"context"
	"testing"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/stretchr/testify/require"
)

// acmezSolver answers acmez's challenges.
type acmezSolver struct{ a *answering }

func (s acmezSolver) Present(_ context.Context, c acme.Challenge) error {
	switch c.Type {
	case acme.ChallengeTypeHTTP01:
		s.a.set(c.Token, c.KeyAuthorization)
	case acme.ChallengeTypeDNS01:
		return s.a.update(c.DNS01TXTRecordName(), c.DNS01KeyAuthorization())
	case acme.ChallengeTypeTLSALPN01:
		cert, err := acmez.TLSALPN01ChallengeCert(c)
		if err != nil {
			return err
		}
		s.a.setTLS(c.Identifier.Value, cert)
	}
	return nil
}

func (acmezSolver) CleanUp(context.Context, acme.Challenge) error { return nil }

func TestAcmez(t *testing.T) {
	t.Parallel()
	for _, personality := range []string{"", "letsencrypt"} {
		for _, typ := range []string{acme.ChallengeTypeHTTP01, acme.ChallengeTypeDNS01, acme.ChallengeTypeTLSALPN01} {
			t.Run(personality+" "+typ, func(t *testing.T) {
				t.Parallel()
				s := serve(t, "--personality", personality)
				ctx := patient(t)
				c := &acmez.Client{Client: &acme.Client{Directory: s.Directory, HTTPClient: s.client(t)},
					ChallengeSolvers: map[string]acmez.Solver{typ: acmezSolver{answer(t, s)}}}
				account, err := c.NewAccount(ctx, acme.Account{TermsOfServiceAgreed: true, PrivateKey: newKey(t)})
				require.NoError(t, err)
				names := []string{"a.example", "b.example"}
				if typ == acme.ChallengeTypeDNS01 {
					names = append(names, "*.a.example")
				}
				key := newKey(t)
				certs, err := c.ObtainCertificateForSANs(ctx, account, key, names)
				require.NoError(t, err)
				require.NotEmpty(t, certs)
				s.verify(t, certs[0].ChainPEM, "a.example", "b.example")
				for _, used := range s.challenges(t) {
					require.Equal(t, typ, used)
				}
				require.NotNil(t, certs[0].RenewalInfo, "RFC 9773")
			})
		}
	}
}
