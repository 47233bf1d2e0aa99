package mockca

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFaultsAreMadeFromText(t *testing.T) {
	nothing := func(*Exchange, *Knobs) {}
	plain := simple(func() Fault {
		return Fault{Name: "plain", Doc: "d", Duty: "u", Endpoints: []Endpoint{Authz}, Core: nothing}
	})
	slow := timed(time.Minute, func(d time.Duration) Fault { return Fault{Name: "slow", Params: d.String(), Core: nothing} })
	many := counted(7, func(n int) Fault { return Fault{Name: "many", Params: string(rune('0' + n)), Core: nothing} })
	word := worded("usual", func(s string) Fault { return Fault{Name: "word", Params: s, Core: nothing} })
	require.Equal(t, "plain", plain.Name)
	require.Equal(t, "d", plain.Doc)
	require.Equal(t, "u", plain.Duty)
	require.Equal(t, []Endpoint{Authz}, plain.Endpoints)
	require.Equal(t, "duration=1m0s", slow.Params)
	require.Equal(t, "number=7", many.Params)
	require.Equal(t, "text=usual", word.Params)
	for _, tc := range []struct {
		info         FaultInfo
		params, want string // want empty: an error
	}{
		{plain, "", "plain"}, {plain, "x", ""},
		{slow, "", "slow:1m0s"}, {slow, "90s", "slow:1m30s"}, {slow, "90", ""}, {slow, "-1s", ""},
		{many, "", "many:7"}, {many, "3", "many:3"}, {many, "x", ""}, {many, "-1", ""},
		{word, "", "word:usual"}, {word, "a:b", "word:a:b"},
	} {
		f, err := tc.info.Make(tc.params)
		require.Equal(t, tc.want == "", err != nil, "%s %q: %v", tc.info.Name, tc.params, err)
		if err == nil {
			require.Equal(t, tc.want, f.String())
		} else {
			require.ErrorContains(t, err, tc.info.Name)
		}
	}
}
