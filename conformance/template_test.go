package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommandsAreFilledIn(t *testing.T) {
	t.Parallel()
	values := map[string]string{"domain": "a", "#0": "a", "#1": "b", "email": "m@x", "each_domain": "a"}
	for _, tc := range []struct {
		name    string
		command []Argument
		want    []string
	}{
		{"plain", []Argument{{"x"}, {"--d={domain}"}}, []string{"x", "--d=a"}},
		{"nothing stays an argument", []Argument{{"x"}, {"{eab_kid}"}}, []string{"x", ""}},
		{"group", []Argument{{"x"}, {"", "-m", "{email}"}}, []string{"x", "-m", "m@x"}},
		{"group left out", []Argument{{"x"}, {"", "--eab", "{eab_kid}"}}, []string{"x"}},
		{"condition", []Argument{{"x"}, {"", "--mail", "{email?}"}}, []string{"x", "--mail"}},
		{"condition not met", []Argument{{"x"}, {"", "--agree", "{agree_terms?}"}}, []string{"x"}},
		{"each", []Argument{{"x"}, {"", "-d", "{each_domain}"}}, []string{"x", "-d", "a", "-d", "b"}},
	} {
		require.Equal(t, tc.want, expand(tc.command, values), tc.name)
	}
}
