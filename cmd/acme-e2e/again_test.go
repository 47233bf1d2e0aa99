package main

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestAgainIsTheSameCommandForOneCase(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--pebble", "--jobs", "9", "--report", "json=x", "rfc9773"}, "acme-e2e test-server --pebble {case}"},
		{[]string{"--directory", "https://ca/dir", "--address", "127.0.0.1,::1", "--contact", "mailto:a b"}, "acme-e2e test-server --address 127.0.0.1,::1 --contact 'mailto:a b' --directory https://ca/dir {case}"},
		{[]string{"--eab-kid", "k", "--eab-hmac", "secret"}, `acme-e2e test-server --eab-hmac "$EAB_HMAC" --eab-kid k {case}`},
	} {
		root := newRoot(newTerminal(nil, nil, nil, func(string) string { return "" }))
		cmd, rest, err := root.Find(append([]string{"test-server"}, row.args...))
		require.NoError(t, err)
		require.NoError(t, cmd.ParseFlags(rest))
		require.Equal(t, row.want, again(cmd, "{case}", nil))
	}
	require.Equal(t, "acme-e2e x --scenario {case} -- ./client 'it'\\''s' {domain}", again(commandNamed("x"), "--scenario {case}", []string{"./client", "it's", "{domain}"}))
}

func commandNamed(name string) *cobra.Command {
	root, cmd := &cobra.Command{Use: "acme-e2e"}, &cobra.Command{Use: name}
	root.AddCommand(cmd)
	return cmd
}
