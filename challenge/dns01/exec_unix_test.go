//go:build unix

package dns01_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge/dns01"
)

func TestExecHooksGetWhatCertbotGivesThem(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	e := &dns01.Exec{
		Auth:    []string{"/bin/sh", "-c", `echo "$1 $CERTBOT_DOMAIN $CERTBOT_VALIDATION $CERTBOT_TOKEN $CERTBOT_REMAINING_CHALLENGES $CERTBOT_ALL_DOMAINS $ACME_ZONE $ACME_RECORD $ACME_TTL" >` + out + `; echo handle-7`, "hook", "argument"},
		Cleanup: []string{"/bin/sh", "-c", `echo "$CERTBOT_AUTH_OUTPUT $CERTBOT_DOMAIN" >` + out},
	}
	require.NoError(t, e.Check(t.Context()))
	r := dns01.Record{Zone: "a.example.", Name: "x.a.example.", Value: "$(touch injected)", TTL: time.Minute,
		Domain: "www.a.example", Token: "tok", Remaining: 2, AllDomains: []string{"a.example", "www.a.example"}}
	require.NoError(t, e.Append(t.Context(), r))
	said, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "argument www.a.example $(touch injected) tok 2 a.example,www.a.example a.example. x.a.example. 60\n", string(said))
	require.NoError(t, e.Remove(t.Context(), r))
	said, err = os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "handle-7 www.a.example\n", string(said))

	bad := &dns01.Exec{Auth: []string{"/bin/sh", "-c", "echo no such zone >&2; exit 3"}}
	require.ErrorContains(t, bad.Append(t.Context(), r), "no such zone")
	require.NoError(t, bad.Remove(t.Context(), r))
	slow := &dns01.Exec{Auth: []string{"/bin/sh", "-c", "sleep 60"}, Timeout: 50 * time.Millisecond}
	require.Error(t, slow.Append(t.Context(), r))
	require.Error(t, (&dns01.Exec{Auth: []string{"/nowhere/hook"}}).Check(t.Context()))
	require.Error(t, (&dns01.Exec{}).Check(t.Context()))
}
