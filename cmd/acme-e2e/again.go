package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// howToRun are flags about a run, not about the one who is judged; secrets are
// shown as the variable that should hold them.
var (
	howToRun = []string{"report", "expect", "jobs", "seed", "level", "strict", "budget", "scenario", "section", "json", "quiet"}
	secrets  = map[string]string{"eab-hmac": `"$EAB_HMAC"`, "rfc2136-secret": `"$TSIG_SECRET"`}
)

// again is the command line that judges the same one by one case only; rest is
// what comes after --.
func again(cmd *cobra.Command, one string, rest []string) string {
	words := []string{cmd.Root().Name(), cmd.Name()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(howToRun, f.Name) {
			return
		}
		words = append(words, "--"+f.Name)
		switch values, isSlice := f.Value.(pflag.SliceValue); {
		case secrets[f.Name] != "":
			words = append(words, secrets[f.Name])
		case isSlice:
			words = append(words, shellWord(strings.Join(values.GetSlice(), ",")))
		case f.Value.Type() != "bool":
			words = append(words, shellWord(f.Value.String()))
		}
	})
	words = append(words, one)
	if len(rest) > 0 {
		words = append(words, "--")
		for _, word := range rest {
			words = append(words, shellWord(word))
		}
	}
	return strings.Join(words, " ")
}

// shellWord quotes s where a shell would not take it as one word.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%{}") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
