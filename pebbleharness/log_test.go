package pebbleharness

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogKeepsItsEnd(t *testing.T) {
	var l tail
	fmt.Fprintln(&l, "first")
	require.Equal(t, "first\n", l.String())
	for i := range 100_000 {
		fmt.Fprintf(&l, "line %d\n", i)
	}
	text := l.String()
	require.LessOrEqual(t, len(text), tailLimit+100)
	require.True(t, strings.HasPrefix(text, "(the beginning is left out)\nline "), text[:60])
	require.True(t, strings.HasSuffix(text, "line 99999\n"))
}
